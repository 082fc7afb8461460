"""What an artist can set on each kind of water. Standard library only: panels and command lines read it too.

Directions are in degrees, seen from above: 0 goes to the right of the tile (+x), 90 to its upper edge (-z).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from ...errors import UsageError
from ..controls import Control


def _control(default: float, label: str, unit: str, low: float, high: float, meaning: str, whole: bool = False) -> Any:
    told = {"label": label, "unit": unit, "low": low, "high": high, "meaning": meaning, "whole": whole}
    return field(default=default, metadata=told)


def _wind(default: float) -> Any:
    return _control(default, "Wind Speed", "m/s", 0, 40, "Wind 10 m above the water: it raises the waves.")


def _fetch(default: float) -> Any:
    return _control(default, "Fetch", "m", 1, 1e6, "Open water that the wind has blown over: the longer, the higher.")


def _swell(default: float) -> Any:
    return _control(default, "Swell", "m", 0, 10, "Significant height of long waves that come from elsewhere.")


def _swell_length(default: float) -> Any:
    meaning = "From crest to crest of the swell. A tile carries none longer than itself or shorter than a 40th."
    return _control(default, "Swell Length", "m", 0.05, 500, meaning)


def _choppiness(default: float) -> Any:
    meaning = "How sharp the crests are: 0 round, 1 as wave theory has it, more for style."
    return _control(default, "Choppiness", "", 0, 2, meaning)


def _foam(default: float) -> Any:
    return _control(default, "Foam", "", 0, 20, "Foam: 0 none, 1 as much as at sea in such a wind, more for style.")


def _foam_life(default: float) -> Any:
    return _control(default, "Foam Life", "s", 0.1, 60, "Seconds in which foam fades to a third.")


def _depth(default: float) -> Any:
    return _control(default, "Depth", "m", 0.02, 5000, "Depth of the water: shallow water slows long waves down.")


def _light_depth(default: float) -> Any:
    meaning = "How far below the surface the caustics are caught; at most the depth of the water."
    return _control(default, "Caustics Depth", "m", 0.01, 100, meaning)


def _scale(default: float) -> Any:
    return _control(default, "Scale", "m", 0.25, 2000, "Length of a tile's side.")


@dataclass(frozen=True, eq=False)  # nobody compares them, and Blender's start would wait for the code that does
class Water:
    """Controls that every kind has. Making one refuses what is not a number or out of range: ``UsageError``."""

    kind: ClassVar[str] = ""

    wind_speed: float = _wind(8.0)
    wind_direction: float = _control(20.0, "Wind Direction", "°", -360, 360, "Where the wind blows to.")
    fetch: float = _fetch(30_000.0)
    swell: float = _swell(0.0)
    swell_length: float = _swell_length(30.0)
    swell_direction: float = _control(-30.0, "Swell Direction", "°", -360, 360, "Where the swell runs to.")
    choppiness: float = _choppiness(1.0)
    depth: float = _depth(50.0)
    scale: float = _scale(64.0)
    sun_elevation: float = _control(60.0, "Sun Elevation", "°", 5, 90, "Height of the sun, for the caustics.")
    sun_azimuth: float = _control(-60.0, "Sun Azimuth", "°", -360, 360, "Where the sunlight goes to.")
    light_depth: float = _light_depth(4.0)
    time_scale: float = _control(1.0, "Time Scale", "", 0.05, 10, "Seconds of water to a second of film.")
    loop_seconds: float = _control(8.0, "Loop", "s", 0.5, 120, "After these seconds of film the water is as before.")
    seed: int = _control(0, "Seed", "", 0, 2**31 - 1, "Another number, another water.", whole=True)

    def __post_init__(self) -> None:
        for control in controls(type(self)):
            value = control.checked(getattr(self, control.name))
            if control.whole:
                object.__setattr__(self, control.name, int(value))  # type: ignore[arg-type]  # no colours here

    @property
    def period(self) -> float:
        """Seconds of water in a loop."""
        return self.loop_seconds * self.time_scale


@dataclass(frozen=True, eq=False)
class Ocean(Water):
    """Wind sea and swell, with whitecaps."""

    kind: ClassVar[str] = "ocean"

    wind_speed: float = _wind(11.0)
    swell: float = _swell(0.6)
    foam: float = _foam(1.0)
    foam_life: float = _foam_life(3.0)


@dataclass(frozen=True, eq=False)
class River(Water):
    """A current that carries ripples and streaks of foam."""

    kind: ClassVar[str] = "river"

    wind_speed: float = _wind(0.0)
    fetch: float = _fetch(30.0)
    swell_length: float = _swell_length(2.0)
    depth: float = _depth(0.8)
    scale: float = _scale(8.0)
    light_depth: float = _light_depth(0.8)
    flow_speed: float = _control(1.2, "Flow Speed", "m/s", 0.1, 6, "Speed of the current.")
    flow_direction: float = _control(0.0, "Flow Direction", "°", -360, 360, "Where the current runs to.")
    turbulence: float = _control(0.5, "Turbulence", "", 0, 1, "How rough the bed makes the water: 0 a canal, 1 rapids.")
    foam: float = _foam(1.0)
    foam_life: float = _foam_life(2.0)


@dataclass(frozen=True, eq=False)
class Pool(Water):
    """Gentle waves from all sides over a floor: the caustics are what one looks at."""

    kind: ClassVar[str] = "pool"

    wind_speed: float = _wind(0.0)
    fetch: float = _fetch(20.0)
    swell: float = _swell(0.04)
    swell_length: float = _swell_length(0.8)
    depth: float = _depth(1.5)
    scale: float = _scale(4.0)
    light_depth: float = _light_depth(1.5)


@dataclass(frozen=True, eq=False)
class Rain(Water):
    """Rings of raindrops on still water."""

    kind: ClassVar[str] = "rain"

    wind_speed: float = _wind(0.0)
    fetch: float = _fetch(5.0)
    swell_length: float = _swell_length(0.3)
    depth: float = _depth(0.1)
    scale: float = _control(0.8, "Scale", "m", 0.25, 20, "Length of a tile's side.")
    light_depth: float = _light_depth(0.1)
    loop_seconds: float = _control(4.0, "Loop", "s", 0.5, 120, "After these seconds of film the water is as before.")
    rain_rate: float = _control(60.0, "Rain", "1/m2/s", 0, 2000, "Drops on a square metre in a second.")
    drop_size: float = _control(4.0, "Drop Size", "mm", 1, 8, "Diameter of the drops: large ones make wider rings.")


KINDS: dict[str, type[Water]] = {cls.kind: cls for cls in (Ocean, River, Pool, Rain)}


def controls(cls: type[Water]) -> list[Control]:
    """The controls of a kind, in the order in which a panel shows them."""
    return [Control(name=item.name, default=item.default, **item.metadata) for item in fields(cls)]  # type: ignore[arg-type]


def create(kind: str, values: Mapping[str, Any]) -> Water:
    """The controls of ``kind`` with ``values`` over its defaults.

    ``UsageError`` for names that it does not have, and for keys: a loop has no before and after.
    """
    if kind not in KINDS:
        raise UsageError(f"There is no water called {kind!r:.40}.", f"There is {', '.join(KINDS)}.")
    known = {control.name: control.label for control in controls(KINDS[kind])}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise UsageError(f"A {kind} has no {', '.join(unknown)}.", f"It has {', '.join(known)}.", unknown=unknown)
    for name, value in values.items():
        if isinstance(value, list | tuple):
            raise UsageError(f"Water repeats in time, so its {known[name]} cannot have keys.", "Give it one value.")
    return KINDS[kind](**values)
