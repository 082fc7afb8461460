"""A fluid of hot gas, fuel and smoke in a box: one step of it, for a batch of boxes, stable at any time step.

Lengths are in cells, y is up, index 0 is at the floor; tensors are (B, C, Z, Y, X). A step goes as Stam's (1999):
carry, let in, burn, push, and make the velocity keep its volume.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .advection import Transport, centre, spread
from .pressure import Faces, Pressure

TEMPERATURE, SMOKE, FUEL, MARK, AGE = range(5)
SCALARS = 5
"""Channels of ``State.scalars``: kelvins above the ambient air; smoke and fuel, 1 as they leave the emitter; how much
of the gas was ever emitted, 0..1; and that times the seconds since. All are zero in still air."""

IGNITION_BAND = 0.1  # of the hottest gas's heat: how much below ignition a fuel begins to burn
RIM = 0.06  # heights: how wide the rim along the open sides and the top is
RIM_DRAG = 10.0  # how much more the air there is kept from moving along, see ``Solver._drag``
STIRRED_FROM = 4.0  # turbulence acts fully on gas that is a quarter of what was emitted, not on clear air


@dataclass
class State:
    """What a fluid is at one moment. ``scalars`` (B, 5, Z, Y, X), ``velocity`` in cells per second."""

    scalars: Tensor
    velocity: Faces

    @classmethod
    def still(cls, batch: int, cells: tuple[int, int, int], wind: Tensor) -> "State":
        """Clean air that moves with ``wind`` (B, 3), in cells per second."""
        depth, height, width = cells
        flow = wind.view(batch, 3, 1, 1, 1).expand(batch, 3, depth, height, width)
        return cls(wind.new_zeros(batch, SCALARS, depth, height, width), spread(flow))

    def refined(self, cells: tuple[int, int, int]) -> "State":
        """The same in smaller ``cells``, interpolated."""
        factor = cells[1] / self.scalars.shape[3]
        sizes = [tuple(n + (axis == face) for axis, n in enumerate(cells)) for face in (2, 1, 0)]
        u, v, w = (
            F.interpolate(face[:, None], size, mode="trilinear", align_corners=False)[:, 0] * factor
            for face, size in zip(self.velocity, sizes, strict=True)
        )
        v[:, :, 0] = 0
        return State(F.interpolate(self.scalars, cells, mode="trilinear", align_corners=False), (u, v, w))

    def drawn_to(self, other: "State", velocity: float, scalars: float) -> "State":
        """A blend: with the given shares, 0..1, of ``other``'s velocity and scalars."""
        u, v, w = (torch.lerp(mine, its, velocity) for mine, its in zip(self.velocity, other.velocity, strict=True))
        return State(torch.lerp(self.scalars, other.scalars, scalars), (u, v, w))


@dataclass(frozen=True)
class Medium:
    """How the gas behaves. Every number is a tensor (B,): one value for each box.

    ``lift``: cells/s^2 upward for each kelvin. ``weight``: cells/s^2 downward at smoke 1. ``swirl``: vorticity
    confinement, in cells. ``burning``: share of the fuel per second, see ``_burn``. ``ignition``: K above ambient.
    ``heat``: kelvins from burning fuel 1. ``hottest``: K above ambient that nothing exceeds. ``soot``: smoke from
    burning fuel 1. ``expansion``: how often the gas grows by a factor of e while fuel 1 burns. ``cooling``: per second,
    of the hottest gas. ``mixing``: share of the heat lost per second otherwise. ``dissipation``: share of the smoke
    lost per second. ``drag``: share per second by which the air takes on the wind.
    """

    lift: Tensor
    weight: Tensor
    swirl: Tensor
    burning: Tensor
    ignition: Tensor
    heat: Tensor
    hottest: Tensor
    soot: Tensor
    expansion: Tensor
    cooling: Tensor
    mixing: Tensor
    dissipation: Tensor
    drag: Tensor


