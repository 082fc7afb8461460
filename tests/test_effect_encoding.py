"""How an effect's pictures are told to a network, and back."""

import pytest
import torch
import torch.nn.functional as F
from effect_network import pictures

from backend.effect.encoding import Encoding
from backend.effect.projection import CHANNELS


@pytest.mark.parametrize("height", [0.5, 60.0])
def test_decoding_undoes_encoding(height: float) -> None:
    given = pictures()
    encoding = Encoding().fitted([(given, height)])
    back = encoding.decode(encoding.encode(given, height), height)
    assert torch.allclose(back, given, rtol=1e-5, atol=1e-5)


def test_nothing_is_zero_and_the_most_is_about_one() -> None:
    given, empty = pictures(8), torch.zeros(1, 8, 2, 2)
    empty[:, CHANNELS.index("temperature")] = 293
    encoding = Encoding().fitted([(given, 2.0)])
    assert not encoding.encode(empty, 2.0).any()
    highest = encoding.encode(given, 2.0).abs().amax((0, 2, 3))
    assert bool(((highest > 0.95) & (highest < 1.2)).all()), highest


def test_size_and_resolution_do_not_show() -> None:
    """A fire of twice the height looks the same twice as deep, sqrt(2) times as old; coarse motion is fine motion."""
    small, large = pictures(), pictures()
    large[:, CHANNELS.index("depth")] *= 2
    large[:, CHANNELS.index("age")] *= 2**0.5
    assert torch.allclose(Encoding().encode(large, 4.0), Encoding().encode(small, 2.0), atol=1e-6)
    coarse = small[..., ::2, ::2].clone()
    coarse[:, 4:6] /= 2
    assert torch.allclose(Encoding().encode(coarse, 2.0), Encoding().encode(small, 2.0)[..., ::2, ::2], atol=1e-6)
    assert torch.allclose(Encoding().motion(coarse, 2), small[:, 4:6, ::2, ::2])


def test_averages_over_next_to_nothing_are_not_seen() -> None:
    encoding, faint = Encoding(), pictures()
    faint[:, :2] = 1e-7
    seen = encoding.seen(encoding.encode(faint, 1.0))
    assert float(seen[:, 2:7].abs().max()) < 1e-3
    assert torch.equal(encoding.seen(seen)[:, 7], seen[:, 7])  # fuel is no average


def test_what_a_coarse_pixel_holds_is_what_its_fine_ones_hold() -> None:
    """Sums of light, not of how light is told: half a pixel at 1 is a pixel at a half, whatever the curve."""
    encoding, fine = Encoding(), torch.zeros(1, 8, 8, 8)
    fine[:, 0, :, ::2] = 1
    coarse = F.avg_pool2d(fine, 4)
    gathered = encoding.gathered(encoding.encode(fine, 1.0), 4)
    assert torch.allclose(gathered, encoding.encode(coarse, 1.0)[:, :2], atol=1e-6)
