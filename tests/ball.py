"""A tiny shot that needs no Blender: a ball that rolls past a wall."""

from pathlib import Path

import numpy as np
from layers import write_frame

LAYERS = {"Combined": "RGBA", "DiffCol": "RGB", "Normal": "XYZ", "Depth": "Z", "Position": "XYZ", "Vector": "XYZW"}


def write_shot(folder: Path, frames: int, width: int, height: int) -> Path:
    """A ball before a wall, with the passes as Blender 4.5 names them."""
    folder.mkdir()
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    for frame in range(1, frames + 1):
        u, v = (x - width / 2 - 2 * frame) / height * 3, (y - height / 2) / height * 3
        ball = u * u + v * v < 1
        bulge = np.sqrt(np.maximum(1 - u * u - v * v, 0))
        light = np.where(ball, 0.2 + 0.6 * bulge, 0.3 + 0.1 * np.sin(x / 9))
        passes = {
            "Combined": np.stack([light, light * 0.7, light * 0.4, np.ones_like(light)], -1),
            "DiffCol": np.stack([np.where(ball, 0.8, 0.5)] * 3, -1),
            "Normal": np.stack([np.where(ball, u, 0), np.where(ball, bulge, 1), np.where(ball, -v, 0)], -1),
            "Depth": np.where(ball, 4 - bulge, 5)[..., None],
            "Position": np.stack([u, np.where(ball, -bulge, 1), -v], -1),
            "Vector": np.stack([np.where(ball, -2, 0), 0 * x, np.where(ball, 2, 0), 0 * x], -1),
        }
        write_frame(folder / f"ball_{frame:04d}.exr", passes, LAYERS)
    return folder
