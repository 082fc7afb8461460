"""From controls to water, frame by frame around a loop: the door of the water family."""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import UsageError
from .caustics import caustics
from .controls import Ocean, Rain, River, Water
from .dispersion import GRAVITY, frequency
from .foam import RESOLVED, Foam, Lace, Net, visible, whitecaps
from .grid import Grid, field, warped
from .modes import Modes, random_phases
from .rings import Rings
from .spectrum import band, peak_frequency, swell, wind_sea
from .surface import Geometry

LEAST_SIZE = 16
PHOTONS = 3  # rays of light to a cell of the floor, along each side
LONGEST_STEP = {"ocean": 0.125, "river": 0.08, "rain": 0.05}  # seconds from one look for what happens to the next
SWELL_SPREAD = math.radians(14)  # deviation of a swell's directions
SWEEPING = 0.12  # of the current's speed: how fast large eddies carry small ones about, Tennekes 1975
RAPIDS = 0.16  # share of the water that is white in rapids

CHANNELS = ("height", "displacement_x", "displacement_z", "slope_x", "slope_z", "foam", "caustics")


@dataclass(frozen=True)
class Surface:
    """A frame of water, float32, over the points of a tile at rest: rows are z, columns x, edges joined.

    A point's water stands at rest + displacement, as a displaced mesh shows it; the caustics' points do not move.
    """

    height: Tensor  # (1, N, N) m above the water at rest
    displacement: Tensor  # (2, N, N) m: x, z
    normal: Tensor  # (3, N, N): x, y up, z; of length 1
    foam: Tensor  # (1, N, N): 0 to 1, the share that is white
    caustics: Tensor  # (1, N, N): light on a floor below, 1 on average

    def channels(self) -> Tensor:
        """The same as a generator sees it: (7, N, N), in the order of ``CHANNELS``; slopes instead of the normal."""
        slope = -self.normal[[0, 2]] / self.normal[1:2]
        return torch.cat([self.height, self.displacement, slope, self.foam, self.caustics])


class Simulation:
    """Water around a loop, the same on every run of a device; the waves of a coarse grid are those of a fine one."""

    def __init__(self, controls: Water, size: int, frames: int, device: str | torch.device = "cpu") -> None:
        """``size``: points along a side of the tile, even. ``frames`` to the loop. ``UsageError`` for nonsense."""
        if size < LEAST_SIZE or size % 2:
            raise UsageError(f"A tile must have an even number of points a side, {LEAST_SIZE} at least, not {size}.")
        if frames < 1:
            raise UsageError(f"A loop must have a frame at least, not {frames}.")
        self.controls, self.frames = controls, frames
        self.grid = Grid(size, controls.scale, torch.device(device))
        longest = LONGEST_STEP.get(controls.kind, math.inf)
        between = max(1, math.ceil(controls.period / frames / longest))
        self._between, self._steps = between, frames * between
        self._geometry = Geometry(self.grid, controls.choppiness, controls.depth)
        self._waves = _waves(controls, self.grid)
        self._foam = _foam(controls, self.grid, self._geometry, self._steps)
        self._lace = _lace(controls, self.grid)
        self._meander = _meander(controls, self.grid)
        self._rings: Rings | None = None
        if isinstance(controls, Rain):
            drop = controls.drop_size / 1000
            self._rings = Rings(
                self.grid, controls.rain_rate, drop, controls.depth, controls.period, self._steps, controls.seed
            )

    def surfaces(self, wanted: Collection[int] | None = None) -> Iterator[tuple[int, Surface]]:
        """Frames with their numbers, from 0 on, all or those ``wanted``: the loop's first follows its last."""
        state = self._foam.closed(self._spectra()) if self._foam else None
        for step, spectrum in enumerate(self._spectra()):
            if self._foam is not None and state is not None:
                state = self._foam.follow(state, spectrum)
            frame, rest = divmod(step, self._between)
            if not rest and (wanted is None or frame in wanted):
                yield frame, self._surface(step, spectrum, state)

    def _spectra(self) -> Iterator[Tensor]:
        """The half spectrum of heights at each step of the loop."""
        rings = self._rings.spectra() if self._rings else None
        for step in range(self._steps):
            spectrum = sum((modes.spectrum(step, self._steps) for modes in self._waves[1:]), self._waves[0].spectrum(step, self._steps))
            yield spectrum if rings is None else spectrum + next(rings)

    def _surface(self, step: int, spectrum: Tensor, foam: Tensor | None) -> Surface:
        shape = self._geometry.shape(spectrum)
        finer = self._geometry.shape(spectrum, self.grid.size * PHOTONS)
        sun = math.radians(self.controls.sun_elevation), math.radians(self.controls.sun_azimuth)
        light = caustics(finer, self.grid, min(self.controls.light_depth, self.controls.depth), *sun)
        white = torch.zeros_like(shape.height) if foam is None else self._white(step, foam)[None]
        return Surface(shape.height, shape.displacement, shape.normal, white, light)

    def _white(self, step: int, foam: Tensor) -> Tensor:
        thickness = field(foam)
        if self._meander:
            offset = torch.stack([field(modes.spectrum(step, self._steps)) for modes in self._meander])
            thickness = warped(thickness, offset, self.grid)
        return visible(thickness, self._lace.nearness(step, self._steps) if self._lace else None)


def _flow(controls: Water) -> tuple[float, float]:
    """The current in m/s: x, z."""
    if not isinstance(controls, River):
        return 0.0, 0.0
    angle = math.radians(controls.flow_direction)
    return controls.flow_speed * math.cos(angle), controls.flow_speed * math.sin(angle)


