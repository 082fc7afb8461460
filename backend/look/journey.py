"""The order of frames: outward from the painted ones, so that what was painted flows to where it was not."""

import tempfile
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..beside import output_error
from ..colour import View
from ..job import Job
from ..motion import RestPose, Track
from ..shot import Shot
from . import guides
from .carry import Source, StyledFrame, Walk, towards, trust
from .file import LookFile
from .generator import SPARSE
from .guides import Motion
from .reprojection import Reprojection

MotionOf: TypeAlias = Callable[[int, int], Motion]

SAME_SHOT = 8 / 255  # mean difference of tiny pictures up to which a shot is the one that was painted on

LEAST_SHARE = 1e-3  # of the painting to come, on a painted frame itself: there it counts only where nothing is painted


@dataclass(frozen=True)
class Stop:
    """A frame on the way: the ``neighbour`` that comes before it and the track to that (None where the way begins), its
    ``rest`` pose at every ``SPARSE``-th pixel, as the network takes it, and the ``paintings`` that lie on it, with
    their shares of a cross-fade between key frames.
    """

    number: int
    neighbour: tuple[int, Track] | None
    rest: RestPose
    paintings: list[Source]


class Leg:
    """One way through the shot, frame by frame from ``start``, in a direction of +1 or -1."""

    def __init__(
        self, start: int, direction: int, keys: dict[int, StyledFrame], motion: MotionOf, scratch: Path
    ) -> None:
        self.start, self.direction = start, direction
        self._keys, self._motion, self._scratch = keys, motion, scratch
        self._walk = Walk(start, motion(start, direction), SPARSE)
        self._key: StyledFrame | None = None
        self._shown: Reprojection | None = None  # what the key frame shows
        self._coming: StyledFrame | None = None
        self._waiting: dict[int, int] = {}  # where the tracks begin in
        self._tracks: BinaryIO | None = None
        self._arrive()

    @property
    def number(self) -> int:
        return self._walk.number

    def step(self) -> None:
        """Go on to the next frame."""
        number = self.number + self.direction
        self._walk.step(number, self._motion(number, self.direction))
        if self._shown:
            self._shown.mend(self._walk)
        self._arrive()

    def _arrive(self) -> None:
        if self.number in self._keys:
            self._key = self._keys[self.number]
            self._walk.restart()
            self._shown = Reprojection(self._walk)
            self._coming = None

    def stop(self) -> Stop:
        walk = self._walk
        paintings = [Source(1.0, self._key, walk.track)] if self._key else []
        if self._key and self._coming:
            share = (self.number - self._key.number) / (self._coming.number - self._key.number)
            share = max(share, LEAST_SHARE)
            paintings = [
                Source(1 - share, self._key, walk.track),
                Source(share, self._coming, self._kept(self.number)),
            ]
        neighbour = (self.number - self.direction, walk.step_back) if walk.step_back else None
        return Stop(self.number, neighbour, walk.rest, paintings)

    def look_ahead(self, shot: Shot, job: Job) -> None:
        """At a key frame: walk back to here from the next one, so that the two paintings can cross-fade between.

        The tracks wait on disk, since the frames between two key frames may be many: in a file without a name, which
        is gone with the process. Raises OutputError.
        """
        ahead = [number for number in self._keys if number > self.number]
        if self.direction < 0 or not ahead or self.number not in self._keys:
            return
        coming = self._keys[min(ahead)]
        back = towards(shot, coming.number, self.number)
        if not back or back[-1] != self.number:
            return
        walk = Walk(coming.number, self._motion(coming.number, 0), SPARSE)
        shown = Reprojection(walk)
        tracks = self._emptied()
        for number in back:
            job.check()
            walk.step(number, self._motion(number, 0))
            shown.mend(walk)
            self._waiting[number] = tracks.tell()
            try:
                np.save(tracks, walk.track.flow.numpy())
                np.save(tracks, walk.track.valid.numpy() > 0)
                tracks.flush()
            except OSError as error:
                raise output_error(self._scratch, error) from error
        self._coming = coming

    def _emptied(self) -> BinaryIO:
        """The file of the tracks, with nothing in it."""
        self.close()
        try:
            self._scratch.mkdir(parents=True, exist_ok=True)
            tracks = self._tracks = tempfile.TemporaryFile(prefix=".paintover-", dir=self._scratch)  # noqa: SIM115
        except OSError as error:
            raise output_error(self._scratch, error) from error
        weakref.finalize(self, tracks.close)
        return tracks

    def close(self) -> None:
        """Let go of the tracks that wait, and of the disk that they take."""
        self._waiting.clear()
        if self._tracks is not None:
            self._tracks.close()

    @property
    def waits(self) -> bool:
        """Whether tracks wait for frames further on."""
        return any((number - self.number) * self.direction > 0 for number in self._waiting)

    def _kept(self, number: int) -> Track:
        """The track that ``look_ahead`` left for this frame."""
        assert self._tracks is not None
        self._tracks.seek(self._waiting[number])
        flow, valid = np.load(self._tracks), np.load(self._tracks)
        return Track(torch.from_numpy(flow), torch.from_numpy(valid).float())


