"""A bake of Blender's fluid simulation, in a few voxels."""

from pathlib import Path
from typing import Any

import mantaflow
import numpy as np

from backend.effect.mantaflow import HOTTEST_FLAME, PACE

CELLS = (12, 10, 16)  # of the domain: right, away, up
VOXEL = 0.1
FPS = 24.0


def block(**parts: Any) -> np.ndarray:
    """A grid that is 0 but for what ``x``, ``y``, ``z`` (slices) enclose, ``value``."""
    grid = np.zeros((*CELLS, 3) if np.ndim(parts.get("value", 1.0)) else CELLS, np.float32)
    grid[parts.get("x", slice(None)), parts.get("y", slice(None)), parts.get("z", slice(None))] = parts.get("value", 1)
    return grid


def flame(frame: int) -> dict[str, np.ndarray]:
    """A burning block at the right, in front and below, smoke above it; everything goes up by a voxel a frame."""
    x, y = slice(8, 11), slice(0, 3)
    up = (0.0, 0.0, FPS / PACE)
    return {
        "density": block(x=x, y=y, z=slice(1, 6 + frame), value=0.8),
        "flame": block(x=x, y=y, z=slice(1, 4 + frame)),
        "temperature": block(x=x, y=y, z=slice(1, 5 + frame), value=HOTTEST_FLAME),
        "velocity": block(x=slice(7, 12), y=slice(0, 4), z=slice(0, 8 + frame), value=up),
    }


def bake(folder: Path, frames: int = 3, first: int = 1, **options: Any) -> Path:
    for frame in range(frames):
        mantaflow.write(folder / f"data/fluid_data_{first + frame:04}.vdb", flame(frame), VOXEL, **options)
    return folder
