"""Small effects, and what is in their frames."""

from pathlib import Path

import numpy as np

from backend.images import Plane, read_header, read_planes

YOUNG = {"age": 0.2}
SMALL = {"size": [40, 56], "controls": YOUNG, "frames": 3}
LAYERS = {"depth": "V", "vector": "RGBA", "temperature": "V", "density": "V"}


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def layer(path: Path, name: str) -> np.ndarray:
    parts = read_header(path)
    channels = tuple(f"{name}.{suffix}" for suffix in LAYERS.get(name, "RGB"))
    return read_planes(path, parts, {"it": Plane(0, channels)})["it"]


def same_frames(folder: Path, other: Path) -> None:
    assert files(folder) == files(other)
    for name in files(folder):
        assert (folder / name).read_bytes() == (other / name).read_bytes()
