"""Noise made of waves in space and time: for turbulence, and for the flicker of what is emitted.

A sum of plane waves with random directions (kinematic simulation: Fung, Hunt, Malik and Perkins 1992). It is the same
field whatever the cells, it moves smoothly, it can be made to repeat exactly in time, and with amplitudes at right
angles to the wave vectors it has no divergence.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

WAVES = 48  # of each box
FALL = 0.4  # the power of the wave number by which amplitudes fall


@dataclass(frozen=True)
class Waves:
    """Noise for a batch of B boxes, K waves each. Lengths are in the height of the box, times in seconds.

    ``vectors`` (B, K, 3): wave vectors x, y, z in radians per height. ``rates`` (B, K): radians per second, in double
    precision and on the CPU, as all times are. ``phases`` (B, K). ``directions`` (B, K, 3): unit amplitudes at right
    angles to the vectors.
    """

    vectors: Tensor
    rates: Tensor
    phases: Tensor
    directions: Tensor

    @classmethod
    def drawn(
        cls,
        seeds: Sequence[int],
        longest: Sequence[float],
        shortest: float,
        lives: Tensor,
        periods: Tensor | None = None,
    ) -> "Waves":
        """Waves between each box's ``longest`` and ``shortest`` (heights), the same for the same seed, on any device.

        ``lives`` (B,): seconds that the longest wave of each box takes; shorter ones are faster, as eddies are: their
        rate grows as wave number^(2/3). ``periods`` (B,): the noise repeats exactly after so many seconds.
        """
        parts = [
            _draw(seed, longest[box], shortest, float(lives[box]), None if periods is None else float(periods[box]))
            for box, seed in enumerate(seeds)
        ]
        vectors, rates, phases, directions = (torch.stack(part) for part in zip(*parts, strict=True))
        device = lives.device
        return cls(vectors.to(device), rates, phases.to(device), directions.to(device))

    def scalar(self, cells: tuple[int, int, int], seconds: Tensor) -> Tensor:
        """(B, Z, Y, X) at ``seconds`` (B,): mean 0, variance 1 (less by what the cells cannot hold)."""
        return self._sum(torch.ones_like(self.phases)[..., None], cells, seconds)[:, 0]

    def vector(self, cells: tuple[int, int, int], seconds: Tensor) -> Tensor:
        """(B, 3, Z, Y, X) at ``seconds`` (B,): mean 0, root mean square 1 (less likewise), no divergence."""
        return self._sum(self.directions, cells, seconds)

    def _sum(self, amplitudes: Tensor, cells: tuple[int, int, int], seconds: Tensor) -> Tensor:
        """cos(z + y + x + phase) is a product of rotations along the axes, so the sum is one matrix product."""
        depth, height, width = cells
        batch, count, channels = amplitudes.shape
        amplitudes = amplitudes * self._weights(height)[..., None]
        centres = [(torch.arange(n, device=amplitudes.device) + 0.5) / height for n in cells]
        x, y, z = (
            torch.polar(torch.ones_like(angle), angle)
            for angle in (
                self.vectors[:, :, 0, None] * (centres[2] - 0.5 * width / height),
                self.vectors[:, :, 1, None] * centres[1],
                self.vectors[:, :, 2, None] * (centres[0] - 0.5 * depth / height),
            )
        )
        angle = torch.remainder(self.rates * seconds[:, None], 2 * math.pi).to(self.phases)
        turn = torch.polar(torch.full_like(self.phases, math.sqrt(2 / count)), self.phases + angle)
        left = torch.einsum("bkc,bk,bkz,bky->bczyk", amplitudes.to(turn.dtype), turn, z, y)
        left = torch.cat((left.real, -left.imag), -1).reshape(batch, -1, 2 * count)
        waves = torch.matmul(left, torch.cat((x.real, x.imag), 1))
        return waves.view(batch, channels, depth, height, width)

    def _weights(self, height: int) -> Tensor:
        """(B, K): root mean square 1, less for short waves; 0 for those too short for the cells: they would alias."""
        numbers = torch.linalg.vector_norm(self.vectors, dim=2)
        weights = numbers**-FALL
        weights = weights / weights.square().mean(1, keepdim=True).sqrt()
        resolved: Tensor = weights * (math.pi * height / numbers - 1).clamp(0, 1)
        return resolved


def _draw(
    seed: int, longest: float, shortest: float, life: float, period: float | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    direction = torch.nn.functional.normalize(torch.randn(WAVES, 3, generator=random), dim=1)
    share = (torch.arange(WAVES) + torch.rand(WAVES, generator=random)) / WAVES
    numbers = 2 * math.pi / longest * (longest / shortest) ** share
    sign = torch.randint(0, 2, (WAVES,), generator=random) * 2 - 1
    rates = 2 * math.pi / life * (numbers.double() * longest / (2 * math.pi)) ** (2 / 3) * sign
    if period is not None:
        rates = (rates * period / (2 * math.pi)).round() * (2 * math.pi / period)
    phases = 2 * math.pi * torch.rand(WAVES, generator=random)
    other = torch.randn(WAVES, 3, generator=random)
    across = torch.nn.functional.normalize(other - (other * direction).sum(1, keepdim=True) * direction, dim=1)
    return direction * numbers[:, None], rates, phases, across
