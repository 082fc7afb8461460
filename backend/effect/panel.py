"""The controls of every kind as JSON, for panels and scripts. Standard library only."""

from typing import Any

from ..errors import UsageError
from .controls import CONTROLS, VOLUMES
from .water import controls as water

WATER = tuple(water.KINDS)
KINDS = (*VOLUMES, *WATER)


def check_kind(kind: str) -> None:
    """Raise ``UsageError`` for a kind that does not exist."""
    if kind not in KINDS:
        raise UsageError(f"There is no effect {kind!r:.40}.", f"There are {', '.join(KINDS)}.")


def described(kind: str) -> dict[str, Any]:
    """``controls``: each with name, label, unit, low, high, default, meaning and whole, in a panel's order.

    ``water``: whether it is a tile of water: without emitter, keys, and of no shape but square.
    """
    check_kind(kind)
    if kind in CONTROLS:
        found = [vars(control) for control in CONTROLS[kind].values()]
    else:
        found = [vars(control) for control in water.controls(water.KINDS[kind])]
    return {"kind": kind, "water": kind in WATER, "controls": found}
