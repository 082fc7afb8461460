"""Random waves whose every frequency is a whole number of turns in a loop, so that the loop closes to the bit."""

import math
from enum import IntEnum

import numpy as np
import torch
from torch import Tensor

from .grid import Grid


class Stream(IntEnum):
    """Rows of random numbers that have nothing to do with each other, all of one seed."""

    WIND = 1
    SWELL = 2
    RIPPLES = 3
    BOILS = 4
    SWEEPING = 5
    LACE = 6
    FINE_LACE = 7
    MEANDER_X = 8
    MEANDER_Z = 9
    DROPS = 10


def random_phases(grid: Grid, seed: int, stream: Stream) -> Tensor:
    """Complex Gaussian numbers (N, N), real and imaginary part of deviation 1, for the plane of wave vectors.

    A wave vector gets the same number on a grid of any size: they are dealt out square ring by square ring, from the
    longest waves on. So a coarse grid carries the very waves of a fine one. 0 beyond the Nyquist wavenumber.
    """
    order = np.fft.fftfreq(grid.size, 1 / grid.size).astype(np.int64)
    x, z = np.broadcast_arrays(order[None, :], order[:, None])
    ring = np.maximum(np.abs(x), np.abs(z))
    dealt = np.lexsort((x.ravel(), z.ravel(), ring.ravel()))
    dealt = dealt[(ring.ravel()[dealt] > 0) & (ring.ravel()[dealt] < grid.size // 2)]
    numbers = np.zeros((grid.size**2, 2))
    numbers[dealt] = np.random.default_rng([seed, stream]).standard_normal((len(dealt), 2))
    numbers[(x**2 + z**2).ravel() >= (grid.size // 2) ** 2] = 0
    plane = torch.from_numpy(numbers).view(grid.size, grid.size, 2)
    return torch.view_as_complex(plane).to(grid.device)


class Modes:
    """A sum of waves a cos(k.x - w t + phase) over the wave vectors of a tile."""

    def __init__(self, grid: Grid, density: Tensor, frequency: Tensor, period: float, random: Tensor) -> None:
        """``density`` (m^4, see ``spectrum``) and ``frequency`` (rad/s) over the plane of wave vectors (N, N).

        ``period``: seconds after which all is as before: frequencies are rounded to whole turns in it.
        ``random``: what ``random_phases`` gave.
        """
        amplitude = torch.sqrt(density) * grid.step * random / 2
        turns = torch.round(frequency * (period / (2 * math.pi))).long()
        half = grid.size // 2 + 1
        # What runs along k and what runs against it: together they make the half spectrum of a real field.
        self._along = amplitude[:, :half].to(torch.complex64)
        self._against = _mirrored(amplitude)[:, :half].conj().to(torch.complex64)
        self._turns = torch.stack([turns[:, :half], -_mirrored(turns)[:, :half]])

    def spectrum(self, step: int, steps: int) -> Tensor:
        """The half spectrum (N, N // 2 + 1) at ``step`` of ``steps`` to the loop; any whole number will do."""
        angles = torch.arange(steps, dtype=torch.float64, device=self._turns.device) * (-2 * math.pi / steps)
        turned = torch.polar(torch.ones_like(angles), angles).to(torch.complex64)
        along, against = turned[(self._turns * (step % steps)) % steps]
        spectrum: Tensor = self._along * along + self._against * against
        return spectrum


def _mirrored(plane: Tensor) -> Tensor:
    """The value at -k for every k."""
    return plane.flip(0, 1).roll((1, 1), (0, 1))
