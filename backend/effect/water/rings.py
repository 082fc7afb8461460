"""Rings of raindrops: each drop makes a hollow in the water, and the waves that fill it run out and die."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from ...errors import UsageError
from .dispersion import frequency
from .grid import Grid
from .memory import Memory
from .modes import Stream

VISCOSITY = 1.0e-6  # m2/s, water at 20 degrees C
HOLLOW = 2.0  # radius of the hollow over the diameter of the drop, which falls at its terminal speed
FILLED = 0.7  # of the hollow becomes waves; the rest is splash and bubbles
SPLASHED = 0.1  # seconds until hollow and splash, which are no waves, have become a ring
MOST = 200_000  # drops in a loop
STILL = 1.0  # 1/s at which the longest waves die: drops stir the water, and shores take the waves up


class Rings:
    """Drops at random places and times of a loop, and the water's answer to them, in half spectra of height.

    A hollow and its rim are a Laplacian of a Gaussian: they hold no water between them. It is released at rest
    (the Cauchy-Poisson problem: Lamb 1932, "Hydrodynamics", sections 238 to 241), so that each of its waves swings as
    cos(w t), and dies as under a film that does not stretch: at the rate k sqrt(viscosity w / 8) (Lamb, section 351),
    for rain and dust leave such a film on any surface.
    """

    def __init__(
        self, grid: Grid, rate: float, drop: float, depth: float, period: float, steps: int, seed: int
    ) -> None:
        """``rate``: drops on a square metre in a second. ``drop``: diameter in m, the median of them.

        ``period``: seconds of a loop, in ``steps``; a drop falls at a step.
        ``UsageError`` for more drops than can be followed.
        """
        random = np.random.default_rng([seed, Stream.DROPS])
        count = int(random.poisson(rate * grid.scale**2 * period))
        if count > MOST:
            raise UsageError(
                f"{count} drops would fall on the tile in a loop, more than {MOST}.",
                "Choose a smaller tile, a shorter loop or less rain.",
            )
        x, z = random.random((2, count)) * grid.scale
        radius = HOLLOW * drop * np.exp(random.normal(0, 0.2, count))
        falls = random.integers(0, steps, count)
        drops = torch.from_numpy(np.stack([x, z, radius])).to(grid.device)
        self._drops = [drops[:, torch.from_numpy(falls == step).to(grid.device)] for step in range(steps)]

        kx, kz = grid.half_vectors()
        k = torch.hypot(kx, kz)
        self._kx, self._kz = kx, kz
        self._shape = torch.where(k < grid.nyquist, -FILLED * math.pi / 4 / grid.scale**2 * k**2, 0.0)
        swing = frequency(k, depth)
        dying = STILL + k * torch.sqrt(VISCOSITY * swing / 8)
        change = torch.complex(-dying, -swing)
        change = torch.stack([change, change.conj()])  # what swings as a cosine turns both ways at once
        self._memory = Memory(torch.exp(change * period / steps), steps)
        self._splashed = torch.exp(change * SPLASHED)

    def spectra(self, check: Callable[[], None]) -> Iterator[Tensor]:
        """The half spectrum (N, N // 2 + 1) of the rings at each step of the loop. ``check`` is called often."""

        def hollows(drops: Tensor) -> Tensor:
            check()
            return self._hollows(drops)

        state = self._memory.closed(map(hollows, self._drops))
        for drops in self._drops:
            state = self._memory.follow(state, self._hollows(drops))
            spectrum: Tensor = state.mean(0)
            yield spectrum

    def _hollows(self, drops: Tensor) -> Tensor:
        """What ``drops`` (3, count: x, z and the hollow's radius in m) put into the memory."""
        x, z, radius = drops[:, :, None]
        across = torch.exp(torch.complex(-((self._kx * radius / 2) ** 2), -self._kx * x))
        down = torch.exp(torch.complex(-((self._kz.T * radius / 2) ** 2), -self._kz.T * z)) * radius**5
        hollows: Tensor = self._shape * (down.T @ across) * self._splashed
        return hollows.to(torch.complex64)
