"""From what a simulation holds to what a camera sees: light and colour."""

import numpy as np
import pytest
import torch

from backend.effect.blackbody import glow
from backend.effect.lighting import Lit, firelight, shadows
from backend.effect.shade import Shading, fading, shade
from backend.images import LUMINANCE


def test_the_colour_of_what_glows_follows_its_temperature():
    kelvins = torch.tensor([500.0, 1000.0, 1900.0, 3000.0, 6504.0, 9000.0])
    cold, red, flame, lamp, day, sky = glow(kelvins, 1900.0)
    assert cold.max() < 1e-3
    assert red[0] > 5 * red[1] > 5 * red[2]
    assert flame[0] > flame[1] > flame[2]
    assert (flame @ torch.tensor(LUMINANCE)).item() == pytest.approx(1, rel=0.02)
    assert lamp[0] > lamp[1] > lamp[2]
    assert (day / day.mean()).numpy() == pytest.approx(1, abs=0.06)  # D65 is nearly a black body of 6504 K
    assert sky[2] > sky[0]
    brightness = glow(torch.linspace(600, 4000, 80), 1900.0) @ torch.tensor(LUMINANCE)
    assert (brightness.diff() > 0).all()


def test_shadow_lies_on_the_far_side_and_firelight_falls_off():
    hiding = torch.zeros(1, 16, 16, 16)
    hiding[:, 6:10, 6:10, 6:10] = 1.0
    (reaching,) = shadows(hiding, ((-0.7, 0.7, 0.0),))[0]
    assert reaching[8, 15, 0] == pytest.approx(1)
    assert reaching[8, 2, 12] < 0.6 < reaching[8, 12, 2]  # below to the right, and above to the left
    shone = torch.zeros(1, 3, 16, 16, 16)
    shone[:, :, 8, 8, 2] = 1.0
    light = firelight(shone, hiding)[0, 0, 8, 8]
    assert light[3] > light[5] > light[9] > 0


def shaded(
    fine: torch.Tensor, light: float = 1.0, colour: tuple[float, float, float] = (0.5, 0.5, 0.5)
) -> torch.Tensor:
    height, width = fine.shape[2] // 4, fine.shape[3] // 4
    lights = torch.tensor([light, light, 0.0, 0.0, 0.0]).view(1, 5, 1, 1).expand(1, 5, height, width)
    lit = Lit(lights, torch.ones(1, 1, height, width))
    return shade(fine, lit, Shading("fire", colour, 1900.0), 4, 2.0)


def test_alpha_is_what_the_density_hides_and_smoke_takes_its_colour():
    fine = torch.zeros(1, 8, 16, 16)
    fine[:, 2] = 293.0
    assert shaded(fine).abs().max() == 0
    fine[:, 1] = 1.2
    rgba = shaded(fine, colour=(0.8, 0.4, 0.2))
    assert rgba[0, 3] == pytest.approx(1 - np.exp(-1.2), rel=1e-5)
    assert rgba[0, 0].mean() > rgba[0, 1].mean() > rgba[0, 2].mean() > 0
    assert shaded(fine, light=0.1)[0, :3].mean() < 0.4 * shaded(fine)[0, :3].mean()


def test_fire_hides_as_much_as_it_shines():
    fine = torch.zeros(1, 8, 16, 16)
    fine[:, 0], fine[:, 2] = 1.0, 1800.0
    rgba, faint = shaded(fine), shaded(0.02 * fine + 0.98 * fine * (torch.arange(8) == 2).view(1, 8, 1, 1))
    assert rgba[0, 3].min() > 0.9 and rgba[0, 0].min() > 0.7
    assert 0 < faint[0, 3].max() < 0.2
    assert shaded(2 * fine * torch.tensor([1, 1, 0.5, 1, 1, 1, 1, 1]).view(1, 8, 1, 1))[0, 0].mean() == pytest.approx(
        2 * rgba[0, 0].mean().item(), rel=1e-4
    )


def test_a_bump_is_lit_on_the_lamps_side():
    fine = torch.zeros(1, 8, 64, 64)
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    fine[:, 1], fine[:, 2] = 4.0, 293.0
    fine[:, 3] = 1.0 - 0.2 * torch.exp(-((x - 32) ** 2 + (y - 32) ** 2) / 32)
    lamp = shaded(fine)[0, 0]
    assert lamp[29, 29] > 1.05 * lamp[35, 35]


def test_a_hollow_is_darker_than_a_hill():
    fine = torch.zeros(1, 8, 64, 64)
    fine[:, 2], fine[:, 3] = 293.0, 1.0
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    round_ = 3 * torch.exp(-((x - 32) ** 2 + (y - 32) ** 2) / 18)
    hollow, hill = (shaded(fine + torch.eye(8)[1].view(1, 8, 1, 1) * (4 + way * round_))[0, 0] for way in (-1, 1))
    assert hollow[32, 32] < 0.85 * hill[32, 32]
    assert hollow[:8, :8].mean() == pytest.approx(hill[:8, :8].mean().item(), rel=0.05)


def test_gas_thins_out_where_the_box_ends():
    thin, thick = (fading(torch.full((100, 100), density), "smoke") for density in (0.1, 10.0))
    assert fading(torch.full((100, 100), 0.1), "fire")[40:, 40:60].min() == 1  # flames stand on what burns
    for seen in (thin, thick):
        assert seen[40:96, 40:60].min() == 1
        assert max(seen[0].max(), seen[-1].max(), seen[:, 0].max(), seen[:, -1].max()) < 0.01
        assert (seen[:40, 50].diff() >= 0).all()
    assert (thick >= thin).all() and thick[12, 50] > 2 * thin[12, 50]  # wisps go first: it ends raggedly


def test_bands_show_no_seam():
    fine = torch.rand(1, 8, 400, 24) * torch.tensor([0.5, 3.0, 1500, 2, 1, 1, 1, 1]).view(1, 8, 1, 1)
    lit = Lit(torch.rand(1, 5, 100, 6), torch.rand(1, 1, 100, 6))
    shading = Shading("explosion", (0.5, 0.5, 0.5), 2400.0)
    whole, banded = shade(fine, lit, shading, 4, 2.0), shade(fine, lit, shading, 4, 2.0, most=20 * 24)
    assert torch.allclose(whole, banded, rtol=1e-4, atol=1e-5)
