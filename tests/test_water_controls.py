"""Each of water's controls does what it names, within its range."""

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from water import CPU, channel, heights, loop, rising

from backend.effect.water.controls import KINDS, Ocean, controls, create
from backend.effect.water.grid import Grid, half_spectrum
from backend.effect.water.simulation import Simulation
from backend.errors import UsageError

ROOT = Path(__file__).resolve().parents[1]


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
