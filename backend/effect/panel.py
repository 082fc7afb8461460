"""The controls of every kind as JSON, for panels and scripts. Standard library only."""

from typing import Any

from ..errors import UsageError
from .controls import CONTROLS
from .water import controls as water

WATER = tuple(water.KINDS)
KINDS = (*CONTROLS, *WATER)


def described(kind: str) -> dict[str, Any]:
    """``controls``: each with name, label, unit, low, high, default, meaning and whole, in a panel's order."""
    if kind in CONTROLS:
        found = [vars(control) for control in CONTROLS[kind].values()]
    elif kind in WATER:
        found = [vars(control) for control in water.controls(water.KINDS[kind])]
    else:
        raise UsageError(f"There is no effect {kind!r:.40}.", f"There are {', '.join(KINDS)}.")
    return {"kind": kind, "water": kind in WATER, "controls": found}
