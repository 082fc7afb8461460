"""What burns in the harbour: a fire on the quay, behind the boat that sails by, and smoke from behind the houses."""

from typing import Any

BURNING: list[dict[str, Any]] = [
    {"kind": "fire", "at": (1.6, 1.4, 1.1), "controls": {"size": 10.0, "fuel": 1.5}},
    {
        "kind": "smoke",
        "at": (7.4, 8.4, 4.0),
        "controls": {"size": 26.0, "smoke": 2.0, "wind": 0.3, "age": 12.0, "smoke_colour": (0.3, 0.29, 0.28)},
    },
]
"""Kinds of effects, their feet in metres, and their controls; those not named keep their defaults."""
