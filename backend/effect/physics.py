"""What the controls mean to the gas: from an artist's numbers to the solver's, for a box of so many cells.

Everything is measured in the effect's own time, tau = sqrt(size / g), in which a stone falls half the box's height. So
an effect of another size is the same at another pace, as it is in nature (Froude scaling): seconds that an artist names
(wind, dissipation, age) are real ones, those that shape the flame come with tau.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .controls import Value
from .projection import Optics
from .solver import Medium

GRAVITY = 9.81  # m/s^2
AMBIENT = 293.0  # K
IGNITION = 0.25  # of the hottest gas's excess over the air: what is colder does not burn
FULL_FUEL = 0.3  # from this much fuel on, more of it burns longer instead of denser
DRAG = 1.0  # per tau: how soon clear air has the speed of the wind
FINE = 144  # cells of height with which gas makes all its eddies itself
FEW = 36  # with fewer yet, more stirring would only tear the gas apart


@dataclass(frozen=True)
class Character:
    """What makes a kind that kind. Times are in tau, speeds in heights/tau, accelerations in g.

    ``lift``: acceleration of the hottest gas. ``weight``: of smoke 1, downward. ``life``: how long fuel 1 burns, with
    the control at 1. ``inlet``: upward speed at the emitter; ``mouth``: how fast gas is replaced there, 1/tau.
    ``burst``: how long the emitter works. ``warmth``: of what it lets in, against the hottest gas. ``source_smoke``:
    how much smoke it lets in; burning makes ``soot``. ``coverage``, ``contrast``: how noise cuts it into patches, up to
    ``grain`` (heights) wide.
    ``backscatter`` (Leith 1990): with fewer cells than ``FINE`` the air is stirred more, by this power of how many
    lack, for the eddies that the cells cannot hold: else gas rises in unbroken columns.
    ``growth``: 1 where more fuel is a larger ball of it, which burns for longer as its radius is longer; 0 where it is
    fuel that lasts longer. ``briskness``: 1 where the control intensity is that of the source, 0 where it is that of
    the light. The others: see ``Medium`` and ``Optics``.
    """

    lift: float
    weight: float
    life: float
    heat: float
    soot: float
    expansion: float
    cooling: float
    mixing: float
    swirl: float
    stirring: float
    backscatter: float
    inlet: float
    mouth: float
    burst: float
    warmth: float
    source_smoke: float
    glow: float
    ember: float
    extinction: float
    veil: float
    grain: float
    coverage: float
    contrast: float
    growth: float
    briskness: float


CHARACTERS: Mapping[str, Character] = {
    "fire": Character(
        lift=3.0,
        weight=0.0,
        life=2.4,
        heat=2.0,
        soot=0.25,
        expansion=0.7,
        cooling=0.7,
        mixing=0.5,
        swirl=2.0,
        stirring=0.5,
        backscatter=0.8,
        inlet=0.35,
        mouth=12.0,
        burst=math.inf,
        warmth=0.8,
        source_smoke=0.0,
        glow=16.0,
        ember=1.0,
        extinction=12.0,
        veil=2.0,
        grain=0.25,
        coverage=0.9,
        contrast=1.1,
        growth=0.0,
        briskness=0.0,
    ),
    "smoke": Character(
        lift=1.6,
        weight=0.03,
        life=0.75,
        heat=6.0,
        soot=0.5,
        expansion=0.3,
        cooling=0.02,
        mixing=0.2,
        swirl=0.5,
        stirring=0.5,
        backscatter=0.8,
        inlet=0.3,
        mouth=8.0,
        burst=math.inf,
        warmth=1.0,
        source_smoke=1.0,
        glow=8.0,
        ember=0.0,
        extinction=50.0,
        veil=2.0,
        grain=0.25,
        coverage=0.55,
        contrast=1.1,
        growth=0.0,
        briskness=1.0,
    ),
    "explosion": Character(
        lift=2.0,
        weight=0.08,
        life=0.2,
        heat=2.0,
        soot=0.8,
        expansion=4.2,
        cooling=0.4,
        mixing=0.2,
        swirl=3.0,
        stirring=2.0,
        backscatter=0.3,
        inlet=0.0,
        mouth=200.0,
        burst=0.04,
        warmth=0.8,
        source_smoke=0.3,
        glow=20.0,
        ember=14.0,
        extinction=35.0,
        veil=8.0,
        grain=0.11,
        coverage=0.2,
        contrast=2.5,
        growth=1.0,
        briskness=0.0,
    ),
}


@dataclass(frozen=True)
class Physics:
    """What the solver needs to know about a batch of effects at one frame; every tensor is (B,) or (B, 3).

    ``tau``: s. ``pace``: of the effect's time against the clock's. ``stirring``: rms acceleration of the turbulence,
    cells/s^2. ``rate`` (1/s), ``temperature`` (K above the air), ``smoke``, ``fuel``, ``inlet`` (cells/s), ``burst``
    (s): what the emitter lets in, how fast, for how long. ``grain``, ``coverage``, ``contrast``: see ``Character``.
    ``wind``: cells/s.
    """

    medium: Medium
    optics: Optics
    tau: Tensor
    pace: Tensor
    stirring: Tensor
    rate: Tensor
    temperature: Tensor
    smoke: Tensor
    fuel: Tensor
    inlet: Tensor
    burst: Tensor
    grain: Tensor
    coverage: Tensor
    contrast: Tensor
    wind: Tensor


def physics(
    kinds: Sequence[str], controls: Sequence[Mapping[str, Value]], height: int, device: torch.device
) -> Physics:
    """For boxes ``height`` cells high, from each one's kind and the values of its controls at a frame."""
    characters = [CHARACTERS[kind] for kind in kinds]

    def tensor(values: list[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float32, device=device)

    def own(name: str) -> Tensor:
        return tensor([getattr(character, name) for character in characters])

    def control(name: str) -> Tensor:
        return tensor([number(values[name]) for values in controls])

    size, fuel, intensity = control("size"), control("fuel").clamp(min=1e-3), control("intensity")
    brisk = torch.where(own("briskness") > 0, intensity, torch.ones_like(intensity))
    tau = (size / GRAVITY).sqrt()
    cell = size / height
    gravity = GRAVITY / cell
    hottest = (control("temperature") - AMBIENT).clamp(min=1)
    enriched = (fuel / FULL_FUEL).clamp(max=1)
    amount = fuel ** (1 - own("growth"))
    medium = Medium(
        lift=own("lift") * gravity * control("buoyancy") * brisk / hottest,
        weight=own("weight") * gravity,
        swirl=own("swirl") * control("swirl") / tau,
        burning=2 / (own("life") * fuel ** (1 - own("growth") * 2 / 3) * tau),
        ignition=IGNITION * hottest,
        heat=own("heat") * amount * hottest,
        hottest=hottest,
        soot=own("soot") * amount * control("smoke"),
        expansion=(own("expansion") * amount + own("growth") * fuel.log()).clamp(min=0),
        cooling=own("cooling") / tau,
        mixing=own("mixing") / tau,
        dissipation=control("dissipation"),
        drag=DRAG / tau,
    )
    optics = Optics(
        glow=own("glow"),
        ember=own("ember"),
        extinction=own("extinction"),
        veil=own("veil"),
        hottest=hottest,
        height=size,
        ambient=torch.full_like(size, AMBIENT),
    )
    lacking = max(1.0, FINE / max(height, FEW))
    angle = torch.deg2rad(control("wind_direction"))
    wind = torch.stack((angle.cos(), torch.zeros_like(angle), -angle.sin()), 1) * (control("wind") / cell)[:, None]
    up = own("inlet") * brisk * height / tau
    return Physics(
        medium=medium,
        optics=optics,
        tau=tau,
        pace=control("time_scale"),
        stirring=own("stirring") * lacking ** own("backscatter") * control("turbulence") * gravity,
        rate=own("mouth") / tau,
        temperature=own("warmth") * hottest,
        smoke=own("source_smoke") * control("smoke"),
        fuel=enriched,
        inlet=torch.stack((torch.zeros_like(up), up, torch.zeros_like(up)), 1),
        burst=own("burst") * tau,
        grain=own("grain"),
        coverage=own("coverage"),
        contrast=own("contrast"),
        wind=wind,
    )


def number(value: Value) -> float:
    """A control that is one number. Raises ``TypeError`` for a colour."""
    if isinstance(value, tuple):
        raise TypeError("a colour has no place in the physics")
    return value
