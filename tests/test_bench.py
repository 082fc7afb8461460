"""The bench's baselines and measures do what they say, on pictures whose answers are known."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from backend.effect.encoding import Encoding
from backend.effect.examples import Clip
from backend.effect.panel import described
from backend.effect.resample import enlarged
from backend.effect.sheet import portrait
from bench import (
    baselines,
    effect_controls,
    effect_costs,
    effect_quality,
    effect_seams,
    effects,
    features,
    kept,
    look,
    patchnet,
)
from bench.texture import solid_noise

HEIGHT, WIDTH = 40, 60


def picture(seed: int) -> np.ndarray:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] / 6.0
    points = np.stack([x, y, np.full_like(x, 0.5)], -1).astype(np.float32)
    return np.stack([solid_noise(points, seed + channel, octaves=3) for channel in range(3)], -1)


def passes(shift: int) -> dict[str, np.ndarray]:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    flat = np.ones((HEIGHT, WIDTH, 3), np.float32)
    position = np.stack([x + shift, y, np.zeros_like(x)], -1)
    return {"albedo": flat, "normal": flat, "position": position, "depth": flat[..., :1]}


def test_lookup_finds_the_same_point_of_the_scene() -> None:
    grey = np.full((HEIGHT, WIDTH, 3), 0.5, np.float32)
    key, frame = (baselines.guides(passes(shift), grey) for shift in (0, 7))
    found = baselines.lookup(key, frame)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    assert np.array_equal(found[:, :-7], (y * WIDTH + x + 7)[:, :-7])
    assert np.array_equal(baselines.lookup(key, key), y * WIDTH + x)


def test_colour_transfer_carries_a_tint() -> None:
    key, frame = 0.2 + 0.5 * picture(1), 0.2 + 0.5 * picture(5)
    np.testing.assert_allclose(baselines.colour_transfer(key, key, frame), frame, atol=1e-2)
    tinted = baselines.colour_transfer(key, key * np.float32([0.9, 0.7, 0.4]), frame)
    np.testing.assert_allclose(tinted, frame * np.float32([0.9, 0.7, 0.4]), atol=0.06)


def test_patch_network_learns_its_painting() -> None:
    shown = picture(1)
    painted = 1 - shown
    training = patchnet.Training(shown, painted, batch=2)
    untouched = np.abs(patchnet.apply(training.until(steps=0), shown) - painted).mean()
    training.until(steps=4)  # looked at on the way, it goes on as if it had not been
    made = patchnet.apply(training.until(steps=10), shown)
    assert training.steps == 10
    again = patchnet.apply(patchnet.Training(shown, painted, batch=2).until(steps=10), shown)
    assert made.shape == shown.shape and np.array_equal(made, again)
    assert np.abs(made - painted).mean() < untouched


def test_patch_network_has_the_published_shape() -> None:
    """Seven residual blocks of 128 channels at a quarter of the size."""
    generator = patchnet.Generator()
    assert len(generator.blocks) == 7
    assert patchnet.discriminator()(torch.zeros(1, 3, 32, 32)).shape[1] == 1
    assert generator(torch.zeros(1, 3, 32, 32)).shape == (1, 3, 32, 32)


@pytest.mark.skipif(not features.available(features.SQUEEZENET), reason="the shared data is not here")
def test_squeezenet_distance_grows_with_damage() -> None:
    truth = np.kron(picture(3), np.ones((3, 3, 1), np.float32))
    noise = np.random.default_rng(0).standard_normal(truth.shape).astype(np.float32)
    values = [features.squeezenet_distance([truth + k * noise], [truth]) for k in (0.0, 0.05, 0.2)]
    assert values[0] == 0 and values[0] < values[1] < values[2]


def test_a_changed_source_is_a_new_fingerprint() -> None:
    one, other = look.fingerprint(["bench/styles.py"]), look.fingerprint(["bench/styles.py", "bench/texture.py"])
    assert one == look.fingerprint(["bench/styles.py"]) and one != other


def test_borders_of_tiles_are_seen_where_they_show() -> None:
    smooth = np.cumsum(np.cumsum(np.random.default_rng(0).random((96, 128, 4)), 0), 1).astype(np.float32) / 4000
    assert effect_costs.seam(smooth, 64) == pytest.approx(1, abs=0.1)
    cut = smooth.copy()
    cut[64:] += 0.2
    cut[:, 64:] += 0.2
    assert effect_costs.seam(cut, 64) > 3
    with pytest.raises(ValueError, match="no borders"):
        effect_costs.seam(smooth, 200)


def test_a_tile_that_does_not_repeat_shows_its_border() -> None:
    turn = np.arange(64) * 2 * np.pi / 64
    waves = np.sin(turn)[:, None, None] * np.cos(3 * turn)[None, :, None] * np.ones(3)
    mean, largest = effect_seams.border(waves.astype(np.float32))
    assert mean < 1.7 and largest <= 1.01
    mean, largest = effect_seams.border((waves + np.linspace(0, 2, 64)[:, None, None]).astype(np.float32))
    assert mean > 5 and largest > 3
    assert effect_seams.border(np.ones((8, 8, 1), np.float32)) == (1, 1)


def test_ranks_tell_what_rises_together() -> None:
    assert effect_controls.rank_correlation([1, 2, 3, 10], [0.1, 0.2, 5, 6]) == pytest.approx(1)
    assert effect_controls.rank_correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    assert effect_controls.rank_correlation([1, 2, 3], [2, 2, 2]) == 0
    assert effect_controls.rank_correlation([1, 2, 3, 4], [1, 1, 2, 3]) == pytest.approx(0.949, abs=1e-3)


def test_what_a_control_moves_and_leaves_is_judged() -> None:
    sweep = effect_controls.Sweep("wind", (0, 1, 2), "drift", leaves={"density": 0.1, "height": 0.1})
    runs = [{"drift": 2.0 * n, "density": 1 + 0.04 * n, "height": 1 + 0.2 * n} for n in range(3)]
    found = effect_controls.judged(sweep, [0, 1, 2], runs)
    assert found["rank_correlation"] == pytest.approx(1) and found["slope"] == pytest.approx(2)
    assert found["leaves"]["density"]["within"] and not found["leaves"]["height"]["within"]
    assert "height" in effect_controls.line(found) and "density" not in effect_controls.line(found)


def test_travel_is_found_between_pixels() -> None:
    wave = np.fft.fft2(np.random.default_rng(1).random((48, 48)))
    frequency = np.fft.fftfreq(48)
    wave *= np.hypot(frequency[:, None], frequency) < 0.2
    shift = 3.4 * frequency[None] - 1.7 * frequency[:, None]  # to the right, and up
    before, now = (np.fft.ifft2(spectrum).real for spectrum in (wave, wave * np.exp(-2j * np.pi * shift)))
    assert effect_controls.moved(before, now) == pytest.approx((3.4, 1.7), abs=0.15)


@pytest.mark.parametrize("kind", effect_controls.SWEEPS)
def test_sweeps_name_what_there_is(kind: str) -> None:
    controls = {control["name"]: control for control in described(kind)["controls"]}
    for sweep in effect_controls.SWEEPS[kind]:
        low, high = controls[sweep.control]["low"], controls[sweep.control]["high"]
        assert all(low <= value <= high for value in sweep.values) and list(sweep.values) == sorted(sweep.values)
        assert set(sweep.base) <= set(controls) - {sweep.control}
    names = [sweep.control for sweep in effect_controls.SWEEPS[kind]]
    assert len(set(names)) == len(names)


def test_a_sweep_of_water_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effect_seams, "FOLDER", tmp_path / "frames")
    swell = [sweep for sweep in effect_controls.SWEEPS["pool"] if sweep.control == "swell"]
    monkeypatch.setitem(effect_controls.SWEEPS, "pool", swell)
    found = effect_controls.sweeps("pool", None, 3, 32, 3, tmp_path / "sheet.png")
    assert found["sweeps"]["swell"]["rank_correlation"] == pytest.approx(1)
    assert "swell" not in found["not_swept"] and "seed" in found["not_swept"]
    assert (tmp_path / "sheet.png").exists()
    facts = effect_seams.water("pool", None, 6, 32)
    assert set(facts["border_over_inside"]) == {"colour", "height", "normal", "foam", "caustics"}


def test_results_are_kept_until_something_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "CACHE", tmp_path)
    measured = []

    def measure() -> kept.Facts:
        measured.append(1)
        return {"seconds": len(measured)}

    assert kept.kept("a", {"x": (1, 2)}, measure, fresh=False) == {"seconds": 1}
    again = kept.kept("a", {"x": [1, 2]}, measure, fresh=False)
    assert again["seconds"] == 1 and again["kept_from"]
    assert kept.kept("a", {"x": [1, 3]}, measure, fresh=False)["seconds"] == 2
    assert kept.kept("a", {"x": [1, 3]}, measure, fresh=True)["seconds"] == 3


def test_effects_without_weights_are_left_out_and_that_is_said(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    report = tmp_path / "effects.json"
    words = ["--weights", str(tmp_path), "--kinds", "fire", "smoke", "--json", str(report)]
    assert effects.main(words) == 0
    assert set(json.loads(report.read_text())["left_out"]) == {"fire", "smoke"}
    assert "fire is left out" in capsys.readouterr().out


def test_effects_better_and_worse_are_told_apart() -> None:
    random = torch.Generator().manual_seed(0)
    coarsest = torch.rand(12, 8, 16, 16, generator=random)
    fine = (enlarged(coarsest, 4) + 0.2 * torch.randn(12, 8, 64, 64, generator=random)).clamp(min=0)
    fine[:, 4:6] = 0  # nothing moves
    clips = [
        Clip(F.avg_pool2d(part, 4).half(), part.half(), torch.zeros(6, 2, 16, 16), torch.ones(6, 16, 16))
        for part in fine.chunk(2)
    ]

    def judged(method: effect_quality.Method) -> list[effect_quality.Frames]:
        return [[portrait(frame, Encoding()) for frame in method(clip)[1:]] for clip in clips]

    truths, soft = judged(effect_quality.truth), judged(effect_quality.bicubic)
    best, worse = (effect_quality.scores(side, truths, clips, Encoding()) for side in (truths, soft))
    for name in ("patch_swd", "log_spectrum_error", "temporal_spectrum_error"):
        assert best[name] == 0 < worse[name], name
    assert best["coverage"] == 1 and worse["coverage"] < 1
    assert worse["warp_error"] < best["warp_error"]  # what is smooth is steady
    assert effect_quality.line("ours", worse)
