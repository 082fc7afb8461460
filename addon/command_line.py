"""``blender shot.blend --command paintover VERB ...``: the artist's buttons, for machines without a window.

Progress and results go to stdout, errors to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 cancelled.
"""

import argparse
import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import bpy

from . import capture, jobs, paths, properties, shot_card, status
from .backend.arguments import frame_range, painted_frame
from .backend.errors import (
    DONE,
    WRONG_USAGE,
    Cancelled,
    EffectError,
    FrameRangeError,
    PaintoverError,
    ShotError,
    UsageError,
)
from .effect.properties import in_scene, of
from .final import output_folder
from .operators.apply import apply_look, check_look, missed
from .operators.compositor import compositor_insert, final_frames
from .operators.effects import effect_bake
from .operators.keyframes import keyframe_rough_paint, keyframe_suggest, set_painting
from .operators.passes import enable_passes, render_passes
from .operators.train import not_painted, train_look

Frames = tuple[int, int]


def whole_number(text: str) -> int:
    """A count that is at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no whole number above 0")
    return int(text)


def _work_on(scene: bpy.types.Scene, frames: Frames | None) -> Frames:
    """Name ``frames``, or the scene's own range, as those to work on."""
    first, last = frames or (scene.frame_start, scene.frame_end)
    if first < 0:
        raise FrameRangeError(f"Blender renders no frames below 0: {first} to {last} was asked for.", "Choose others.")
    settings = properties.of(scene)
    settings.range, settings.frame_start, settings.frame_end = "RANGE", first, last
    return first, last


def _stale(scene: bpy.types.Scene, first: int, last: int) -> list[int]:
    """The frames whose passes are not whole on disk, are another .blend's, or are older than this one or a library
    that it links.
    """
    linked = [Path(bpy.path.abspath(library.filepath)) for library in bpy.data.libraries]
    blends = [Path(bpy.data.filepath), *(path for path in linked if path.is_file())]
    saved = max(path.stat().st_mtime for path in blends)
    rendered = shot_card.own_frames(scene)
    return [frame for frame in range(first, last + 1) if rendered.get(frame, 0.0) < saved]


def _check_own(scene: bpy.types.Scene, first: int, last: int) -> None:
    """Raises ShotError where another Blender has put frames of another .blend among this one's, meanwhile."""
    if foreign := shot_card.foreign_frames(scene, range(first, last + 1)):
        raise ShotError(
            f"The passes of frames {paths.spoken(foreign)} in {paths.places(scene).passes} are another .blend's, which"
            " was rendered at the same time.",
            "Rename the scene in one of them, and render both again.",
            frames=foreign,
        )


def passes(scene: bpy.types.Scene, options: argparse.Namespace) -> str:
    """Render the passes; those that are newer than the .blend are kept."""
    first, last = _work_on(scene, options.frames)
    for line in status.another_shot(scene):
        print(f"{line.text}. {line.remedy}", file=sys.stderr, flush=True)
    changed = enable_passes(scene)
    if changed:
        print(f"Switched for this run: {', '.join(changed)}", flush=True)
    wanted = list(range(first, last + 1)) if options.again else _stale(scene, first, last)
    for start, end in paths.runs(wanted):
        render_passes(scene, start, end, jobs.printer("Render Passes"))
    _check_own(scene, first, last)
    kept = last - first + 1 - len(wanted)
    return f"{len(wanted)} frames rendered, {kept} kept: {paths.places(scene).passes}"


def train(scene: bpy.types.Scene, options: argparse.Namespace) -> str:
    """Train the scene's look from its painted frames."""
    settings = properties.of(scene)
    for frame, painting in options.paint:
        set_painting(scene, frame, painting)
    if options.seconds is not None:
        settings.seconds = options.seconds
    if options.seed is not None:
        settings.seed = options.seed
    if options.out is not None:
        settings.look = str(options.out.absolute())
    value = train_look(scene, options.resume, jobs.printer("Train Look"))
    if warning := not_painted(value):
        print(f"{warning}.", file=sys.stderr, flush=True)
    return f"Trained {value['steps']} steps in {value['seconds']:.0f} seconds: {value['look']}"


def apply(scene: bpy.types.Scene, options: argparse.Namespace) -> str:
    """Give the look to rendered frames."""
    if options.look is not None:
        properties.of(scene).look = str(options.look.absolute())
    if options.frames is not None:
        _work_on(scene, options.frames)
    value = apply_look(scene, "RANGE" if options.frames else "ALL", jobs.printer("Apply Look"))
    if warning := missed(value):
        print(f"{warning}.", file=sys.stderr, flush=True)
    places = paths.places(scene)
    return f"{len(value['written'])} frames styled, {len(value['skipped'])} kept: {places.styled}"


