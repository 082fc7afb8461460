"""EXRs that Blender wrote: whether one is whole, and the picture in it. No ``bpy`` here.

On a full disk Blender says that all is well, and of a multilayer file it shows the compositor's picture, or the first
layer by name: so the files are read here. The layout is that of the OpenEXR File Layout document (openexr.com):
headers, a table of where each chunk of scan lines begins, the chunks. Only what Blender writes for a shot is
understood: scan lines, in one part or several; pixels only where they are not packed or packed by ZIP.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from .backend import errors

if TYPE_CHECKING:
    import numpy.typing as npt

    FloatImage = npt.NDArray[np.float32]
    Bytes = npt.NDArray[np.uint8]

MAGIC = 20000630
MULTIPART = 0x1000
# Scan lines in a chunk, by the number of the compression: none, RLE, ZIPS, ZIP, PIZ, PXR24, B44, B44A, DWAA, DWAB.
LINES = (1, 1, 1, 16, 32, 16, 32, 32, 32, 256)
NONE, ZIP = (0,), (2, 3)
TYPES = ("<u4", "<f2", "<f4")
# The passes that tell a view layer from the compositor's output: those that the backend reads (backend/shot.py).
TELLING = {
    *("Combined", "DiffCol", "Diffuse Color", "Normal", "Depth", "Position", "Vector"),
    "CryptoObject00",
}


@dataclass(frozen=True)
class _Part:
    """One picture of the file. ``channels``: name -> type. Windows: left, top, right, bottom, all included."""

    channels: dict[str, str]
    compression: int
    data: tuple[int, ...]
    display: tuple[int, ...]
    offsets: tuple[int, ...]
    lead: str  # what stands before a chunk's bytes: (part,) line, how many


def is_whole(path: Path) -> bool:
    """Whether every chunk of scan lines that the header promises lies inside the file."""
    try:
        with path.open("rb") as file:
            return _is_whole(file, path.stat().st_size)
    except (OSError, struct.error, ValueError, LookupError):  # it ends, or holds nonsense, where something should be
        return False


def size(path: Path) -> tuple[int, int]:
    """Width and height of the picture. Raises ShotError."""
    try:
        with path.open("rb") as file:
            left, top, right, bottom = _parts(file)[0].display
    except (OSError, struct.error, ValueError, LookupError) as error:
        raise _unreadable(path, error) from error
    return right - left + 1, bottom - top + 1


def _is_whole(file: BinaryIO, size: int) -> bool:
    parts = _parts(file)
    for part in parts:
        for offset in part.offsets:
            if offset == 0:
                return False
            file.seek(offset)
            if offset + struct.calcsize(part.lead) + _unpack(file, part.lead)[-1] > size:
                return False
    return any(part.offsets for part in parts)


def read_combined(path: Path, view_layer: str) -> "FloatImage":
    """The picture that a look sees: H x W x 4, scene-linear and premultiplied, the top row first.

    It is the Combined pass of the view layer that has most of the passes: where several do, ``view_layer``, or the
    first. Raises ShotError.
    """
    try:
        with path.open("rb") as file:
            part, channels = _combined(_parts(file), view_layer)
            return _pixels(file, part, channels)
    except (OSError, struct.error, ValueError, LookupError, zlib.error) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> errors.ShotError:
    return errors.ShotError(
        f"The picture in {path.name} cannot be read: the file is broken, or was not saved by Paintover.",
        "Render this frame again.",
        path=str(path),
        reason=str(error),
    )


def _combined(parts: list[_Part], view_layer: str) -> tuple[_Part, list[str]]:
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


def _pixels(file: BinaryIO, part: _Part, channels: list[str]) -> "FloatImage":
    left, top, right, bottom = part.data
    across, down = right - left + 1, bottom - top + 1
    row = np.dtype([(name, kind, (across,)) for name, kind in part.channels.items()])
    inside = np.zeros((down, across, 4), np.float32)
    for line, data in _chunks(file, part, row.itemsize):
        rows = data.view(row)
        for index, channel in enumerate(channels):
            inside[line - top : line - top + len(rows), :, index] = rows[channel]
    return _placed(inside, part)


def _placed(inside: "FloatImage", part: _Part) -> "FloatImage":
    """The data window in the display window: a border that was rendered in a picture that was not."""
    left, top, right, bottom = part.display
    whole = np.zeros((bottom - top + 1, right - left + 1, 4), np.float32)
    x, y = part.data[0] - left, part.data[1] - top
    there = whole[max(y, 0) : max(y + inside.shape[0], 0), max(x, 0) : max(x + inside.shape[1], 0)]
    there[...] = inside[max(-y, 0) :, max(-x, 0) :][: there.shape[0], : there.shape[1]]
    return whole


def _chunks(file: BinaryIO, part: _Part, row: int) -> "Iterator[tuple[int, Bytes]]":
    """First line and unpacked bytes of each chunk; a line has ``row`` bytes."""
    if part.compression not in NONE + ZIP:
        raise ValueError("it is not packed by ZIP, as Paintover's frames are")
    for offset in part.offsets:
        file.seek(offset)
        *_, line, length = _unpack(file, part.lead)
        size = row * min(LINES[part.compression], part.data[3] - line + 1)
        data = file.read(length)
        yield line, np.frombuffer(data, np.uint8) if length == size else _unzip(data, size)


def _unzip(data: bytes, size: int) -> "Bytes":
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


def _parts(file: BinaryIO) -> list[_Part]:
    magic, version = _unpack(file, "<ii")
    if magic != MAGIC:
        raise ValueError("it is no EXR")
    multipart = bool(version & MULTIPART)
    headers = []
    while header := _header(file):
        headers.append(header)
        if not multipart:
            break
    return [
        _Part(
            channels=_channels(header["channels"]),
            compression=header["compression"][0],
            data=struct.unpack("<4i", header["dataWindow"]),
            display=struct.unpack("<4i", header["displayWindow"]),
            offsets=_unpack(file, f"<{_count(header)}Q"),
            lead="<iii" if multipart else "<ii",
        )
        for header in headers
    ]


def _header(file: BinaryIO) -> dict[str, bytes]:
    """Attribute name -> its bytes. Empty where there is no further header."""
    header = {}
    while name := _text(file):
        _text(file)  # its type
        (length,) = _unpack(file, "<i")
        header[name] = file.read(length)
    return header


def _channels(data: bytes) -> dict[str, str]:
    """Name -> NumPy's name of its type, in the order in which they lie in a line."""
    found = {}
    while len(data) > 1:
        name, _, data = data.partition(b"\0")
        found[name.decode("utf-8")] = TYPES[data[0]]
        data = data[16:]  # type, linearity, and sampling, which Blender leaves at 1
    return found


def _count(header: dict[str, bytes]) -> int:
    """How many chunks there are."""
    if "chunkCount" in header:
        (count,) = struct.unpack("<i", header["chunkCount"])
        return int(count)
    _, top, _, bottom = struct.unpack("<4i", header["dataWindow"])
    lines = LINES[header["compression"][0]]
    return int(-(-(bottom - top + 1) // lines))


def _unpack(file: BinaryIO, layout: str) -> tuple[int, ...]:
    return struct.unpack(layout, file.read(struct.calcsize(layout)))


def _text(file: BinaryIO) -> str:
    """A name, up to its zero byte."""
    letters = bytearray()
    while (letter := file.read(1)) != b"\0":
        if not letter:
            raise ValueError("the file ends in its header")
        letters += letter
    return letters.decode("latin-1")
