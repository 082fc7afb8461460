"""Paint behind what passes: pixels that lost their track to the key frame are tied to it again.

Vectors lead from frame to frame, so a surface that is hidden in a single one has lost the key frame, however well that
shows it. What moved as one piece can be looked up there without the frames between: it is projected by its rest pose
and the key frame's camera, and the sky by the way that the rest of the sky went. Cameras are fitted to the position
passes. All of that is believed only where it agrees with the tracks that did hold, and where the key frame shows the
same side of that same place, or sky.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ..machine import in_chunks
from ..motion import ENOUGH, STILL, Array, Names, Track
from .carry import OVERHANG, SAME_DEPTH, Walk, largest_within

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
SKY = 2**31 - 1  # its name among the objects', which are bits of numbers: these are of none


@dataclass(frozen=True)
class Group:
    """``pixels`` (N), counted row by row, sorted by the ``names`` (N) of what they show: the sky comes last."""

    pixels: Whole
    names: Names

    @cached_property
    def parts(self) -> dict[int, slice]:
        """Where each name's begin and end."""
        ends = [0, *(np.flatnonzero(np.diff(self.names)) + 1).tolist(), len(self.names)]
        return {int(self.names[start]): slice(start, stop) for start, stop in pairwise(ends) if start < stop}

    def only(self, which: Mask) -> "Group":
        """Some of them."""
        return Group(self.pixels[which], self.names[which])


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
        objects = np.int32(0) if motion.objects is None else motion.objects.ravel()
        # Of all pixels: the sky has no position.
        self.names: Names = np.where(self._position.any(0), objects, np.int32(SKY))
        self.stride = max(1, round((self.height * self.width / SAMPLES) ** 0.5))
        rows, columns = np.arange(0, self.height, self.stride), np.arange(0, self.width, self.stride)
        self.samples: Whole = (rows[:, None] * self.width + columns).ravel()
        self.camera: Array | None = None
        self.eye: Array | None = None
        some = _few(self.samples[self.names[self.samples] != SKY])
        if motion.objects is None or len(some) < LEAST:
            return
        camera = _projection(self.position(some), self.places(some))
        if np.median(_length(_projected(camera, self.position(some)) - self.places(some))) < PLAIN:
            self.camera = camera
            depth = _depth(camera, self.position(some))
            if np.ptp(depth) > PERSPECTIVE * np.median(depth):
                *place, one = np.linalg.svd(camera)[2][-1]
                self.eye = np.array(place)[:, None] / one

    def position(self, pixels: Whole) -> Array:
        """World positions (3, N), metres: with more digits than the pass has, or what is far from the world's origin
        would lose a part of a pixel on its way.
        """
        return self._position.take(pixels, 1).astype(np.float64)

    def places(self, pixels: Whole) -> Array:
        """Columns and rows (2, N)."""
        rows, columns = np.divmod(pixels, self.width)
        return np.stack([columns, rows], dtype=np.float32, casting="unsafe")

    def group(self, pixels: Whole, wanted: Collection[int] | None = None) -> Group:
        """The ``pixels`` (N), those of the ``wanted`` names or all."""
        names = self.names.take(pixels)
        if wanted is not None:
            among = np.isin(names, np.fromiter(wanted, np.int32, len(wanted)))
            pixels, names = pixels[among], names[among]
        order = np.argsort(names, kind="stable")
        return Group(pixels[order], names[order])

    def inner(self) -> Mask:
        """Which of all pixels (H * W) are within surfaces, and not at an edge: its outline goes with what is seen, not
        with what it is seen on. Half of how far strokes overhang was found to be best.
        """
        step = max(1, self.height // EDGES)
        position = np.ascontiguousarray(self._position.reshape(3, self.height, self.width)[:, ::step, ::step])
        near = np.ones_like(position[0])
        if self.camera is not None:
            near /= np.maximum(_depth(self.camera, position), np.finfo(np.float32).eps)
        near[self.names.reshape(self.height, self.width)[::step, ::step] == SKY] = 0
        both = largest_within(torch.from_numpy(np.stack([near, -near])), _edge(near.shape[0]))
        even = (both[0] <= -SAME_DEPTH * both[1]).numpy()
        inner: Mask = even.repeat(step, 0).repeat(step, 1)[: self.height, : self.width].ravel()
        return inner

    def names_at(self, places: Array, names: Names) -> Mask:
        """At which of the ``places`` (2, N) is nothing but what has these ``names`` (N)."""
        end = np.array([[self.width], [self.height]])
        same: Mask = ((places >= -0.5) & (places <= end - 0.5)).all(0)
        inside = np.flatnonzero(same)
        places, names = places[:, inside], names[inside]
        same[inside] = np.all([self.names.take(pixels) == names for pixels in self._around(places)], 0)
        return same

    def shows(self, found: Found, solid: Mask) -> Mask:
        """Which of the places that were ``found``, all in the frame, show just that, and from that side. What is not
        ``solid`` (N) is sky, which is everywhere the same.
        """
        around = [self.position(pixels) for pixels in self._around(found.places)]
        across, back = around[1] - around[0], around[3] - around[2]
        away = np.min([_length(corner - found.position) for corner in around], 0)
        same: Mask = away <= NEAR * np.maximum(_length(across), _length(back))
        if self.camera is not None:  # at an edge only the nearer surface is shown
            nearest = np.min([_depth(self.camera, corner) for corner in around], 0)
            same &= _depth(self.camera, found.position) <= SAME_DEPTH * nearest
        if self.eye is not None:  # thin things have their other side just there
            facing = np.cross(across, back, axis=0)
            sides = [(facing * (eye - found.position)).sum(0) for eye in (self.eye, found.eye)]
            same &= sides[0] * sides[1] >= 0
        return same | ~solid

    def _around(self, places: Array) -> list[Whole]:
        """The four pixels around each of the ``places`` (2, N): the first two, and the others, lie across."""
        end = np.array([[self.width], [self.height]])
        left, top = np.clip(np.floor(places), 0, np.maximum(end - 2, 0)).astype(np.int64)
        first, right, down = top * self.width + left, min(1, self.width - 1), min(1, self.height - 1) * self.width
        return [first, first + right + down, first + right, first + down]


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
            lost = lost[~slid | (now.names[lost] != name)]
        middle = np.array([[now.width], [now.height]], np.float32) / 2
        inner = now.inner()
        self._last = now

        def work(chunk: slice) -> None:
            group = now.group(lost[chunk], ways)
            here = now.places(group.pixels)
            places = _places(now, self._key, group, here, ways)
            # What was far outside keeps the flow that it had: samples would mix it into that of what is tied.
            close = (np.abs(places - middle) < 3 * middle).all(0)
            flow[:, group.pixels[close]] = (places - here)[:, close]
            some = inner[group.pixels]
            some[some] = self._key.names_at(places[:, some], group.names[some])
            group = group.only(some)
            found = Found(places[:, some], *_before(now, self._key, group, ways))
            valid[group.pixels] = self._key.shows(found, group.names != SKY)

        in_chunks(work, len(lost))

    def _ways(self, now: Seen, track: Track) -> Ways:
        """Those of all objects most of whose tracks, where they held, agree."""
        group, here, target = _held(now, track)
        ways: Ways = {}
        held = {name for name, part in group.parts.items() if part.stop - part.start >= LEAST} - self._bent
        if SKY in held:
            some = _few(np.arange(len(group.names))[group.parts[SKY]])
            if np.ptp(here[:, some], 1).all():  # of a mere row of pixels nobody can tell the way of others
                ways[SKY] = _projection(here[:, some], target[:, some])
        solid = held - {SKY}
        if now.camera is not None and self._key.camera is not None and solid:
            ways |= _moved(now, self._key, solid)
        error = _length(_places(now, self._key, group, here, ways) - target)
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
    if now.camera is None or last.camera is None or not names:
        return {}
    group, here, target = _held(now, step)
    slid = _length(_places(now, last, group, here, _moved(now, last, names)) - target) > SLIDES
    sliding = {}
    for name, part in group.parts.items():
        if name in names and slid[part].mean() > FEW:
            votes = torch.zeros(1, -(-now.height // now.stride), -(-now.width // now.stride))
            columns, rows = here[:, part].astype(np.int64) // now.stride
            votes[0, rows, columns] = torch.from_numpy(np.where(slid[part], 1.0, -1.0)).float()
            near, far = (F.avg_pool2d(votes, 2 * reach + 1, 1, reach)[0] for reach in AROUND)
            sliding[name] = torch.where(near == 0, far, near).numpy() > 0
    return sliding


def _moved(now: Seen, then: Seen, names: Collection[int]) -> Ways:
    """How the objects of these ``names`` went from now to then, by their rest poses."""
    here, there = (np.stack([_affine(seen.maps.get(name, STILL)) for name in names]) for seen in (now, then))
    return dict(zip(names, np.linalg.solve(there, here), strict=True))


def _places(now: Seen, then: Seen, group: Group, here: Array, ways: Ways) -> Array:
    """Where another frame has a ``group`` of pixels, which are ``here``: (2, N) both; what has no way stays there.

    A pixel shows a random point of itself: by so far as that is from the pixel now, it is taken to be then.
    """
    places, position = here.copy(), now.position(group.pixels)
    for name, part in group.parts.items():
        if name == SKY and name in ways:
            places[:, part] = _projected(ways[name], here[:, part])
        elif name in ways and now.camera is not None and then.camera is not None:
            places[:, part] += _projected(then.camera @ ways[name], position[:, part])
            places[:, part] -= _projected(now.camera, position[:, part])
    return places


def _before(now: Seen, then: Seen, group: Group, ways: Ways) -> tuple[Array, Array]:
    """Where in the world a ``group`` of pixels was then, and from where one would have seen it as now: (3, N)."""
    before = now.position(group.pixels)
    eye = np.zeros_like(before)
    for name, part in group.parts.items():
        if name != SKY:
            way = ways[name][:3]
            before[:, part] = _mapped(way, before[:, part])
            if now.eye is not None:
                eye[:, part] = _mapped(way, now.eye)
            elif then.eye is not None:
                eye[:, part] = then.eye
    return before, eye


def _lost(track: Track, step: Track) -> Whole:
    """The pixels (N) that lost their ``track`` in the last ``step``, or may have been at an edge before: they are newly
    seen or beside that, or beside what is still tied, where samples mix both. What the key frame hides of all others it
    goes on hiding.
    """
    tied, new = track.valid[0] > 0, step.valid[0] == 0
    beside = largest_within(new, _edge(len(new)) + 1) | largest_within(tied, 1)
    return np.flatnonzero((beside & ~tied).numpy())


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


def _affine(points: Array) -> Array:
    """A map of ``RestPose`` (4, 3) as a matrix (4, 4) for columns."""
    return np.concatenate([points.T, [[0.0, 0.0, 0.0, 1.0]]])


def _depth(matrix: Array, points: Array) -> Array:
    """How far ``points`` (D, N) are in front (N), in some unit, for a projective map (3, D + 1)."""
    depth: Array = np.einsum("d,d...->...", matrix[2, :-1].astype(points.dtype), points)
    depth += points.dtype.type(matrix[2, -1])
    return depth


def _mapped(matrix: Array, points: Array) -> Array:
    """``points`` (D, N) under an affine map (M, D + 1): (M, N).

    Not by ``@``: several threads that multiply large matrices wait for each other, ten times as long as it takes.
    """
    matrix = matrix.astype(points.dtype)
    mapped: Array = np.einsum("md,dn->mn", matrix[:, :-1], points)
    mapped += matrix[:, -1:]
    return mapped


def _projected(matrix: Array, points: Array) -> Array:
    """Points (D, N) under a projective map (3, D + 1): (2, N), OUTSIDE if they are behind."""
    *places, depth = _mapped(matrix, points)
    ahead = depth > 0
    depth[~ahead] = 1
    result: Array = np.stack(places)
    result /= depth
    result[:, ~ahead] = OUTSIDE
    return result


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
    points = points.astype(np.float64)
    middle = points.mean(1, keepdims=True)
    spread = float(np.sqrt(np.square(points - middle).mean())) or 1.0
    return (points - middle) / spread, middle, spread