@dataclass(frozen=True)
class Inflow:
    """What enters during a step: at ``rate`` (B,) per second gas is replaced by ``mask`` (B, Z, Y, X), 0..1, of this.

    ``temperature``, ``smoke``, ``fuel`` (B,) are what enters, ``velocity`` (B, 3) in cells/s is how fast. What is
    there already and is hotter, denser or richer stays so.
    """

    mask: Tensor
    rate: Tensor
    temperature: Tensor
    smoke: Tensor
    fuel: Tensor
    velocity: Tensor


class Solver:
    """Steps for boxes of ``cells`` (Z, Y, X)."""

    def __init__(self, cells: tuple[int, int, int], device: torch.device) -> None:
        self.cells = cells
        self._transport = Transport(cells, device)
        self._pressure = Pressure(cells, device)
        band = RIM * cells[1]
        (back, front), (_, top), (left, right) = (_near(count, band, device) for count in cells)
        self._sides = RIM_DRAG * torch.maximum((back + front)[:, None, None], left + right)
        self._top = RIM_DRAG * top[:, None]

    def step(self, state: State, medium: Medium, inflow: Inflow, push: Tensor, wind: Tensor, seconds: Tensor) -> State:
        """The state ``seconds`` (B,) later.

        ``push`` (B, 3, Z, Y, X): a further acceleration of the gas in cells/s^2. ``wind`` (B, 3) in cells/s.
        """
        scalars, velocity = self._transport.carry(state.scalars, state.velocity, seconds)
        scalars.clamp_(min=0)  # interpolation leaves roundings below
        _let_in(scalars, inflow, seconds)
        burnt = _burn(scalars, medium, seconds)
        _cool(scalars, medium, seconds)
        flow = centre(velocity)
        stirred = push * scalars[:, MARK, None].mul(STIRRED_FROM).clamp(0, 1)
        change = (self._forces(scalars, flow, medium) + stirred) * _column(seconds, 5)
        change += self._drag(scalars, flow, medium, seconds) * (_column(wind, 5) - flow)
        entering = (inflow.mask * _column(_share(inflow.rate, seconds), 4))[:, None]
        change = torch.lerp(change, _column(inflow.velocity, 5) - flow, entering)
        velocity = _sum(velocity, spread(change))
        expansion = burnt * _column(medium.expansion / seconds, 4)
        return State(scalars, self._pressure.project(velocity, expansion))

    def _forces(self, scalars: Tensor, flow: Tensor, medium: Medium) -> Tensor:
        forces = _confinement(flow) * _column(medium.swirl, 5)
        forces[:, 1] += scalars[:, TEMPERATURE] * _column(medium.lift, 4)
        forces[:, 1] -= scalars[:, SMOKE] * _column(medium.weight, 4)
        return forces

    def _drag(self, scalars: Tensor, flow: Tensor, medium: Medium, seconds: Tensor) -> Tensor:
        """How far the air takes on the wind in this step, 0..1 for x, y, z: clear air more than the effect.

        At the open sides the air may be drawn in as it likes, but not rise or fall, and at the top not come down: else
        what happens to be there is drawn in again and again, ever faster.
        """
        air = _column(medium.drag, 4) * (1 - 0.7 * scalars[:, MARK].clamp(0, 1))
        upright = air * (1 + self._sides + self._top * (flow[:, 1] < 0))
        return -torch.expm1(torch.stack((air, upright, air), 1) * _column(-seconds, 5))


def _let_in(scalars: Tensor, inflow: Inflow, seconds: Tensor) -> None:
    share = _column(_share(inflow.rate, seconds), 4)
    values = (inflow.temperature, inflow.smoke, inflow.fuel, torch.ones_like(inflow.fuel))
    for channel, value in zip((TEMPERATURE, SMOKE, FUEL, MARK), values, strict=True):
        field = scalars[:, channel]
        field += share * (inflow.mask * _column(value, 4) - field).clamp(min=0)
    scalars[:, AGE] *= 1 - share * inflow.mask


