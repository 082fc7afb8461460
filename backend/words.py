"""Times as people read them. Standard library only: panels show them too."""

from typing import Any


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
