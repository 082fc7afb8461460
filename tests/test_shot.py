"""Shots are read from what real Blenders rendered: both file layouts, every quirk that we know of."""

import json
import shutil
from pathlib import Path

import layers
import numpy as np
import pytest

from addon.exr_picture import read_combined
from backend.errors import FrameRangeError, MissingPassError, MotionBlurError, ShotError
from backend.images import write_exr
from backend.passes import PASSES, SKY_DEPTH
from backend.shot import Shot

FLOOR = -1.0


def sample(picture: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Bilinear values of HxWxC at N places."""
    left = np.clip(np.floor(columns).astype(int), 0, picture.shape[1] - 2)
    top = np.clip(np.floor(rows).astype(int), 0, picture.shape[0] - 2)
    x, y = (columns - left)[:, None], (rows - top)[:, None]
    upper = picture[top, left] * (1 - x) + picture[top, left + 1] * x
    lower = picture[top + 1, left] * (1 - x) + picture[top + 1, left + 1] * x
    return upper * (1 - y) + lower * y


def test_every_pass_is_read(rendered: Path):
    shot = Shot.open(rendered / "moving")
    assert (shot.name, shot.frames, shot.width, shot.height) == ("moving", [1, 2, 3], 96, 54)
    assert shot.passes(2) == set(PASSES)
    passes = shot.read(2, list(PASSES))
    assert list(passes) == list(PASSES)
    for name, pixels in passes.items():
        assert pixels.shape == (54, 96, PASSES[name].channels) and pixels.dtype == np.float32
        assert pixels.transpose(2, 0, 1).flags.c_contiguous
    sky = passes["beauty"][..., 3] == 0
    assert sky.any() and (passes["depth"][sky] == np.float32(SKY_DEPTH)).all()
    floor = np.abs(passes["position"][..., 2] - FLOOR) < 1e-3
    assert floor.sum() > 500
    assert np.allclose(passes["normal"][floor], [0, 0, 1], atol=1e-3)
    assert 0.5 < np.median(passes["albedo"][floor]) < 0.81  # 0.8 in the material; 5.x takes off what is reflected
    objects = np.unique(passes["object"][floor & ~sky].view(np.uint32))
    assert len(objects) >= 1 and len(np.unique(passes["object"].view(np.uint32))) >= 3


@pytest.mark.parametrize(("other", "channels"), [(1, slice(0, 2)), (3, slice(2, 4))])
def test_vectors_lead_to_where_things_were_and_will_be(rendered: Path, other: int, channels: slice):
    """The floor does not move, so its positions found along the vectors in the other frame are the same ones."""
    shot = Shot.open(rendered / "moving")
    here = shot.read(2, ["position", "vector"])
    there = shot.read(other, ["position"])["position"]
    rows, columns = np.nonzero(np.abs(here["position"][..., 2] - FLOOR) < 1e-3)
    motion = here["vector"][rows, columns, channels]
    assert np.abs(motion).max() > 0.1

    def miss(motion: np.ndarray) -> float:
        found = sample(there, columns + motion[:, 0], rows + motion[:, 1])
        return float(np.median(np.abs(found - here["position"][rows, columns]).max(axis=1)))

    assert miss(motion) < 0.003
    for wrong in (motion * [-1, 1], motion * [1, -1], -motion, motion * 0):
        assert miss(wrong) > 5 * miss(motion)


def test_a_view_layer_that_has_the_passes_is_taken(rendered: Path):
    assert Shot.open(rendered / "layers").passes(2) == set(PASSES)


@pytest.mark.parametrize(("named", "seen"), [("Characters", 3.0), ("Background", 2.0), ("Gone", 2.0)])
def test_of_equal_view_layers_the_shots_own_is_taken(tmp_path: Path, named: str, seen: float):
    """OpenEXR puts them in the order of the alphabet."""
    beauty = np.full((4, 6, 4), 3.0)
    layers.write_frame(
        tmp_path / "two_0001.exr", {"Combined": beauty}, {"Combined": "RGBA"}, ("Characters", "Background")
    )
    facts = {"format": 1, "name": "two", "view_layer": named}
    (tmp_path / "shot.json").write_text(json.dumps(facts), encoding="utf-8")
    shot = Shot.open(tmp_path)
    read = shot.read(1, ["beauty"])["beauty"]
    assert (read == seen).all()
    assert (read_combined(shot.path(1), shot.view_layer) == read).all()


def test_the_beauty_is_the_render_and_not_the_compositor_s(rendered: Path):
    composed = Shot.open(rendered / "composed").read(2, ["beauty"])["beauty"]
    moving = Shot.open(rendered / "moving").read(2, ["beauty"])["beauty"]
    assert moving[..., :3].max() > 0.1 and np.abs(composed - moving).max() < 0.01


def test_a_render_border_leaves_nothing_odd_outside(rendered: Path):
    passes = Shot.open(rendered / "border").read(2, ["beauty", "depth", "vector"])
    outside = np.ones((54, 96), bool)
    outside[:27, 24:72] = False
    assert not passes["beauty"][outside].any() and not passes["vector"][outside].any()
    assert (passes["depth"][outside] == np.float32(SKY_DEPTH)).all()
    assert np.abs(passes["vector"]).max() < 100 and passes["beauty"][~outside].any()


def test_a_missing_pass_is_named_with_its_switch(rendered: Path):
    shot = Shot.open(rendered / "lacking")
    assert shot.passes(2) == set(PASSES) - {"vector", "albedo"}
    with pytest.raises(MissingPassError) as caught:
        shot.read(2, ["beauty", "albedo", "vector"])
    assert "Vector" in str(caught.value) and "Passes > Light > Diffuse > Color" in str(caught.value)
    assert caught.value.details["passes"] == ["albedo", "vector"]
    assert set(shot.read(2, ["beauty", "depth"])) == {"beauty", "depth"}


def test_motion_blur_is_told(rendered: Path, tmp_path: Path):
    shutil.copytree(rendered / "blurred", tmp_path / "shot")
    assert not Shot.open(tmp_path / "shot").read(2, ["vector"])["vector"].any()  # Blender leaves it empty
    (tmp_path / "shot" / "shot.json").write_text(json.dumps({"format": 1, "name": "blurred", "motion_blur": True}))
    shot = Shot.open(tmp_path / "shot")
    assert shot.read(2, ["beauty"])["beauty"].any()
    with pytest.raises(MotionBlurError, match="Motion Blur off"):
        shot.read(2, ["beauty", "vector"])


@pytest.mark.parametrize("part", [0.02, 0.3, 0.9])
def test_a_truncated_frame_is_to_be_rendered_again(rendered: Path, tmp_path: Path, part: float):
    shutil.copytree(rendered / "moving", tmp_path / "shot")
    frame = tmp_path / "shot" / "moving_0002.exr"
    data = frame.read_bytes()
    frame.write_bytes(data[: int(len(data) * part)])
    shot = Shot.open(tmp_path / "shot")
    with pytest.raises(ShotError, match=r"moving_0002\.exr is broken.*Render this frame again"):
        shot.read(2, list(PASSES))
    assert shot.read(3, ["beauty"])["beauty"].any()


def picture(width: int, height: int) -> np.ndarray:
    return np.full((height, width, 4), 0.5, np.float32)


def test_plain_exr_frames_have_a_beauty_only(tmp_path: Path):
    write_exr(tmp_path / "still_0001.exr", picture(8, 6))
    shot = Shot.open(tmp_path)
    assert shot.passes(1) == {"beauty"}
    assert (shot.read(1, ["beauty"])["beauty"] == 0.5).all()


def test_frames_of_another_size(tmp_path: Path):
    write_exr(tmp_path / "shot_0001.exr", picture(8, 6))
    write_exr(tmp_path / "shot_0002.exr", picture(8, 7))
    with pytest.raises(ShotError, match=r"shot_0002.exr is 8 x 7 pixels.*8 x 6"):
        Shot.open(tmp_path).read(2, ["beauty"])


def test_frames_are_selected_and_refused(tmp_path: Path):
    for frame in (3, 4, 6):
        write_exr(tmp_path / f"shot_{frame:04}.exr", picture(4, 4))
    shot = Shot.open(tmp_path)
    assert shot.select() == [3, 4, 6]
    assert shot.select(4, 6) == [4, 6]
    for first, last in ((1, 4), (4, 9), (5, 5), (6, 3)):
        with pytest.raises(FrameRangeError, match="frames 3 to 6"):
            shot.select(first, last)
    with pytest.raises(FrameRangeError, match="Frame 5"):
        shot.read(5, ["beauty"])


@pytest.mark.parametrize(
    ("name", "frame"),
    [("shot_0007", 7), ("shot-0007", 7), ("shot0007", 7), ("shot_-007", -7), ("-007", -7), ("-1234", -1234)],
)
def test_frames_are_numbered_as_blender_names_them(tmp_path: Path, name: str, frame: int):
    write_exr(tmp_path / f"{name}.exr", picture(4, 4))
    assert Shot.open(tmp_path).frames == [frame]


def test_folders_that_are_no_shot(tmp_path: Path):
    with pytest.raises(ShotError, match="no folder"):
        Shot.open(tmp_path / "nothing")
    with pytest.raises(ShotError, match="no frames"):
        Shot.open(tmp_path)
    write_exr(tmp_path / "a_0001.exr", picture(4, 4))
    write_exr(tmp_path / "b_0001.exr", picture(4, 4))
    write_exr(tmp_path / ".b_0002.exr", picture(4, 4))
    with pytest.raises(ShotError, match="several shots: a, b"):
        Shot.open(tmp_path)
    (tmp_path / "shot.json").write_text(json.dumps({"format": 1, "name": "b"}))
    assert Shot.open(tmp_path).frames == [1]
    for nonsense in ("{", "[]", json.dumps({"format": 2})):
        (tmp_path / "shot.json").write_text(nonsense)
        with pytest.raises(ShotError, match=r"shot\.json"):
            Shot.open(tmp_path)
