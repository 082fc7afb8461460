"""The order of frames: outward from the painted ones, so that what was painted flows to where it was not."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..job import Job
from ..motion import RestPose, Track
from ..shot import Shot
from . import guides
from .carry import KeyFrame, Walk, towards
from .file import LookFile
from .guides import Encoding

SAME_SHOT = 8.0  # of 255: mean difference of fingerprints up to which a shot is the one that was painted on


@dataclass(frozen=True)
class Stop:
    """A frame on the way: the ``neighbour`` that comes before it, its ``rest`` pose, and where the paintings lie on it.

    ``tracks``: (weight, key frame, track to it); the weights are those of a cross-fade between key frames.
    """

    number: int
    neighbour: int | None
    rest: RestPose
    tracks: list[tuple[float, KeyFrame, Track]]


class Journey:
    """All frames of a shot, from the first key frame forward and then backward."""

    def __init__(self, shot: Shot, keys: list[KeyFrame]) -> None:
        self.shot = shot
        self.keys = {key.number: key for key in keys}

    def through(self, wanted: list[int], job: Job) -> Iterator[Stop]:
        """Stops at every ``wanted`` frame; the frames between are walked through without a stop."""
        left = set(wanted)
        for start, end in self._legs(wanted):
            if not left:
                return
            for stop in self._walk(start, end, job):
                if stop.number in left:
                    left.discard(stop.number)
                    yield stop
        # Frames that no row of frames joins to a painted one: in the order of time.
        while left:
            start = min(left)
            for stop in self._walk(start, max(left), job):
                left.discard(stop.number)
                yield stop

    def _legs(self, wanted: list[int]) -> list[tuple[int, int]]:
        if not self.keys:
            return []
        first = min(self.keys)
        return [(first, max(first, *wanted)), (first, min(first, *wanted))]

    def _walk(self, start: int, end: int, job: Job) -> Iterator[Stop]:
        walk = Walk(self.shot, start)
        key = self.keys.get(start)
        neighbour = start - 1 if end >= start else start + 1
        with tempfile.TemporaryDirectory(prefix="paintover-") as scratch:
            coming = self._coming(start, end, Path(scratch), job)
            for number in [start, *towards(self.shot, start, end)]:
                job.check()
                if number != start:
                    walk.step(number)
                    neighbour = number - 1 if end >= start else number + 1
                if number in self.keys and number != start:
                    walk.restart()
                    key = self.keys[number]
                    coming = self._coming(number, end, Path(scratch), job)
                tracks = [(1.0, key, walk.track)] if key else []
                if key and coming:
                    share = (number - key.number) / (coming.number - key.number)
                    tracks = [(1 - share, key, walk.track), (share, coming, _kept(Path(scratch), number))]
                yield Stop(number, neighbour, walk.rest, tracks)

    def _coming(self, start: int, end: int, scratch: Path, job: Job) -> KeyFrame | None:
        """The key frame after ``start`` on the way to ``end``, its tracks back to here kept in ``scratch``.

        They lie on disk, since the frames between two key frames may be many.
        """
        ahead = [number for number in self.keys if start < number]
        if end <= start or not ahead:
            return None
        key = self.keys[min(ahead)]
        back = towards(self.shot, key.number, start)
        if start not in back:
            return None
        walk = Walk(self.shot, key.number)
        for number in back:
            job.check()
            walk.step(number)
            np.savez(scratch / f"{number}.npz", flow=walk.track.flow.numpy(), valid=walk.track.valid.numpy() > 0)
        return key


def _kept(scratch: Path, number: int) -> Track:
    path = scratch / f"{number}.npz"
    with np.load(path) as kept:
        track = Track(torch.from_numpy(kept["flow"]), torch.from_numpy(kept["valid"]).float())
    path.unlink()
    return track


def key_frames(shot: Shot, look: LookFile, encoding: Encoding) -> list[KeyFrame]:
    """The look's key frames that are frames of this shot: only onto those may its paintings be laid."""
    found = []
    for key in look.card["keyframes"]:
        number = key["frame"]
        if number not in shot.frames or key["size"] != [shot.width, shot.height]:
            continue
        display = guides.read(shot, number, shot.view, encoding)[0].display
        seen, known = (bytes.fromhex(text) for text in (fingerprint(display), key["fingerprint"]))
        if sum(abs(a - b) for a, b in zip(seen, known, strict=True)) / len(known) > SAME_SHOT:
            continue
        found.append(KeyFrame.painted(number, display, guides.planes(look.paintings[number]) / 255))
    return found


def fingerprint(display: Tensor) -> str:
    """A tiny grey picture of a frame (3, H, W), as hex: tells whether a shot is the one that was painted on."""
    small = F.adaptive_avg_pool2d(display.mean(0, keepdim=True)[None], (6, 8))[0, 0]
    return bytes((small * 255).round().to(torch.uint8).flatten().tolist()).hex()