def _carried(controls: Water, grid: Grid) -> Tensor:
    """Frequencies (N, N) of what the current carries along without changing it."""
    kx, kz = grid.vectors()
    flow = _flow(controls)
    return kx * flow[0] + kz * flow[1]


def _waves(controls: Water, grid: Grid) -> list[Modes]:
    kx, kz = grid.vectors()
    k = torch.hypot(kx, kz)
    # A wave too slow for the loop is hurried: it turns once rather than standing still.
    omega = frequency(k, controls.depth).clamp_min(2 * math.pi / controls.period) + _carried(controls, grid)
    wind = wind_sea(kx, kz, controls.wind_speed, math.radians(controls.wind_direction), controls.fetch, controls.depth)

    def modes(density: Tensor, moving: Tensor, random: Tensor) -> Modes:
        return Modes(grid, density, moving, controls.period, random)

    found = [modes(wind, omega, random_phases(grid, controls.seed, 1))]
    if controls.swell:
        phases = random_phases(grid, controls.seed, 2)
        steady = phases / phases.abs().clamp_min(1e-9) * math.sqrt(2)  # few waves: their height is not left to chance
        found.append(modes(_swell(controls, grid), omega, steady))
    if isinstance(controls, River) and controls.turbulence:
        found.append(modes(_ripples(controls, grid), omega, random_phases(grid, controls.seed, 3)))
        sweeping = SWEEPING * controls.flow_speed * k * random_phases(grid, controls.seed, 5).real
        found.append(
            modes(_boils(controls, grid), _carried(controls, grid) + sweeping, random_phases(grid, controls.seed, 4))
        )
    return found


def _swell(controls: Water, grid: Grid) -> Tensor:
    """Density of a swell of the significant height asked for, whatever the grid's size."""
    length = min(max(controls.swell_length, controls.scale / 40), controls.scale)
    direction = math.radians(controls.swell_direction)
    width, spread = (0.18, SWELL_SPREAD) if isinstance(controls, Ocean) else (0.35, math.inf)

    def shape(of: Grid) -> Tensor:
        return swell(*of.vectors(), 2 * math.pi / length, width, direction, spread)

    reference = Grid(256, controls.scale, grid.device)
    return shape(grid) * (controls.swell / 4) ** 2 / (shape(reference).sum() * grid.step**2)


def _steep(kx: Tensor, kz: Tensor, peak: float, width: float, steepness: float) -> Tensor:
    """Density of waves around wavenumber ``peak`` from all sides (``band``), with slopes of that deviation."""
    return band(kx, kz, peak, width) * steepness**2 / (2 * math.pi * peak**4 * width * math.sqrt(2 * math.pi) * math.exp(8 * width**2))


def _ripples(controls: River, grid: Grid) -> Tensor:
    """Density of the waves that the bed makes: as long as those that stand against the current, to all sides.

    Dolcetti et al. 2016, "Patterns and statistics of in-plane surface waves in a shallow turbulent flow": g / U^2.
    """
    standing = min(GRAVITY / controls.flow_speed**2, 2 * math.pi / 0.1)
    return _steep(*grid.vectors(), standing, 0.4, 0.22 * controls.turbulence)


def _boils(controls: River, grid: Grid) -> Tensor:
    """Density of the dimples and humps that eddies make; they are as long as the water is deep."""
    return _steep(*grid.vectors(), 2 * math.pi / controls.depth, 0.5, 0.12 * controls.turbulence)


def _longest(controls: Water) -> float:
    """Length in m of the highest waves of the wind sea."""
    return 2 * math.pi * GRAVITY / peak_frequency(controls.wind_speed, controls.fetch) ** 2


def _foam(controls: Water, grid: Grid, geometry: Geometry, steps: int) -> Foam | None:
    match controls:
        case Ocean():
            coverage = controls.foam * whitecaps(controls.wind_speed)
            smallest = _longest(controls) / 20
        case River():
            coverage = controls.foam * RAPIDS * controls.turbulence**1.5
            smallest = 2 * math.pi * controls.flow_speed**2 / GRAVITY / 6
        case _:
            return None
    if not coverage:
        return None
    return Foam(grid, geometry, coverage, controls.foam_life, smallest, _flow(controls), controls.period, steps)


def _lace(controls: Water, grid: Grid) -> Lace | None:
    match controls:
        case Ocean():
            still = torch.zeros(grid.size, grid.size, device=grid.device)
            mesh = max(1.0, _longest(controls) / 14)
            net = Net(mesh, 1 + controls.wind_speed / 10, math.radians(controls.wind_direction), still)
        case River():
            net = Net(0.5, 2.5, math.radians(controls.flow_direction), _carried(controls, grid))
        case _:
            return None
    if net.mesh < RESOLVED * grid.scale / grid.size:
        return None
    return Lace(grid, net, controls.period, controls.seed)


def _meander(controls: Water, grid: Grid) -> list[Modes]:
    """How far, to x and to z in metres, eddies have led foam astray."""
    if not isinstance(controls, River):
        return []
    peak = 2 * math.pi / (2.5 * controls.depth)
    density = _steep(*grid.vectors(), peak, 0.4, 0.7 * controls.turbulence)
    moving = _carried(controls, grid)
    return [Modes(grid, density, moving, controls.period, random_phases(grid, controls.seed, n)) for n in (13, 14)]
