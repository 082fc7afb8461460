"""The bench's three shots and their true drawings, rendered once and kept.

``shot`` is what an artist would hand over (640x360). ``ground`` is the same shot at twice the size without
anti-aliasing and with rest coordinates; a true drawing is made from it and averaged down, which gives its lines and
edges clean anti-aliasing.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend import images
from backend.shot import Shot

from . import styles

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "bench"
SHARED = ROOT.parent / "shared" / "data"
SOURCES = {
    "harbour": "demo",  # the demo's scene: many small things, a gliding camera, boats
    "gallery": "gallery",  # a walk past turning objects
    "arena": str(SHARED / "scenes" / "animated" / "navmesh_follow.blend"),  # two characters that walk, a still camera
}
DRAWN_BY = [Path(__file__).with_name(name) for name in ("styles.py", "texture.py")]
FRAMES = 12  # as bench.scenes renders
PAINTED = 6  # the frame whose drawing is learned from


@dataclass(frozen=True)
class BenchShot:
    """One rendered shot with its truths."""

    name: str
    shot: Shot
    ground: Shot

    def truth(self, style: str, frame: int) -> NDArray[np.uint8]:
        """The true drawing, HxWx4 uint8, opaque. Kept as a PNG."""
        path = self.truth_path(style, frame)
        if not path.exists() or path.stat().st_mtime < max(source.stat().st_mtime for source in DRAWN_BY):
            passes = self.ground.read(frame, styles.PASSES)
            large = styles.draw(
                style, styles.Ground.of(passes, self.ground.view, rest_coordinates(self.ground.path(frame)))
            )
            height, width = large.shape[0] // 2, large.shape[1] // 2
            small = large.reshape(height, 2, width, 2, 3).mean((1, 3))
            opaque = np.full((height, width, 1), 255, np.uint8)
            path.parent.mkdir(parents=True, exist_ok=True)
            images.write_png(path, np.concatenate([np.uint8(small * 255 + 0.5), opaque], -1))
        return images.read_painting(path)

    def truth_path(self, style: str, frame: int) -> Path:
        return CACHE / self.name / style / f"{frame:04d}.png"


def names() -> list[str]:
    """The shots that can be had here: the third needs the shared data."""
    return [name for name, source in SOURCES.items() if not source.endswith(".blend") or Path(source).exists()]


def load(name: str) -> BenchShot:
    """The shot, rendered first where it is not whole. Raises ``subprocess.CalledProcessError`` if Blender fails."""
    folder = CACHE / name
    if any(len(list((folder / kind).glob(f"{name}_*.exr"))) < FRAMES for kind in ("shot", "ground")):
        _render(name, folder)
    return BenchShot(name, Shot.open(folder / "shot"), Shot.open(folder / "ground"))


def load_larger(name: str, folder: Path, larger: int, frames: int) -> Shot:
    """The first ``frames`` of the shot, so many times as large, rendered into ``folder`` where they are not there."""
    if len(list(folder.glob(f"{name}_*.exr"))) < frames:
        _render(name, folder, str(larger), str(frames))
    return Shot.open(folder)


def _render(name: str, folder: Path, *more: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "render.log", "w", encoding="utf-8") as log:
        subprocess.run(
            [sys.executable, "-m", "bench.scenes", name, SOURCES[name], str(folder), *more],
            cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, check=True,
        )  # fmt: skip


def rest_coordinates(path: Path) -> NDArray[np.float32]:
    """The HxWx3 rest coordinates that ``bench.scenes`` put into a ground frame."""
    parts = images.read_header(path)
    layer = "ViewLayer" if "ViewLayer.rest.R" in parts[0].channels else "RenderLayer"
    rest = images.Plane(0, tuple(f"{layer}.rest.{letter}" for letter in "RGB"))
    return images.read_planes(path, parts, {"rest": rest})["rest"]
