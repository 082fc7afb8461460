"""Water: tiles without a seam in space and time, true to the physics and to the artist's controls."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from backend.effect.water import spectrum
from backend.effect.water.caustics import caustics
from backend.effect.water.controls import KINDS, Ocean, Pool, Rain, River, controls, create
from backend.effect.water.dataset import pairs, simulate
from backend.effect.water.dispersion import GRAVITY, TENSION, frequency, group_velocity
from backend.effect.water.foam import visible, whitecaps
from backend.effect.water.grid import Grid, field, half_spectrum, warped
from backend.effect.water.memory import Memory
from backend.effect.water.modes import Modes, Stream, random_phases
from backend.effect.water.recipe import load
from backend.effect.water.simulation import CHANNELS, Simulation
from backend.effect.water.surface import Geometry
from backend.errors import Cancelled, UsageError
from backend.job import Job

ROOT = Path(__file__).resolve().parents[1]
CPU = torch.device("cpu")


def loop(water, size=64, frames=8, wanted=None):
    """(frames, 7, size, size), in the order of CHANNELS."""
    return torch.stack([surface.channels() for _, surface in Simulation(water, size, frames).surfaces(wanted)])


def channel(channels, name):
    return channels[:, CHANNELS.index(name)]


def heights(water, size=64, frame=0):
    return channel(loop(water, size, wanted=[frame]), "height")[0]


def significant(height):
    return 4 * float(height.std())


def rising(values):
    return all(a < b for a, b in pairwise(values))


LIVELY = {
    "ocean": Ocean(wind_speed=15, foam=3, scale=48, loop_seconds=4),
    "river": River(turbulence=0.8, foam=2, loop_seconds=3),
    "pool": Pool(loop_seconds=3),
    "rain": Rain(loop_seconds=2, rain_rate=250),
}


# Tiles


@pytest.mark.parametrize("kind", KINDS)
def test_no_seam_in_space(kind):
    """The step over the edge, and the step's change, are like those inside, in every channel."""
    frames = loop(LIVELY[kind], 96, 6)
    for axis in (2, 3):
        for order in (1, 2):
            wrapped = torch.cat([frames, frames.narrow(axis, 0, order)], axis)
            change = torch.diff(wrapped, n=order, dim=axis).abs().mean((0, 5 - axis))
            seam, inside = change[:, -order:].amax(1), change[:, :-order].amax(1)
            assert torch.all(seam <= 1.1 * inside), (axis, order, seam / inside)
            assert inside[0] > 0


@pytest.mark.parametrize("kind", KINDS)
def test_no_seam_in_time(kind):
    """The step from the last frame to the first, and its change, are like those between."""
    frames = loop(LIVELY[kind], 32, 48)
    for order in (1, 2):
        change = torch.diff(torch.cat([frames, frames[:order]]), n=order, dim=0).abs().mean((2, 3))
        seam, inside = change[-order:].amax(0), change[:-order].amax(0)
        assert torch.all(seam <= 1.1 * inside), (order, seam / inside)
        assert inside[0] > 0


def test_a_loop_closes_to_the_bit():
    grid = Grid(32, 10.0, CPU)
    modes = Modes(
        grid, torch.ones(32, 32), frequency(torch.hypot(*grid.vectors()), 5.0), 7.0, random_phases(grid, 1, Stream.WIND)
    )
    assert torch.equal(modes.spectrum(0, 24), modes.spectrum(24, 24))
    assert torch.equal(modes.spectrum(5, 24), modes.spectrum(5 - 240, 24))
    assert not torch.allclose(modes.spectrum(0, 24), modes.spectrum(12, 24))


def test_memory_leads_back_to_itself():
    random = np.random.default_rng(0)
    decay = torch.tensor([0.99, 0.5j, 0.9 * np.exp(1j)])
    inputs = [torch.from_numpy(random.normal(size=3)).to(torch.complex64) for _ in range(20)]
    memory = Memory(decay, 20)
    state = start = memory.closed(inputs)
    for given in inputs:
        state = memory.follow(state, given)
    torch.testing.assert_close(state, start, rtol=1e-5, atol=1e-5)


def test_warping_goes_around_the_edges():
    grid = Grid(16, 8.0, CPU)
    values = torch.rand(16, 16, generator=torch.Generator().manual_seed(0))
    offset = torch.stack([torch.full((16, 16), 2.5), torch.full((16, 16), -9.0)])
    torch.testing.assert_close(warped(values, offset, grid), values.roll((18, -5), (0, 1)))


