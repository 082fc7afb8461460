"""EXRs that Blender wrote: what is in one, and whether it is whole. No ``bpy`` here.

On a full disk Blender says that all is well: so the files are read here. The layout is that of the OpenEXR File Layout
document (openexr.com): headers, a table of where each chunk of scan lines begins, the chunks. Only what Blender writes
for a shot is understood: scan lines, in one part or several.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .backend import errors

MAGIC = 20000630
MULTIPART = 0x1000
# Scan lines in a chunk, by the number of the compression: none, RLE, ZIPS, ZIP, PIZ, PXR24, B44, B44A, DWAA, DWAB,
# HTJ2K256, HTJ2K32.
LINES = (1, 1, 1, 16, 32, 16, 32, 32, 32, 256, 256, 32)
TYPES = ("<u4", "<f2", "<f4")


@dataclass(frozen=True)
class Part:
    """One picture of the file. ``channels``: name -> type. Windows: left, top, right, bottom, all included.
    ``mattes``: what Cryptomatte tells in the header, the names of its objects for one, attribute -> text.
    """

    channels: dict[str, str]
    mattes: dict[str, str]
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
            left, top, right, bottom = parts(file)[0].display
    except (OSError, struct.error, ValueError, LookupError) as error:
        raise unreadable(path, error) from error
    return right - left + 1, bottom - top + 1


def _is_whole(file: BinaryIO, size: int) -> bool:
    found = parts(file)
    for part in found:
        for offset in part.offsets:
            if offset == 0:
                return False
            file.seek(offset)
            if offset + struct.calcsize(part.lead) + unpack(file, part.lead)[-1] > size:
                return False
    return any(part.offsets for part in found)


def unreadable(path: Path, error: Exception) -> errors.ShotError:
    """What to tell the artist of a file in which something is not where it should be."""
    return errors.ShotError(
        f"The picture in {path.name} cannot be read: the file is broken, or was not saved by Paintover.",
        "Render this frame again.",
        path=str(path),
        reason=str(error),
    )


def parts(file: BinaryIO) -> list[Part]:
    """What the file's headers promise. Raises ValueError, LookupError or struct.error for what is no EXR."""
    magic, version = unpack(file, "<ii")
    if magic != MAGIC:
        raise ValueError("it is no EXR")
    multipart = bool(version & MULTIPART)
    headers = []
    while header := _header(file):
        headers.append(header)
        if not multipart:
            break
    return [
        Part(
            channels=_channels(header["channels"]),
            mattes={name: text.decode("utf-8") for name, text in header.items() if name.startswith("cryptomatte/")},
            compression=header["compression"][0],
            data=struct.unpack("<4i", header["dataWindow"]),
            display=struct.unpack("<4i", header["displayWindow"]),
            offsets=unpack(file, f"<{_count(header)}Q"),
            lead="<iii" if multipart else "<ii",
        )
        for header in headers
    ]


def _header(file: BinaryIO) -> dict[str, bytes]:
    """Attribute name -> its bytes. Empty where there is no further header."""
    header = {}
    while name := _text(file):
        _text(file)  # its type
        (length,) = unpack(file, "<i")
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


def unpack(file: BinaryIO, layout: str) -> tuple[int, ...]:
    """The next numbers of the file, as the struct module's ``layout`` has them. Raises struct.error at the end."""
    return struct.unpack(layout, file.read(struct.calcsize(layout)))


def _text(file: BinaryIO) -> str:
    """A name, up to its zero byte."""
    letters = bytearray()
    while (letter := file.read(1)) != b"\0":
        if not letter:
            raise ValueError("the file ends in its header")
        letters += letter
    return letters.decode("latin-1")
