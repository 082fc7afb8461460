"""Paint behind what passes: pixels that lost their track to the key frame are tied to it again.

Vectors lead from frame to frame, so a surface that is hidden in a single one has lost the key frame, however well that
shows it. What moved as one piece can be looked up there without the frames between: it is projected by its rest pose
and the key frame's camera, and the sky by the way that the rest of the sky went. Cameras are fitted to the position
passes. All of that is believed only where it agrees with the tracks that did hold, and where the key frame shows the
same side of that same place, or sky.
"""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ..machine import in_chunks
from ..motion import ENOUGH, STILL, Track
from ..motion import Array as Floats
from .carry import OVERHANG, SAME_DEPTH, Walk

Array: TypeAlias = NDArray[np.float64]
Whole: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]
Ways: TypeAlias = dict[int, Array]
"""By object: how it went from now to then, (4, 4) in the world, and the sky, (3, 3) in the frame."""

SAMPLES = 20_000  # pixels of a frame that are looked at to find its ways,
LEAST = 24  # and those whose track held, at least, that something is fitted to or that speak for an object
AGREES = 0.5  # pixels that most samples of an object are off, at most,
SLIDES = 0.2  # and most of those around a pixel from frame to frame, if more are than so
FEW = 0.01  # of all of the object's:
AROUND = 2, 8  # so many in every direction, and where there is none among those
EDGES = 360  # rows, at least, of the frame in which edges are looked for
PLAIN = 1.5  # pixels that a camera is off where it was fitted, at most: others are no pinholes
NEAR = 1.5  # diagonals of a pixel: the same place is at most so far, since passes show a random point of each pixel
PERSPECTIVE = 1e-2  # of its depth: where a frame's depth differs by less nobody can tell where the camera stands
FLAT = 1e-3  # of how far points spread: what spreads less along an axis does not along that
OUTSIDE = -1e5  # columns and rows of what is behind the camera
SKY = 1 << 40  # its name among the objects', which have 32 bits


@dataclass(frozen=True)
class Group:
    """``pixels`` (N), counted row by row, sorted by the ``names`` (N) of what they show, and the ``parts`` by name."""

    pixels: Whole
    names: Whole
    parts: dict[int, slice]


@dataclass(frozen=True)
class Found:
    """Where the key frame has N pixels: ``places`` (2, N), columns and rows; their world ``position`` (3, N) then; and
    where, then, they would have been seen from as they are now: ``eye`` (3, N).
    """

    places: Array
    position: Array
    eye: Array


