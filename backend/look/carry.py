"""The painting carried along the shot: from each key frame outward, frame by frame, by the renderer's own vectors."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..motion import RestPose, Track, agreement, warp
from ..shot import Shot
from .guides import Frame, Motion

TRUST = 0.05  # display units: a pixel whose light changed by this much is hardly the same pixel to a painter


def trust(before: Tensor, now: Tensor) -> Tensor:
    """How far what was painted over ``before`` still holds for ``now``: both (3, H, W) display colours, to (1, H, W).

    Motion vectors know where a surface went, not how its light changed: shadows, highlights, reflections and what is
    seen through glass move on their own, and there the vectors' answer is wrong.
    """
    change = F.avg_pool2d((before - now).abs_().amax(0, keepdim=True), 3, 1, 1)
    return change.square_().mul_(-1 / TRUST**2).exp_()


@dataclass(frozen=True)
class KeyFrame:
    """A painted frame: ``painting`` (3, H, W) display colours, its ``alpha`` (1, H, W), and the ``display`` (3, H, W)
    of the render that it was painted on.
    """

    number: int
    display: Tensor
    painting: Tensor
    alpha: Tensor

    @classmethod
    def painted(cls, number: int, display: Tensor, painting: Tensor) -> "KeyFrame":
        """From ``painting`` (4, H, W), straight alpha: under thin paint the render shows, as the artist saw it."""
        colour, alpha = painting[:3], painting[3:]
        return cls(number, display, torch.lerp(display, colour, alpha), alpha)

    def carried(self, track: Track, now: Frame) -> Tensor:
        """History for ``now``: the painting as it lies there (3) and how far to trust it (1), as (4, H, W)."""
        moved = warp(torch.cat([self.alpha, self.display]), track.flow)
        weight = track.valid * moved[:1] * trust(moved[1:], now.display)
        return torch.cat([sharp(self.painting, track.flow), weight])


@dataclass(frozen=True)
class Styled:
    """The last output: its frame's ``number``, the ``display`` of the render and the ``picture`` made of it, both
    (3, H, W) in display colours, and the frame's ``vector`` (4, H, W).
    """

    number: int
    display: Tensor
    picture: Tensor
    vector: Tensor

    def carried(self, now: Frame) -> Tensor:
        """History (4, H, W) for the neighbouring frame ``now``."""
        there, back = flows(self.number, self.vector, now.number, now.motion.vector)
        weight = agreement(there, back) * trust(warp(self.display, there), now.display)
        return torch.cat([sharp(self.picture, there), weight])


def sharp(picture: Tensor, flow: Tensor) -> Tensor:
    """``picture`` carried by cubic interpolation: what is resampled again and again must not lose its fine strokes."""
    return warp(picture, flow, "bicubic").clamp_(0, 1)


def flows(before: int, vector_before: Tensor, now: int, vector_now: Tensor) -> tuple[Tensor, Tensor]:
    """The flow from frame ``now`` to its neighbour ``before``, and the neighbour's flow back."""
    if now > before:
        return vector_now[:2], vector_before[2:]
    return vector_now[2:], vector_before[:2]


def mixed(histories: list[tuple[float, Tensor]]) -> Tensor:
    """(weight, history) pairs of equal standing, mixed by weight and trust: (4, H, W)."""
    if len(histories) == 1:
        return histories[0][1]
    total = torch.stack([weight * history[3:] for weight, history in histories]).sum(0)
    colour = torch.stack([weight * history[3:] * history[:3] for weight, history in histories]).sum(0)
    best = torch.stack([history[3:] for _, history in histories]).amax(0)
    return torch.cat([colour / total.clamp_min(1e-6), best])


def filled(history: Tensor, fallback: Tensor) -> Tensor:
    """``history`` (4, H, W), and where it is not to be trusted, ``fallback``."""
    first, second = history[3:], (1 - history[3:]) * fallback[3:]
    colour = (first * history[:3] + second * fallback[:3]) / (first + second).clamp_min(1e-6)
    return torch.cat([colour, torch.maximum(history[3:], fallback[3:])])


class Walk:
    """A walk from a key frame along the shot, one neighbouring frame after the other.

    ``number``: where it stands. ``track``: from there to the frame it started from. ``rest``: the rest pose there.
    """

    def __init__(self, start: int, motion: Motion) -> None:
        self.number, self.motion = start, motion
        self.rest = RestPose(motion.position, motion.objects)
        self.track = Track.identity(*motion.position.shape[:2])

    def step(self, number: int, motion: Motion) -> None:
        """Go on to the neighbouring frame ``number``."""
        there, back = flows(self.number, self.motion.vector, number, motion.vector)
        valid = agreement(there, back)
        self.rest = self.rest.step(motion.position, motion.objects, there, valid)
        self.track = self.track.extended(there, valid)
        self.number, self.motion = number, motion

    def restart(self) -> None:
        """From here on ``track`` leads to this frame; the rest pose stays that of the first."""
        self.track = Track.identity(*self.motion.position.shape[:2])


def towards(shot: Shot, start: int, end: int) -> list[int]:
    """The frames after ``start`` up to ``end``, in either direction, as far as the shot has no gap."""
    present = set(shot.frames)
    row = []
    for number in range(start + 1, end + 1) if end > start else range(start - 1, end - 1, -1):
        if number not in present:
            break
        row.append(number)
    return row
