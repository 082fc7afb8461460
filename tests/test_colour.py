"""What you paint is what you see: views and their inverses, and Blender's own pixels as the judge."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PyOpenColorIO as ocio
import pytest
from PIL import Image

from backend import colour
from backend.colour import View
from backend.errors import ColourError
from backend.images import write_exr

STEP = 1 / 255


def bpy_config() -> Path | None:
    """The configuration that comes with the bpy wheel, found without importing it."""
    from importlib.util import find_spec

    spec = find_spec("bpy")
    if spec is None or spec.origin is None:
        return None
    return next(iter(Path(spec.origin).parent.glob("*/datafiles/colormanagement/config.ocio")), None)


def cube(size: int) -> np.ndarray:
    """1 x size^3 x 3: display colours, evenly."""
    axis = np.linspace(0, 1, size, dtype=np.float32)
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(1, -1, 3)


def muted(size: int) -> np.ndarray:
    """Colours as paintings have them, all of which AgX can show: none darker, lighter or more saturated than these."""
    return 0.25 + 0.5 * cube(size)


@pytest.fixture(scope="module")
def config() -> str:
    path = bpy_config()
    if path is None:
        pytest.skip("no bpy wheel for this Python: its colour configuration is needed")
    return str(path)


def test_steps_after_a_table_become_one_table(config: str):
    view = View(config, view="AgX", gamma=2.2)
    linear = np.exp2(np.random.default_rng(0).uniform(-14, 6, (1, 100_000, 3))).astype(np.float32)
    step_by_step = colour._cpu(colour._config(config), colour._group(view))
    assert np.abs(view.to_display(linear) - colour._run(step_by_step, linear)).max() < 0.01 * STEP


def worst(view: View, display: np.ndarray) -> float:
    """The largest difference, in 8-bit steps, after from_display."""
    stored, shown = view.from_display(display)
    assert (view.shown(stored) == shown).all()
    return float(np.abs(shown - display).max() / STEP)


def test_standard_is_srgb():
    view = View.standard()
    shown = view.to_display(np.array([[[0.0, 0.18, 1.0], [-1.0, 0.0031308, 9.0]]], np.float32))
    assert np.allclose(shown, [[[0, 0.4613561, 1], [0, 0.04045, 1]]], atol=1e-4)
    assert worst(view, cube(32)) < 0.05  # that is what half floats round off
    assert not view.reason and view.reachable(cube(9)).all()


def test_exposure_and_gamma():
    linear = np.random.default_rng(1).random((8, 9, 3), np.float32)
    assert np.allclose(View(exposure=1.5).to_display(linear / 2**1.5), View().to_display(linear), atol=1e-5)
    assert np.allclose(View(gamma=2.0).to_display(linear), np.sqrt(View().to_display(linear)), atol=1e-5)
    assert worst(View(exposure=-2.0, gamma=0.7), cube(16)) < 0.05


@pytest.mark.parametrize(("name", "least"), [("Standard", 1.0), ("Filmic", 0.97), ("AgX", 0.65)])
def test_views_and_their_inverse(config: str, name: str, least: float):
    view = View(config, view=name)
    assert not view.reason
    assert view.reachable(cube(24)).mean() >= least
    assert view.reachable(muted(24)).all() and worst(view, muted(24)) <= 2
    greys = np.linspace(0, 1, 256, dtype=np.float32)[None, :, None].repeat(3, 2)
    assert worst(view, greys) < 1
    linear = view.from_display(greys)[0].astype(np.float32)
    assert np.ptp(linear, axis=2).max() < 0.01 * linear.max()  # a grey stays grey: White is not a red beyond all bounds
    assert (np.diff(linear.mean(axis=2)) > -1e-6).all()


@pytest.mark.parametrize(
    ("name", "look", "exposure", "gamma"),
    [("AgX", "AgX - Punchy", 0.5, 1.2), ("Filmic", "High Contrast", -1.0, 0.9), ("Standard", "None", 2.0, 1.5)],
)
def test_looks_exposure_and_gamma_are_inverted(config: str, name: str, look: str, exposure: float, gamma: float):
    view = View(config, view=name, look=look, exposure=exposure, gamma=gamma)
    plain = View(config, view=name, exposure=exposure, gamma=gamma)
    linear = np.full((1, 1, 3), (0.5, 0.2, 0.1), np.float32)
    assert look == "None" or np.abs(view.to_display(linear) - plain.to_display(linear)).max() > 4 * STEP
    assert worst(view, 0.3 + 0.4 * cube(16)) <= 2


def test_colours_beyond_agx_come_near(config: str):
    """Pure sRGB red cannot be shown by AgX: what is shown instead is still clearly red, and it is told."""
    view = View(config, view="AgX")
    red = np.array([[[1.0, 0.0, 0.0]]], np.float32)
    shown = view.from_display(red)[1][0, 0]
    assert shown[0] > 0.85 and shown[1:].max() < 0.2
    assert not view.reachable(red).any()
    assert view.reachable(np.concatenate([red, red * 0 + 0.5])).mean() == 0.5


def test_big_pictures_are_worked_on_in_pieces(config: str):
    view = View(config, view="AgX")
    picture = np.random.default_rng(2).random((211, 307, 3), np.float32)
    for whole, part in zip(view.from_display(picture), view.from_display(picture[100:103]), strict=True):
        assert (whole[100:103] == part).mean() > 0.999
    assert (view.to_display(picture)[5] == view.to_display(picture[5:6])[0]).all()


@pytest.mark.parametrize(
    ("view", "why"),
    [
        (View(curves=True), "Use Curves"),
        (View(view="False Color"), "False Color shows only a few colours"),
        (View(view="AgX", look="AgX - Greyscale"), "Greyscale shows only a few colours"),
    ],
)
def test_what_cannot_be_inverted_says_why(config: str, view: View, why: str):
    view = View.from_json(view.as_json() | {"config": config})
    assert why in view.reason
    with pytest.raises(ColourError, match=why):
        view.from_display(cube(2))
    assert view.to_display(cube(2)).shape == (1, 8, 3)


def test_views_that_are_not_there(config: str, tmp_path: Path):
    for nonsense in (View(config, view="Nonsense"), View(config, look="Nonsense"), View(config, display="Nonsense")):
        with pytest.raises(ColourError):
            nonsense.to_display(cube(2))
    with pytest.raises(ColourError, match="not at"):
        View(str(tmp_path / "config.ocio")).reason  # noqa: B018
    (tmp_path / "config.ocio").write_text("nonsense")
    with pytest.raises(ColourError):
        View(str(tmp_path / "config.ocio")).to_display(cube(2))


def test_a_configuration_within_opencolorio():
    view = View("ocio://cg-config-v2.1.0_aces-v1.3_ocio-v2.3", "sRGB - Display", "ACES 1.0 - SDR Video")
    assert 0.3 < view.to_display(np.full((1, 1, 3), 0.18, np.float32)).mean() < 0.5
    assert not view.reason


def test_json():
    view = View("here", "Display P3", "AgX", "AgX - Punchy", 0.5, 1.1, True)
    assert View.from_json(json.loads(json.dumps(view.as_json()))) == view
    assert View.from_json({}) == View.standard()
    for nonsense in (None, [], {"views": 1}, {"gamma": 0}, {"gamma": "x"}, {"gamma": None}, {"exposure": "a"}):
        with pytest.raises(ColourError):
            View.from_json(nonsense)


def test_a_blend_may_render_in_another_space(config: str):
    wide = ocio.Config.CreateFromFile(config).getProcessor("Linear Rec.709", "ACEScg").getDefaultCPUProcessor()
    usual, other = View(config, view="AgX"), View(config, view="AgX", space="ACEScg")
    linear = muted(8)
    same = linear.copy()
    wide.applyRGB(same)
    np.testing.assert_allclose(other.to_display(same), usual.to_display(linear), atol=2e-3)
    assert np.abs(other.to_display(linear) - usual.to_display(linear)).max() > 0.05
    assert worst(other, usual.to_display(linear)) <= 2


def test_many_threads_get_the_same(config: str):
    view = View(config, view="Filmic", gamma=1.05)
    picture = muted(20)
    results: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: results.append(view.from_display(picture)[0])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4 and all((result == results[0]).all() for result in results)


CASES = [
    ("Standard", "None", 0.0, 1.0),
    ("Filmic", "None", 0.0, 1.0),
    ("AgX", "None", 0.0, 1.0),
    ("AgX", "AgX - Punchy", 0.5, 1.2),
    ("Filmic", "High Contrast", -0.5, 0.9),
    ("Standard", "None", 1.0, 1.5),
]


def test_blender_shows_what_was_painted(blender_script: Callable[..., None], config: str, tmp_path: Path):
    """Through an EXR, Blender's compositor and its final frame: at most 2 of 255 off wherever the view can show it."""
    painting = np.rint(cube(16) * 255).reshape(64, 64, 3).astype(np.float32) / 255
    cases, frames = [], []
    for number, (name, look, exposure, gamma) in enumerate(CASES):
        view = View(config, "sRGB", name, look, exposure, gamma)
        stored, shown = view.from_display(painting)
        exr, png = tmp_path / f"{number}.exr", tmp_path / f"{number}.png"
        write_exr(exr, np.concatenate([stored, np.ones_like(stored[..., :1])], axis=2))
        facts = {"view": name, "look": look, "exposure": exposure, "gamma": gamma}
        cases.append({"exr": str(exr), "png": str(png), "size": [64, 64], **facts})
        frames.append((png, shown))
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    blender_script("show_frames.py", tmp_path / "cases.json")
    for case, (png, expected) in zip(cases, frames, strict=True):
        shown = np.asarray(Image.open(png).convert("RGB"), np.float32) / 255
        assert np.abs(shown - expected).max() < 1.6 * STEP, case  # ours and Blender's, rounded to 8 bits
        reached = np.abs(expected - painting).max(axis=2) <= 1.5 * STEP
        assert reached.mean() > (0.6 if case["view"] == "AgX" else 0.95), case
        assert np.abs(shown - painting)[reached].max() < 2.01 * STEP, case