def suggest(scene: bpy.types.Scene, _options: argparse.Namespace) -> str:
    """Name the frame to paint next."""
    return f"Paint frame {keyframe_suggest(scene, jobs.printer('Suggest Frame'))['frame']} next"


def paint(scene: bpy.types.Scene, options: argparse.Namespace) -> str:
    """Paint a frame roughly."""
    if options.frame is not None:
        scene.frame_set(options.frame)
    return str(keyframe_rough_paint(scene, jobs.printer("Rough Paint"))["painting"])


def render(scene: bpy.types.Scene, options: argparse.Namespace) -> str:
    """Passes, look, compositor, and final frames with the scene's own output settings."""
    properties.of(scene).look = str(options.look.absolute())
    check_look(scene)  # better known before hours of rendering, as the next
    folder = output_folder(scene)
    options.frames = first, last = _work_on(scene, options.frames)
    print(passes(scene, options), flush=True)
    print(apply(scene, options), flush=True)
    _check_own(scene, first, last)
    compositor_insert(scene)
    value = final_frames(scene, first, last, jobs.printer("Final Frames"))
    return f"{len(value['frames'])} final frames: {folder}"


def effects(scene: bpy.types.Scene, _options: argparse.Namespace) -> str:
    """Bake every effect that the scene holds. Saves the .blend where its cards and lights have changed."""
    found = in_scene(scene)
    if not found:
        raise EffectError("This scene holds no effects.", "Add one in Blender: Render > Paintover > Add Effect.")
    written = kept = 0
    changed = False
    for thing in found:
        shown = of(thing).shown
        value = effect_bake(scene, thing, jobs.printer(f"Bake {thing.name}"))
        written, kept = written + len(value["written"]), kept + len(value["skipped"])
        changed |= bool(value["written"]) or of(thing).shown != shown
    if changed:
        bpy.ops.wm.save_mainfile()
    return f"{len(found)} effects: {written} frames baked, {kept} kept: {paths.effects()}"


Verb = Callable[[bpy.types.Scene, argparse.Namespace], str]


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="blender FILE.blend --command paintover", description="Paint one frame, get the shot."
    )
    verbs = top.add_subparsers(required=True, metavar="VERB")

    def add(verb: Verb) -> argparse.ArgumentParser:
        description = (verb.__doc__ or "").strip()
        command: argparse.ArgumentParser = verbs.add_parser(verb.__name__, help=description, description=description)
        command.set_defaults(verb=verb)
        return command

    def add_frames(command: argparse.ArgumentParser) -> None:
        command.add_argument("--frames", metavar="A-B", type=frame_range, help="from A to B, both included")

    def add_again(command: argparse.ArgumentParser) -> None:
        command.add_argument("--again", action="store_true", help="render also what is there and newer than the .blend")

    command = add(render)
    command.add_argument("--look", metavar="LOOK", type=Path, required=True, help="the look to apply")
    add_frames(command)
    add_again(command)

    command = add(passes)
    add_frames(command)
    add_again(command)

    command = add(train)
    command.add_argument(
        "--paint", metavar="FRAME=IMAGE", type=painted_frame, action="append", default=[], help="a painted frame"
    )
    command.add_argument("--out", metavar="LOOK", type=Path, help="the look file to write")
    command.add_argument("--seconds", type=whole_number, help="how long to train")
    command.add_argument("--seed", type=int, help="same seed, same look")
    command.add_argument("--resume", action="store_true", help="go on where the training of this look ended")

    command = add(apply)
    command.add_argument("--look", metavar="LOOK", type=Path, help="the look to apply; the scene's own otherwise")
    add_frames(command)

    add(suggest)
    add(effects)
    command = add(paint)
    command.add_argument("--frame", type=int, help="the frame to paint; the current one otherwise")
    return top


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C, or a farm's polite end, cancel what is being waited for, or what would come next."""

    def cancel(_number: int, _frame: FrameType | None) -> None:
        print("Cancelling...", file=sys.stderr, flush=True)
        if jobs.session.waited_for is None:
            raise Cancelled("Cancelled.")
        jobs.cancel()

    before = {number: signal.signal(number, cancel) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            # None: Blender's own, set from C, which Python cannot put back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def main(arguments: list[str]) -> int:
    """Run one command on the open .blend; gives the exit code."""
    try:
        options = parser().parse_args(arguments)
    except SystemExit as wish:  # argparse has said what is wrong, or given help
        return WRONG_USAGE if wish.code else DONE
    try:
        if not bpy.data.filepath:
            raise UsageError("No .blend is open.", "Name one: blender FILE.blend --command paintover VERB ...")
        with _interruptible():
            capture.check_name(bpy.context.scene)
            print(options.verb(bpy.context.scene, options), flush=True)
    except PaintoverError as error:
        print(f"Error: {error}" if not isinstance(error, Cancelled) else str(error), file=sys.stderr, flush=True)
        return error.exit_code
    finally:
        jobs.close_backend()
    return DONE
