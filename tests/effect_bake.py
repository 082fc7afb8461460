"""What a bake of an effect leaves, without one."""

import json
from pathlib import Path

import numpy as np

from backend.images import write_exr

COLOUR = (1.0, 0.5, 0.25)
ALPHA = 0.5
SIDE = 32
DEEP = 2 / 3  # of the box's height


def bake(folder: Path, frames=(1, 2, 3), depth=None) -> None:
    """What a bake leaves: pictures of one colour, half as dense in the upper half, as deep as the box's middle."""
    for frame in frames:
        rgba = np.zeros((SIDE, SIDE, 4), np.float32)
        rgba[..., :3], rgba[..., 3] = np.multiply(COLOUR, frame), ALPHA
        rgba[: SIDE // 2] /= 2
        plane = np.full((SIDE, SIDE), DEEP if depth is None else depth, np.float16)
        zero = np.zeros((SIDE, SIDE), np.float16)
        layers = {"depth": plane, "vector": np.zeros((SIDE, SIDE, 4), np.float16), "temperature": zero, "density": zero}
        write_exr(folder / f"fire_{frame:04d}.exr", rgba, layers)
    note = {"digest": "x", "kind": "fire", "frames": [min(frames), max(frames)], "brightness": [0.0] * len(frames)}
    (folder / "bake.json").write_text(json.dumps(note))
