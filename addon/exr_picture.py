"""The picture in an EXR that Blender wrote. No ``bpy`` here.

Of a multilayer file Blender shows the compositor's picture, or the first layer by name: so the files are read here;
pixels only where they are not packed or packed by ZIP.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from . import exr
from .backend.passes import PASSES

FloatImage = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

NONE, ZIP = (0,), (2, 3)  # numbers of compressions
TELLING = {name for kind in PASSES.values() for name in kind.in_files}  # they tell a layer from the compositor's


def read_combined(path: Path, view_layer: str) -> FloatImage:
    """The picture that a look sees: H x W x 4, scene-linear and premultiplied, the top row first.

    It is the Combined pass of the view layer that has most of the passes: where several do, ``view_layer``, or the
    first. Raises ShotError.
    """
    try:
        with path.open("rb") as file:
            part, channels = _combined(exr.parts(file), view_layer)
            return _pixels(file, part, channels)
    except (OSError, struct.error, ValueError, LookupError, zlib.error) as error:
        raise exr.unreadable(path, error) from error


def _combined(parts: list[exr.Part], view_layer: str) -> tuple[exr.Part, list[str]]:
    layers: dict[str, set[str]] = {}
    for part in parts:
        for channel in part.channels:
            layer, name, _ = _split(channel)
            if name in TELLING:
                layers.setdefault(layer, set()).add(name)
    best = max(layers, default="", key=lambda layer: (len(layers[layer]), layer == view_layer))
    for part in parts:
        found = {
            suffix.upper(): channel
            for channel in part.channels
            for layer, name, suffix in [_split(channel)]
            if (layer, name) == (best, "Combined")
        }
        if found:
            return part, [found[suffix] for suffix in "RGBA"]
    raise ValueError("it has no Combined pass")


def _split(channel: str) -> tuple[str, str, str]:
    """``View.Layer.Combined.R`` -> ("View.Layer", "Combined", "R")."""
    rest, _, suffix = channel.rpartition(".")
    layer, _, name = rest.rpartition(".")
    return layer, name, suffix


def _pixels(file: BinaryIO, part: exr.Part, channels: list[str]) -> FloatImage:
    left, top, right, bottom = part.data
    across, down = right - left + 1, bottom - top + 1
    row = np.dtype([(name, kind, (across,)) for name, kind in part.channels.items()])
    inside = np.zeros((down, across, 4), np.float32)
    for line, data in _chunks(file, part, row.itemsize):
        rows = data.view(row)
        for index, channel in enumerate(channels):
            inside[line - top : line - top + len(rows), :, index] = rows[channel]
    return _placed(inside, part)


def _placed(inside: FloatImage, part: exr.Part) -> FloatImage:
    """The data window in the display window: a border that was rendered in a picture that was not."""
    left, top, right, bottom = part.display
    whole = np.zeros((bottom - top + 1, right - left + 1, 4), np.float32)
    x, y = part.data[0] - left, part.data[1] - top
    there = whole[max(y, 0) : max(y + inside.shape[0], 0), max(x, 0) : max(x + inside.shape[1], 0)]
    there[...] = inside[max(-y, 0) :, max(-x, 0) :][: there.shape[0], : there.shape[1]]
    return whole


def _chunks(file: BinaryIO, part: exr.Part, row: int) -> Iterator[tuple[int, Bytes]]:
    """First line and unpacked bytes of each chunk; a line has ``row`` bytes."""
    if part.compression not in NONE + ZIP:
        raise ValueError("it is not packed by ZIP, as Paintover's frames are")
    for offset in part.offsets:
        file.seek(offset)
        *_, line, length = exr.unpack(file, part.lead)
        size = row * min(exr.LINES[part.compression], part.data[3] - line + 1)
        data = file.read(length)
        yield line, np.frombuffer(data, np.uint8) if length == size else _unzip(data, size)


def _unzip(data: bytes, size: int) -> Bytes:
    """ZIP packs differences from byte to byte, first of all even places, then of all odd ones."""
    steps = np.frombuffer(zlib.decompress(data), np.uint8) ^ np.uint8(128)  # less 128, as it was packed with 128 more
    if len(steps) != size:
        raise ValueError("a chunk has not the size that it should have")
    steps[0] ^= np.uint8(128)  # the first is no difference
    values = np.cumsum(steps, dtype=np.uint8)
    result = np.empty_like(values)
    middle = (size + 1) // 2
    result[0::2], result[1::2] = values[:middle], values[middle:]
    return result
