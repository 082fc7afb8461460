"""Paint behind what passes: pixels that lost their track to the key frame are tied to it again.

Vectors lead from frame to frame, so a surface that is hidden in a single one has lost the key frame, however well that
shows it. What moved as one piece can be looked up there without the frames between: it is projected by its rest pose
and the key frame's camera, and the sky by the way that the rest of the sky went. Cameras are fitted to the position
passes. All of that is believed only where it agrees with the tracks that did hold, and where the key frame shows that
same place.
"""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..machine import in_chunks
from ..motion import ENOUGH, STILL
from .carry import Walk
from .guides import Motion

Array: TypeAlias = NDArray[np.float64]
Whole: TypeAlias = NDArray[np.int64]
Ways: TypeAlias = dict[int, Array]
"""By object: how it went from now to then, (4, 4) in the world, and the sky, (3, 3) in the frame."""

SAMPLES = 20_000  # pixels of a frame that are looked at to find its ways,
LEAST = 24  # and of one object at least
AGREES = 0.5  # pixels that a way is off, at most, where tracks held
NEAR = 2.0  # pixels: the same place is at most so far, since passes show a random point of each pixel
SKY = 1 << 40  # its name among the objects', which have 32 bits


@dataclass(frozen=True)
class Group:
    """``pixels`` (N), counted row by row, sorted by the ``names`` (N) of what they show, and the ``parts`` by name."""

    pixels: Whole
    names: Whole
    parts: dict[int, slice]


