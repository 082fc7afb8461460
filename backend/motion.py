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

SLIP = 0.3  # pixels between going to the next frame and coming back: exact vectors lose less on one surface
SAMPLES = 40_000  # pixels of a frame that rigid motions are fitted to
DEFORMED = 5e-3  # of an object's extent: with a larger error it did not move as one piece
STILL = np.eye(4, 3)
TRANSLATION = np.array([[0.0], [0.0], [0.0], [1.0]])

Array: TypeAlias = NDArray[np.floating[Any]]


def grid(flow: Tensor) -> Tensor:
    """``flow`` as the (1, H, W, 2) sampling grid that ``grid_sample(align_corners=True)`` takes."""
    height, width = flow.shape[1:]
    columns = torch.arange(width, dtype=flow.dtype)
    rows = torch.arange(height, dtype=flow.dtype)[:, None]
    return torch.stack(
        ((flow[0] + columns) * (2 / max(width - 1, 1)) - 1, (flow[1] + rows) * (2 / max(height - 1, 1)) - 1), -1
    )[None]


def warp(image: Tensor, flow: Tensor, mode: str = "bilinear") -> Tensor:
    """``image`` of the other frame as this frame would see it. Outside the frame its border is repeated."""
    return F.grid_sample(image[None], grid(flow), mode=mode, padding_mode="border", align_corners=True)[0]


def inside(flow: Tensor) -> Tensor:
    """Mask of the pixels whose flow ends within the frame."""
    height, width = flow.shape[1:]
    column = flow[0] + torch.arange(width, dtype=flow.dtype)
    row = flow[1] + torch.arange(height, dtype=flow.dtype)[:, None]
    return ((column >= 0) & (column <= width - 1) & (row >= 0) & (row <= height - 1))[None].to(flow.dtype)


def agreement(there: Tensor, back: Tensor, slip: float = SLIP) -> Tensor:
    """Validity of the flow ``there``, given the other frame's flow ``back``, as it is at the end of ``there``.

    The forward-backward check: both together must lead to where they began, within ``slip`` pixels.
    """
    error = (there + back).square_().sum(0, keepdim=True)
    return (error < slip**2).to(there.dtype).mul_(inside(there))


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
        ends = warp(torch.cat([back, self.flow, self.valid]), there)
        step = Track(there, agreement(there, ends[:2]))
        flow = there + ends[2:4]
        # A sample that mixes valid with invalid neighbours mixes two surfaces: only full validity counts.
        still = (ends[4:] > 0.999).to(there.dtype)
        return step, Track(flow, still.mul_(step.valid).mul_(inside(flow)))


class RestPose:
    """Coordinates that stick to surfaces: each object's world positions as they were in the key frame.

    From frame to frame a rigid motion is fitted to each object's positions, over the pixels that both frames show, so
    that also what the key frame never showed gets coordinates that move with its object. Where an object deforms, the
    carried coordinates themselves are used, and the fit only fills what is newly seen.
    """

    def __init__(self, position: Array, objects: NDArray[np.int64] | None) -> None:
        """``position`` (H, W, 3) of the key frame in metres; ``objects`` (H, W) identifiers, None if unknown."""
        self.rest = position
        self.objects = np.zeros(position.shape[:2], np.int64) if objects is None else objects
        self.maps: dict[int, Array] = {}  # object -> (4, 3): homogeneous world position of this frame -> rest

    def step(self, position: Array, objects: NDArray[np.int64] | None, there: Tensor, valid: Tensor) -> "RestPose":
        """The rest pose seen from the next frame along, whose flow ``there`` leads to this one where ``valid``."""
        following = RestPose(position, objects)
        stride = max(1, round((valid.numel() / SAMPLES) ** 0.5))
        some = np.s_[::stride, ::stride]
        names = following.objects[some].ravel()
        target, before = self._seen_through(there[:, ::stride, ::stride], stride)
        usable = (valid[0][some].numpy().ravel() > 0) & (before == names)
        world = position[some].reshape(-1, 3)

        rest = position
        deforming = []
        order = np.argsort(names, kind="stable")
        for chosen in np.split(order, np.flatnonzero(np.diff(names[order])) + 1):
            name = int(names[chosen[0]])
            prior = self.maps.get(name, STILL)
            pairs = chosen[usable[chosen]]
            correction, residual = _rigid_motion(world[pairs] @ prior[:3] + prior[3], target[pairs])
            fit = prior @ correction[:3] + TRANSLATION * correction[3]
            following.maps[name] = fit
            if residual > max(DEFORMED, 1 / (stride * len(chosen) ** 0.5)):  # the latter is about half a pixel's size
                deforming.append(name)
            elif np.allclose(fit, STILL, atol=1e-9):
                continue
            rest = position.copy() if rest is position else rest
            here = following.objects == name
            rest[here] = position[here] @ fit[:3].astype(np.float32) + fit[3].astype(np.float32)
        if deforming:
            coordinates, before = self._seen_through(there, 1)
            carried = (before == following.objects.ravel()) & (valid.numpy().ravel() > 0)
            carried &= np.isin(before, deforming)
            rest.reshape(-1, 3)[carried] = coordinates[carried]
        following.rest = rest.astype(np.float32, copy=False)
        return following

    def _seen_through(self, there: Tensor, stride: int) -> tuple[Array, NDArray[np.int64]]:
        """Rest coordinates (N, 3) and names (N) at the ends of a flow that was thinned by ``stride``."""
        height, width = self.objects.shape
        column = there[0].numpy() + np.arange(0, width, stride)
        row = there[1].numpy() + np.arange(0, height, stride)[:, None]
        ends = torch.from_numpy(np.stack([column / max(width - 1, 1), row / max(height - 1, 1)], -1) * 2 - 1)
        image = torch.from_numpy(self.rest).permute(2, 0, 1)[None]
        found = F.grid_sample(image, ends.to(image.dtype)[None], padding_mode="border", align_corners=True)[0]
        rows = row.round().astype(np.int64).clip(0, height - 1)
        columns = column.round().astype(np.int64).clip(0, width - 1)
        return found.permute(1, 2, 0).reshape(-1, 3).numpy(), self.objects[rows, columns].ravel()


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
        centre, goal = points[keep].mean(0, dtype=np.float64), target[keep].mean(0, dtype=np.float64)
        covariance = (points[keep] - centre).T @ (target[keep] - goal)
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
