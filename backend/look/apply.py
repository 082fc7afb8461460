"""Apply a look to a shot: every frame in the painting's style, outward from the painted ones."""

import hashlib
import json
import time
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .. import images as pictures
from ..errors import LookMismatchError, UsageError
from ..images import HalfImage
from ..job import Job
from ..learning import device
from ..machine import in_chunks, one_ahead
from ..shot import Shot
from . import guides
from .carry import Laid, Source, StyledFrame, laid, with_last
from .file import LookFile
from .fill import Fill
from .generator import SPARSE
from .guides import Encoding, Frame
from .journey import Journey, Stop, key_frames
from .reader import Reader, Stamp, stamp
from .tiles import paint

FORMAT = 3  # counts up when the same look and passes give other pixels
KEPT = 0.6  # trust in carried paint from which on it begins to be kept as it is
STEADY = 0.7  # how much of its history stays in a picture where that can be trusted
AHEAD = 4_000_000  # pixels of a frame up to which those to come are read and prepared while this one is painted


@dataclass(frozen=True)
class Prepared:
    """All that can be known of a ``frame`` before the one before it is done: where it is on the journey, and the
    ``paintings`` on it.
    """

    stop: Stop
    frame: Frame
    paintings: Laid


class Styler:
    """Paints one frame after the other of a shot, each knowing what the painting and the last output say of it.

    While a frame is painted the one after the next is read, the next is prepared, and the last is written. For one run
    at a time.
    """

    def __init__(self, shot: Shot, look: LookFile, out: Path, tile: int | None) -> None:
        check(look)
        self.shot, self.out, self.tile = shot, out, tile
        self.network = look.painter()
        self.encoding = Encoding.from_json(look.card["encoding"])
        self._made_by = [FORMAT, look.card["sha256"], look.card["encoding"], shot.view.as_json() | {"config": ""}]
        self._ahead = shot.width * shot.height <= AHEAD
        self.reader = Reader(shot, self.encoding, self._ahead)
        numbers = [key["frame"] for key in look.card["keyframes"]]
        self._keys_to_come = set(numbers).difference(shot.frames)
        for number in set(numbers).intersection(shot.frames):
            self.reader.saw(number)
        self.journey = Journey(
            key_frames(shot, look, lambda number: self.reader.frame(number).display), self.reader.motion, out
        )
        self.dropped = sorted(set(numbers).intersection(shot.frames).difference(self.journey.keys))
        self._fills: dict[int, Fill] = {}
        self._last: StyledFrame | None = None

    def path(self, number: int) -> Path:
        return self.out / self.shot.path(number).name

    def can_go_on(self, shot: Shot) -> bool:
        """Whether ``shot`` is still the one that all that is kept here was computed from, further frames aside, and
        those do not close the way from here to another painted frame.
        """
        if not self._keys_to_come.isdisjoint(shot.frames) or not self.reader.holds(shot):
            return False
        last = self._last.number if self._last else None
        return last is None or self.journey.origin(shot, last) == self.journey.origin(self.shot, last)

    def is_current(self, number: int, wanted: Collection[int] = ()) -> bool:
        """Whether the frame is there, whole, and what would be made now, in a run of the frames ``wanted``: one that
        was made ``alone`` serves as long as the one before it is not among those.
        """
        path = self.path(number)
        if not path.is_file():
            return False
        render, start = stamp(self.shot.path(number)), self.journey.origin(self.shot, number)[0]
        before = number - (number > start) + (number < start)
        ways = (False,) if before in wanted else (False, True)
        made = pictures.recipe(path)
        return any(made == self._recipe(number, render, alone) for alone in ways) and pictures.is_whole(path)

    def is_unreached(self, number: int) -> bool:
        """Whether a gap or a cut keeps the frame from every painted one that is in the shot."""
        return bool(self.journey.keys) and self.journey.origin(self.shot, number)[0] not in self.journey.keys

    def _recipe(self, number: int, render: Stamp, alone: bool) -> str:
        """What a frame is made by: a hash of the look, the view that it is painted for (wherever Blender keeps that),
        the render as it was when it was read, the painted frames that it draws on, which may come later, and whether
        it was made ``alone``: knowing nothing of the frame before it, though there is one.
        """
        origin = self.journey.origin(self.shot, number)
        renders = [render, *(self.reader.seen(key) for key in origin if key in self.journey.keys)]
        made_by = [*self._made_by, origin, [(size, changed) for _, size, changed in renders], alone]
        return hashlib.sha256(json.dumps(made_by, sort_keys=True).encode()).hexdigest()

    def run(self, numbers: list[int], job: Job) -> Iterator[Path]:
        """Style the frames ``numbers`` of ``shot``; yields their files."""
        self.reader.expect(self.shot, numbers)
        with ThreadPoolExecutor(1) as writer, device.sharing(self._ahead):
            if numbers:  # what the first frame needs last takes seconds to prepare, once in a process
                writer.submit(self.shot.view.from_display, np.zeros((1, 1, 3), np.float32))
            writing: Future[Path] | None = None
            frames: Iterator[Prepared] = map(self._prepared, self.journey.through(self.shot, numbers, job))
            if self._ahead:
                frames = one_ahead(frames)
            # Nobody but the step that works on it holds what a step makes: it is large.
            for number, alone, rgba in map(self._styled, map(self._painted, frames)):
                if writing:
                    yield writing.result()
                job.check()
                recipe = self._recipe(number, self.reader.seen(number), alone)
                writing = writer.submit(self._write, self.path(number), rgba, recipe)
            if writing:
                yield writing.result()

    def _prepared(self, stop: Stop) -> Prepared:
        frame = self.reader.frame(stop.number)
        return Prepared(stop, frame, laid(stop.paintings, frame))

    def _painted(self, now: Prepared) -> tuple[Frame, bool, Tensor]:
        """The frame, whether it was painted alone, and its picture (4, H, W): display colours and straight alpha."""
        frame, last = now.frame, self._last_output(now.stop)
        alone = last is None and now.stop.neighbour is not None
        # What the artist painted is not for the network to change: it tints even what it means to keep.
        kept = ((now.paintings.history[3:] - KEPT) / (1 - KEPT)).clamp_(0, 1)
        known = with_last(now.paintings, last, frame)
        self._fill_holes(known, now.stop, frame)  # where they were, nothing is KEPT
        made = self._paint(frame, now.stop.rest.rest, known)
        picture = torch.empty_like(known)

        def work(chunk: slice) -> None:
            said, share, painted, result = (layer.flatten(1)[:, chunk] for layer in (known, kept, made, picture))
            # And what the network made a moment ago it makes a little differently each time, which flickers.
            torch.lerp(painted, said[:3], torch.maximum(share, STEADY * said[3:]), out=result[:3])
            result[3:] = frame.alpha.flatten(1)[:, chunk]

        in_chunks(work, frame.height * frame.width)
        return frame, alone, picture

    def _paint(self, frame: Frame, rest: guides.Array, history: Tensor) -> Tensor:
        def see(rows: slice, columns: slice) -> tuple[Tensor, Tensor]:
            return frame.guides(rows, columns), frame.positions(rest, rows, columns, SPARSE)

        return paint(self.network, history, see, self.tile)

    def _styled(self, painted: tuple[Frame, bool, Tensor]) -> tuple[int, bool, HalfImage]:
        """The frame's number, whether it was painted alone, and its picture (H, W, 4) as its file is to have it."""
        frame, alone, picture = painted
        made, shown = self.shot.view.from_display(picture.permute(1, 2, 0).numpy())
        self._last = StyledFrame.made(frame.number, frame.display, guides.planes(shown))
        return frame.number, alone, made

    def _fill_holes(self, known: Tensor, stop: Stop, frame: Frame) -> None:
        if stop.paintings:
            nearest = max(stop.paintings, key=lambda source: source.share)
            self._fill(nearest.frame, frame).complete(known, nearest.track, frame)

    def _fill(self, key: StyledFrame, now: Frame) -> Fill:
        if key.number not in self._fills:
            frame = now if now.number == key.number else self.reader.aside(key.number)
            guess = self._paint(frame, frame.motion.surface(SPARSE)[0], torch.zeros(4, frame.height, frame.width))
            self._fills[key.number] = Fill(key, frame, guess)
        return self._fills[key.number]

    def _last_output(self, stop: Stop) -> Source | None:
        """The output on the side that the journey comes from: kept from just now, or read from its file."""
        if stop.neighbour is None:
            return None
        number, track = stop.neighbour
        if self._last is None or self._last.number != number:
            if not self.is_current(number):  # an earlier look's frame says nothing of this one
                return None
            # As its file has it, so that a run that went on equals one that never stopped.
            shown = self.shot.view.shown(pictures.read_exr(self.path(number)))
            self._last = StyledFrame.made(number, guides.read_display(self.shot, number), guides.planes(shown))
        return Source(1.0, self._last, track)

    def _write(self, path: Path, rgba: HalfImage, recipe: str) -> Path:
        pictures.write_exr(path, rgba, recipe=recipe)
        return path