class Seen:
    """What the frame where a walk stands shows where; by object its ``maps`` to the rest pose; and the ``camera``
    (3, 4) that saw it, from world positions to pixels, which stands at ``eye`` (3, 1).

    The camera is None where there is little but sky, where it is no pinhole, and where objects have no names, since
    then nobody can tell what moved as one piece. The eye is None where that cannot be told: an orthographic camera has
    none.
    """

    def __init__(self, walk: Walk) -> None:
        motion, self.maps = walk.motion, walk.rest.maps
        self.height, self.width = motion.position.shape[:2]
        self._position = motion.position.transpose(2, 0, 1).reshape(3, -1)
        self._objects = None if motion.objects is None else motion.objects.ravel()
        self.stride = max(1, round((self.height * self.width / SAMPLES) ** 0.5))
        rows, columns = np.arange(0, self.height, self.stride), np.arange(0, self.width, self.stride)
        self.samples: Whole = (rows[:, None] * self.width + columns).ravel()
        self.camera: Array | None = None
        self.eye: Array | None = None
        some = _few(self.samples[self.names(self.samples) != SKY])
        if self._objects is None or len(some) < LEAST:
            return
        camera = _projection(self.position(some), self.places(some))
        if np.median(_length(_projected(camera, self.position(some)) - self.places(some))) < PLAIN:
            self.camera = camera
            depth = _depth(camera, self.position(some))
            if np.ptp(depth) > PERSPECTIVE * np.median(depth):
                *place, one = np.linalg.svd(camera)[2][-1]
                self.eye = np.array(place)[:, None] / one

    def names(self, pixels: Whole) -> Whole:
        """Of which object ``pixels`` (N) are, or ``SKY``: that has no position."""
        names = np.zeros(len(pixels), np.int64)
        if self._objects is not None:
            names[:] = self._objects.take(pixels)
        names[~self._position.take(pixels, 1).any(0)] = SKY
        return names

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

    def inner(self, pixels: Whole) -> Mask:
        """Which of the ``pixels`` (N) are within surfaces, and not at an edge: its outline goes with what is seen, not
        with what it is seen on. Half of how far strokes overhang was found to be best.
        """
        step = max(1, self.height // EDGES)
        position = np.ascontiguousarray(self._position.reshape(3, self.height, self.width)[:, ::step, ::step])
        near = np.ones_like(position[0])
        if self.camera is not None:
            slope, offset = self.camera[2, :3].astype(np.float32), np.float32(self.camera[2, 3])
            near /= np.maximum(np.tensordot(slope, position, 1) + offset, np.finfo(np.float32).eps)
        near[~position.any(0)] = 0
        reach = _edge(near.shape[0])
        both = torch.from_numpy(np.stack([near, -near]))[None]
        for window in ((2 * reach + 1, 1), (1, 2 * reach + 1)):
            both = F.max_pool2d(both, window, 1, (window[0] // 2, window[1] // 2))
        even = (both[0, 0] <= -SAME_DEPTH * both[0, 1]).numpy()
        inner: Mask = even[pixels // self.width // step, pixels % self.width // step]
        return inner

    def shows(self, found: Found, names: Whole) -> Mask:
        """Which of the places that were ``found`` show what has these ``names`` (N), just there and from that side."""
        end = np.array([[self.width], [self.height]])
        shown: Mask = ((found.places >= -0.5) & (found.places <= end - 0.5)).all(0)
        inside = np.flatnonzero(shown)
        left, top = np.clip(np.floor(found.places[:, inside]), 0, np.maximum(end - 2, 0)).astype(np.int64)
        right, bottom = np.minimum(left + 1, self.width - 1), np.minimum(top + 1, self.height - 1)
        corners = [
            row * self.width + column for column, row in ((left, top), (right, bottom), (right, top), (left, bottom))
        ]
        same = np.all([self.names(pixels) == names[inside] for pixels in corners], 0)
        shown[inside] = same
        inside, solid = inside[same], names[inside[same]] != SKY
        position = found.position[:, inside]
        around = [self.position(pixels[same]) for pixels in corners]
        across, back = around[1] - around[0], around[3] - around[2]
        away = np.min([_length(corner - position) for corner in around], 0)
        same = away <= NEAR * np.maximum(_length(across), _length(back))
        if self.camera is not None:  # at an edge only the nearer surface is shown
            nearest = np.min([_depth(self.camera, corner) for corner in around], 0)
            same &= ~solid | (_depth(self.camera, position) <= SAME_DEPTH * nearest)
        if self.eye is not None:  # thin things have their other side just there
            facing = np.cross(across, back, axis=0)
            sides = [(facing * (eye - position)).sum(0) for eye in (self.eye, found.eye[:, inside])]
            same &= ~solid | (sides[0] * sides[1] >= 0)
        shown[inside] = same
        return shown


class Reprojection:
    """The key frame at which a ``walk`` stands, to which that can be tied again further on."""

    def __init__(self, walk: Walk) -> None:
        self._key = self._last = Seen(walk)
        self._bent: set[int] = set()  # those that once had none, and now and then may seem to: paint would leap

    def mend(self, walk: Walk) -> None:
        """Tie to the key frame what the track of ``walk``, in place, has lost of it in the last step. What is hidden
        there, or just outside, stays invalid, but its flow leads to where it would be.
        """
        assert walk.step_back is not None
        track, now = walk.track, Seen(walk)
        valid, flow = track.valid.flatten().numpy(), track.flow.flatten(1).numpy()
        ways = self._ways(now, track)
        lost = _lost(track, walk.step_back)
        for name, sliding in _sliding(now, self._last, walk.step_back, ways.keys() - {SKY}).items():
            slid = sliding[lost // now.width // now.stride, lost % now.width // now.stride]
            lost = lost[~slid | (now.names(lost) != name)]
        end = np.array([[now.width], [now.height]])
        inner = np.zeros(len(valid), bool)
        inner[lost] = now.inner(lost)
        self._last = now

        def work(chunk: slice) -> None:
            group = now.group(lost[chunk], ways)
            found = _found(now, self._key, group, ways)
            # What was far outside keeps the flow that it had: samples would mix it into that of what is tied.
            close = ((found.places > -end) & (found.places < 2 * end)).all(0)
            flow[:, group.pixels[close]] = (found.places - now.places(group.pixels))[:, close]
            valid[group.pixels] = self._key.shows(found, group.names) & inner[group.pixels]

        in_chunks(work, len(lost))

    def _ways(self, now: Seen, track: Track) -> Ways:
        """Those of all objects most of whose tracks, where they held, agree."""
        group, here, target = _held(now, track)
        ways: Ways = {}
        for name, part in group.parts.items():
            if part.stop - part.start < LEAST or name in self._bent:
                continue
            if name == SKY:
                some = _few(np.arange(part.start, part.stop))
                if np.ptp(here[:, some], 1).all():  # of a mere row of pixels nobody can tell the way of others
                    ways[name] = _projection(here[:, some], target[:, some])
            elif now.camera is not None and self._key.camera is not None:
                ways[name] = _moved(now, self._key, name)
        error = _length(_found(now, self._key, group, ways).places - target)
        bent = {name for name in ways if np.median(error[group.parts[name]]) > AGREES}
        self._bent |= bent
        return {name: way for name, way in ways.items() if name not in bent}


def _held(now: Seen, track: Track) -> tuple[Group, Array, Array]:
    """The samples whose ``track`` held, their places (2, N), and those (2, N) that it leads to."""
    held = track.valid.flatten().numpy()[now.samples] > 0
    group = now.group(now.samples[held])
    here = now.places(group.pixels)
    return group, here, here + track.flow.flatten(1).numpy()[:, group.pixels]


def _sliding(now: Seen, last: Seen, step: Track, names: Collection[int]) -> dict[int, Mask]:
    """Where, by rows and columns of samples, some of the objects of these ``names`` did not go as they did on the whole
    since the ``last`` frame: a wheel may be of one object with its car. Most of it around are asked.
    """
    if now.camera is None or last.camera is None:
        return {}
    group, here, target = _held(now, step)
    found = _found(now, last, group, {name: _moved(now, last, name) for name in names})
    slid = _length(found.places - target) > SLIDES
    sliding = {}
    for name, part in group.parts.items():
        if name in names and slid[part].mean() > FEW:
            votes = torch.zeros(1, -(-now.height // now.stride), -(-now.width // now.stride))
            columns, rows = here[:, part].astype(np.int64) // now.stride
            votes[0, rows, columns] = torch.from_numpy(np.where(slid[part], 1.0, -1.0)).float()
            near, far = (F.avg_pool2d(votes, 2 * reach + 1, 1, reach)[0] for reach in AROUND)
            sliding[name] = torch.where(near == 0, far, near).numpy() > 0
    return sliding


def _moved(now: Seen, then: Seen, name: int) -> Array:
    """How an object went from now to then, (4, 4), by its rest poses."""
    here, there = (_affine(seen.maps.get(name, STILL)) for seen in (now, then))
    moved: Array = np.linalg.inv(there) @ here
    return moved


def _found(now: Seen, then: Seen, group: Group, ways: Ways) -> Found:
    """Where another frame has a ``group`` of pixels; those without a way as if they had not moved.

    A pixel shows a random point of itself: by so far as that is from the pixel now, it is taken to be then.
    """
    places, position = now.places(group.pixels), now.position(group.pixels)
    before, eye = position.copy(), np.zeros_like(position)
    seen_from = now.eye if now.eye is not None else then.eye
    for name, part in group.parts.items():
        if name not in ways:
            continue
        if name == SKY:
            places[:, part] = _projected(ways[name], places[:, part])
        else:
            turn, shift = ways[name][:3, :3], ways[name][:3, 3:]
            before[:, part] = turn @ position[:, part] + shift
            if seen_from is not None:
                eye[:, part] = turn @ seen_from + shift if now.eye is not None else seen_from
    if now.camera is not None and then.camera is not None:
        solid = slice(group.parts[SKY].start if SKY in group.parts else None)
        places[:, solid] += _projected(then.camera, before[:, solid]) - _projected(now.camera, position[:, solid])
    return Found(places, before, eye)


def _lost(track: Track, step: Track) -> Whole:
    """The pixels (N) that lost their ``track`` in the last ``step``, or may have been at an edge before: they are newly
    seen or beside that, or beside what is still tied, where samples mix both. What the key frame hides of all others it
    goes on hiding.
    """
    tied, new = track.valid[0].numpy() > 0, step.valid[0].numpy() == 0
    for _ in range(_edge(len(new)) + 1):
        new |= _beside(new)
    return np.flatnonzero((new | _beside(tied)) & ~tied)


def _beside(mask: Mask) -> Mask:
    """Which pixels (H, W) are neighbours of those in a ``mask``."""
    beside = np.zeros_like(mask)
    beside[1:] |= mask[:-1]
    beside[:-1] |= mask[1:]
    beside[:, 1:] |= mask[:, :-1]
    beside[:, :-1] |= mask[:, 1:]
    return beside


def _edge(height: int) -> int:
    """How wide an edge is, in pixels of a frame of that height."""
    return max(1, round(height * OVERHANG / 2))


def _few(pixels: Whole) -> Whole:
    """Evenly spread, at most ENOUGH of them."""
    return pixels[:: max(1, -(-len(pixels) // ENOUGH))]


def _length(vectors: Array) -> Array:
    """Of vectors (D, N): (N)."""
    lengths: Array = np.sqrt(np.square(vectors).sum(0))
    return lengths


def _affine(points: Floats) -> Array:
    """A map of ``RestPose`` (4, 3) as a matrix (4, 4) for columns."""
    return np.concatenate([points.T, [[0.0, 0.0, 0.0, 1.0]]])


def _depth(matrix: Array, points: Array) -> Array:
    """How far ``points`` (D, N) are in front (N), in some unit, for a projective map (3, D + 1)."""
    depth: Array = matrix[2, :-1] @ points + matrix[2, -1]
    return depth


def _projected(matrix: Array, points: Array) -> Array:
    """Points (D, N) under a projective map (3, D + 1): (2, N), OUTSIDE if they are behind."""
    depth = _depth(matrix, points)
    ahead = depth > 0
    places: Array = (matrix[:2, :-1] @ points + matrix[:2, -1:]) / np.where(ahead, depth, 1)
    places[:, ~ahead] = OUTSIDE
    return places


def _projection(points: Array, targets: Array) -> Array:
    """The projective map (3, D + 1) that takes ``points`` (D, N) to ``targets`` (2, N), best, all of them in front.

    The normalised direct linear transformation (Hartley and Zisserman 2004, algorithms 4.2 and 7.1), twice: the second
    time without the outliers that a silhouette's pixels are, and with all weighed alike, near or far. Points on a plane
    or a line leave much open: only what they tell is used.
    """
    (x, middle, spread), (y, centre, size) = _normalised(points), _normalised(targets)
    extents, axes = np.linalg.eigh(x @ x.T / x.shape[1])
    axes = axes[:, extents > FLAT**2 * extents[-1]]
    x = np.concatenate([axes.T @ x, np.ones_like(x[:1])])
    keep, depth = np.ones(x.shape[1], bool), np.ones(x.shape[1])
    for _ in range(2):
        some = x[:, keep] / depth[keep]
        none = np.zeros_like(some)
        across, down = y[:, keep]
        equations = np.concatenate(
            [np.concatenate([some, none, -across * some]), np.concatenate([none, some, -down * some])], 1
        )
        best = np.linalg.eigh(equations @ equations.T)[1][:, 0].reshape(3, -1)
        best *= np.sign(np.median(best[2] @ x)) or 1.0
        depth = np.maximum(best[2] @ x, 1e-3 * np.abs(best[2] @ x).max())
        error = _length(best[:2] @ x / depth - y)
        keep = error <= 3 * np.median(error) + 1e-9
    best[:2] = size * best[:2] + centre * best[2]
    slopes = best[:, :-1] @ axes.T / spread
    return np.concatenate([slopes, best[:, -1:] - slopes @ middle], 1)


def _normalised(points: Array) -> tuple[Array, Array, float]:
    """``points`` (D, N) around the origin, with a mean square of one; and where (D, 1) and how large they were."""
    middle = points.mean(1, keepdims=True)
    spread = float(np.sqrt(np.square(points - middle).mean())) or 1.0
    return (points - middle) / spread, middle, spread
