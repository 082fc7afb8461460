"""Times and lists as people read them. Standard library only: panels show them too."""

from collections.abc import Sequence
from typing import Any


def either(names: Sequence[str]) -> str:
    """``("fire", "smoke", "rain")`` -> ``fire, smoke or rain``."""
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def clock(seconds: float) -> str:
    """``75`` -> ``1:15``."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def pace(report: dict[str, Any]) -> list[str]:
    """The rate and the time left of a report of progress, where it tells them."""
    words = []
    if report.get("rate") is not None:
        words.append(f"{report['rate']:.2g}/s" if report["rate"] < 10 else f"{report['rate']:.0f}/s")
    if report.get("remaining") is not None:
        words.append(f"{clock(report['remaining'])} left")
    return words
