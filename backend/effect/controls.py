"""What an artist may turn of fire, smoke and explosions: name, unit, range, default and meaning of every control.

Blender's panel, the command line and the recipes of simulations all read these tables. Standard library only.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from ..errors import UsageError

Value: TypeAlias = float | tuple[float, float, float]
"""A number, or for a colour three (scene-linear Rec. 709)."""


@dataclass(frozen=True)
class Control:
    """One control. A colour's range holds for each of its three numbers; a ``whole`` one takes integers."""

    name: str
    label: str
    unit: str
    low: float
    high: float
    default: Value
    meaning: str
    whole: bool = False

    def checked(self, value: object) -> Value:
        """``value`` as this control takes it. Raises ``UsageError`` for another type, NaN, or beyond the range."""
        if isinstance(self.default, tuple):
            if not isinstance(value, list | tuple) or len(value) != 3:
                raise UsageError(f"{self.label} takes three numbers, red, green and blue, not {value!r:.60}.")
            red, green, blue = (self._number(item) for item in value)
            return red, green, blue
        return self._number(value)

    def _number(self, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UsageError(f"{self.label} takes a number, not {value!r:.60}.", control=self.name)
        if not (math.isfinite(value) and self.low <= value <= self.high and (not self.whole or value == int(value))):
            unit = f" {self.unit}" if self.unit else ""
            kind = "a whole number" if self.whole else "a number"
            raise UsageError(
                f"{self.label} is {kind} from {self.low:g} to {self.high:g}{unit}, not {value:g}.", control=self.name
            )
        return float(value)


_SIZE = Control(
    "size",
    "Size",
    "m",
    0.1,
    500.0,
    2.0,
    "Height of the effect's box. Larger effects move more slowly, as they really do.",
)
_INTENSITY = Control(
    "intensity", "Intensity", "", 0.0, 4.0, 1.0, "How brightly it burns: light given off, against that of the default."
)
_FUEL = Control(
    "fuel", "Fuel", "", 0.0, 3.0, 1.0, "How long there is something to burn: flames with more fuel reach higher."
)
_BUOYANCY = Control(
    "buoyancy", "Buoyancy", "", -1.0, 4.0, 1.0, "How strongly hot gas rises, against nature; below 0 it sinks."
)
_WIND = Control("wind", "Wind", "m/s", 0.0, 60.0, 0.0, "Speed of the wind.")
_DIRECTION = Control(
    "wind_direction",
    "Wind Direction",
    "°",
    -360.0,
    360.0,
    0.0,
    "Where the wind blows to, seen from above: 0 to the right of the picture, 90 away from the camera.",
)
_TURBULENCE = Control(
    "turbulence", "Turbulence", "", 0.0, 4.0, 1.0, "How strongly the air is stirred, in large and small eddies."
)
_SWIRL = Control("swirl", "Swirl", "", 0.0, 4.0, 1.0, "How much small vortices are fed: curls at the edges.")
_SMOKE = Control("smoke", "Smoke", "", 0.0, 4.0, 1.0, "How much smoke there is, against the default.")
_COLOUR = Control(
    "smoke_colour", "Smoke Colour", "", 0.0, 1.0, (0.5, 0.5, 0.5), "Share of the light that the smoke scatters on."
)
_TEMPERATURE = Control(
    "temperature", "Temperature", "K", 400.0, 6000.0, 1900.0, "Of the hottest gas: it decides the colour of the fire."
)
_DISSIPATION = Control(
    "dissipation", "Dissipation", "1/s", 0.0, 10.0, 0.1, "Share of the smoke that thins into nothing in a second."
)
_AGE = Control("age", "Age", "s", 0.0, 60.0, 2.0, "How long it has been going on at the first frame.")
_TIME_SCALE = Control(
    "time_scale", "Time Scale", "", 0.05, 4.0, 1.0, "How fast it goes: 0.5 is slow motion at half the speed."
)
_SEED = Control("seed", "Seed", "", 0, 2**31 - 1, 0, "Another number, another one of its kind.", whole=True)


def _table(*controls: Control) -> Mapping[str, Control]:
    return {control.name: control for control in controls}


CONTROLS: Mapping[str, Mapping[str, Control]] = {
    "fire": _table(
        _SIZE,
        _INTENSITY,
        _FUEL,
        _BUOYANCY,
        _WIND,
        _DIRECTION,
        _TURBULENCE,
        _SWIRL,
        replace(_SMOKE, default=0.3),
        replace(_COLOUR, default=(0.12, 0.11, 0.1)),
        _TEMPERATURE,
        _DISSIPATION,
        _AGE,
        _TIME_SCALE,
        _SEED,
    ),
    "smoke": _table(
        replace(_SIZE, default=6.0),
        replace(_INTENSITY, meaning="How briskly it is emitted: speed and heat at the source, against the default."),
        replace(_FUEL, default=0.0, meaning="What burns under the smoke: 0 is smoke alone, 1 a fire."),
        _BUOYANCY,
        _WIND,
        _DIRECTION,
        _TURBULENCE,
        _SWIRL,
        _SMOKE,
        replace(_COLOUR, default=(0.6, 0.6, 0.62)),
        replace(_TEMPERATURE, default=420.0, low=300.0, high=2500.0, meaning="Of the gas as it leaves the source."),
        _DISSIPATION,
        replace(_AGE, default=6.0),
        _TIME_SCALE,
        _SEED,
    ),
    "explosion": _table(
        replace(_SIZE, default=12.0),
        _INTENSITY,
        replace(_FUEL, default=0.6, low=0.1, meaning="How much there is to burn: a larger and longer fireball."),
        _BUOYANCY,
        _WIND,
        _DIRECTION,
        _TURBULENCE,
        _SWIRL,
        _SMOKE,
        replace(_COLOUR, default=(0.16, 0.14, 0.13)),
        replace(_TEMPERATURE, default=2400.0, low=1000.0),
        _DISSIPATION,
        replace(_AGE, default=0.0, meaning="How long ago it went off at the first frame."),
        _TIME_SCALE,
        _SEED,
    ),
}
"""The controls of each kind, by name, in the order of the panel."""

VOLUMES = tuple(CONTROLS)
ONCE = "explosion"  # the kind that happens once; all others go on

KEPT = ("size", "intensity", "smoke", "smoke_colour", "temperature", "time_scale", "seed")
"""Controls that still mean something when all was simulated elsewhere."""


def table(kind: str) -> Mapping[str, Control]:
    """The controls of ``kind``. Raises ``UsageError`` for a kind that does not exist."""
    if kind not in CONTROLS:
        raise UsageError(f"There is no effect {kind!r}.", f"There are {', '.join(CONTROLS)}.")
    return CONTROLS[kind]


def checked(kind: str, values: Mapping[str, object]) -> dict[str, Value]:
    """Every control of ``kind``: from ``values`` where it is there, else its default. Raises ``UsageError``."""
    controls = table(kind)
    unknown = sorted(set(values) - set(controls))
    if unknown:
        raise UsageError(f"{kind} has no control {', '.join(unknown)}.", f"It has {', '.join(controls)}.")
    return {name: item.checked(values[name]) if name in values else item.default for name, item in controls.items()}
