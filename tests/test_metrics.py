"""The metrics give the values that can be worked out by hand, and get worse as pictures get worse."""

from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
from numpy.typing import NDArray

from backend import images, metrics
from backend.shot import Shot

Image = NDArray[np.float32]


@pytest.fixture(scope="module")
def picture() -> Image:
    """Pink noise over a gradient: detail at every scale, as a painting has."""
    rng = np.random.default_rng(1)
    frequency = np.hypot(np.fft.fftfreq(96)[:, None], np.fft.fftfreq(160)[None]) + 0.01
    noise = np.fft.ifft2(np.fft.fft2(rng.standard_normal((3, 96, 160))) / frequency).real
    return np.ascontiguousarray(np.clip(0.5 + 0.15 * noise / noise.std(), 0, 1).transpose(1, 2, 0), np.float32)


def blurred(image: Image, size: int) -> Image:
    kernel = np.ones(size) / size
    for axis in (0, 1):
        image = np.apply_along_axis(
            lambda line: np.convolve(np.pad(line, size // 2, "edge"), kernel, "valid"), axis, image
        )
    return image.astype(np.float32)


def test_psnr_known_values(picture: Image) -> None:
    assert metrics.psnr(picture, picture) == float("inf")
    zeros = np.zeros((4, 6, 3))
    assert metrics.psnr(zeros, zeros + 0.1) == pytest.approx(20)
    with pytest.raises(ValueError, match="different shapes"):
        metrics.psnr(zeros, zeros[:2])


def test_patch_swd_is_zero_only_for_equal_textures(picture: Image) -> None:
    same = metrics.patch_swd([picture], [picture])
    assert set(same) == {"96", "48", "24", "mean"}
    assert all(value == 0 for value in same.values())
    # Texture, not place: a shifted picture is far nearer than a blurred one of the same PSNR or better.
    shifted = metrics.patch_swd([np.roll(picture, 7, axis=1)], [picture])["mean"]
    soft = metrics.patch_swd([blurred(picture, 5)], [picture])["mean"]
    assert shifted < 0.4 * soft


def test_patch_swd_puts_the_damage_at_its_scale(picture: Image) -> None:
    soft = metrics.patch_swd([blurred(picture, 3)], [picture])
    assert soft["96"] > 2 * soft["24"]
    tinted = metrics.patch_swd([picture * np.float32([1, 0.8, 0.8])], [picture])
    assert tinted["24"] > 2 * tinted["96"]


@pytest.mark.parametrize("measure", ["swd", "spectrum", "psnr"])
def test_more_damage_is_worse(picture: Image, measure: str) -> None:
    rng = np.random.default_rng(2)
    noise = rng.standard_normal(picture.shape).astype(np.float32)

    def badness(image: Image) -> float:
        if measure == "swd":
            return metrics.patch_swd([image], [picture])["mean"]
        if measure == "spectrum":
            return metrics.log_spectrum_error(image, picture)
        return -metrics.psnr(image, picture)

    for series in ([blurred(picture, n) for n in (1, 3, 7)], [picture + k * noise for k in (0.0, 0.03, 0.1)]):
        values = [badness(image) for image in series]
        assert values == sorted(values) and values[0] < values[1] < values[2]


def test_log_spectrum_of_a_scaled_picture(picture: Image) -> None:
    """Half the contrast is a quarter of the power: 6.02 dB in every ring."""
    assert metrics.log_spectrum_error(picture / 2, picture) == pytest.approx(6.02, abs=0.05)


def moving(picture: Image, step: int) -> tuple[Image, Image, Image]:
    """Two frames of a picture that slides ``step`` pixels to the right, and its vectors."""
    vector = np.zeros((*picture.shape[:2], 4), np.float32)
    vector[..., 0], vector[..., 2] = -step, step
    return picture, np.roll(picture, step, axis=1), vector


def test_density_and_coverage_are_about_one_for_the_same_kind_of_picture(picture: Image) -> None:
    halves = [picture[:, :80], picture[:, 80:]]
    density, coverage = metrics.density_coverage(halves, halves)
    assert density == pytest.approx(1, abs=0.01) and coverage == 1
    density, coverage = metrics.density_coverage(halves[:1], halves[1:])
    worse = metrics.density_coverage([blurred(halves[0], 9)], halves[1:])
    assert worse[0] < density and worse[1] < coverage
    assert metrics.density_coverage([np.zeros_like(picture)], [picture]) == (0.0, 0.0)


def test_coverage_sees_what_is_left_out(picture: Image) -> None:
    """All alike, if all are good: as dense as ever, but half of what is to be seen is missing."""
    smooth = blurred(picture, 15)
    assert metrics.density_coverage([picture], [picture, smooth])[1] < 0.7
    assert metrics.density_coverage([picture, smooth], [picture, smooth])[1] == 1


def test_temporal_spectrum(picture: Image) -> None:
    moving = [np.roll(picture, step, 1) for step in range(8)]
    assert metrics.temporal_spectrum_error(moving, moving) == 0
    fainter = [frame * 0.1 for frame in moving]
    assert metrics.temporal_spectrum_error(fainter, moving) == pytest.approx(20, abs=1e-3)
    rng = np.random.default_rng(0)
    flicker = [frame + 0.1 * rng.standard_normal(frame.shape).astype(np.float32) for frame in moving]
    lag = [(a + b) / 2 for a, b in zip(moving, moving[1:] + moving[:1], strict=True)]
    assert metrics.temporal_spectrum_error(flicker, moving) > 1
    assert metrics.temporal_spectrum_error(lag, moving) > 1
    with pytest.raises(ValueError, match="4 frames"):
        metrics.temporal_spectrum_error(moving[:3], moving[:3])


def test_warp_error_follows_motion(picture: Image) -> None:
    before, after, vector = moving(picture, 4)
    assert metrics.warp_error(after, before, vector, vector) < 1e-10
    assert metrics.warp_error(after, before, 0 * vector, 0 * vector) > 1e-3
    assert metrics.warp_error(after + 0.1, before, vector, vector) == pytest.approx(0.01, rel=1e-3)


def test_what_was_hidden_does_not_count(picture: Image) -> None:
    """A square slides right over a still ground: damage to the strip that it uncovers costs nothing."""
    vector, previous = np.zeros((40, 60, 4), np.float32), np.zeros((40, 60, 4), np.float32)
    vector[10:30, 26:46] = (-6, 0, 6, 0)
    previous[10:30, 20:40] = (-6, 0, 6, 0)
    before, after = np.zeros((40, 60, 3), np.float32), np.zeros((40, 60, 3), np.float32)
    after[12:28, 20:26] = 1
    assert metrics.warp_error(after, before, vector, previous) == 0
    after[12:28, 48:54] = 1
    assert metrics.warp_error(after, before, vector, previous) > 0.03


def test_loop_seam() -> None:
    turn = [np.full((4, 4, 3), np.cos(2 * np.pi * i / 48)) for i in range(48)]
    swing = [np.full((4, 4, 3), i / 10) for i in range(10)]
    assert metrics.loop_seam(swing) == pytest.approx(9)
    assert metrics.loop_seam(turn) < 0.2
    with pytest.raises(ValueError, match="3 frames"):
        metrics.loop_seam(swing[:2])
    with pytest.raises(ValueError, match="do not move"):
        metrics.loop_seam([swing[0]] * 3)


def write_frame(path: Path, beauty: Image, vector: Image) -> None:
    """A frame as Blender writes it: in its Vector pass the third and fourth channel point back from the next frame."""
    pixels = np.concatenate([beauty, np.ones_like(beauty[..., :1]), vector * np.float32([1, -1, -1, 1])], -1)
    spec = oiio.ImageSpec(pixels.shape[1], pixels.shape[0], 8, oiio.FLOAT)
    spec.channelnames = tuple(f"L.Combined.{c}" for c in "RGBA") + tuple(f"L.Vector.{c}" for c in "XYZW")
    output = oiio.ImageOutput.create(str(path))
    assert output.open(str(path), spec) and output.write_image(pixels)
    output.close()


def test_warp_ratio_of_a_folder(picture: Image, tmp_path: Path) -> None:
    """A sliding picture whose light trembles: styled frames that tremble as much, less or more than the render."""
    folders = {name: tmp_path / name for name in ("shot", "same", "calm", "wild")}
    for folder in folders.values():
        folder.mkdir()
    for frame in range(1, 4):
        _, now, vector = moving(picture, 4 * frame)
        vector = np.sign(vector) * np.float32(4)
        tremble = 0.04 * (frame % 2)
        write_frame(folders["shot"] / f"a_{frame:04d}.exr", now + tremble, vector)
        for name, strength in (("same", 1.0), ("calm", 0.3), ("wild", 3.0)):
            styled = np.concatenate([now + strength * tremble, np.ones_like(now[..., :1])], -1)
            images.write_exr(folders[name] / f"a_{frame:04d}.exr", np.ascontiguousarray(styled, np.float32))
    shot = Shot.open(folders["shot"])
    ratios = {name: metrics.warp_ratio(shot, folders[name]) for name in ("same", "calm", "wild")}
    assert ratios["same"] == pytest.approx(1, rel=0.02)
    assert ratios["calm"] < 0.2 and ratios["wild"] > 4
    with pytest.raises(ValueError, match="no pair"):
        metrics.warp_ratio(shot, folders["same"], [1, 3])
    for frame in range(1, 4):
        flat = np.full_like(picture, 0.5 + 1e-6 * frame)
        write_frame(folders["shot"] / f"a_{frame:04d}.exr", flat, np.zeros((*picture.shape[:2], 4), np.float32))
    with pytest.raises(ValueError, match="hardly changes"):
        metrics.warp_ratio(Shot.open(folders["shot"]), folders["wild"])
