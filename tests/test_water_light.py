"""Light through water: caustics."""

import math
from dataclasses import replace

import pytest
import torch
from water import CPU, LIVELY, channel, loop

from backend.effect.water.caustics import caustics, refracted
from backend.effect.water.controls import KINDS, Pool
from backend.effect.water.grid import Grid, half_spectrum
from backend.effect.water.kinds import angle
from backend.effect.water.shade import sun_direction
from backend.effect.water.surface import Geometry


@pytest.mark.parametrize("kind", KINDS)
def test_no_light_is_lost_or_made(kind):
    water = replace(LIVELY[kind], choppiness=1.8, light_depth=3.0, sun_elevation=20)
    light = channel(loop(water, 64, 2), "caustics")
    assert light.mean((1, 2)).tolist() == pytest.approx([1, 1], abs=1e-4)
    assert float(light.min()) >= 0
    assert float(light.max()) > 1.05


def test_a_crest_gathers_light_at_its_focus():
    """A wave is a row of lenses: they focus n / (n - 1) / curvature deep, under the crests if the sun is overhead."""
    grid, length, amplitude = Grid(64, 1.0, CPU), 0.5, 0.004
    wave = amplitude * torch.cos(2 * math.pi * torch.arange(64) * (grid.scale / 64) / length).expand(64, 64)
    curvature = amplitude * (2 * math.pi / length) ** 2
    shape = Geometry(grid, 0.0, 10.0).shape(half_spectrum(wave))
    focus = 1.333 / 0.333 / curvature
    brightest = []
    for depth in (0.3 * focus, focus, 3 * focus):
        floor = caustics(shape, grid, depth, math.pi / 2, 0.0)[0]
        brightest.append(float(floor.max()))
    assert brightest[1] > 2 * max(brightest[0], brightest[2])
    at_focus = caustics(shape, grid, focus, math.pi / 2, 0.0)[0, 7]
    assert int(at_focus.argmax()) % 32 == 0
    calm = Geometry(grid, 0.0, 1.0).shape(torch.zeros(64, 33, dtype=torch.complex64))
    torch.testing.assert_close(caustics(calm, grid, 1.0, 0.6, 1.0), torch.ones(1, 64, 64), atol=1e-4, rtol=0)


def test_caustics_move_with_the_sun():
    water = Pool(sun_elevation=45, sun_azimuth=0, swell=0.01)
    low, high = (channel(loop(replace(water, sun_elevation=e), wanted=[0]), "caustics")[0] for e in (40, 90))
    shift = torch.fft.irfft2(torch.fft.rfft2(low) * torch.fft.rfft2(high).conj()).argmax()
    away = math.asin(math.cos(math.radians(40)) / 1.333)
    expected = 1.5 * math.tan(away) / 4.0 * 64
    assert int(shift) // 64 in (63, 0, 1)
    assert int(shift) % 64 == pytest.approx(expected, abs=2)


@pytest.mark.parametrize("azimuth", [0, 60, 90, -60])
def test_the_sun_is_seen_where_the_light_comes_from(azimuth):
    """What it does to the floor and what it does to the surface is one sun's work."""
    sun = sun_direction(Pool(sun_elevation=30, sun_azimuth=azimuth)).flatten()
    level = torch.tensor([0.0, 1.0, 0.0]).view(3, 1, 1)
    light = refracted(level, math.radians(30), angle(azimuth)).flatten()
    assert float(sun[1]) == pytest.approx(0.5)
    aside = torch.nn.functional.normalize(light[[0, 2]], dim=0) * math.cos(math.radians(30))
    torch.testing.assert_close(aside, -sun[[0, 2]])
