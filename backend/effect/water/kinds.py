"""What each kind of water is made of: which waves, which foam, and how they move."""

import math

import torch
from torch import Tensor

from .controls import Ocean, River, Water
from .dispersion import GRAVITY, frequency
from .foam import RESOLVED, Foam, Lace, Net, whitecaps
from .grid import Grid
from .modes import Modes, Stream, random_phases
from .spectrum import band, peak_frequency, swell, wind_sea
from .surface import Geometry

SWELL_SPREAD = math.radians(14)  # deviation of a swell's directions
SWEEPING = 0.12  # of the current's speed: how fast large eddies carry small ones about, Tennekes 1975
RAPIDS = 0.16  # share of the water that breaks in rapids


def angle(degrees: float) -> float:
    """A control's direction, in radians from x toward z: a control's 90 degrees are -z, away from the viewer."""
    return -math.radians(degrees)


def flow(controls: Water) -> tuple[float, float]:
    """The current in m/s: x, z."""
    if not isinstance(controls, River):
        return 0.0, 0.0
    toward = angle(controls.flow_direction)
    return controls.flow_speed * math.cos(toward), controls.flow_speed * math.sin(toward)


def carried(controls: Water, grid: Grid) -> Tensor:
    """Frequencies (N, N) of what the current carries along without changing it."""
    kx, kz = grid.vectors()
    x, z = flow(controls)
    return kx * x + kz * z


def waves(controls: Water, grid: Grid) -> list[Modes]:
    """What makes up the heights, the wind sea first."""
    kx, kz = grid.vectors()
    k = torch.hypot(kx, kz)
    # A wave too slow for the loop is hurried: it turns once rather than standing still.
    omega = frequency(k, controls.depth).clamp_min(2 * math.pi / controls.period) + carried(controls, grid)
    wind = wind_sea(kx, kz, controls.wind_speed, angle(controls.wind_direction), controls.fetch, controls.depth)

    def modes(density: Tensor, moving: Tensor, random: Tensor) -> Modes:
        return Modes(grid, density, moving, controls.period, random)

    found = [modes(wind, omega, random_phases(grid, controls.seed, Stream.WIND))]
    if controls.swell:
        phases = random_phases(grid, controls.seed, Stream.SWELL)
        steady = phases / phases.abs().clamp_min(1e-9) * math.sqrt(2)  # few waves: their height is not left to chance
        found.append(modes(_swell(controls, grid), omega, steady))
    if isinstance(controls, River) and controls.turbulence:
        found.append(modes(_ripples(controls, grid), omega, random_phases(grid, controls.seed, Stream.RIPPLES)))
        sweeping = SWEEPING * controls.flow_speed * k * random_phases(grid, controls.seed, Stream.SWEEPING).real
        found.append(
            modes(
                _boils(controls, grid),
                carried(controls, grid) + sweeping,
                random_phases(grid, controls.seed, Stream.BOILS),
            )
        )
    return found


def _swell(controls: Water, grid: Grid) -> Tensor:
    """Density of a swell of the significant height asked for, whatever the grid's size."""
    length = min(max(controls.swell_length, controls.scale / 40), controls.scale)
    direction = angle(controls.swell_direction)
    width, spread = (0.18, SWELL_SPREAD) if isinstance(controls, Ocean) else (0.35, math.inf)

    def shape(of: Grid) -> Tensor:
        return swell(*of.vectors(), 2 * math.pi / length, width, direction, spread)

    reference = Grid(256, controls.scale, grid.device)
    return shape(grid) * (controls.swell / 4) ** 2 / (shape(reference).sum() * grid.step**2)


def _steep(kx: Tensor, kz: Tensor, peak: float, width: float, steepness: float) -> Tensor:
    """Density of waves around wavenumber ``peak`` from all sides (``band``), with slopes of that deviation."""
    squared = 2 * math.pi * peak**4 * width * math.sqrt(2 * math.pi) * math.exp(8 * width**2)  # slopes of the band
    return band(kx, kz, peak, width) * (steepness**2 / squared)


def _ripples(controls: River, grid: Grid) -> Tensor:
    """Density of the waves that the bed makes: as long as those that stand against the current, to all sides.

    Dolcetti et al. 2016, "Frequency-wavenumber spectrum of the free surface of shallow turbulent flows over a
    rough boundary": the pattern's wavenumber is that of stationary waves, here in deep water, g / U^2.
    """
    standing = min(GRAVITY / controls.flow_speed**2, 2 * math.pi / 0.1)
    return _steep(*grid.vectors(), standing, 0.4, 0.22 * controls.turbulence)


def _boils(controls: River, grid: Grid) -> Tensor:
    """Density of the dimples and humps that eddies make; they are as long as the water is deep."""
    return _steep(*grid.vectors(), 2 * math.pi / controls.depth, 0.5, 0.12 * controls.turbulence)


def _longest(controls: Water) -> float:
    """Length in m of the highest waves of the wind sea."""
    return 2 * math.pi * GRAVITY / peak_frequency(controls.wind_speed, controls.fetch) ** 2


def foam(controls: Water, grid: Grid, geometry: Geometry, steps: int) -> Foam | None:
    """The foam, where there is any; ``steps`` to the loop."""
    match controls:
        case Ocean():
            coverage = controls.foam * whitecaps(controls.wind_speed)
            smallest = min(_longest(controls) / 20, 2.0)
        case River():
            coverage = controls.foam * RAPIDS * controls.turbulence**1.5
            smallest = 2 * math.pi * controls.flow_speed**2 / GRAVITY / 6
        case _:
            return None
    if not coverage:
        return None
    return Foam(grid, geometry, coverage, controls.foam_life, smallest, flow(controls), controls.period, steps)


def lace(controls: Water, grid: Grid) -> Lace | None:
    """The lace of the foam, where there is any and the grid is fine enough for it."""
    match controls:
        case Ocean():
            still = torch.zeros(grid.size, grid.size, device=grid.device)
            mesh = min(max(1.0, _longest(controls) / 14), 3.5)
            net = Net(mesh, 1 + controls.wind_speed / 10, angle(controls.wind_direction), still)
        case River():
            net = Net(0.5, 2.5, angle(controls.flow_direction), carried(controls, grid))
        case _:
            return None
    if net.mesh < RESOLVED * grid.scale / grid.size:
        return None
    return Lace(grid, net, controls.period, controls.seed)


def meander(controls: Water, grid: Grid) -> list[Modes]:
    """How far, to x and to z in metres, eddies have led foam astray."""
    if not isinstance(controls, River):
        return []
    peak = 2 * math.pi / (2.5 * controls.depth)
    density = _steep(*grid.vectors(), peak, 0.4, 0.7 * controls.turbulence)
    moving = carried(controls, grid)
    return [
        Modes(grid, density, moving, controls.period, random_phases(grid, controls.seed, stream))
        for stream in (Stream.MEANDER_X, Stream.MEANDER_Z)
    ]
