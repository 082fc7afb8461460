"""Results that took long are kept, as long as nothing changes that they depend on."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .shots import CACHE

Facts = dict[str, Any]


def kept(name: str, state: object, measure: Callable[[], Facts], fresh: bool) -> Facts:
    """What ``measure`` found, now or, with the same ``state``, before; it says when. ``fresh``: now in any case."""
    record = CACHE / "effects" / "measured" / f"{name}.json"
    told = json.loads(json.dumps(state, default=str))
    if record.exists() and not fresh:
        before: Facts = json.loads(record.read_text(encoding="utf-8"))
        if before["state"] == told:
            return before["facts"] | {"kept_from": before["at"]}
    facts = measure()
    record.parent.mkdir(parents=True, exist_ok=True)
    entry = {"state": told, "at": datetime.now(UTC).isoformat(timespec="seconds"), "facts": facts}
    record.write_text(json.dumps(entry, indent=1), encoding="utf-8")
    return facts


def save(report: Facts, target: Path | None) -> None:
    """Write a report, if anybody wants it."""
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(report, indent=1), encoding="utf-8")
