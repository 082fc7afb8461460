"""Whether an EXR that Blender wrote is whole: on a full disk Blender says that all is well. No ``bpy`` here.

The layout is that of the OpenEXR File Layout document (openexr.com): headers, a table of where each chunk of scan lines
begins, the chunks. Only what Blender writes is understood: scan lines, in one part or several.
"""

import struct
from pathlib import Path
from typing import BinaryIO

MAGIC = 20000630
MULTIPART = 0x1000
# Scan lines in a chunk, by the number of the compression: none, RLE, ZIPS, ZIP, PIZ, PXR24, B44, B44A, DWAA, DWAB.
LINES = (1, 1, 1, 16, 32, 16, 32, 32, 32, 256)


def is_whole(path: Path) -> bool:
    """Whether every chunk of scan lines that the header promises lies inside the file."""
    try:
        with path.open("rb") as file:
            return _is_whole(file, path.stat().st_size)
    except (OSError, struct.error, ValueError, KeyError):  # it ends, or holds nonsense, where something should be
        return False


def _is_whole(file: BinaryIO, size: int) -> bool:
    magic, version = _unpack(file, "<ii")
    if magic != MAGIC:
        return False
    multipart = bool(version & MULTIPART)
    count = 0
    while header := _header(file):
        count += _chunks(header)
        if not multipart:
            break
    offsets = _unpack(file, f"<{count}Q")
    lead = "<iii" if multipart else "<ii"  # (part,) line, bytes of data
    for offset in offsets:
        if offset == 0:
            return False
        file.seek(offset)
        if offset + struct.calcsize(lead) + _unpack(file, lead)[-1] > size:
            return False
    return count > 0


def _header(file: BinaryIO) -> dict[str, bytes]:
    """Attribute name -> its bytes. Empty where there is no further header."""
    header = {}
    while name := _text(file):
        _text(file)  # its type
        (length,) = _unpack(file, "<i")
        header[name] = file.read(length)
    return header


def _chunks(header: dict[str, bytes]) -> int:
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
