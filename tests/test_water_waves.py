"""Waves, swell and rings as physics has them."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from water import CPU, LIVELY, channel, heights, loop, rising, significant

from backend.effect.water import spectrum
from backend.effect.water.controls import KINDS, Ocean, Pool, Rain
from backend.effect.water.dispersion import GRAVITY, TENSION, frequency, group_velocity
from backend.effect.water.grid import Grid, field, half_spectrum
from backend.effect.water.modes import Modes, Stream, random_phases
from backend.effect.water.simulation import Simulation
from backend.effect.water.surface import Geometry


@pytest.mark.parametrize("depth, scale", [(1000.0, 20.0), (0.5, 20.0), (1000.0, 0.05)])
def test_a_wave_travels_at_the_speed_that_its_length_and_the_depth_give_it(depth, scale):
    """Deep, shallow and capillary: a wave along x of half the tile's length."""
    grid, period = Grid(16, scale, CPU), 100.0
    alone = torch.zeros(16, 16)
    alone[0, 2] = 1.0
    k = torch.hypot(*grid.vectors())
    modes = Modes(grid, alone, frequency(k, depth), period, random_phases(grid, 3, Stream.WIND))
    steps = 400000
    before, after = (half_spectrum(field(modes.spectrum(step, steps)))[0, 2] for step in (0, 10))
    turned = -torch.angle(after / before)
    length = scale / 2
    number = 2 * math.pi / length
    squared = (GRAVITY / number + TENSION * number) * math.tanh(number * depth)
    assert float(turned) / (period * 10 / steps) / number == pytest.approx(math.sqrt(squared), rel=0.02)


