"""The bench's drawings: the same passes give the same drawing, strokes stick to what moves, lines stand on edges."""

from dataclasses import replace

import numpy as np
import pytest

from backend.colour import View
from bench import styles


def ball(shift: int = 0) -> styles.Ground:
    """A lit ball before a wall, moved ``shift`` pixels to the right of where its rest coordinates were taken."""
    height, width = 180, 240
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    dx, dy = (x - 100 - shift) / 60, (y - 90) / 60
    inside = dx**2 + dy**2 < 1
    dz = np.sqrt(np.maximum(1 - dx**2 - dy**2, 0))
    on_ball = np.stack([dx, -dz, -dy], -1)
    wall = np.stack([(x - 120) / 60, np.full_like(x, 2), (90 - y) / 60], -1)
    normal = np.where(inside[..., None], on_ball, np.float32([0, -1, 0])).astype(np.float32)
    lit = np.clip(normal @ np.float32([-0.6, -0.5, 0.62]), 0.05, None)
    albedo = np.where(inside[..., None], np.float32([0.7, 0.3, 0.2]), np.float32([0.4, 0.5, 0.6])).astype(np.float32)
    passes = {
        "beauty": np.concatenate([albedo * lit[..., None], np.ones((height, width, 1), np.float32)], -1),
        "albedo": albedo,
        "normal": normal,
        "depth": np.where(inside, 5 - dz, 7)[..., None].astype(np.float32),
        "position": np.where(inside[..., None], on_ball, wall).astype(np.float32),
        "object": np.where(inside, 1.0, 2.0)[..., None].astype(np.float32),
    }
    return styles.Ground.of(passes, View.standard())


@pytest.mark.parametrize("style", sorted(styles.STYLES))
def test_a_drawing_is_its_own(style: str) -> None:
    ground = ball()
    picture = styles.draw(style, ground)
    assert picture.shape == (180, 240, 3) and picture.dtype == np.float32
    assert picture.min() >= 0 and picture.max() <= 1
    assert np.array_equal(picture, styles.draw(style, ball()))
    assert np.abs(picture - ground.shown).mean() > 0.04
    for other in set(styles.STYLES) - {style}:
        assert np.abs(picture - styles.draw(other, ground)).mean() > 0.03


@pytest.mark.parametrize("style", sorted(styles.STYLES))
def test_strokes_stick_to_what_moves(style: str) -> None:
    """The ball 17 pixels further right, its rest coordinates with it: the same marks on it, 17 pixels further right."""
    inner = np.s_[50:130, 60:140]
    here, there = styles.draw(style, ball())[inner], styles.draw(style, ball(17))[50:130, 77:157]
    np.testing.assert_allclose(here, there, atol=0.02)
    assert here.std() > 0.01


def test_hatching_is_in_the_rest_coordinates() -> None:
    ground = ball()
    moved = styles.draw("hatch", replace(ground, rest=ground.rest + 0.37))
    assert np.abs(moved - styles.draw("hatch", ground)).mean() > 0.02


def test_lines_stand_on_the_silhouette() -> None:
    ground = ball()
    line = styles.outline(ground, silhouette=2, crease=1)
    y, x = np.mgrid[0:180, 0:240]
    radius = np.hypot(x - 100, y - 90)
    assert line[np.abs(radius - 60) < 0.5].mean() > 0.4
    assert line[(radius < 50) | (radius > 66)].max() == 0


def test_distance_is_euclidean() -> None:
    mask = np.zeros((21, 21), bool)
    mask[10, 10] = True
    y, x = np.mgrid[0:21, 0:21]
    np.testing.assert_allclose(styles.distance(mask, 6), np.minimum(np.hypot(x - 10, y - 10), 6), atol=1e-4)
