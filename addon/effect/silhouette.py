"""The outline of a surface as a box sees it from the front, drawn without a render. No ``bpy`` here."""

import struct
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
Triangles = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Silhouette:
    """``mask`` (H, W), row 0 at the top, spans the box. ``front``, ``back``: how far what is seen of it reaches.

    In heights of the box from its middle, toward the viewer.
    """

    mask: Mask
    front: float
    back: float

    @property
    def empty(self) -> bool:
        return not self.mask.any()

    def png(self) -> bytes:
        """The mask as a grey PNG (W3C, Portable Network Graphics, sections 5 and 7): white where it is set."""
        rows, columns = self.mask.shape
        lines = np.zeros((rows, columns + 1), np.uint8)  # each begins with the number of its filter: none
        lines[:, 1:] = self.mask * np.uint8(255)
        header = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
        packed = zlib.compress(lines.tobytes(), 9)
        return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def draw(points: Points, triangles: Triangles, across: float, deep: float, rows: int) -> Silhouette:
    """The outline of ``triangles`` (T, 3) over ``points`` (N, 3).

    Points are in heights of the box, from the middle of its floor: x to the right, y away from the viewer, z up. The
    box is ``across`` wide and ``deep`` deep; triangles wholly in front of it or behind are not seen. ``rows``: of the
    mask.
    """
    corners = points[triangles]
    corners = corners[(corners[..., 1].min(1) <= deep / 2) & (corners[..., 1].max(1) >= -deep / 2)]
    columns = max(round(rows * across), 1)
    x = (corners[..., 0] / across + 0.5) * columns
    y = (1 - corners[..., 2]) * rows
    mask = _covered(x, y, rows, columns)
    part = corners[((x.min(1) <= columns) & (x.max(1) >= 0) & (y.min(1) <= rows) & (y.max(1) >= 0)), :, 1]
    depths = np.clip(part, -deep / 2, deep / 2) if part.size else np.zeros(1)
    return Silhouette(mask, -float(depths.min()), -float(depths.max()))


def _covered(x: Points, y: Points, rows: int, columns: int) -> Mask:
    """The pixels that triangles touch, whose corners (T, 3) these are: none is too thin to be seen."""
    mask = np.zeros((rows, columns), bool)
    for row in range(rows):
        left, right = _extent(x, y, row, row + 1)
        there = (left <= right) & (right >= 0) & (left < columns)
        first = np.clip(np.floor(left[there]), 0, columns - 1).astype(int)
        last = np.clip(np.floor(right[there]), 0, columns - 1).astype(int)
        change = np.bincount(first, minlength=columns + 1) - np.bincount(last + 1, minlength=columns + 1)
        mask[row] = np.cumsum(change)[:columns] > 0
    return mask


def _extent(x: Points, y: Points, top: float, bottom: float) -> tuple[Points, Points]:
    """From where to where each triangle reaches between two lines; where it does not, from infinity to minus that."""
    within = (y >= top) & (y <= bottom)
    places, valid = [x], [within]
    next_x, next_y = np.roll(x, -1, 1), np.roll(y, -1, 1)
    for line in (top, bottom):
        crosses = (y < line) != (next_y < line)
        share = (line - y) / np.where(crosses, next_y - y, 1)
        places.append(x + share * (next_x - x))
        valid.append(crosses)
    place, there = np.concatenate(places, 1), np.concatenate(valid, 1)
    return np.where(there, place, np.inf).min(1), np.where(there, place, -np.inf).max(1)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
