"""Which frame to paint next: the one whose passes are least covered by what is painted."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import ShotError
from ..job import Job
from ..shot import Shot
from . import guides
from .guides import Encoding, Frame

SAMPLES = 1024  # surface samples of each frame
MOST = 48  # frames that are compared each with each: of a longer shot, some
NEAR = 0.35  # distance in feature units within which a sample counts as painted already
# What a network would have to guess: another colour, another light, another direction, another place.
SCALES = {"display": 3.0, "albedo": 2.0, "normal": 0.7, "position": 0.01}


def suggest(*, shot: Shot, painted: list[int], job: Job) -> dict[str, Any]:
    """The frame to paint next, and how far each frame is covered (0..1) by the frames in ``painted``.

    Nothing painted: the frame that covers the others best (of a long shot, one of MOST, by as many others). Distances
    are between random samples of each frame in a space of colour, albedo, normal and world position.
    ``FrameRangeError`` for a painted frame that the shot lacks, ``ShotError`` if all are painted.
    """
    for number in painted:
        shot.select(number, number)
    encoding: Encoding | None = None
    features: dict[int, Tensor] = {}
    for done, number in enumerate(shot.frames):
        job.progress(done / len(shot.frames), f"Looking at frame {number}")
        frame = guides.read(shot, number, shot.view, encoding)
        encoding = frame.encoding
        features[number] = _samples(frame)
    if not painted:
        some = [
            shot.frames[round(place)] for place in np.linspace(0, len(shot.frames) - 1, min(MOST, len(shot.frames)))
        ]
        worth = {}
        for number in some:
            job.check()
            worth[number] = sum(_coverage(features[other], features[number]) for other in some)
        best = max(some, key=lambda number: (worth[number], -number))
        return {"frame": best, "coverage": {str(n): _coverage(features[n], features[best]) for n in shot.frames}}
    known = torch.cat([features[number] for number in painted])
    coverage = {number: _coverage(features[number], known) for number in shot.frames}
    open_frames = [number for number in shot.frames if number not in painted]
    if not open_frames:
        raise ShotError("Every frame of this shot is painted already.", "There is nothing left to suggest.")
    best = min(open_frames, key=lambda number: (coverage[number], number))
    return {"frame": best, "coverage": {str(number): value for number, value in coverage.items()}}


def _samples(frame: Frame) -> Tensor:
    """(SAMPLES, features) of random pixels of a frame, the same pixels in every frame."""
    picks = np.random.default_rng(0).integers(0, frame.height * frame.width, SAMPLES)
    where, seen = frame.positions(frame.motion.position)[:3].clamp(-1e3, 1e3), frame.guides()
    stack = torch.cat(
        [
            frame.display * SCALES["display"],
            seen[4:7] * SCALES["albedo"],
            seen[7:10] * SCALES["normal"],
            where * SCALES["position"],
        ]
    )
    return stack.flatten(1).T[torch.from_numpy(picks)]


def _coverage(samples: Tensor, known: Tensor) -> float:
    """The share of ``samples`` with something of ``known`` nearby, softly."""
    distance = torch.cdist(samples, known).amin(1)
    return float(torch.exp(-((distance / NEAR) ** 2)).mean())