@pytest.mark.parametrize("view", ["Standard", "Filmic", "AgX"])
def test_alpha_changes_no_colour(config: str, view: str):
    chosen = View(config, view=view, exposure=0.5)
    rgba = np.random.default_rng(3).random((20, 30, 4)).astype(np.float32)
    rgba[:2, :, 3], rgba[2:4, :, 3] = 0, 1
    stored, shown = chosen.from_display(rgba)
    opaque, expected = chosen.from_display(np.ascontiguousarray(rgba[..., :3]))
    assert (stored[..., 3] == rgba[..., 3].astype(np.float16)).all()
    away = np.abs(shown - expected).max(axis=2)
    assert (away * rgba[..., 3]).max() < 1.6 * STEP  # as much as what covers little may be off
    same = (away < 0.1 * STEP) & (rgba[..., 3] > 0.01)
    assert same.mean() > 0.8
    np.testing.assert_allclose(stored[same][:, :3], (opaque * stored[..., 3:])[same], rtol=5e-3, atol=1e-6)
    assert (stored[:2] == 0).all() and (shown[2:4] == expected[2:4]).all()


def test_however_it_lies_in_memory(config: str):
    """Channel by channel, as files have pictures, with pixels side by side, or as a window of either."""
    view = View(config, view="AgX", exposure=0.5)
    planes = np.random.default_rng(4).random((4, 96, 130), np.float32)
    picture = planes.transpose(1, 2, 0)
    woven = np.ascontiguousarray(picture)
    for one, other in ((picture, woven), (picture[7:20, 3:], woven[7:20, 3:]), (picture[..., :3], woven[..., :3])):
        assert (view.shown(one) == view.shown(other)).all()
        for by_channel, by_pixel in zip(view.from_display(one), view.from_display(other), strict=True):
            assert (by_channel == by_pixel).all()
