"""The controls of every kind as JSON, for panels and scripts. Standard library only."""

from typing import Any

from ..errors import UsageError
from .controls import CONTROLS, VOLUMES
from .water import controls as water

WATER = tuple(water.KINDS)
KINDS = (*VOLUMES, *WATER)
MEANINGS = {
    "fire": "Flames and the smoke that they give off, with a light that follows them",
    "smoke": "A plume of smoke, lit by the sun and the sky",
    "explosion": "A burst of fire that turns into smoke. It happens once",
} | {kind: (waters.__doc__ or "").rstrip(".") for kind, waters in water.KINDS.items()}
"""What each kind is, in an artist's words."""


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
