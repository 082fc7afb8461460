"""Exact motion from the renderer: reprojection, validity, and tracks that tie every frame to one key frame.

A flow is a tensor of shape (2, H, W), in pixels: pixel (col, row) of this frame shows what the other frame shows at
(col + flow[0], row + flow[1]). Images are (C, H, W). A validity mask is (1, H, W), 1 where the same piece of surface is
seen in both frames and 0 where it is hidden or outside.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from .machine import in_chunks

SLIP = 0.3  # pixels between going to the next frame and coming back: exact vectors lose less on one surface
SAMPLES = 40_000  # pixels of a frame that rigid motions are fitted to,
ENOUGH = 1000  # and of one object, at most
DEFORMED = 5e-3  # of an object's extent: with a larger error it did not move as one piece
STILL = np.eye(4, 3)
TRANSLATION = np.array([[0.0], [0.0], [0.0], [1.0]])

Array: TypeAlias = NDArray[np.floating[Any]]
Names: TypeAlias = NDArray[np.int32]  # of objects


def grid(flow: Tensor) -> Tensor:
    """``flow`` as the (1, H, W, 2) sampling grid that ``grid_sample(align_corners=True)`` takes."""
    ends = torch.empty_like(flow)
    for axis, size in enumerate((flow.shape[2], flow.shape[1])):
        here = torch.linspace(-1, 1, size, dtype=flow.dtype)
        torch.add(here if axis == 0 else here[:, None], flow[axis], alpha=2 / max(size - 1, 1), out=ends[axis])
    return ends.permute(1, 2, 0)[None]


def warp(image: Tensor, flow: Tensor) -> Tensor:
    """``image`` of the other frame as this frame would see it. Outside the frame its border is repeated."""
    return at_ends(image, grid(flow))


def at_ends(image: Tensor, grid: Tensor) -> Tensor:
    """``image`` (C, H, W) at each point of a ``grid`` (1, h, w, 2): (C, h, w), bilinear, its border repeated."""
    # Row by row, as pictures of one batch: those are what torch shares out among the cores.
    rows = grid.transpose(0, 1)
    images = image.expand(len(rows), *image.shape)
    return F.grid_sample(images, rows, padding_mode="border", align_corners=True)[:, :, 0].transpose(0, 1)


def sampled(image: Tensor, ends: Tensor, mode: str = "bilinear") -> Tensor:
    """(C, N): ``image`` at some points (2, N), in the coordinates of a ``grid``."""
    where = ends.T[None, None]
    return F.grid_sample(image[None], where, mode=mode, padding_mode="border", align_corners=True)[0, :, 0]


def places_of(mask: NDArray[np.bool_]) -> Tensor:
    """(N): where a ``mask`` of one dimension holds. Numpy compares and finds in a third of torch's time."""
    return torch.from_numpy(np.flatnonzero(mask))


def inside(flow: Tensor) -> Tensor:
    """Mask of the pixels whose flow ends within the frame."""
    height, width = flow.shape[1:]
    right, down = (width - 1) / 2, (height - 1) / 2  # from the middle
    column = (flow[0] + (torch.arange(width, dtype=flow.dtype) - right)).abs_().le_(right)
    row = (flow[1] + (torch.arange(height, dtype=flow.dtype) - down)[:, None]).abs_().le_(down)
    return column.mul_(row)[None]


def agreement(there: Tensor, back: Tensor, slip: float = SLIP) -> Tensor:
    """Validity of the flow ``there``, given the other frame's flow ``back``, as it is at the end of ``there``.

    The forward-backward check: both together must lead to where they began, within ``slip`` pixels.
    """
    across, down = (there + back).square_()
    close: Tensor = across.add_(down).lt_(slip**2)
    return close[None].mul_(inside(there))


@dataclass(frozen=True)
class Track:
    """Where each pixel of a frame is found in a key frame: ``flow`` (2, H, W) and its ``valid`` mask (1, H, W)."""

    flow: Tensor
    valid: Tensor

    @staticmethod
    def identity(height: int, width: int) -> "Track":
        return Track(torch.zeros(2, height, width), torch.ones(1, height, width))

    def extended(self, there: Tensor, back: Tensor) -> tuple["Track", "Track"]:
        """The tracks of the next frame along: to this track's frame, and on to the key frame.

        ``there``: the next frame's flow to this track's frame; ``back``: that frame's flow to the next one.
        Flows are composed, never images: a painting is resampled once, however far it is carried.
        """
        ends = grid(there)
        step = Track(there, agreement(there, at_ends(back, ends)))
        flow = there + at_ends(self.flow, ends)
        # A sample that mixes valid with invalid neighbours mixes two surfaces: only full validity counts. Between ends
        # that are all within the key frame is its own.
        still = at_ends(self.valid, ends).gt_(0.999)
        return step, Track(flow, still.mul_(step.valid))


