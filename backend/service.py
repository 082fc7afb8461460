"""What the backend can do: one table of verbs. The command line, ``serve`` and the in-process backend all call it.

A verb checks its parameters, then imports what it needs: torch is loaded by the first job that uses it, not before.
"""

import contextlib
import logging
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from . import VERSION
from .errors import BackendError, BackendMissingError, Cancelled, OutputError, PaintoverError, UsageError
from .job import Job
from .params import Params
from .protocol import PROTOCOL, plain
from .room import check_file, check_room

Verb: TypeAlias = Callable[[Params, Job], dict[str, Any]]

TRAINED_BYTES = 50_000_000  # weights and training state, beside those of before

log = logging.getLogger("paintover")


def call(verbs: Mapping[str, Verb], verb: object, params: object, job: Job) -> dict[str, Any]:
    """Do one verb and return its value, in JSON's types only.

    Raises ``PaintoverError`` and nothing else: what nobody foresaw is logged with its traceback and becomes a
    ``BackendError``.
    """
    if not isinstance(verb, str) or verb not in verbs:
        raise UsageError(f"Paintover's backend cannot do {verb!r}.", f"It can do {', '.join(sorted(verbs))}.")
    if not isinstance(params, dict):
        raise UsageError(f"{verb}: the parameters must be names with values, not {params!r:.80}.")
    try:
        return dict(plain(verbs[verb](Params(verb, params), job)))
    except PaintoverError:
        raise
    except ImportError as error:
        log.info("%s: a library is missing", verb, exc_info=True)
        raise BackendMissingError(
            f"The Python at {sys.executable} lacks {error.name}, which the backend needs.",
            "Install the backend, or name another Python in the preferences.",
        ) from error
    except OSError as error:
        log.info("%s", verb, exc_info=True)
        raise OutputError(
            f"{error.strerror or error}: {error.filename or 'no file named'}.",
            "Check that the disk is not full and that this place may be read and written.",
        ) from error
    except Exception as error:
        if isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error):  # torch's is a RuntimeError
            log.info("%s: out of memory", verb, exc_info=True)
            raise BackendError(
                "There is not enough memory for this.",
                "Close other programs, or choose a smaller picture (on the command line: a smaller --tile).",
            ) from error
        if type(error).__name__ == "OutOfMemoryError":  # torch's, which is not imported here
            log.info("%s: out of memory on the graphics card", verb, exc_info=True)
            raise BackendError(
                "There is not enough memory on the graphics card for this.",
                "Close other programs that use it, choose a smaller picture (on the command line: a smaller --tile),"
                " or set CUDA_VISIBLE_DEVICES to nothing.",
            ) from error
        log.exception("%s", verb)
        raise BackendError(
            f"The backend stumbled: {type(error).__name__}: {error}",
            "This is a fault in Paintover. The traceback is in the backend's log: please report it.",
        ) from error


@contextlib.contextmanager
def _all_or_nothing(out: Path) -> Iterator[None]:
    """Say of a training that was cancelled what became of its file."""
    try:
        yield
    except Cancelled as error:
        left = f"{out.name} is as it was before" if out.exists() else "Nothing was written"
        raise Cancelled(f"Training was cancelled. {left}.") from error


@contextlib.contextmanager
def _one_by_one(out: Path, what: str) -> Iterator[None]:
    """Say of a batch that was cancelled what became of those that were done, each ``what``."""
    try:
        yield
    except Cancelled as error:
        raise Cancelled(
            f"Cancelled. Every {what} written so far is whole and stays.",
            f"The same again goes on where it was: {out}",
        ) from error


def _of_a_training(params: Params) -> dict[str, Any]:
    """How long to train, from what on, and where to show it: what every family's training takes."""
    seconds, steps = params.optional_positive("seconds"), params.optional_integer("steps", minimum=1)
    if seconds is not None and steps is not None:
        raise UsageError("A training takes seconds or steps, not both.")
    return {
        "seconds": seconds,
        "steps": steps,
        "seed": params.optional_integer("seed", minimum=0) or 0,
        "resume": params.switch("resume"),
        "preview": params.optional_path("preview"),
    }


def info(params: Params, job: Job) -> dict[str, Any]:
    """What this backend is. Answers at once: torch is only imported with ``load``, or to ask about a graphics card."""
    load = params.switch("load")
    params.finish()
    from . import machine

    return {
        "version": VERSION,
        "protocol": PROTOCOL,
        "python": platform.python_version(),
        "executable": sys.executable,
        **(machine.loaded() if load else machine.described()),
    }


