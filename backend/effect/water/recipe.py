"""Recipes: what a training set of water is made of, in a few numbers and ranges."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UsageError
from .controls import KINDS, Water, controls, create

FOLDER = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Recipe:
    """``fine`` and ``coarse``: points along a side of the truth and of what is given. ``simulations``: of each kind.

    ``takes``: rows of ``length`` frames from each simulation, ``rate`` frames in a second. ``ranges``: for each kind,
    from where to where its controls lie; what is not named keeps its default.
    """

    fine: int
    coarse: int
    simulations: int
    takes: int
    length: int
    rate: float
    ranges: Mapping[str, Mapping[str, tuple[float, float]]]

    def draw(self, kind: str, random: np.random.Generator) -> Water:
        """Controls of one simulation: evenly in the logarithm where a range lies above 0, evenly where not."""
        values: dict[str, Any] = {"seed": int(random.integers(2**31))}
        for name, (low, high) in self.ranges[kind].items():
            share = random.random()
            values[name] = low * (high / low) ** share if low > 0 else low + (high - low) * share
        return create(kind, values)

    def frames(self, water: Water) -> int:
        """Frames in a loop of ``water``."""
        return max(self.length, round(water.loop_seconds * self.rate))


def load(name: str) -> Recipe:
    """A recipe of this package by name, or any TOML file by its path. ``UsageError`` if none, or wrong."""
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.toml")))
        raise UsageError(f"There is no recipe {name}.", f"There is {known}; or give a .toml file.", recipe=name)
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
        ranges = {kind: {key: _range(*ends) for key, ends in told.pop(kind).items()} for kind in KINDS}
        recipe = Recipe(ranges=ranges, **told)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{path.name} is not a recipe for water: {error!r}.", recipe=name) from error
    _check(path.name, recipe)
    return recipe


def _range(low: float, high: float) -> tuple[float, float]:
    if not -math.inf < low <= high < math.inf:
        raise ValueError(f"{low} to {high} is no range")
    return float(low), float(high)


def _check(name: str, recipe: Recipe) -> None:
    """``UsageError`` where a number is nonsense or a range leaves what its control allows."""
    counts = (recipe.simulations, recipe.takes, recipe.length, recipe.rate)
    if min(counts) <= 0 or not 0 < recipe.coarse <= recipe.fine or recipe.fine % recipe.coarse:
        raise UsageError(f"{name}: sizes and counts must be above 0, and fine a multiple of coarse.")
    for kind, ranges in recipe.ranges.items():
        allowed = {control.name: control for control in controls(KINDS[kind])}
        for key, (low, high) in ranges.items():
            control = allowed.get(key)
            if control is None or control.whole or low < control.low or high > control.high:
                raise UsageError(f"{name}: {kind} cannot have {key} from {low:g} to {high:g}.", control=key)