# Waves


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


# Foam


def test_as_much_foam_as_at_sea_on_any_grid():
    for wind in (14.0, 20.0):
        water = Ocean(wind_speed=wind, loop_seconds=6)
        seeds = [loop(replace(water, seed=seed), 64, 6) for seed in range(4)]
        assert float(channel(torch.cat(seeds), "foam").mean()) == pytest.approx(whitecaps(wind), rel=0.35)
        fine = loop(replace(water, seed=0), 256, 6, [0, 3])
        assert float(channel(fine, "foam").mean()) == pytest.approx(
            float(channel(seeds[0][[0, 3]], "foam").mean()), rel=0.2
        )


def test_a_lace_shows_as_much_foam_as_there_is():
    nearness = torch.linspace(0, 1, 100_001)
    for thickness in (0.01, 0.1, 0.5, 1.0, 3.0):
        poured = torch.full_like(nearness, thickness)
        assert float(visible(poured, nearness).mean()) == pytest.approx(float(visible(poured, None)[0]), abs=1e-3)


def test_foam_stays_where_a_wave_broke_and_fades():
    """It outlives the crest: with a long life it hardly changes from frame to frame, with a short one it does."""
    water = Ocean(wind_speed=15, foam=2, loop_seconds=6)

    def likeness(life):
        white = channel(loop(replace(water, foam_life=life), 64, 12), "foam").flatten(1)
        return float(torch.corrcoef(torch.stack([white[0], white[2]]))[0, 1])

    assert likeness(0.3) < 0.3 < 0.6 < likeness(6.0)


def test_a_calm_sea_has_no_foam():
    assert float(channel(loop(Ocean(wind_speed=0, swell=0), frames=2), "foam").max()) == 0
    assert float(channel(loop(Ocean(foam=0), frames=2), "foam").max()) == 0


# Light


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
    wave = amplitude * torch.cos(2 * math.pi * grid.places() / length).expand(64, 64)
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


# Rain


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


# River


def test_a_river_carries_its_foam():
    """From frame to frame the foam has moved by the current's speed, in its direction."""
    for toward, axis in ((0.0, 0), (90.0, 1)):
        for speed in (0.8, 1.6):
            water = River(flow_speed=speed, flow_direction=toward, turbulence=0.6, foam=2, foam_life=4, loop_seconds=4)
            white = channel(loop(water, 64, 32, [10, 12]), "foam")
            white = white - white.mean((1, 2), keepdim=True)
            likeness = torch.fft.irfft2(torch.fft.rfft2(white[1]) * torch.fft.rfft2(white[0]).conj())
            z, x = divmod(int(likeness.argmax()), 64)
            moved = ((x + 32) % 64 - 32, -((z + 32) % 64 - 32))
            assert moved[axis] == pytest.approx(speed * 0.25 / 8 * 64, abs=1), (toward, speed)
            assert moved[1 - axis] == pytest.approx(0, abs=1)


# Controls


def change(channels):
    return float(torch.diff(channel(channels, "height"), dim=0).square().mean().sqrt())


@pytest.mark.parametrize(
    "kind, name, values, measure",
    [
        ("ocean", "wind_speed", (4, 8, 14, 22), lambda c: float(channel(c, "height").std())),
        ("ocean", "fetch", (1e3, 1e4, 1e5), lambda c: float(channel(c, "height").std())),
        ("ocean", "swell", (0.5, 1, 2, 4), lambda c: float(channel(c, "height").std())),
        ("ocean", "choppiness", (0, 0.5, 1, 2), lambda c: float(channel(c, "displacement_x").std())),
        ("ocean", "foam", (0, 1, 3, 8), lambda c: float(channel(c, "foam").mean())),
        ("ocean", "wind_speed", (8, 12, 16, 24), lambda c: float(channel(c, "foam").mean())),
        ("river", "foam", (0, 1, 3, 8), lambda c: float(channel(c, "foam").mean())),
        ("river", "turbulence", (0, 0.3, 0.6, 1), lambda c: float(channel(c, "slope_x").std())),
        ("river", "turbulence", (0.1, 0.3, 0.6, 1), lambda c: float(channel(c, "foam").mean())),
        ("pool", "swell", (0, 0.01, 0.03, 0.06), lambda c: float(channel(c, "slope_x").std())),
        ("pool", "light_depth", (0.1, 0.3, 0.7, 1.2), lambda c: float(channel(c, "caustics").std())),
        ("rain", "rain_rate", (0, 10, 50, 300), lambda c: float(channel(c, "height").std())),
        ("rain", "drop_size", (2, 3, 5, 7), lambda c: float(channel(c, "height").std())),
        ("ocean", "time_scale", (0.25, 0.5, 1, 2), change),
        ("pool", "swell_length", (2.0, 1.0, 0.5), lambda c: float(channel(c, "slope_x").std())),
    ],
)
def test_a_control_moves_what_it_names(kind, name, values, measure):
    base = replace(create(kind, {}), loop_seconds=4.0)
    # Half a tenth of a second of film from frame to frame at every time scale.
    assert rising(
        [
            measure(loop(replace(base, **{name: value}), 64, 40, range(0, 40, 8) if measure is not change else [0, 1]))
            for value in values
        ]
    )


