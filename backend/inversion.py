"""The numerical inverse of a colour function that has no exact one: a table, and Newton steps where it is coarse.

View transforms such as AgX are tables of Blender's own, with folds, plateaus and colours that they never show. Here the
cube of shown colours is inverted once, from grey outward so that neighbours agree, by Levenberg-Marquardt steps.
A colour that cannot be shown gets the nearest one that can.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .machine import share_out

Colours = npt.NDArray[np.float64]  # N x 3
Planes = npt.NDArray[np.float64]  # the same numbers of N colours side by side: (..., N)
Function = Callable[[Colours], Colours]  # coordinates 0..1 to shown values 0..1, both N x 3

_SIZES = (17, 33, 65)  # nodes along each side, coarse to fine: one starts from the other
_STEPS = (40, 8, 6)  # Newton steps at each size
_LEVEL = 255.0  # errors are counted in 8-bit steps
_SHOWN = 2.0  # an error up to this is called the same colour
_GOOD = 0.2  # a colour as near as this needs no more steps
_SHARE = 8192  # colours that one thread takes at a time: fewer than views share out themselves, see ``share_out``
_STUCK = 1e8  # the damping at which steps are too small to matter
_GREY = 1.0  # weight that draws undetermined coordinates to grey; where one is determined, it moves under 0.1 step


@dataclass(frozen=True)
class InverseTable:
    """``nodes``: n x n x n x 3 coordinates, red slowest. ``hopeless``: cells that hold no colour that can be shown.

    ``coverage``: which share of the nodes can be shown, 0..1.
    """

    nodes: npt.NDArray[np.float32]
    hopeless: npt.NDArray[np.bool_]
    coverage: float


def bake(function: Function, least_coverage: float) -> InverseTable:
    """Invert ``function`` on the whole cube; stops early at a coarse table that covers less than ``least_coverage``."""
    shown, nodes, coverage = _cube(_SIZES[0]), np.empty(0), 0.0
    for size, steps in zip(_SIZES, _STEPS, strict=True):
        shown = _cube(size)
        start = _greys(function, shown) if not nodes.size else _finer(nodes, size)
        nodes = solve(function, shown, start, steps)
        if size != _SIZES[-1]:
            nodes = _spread(function, shown, nodes)
        coverage = float((errors(function, shown, nodes) <= _SHOWN).mean())
        if coverage < least_coverage:
            break
    size = round(len(nodes) ** (1 / 3))
    missed = errors(function, shown, nodes).reshape(size, size, size) > _SHOWN
    hopeless = np.ones((size - 1,) * 3, bool)
    for corner in np.ndindex(2, 2, 2):
        hopeless &= missed[tuple(slice(at, at + size - 1) for at in corner)]
    return InverseTable(nodes.reshape(size, size, size, 3).astype(np.float32), hopeless, coverage)


def errors(function: Function, shown: Colours, at: Colours) -> npt.NDArray[np.float64]:
    """How far ``function`` is off, N values in 8-bit steps, the worst channel each."""
    off: npt.NDArray[np.float64] = _LEVEL * np.abs(function(at) - shown).max(axis=1)
    return off


def best(function: Function, shown: Colours, choices: list[Colours]) -> Colours:
    """For each colour the one of several N x 3 coordinates that shows it best."""
    order = np.argmin([_cost(function, shown, choice)[1] for choice in choices], axis=0)
    chosen: Colours = np.stack(choices)[order, np.arange(len(shown))]
    return chosen


def solve(function: Function, shown: Colours, start: Colours, steps: int) -> Colours:
    """The coordinates in 0..1 at which ``function`` comes nearest to ``shown``, from ``start`` on. All N x 3."""
    solved = np.empty_like(start)

    def work(chunk: slice) -> None:
        solved[chunk] = _solved(function, shown[chunk], start[chunk], steps)

    share_out(work, [slice(begin, begin + _SHARE) for begin in range(0, len(start), _SHARE)])
    return solved


def _solved(function: Function, shown: Colours, start: Colours, steps: int) -> Colours:
    at = np.clip(start, 0.0, 1.0)
    miss, cost = _cost(function, shown, at)
    damping = np.full(len(at), 100.0)
    for _ in range(steps):
        go = np.flatnonzero((np.abs(miss).max(axis=1) > _GOOD) & (damping < _STUCK))
        tried = _step(function, at[go], miss[go], damping[go])
        tried_miss, tried_cost = _cost(function, shown[go], tried)
        better = tried_cost < cost[go]
        damping[go] = np.where(better, np.maximum(damping[go] * 0.3, 0.01), damping[go] * 4)
        taken = go[better]
        at[taken], miss[taken], cost[taken] = tried[better], tried_miss[better], tried_cost[better]
    return at


def _step(function: Function, at: Colours, miss: Colours, damping: npt.NDArray[np.float64]) -> Colours:
    """One Levenberg-Marquardt step within 0..1."""
    identity = np.eye(3)[..., None]
    grey = _GREY * (identity - 1 / 3)
    slope, at = _slope(function, at), at.T
    gradient = np.einsum("scn,sn->cn", slope, miss.T) + np.einsum("cd,dn->cn", grey[..., 0], at)
    curvature = np.einsum("scn,sdn->cdn", slope, slope) + grey + damping * identity
    # A coordinate that is at the border and wants out takes no part.
    fixed = ((at <= 0) & (gradient > 0)) | ((at >= 1) & (gradient < 0))
    curvature = np.where(fixed[:, None] | fixed, identity, curvature)
    step = _divided(np.where(fixed, 0.0, gradient), curvature)
    stepped: Colours = np.clip(at - np.clip(step, -0.1, 0.1), 0.0, 1.0).T
    return stepped


def _divided(vectors: Planes, matrices: Planes) -> Planes:
    """The solutions (3, N) of N symmetric positive definite equations, ``matrices`` (3, 3, N), by their LDL factors
    (Golub and Van Loan, section 4.1): in a tenth of the time that numpy takes for small matrices.
    """
    (first, _, _), (a, middle, _), (b, c, last) = matrices
    below = a / first, b / first
    second = middle - below[0] * a
    rest = c - below[1] * a
    lowest = rest / second
    x = vectors[0]
    y = vectors[1] - below[0] * x
    z = vectors[2] - below[1] * x - lowest * y
    z /= last - below[1] * b - lowest * rest
    y = y / second - lowest * z
    return np.stack([x / first - below[0] * y - below[1] * z, y, z])


def _cost(function: Function, shown: Colours, at: Colours) -> tuple[Colours, npt.NDArray[np.float64]]:
    miss = _LEVEL * (function(at) - shown)
    colourfulness = at - at.mean(axis=1, keepdims=True)
    return miss, (miss**2).sum(axis=1) + _GREY * (colourfulness**2).sum(axis=1)


def _slope(function: Function, at: Colours) -> Planes:
    """How much each shown channel changes with each coordinate, in 8-bit steps: (3, 3, N), by differences that stay
    within 0..1.
    """
    slope = np.empty((3, 3, len(at)))
    for channel in range(3):
        offset = np.zeros(3)
        offset[channel] = 0.002
        above, below = np.minimum(at + offset, 1.0), np.maximum(at - offset, 0.0)
        slope[:, channel] = _LEVEL * (function(above) - function(below)).T / (above - below)[:, channel]
    return slope


def _cube(size: int) -> Colours:
    axis = np.linspace(0.0, 1.0, size)
    cube: Colours = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    return cube


def _greys(function: Function, shown: Colours) -> Colours:
    """For each colour the smallest grey coordinates that show its mean."""
    greys = np.linspace(0.0, 1.0, 2001)
    levels = np.maximum.accumulate(function(np.repeat(greys[:, None], 3, axis=1)).mean(axis=1))
    wanted = np.minimum(shown.mean(axis=1), levels[-1] - 0.2 / _LEVEL)  # not far out on the plateau at white
    return np.repeat(np.interp(wanted, levels, greys)[:, None], 3, axis=1)


def _finer(nodes: Colours, size: int) -> Colours:
    """The same table with more nodes, linearly between the old ones."""
    old = round(len(nodes) ** (1 / 3))
    table = nodes.reshape(old, old, old, 3)
    place = np.linspace(0, old - 1, size)
    left = np.minimum(place.astype(int), old - 2)
    for axis in range(3):
        part = (place - left).reshape([size if a == axis else 1 for a in range(4)])
        table = np.take(table, left, axis) * (1 - part) + np.take(table, left + 1, axis) * part
    finer: Colours = table.reshape(-1, 3)
    return finer


def _spread(function: Function, shown: Colours, nodes: Colours) -> Colours:
    """Nodes stuck in a local minimum start again from their neighbours' coordinates, and keep what is better."""
    size = round(len(nodes) ** (1 / 3))
    for axis, shift in [(axis, shift) for axis in range(3) for shift in (1, -1)]:
        stuck = np.flatnonzero(errors(function, shown, nodes) > 0.5)
        neighbours = np.roll(nodes.reshape(size, size, size, 3), shift, axis).reshape(-1, 3)
        tried = solve(function, shown[stuck], neighbours[stuck], 5)
        nodes[stuck] = best(function, shown[stuck], [nodes[stuck], tried])
    return nodes