def _burn(scalars: Tensor, medium: Medium, seconds: Tensor) -> Tensor:
    """Turn fuel into heat and soot; return how much burnt, (B, Z, Y, X).

    d fuel/dt = -burning sqrt(fuel), where it is hot enough. It ends after 2 sqrt(fuel) / burning seconds, sooner where
    air has thinned the fuel: flames have tips and edges instead of fading out.
    """
    fuel = scalars[:, FUEL]
    below = (scalars[:, TEMPERATURE] - _column(medium.ignition, 4)) / _column(IGNITION_BAND * medium.hottest, 4)
    hot = (below + 1).clamp_(0, 1)
    left = (fuel.sqrt() - hot * _column(medium.burning * (0.5 * seconds), 4)).clamp_(min=0).square_()
    burnt = fuel - left
    scalars[:, FUEL] = left
    scalars[:, TEMPERATURE] += burnt * _column(medium.heat, 4)
    scalars[:, SMOKE] += burnt * _column(medium.soot, 4)
    return burnt


def _cool(scalars: Tensor, medium: Medium, seconds: Tensor) -> None:
    """Radiation takes heat by the fourth power (Nguyen, Fedkiw and Jensen 2002, eq. 16), here integrated exactly."""
    heat = scalars[:, TEMPERATURE]
    hottest = _column(medium.hottest, 4)
    share = (heat / hottest).clamp_(max=1)
    share = share * (1 + _column(3 * seconds * medium.cooling, 4) * share**3) ** (-1 / 3)
    scalars[:, TEMPERATURE] = share * hottest * _column(torch.exp(-seconds * medium.mixing), 4)
    scalars[:, SMOKE] *= _column(torch.exp(-seconds * medium.dissipation), 4)
    scalars[:, AGE] += _column(seconds, 4) * scalars[:, MARK]


def _confinement(flow: Tensor) -> Tensor:
    """The acceleration that feeds small vortices (Fedkiw, Stam and Jensen 2001, eq. 11), for a strength of one cell."""
    (_, uy, uz), (vx, _, vz), (wx, wy, _) = (
        tuple(_slope(flow[:, component], dim) for dim in (3, 2, 1)) for component in range(3)
    )
    curl = torch.stack((wy - vz, uz - wx, vx - uy), 1)
    strength = curl.square().sum(1).sqrt_()
    normal = torch.stack([_slope(strength, dim) for dim in (3, 2, 1)], 1)
    normal /= normal.square().sum(1, keepdim=True).sqrt_().add_(1e-3)
    force: Tensor = torch.linalg.cross(normal, curl, dim=1)
    return force


def _slope(field: Tensor, dim: int) -> Tensor:
    """The central difference of a (B, Z, Y, X) field; at the sides that of the cell beside."""
    count = field.shape[dim]
    inner = (field.narrow(dim, 2, count - 2) - field.narrow(dim, 0, count - 2)) * 0.5
    return torch.cat((inner.narrow(dim, 0, 1), inner, inner.narrow(dim, count - 3, 1)), dim)


def _near(count: int, width: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """How near cells along an axis are to its first and to its last end: 1 there, 0 from ``width`` cells on."""
    inward = (torch.arange(count, device=device) + 0.5) / width
    near = (1 - inward).clamp(min=0)
    return near, near.flip(0)


def _share(rate: Tensor, seconds: Tensor) -> Tensor:
    return 1 - torch.exp(-rate * seconds)


def _column(values: Tensor, dims: int) -> Tensor:
    """(B,) or (B, 3) so that it broadcasts over a field of so many dimensions."""
    return values.view(*values.shape, *(1,) * (dims - values.dim()))


def _sum(first: Faces, second: Faces) -> Faces:
    u, v, w = (a + b for a, b in zip(first, second, strict=True))
    return u, v, w