def test_directions_are_where_things_go():
    """0 is +x, 90 is up the tile. Waves run down the wind: measured by the phase of each wave, a little later."""
    for toward, expected in ((0.0, (1, 0)), (90.0, (0, -1)), (-135.0, (-0.7, 0.7))):
        water = Ocean(wind_direction=toward, swell_direction=toward, loop_seconds=60, scale=200, foam=0)
        early, late = (half_spectrum(height) for height in channel(loop(water, 64, 600, [0, 1]), "height"))
        grid = Grid(64, 200.0, CPU)
        kx, kz = grid.half_vectors()
        forth = torch.sign(-torch.angle(late / early.where(early.abs() > 0, 1.0))) * early.abs() ** 2
        k = torch.hypot(kx, kz).clamp_min(1e-9)
        drift = torch.stack([(forth * kx / k).sum(), (forth * kz / k).sum()]) / (early.abs() ** 2).sum()
        assert drift.tolist() == pytest.approx(expected, abs=0.35)


def test_scale_is_the_length_of_the_tile():
    """The same sea on a tile of twice the side has twice as many crests to it: half the steps between its points."""
    water = Ocean(wind_speed=12, swell=0, fetch=2000, foam=0)
    small, large = (heights(replace(water, scale=scale), 128) for scale in (64.0, 128.0))

    def crests(height):
        power = half_spectrum(height).abs().square()
        order = torch.fft.fftfreq(128, 1 / 128)
        return float((power * torch.hypot(order[:, None], torch.arange(65.0))).sum() / power.sum())

    assert crests(large) == pytest.approx(2 * crests(small), rel=0.15)


def test_same_in_same_out():
    for water in LIVELY.values():
        a, b, other = (loop(w, 32, 4) for w in (water, water, replace(water, seed=5)))
        assert torch.equal(a, b)
        assert not torch.allclose(a, other)


@pytest.mark.parametrize("kind", KINDS)
def test_extremes_give_numbers(kind):
    """Every control at either end: nothing but numbers, foam between 0 and 1."""
    for control in controls(KINDS[kind]):
        for value in (control.low, control.high):
            number = int(value) if control.whole else value
            frames = loop(replace(create(kind, {"loop_seconds": 1.0}), **{control.name: number}), 16, 2)
            assert torch.isfinite(frames).all(), (control.name, value)
            assert 0 <= float(channel(frames, "foam").min()) <= float(channel(frames, "foam").max()) <= 1


def test_bad_input_is_refused():
    for values in (
        {"wind_speed": math.nan},
        {"wind_speed": 100},
        {"scale": 0},
        {"seed": 1.5},
        {"depth": "deep"},
        {"foam": True},
    ):
        with pytest.raises(UsageError, match=next(iter(values)).split("_")[0].capitalize()):
            create("ocean", values)
    with pytest.raises(UsageError, match="no rain_rate"):
        create("ocean", {"rain_rate": 3})
    with pytest.raises(UsageError, match="no water called 'lava'"):
        create("lava", {})
    for size in (0, 15, 33, -64):
        with pytest.raises(UsageError, match="even number"):
            Simulation(Ocean(), size, 4)
    with pytest.raises(UsageError, match="at least"):
        Simulation(Ocean(), 64, 0)