class Journey:
    """All frames of a shot: each unbroken row of them from its first key frame forward, then backward from there.

    May be asked again for more frames. After an error it is of no more use.
    """

    def __init__(self, keys: list[StyledFrame], motion: MotionOf, scratch: Path) -> None:
        """``motion(number, onward)`` reads what motion needs of a frame, and may read more on the way. ``onward``: -1
        or 1, where the next stop lies, or 0 on a walk without stops. ``scratch``: a folder on a disk with room for the
        tracks between two key frames, some 9 bytes a pixel.
        """
        self.keys = {key.number: key for key in keys}
        self._motion, self._scratch = motion, scratch
        self._leg: Leg | None = None

    def through(self, shot: Shot, wanted: list[int], job: Job) -> Iterator[Stop]:
        """Stops at every one of the ``wanted`` frames; the frames between are walked through without a stop."""
        left = set(wanted)
        while left:
            start, direction = self._departure(shot, left)
            leg = self._leg
            beyond = leg is not None and all((number - leg.number) * direction > 0 for number in left)
            if leg is None or (leg.start, leg.direction) != (start, direction) or not beyond:
                self.close()
                leg = self._leg = Leg(start, direction, self.keys, self._motion, self._scratch)
                leg.look_ahead(shot, job)
                if start in left:
                    left.discard(start)
                    yield leg.stop()
            onward = [number for number in left if (number - leg.number) * direction > 0]
            end = max(onward, key=lambda number: number * direction, default=leg.number)
            for number in towards(shot, leg.number, end):
                job.check()
                leg.step()
                leg.look_ahead(shot, job)
                if number in left:
                    left.discard(number)
                    yield leg.stop()

    @property
    def waits(self) -> bool:
        """Whether tracks wait on disk for frames further on."""
        return self._leg is not None and self._leg.waits

    def close(self) -> None:
        """Let go of what waits on disk; the leg that it waits for cannot be gone on with."""
        if self._leg is not None:
            self._leg.close()

    def origin(self, shot: Shot, number: int) -> tuple[int, int, int | None]:
        """Where the way to a frame begins, the key frame passed last on it (or the beginning again), and the one that
        lies ahead: more frames may change them.
        """
        row = _row(shot, number)
        start, keys = self._start(row), row & self.keys.keys()
        last = max((key for key in keys if key <= number), default=start)
        return start, last, min((key for key in keys if key > number >= start), default=None)

    def _start(self, row: set[int]) -> int:
        """Of an unbroken row of frames: its first key frame or, where nothing is painted, its first frame, so that rest
        poses are the same whichever frames are asked for.
        """
        return min(row & self.keys.keys(), default=min(row))

    def _departure(self, shot: Shot, left: set[int]) -> tuple[int, int]:
        """Where to start from and in which direction, to come to frames that are ``left``: in the unbroken row of
        frames that holds the earliest of them.
        """
        row = _row(shot, min(left))
        start = self._start(row)
        return start, 1 if any(number >= start for number in row & left) else -1


def _row(shot: Shot, number: int) -> set[int]:
    """The unbroken row of frames that holds this one."""
    return {*towards(shot, number, shot.frames[0]), number, *towards(shot, number, shot.frames[-1])}


def key_frames(shot: Shot, look: LookFile, display_of: Callable[[int], Tensor]) -> list[StyledFrame]:
    """The look's key frames that are frames of this shot: only onto those may its paintings be laid, and they hold as
    far as the render is still what was painted over, in the view that the artist had then.

    ``display_of`` a frame is asked for the last of them first: the journey begins with the first.
    """
    view = replace(View.from_json(look.card["view"]), config=shot.view.config)
    found = []
    for key in sorted(look.card["keyframes"], key=itemgetter("frame"), reverse=True):
        number = key["frame"]
        if number not in shot.frames or key["size"] != [shot.width, shot.height]:
            continue
        display = display_of(number)
        same = display if view == shot.view else guides.read_display(shot, number, view)
        over, now = (guides.planes(picture) / 255 for picture in (look.renders[number], guides.in_bytes(same)))
        if float((_small(over) - _small(now)).abs().mean()) > SAME_SHOT:
            continue
        painted = StyledFrame.painted(number, over, guides.planes(look.paintings[number]) / 255)
        found.append(replace(painted, display=display, known=painted.known * trust(over, now)))
    return found


def _small(display: Tensor) -> Tensor:
    """A tiny grey picture of a frame (3, H, W): tells whether a shot is the one that was painted on."""
    return F.adaptive_avg_pool2d(display.mean(0, keepdim=True)[None], (6, 8))
