"""What people write and read: frame ranges and painted frames on a command line, times. Standard library only."""

import argparse
import re
from pathlib import Path
from typing import Any


def frame_range(text: str) -> tuple[int, int]:
    """``3-8`` -> (3, 8); ``5`` -> (5, 5); ``-5--3`` -> (-5, -3). Raises ``ArgumentTypeError``."""
    match = re.fullmatch(r"(-?\d+)(?:-(-?\d+))?", text)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    if first > last:
        raise argparse.ArgumentTypeError(f"{text} is no frame range: write 10-24, or 10")
    return first, last


def painted_frame(text: str) -> tuple[int, Path]:
    """``5=a.png`` -> (5, /where/it/is/a.png). Raises ``ArgumentTypeError``."""
    match = re.fullmatch(r"(-?\d+)=(.+)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text} is no painted frame: write FRAME=IMAGE, such as 5=painted.png")
    return int(match[1]), Path(match[2]).absolute()


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
