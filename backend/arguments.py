"""What people write on a command line. Standard library only: Blender's command line reads it too."""

import argparse
import re
from pathlib import Path


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