_recent: tuple[tuple[object, ...], Styler] | None = None


def apply_shot(
    *,
    shot: Shot,
    look: Path,
    out: Path,
    job: Job,
    frames: tuple[int, int] | None,
    tile: int | None,
) -> dict[str, Any]:
    """Style ``frames`` (first and last, inclusive; None: all) of ``shot`` into ``out``, in tiles of ``tile`` pixels
    (None: as fits).

    Frames that are there and whole are not made again, unless their render has changed, another look or view made them,
    a painted frame has come since or has changed whose paint is carried to them, or they were made without the frame
    before them, which is now made too. Told apart are those that are ``unreached``: no paint comes to them, since
    frames between them and the painted ones are missing, or another camera sees them; and the painted frames whose
    paintings are ``dropped``, since the frames of that number have another size or show something else. A styler that
    ended well is kept for the next call: while Blender renders, frames come one by one. Raises ``UsageError`` where it
    would write over the shot's own frames, and what reading the shot and the look and writing frames raise.
    """
    global _recent
    if out.resolve() == shot.folder.resolve():
        raise UsageError(f"{out} holds the shot's own frames: they would be lost.", "Choose another output folder.")
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
    todo = []
    for number in wanted:
        job.check()
        if not styler.is_current(number, wanted):
            todo.append(number)
    written: list[Path] = []
    started = time.monotonic()
    try:
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
        if not styler.journey.waits:
            _recent = key, styler
    finally:
        if _recent is None:
            styler.journey.close()
    seconds = time.monotonic() - started
    return {
        "written": [str(path) for path in sorted(written)],
        "skipped": [number for number in wanted if number not in todo],
        "unreached": [number for number in wanted if styler.is_unreached(number)],
        "dropped": styler.dropped,
        "seconds_per_frame": seconds / max(len(written), 1),
    }


def check(look: LookFile) -> None:
    """Raises LookMismatchError where a look is not for a shot's passes."""
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
