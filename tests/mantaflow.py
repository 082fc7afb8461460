"""Writes OpenVDB files as Blender's fluid simulation does."""

import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

MARK = "file_base_resolution"
_FORMS = {"vec3i": "3i", "int64": "q"}


def write(
    path: Path,
    grids: Mapping[str, np.ndarray],
    voxel: float = 0.1,
    zipped: bool = False,
    version: int = 224,
    marked: bool = True,
    cells: tuple[int, int, int] | None = None,
) -> Path:
    """Grids (X, Y, Z) or (X, Y, Z, 3) of up to 128 voxels a side. ``marked``: as Mantaflow's, of so many ``cells``."""
    data = (
        b" BDV" + bytes(4) + struct.pack("<III?", version, 9, 0, True) + b"0" * 36 + struct.pack("<II", 0, len(grids))
    )
    for name, values in grids.items():
        block, count = _tree(values.reshape(*values.shape[:3], -1), zipped)
        metadata = {"file_voxel_count": ("int64", [count])}
        if marked:
            metadata[MARK] = ("vec3i", cells or values.shape[:3])
        body = struct.pack("<II", 3 if zipped else 0, len(metadata))
        for key, (form, numbers) in metadata.items():
            packed = struct.pack(f"<{_FORMS[form]}", *numbers)
            body += _text(key) + _text(form) + struct.pack("<I", len(packed)) + packed
        body += _text("UniformScaleMap") + struct.pack("<15d", *[voxel] * 6, *[1.0] * 9)
        type_ = "Tree_vec3s_5_4_3" if values.ndim == 4 else "Tree_float_5_4_3"
        head = _text(name) + _text(type_) + _text("")
        start = len(data) + len(head) + 24
        data += head + struct.pack("<3q", start, start, start + len(body + block)) + body + block
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def _text(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode()


def _tree(values: np.ndarray, zipped: bool) -> tuple[bytes, int]:
    """Topology and leaves of one tree, and how many voxels are active."""
    numbers = values.shape[3]
    padded = np.zeros((128, 128, 128, numbers), np.float32)
    padded[tuple(slice(size) for size in values.shape[:3])] = values
    cut = padded.reshape(16, 8, 16, 8, 16, 8, numbers).transpose(0, 2, 4, 1, 3, 5, 6).reshape(16**3, 512, numbers)
    active = (cut != 0).any(2)
    leaves = active.any(1)
    first = np.zeros(32**3, bool)
    first[0] = True
    data = struct.pack("<I", 1) + bytes(4 * numbers) + struct.pack("<II3i", 0, 1, 0, 0, 0)
    for children in (first, leaves):
        data += _bits(children) + _bits(np.zeros_like(children))
        data += _stored(np.zeros((children.size, numbers), np.float32), np.zeros_like(children), zipped)
    for mask in active[leaves]:
        data += _bits(mask)
    for leaf, mask in zip(cut[leaves], active[leaves], strict=True):
        data += _bits(mask) + _stored(leaf, mask, zipped)
    return data, int(active.sum())


def _bits(mask: np.ndarray) -> bytes:
    return np.packbits(mask, bitorder="little").tobytes()


def _stored(values: np.ndarray, mask: np.ndarray, zipped: bool) -> bytes:
    if not zipped:
        return b"\x06" + values.tobytes()
    packed = zlib.compress(values[mask].tobytes())
    return b"\x00" + struct.pack("<q", len(packed)) + packed
