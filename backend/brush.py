"""A loaded brush: puts one curved stroke of paint on a canvas, with bristles, a dry end and thickness."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Stencil = Callable[[slice, slice], NDArray[np.bool_]]
"""Which pixels of a window (rows, columns) a stroke may touch."""

_BRISTLES = 12
_LAMP = (0.6, 0.8)  # paint that rises to the right and downward faces the studio's lamp, upper left


@dataclass(frozen=True)
class Stroke:
    """One stroke: its centre line ``points`` (Nx2: x and y in pixels, N >= 2), half width ``radius`` in pixels, and
    ``colour`` (3 display values). ``dryness``: 0 wet and even, 1 the bristles part from the start.
    """

    points: Array
    radius: float
    colour: Array
    opacity: float
    dryness: float


class Canvas:
    """What is painted so far: ``colour`` HxWx3 display values and ``height`` HxW, how thick the paint lies."""

    def __init__(self, ground: Array) -> None:
        self.colour = ground.astype(np.float32)
        self.height = np.zeros(ground.shape[:2], np.float32)

    def lay(self, stroke: Stroke, stencil: Stencil, rng: np.random.Generator) -> None:
        """Paint the stroke over what is there, where the stencil allows it."""
        low = np.floor(stroke.points.min(0) - stroke.radius - 1).astype(int)
        high = np.ceil(stroke.points.max(0) + stroke.radius + 2).astype(int)
        rows = slice(max(low[1], 0), min(high[1], self.height.shape[0]))
        columns = slice(max(low[0], 0), min(high[0], self.height.shape[1]))
        y, x = np.nonzero(stencil(rows, columns))
        across, along, gap = _place(stroke.points, x + columns.start, y + rows.start)
        width = stroke.radius * np.minimum(1, 0.6 + 2.5 * along) * (1 - 0.35 * along**3)
        cover = np.clip(width - gap + 0.5, 0, 1)
        touched = np.flatnonzero(cover)
        if not len(touched):
            return
        at = (y[touched] + rows.start, x[touched] + columns.start)
        along, cover = along[touched], cover[touched]
        offset = np.clip(across[touched] / width[touched], -1, 1)
        load = _bristles(offset, along, rng)
        # Paint runs out along the stroke: the thin bristles lift off first, and the ground shows between them.
        dry = stroke.dryness * (0.3 + 0.7 * along) - 0.12
        alpha = cover * stroke.opacity * np.clip((load - dry) / 0.22 + 0.5, 0, 1)
        paint = stroke.colour + (0.10 * (load - 0.5))[:, None] * (0.3 + stroke.colour)
        self.colour[at] += alpha[:, None] * (paint - self.colour[at])
        # A brush pushes paint to its sides: a ridge along both edges.
        thick = (0.6 * load + 0.35 * offset**4) * min(1.0, 0.3 + stroke.radius / 8)
        self.height[at] += alpha * (thick - self.height[at])

    def lit(self, strength: float) -> Array:
        """The picture with the relief of its paint under a lamp from the upper left."""
        down, right = np.asarray(np.gradient(self.height), np.float32)
        shade = np.clip(strength * (right * _LAMP[0] + down * _LAMP[1]), -0.12, 0.12)
        return np.asarray(np.clip(self.colour * (1 + shade[..., None]), 0, 1))


def _place(points: Array, x: Array, y: Array) -> tuple[Array, Array, Array]:
    """Each pixel's place on the stroke: signed distance across (pixels), 0..1 along, and distance to the line."""
    start, step = points[:-1], np.diff(points, axis=0)
    squared = np.maximum((step**2).sum(1), 1e-6)
    dx, dy = x[:, None] - start[:, 0], y[:, None] - start[:, 1]
    t = np.clip((dx * step[:, 0] + dy * step[:, 1]) / squared, 0, 1)
    gaps = (dx - t * step[:, 0]) ** 2 + (dy - t * step[:, 1]) ** 2
    nearest = gaps.argmin(1)
    pixel = np.arange(len(x))
    gap = np.sqrt(gaps[pixel, nearest])
    side = step[nearest, 0] * dy[pixel, nearest] - step[nearest, 1] * dx[pixel, nearest]
    length = np.sqrt(squared)
    passed = np.cumsum(length) - length
    along = (passed[nearest] + t[pixel, nearest] * length[nearest]) / length.sum()
    return np.where(side < 0, -gap, gap), along, gap


def _bristles(offset: Array, along: Array, rng: np.random.Generator) -> Array:
    """How much paint the bristle at ``offset`` (-1..1 across) carries, 0..1; it drifts a little along the stroke."""
    first, last = rng.random((2, _BRISTLES + 1))
    place = (offset + 1) * (_BRISTLES / 2)
    cell = np.minimum(place.astype(int), _BRISTLES - 1)
    share = place - cell
    begin = first[cell] + share * (first[cell + 1] - first[cell])
    end = last[cell] + share * (last[cell + 1] - last[cell])
    return np.asarray(begin + (0.15 + 0.5 * along) * (end - begin))