class RestPose:
    """Coordinates that stick to surfaces: each object's world positions as they were in the key frame.

    From frame to frame a rigid motion is fitted to each object's positions, over the pixels that both frames show, so
    that also what the key frame never showed gets coordinates that move with its object. Where an object deforms, the
    carried coordinates themselves are used, and the fit only fills what is newly seen.
    """

    def __init__(self, position: Array, objects: Names | None, every: int) -> None:
        """``position`` (H, W, 3) of the key frame in metres; ``objects`` (H, W) identifiers, None if unknown. Both may
        be of every ``every``-th pixel of a row and of a column of the frame: flows are in steps of those.
        """
        self.rest, self.every = position, every
        self.objects = np.zeros(position.shape[:2], np.int32) if objects is None else objects
        self.maps: dict[int, Array] = {}  # object -> (4, 3): homogeneous world position of this frame -> rest

    def step(self, position: Array, objects: Names | None, there: Tensor, valid: Tensor) -> "RestPose":
        """The rest pose seen from the next frame along, whose flow ``there`` leads to this one where ``valid``."""
        following = RestPose(position, objects, self.every)
        stride = max(1, round((valid.numel() / SAMPLES) ** 0.5))
        some = np.arange(valid.numel()).reshape(valid.shape[1:])[::stride, ::stride].ravel()
        target, usable = self._carried(there, valid, following.objects, some)
        names, world = following.objects.ravel()[some], position.reshape(-1, 3)[some]

        rest = position
        deforming = []
        order = np.argsort(names, kind="stable")
        for chosen in np.split(order, np.flatnonzero(np.diff(names[order])) + 1):
            name = int(names[chosen[0]])
            prior = self.maps.get(name, STILL)
            pairs = chosen[usable[chosen]]
            pairs = pairs[:: -(-len(pairs) // ENOUGH) or 1]
            correction, residual = _rigid_motion(world[pairs] @ prior[:3] + prior[3], target[pairs])
            fit = prior @ correction[:3] + TRANSLATION * correction[3]
            following.maps[name] = fit
            size = self.every * stride * len(chosen) ** 0.5  # in pixels of the frame
            if residual > max(DEFORMED, 1 / size):  # the latter is about half a pixel
                deforming.append(name)
            elif np.allclose(fit, STILL, atol=1e-9):
                continue
            rest = position.copy() if rest is position else rest
            here = np.flatnonzero(following.objects == name)
            moved = position.reshape(-1, 3).take(here, 0) @ fit[:3].astype(np.float32)
            rest.reshape(-1, 3)[here] = moved + fit[3].astype(np.float32)
        if deforming:
            soft = np.flatnonzero(np.isin(following.objects, deforming))

            def work(chunk: slice) -> None:
                carried, usable = self._carried(there, valid, following.objects, soft[chunk], pure=True)
                rest.reshape(-1, 3)[soft[chunk][usable]] = carried[usable]

            in_chunks(work, len(soft))
        following.rest = rest.astype(np.float32, copy=False)
        return following

    def _carried(
        self, there: Tensor, valid: Tensor, objects: Names, pixels: NDArray[np.int64], pure: bool = False
    ) -> tuple[Array, NDArray[np.bool_]]:
        """Rest coordinates (N, 3) at the ends of the flow of ``pixels`` (N), counted row by row, and which to use.

        ``pure``: only those that mix nothing of another object. What is carried on must not, a fit does not mind.
        """
        height, width = self.objects.shape
        here = torch.from_numpy(pixels)
        ends = there.flatten(1).index_select(1, here).add_(torch.stack((here % width, here // width)))
        size = torch.tensor([[width - 1], [height - 1]])
        found = sampled(torch.from_numpy(self.rest).permute(2, 0, 1), ends / size.clamp_min(1) * 2 - 1)
        usable: NDArray[np.bool_] = valid.flatten().index_select(0, here).numpy() > 0
        (left, top), (right, bottom) = ends.floor(), ends.ceil()
        corners = [(left, top), (right, top), (left, bottom), (right, bottom)]
        for where in corners if pure else [ends.round().unbind()]:
            column, row = torch.stack(where).long().clamp_(min=torch.zeros_like(size), max=size)
            usable &= self.objects.take((row * width + column).numpy()) == objects.take(pixels)
        return found.T.numpy(), usable


def _rigid_motion(points: Array, target: Array) -> tuple[Array, float]:
    """The rigid motion (4, 3) that takes ``points`` to ``target`` (N, 3), and its median error by their extent.

    Kabsch 1976, fitted three times, each time without the outliers that a silhouette's pixels are. Standing still is
    preferred unless the motion explains clearly more: resampled positions of a curved surface are noisy.
    """
    if len(points) < 24:
        return STILL, 0.0
    error = np.linalg.norm(target - points, axis=1)
    still = float(np.median(error))
    keep = error <= 3 * still + 1e-9
    motion = STILL
    for _ in range(3):
        here, there = points[keep], target[keep]
        centre, goal = here.mean(0, dtype=np.float64), there.mean(0, dtype=np.float64)
        covariance = (here - centre).T @ (there - goal)
        # Points on a line or a plane leave rotations open: a little identity draws those to none.
        covariance += 1e-4 * np.trace(np.abs(covariance)) * np.eye(3)
        left, _, right = np.linalg.svd(covariance)
        rotation = left @ np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))]) @ right
        motion = np.concatenate([rotation, (goal - centre @ rotation)[None]])
        error = np.linalg.norm(target - (points @ motion[:3] + motion[3]), axis=1)
        keep = error <= 3 * np.median(error) + 1e-9
    rest = float(np.median(error))
    if rest > 0.5 * still:
        motion, rest = STILL, still
    return motion, rest / (float(np.linalg.norm(points[keep].std(0))) + 1e-9)
