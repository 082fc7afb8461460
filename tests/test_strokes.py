"""Rough paint on a small real shot: the same by seed, opaque, true to edges, and a painting rather than the render."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from backend import images
from backend.errors import Cancelled, MissingPassError
from backend.job import Job
from backend.shot import Shot
from backend.strokes import rough_paint

HEIGHT, WIDTH = 120, 200
BALL = (70.0, 62.0, 38.0)  # column, row, radius


def write_shot(folder: Path, passes: tuple[str, ...]) -> Shot:
    """A red ball before a blue wall, as Blender would save it, the wall mottled."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    dx, dy = (x - BALL[0]) / BALL[2], (y - BALL[1]) / BALL[2]
    ball = dx**2 + dy**2 < 1
    dz = np.sqrt(np.maximum(1 - dx**2 - dy**2, 0))
    on_ball = np.stack([dx, -dz, -dy], -1)
    normal = np.where(ball[..., None], on_ball, np.float32([0, -1, 0]))
    lit = np.clip(normal @ np.float32([-0.6, -0.5, 0.62]), 0.05, None) + 0.05
    mottled = 1 + 0.3 * np.sin(x / 9) * np.sin(y / 7)
    albedo = np.where(ball[..., None], np.float32([0.7, 0.1, 0.05]), mottled[..., None] * np.float32([0.08, 0.2, 0.5]))
    wall = np.stack([dx, np.full_like(x, 2), -dy], -1)
    layers = {
        "L.Combined": np.concatenate([albedo * lit[..., None], np.ones((HEIGHT, WIDTH, 1))], -1).astype(np.float32),
        "L.Normal": normal.astype(np.float32),
        "L.Depth": np.where(ball, 5 - dz, 7).astype(np.float32),
        "L.Position": np.where(ball[..., None], on_ball, wall).astype(np.float32),
    }
    suffixes = {"L.Combined": "RGBA", "L.Normal": "XYZ", "L.Depth": "Z", "L.Position": "XYZ"}
    write_layers(folder / "small_0001.exr", {k: layers[k] for k in passes}, suffixes)
    return Shot.open(folder)


def write_layers(path: Path, layers: dict[str, NDArray[np.float32]], suffixes: dict[str, str]) -> None:
    import OpenImageIO as oiio

    planes = [layer.reshape(HEIGHT, WIDTH, -1) for layer in layers.values()]
    spec = oiio.ImageSpec(WIDTH, HEIGHT, sum(plane.shape[2] for plane in planes), oiio.FLOAT)
    spec.channelnames = tuple(f"{name}.{suffix}" for name in layers for suffix in suffixes[name])
    output = oiio.ImageOutput.create(str(path))
    assert output.open(str(path), spec) and output.write_image(np.concatenate(planes, -1))
    output.close()


ALL = ("L.Combined", "L.Normal", "L.Depth", "L.Position")


@pytest.fixture(scope="module")
def shot(tmp_path_factory: pytest.TempPathFactory) -> Shot:
    return write_shot(tmp_path_factory.mktemp("small"), ALL)


@pytest.fixture(scope="module")
def painting(shot: Shot) -> NDArray[np.uint8]:
    return rough_paint(shot, 1, seed=3)


def shown(shot: Shot) -> NDArray[np.float32]:
    from backend.colour import View

    return View.standard().to_display(np.ascontiguousarray(shot.read(1, ["beauty"])["beauty"][..., :3]))


def test_same_seed_same_painting(shot: Shot, painting: NDArray[np.uint8]) -> None:
    assert np.array_equal(painting, rough_paint(shot, 1, seed=3))
    assert not np.array_equal(painting, rough_paint(shot, 1, seed=4))


def test_covers_the_frame(painting: NDArray[np.uint8], tmp_path: Path) -> None:
    assert painting.shape == (HEIGHT, WIDTH, 4) and painting.dtype == np.uint8
    assert (painting[..., 3] == 255).all()
    images.write_png(tmp_path / "painting.png", painting)
    assert np.array_equal(images.read_painting(tmp_path / "painting.png", (WIDTH, HEIGHT)), painting)


def test_is_the_subject_but_painted(shot: Shot, painting: NDArray[np.uint8]) -> None:
    render, paint = shown(shot), painting[..., :3] / 255
    assert np.abs(paint - render).mean() > 0.02
    coarse = [image.reshape(HEIGHT // 20, 20, WIDTH // 20, 20, 3).mean((1, 3)) for image in (render, paint)]
    assert np.abs(coarse[0] - coarse[1]).mean() < 0.08
    # Strokes give the smooth ball a texture that the render does not have.
    patch = np.s_[50:74, 58:82]
    assert np.abs(np.diff(paint[patch], axis=0)).mean() > 1.5 * np.abs(np.diff(render[patch], axis=0)).mean()


def test_strokes_keep_to_their_object(painting: NDArray[np.uint8]) -> None:
    """Right beside the silhouette the ball is red and the wall blue."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    radius = np.hypot(x - BALL[0], y - BALL[1]) - BALL[2]
    warm = painting[..., 0].astype(int) - painting[..., 2]
    lit = (x - BALL[0]) + (y - BALL[1]) < 0
    assert (warm[(radius > -4) & (radius < -2) & lit] > 0).mean() > 0.95
    assert (warm[(radius < 5) & (radius > 3)] < 0).mean() > 0.95


def test_a_missing_pass_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingPassError, match="Normal"):
        rough_paint(write_shot(tmp_path, ("L.Combined", "L.Depth", "L.Position")), 1)


def test_progress_and_cancel(shot: Shot) -> None:
    seen: list[float] = []

    def sink(report: dict[str, object]) -> None:
        seen.append(float(str(report["fraction"])))
        if len(seen) == 5:
            job.cancel()

    job = Job(sink)
    with pytest.raises(Cancelled):
        rough_paint(shot, 1, job=job)
    assert seen == sorted(seen) and len(seen) == 5
