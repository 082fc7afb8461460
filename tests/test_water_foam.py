"""Foam: as much as at sea, and where it belongs."""

from dataclasses import replace

import pytest
import torch
from water import channel, loop

from backend.effect.water.controls import Ocean, River
from backend.effect.water.foam import visible, whitecaps


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