def shot_check(params: Params, job: Job) -> dict[str, Any]:
    """What a shot holds, and which of the passes that looks need are missing in its first frame."""
    folder = params.path("shot")
    params.finish()
    from .look.guides import PASSES
    from .shot import Shot

    shot = Shot.open(folder)
    passes = shot.passes(shot.frames[0])
    return {
        "name": shot.name,
        "frames": shot.frames,
        "width": shot.width,
        "height": shot.height,
        "passes": sorted(passes),
        "missing": [name for name in PASSES if name not in passes],
        "view": shot.view.as_json(),
    }


def look_train(params: Params, job: Job) -> dict[str, Any]:
    """Learn a look from painted frames of a shot, or, of colour alone, from painted images."""
    on_images = params.has("images")
    sources = params.path_pairs("images") if on_images else {}
    folder = None if on_images else params.path("shot")
    paint = {} if on_images else params.paths_by_frame("paint")
    out, how = params.path("out"), _of_a_training(params)
    params.finish()
    from .look.train import train
    from .shot import Shot

    shot = Shot.open(folder) if folder else None
    check_file(out, TRAINED_BYTES)
    with _all_or_nothing(out):
        return train(shot=shot, images=sources, paint=paint, out=out, job=job, **how)


def look_apply(params: Params, job: Job) -> dict[str, Any]:
    """Paint a shot's frames, or images, in a look."""
    on_images = params.has("images")
    images = params.paths("images") if on_images else []
    folder = None if on_images else params.path("shot")
    frames = None if on_images else params.frame_range("frames")
    tile = None if on_images else params.optional_integer("tile", minimum=64)
    look, out = params.path("look"), params.path("out")
    params.finish()
    from .look.apply import apply_shot
    from .look.textures import apply_images
    from .shot import Shot

    shot = Shot.open(folder) if folder else None
    check_room(out)
    if shot is None:
        return apply_images(images=images, look=look, out=out, job=job)
    with _one_by_one(out, "frame"):
        return apply_shot(shot=shot, look=look, out=out, frames=frames, tile=tile, job=job)


def look_suggest(params: Params, job: Job) -> dict[str, Any]:
    """Which frame to paint next: the one whose passes are least covered by what is painted."""
    folder, painted = params.path("shot"), params.frames("painted")
    params.finish()
    from .look.suggest import suggest
    from .shot import Shot

    return suggest(shot=Shot.open(folder), painted=painted, job=job)


def look_paint(params: Params, job: Job) -> dict[str, Any]:
    """A first painted keyframe to refine, by a stroke renderer."""
    folder, out = params.path("shot"), params.path("out")
    frame, seed = params.integer("frame"), params.optional_integer("seed", minimum=0)
    params.finish()
    from .images import write_png
    from .shot import Shot
    from .strokes import rough_paint

    shot = Shot.open(folder)
    check_file(out)
    write_png(out, rough_paint(shot, frame, seed or 0, job))
    return {"painting": out}


def look_card(params: Params, job: Job) -> dict[str, Any]:
    """What a look file says of itself."""
    path = params.path("look")
    params.finish()
    from .look.file import LookFile

    return dict(LookFile.open(path).card)


def look_check(params: Params, job: Job) -> dict[str, Any]:
    """Whether a look can be given to what a view shows, for those who are about to render that for hours."""
    path, view = params.path("look"), params.anything("view")
    params.finish()
    from .colour import View
    from .look.apply import check
    from .look.file import LookFile

    look = LookFile.open(path)
    check(look)
    look.generator()
    View.from_json(view).check()
    return {}


def effect_simulate(params: Params, job: Job) -> dict[str, Any]:
    """Make a training set: fine simulations, seen from several sides, with what coarse ones would have shown."""
    kind, out = params.text("kind"), params.path("out")
    recipe, seed = params.optional_text("recipe"), params.optional_integer("seed", minimum=0)
    sims = params.optional_integer("sims", minimum=1)
    params.finish()
    from .effect.dataset import simulate

    check_room(out)
    with _one_by_one(out, "simulation"):
        return simulate(kind, out, job, recipe, seed or 0, sims)


def effect_controls(params: Params, job: Job) -> dict[str, Any]:
    """What can be turned on an effect: a panel's table."""
    kind = params.text("kind")
    params.finish()
    from .effect.panel import described

    return described(kind)