class Seen:
    """What a frame shows where, and the ``camera`` (3, 4) that saw it: from world positions to pixels. It is None where
    there is little but sky.
    """

    def __init__(self, motion: Motion) -> None:
        height, self.width = motion.position.shape[:2]
        self._last = np.array([[self.width - 1], [height - 1]])
        self._position = motion.position.transpose(2, 0, 1).reshape(3, -1)
        self._objects = None if motion.objects is None else motion.objects.ravel()
        stride = max(1, round((height * self.width / SAMPLES) ** 0.5))
        rows, columns = np.arange(0, height, stride), np.arange(0, self.width, stride)
        self.samples: Whole = (rows[:, None] * self.width + columns).ravel()
        some = _few(self.samples[self.names(self.samples) != SKY])
        self.camera = _projection(self.position(some), self.places(some)) if len(some) >= LEAST else None

    def names(self, pixels: Whole) -> Whole:
        """Of which object ``pixels`` (N) are, or ``SKY``: that has no position."""
        names = np.zeros(len(pixels), np.int64) if self._objects is None else self._objects.take(pixels)
        return np.where(self._position.take(pixels, 1).any(0), names, SKY)

    def position(self, pixels: Whole) -> Array:
        """World positions (3, N), metres."""
        return self._position.take(pixels, 1).astype(np.float64)

    def places(self, pixels: Whole) -> Array:
        """Columns and rows (2, N)."""
        places: Array = np.stack([pixels % self.width, pixels // self.width]).astype(np.float64)
        return places

    def group(self, pixels: Whole, wanted: Collection[int] | None = None) -> Group:
        """The ``pixels`` (N), those of the ``wanted`` names or all, sorted by name: the sky comes last."""
        names = self.names(pixels)
        if wanted is not None:
            among = np.isin(names, np.fromiter(wanted, np.int64, len(wanted)))
            pixels, names = pixels[among], names[among]
        order = np.argsort(names, kind="stable")
        pixels, names = pixels[order], names[order]
        ends = [0, *(np.flatnonzero(np.diff(names)) + 1).tolist(), len(names)]
        parts = [slice(start, stop) for start, stop in pairwise(ends) if start < stop]
        return Group(pixels, names, {int(names[part.start]): part for part in parts})

    def shows(self, places: Array, names: Whole, position: Array) -> NDArray[np.bool_]:
        """Whether at ``places`` (2, N) is what has these ``names`` (N), and that ``position`` (3, N)."""
        shown: NDArray[np.bool_] = ((places >= 0) & (places <= self._last)).all(0)
        inside = np.flatnonzero(shown)
        (left, top), (right, bottom) = (ends(places[:, inside]).astype(np.int64) for ends in (np.floor, np.ceil))
        same, corners = shown[inside], []
        for column, row in ((left, top), (right, bottom), (right, top), (left, bottom)):
            pixels = row * self.width + column
            same &= self.names(pixels) == names[inside]
            corners.append(self.position(pixels))
        first, last, other, another = corners
        pixel = np.maximum(_length(last - first), _length(another - other))
        away = np.min([_length(corner - position[:, inside]) for corner in corners], 0)
        shown[inside] = same & (away <= NEAR * pixel)
        return shown


class Reprojection:
    """The key frame at which a ``walk`` stands, to which that can be tied again further on."""

    def __init__(self, walk: Walk) -> None:
        self._key = Seen(walk.motion)
        self._from_rest = {name: np.linalg.inv(_affine(to_rest)) for name, to_rest in walk.rest.maps.items()}
        self._bent: set[int] = set()  # objects that did not move as one piece, and now and then may seem to

    def mend(self, walk: Walk) -> None:
        """Tie to the key frame what the track of ``walk``, in place, has lost of it in the last step. What is hidden
        there, or outside, stays invalid, but its flow leads to where it would be.
        """
        valid, flow = walk.track.valid.flatten().numpy(), walk.track.flow.flatten(1).numpy()
        lost = _lost(walk)
        if not len(lost):
            return
        now = Seen(walk.motion)
        ways = self._ways(now, walk)

        def work(chunk: slice) -> None:
            group = now.group(lost[chunk], ways)
            places, position = self._found(now, group, ways)
            flow[:, group.pixels] = places - now.places(group.pixels)
            valid[group.pixels] = self._key.shows(places, group.names, position)

        in_chunks(work, len(lost))

    def _ways(self, now: Seen, walk: Walk) -> Ways:
        """Those of all objects whose tracks, where they held, agree."""
        held, flow = walk.track.valid.flatten().numpy() > 0, walk.track.flow.flatten(1).numpy()
        group = now.group(now.samples[held[now.samples]])
        here = now.places(group.pixels)
        target = here + flow[:, group.pixels]
        ways: Ways = {}
        for name, part in group.parts.items():
            if part.stop - part.start < LEAST or name in self._bent:
                continue
            if name == SKY:
                some = _few(np.arange(part.start, part.stop))
                ways[name] = _projection(here[:, some], target[:, some])
            elif now.camera is not None and self._key.camera is not None:
                ways[name] = self._from_rest.get(name, np.eye(4)) @ _affine(walk.rest.maps.get(name, STILL))
        error = _length(self._found(now, group, ways)[0] - target)
        bent = {name for name in ways if np.median(error[group.parts[name]]) > AGREES}
        self._bent |= bent
        return {name: way for name, way in ways.items() if name not in bent}

    def _found(self, now: Seen, group: Group, ways: Ways) -> tuple[Array, Array]:
        """Where the key frame has the N pixels of a ``group``, columns and rows (2, N), and their world positions then
        (3, N); those without a way as if they had not moved.

        Both cameras see the random point of a pixel that its position is of: so that makes no difference.
        """
        places, position = now.places(group.pixels), now.position(group.pixels)
        before = position.copy()
        solid = slice(group.parts[SKY].start if SKY in group.parts else None)
        for name, part in group.parts.items():
            if name not in ways:
                continue
            if name == SKY:
                places[:, part] = _projected(ways[name], places[:, part])
            else:
                before[:, part] = ways[name][:3, :3] @ position[:, part] + ways[name][:3, 3:]
        if now.camera is not None and self._key.camera is not None:
            seen_then = _projected(self._key.camera, before[:, solid])
            places[:, solid] += seen_then - _projected(now.camera, position[:, solid])
        return places, before


def _lost(walk: Walk) -> Whole:
    """The pixels (N) that lost their track in the last step: they are newly seen, or lie beside what is still tied,
    where samples mix both. All others have been looked at before: a surface that the key frame hides stays hidden.
    """
    assert walk.step_back is not None
    tied, stepped = walk.track.valid[0].numpy() > 0, walk.step_back.valid[0].numpy() > 0
    near = ~stepped
    near[1:] |= tied[:-1]
    near[:-1] |= tied[1:]
    near[:, 1:] |= tied[:, :-1]
    near[:, :-1] |= tied[:, 1:]
    return np.flatnonzero(near & ~tied)


def _few(pixels: Whole) -> Whole:
    """Evenly spread, at most ENOUGH of them."""
    return pixels[:: max(1, -(-len(pixels) // ENOUGH))]


def _length(vectors: Array) -> Array:
    """Of vectors (D, N): (N)."""
    lengths: Array = np.sqrt(np.square(vectors).sum(0))
    return lengths


def _affine(points: NDArray[np.floating[Any]]) -> Array:
    """A map of ``RestPose`` (4, 3) as a matrix (4, 4) for columns."""
    return np.concatenate([points.T, [[0.0, 0.0, 0.0, 1.0]]])


def _projected(matrix: Array, points: Array) -> Array:
    """Points (D, N) under a projective map (3, D + 1): (2, N)."""
    across, down, depth = matrix[:, :-1] @ points + matrix[:, -1:]
    places: Array = np.stack([across, down]) / np.where(depth == 0, np.finfo(np.float32).eps, depth)
    return places


def _projection(points: Array, targets: Array) -> Array:
    """The projective map (3, D + 1) that takes ``points`` (D, N) to ``targets`` (2, N), best.

    The normalised direct linear transformation (Hartley and Zisserman 2004, algorithms 4.2 and 7.1), twice: the second
    time without the outliers that a silhouette's pixels are.
    """
    (x, middle, spread), (y, centre, size) = _normalised(points), _normalised(targets)
    x = np.concatenate([x, np.ones_like(x[:1])])
    keep = np.ones(x.shape[1], bool)
    for _ in range(2):
        some, none = x[:, keep], np.zeros_like(x[:, keep])
        across, down = y[:, keep]
        equations = np.concatenate(
            [np.concatenate([some, none, -across * some]), np.concatenate([none, some, -down * some])], 1
        )
        best = np.linalg.eigh(equations @ equations.T)[1][:, 0].reshape(3, -1)
        best[:2] = size * best[:2] + centre * best[2]
        result: Array = np.concatenate([best[:, :-1] / spread, best[:, -1:] - best[:, :-1] @ middle / spread], 1)
        error = _length(_projected(result, points) - targets)
        keep = error <= 3 * np.median(error) + 1e-9
    return result


def _normalised(points: Array) -> tuple[Array, Array, float]:
    """``points`` (D, N) around the origin, at one from it on average; and where (D, 1) and how large they were."""
    middle = points.mean(1, keepdims=True)
    spread = float(np.sqrt(np.square(points - middle).mean())) or 1.0
    return (points - middle) / spread, middle, spread
