"""The bench's baselines and measures do what they say, on pictures whose answers are known."""

import numpy as np
import pytest
import torch

from bench import baselines, features, look, patchnet
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
