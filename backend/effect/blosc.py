"""Blosc's chunks, unpacked: as OpenVDB packs them, with LZ4 or zlib, bytes shuffled.

The layout is that of c-blosc's ``README_HEADER.rst`` and of LZ4's ``lz4_Block_format.md``. Chunks are a few kilobytes
each: that Python takes milliseconds for one is bearable, and spares a library.
"""

import struct
import zlib

import numpy as np

_SHUFFLED, _COPIED, _BITS_SHUFFLED, _UNSPLIT = 1, 2, 4, 16
_LZ4, _ZLIB = 1, 3
_MOST_SPLITS, _LEAST_SPLIT = 16, 128


def unpacked(chunk: bytes) -> bytes:
    """The bytes that were packed. Raises ``ValueError``, ``IndexError``, ``struct.error`` or ``zlib.error`` for
    what cannot be unpacked.
    """
    _, _, flags, width, size, block, _ = struct.unpack_from("<4B3I", chunk)
    if flags & _COPIED:
        return chunk[16 : 16 + size]
    if flags & _BITS_SHUFFLED or not block or not width:
        raise ValueError("it is packed in a way that is not known here")
    count = -(-size // block)
    starts = struct.unpack_from(f"<{count}I", chunk, 16)
    return b"".join(
        _block(chunk, start, min(block, size - number * block), block, flags, width)
        for number, start in enumerate(starts)
    )


def _block(chunk: bytes, at: int, size: int, whole: int, flags: int, width: int) -> bytes:
    split = not flags & _UNSPLIT and size == whole and width <= _MOST_SPLITS and whole // width >= _LEAST_SPLIT
    parts = []
    for _ in range(width if split else 1):
        (packed,) = struct.unpack_from("<I", chunk, at)
        part, length = chunk[at + 4 : at + 4 + packed], size // width if split else size
        at += 4 + packed
        parts.append(part if packed == length else _decompressed(part, length, flags >> 5))
    data = b"".join(parts)
    if not flags & _SHUFFLED or width == 1:
        return data
    items = size // width
    ordered = np.frombuffer(data, np.uint8, items * width).reshape(width, items).T
    return ordered.tobytes() + data[items * width :]


def _decompressed(data: bytes, size: int, codec: int) -> bytes:
    if codec == _ZLIB:
        found = zlib.decompress(data)
    elif codec == _LZ4:
        found = bytes(_lz4(data))
    else:
        raise ValueError(f"it is packed by Blosc's codec {codec}; LZ4 and zlib can be read")
    if len(found) != size:
        raise ValueError("a packed block has another size than it should")
    return found


def _lz4(data: bytes) -> bytearray:
    """One block of LZ4: literal bytes, and repeats of what came before."""
    found = bytearray()
    at, end = 0, len(data)
    while at < end:
        token = data[at]
        at += 1
        count, at = _length(data, at, token >> 4)
        found += data[at : at + count]
        at += count
        if at >= end:
            break
        back = data[at] | data[at + 1] << 8
        count, at = _length(data, at + 2, token & 15)
        count += 4
        start = len(found) - back
        if back == 0 or start < 0:
            raise ValueError("a packed block repeats what is not there")
        if back >= count:
            found += found[start : start + count]
        else:  # it runs into what it writes
            found += (found[start:] * (count // back + 1))[:count]
    return found


def _length(data: bytes, at: int, count: int) -> tuple[int, int]:
    """A length and where to go on: 15 goes on in the bytes that follow, as long as these are full."""
    if count < 15:
        return count, at
    while data[at] == 255:
        count, at = count + 255, at + 1
    return count + data[at], at + 1
