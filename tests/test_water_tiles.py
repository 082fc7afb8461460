"""Water repeats without a seam, in space and in time."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from water import CPU, LIVELY, loop

from backend.effect.water.controls import KINDS
from backend.effect.water.dispersion import frequency
from backend.effect.water.grid import Grid, warped
from backend.effect.water.memory import Memory
from backend.effect.water.modes import Modes, Stream, random_phases


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


def test_same_in_same_out():
    for water in LIVELY.values():
        a, b, other = (loop(w, 32, 4) for w in (water, water, replace(water, seed=5)))
        assert torch.equal(a, b)
        assert not torch.allclose(a, other)
