"""OpenVDB files: their grids of numbers and of 3-vectors as arrays.

No wheel of OpenVDB's own library exists, and Blender brings its module in some builds only. What a fluid's cache needs
of the format is little: trees of the usual shape (root, 32^3, 16^3, leaves of 8^3) in the file versions since 2013.
The layout is that of OpenVDB's ``io/Archive.cc``, ``io/Compression.h`` and ``tree/InternalNode.h``.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from . import blosc

Values: TypeAlias = NDArray[np.float32]

MAGIC = 0x56444220
VERSIONS = range(222, 226)  # of the file format; 222: values are stored by mask
_ZIP, _ACTIVE_MASK, _BLOSC = 1, 2, 4
_HALF = "_HalfFloat"
_TYPES = {"Tree_float_5_4_3": 1, "Tree_vec3s_5_4_3": 3}
"""Numbers to a value, of the types that can be read."""
_LOG_SIZES = (5, 4, 3)  # of internal nodes, the last of leaves
_SCALED = ("UniformScaleMap", "ScaleMap", "UniformScaleTranslateMap", "ScaleTranslateMap")
_BROKEN = (struct.error, zlib.error, ValueError, IndexError, UnicodeDecodeError)


class VdbError(Exception):
    """A file that is no OpenVDB file, is broken, or holds what this reader does not know; says which."""


@dataclass(frozen=True)
class Grid:
    """One grid of a file, without its values.

    ``type``: OpenVDB's name. ``metadata``: what was said of it. ``voxel``: sides of a voxel, in metres.
    """

    name: str
    type: str
    metadata: dict[str, Any]
    voxel: tuple[float, float, float] = (1.0, 1.0, 1.0)
    half: bool = False
    compression: int = 0
    tree: int = 0


def grids(data: bytes) -> dict[str, Grid]:
    """The grids of a file by name. Raises ``VdbError``."""
    try:
        return {grid.name: grid for grid in _grids(_Reader(data))}
    except _BROKEN as error:
        raise VdbError(f"it is broken: {error}") from error


def dense(data: bytes, grid: Grid, low: tuple[int, int, int], size: tuple[int, int, int]) -> Values:
    """The values from voxel ``low`` on, (X, Y, Z) or of vectors (X, Y, Z, 3). Raises ``VdbError``."""
    if grid.type not in _TYPES:
        raise VdbError(f"its grid {grid.name} holds {grid.type}, no floating-point numbers")
    try:
        return _Tree(_Reader(data, grid.tree), grid).dense(low, size)
    except _BROKEN as error:
        raise VdbError(f"its grid {grid.name} is broken: {error}") from error


class _Reader:
    """A place in the bytes of a file."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data, self.at = data, at

    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise ValueError("it ends too early")
        self.at += count
        return self.data[self.at - count : self.at]

    def numbers(self, form: str) -> tuple[Any, ...]:
        return struct.unpack(f"<{form}", self.take(struct.calcsize(f"<{form}")))

    def number(self, form: str) -> int:
        return int(self.numbers(form)[0])

    def text(self) -> str:
        return self.take(self.number("I")).decode()

    def bits(self, count: int) -> NDArray[np.bool_]:
        return np.unpackbits(np.frombuffer(self.take(count // 8), np.uint8), bitorder="little").astype(bool)

    def metadata(self) -> dict[str, Any]:
        forms = {"bool": "?", "int32": "i", "int64": "q", "float": "f", "double": "d", "vec3i": "3i", "vec3d": "3d"}
        found: dict[str, Any] = {}
        for _ in range(self.number("I")):
            name, type_ = self.text(), self.text()
            value = self.take(self.number("I"))
            if type_ == "string":
                found[name] = value.decode()
            elif type_ in forms:
                numbers = struct.unpack(f"<{forms[type_]}", value)
                found[name] = numbers if len(numbers) > 1 else numbers[0]
        return found


def _grids(reader: _Reader) -> Iterator[Grid]:
    if reader.data[:4] != MAGIC.to_bytes(4, "little"):
        raise VdbError("it is no OpenVDB file")
    reader.take(8)
    version, _, _, offsets = reader.numbers("III?")
    if version not in VERSIONS or not offsets:
        known = f"{VERSIONS.start} to {VERSIONS.stop - 1}"
        raise VdbError(f"it is of OpenVDB's file version {version}; versions {known} can be read")
    reader.take(36)  # an id
    reader.metadata()
    for _ in range(reader.number("I")):
        name, type_, parent = reader.text().partition("\x1e")[0], reader.text(), reader.text()
        start, _, end = reader.numbers("3q")
        grid = Grid(name, type_.removesuffix(_HALF), {}, half=type_.endswith(_HALF))
        if parent:
            raise VdbError(f"its grid {name} shares the values of another, {parent}")
        yield _with_header(grid, _Reader(reader.data, start))
        reader.at = end


def _with_header(grid: Grid, reader: _Reader) -> Grid:
    compression = reader.number("I")
    metadata = reader.metadata()
    shape = reader.text()
    if shape not in _SCALED:
        raise VdbError(f"its grid {grid.name} is placed by a {shape}: only grids along the axes can be read")
    if "Translate" in shape:
        reader.take(24)
    voxel = reader.numbers("3d")
    reader.take(4 * 24)  # the same in other forms
    if not all(math.isfinite(side) and side > 0 for side in voxel):
        raise VdbError(f"the voxels of its grid {grid.name} have no size")
    return replace(grid, metadata=metadata, voxel=voxel, compression=compression, tree=reader.at)


class _Tree:
    """The values of one grid, in the order in which they are stored: the nodes first, then what is in the leaves."""

    def __init__(self, reader: _Reader, grid: Grid) -> None:
        self._reader, self._grid, self._numbers = reader, grid, _TYPES[grid.type]
        self._leaves: list[tuple[tuple[int, ...], NDArray[np.bool_]]] = []

    def dense(self, low: tuple[int, int, int], size: tuple[int, int, int]) -> Values:
        reader = self._reader
        reader.take(4)  # how many buffers: one
        self._background = self._value()
        found = np.empty((*size, self._numbers), np.float32)
        found[:] = self._background
        tiles, children = reader.numbers("II")
        for _ in range(tiles):
            origin, value = reader.numbers("3i"), self._value()
            reader.take(1)
            self._put(found, low, origin, 1 << sum(_LOG_SIZES), value)
        for _ in range(children):
            self._node(found, low, reader.numbers("3i"), 0)
        for origin, mask in self._leaves:
            reader.take(mask.size // 8)  # the mask once more
            self._put(found, low, origin, 8, self._values(mask).reshape(8, 8, 8, self._numbers))
        return found if self._numbers > 1 else found[..., 0]

    def _node(self, found: Values, low: tuple[int, int, int], origin: tuple[int, ...], level: int) -> None:
        log = _LOG_SIZES[level]
        if level == len(_LOG_SIZES) - 1:
            self._leaves.append((origin, self._reader.bits(1 << 3 * log)))
            return
        children, active = self._reader.bits(1 << 3 * log), self._reader.bits(1 << 3 * log)
        values = self._values(active)
        side = 1 << sum(_LOG_SIZES[level + 1 :])

        def corner(index: int) -> tuple[int, ...]:
            steps = (index >> 2 * log, index >> log & (1 << log) - 1, index & (1 << log) - 1)
            return tuple(start + step * side for start, step in zip(origin, steps, strict=True))

        for index in np.flatnonzero(~children & (values != self._background).any(1)):
            self._put(found, low, corner(int(index)), side, values[index])
        for index in np.flatnonzero(children):
            self._node(found, low, corner(int(index)), level + 1)

    @staticmethod
    def _put(found: Values, low: tuple[int, int, int], origin: tuple[int, ...], side: int, values: Values) -> None:
        """Lay a value, or (side, side, side, numbers) of them, where they belong, as far as that is wanted."""
        start = [at - first for at, first in zip(origin, low, strict=True)]
        into = tuple(
            slice(max(at, 0), max(min(at + side, most), 0)) for at, most in zip(start, found.shape[:3], strict=True)
        )
        if values.ndim > 1:
            values = values[tuple(slice(part.start - at, part.stop - at) for part, at in zip(into, start, strict=True))]
        if all(part.start < part.stop for part in into):
            found[into] = values

    def _value(self) -> Values:
        return np.array(self._reader.numbers(f"{self._numbers}f"), np.float32)

    def _values(self, active: NDArray[np.bool_]) -> Values:
        """Of every place of a node, (places, numbers): those that are ``active`` are stored, others follow a rule."""
        reader, background = self._reader, self._background
        rule = reader.number("b")
        # 0: the background; 1: its negative; 2, 4, 5: one or two values that follow; 3, 4, 5: a mask says which of two;
        # 6: all of them are stored
        first, second = (background if rule == 0 else -background), background
        if rule in (2, 4, 5):
            first = self._value()
        if rule == 5:
            second = self._value()
        chosen = reader.bits(active.size) if rule in (3, 4, 5) else np.zeros_like(active)
        sparse = rule != 6 and bool(self._grid.compression & _ACTIVE_MASK)
        stored = self._stored(int(active.sum()) if sparse else active.size)
        if not sparse:
            return stored
        found = np.where(chosen[:, None], second, first).astype(np.float32)
        found[active] = stored
        return found

    def _stored(self, count: int) -> Values:
        reader, compression = self._reader, self._grid.compression
        kind = np.dtype("<f2" if self._grid.half else "<f4")
        size = count * self._numbers * kind.itemsize
        if count == 0 and self._grid.half:
            return np.empty((0, self._numbers), np.float32)
        if compression & (_BLOSC | _ZIP):
            packed = reader.number("q")
            block = reader.take(abs(packed))
            if packed > 0:
                block = blosc.unpacked(block) if compression & _BLOSC else zlib.decompress(block)
        else:
            block = reader.take(size)
        if len(block) != size:
            raise ValueError("a block of values has another size than it should")
        return np.frombuffer(block, kind).reshape(count, self._numbers).astype(np.float32)