def test_controls_are_light_to_import():
    """Blender's panel reads them."""
    code = "import sys, backend.effect.water.controls; print([m for m in ('torch', 'numpy') if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_controls_tell_what_they_are():
    for kind in KINDS.values():
        for control in controls(kind):
            assert control.low <= control.default <= control.high
            assert control.label and control.meaning.endswith(".")


# Training pairs

TINY = """
fine = 64
coarse = 16
simulations = 2
takes = 2
length = 3
rate = 12
[ocean]
loop_seconds = [1, 2]
wind_speed = [8, 20]
wind_direction = [-180, 180]
[river]
loop_seconds = [1, 2]
[pool]
loop_seconds = [1, 2]
[rain]
loop_seconds = [1, 2]
"""


@pytest.fixture
def tiny(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return load(str(path))


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_lie_on_each_other(kind, tiny):
    first, again, other = (list(pairs(kind, seed, tiny)) for seed in (3, 3, 4))
    assert [take.fine.shape for take in first] == [(3, 7, 64, 64)] * 2
    for take, twin, stranger in zip(first, again, other, strict=True):
        assert torch.equal(take.fine, twin.fine) and torch.equal(take.coarse, twin.coarse)
        assert not torch.equal(take.fine, stranger.fine)
        fine, coarse = (half_spectrum(side[:, 0]) for side in (take.fine, take.coarse))
        torch.testing.assert_close(coarse[:, :5, :5], fine[:, :5, :5], atol=1e-6, rtol=1e-3)
    assert first[0].water != other[0].water


def test_simulating_writes_whole_files_and_goes_on(tmp_path, tiny):
    out = tmp_path / "set"
    paths = simulate("ocean", tiny, 7, out, Job())
    assert [path.name for path in paths] == ["ocean-000007.safetensors", "ocean-000008.safetensors"]
    with safe_open(paths[1], "pt") as file:
        assert file.get_tensor("fine").shape == (2, 3, 7, 64, 64)
        assert file.get_tensor("coarse").dtype == torch.float16
        card = json.loads(file.metadata()["card"])
    assert card["kind"] == "ocean" and card["seed"] == 8 and 8 <= card["controls"]["wind_speed"] <= 20
    before = [path.read_bytes() for path in paths]
    paths[0].write_bytes(before[0][:1000])
    stamp = paths[1].stat().st_mtime_ns
    assert simulate("ocean", tiny, 7, out, Job()) == paths
    assert [path.read_bytes() for path in paths] == before
    assert paths[1].stat().st_mtime_ns == stamp
    simulate("ocean", replace(tiny, takes=1), 7, out, Job())
    assert paths[1].read_bytes() != before[1]


def test_a_cancelled_simulation_leaves_nothing_half_done(tmp_path, tiny):
    job = Job()
    job.cancel()
    with pytest.raises(Cancelled):
        simulate("pool", tiny, 0, tmp_path / "set", job)
    assert not list(tmp_path.glob("set/*"))


@pytest.mark.parametrize("name", ["water-cpu", "water-gpu"])
def test_the_recipes_can_be_read(name):
    recipe = load(name)
    random = np.random.default_rng(0)
    for kind in KINDS:
        waters = {recipe.draw(kind, random) for _ in range(5)}
        assert len(waters) == 5
        assert all(recipe.frames(water) > recipe.length for water in waters)


@pytest.mark.parametrize(
    "wrong, said",
    [
        ("fine = 64", "ocean"),
        (TINY.replace("coarse = 16", ""), "coarse"),
        (TINY.replace("fine = 64", "fine = 60"), "multiple"),
        (TINY.replace("[8, 20]", "[8, 200]"), "wind_speed"),
        (TINY.replace("[8, 20]", "[20, 8]"), "no range"),
        (TINY.replace("wind_speed", "windspeed"), "windspeed"),
        (TINY + "[lava]\n", "lava"),
        ("fine = = 3", "not a recipe"),
    ],
)
def test_a_wrong_recipe_says_what_is_wrong(tmp_path, wrong, said):
    path = tmp_path / "wrong.toml"
    path.write_text(wrong)
    with pytest.raises(UsageError, match=said):
        load(str(path))


def test_an_unknown_recipe_names_the_known_ones():
    with pytest.raises(UsageError, match="water-cpu, water-gpu"):
        load("water-cray")
