"""Apply a look: a shot in the painting's style, outward from the painted frames; or images one by one."""

import hashlib
import json
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import images as pictures
from ..errors import LookMismatchError, UsageError
from ..images import HALF_MAX
from ..job import Job
from ..learning import device
from ..shot import Shot
from . import guides
from .carry import Source, StyledFrame, history
from .file import LookFile
from .generator import CELL, MARGIN, LookGenerator
from .guides import Encoding
from .journey import Journey, Stop, key_frames
from .model import padded
from .reader import Reader, stamp

LARGEST = 3_000_000  # pixels that the network is given at once; larger frames go in tiles
TILE = 1536


def paint(network: LookGenerator, guide: Tensor, position: Tensor, history: Tensor, tile: int | None = None) -> Tensor:
    """(channels, H, W) inputs of any size to display colours (3, H, W), in tiles of ``tile`` pixels with no seam.

    Inputs and result are in the processor's memory, whatever device the network is on.
    """
    where = network.low.device
    height, width = guide.shape[1:]
    if tile is None:
        tile = max(height, width) if height * width <= LARGEST else TILE
    tile = -(-tile // CELL) * CELL
    result = torch.empty(height, width, 3).permute(2, 0, 1)
    with torch.inference_mode():
        for top in range(0, height, tile):
            for left in range(0, width, tile):
                bottom, right = min(top + tile, height), min(left + tile, width)
                above, before = max(top - MARGIN, 0), max(left - MARGIN, 0)
                inputs = (
                    padded(plane[:, above : bottom + MARGIN, before : right + MARGIN])[None].to(where)
                    for plane in (guide, position, history)
                )
                painted = network(*inputs)[0]
                result[:, top:bottom, left:right] = painted[
                    :, top - above : bottom - above, left - before : right - before
                ]
    return result


class Styler:
    """Paints one frame after the other of a shot, each knowing what the painting and the last output say of it.

    While a frame is painted the next one is read and the last one is written. For one run at a time.
    """

    def __init__(self, shot: Shot, look: LookFile, out: Path, tile: int | None) -> None:
        _check(look)
        self.shot, self.out, self.tile = shot, out, tile
        self.network = look.generator().to(device.chosen())
        self.encoding = Encoding.from_json(look.card["encoding"])
        self.recipe = _recipe(look, shot)
        self.reader = Reader(shot, self.encoding)
        numbers = [key["frame"] for key in look.card["keyframes"]]
        self._keys_to_come = set(numbers).difference(shot.frames)
        for number in set(numbers).intersection(shot.frames):
            self.reader.saw(number)
        self.journey = Journey(key_frames(shot, look), self.reader.motion)
        self._last: StyledFrame | None = None

    def path(self, number: int) -> Path:
        return self.out / self.shot.path(number).name

    def can_go_on(self, shot: Shot) -> bool:
        """Whether ``shot`` is still the one that all that is kept here was computed from, further frames aside."""
        return self._keys_to_come.isdisjoint(shot.frames) and self.reader.holds(shot)

    def is_current(self, number: int) -> bool:
        """Whether the frame is there, whole, made by this look through this view, and newer than its render."""
        path, render = self.path(number), self.shot.path(number)
        return (
            path.is_file()
            and render.stat().st_mtime_ns <= path.stat().st_mtime_ns
            and pictures.recipe(path) == self.recipe
            and pictures.is_whole(path)
        )

    def run(self, numbers: list[int], job: Job) -> Iterator[Path]:
        """Style the frames ``numbers`` of ``shot``; yields their files."""
        self.reader.expect(self.shot, numbers)
        with ThreadPoolExecutor(1) as writer:
            writing: Future[Path] | None = None
            for stop in self.journey.through(self.shot, numbers, job):
                rgba = self._style(stop)
                if writing:
                    yield writing.result()
                job.check()
                writing = writer.submit(self._write, self.path(stop.number), rgba)
            if writing:
                yield writing.result()

    def _style(self, stop: Stop) -> NDArray[np.float32]:
        frame = self.reader.frame(stop.number)
        picture = paint(
            self.network,
            frame.guides,
            guides.positions(stop.rest.rest, frame.depth, self.encoding),
            history(stop.paintings, self._last_output(stop), frame),
            self.tile,
        )
        linear = self.shot.view.from_display(np.ascontiguousarray(picture.permute(1, 2, 0).numpy()))
        alpha = frame.alpha.permute(1, 2, 0).numpy()
        half = np.concatenate([linear * alpha, alpha], 2).clip(-HALF_MAX, HALF_MAX).astype(np.float16)
        rgba: NDArray[np.float32] = half.astype(np.float32)
        self._last = StyledFrame.made(frame.number, frame.display, self._display(rgba))
        return rgba

    def _last_output(self, stop: Stop) -> Source | None:
        """The output on the side that the journey comes from: kept from just now, or read from its file."""
        if stop.neighbour is None:
            return None
        number, track = stop.neighbour
        if self._last is None or self._last.number != number:
            if not self.is_current(number):  # an earlier look's frame says nothing of this one
                return None
            made = self._display(pictures.read_exr(self.path(number)))
            self._last = StyledFrame.made(number, guides.read_display(self.shot, number), made)
        return Source(1.0, self._last, track)

    def _display(self, rgba: NDArray[np.float32]) -> Tensor:
        """Display colours of a frame as its file has them, so that a run that went on equals one that never stopped."""
        return guides.planes(self.shot.view.to_display(guides.unpremultiplied(rgba)))

    def _write(self, path: Path, rgba: NDArray[np.float32]) -> Path:
        pictures.write_exr(path, rgba, recipe=self.recipe)
        return path


def _recipe(look: LookFile, shot: Shot) -> str:
    """What a frame is made by, besides its render: a hash of the look and of the view that it is painted for."""
    view = shot.view.as_json() | {"config": ""}  # Blender may be installed elsewhere on the next machine
    made_by = json.dumps([look.card["sha256"], look.card["encoding"], view], sort_keys=True)
    return hashlib.sha256(made_by.encode()).hexdigest()


_recent: tuple[tuple[object, ...], Styler] | None = None


def apply_shot(
    *,
    shot: Shot,
    look: Path,
    out: Path,
    job: Job,
    frames: tuple[int, int] | None = None,
    tile: int | None = None,
) -> dict[str, Any]:
    """Style ``frames`` (first and last, inclusive; all without) of ``shot`` into ``out``.

    Frames that are there and whole are not made again, unless their render is newer, or another look or view made
    them. A styler that ended well is kept for the next call: while Blender renders, frames come one by one.
    """
    global _recent
    wanted = shot.select(*frames) if frames else shot.frames
    if not look.is_file():
        LookFile.open(look)  # says so
    key = (shot.folder, look, stamp(look), out, tile, shot.view, shot.width, shot.height)
    known, _recent = _recent, None  # nobody else has it meanwhile, and what fails is not used again
    if known and known[0] == key and known[1].can_go_on(shot):
        styler = known[1]
        styler.shot = shot  # there may be more frames now
    else:
        styler = Styler(shot, LookFile.open(look), out, tile)
    todo = [number for number in wanted if not styler.is_current(number)]
    written: list[Path] = []
    started = time.monotonic()
    for path in styler.run(todo, job):
        written.append(path)
        rate = len(written) / (time.monotonic() - started)
        job.progress(
            len(written) / len(todo),
            f"Styled {path.name}",
            path=str(path),
            rate=rate,
            remaining=(len(todo) - len(written)) / rate,
        )
    _recent = key, styler
    seconds = time.monotonic() - started
    return {
        "written": [str(path) for path in sorted(written)],
        "skipped": [number for number in wanted if number not in todo],
        "seconds_per_frame": seconds / max(len(written), 1),
    }


def _check(look: LookFile) -> None:
    if look.card["family"] != "shot":
        raise LookMismatchError(
            "This look was trained on images, by colour alone: it has never seen passes.",
            "Apply it to images, or train a look on a painted frame of this shot.",
        )
    expected = list(guides.PASSES)
    if look.card["passes"] != expected:
        raise LookMismatchError(
            f"This look needs the passes {', '.join(look.card['passes'])}; this Paintover gives {', '.join(expected)}.",
            "Train the look again with this version.",
        )


def apply_images(*, images: Iterable[Path], look: Path, out: Path, job: Job) -> dict[str, Any]:
    """Style images with a look of colour alone, into PNGs of the same names in ``out``. Tileable stays tileable.

    ``UsageError`` where a result would take the place of another, or of an image that is read.
    """
    file = LookFile.open(look)
    if file.card["family"] != "colour":
        raise LookMismatchError(
            "This look is guided by a render's passes, which an image does not have.",
            "Train a look on a painted image for this, or apply it to a shot.",
        )
    network = file.generator().to(device.chosen())
    sources = list(images)
    targets = _targets(sources, out)
    for done, (source, target) in enumerate(zip(sources, targets, strict=True)):
        job.progress(done / len(sources), source.name)
        pixels = pictures.read_painting(source)
        colour = guides.planes(pixels[..., :3]) / 255 * 2 - 1
        tall, wide = colour.shape[1:]
        edge = (_repeats(colour.transpose(1, 2)), _repeats(colour))
        surrounded = _surrounded(colour, edge)
        nothing = torch.zeros(4, *surrounded.shape[1:])
        painted = paint(network, surrounded, nothing, nothing)[:, MARGIN : MARGIN + tall, MARGIN : MARGIN + wide]
        styled = (painted.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
        pictures.write_png(target, np.concatenate([styled, pixels[..., 3:]], 2))
    return {"written": [str(target) for target in targets]}


def _targets(sources: list[Path], out: Path) -> list[Path]:
    """Where the results go: NAME.png, or NAME.EXTENSION.png where images differ by their extension alone."""
    stems = [source.stem for source in sources]
    targets = [out / f"{source.name if stems.count(source.stem) > 1 else source.stem}.png" for source in sources]
    taken = {source.resolve() for source in sources}
    for target in targets:
        if targets.count(target) > 1:
            raise UsageError(
                f"Several of the images would become {target.name}.", "Style them one by one, into different folders."
            )
        if target.resolve() in taken:
            raise UsageError(f"{target} is one of the images: it would be lost.", "Choose another output folder.")
    return targets


def _repeats(picture: Tensor) -> bool:
    """Whether (C, H, W) goes on at its left edge where it ends at the right: the jump is like any between columns."""
    jump = (picture[:, :, 0] - picture[:, :, -1]).abs().mean()
    return bool(jump <= 1.5 * (picture[:, :, 1:] - picture[:, :, :-1]).abs().mean() + 1e-3)


def _surrounded(picture: Tensor, repeats: tuple[bool, bool]) -> Tensor:
    """(C, H, W) with MARGIN pixels around: what the repetition shows there, or the edge drawn out."""
    around = picture
    for axis, again in zip((1, 2), repeats, strict=True):
        size = picture.shape[axis]
        index = torch.arange(-MARGIN, size + MARGIN)
        index = index % size if again else index.clamp(0, size - 1)
        around = around.index_select(axis, index)
    return around
