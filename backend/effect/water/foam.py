"""Foam: it appears where waves break, stays on the water, and thins into a lace as it fades."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist

import torch
from torch import Tensor

from .grid import Grid, field, half_spectrum
from .memory import Memory
from .modes import Modes, Stream, random_phases
from .spectrum import band
from .surface import Geometry

POURING = 0.3  # seconds for which a crest pours foam onto a spot
THICK = 2.5  # what it has poured by then: 1 - exp(-2.5) of the spot is white
SPREAD = 2e-3  # m2/s at which foam wanders apart
FULL = 0.93  # of the water is white where foam lies thickest: it has holes
SOFT = 0.35  # least softness of the lace's threads, in the part of the water that lies nearer to one
RESOLVED = 6  # cells to a mesh of the lace: below that a grid shows how much foam there is, and no lace


def whitecaps(wind: float) -> float:
    """Share of the sea that is white, 0 to 1. Monahan and O'Muircheartaigh 1980: 3.84e-6 U^3.41."""
    return min(1.0, 3.84e-6 * math.pow(wind, 3.41))


@dataclass(frozen=True)
class Net:
    """What the foam's lace is made of. ``mesh``: metres from thread to thread; ``stretch``: how many times longer than
    wide its meshes are, toward ``angle`` (radians); ``frequency`` (N, N) of each wave vector in rad/s: how it moves.
    """

    mesh: float
    stretch: float
    angle: float
    frequency: Tensor


class Lace:
    """A net of threads on the water; its meshes are open where foam is thin."""

    def __init__(self, grid: Grid, net: Net, period: float, seed: int) -> None:
        kx, kz = grid.vectors()
        along = (kx * math.cos(net.angle) + kz * math.sin(net.angle)) * math.sqrt(net.stretch)
        across = (kz * math.cos(net.angle) - kx * math.sin(net.angle)) / math.sqrt(net.stretch)
        self._fields = []
        for stream, finer in ((Stream.LACE, 1.0), (Stream.FINE_LACE, 2.2)):
            shape = band(along, across, math.pi / net.mesh * finer, 0.35)
            shape = shape / (shape.sum() * grid.step**2)
            self._fields.append(Modes(grid, shape, net.frequency, period, random_phases(grid, seed, stream)))

    def nearness(self, step: int, steps: int) -> Tensor:
        """(N, N): 0 on a thread, 1 farthest from all; every value between is equally frequent.

        Threads are where a Gaussian field changes sign; two such fields, one finer, make the net.
        """
        far = [torch.erfc(field(modes.spectrum(step, steps)).abs() / math.sqrt(2)) for modes in self._fields]
        return 1 - torch.maximum(*far) ** 2


def visible(thickness: Tensor, nearness: Tensor | None) -> Tensor:
    """Foam as one sees it, 0 to 1, of what was poured; with ``nearness`` to a lace's threads, or without a lace.

    Without, it is the mean over all places of the lace: so a coarse grid shows what a fine one does, from afar.
    """
    cover = FULL * (1 - torch.exp(-thickness.clamp_min(0)))
    if nearness is None:
        full = torch.where(cover > 1 - SOFT / 2, 1 - 2 * (1 - cover) ** 2 / SOFT, cover)
        return torch.where(cover < SOFT / 2, 2 * cover**2 / SOFT, full)
    lower = (2 * cover - 1).clamp_min(0)
    width = ((2 * cover).clamp_max(1) - lower).clamp_min(SOFT)
    upper = torch.where(cover < 0.5, 2 * cover, lower + width)
    return ((upper - nearness) / width).clamp(0, 1)


class Foam:
    """Foam on moving water: what breaking waves pour, the water keeps for a while and carries along.

    A wave breaks where it squeezes the water most. How much squeezing that takes is found from ``coverage``, the share
    of white water to be had: so it does not hang on how short the waves are that a grid still carries.
    """

    def __init__(
        self,
        grid: Grid,
        geometry: Geometry,
        coverage: float,
        life: float,
        smallest: float,
        flow: tuple[float, float],
        period: float,
        steps: int,
    ) -> None:
        """``life``: seconds that foam lives. ``smallest``: metres; shorter waves do not break. ``flow``: m/s, x, z."""
        self._geometry = geometry
        kx, kz = grid.half_vectors()
        k2 = kx**2 + kz**2
        self._breaks = torch.exp(-k2 * (smallest / (2 * math.pi)) ** 2 / 2).float()
        share = coverage * POURING / (life * (1 - math.exp(-THICK)))
        self._squeeze = NormalDist().inv_cdf(min(0.5, share)) if share > 0 else -math.inf
        rate = 1 / life + SPREAD * k2 + 1j * (kx * flow[0] + kz * flow[1])
        decay = torch.exp(-rate * period / steps)
        self._memory = Memory(decay, steps)
        # Poured all through a step, not at its end: the current draws it out into a streak.
        self._poured = ((1 - decay) / rate * THICK / POURING).to(torch.complex64)

    def poured(self, spectrum: Tensor) -> Tensor:
        """The half spectrum of what breaks within a step, of the half spectrum of heights."""
        spectrum = spectrum * self._breaks
        spread = max(self._geometry.roughness(spectrum), 1e-9)
        excess = (1 - self._geometry.jacobian(spectrum)) / spread + self._squeeze
        return half_spectrum((2 * excess + 0.5).clamp(0, 1)) * self._poured

    def closed(self, spectra: Iterable[Tensor]) -> Tensor:
        """The half spectrum of the foam at the end of a loop of ``spectra`` (of heights) that never began."""
        return self._memory.closed(self.poured(spectrum) for spectrum in spectra)

    def follow(self, state: Tensor, spectrum: Tensor) -> Tensor:
        """The foam a step later."""
        return self._memory.follow(state, self.poured(spectrum))
