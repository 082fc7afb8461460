"""``effect.render``: fire, smoke and explosions as frames, from a coarse simulation and a generator's detail."""

import hashlib
import json
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes
from torch import Tensor

from .. import images as pictures
from ..beside import write_whole
from ..errors import EffectError, OutputError, UsageError
from ..images import HalfImage, as_half
from ..job import Job
from ..machine import one_ahead
from . import mantaflow
from .carry import LIFE
from .coarse import Coarse, Take, View, cells
from .controls import ONCE, Value
from .detail import Detail, Model
from .frames import FPS, FRAMES, SIZE, check_count, with_seed
from .model_file import EffectFile
from .physics import number
from .projection import CHANNELS
from .request import Animated, animated, check_reach, size, source
from .shade import Shading, brightness, fading, shade
from .simulation import Effect

FORMAT = 7
LEAST_LOOP = 8  # frames
LEAD = int(LIFE)  # frames that a loop is drawn before its first: by then what is carried has settled
SETTLING = 2  # how often the first of other frames is drawn before: what comes of nothing is stiff
KEEP_EVERY = 20.0  # seconds after which a run that is killed goes on where it was
COARSE_SHARE = 0.3  # of a run's time that goes into the coarse simulation


@dataclass(frozen=True)
class Bake:
    """One effect to be rendered into a folder. ``size``: width and height in pixels. ``start``: the first frame's
    number; frames are counted from 0.
    """

    take: Coarse
    start: int
    size: tuple[int, int]
    out: Path
    model: Model
    recipe: str
    tile: int | None = None

    @property
    def kind(self) -> str:
        return self.take.kind

    @property
    def factor(self) -> int:
        return self.model.generator.config.factor

    @property
    def small(self) -> tuple[int, int]:
        """Height and width of the coarse pictures: enlarged they cover the frame."""
        width, height = self.size
        return -(-height // self.factor), -(-width // self.factor)

    def values(self, frame: int) -> dict[str, Value]:
        """The controls at a frame; before a loop's first comes its last, otherwise the first itself."""
        return self.take.values(frame % self.take.frames if self.take.loop else max(frame, 0))

    def path(self, frame: int) -> Path:
        """Of a frame counted from 0."""
        return self.out / f"{self.kind}_{self.start + frame:04}.exr"

    def is_current(self, frame: int) -> bool:
        """Whether the frame is there, whole, and made by the same request and weights."""
        path = self.path(frame)
        return pictures.recipe(path) == self.recipe and pictures.is_whole(path)


def render(
    *,
    kind: str,
    out: Path,
    job: Job,
    frames: int | None = None,
    picture: object = None,
    seed: int | None = None,
    loop: bool = False,
    controls: object = None,
    emitter: object = None,
    start: int | None = None,
    fps: float | None = None,
    tile: int | None = None,
    weights: Path | None = None,
    baked: object = None,
) -> dict[str, Any]:
    """Render ``kind`` as ``out``/KIND_####.exr: half-float, premultiplied, scene-linear RGBA, with further layers.

    ``depth``: m from the front of the box. ``vector``: as Blender's Vector pass. ``temperature``: K. ``density``:
    optical depth. The colour fades toward the edges, see ``shade.fading``. ``picture``: its size, [width, height].
    ``controls``: {name: value or [[frame, value], ...]}. ``emitter``: see ``request.source``. ``weights``: a file of
    one's own training, instead of those that come with Paintover. ``baked``: see ``mantaflow.opened``; it takes the
    place of the simulation. Frames of this request that are there and whole are kept.

    The result's ``brightness`` is the mean linear luminance, one number for each frame, of the light that the effect
    itself gives off; ``box``: how wide, high and deep, in metres, what the first frame shows is. Raises ``UsageError``
    for what cannot be meant, ``EffectError`` for what cannot be made.
    """
    keyed = animated(kind, with_seed(controls, seed))
    pixels = None if picture is None else size(picture)
    take: Coarse
    if baked is None:
        pixels, first = pixels or (SIZE, SIZE), 1 if start is None else start
        take, told = _simulated(keyed, frames, pixels, loop, emitter, first, fps or FPS)
    else:
        for name, given in (("emitter", emitter is not None), ("loop", loop)):
            if given:
                raise UsageError(f"What was baked takes no {name}.", parameter=name)
        take = found = mantaflow.opened(baked, keyed, frames, start, fps or FPS)
        pixels, first, told = pixels or found.picture(SIZE), found.start, found.digest()
    model = Model.of(EffectFile.open(weights) if weights else EffectFile.shipped(kind))
    if model.kind != kind:
        raise EffectError(f"{weights} was trained on {model.kind}, not on {kind}.", "Choose other weights.")
    wanted = [FORMAT, keyed.as_json(), told, pixels, take.fps, first, model.sha256]
    recipe = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()
    bake = Bake(take, first, pixels, out, model, recipe, tile)
    numbers = range(bake.take.frames)
    todo = []
    for frame in numbers:
        job.check()
        if not bake.is_current(frame):
            todo.append(frame)
    height = number(take.values(0)["size"])
    started = time.monotonic()
    written = [str(path) for path in _Run(bake, todo, job).paths()] if todo else []
    return {
        "folder": str(out),
        "pattern": str(out / f"{kind}_####.exr"),
        "written": sorted(written),
        "skipped": [bake.start + frame for frame in numbers if frame not in todo],
        "size": list(bake.size),
        "fps": bake.take.fps,
        "loop": loop,
        "box": [height * pixels[0] / pixels[1], height, height * take.deep(pixels)],
        "brightness": [pictures.fact(bake.path(frame), "brightness") for frame in numbers],
        "seconds_per_frame": (time.monotonic() - started) / max(len(written), 1),
    }


def _simulated(
    keyed: Animated,
    frames: int | None,
    pixels: tuple[int, int],
    loop: bool,
    emitter: object,
    start: int,
    fps: float,
) -> tuple[Take, str]:
    """What is to be simulated, and what tells it from others beside the controls."""
    if loop and keyed.kind == ONCE:
        raise UsageError(f"A loop has no beginning, and so shows no {keyed.kind}.", "Render it without a loop.")
    count = FRAMES if frames is None else frames
    check_count(count)
    if loop and count < LEAST_LOOP:
        raise UsageError(f"{count} frames are too few for a loop.", f"Choose {LEAST_LOOP} or more.")
    come = source(keyed.kind, emitter)
    check_reach(come, cells(*pixels))
    effect = Effect(keyed.kind, lambda frame: keyed.values(start + frame), come.at)
    shape = {name: value for name, value in emitter.items() if name != "picture"} if isinstance(emitter, dict) else None
    return Take(effect, count, fps, loop), json.dumps([shape, come.digest(), loop and count], sort_keys=True)


class _Run:
    """Draws the frames of a bake in their order; those that are not ``todo`` are gone through, not written.

    What a frame takes from the one before is kept in a hidden file when a run ends early, and now and then, so that the
    next run need not draw again what is there, and makes the same bytes as one that never stopped.
    """

    def __init__(self, bake: Bake, todo: list[int], job: Job) -> None:
        self.bake, self.todo, self.job = bake, todo, job
        self.first = -LEAD if bake.take.loop else -SETTLING
        self._memory = _Memory(bake.out / f".{bake.kind}.carried.safetensors", bake.recipe)
        period = bake.take.frames if bake.take.loop else None
        seed = int(number(bake.take.values(0)["seed"]))
        self._detail = Detail(bake.model, seed, bake.small, period, self.first, bake.tile, job.check)

    def paths(self) -> Iterator[Path]:
        """Yields the files as they are written."""
        known, kept = self._memory.read()
        resume = known if known is not None and self.first <= known < min(self.todo) else self.first - 1
        settled: tuple[int, Tensor | None] = (resume, None)
        started = saved = time.monotonic()
        done = 0
        with ThreadPoolExecutor(1) as writer:
            writing: Future[Path] | None = None
            try:
                for frame, view in self._views():
                    height = number(self.bake.values(frame)["size"])
                    if frame <= resume:
                        self._detail.skip(view.picture, height, kept if frame == resume else None)
                        self.job.check()
                        continue
                    fine = self._detail.draw(view.picture, height)
                    if frame in self.todo:
                        finished = self._finished(frame, fine, view, height)
                        if writing:
                            yield writing.result()
                        self.job.check()
                        writing = writer.submit(self._write, frame, finished)
                        done += 1
                    settled = frame, self._detail.last
                    if frame in self.todo:
                        self._tell(frame, done, started)
                    if time.monotonic() - saved > KEEP_EVERY:
                        self._memory.write(*settled)
                        saved = time.monotonic()
                    if frame == max(self.todo):
                        break
                if writing:
                    yield writing.result()
            except BaseException:
                with suppress(OutputError):
                    self._memory.write(*settled)
                raise
        self._memory.forget()

    def _views(self) -> Iterator[tuple[int, View]]:
        """Coarse frames in the order in which they are drawn, a loop's last ones first."""
        take = self.bake.take
        views = take.shown(self.bake.size, self.bake.small[0], self.job)
        if not take.loop:
            for frame, view in one_ahead(views):
                for drawn in range(self.first if frame == 0 else frame, frame + 1):
                    yield drawn, view
            return
        found: dict[int, View] = {}
        for frame, view in views:
            found[frame] = view
            self.job.progress(COARSE_SHARE * len(found) / take.frames, "Simulating", frame=self.bake.start + frame)
        for frame in range(self.first, take.frames):
            yield frame, found[frame % take.frames]

    def _tell(self, frame: int, done: int, started: float) -> None:
        rate = done / max(time.monotonic() - started, 1e-9)
        before = COARSE_SHARE if self.bake.take.loop else 0.0
        self.job.progress(
            before + (1 - before) * done / len(self.todo),
            f"Rendered {self.bake.path(frame).name}",
            path=str(self.bake.path(frame)),
            frame=self.bake.start + frame,
            rate=rate,
            remaining=(len(self.todo) - done) / rate,
        )

    def _finished(self, frame: int, fine: Tensor, view: View, height: float) -> "_Finished":
        """A frame of the bake's size, which stands on the lower edge."""
        width, rows = self.bake.size
        shading = Shading.of(self.bake.kind, self.bake.values(frame))
        left = (fine.shape[3] - width) // 2
        fine = fine.cpu()
        shaded = shade(fine, view.lit.resized(self.bake.small), shading, self.bake.factor, height)
        part = (0, slice(None), slice(fine.shape[2] - rows, None), slice(left, left + width))
        rgba = shaded[part] * fading(fine[part][CHANNELS.index("optical_depth")], self.bake.kind)
        if not bool(rgba.isfinite().all() and fine[part].isfinite().all()):
            raise EffectError(
                f"Frame {self.bake.start + frame} came out with values that are no numbers.",
                "Bring the controls nearer to their defaults, and report it: this should not happen.",
            )
        light = brightness(fine[part][None], shading)
        return _Finished(as_half(rgba.permute(1, 2, 0).numpy()), layers_of(fine[part]), light)

    def _write(self, frame: int, finished: "_Finished") -> Path:
        path = self.bake.path(frame)
        facts = {"brightness": finished.brightness}
        pictures.write_exr(path, finished.rgba, finished.layers, self.bake.recipe, facts)
        return path


@dataclass(frozen=True)
class _Finished:
    """A frame to be written: RGBA (H, W, 4), the other layers, and what ``shade.brightness`` says."""

    rgba: HalfImage
    layers: dict[str, HalfImage]
    brightness: float


def layers_of(fine: Tensor) -> dict[str, HalfImage]:
    """The layers beside the colour, of a picture (8, H, W)."""
    plane = dict(zip(CHANNELS, fine, strict=True))
    x, y = plane["velocity_x"], plane["velocity_y"]
    vector = torch.stack((-x, y, -x, y), 2)  # Blender's: y upward, from where it was and to where it goes
    found = {"depth": plane["depth"], "vector": vector, "temperature": plane["temperature"]}
    return {name: as_half(layer.numpy()) for name, layer in (found | {"density": plane["optical_depth"]}).items()}


@dataclass(frozen=True)
class _Memory:
    """The hidden file in which a run leaves what its next frame needs. One of another request is as good as none."""

    path: Path
    recipe: str

    def read(self) -> tuple[int | None, Tensor | None]:
        """The frame after which to go on, and what was drawn there."""
        if not self.path.is_file():
            return None, None
        try:
            found = from_bytes(self.path.read_bytes())
            if bytes(found["recipe"].tolist()).decode() != self.recipe:
                return None, None
            return int(found["frame"]), found["fine"]
        except (SafetensorError, KeyError, ValueError):
            return None, None

    def write(self, frame: int, fine: Tensor | None) -> None:
        """Nothing where nothing was drawn."""
        if fine is None:
            return
        recipe = torch.tensor(list(self.recipe.encode()), dtype=torch.uint8)
        data = to_bytes({"frame": torch.tensor(frame), "fine": fine.cpu().contiguous(), "recipe": recipe})
        write_whole(self.path, data)

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)
