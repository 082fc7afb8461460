"""Whether effects that repeat show where: loops in time, tiles of water in space."""

import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend import images, metrics, service
from backend.images import Plane
from backend.job import Job

from .kept import Facts
from .shots import CACHE

FOLDER = CACHE / "effects" / "seams"
WATER_LAYERS = {"height": "V", "normal": "RGB", "foam": "V", "caustics": "V"}
SAMPLED = 4  # frames of a loop whose tiles are looked at

Array = NDArray[np.float32]


def frames_of(kind: str, weights: Path | None, name: str, **asked: object) -> tuple[list[Path], Facts]:
    """An effect's frames, rendered into a folder of this bench's, and what the verb gave."""
    out = FOLDER / name
    shutil.rmtree(out, ignore_errors=True)
    request = {"kind": kind, "out": str(out), **asked} | ({"weights": str(weights)} if weights else {})
    value = service.call(service.VERBS, "effect.render", request, Job())
    return sorted(out.glob("*.exr")), value


def loop(kind: str, weights: Path | None, frames: int, size: int) -> Facts:
    """``metrics.loop_seam`` of a loop, on log(1 + x) of its colours and alpha."""
    paths, _ = frames_of(kind, weights, f"loop-{kind}", frames=frames, size=size, loop=True)
    return {"frames": frames, "size": size, "loop_seam": metrics.loop_seam([seen(path) for path in paths])}


def seen(path: Path) -> Array:
    """(H, W, 4): as the eye tells light, nearly in ratios."""
    return np.log1p(np.maximum(images.read_exr(path), 0))


def water(kind: str, _: Path | None, frames: int, size: int) -> Facts:
    """The loop, and for each layer the gradient across the tile's border over that inside, on average; 1 is none.

    ``border_over_largest``: over that of the line inside that has the largest.
    """
    paths, value = frames_of(kind, None, f"water-{kind}", frames=frames, size=size)
    layers: dict[str, list[Array]] = {"colour": [seen(path) for path in paths]}
    for path in paths[:: max(1, len(paths) // SAMPLED)]:
        for name, plane in read_layers(path, WATER_LAYERS).items():
            layers.setdefault(name, []).append(plane)
    borders = {name: [border(picture) for picture in pictures] for name, pictures in layers.items()}
    return {
        "frames": frames,
        "size": size,
        "seconds_per_frame": value["seconds_per_frame"],
        "loop_seam": metrics.loop_seam(layers["colour"]),
        "border_over_inside": {name: float(np.mean([mean for mean, _ in found])) for name, found in borders.items()},
        "border_over_largest": {name: float(np.mean([most for _, most in found])) for name, found in borders.items()},
    }


def read_layers(path: Path, layers: dict[str, str]) -> dict[str, Array]:
    """Layers of a frame beside its colour, (H, W, C); ``layers``: the letters of their channels."""
    parts = images.read_header(path)
    planes = {name: Plane(0, tuple(f"{name}.{letter}" for letter in letters)) for name, letters in layers.items()}
    return images.read_planes(path, parts, planes)


def border(picture: Array) -> tuple[float, float]:
    """How a tile's gradient across its border compares with the mean inside, and with the largest of a line there.

    Of the two axes the worse. 1 where nothing changes at all.
    """
    found = []
    for axis in (0, 1):
        wide = np.moveaxis(picture.astype(np.float64), axis, 0)
        across = float(np.abs(wide[0] - wide[-1]).mean())
        inside = np.abs(np.diff(wide, axis=0)).mean((1, 2))
        if inside.max() == 0:
            found.append((1.0, 1.0) if across == 0 else (np.inf, np.inf))
        else:
            found.append((across / float(inside.mean()), across / float(inside.max())))
    return max(mean for mean, _ in found), max(most for _, most in found)
