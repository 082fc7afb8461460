"""Flipbooks: an effect's frames in an atlas, as game engines take them."""

import json
import shutil

import numpy as np
import pytest
from doing import do
from effect_frames import files, layer
from PIL import Image

from backend.colour import View
from backend.effect.flipbook import straight
from backend.errors import EffectError, PaintoverError, UsageError
from backend.images import read_exr


def test_a_flipbook_lays_frames_out_row_by_row(burning, tmp_path):
    out = tmp_path / "fire.png"
    value = do("effect.flipbook", frames=burning, rows=2, columns=2, out=out, movie=tmp_path / "fire.webp")
    assert files(tmp_path) == ["fire.exr", "fire.json", "fire.png", "fire.webp", "fire_motion.png"]
    told = json.loads((tmp_path / "fire.json").read_text())
    assert told["frames"] == 3 and told["cell"] == [40, 56] and told["size"] == [80, 112]
    assert value["motion_scale"] == told["motion_scale"] > 0
    atlas = read_exr(tmp_path / "fire.exr")
    second = read_exr(burning / "fire_0002.exr")
    assert np.array_equal(atlas[:56, 40:], second)
    assert not atlas[56:, 40:].any()
    coded = np.asarray(Image.open(tmp_path / "fire_motion.png")).astype(float)[..., :2] / 255
    motion = (coded[:56, 40:] - 0.5) * 2 * told["motion_scale"] * [40, 56]
    vector = layer(burning / "fire_0002.exr", "vector")
    assert np.allclose(motion, np.stack([-vector[..., 2], vector[..., 3]], -1), atol=0.02 * told["motion_scale"] * 56)
    with Image.open(tmp_path / "fire.webp") as movie:
        assert movie.n_frames == 3


def test_a_flipbook_of_fewer_cells_takes_every_other_frame(burning, tmp_path):
    every = do("effect.flipbook", frames=burning, rows=1, columns=3, out=tmp_path / "a.png", fps=12)
    fewer = do("effect.flipbook", frames=burning, rows=1, columns=1, out=tmp_path / "b.png", fps=12, cell=20)
    assert (every["frames"], every["stride"], every["fps"]) == (3, 1, 12)
    assert (fewer["frames"], fewer["stride"], fewer["fps"]) == (1, 3, 4)
    (tmp_path / "first").mkdir()
    shutil.copy(burning / "fire_0001.exr", tmp_path / "first")
    first = do("effect.flipbook", frames=tmp_path / "first", rows=1, columns=1, out=tmp_path / "c.png", cell=20)
    assert fewer["cell"] == [20, 28] and fewer["motion_scale"] == pytest.approx(3 * first["motion_scale"])


def test_straight_alpha_shows_the_same_before_black():
    linear = np.array([[[0.2, 0.1, 0.05, 0.0], [4.0, 1.0, 0.1, 0.3], [0.1, 0.1, 0.1, 0.5], [0, 0, 0, 0]]], np.float32)
    shown = straight(linear).astype(float) / 255
    before_black = shown[..., :3] * shown[..., 3:]
    assert before_black[0, 0] == pytest.approx(View.standard().to_display(linear[..., :3])[0, 0], abs=0.02)
    assert shown[0, 2, 3] == pytest.approx(0.5, abs=0.01)
    assert shown[0, 2, 0] == pytest.approx(
        float(View.standard().to_display(np.full((1, 1, 3), 0.2, np.float32))[0, 0, 0]), abs=0.01
    )
    assert not shown[0, 3].any()


def test_flipbooks_refuse_what_they_cannot_be(burning, tmp_path):
    for wrong, error in (
        ({"frames": tmp_path}, EffectError),
        ({"rows": 0}, UsageError),
        ({"out": tmp_path / "fire.jpg"}, UsageError),
        ({"cell": 400}, UsageError),
        ({"movie": tmp_path / "fire.mp4"}, UsageError),
        ({"out": tmp_path / "fire.exr", "movie": tmp_path / "fire.png"}, UsageError),
        ({"rows": 1, "columns": 1000, "frames": burning}, None),
    ):
        asked = {"frames": burning, "rows": 2, "columns": 2, "out": tmp_path / "fire.png"} | wrong
        with pytest.raises(error or PaintoverError):
            do("effect.flipbook", **asked)
        assert files(tmp_path) == []
    shutil.copytree(burning, tmp_path / "fire")
    with pytest.raises(UsageError, match="taken for one of the frames"):
        do("effect.flipbook", frames=tmp_path / "fire", rows=2, columns=2, out=tmp_path / "fire/atlas_64.png")
    assert files(tmp_path / "fire") == files(burning)