def test_group_velocity_is_the_slope_of_the_dispersion_relation():
    k = torch.logspace(-2, 3, 50, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(frequency(k, 2.0).sum(), k)
    torch.testing.assert_close(group_velocity(k, 2.0).detach(), slope)


def test_directions_share_all_the_energy():
    angles = torch.linspace(-math.pi, math.pi, 4001, dtype=torch.float64)
    for ratio in (0.3, 0.7, 1.0, 1.5, 4.0):
        share = spectrum.spreading(angles, torch.tensor(ratio, dtype=torch.float64))
        assert float(torch.trapezoid(share, angles)) == pytest.approx(1, abs=1e-3)


def test_wind_raises_the_waves_that_the_spectrum_has():
    measured, expected = [], []
    for wind in (5.0, 9.0, 14.0, 20.0):
        water = Ocean(wind_speed=wind, swell=0, scale=800, depth=2000, fetch=30_000, loop_seconds=60, foam=0)
        spread = [float(heights(replace(water, seed=seed), 256).square().mean()) for seed in range(3)]
        measured.append(4 * math.sqrt(np.mean(spread)))
        omega = torch.linspace(0.05, math.sqrt(GRAVITY * math.pi * 256 / 800), 4000, dtype=torch.float64)
        expected.append(4 * math.sqrt(torch.trapezoid(spectrum.jonswap(omega, wind, 30_000), omega)))
    assert rising(measured)
    assert measured == pytest.approx(expected, rel=0.08)


def test_the_spectrum_is_jonswap():
    """Its peak, worked out by hand for 10 m/s over 30 km, and the law for height and fetch within its scatter."""
    omega = torch.linspace(0.3, 20, 20_000, dtype=torch.float64)
    density = spectrum.jonswap(omega, 10.0, 30_000.0)
    assert float(omega[density.argmax()]) == pytest.approx(1.506, rel=0.01)
    assert float(density.max()) == pytest.approx(0.154, rel=0.02)
    height = 4 * math.sqrt(torch.trapezoid(density, omega))
    assert height == pytest.approx(0.0016 * 10 * math.sqrt(30_000 / GRAVITY), rel=0.3)


def test_shoaling_has_its_limits():
    """Kitaigorodskii et al. 1975: 1 in deep water; in shallow water half the square of k d."""
    k = torch.tensor([0.02, 0.1, 8.0, 1e4], dtype=torch.float64)
    assert spectrum.shoaling(k, 1.0).tolist() == pytest.approx([0.0002, 0.005, 1, 1], rel=0.02)


def test_shallow_water_carries_lower_waves():
    water = Ocean(wind_speed=14, swell=0, scale=300, foam=0)
    assert rising([significant(heights(replace(water, depth=depth))) for depth in (1.0, 3.0, 10.0, 100.0)])


@pytest.mark.parametrize("water", [Ocean(wind_speed=0, swell_length=20, scale=64, foam=0), Pool(swell_length=0.8)])
def test_swell_has_the_height_asked_for_at_any_size(water):
    for size in (64, 128):
        found = [significant(heights(replace(water, swell=swell), size)) for swell in (0.1, 0.5)]
        assert found[1] == pytest.approx(5 * found[0], rel=1e-3)
        assert found[0] == pytest.approx(0.1, rel=0.2)  # the tile's few waves meet as they will


@pytest.mark.parametrize("kind", KINDS)
def test_the_coarse_water_is_the_fine_water_without_its_short_waves(kind):
    fine, coarse = (half_spectrum(heights(LIVELY[kind], size)) for size in (128, 32))
    inside = torch.zeros(32, 17, dtype=torch.bool)
    order = torch.fft.fftfreq(32, 1 / 32)
    inside[(order[:, None] ** 2 + torch.arange(17) ** 2) < 15**2] = True
    rows = torch.cat([torch.arange(16), torch.arange(-16, 0)])
    assert (fine[rows][:, :17] - coarse).abs()[inside].max() < 1e-5 * coarse.abs().max()
    assert coarse.abs()[inside].max() > 0


def test_the_normal_is_that_of_the_displaced_surface():
    water = Ocean(wind_speed=8, swell=0.3, scale=32, foam=0)
    ((_, surface),) = Simulation(water, 256, 2).surfaces([0])
    x = torch.arange(256) * (32 / 256)
    place = torch.stack([x[None, :] + surface.displacement[0], surface.height[0], x[:, None] + surface.displacement[1]])
    along, down = (place.roll(-1, axis) - place.roll(1, axis) for axis in (2, 1))
    normal = torch.linalg.cross(down, along, dim=0)[:, 1:-1, 1:-1]
    normal = normal / torch.linalg.vector_norm(normal, dim=0)
    assert float((normal * surface.normal[:, 1:-1, 1:-1]).sum(0).median()) > 0.999


def test_crests_are_sharper_than_troughs_when_choppy():
    """Water gathers at the crests: seen from above, more of it is high than low."""
    water = Ocean(wind_speed=10, swell=0, scale=64, choppiness=1.5, foam=0)
    shape = Geometry(Grid(64, 64.0, CPU), 1.5, 50.0).shape(half_spectrum(heights(water)))
    assert float((shape.height * shape.jacobian).mean()) < 0
    assert float(shape.jacobian.mean()) == pytest.approx(1, abs=1e-5)
    stretch = (shape.displacement.roll(-1, 2) - shape.displacement.roll(1, 2))[0] / 2
    assert float((shape.height[0] * stretch).mean()) < 0


def test_a_drop_makes_a_ring_that_runs_out_and_dies():
    """The one drop's energy lies on a circle that grows, and it fades."""
    water = Rain(rain_rate=0.25, drop_size=5, scale=1.0, loop_seconds=4, wind_speed=0, depth=1.0)
    water = next(w for w in (replace(water, seed=seed) for seed in range(100)) if _drops(w) == 1)
    frames = channel(loop(water, 96, 80), "height")
    energy = frames.square().mean((1, 2))
    fell = int(energy.argmax())
    frames, energy = frames.roll(-fell, 0), energy.roll(-fell)
    assert rising((-energy[[0, 8, 16, 32, 60]]).tolist())
    peak = frames[0].square().argmax()
    centre = torch.tensor([peak // 96, peak % 96])
    y, x = torch.meshgrid(torch.arange(96), torch.arange(96), indexing="ij")
    away = torch.hypot(*(((a - c + 48) % 96 - 48).float() for a, c in ((y, centre[0]), (x, centre[1])))) / 96
    beside = ((torch.arange(96) - centre[1] + 48) % 96 - 48) / 96
    for frame in frames[[3, 6, 9]]:
        assert float((beside * frame.square()).sum() / frame.square().sum()) == pytest.approx(0, abs=0.01)
    radii = [float((away * f.square()).sum() / f.square().sum()) for f in frames[[0, 3, 6, 9]]]
    assert rising(radii)
    speed = (radii[3] - radii[1]) / (6 * 4 / 80)
    assert 0.1 < speed < 0.5  # the slowest ripples run at 0.23 m/s, their energy at half of it and more


def _drops(water):
    random = np.random.default_rng([water.seed, Stream.DROPS])
    return random.poisson(water.rain_rate * water.scale**2 * water.period)