def effect_render(params: Params, job: Job) -> dict[str, Any]:
    """Render fire, smoke, an explosion or water as frames."""
    kind, out = params.text("kind"), params.path("out")
    frames, start = params.optional_integer("frames"), params.optional_integer("start")
    seed, loop = params.optional_integer("seed", minimum=0), params.switch("loop")
    picture, controls, emitter = (params.anything(name) for name in ("size", "controls", "emitter"))
    fps, tile = params.optional_positive("fps"), params.optional_integer("tile", minimum=64)
    weights, baked = params.optional_path("weights"), params.anything("vdb")
    textures = params.switch("textures")
    params.finish()
    from .effect.panel import WATER, check_kind

    check_kind(kind)
    check_room(out)
    with _one_by_one(out, "frame"):
        if kind in WATER:
            from .effect.water.render import render as render_water

            for name, given in (("emitter", emitter), ("weights", weights), ("tile", tile), ("vdb", baked)):
                if given is not None:
                    raise UsageError(f"Water takes no {name}.", parameter=name)
            return render_water(
                kind=kind,
                out=out,
                job=job,
                frames=frames,
                picture=picture,
                seed=seed,
                controls=controls,
                start=1 if start is None else start,
                fps=fps,
                textures=textures,
            )
        if textures:
            raise UsageError("Only water has textures.", parameter="textures")
        from .effect.render import render

        return render(
            kind=kind,
            out=out,
            job=job,
            frames=frames,
            picture=picture,
            seed=seed,
            loop=loop,
            controls=controls,
            emitter=emitter,
            start=start,
            fps=fps,
            tile=tile,
            weights=weights,
            baked=baked,
        )


def effect_preview(params: Params, job: Job) -> dict[str, Any]:
    """A first look at an effect at one frame: a small PNG, within about a second."""
    kind, out = params.text("kind"), params.path("out")
    frame, start = params.optional_integer("frame"), params.optional_integer("start")
    seed, picture = params.optional_integer("seed", minimum=0), params.anything("size")
    controls, emitter, baked = (params.anything(name) for name in ("controls", "emitter", "vdb"))
    params.finish()
    from .effect.panel import check_kind
    from .effect.preview import preview

    check_kind(kind)
    check_file(out)
    return preview(
        kind=kind,
        out=out,
        job=job,
        frame=frame,
        start=start,
        picture=picture,
        seed=seed,
        controls=controls,
        emitter=emitter,
        baked=baked,
    )


def _of_frames(params: Params) -> dict[str, Any]:
    """Which frames of an effect, how fast, and what to make of them: what all takes that is made of rendered frames."""
    from .effect.frames import FPS

    return {
        "folder": params.path("frames"),
        "name": params.optional_text("name"),
        "fps": params.optional_positive("fps") or FPS,
        "out": params.path("out"),
    }


def effect_flipbook(params: Params, job: Job) -> dict[str, Any]:
    """Lay the frames of a folder out in an atlas, as game engines take them."""
    frames = _of_frames(params)
    rows, columns = params.integer("rows", minimum=1), params.integer("columns", minimum=1)
    cell, movie = params.optional_integer("cell", minimum=8), params.optional_path("movie")
    params.finish()
    from .effect.flipbook import flipbook

    check_file(frames["out"])
    return flipbook(rows=rows, columns=columns, cell=cell, movie=movie, job=job, **frames)


def effect_movie(params: Params, job: Job) -> dict[str, Any]:
    """Make a picture that moves of the frames of a folder."""
    frames, width = _of_frames(params), params.optional_integer("width", minimum=8)
    params.finish()
    from .effect.movie import movie

    check_file(frames["out"])
    return movie(width=width, job=job, **frames)


def effect_train(params: Params, job: Job) -> dict[str, Any]:
    """Learn an effect from simulations."""
    kind, data, out = params.text("kind"), params.path("data"), params.path("out")
    recipe, begin, how = params.optional_text("recipe"), params.optional_path("begin"), _of_a_training(params)
    params.finish()
    if begin and how["resume"]:
        raise UsageError("effect.train goes on, or begins from other weights, not both.")
    from .effect.train import train

    check_file(out, TRAINED_BYTES)
    with _all_or_nothing(out):
        return train(kind=kind, data=data, out=out, recipe=recipe, begin=begin, job=job, **how)


VERBS: Mapping[str, Verb] = {
    "info": info,
    "shot.check": shot_check,
    "look.train": look_train,
    "look.apply": look_apply,
    "look.suggest": look_suggest,
    "look.paint": look_paint,
    "look.card": look_card,
    "look.check": look_check,
    "effect.simulate": effect_simulate,
    "effect.controls": effect_controls,
    "effect.render": effect_render,
    "effect.preview": effect_preview,
    "effect.flipbook": effect_flipbook,
    "effect.movie": effect_movie,
    "effect.train": effect_train,
}
