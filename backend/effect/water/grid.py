"""A square tile and its waves: which wave vectors fit into it, and how a spectrum becomes a field.

A half spectrum is what a real field's Fourier transform needs: (..., N, N // 2 + 1) complex, kz down, kx across, scaled
so that a wave of amplitude a has a / 2 there. Fields are (..., N, N), z down and x across.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Grid:
    """``size`` x ``size`` points (even) on a tile of ``scale`` metres a side."""

    size: int
    scale: float
    device: torch.device

    @property
    def step(self) -> float:
        """Radians per metre from one wave vector of the tile to the next."""
        return 2 * math.pi / self.scale

    @property
    def nyquist(self) -> float:
        """Wavenumber in rad/m that no wave of the grid reaches."""
        return self.step * self.size / 2

    def vectors(self) -> tuple[Tensor, Tensor]:
        """Wave vectors, kx (1, N) and kz (N, 1), of the whole plane, rad/m, float64."""
        whole = torch.fft.fftfreq(self.size, 1 / self.size, dtype=torch.float64, device=self.device) * self.step
        return whole[None, :], whole[:, None]

    def half_vectors(self) -> tuple[Tensor, Tensor]:
        """Wave vectors, kx (1, N // 2 + 1) and kz (N, 1), of the half plane, rad/m, float64."""
        kx, kz = self.vectors()
        return kx[:, : self.size // 2 + 1].abs(), kz


def field(spectrum: Tensor) -> Tensor:
    """The real field of a half spectrum."""
    values: Tensor = torch.fft.irfft2(spectrum, s=(spectrum.shape[-2],) * 2, norm="forward")
    return values


def half_spectrum(values: Tensor) -> Tensor:
    """The half spectrum of a real field: ``field`` gives it back."""
    spectrum: Tensor = torch.fft.rfft2(values, norm="forward")
    return spectrum


def blurred(values: Tensor, grid: Grid, sigma: float) -> Tensor:
    """``values`` under a Gaussian of ``sigma`` metres, around the tile's edges; the mean stays."""
    kx, kz = grid.half_vectors()
    kernel = torch.exp(-(kx**2 + kz**2) * sigma**2 / 2).float()
    return field(half_spectrum(values) * kernel)


def warped(values: Tensor, offset: Tensor, grid: Grid) -> Tensor:
    """``values`` (N, N) read ``offset`` (2, N, N: x, z) metres away from each point, around the tile's edges."""
    rest = torch.arange(grid.size, dtype=torch.float32, device=values.device)
    cells = grid.size / grid.scale
    x, z = rest[None, :] + offset[0] * cells, rest[:, None] + offset[1] * cells
    left, top = torch.floor(x), torch.floor(z)
    right, bottom = x - left, z - top
    column, row = left.long() % grid.size, top.long() % grid.size
    next_column, next_row = (column + 1) % grid.size, (row + 1) % grid.size
    above = torch.lerp(values[row, column], values[row, next_column], right)
    below = torch.lerp(values[next_row, column], values[next_row, next_column], right)
    return torch.lerp(above, below, bottom)
