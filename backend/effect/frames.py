"""What every kind has in common when it is asked for: pace, size, box, seed, a file a frame. Standard library only."""

import re
from collections.abc import Mapping
from pathlib import Path

from ..errors import EffectError, UsageError

FPS = 24.0
FRAMES, LONGEST = 64, 10_000  # how many where none are asked for, and how many may be
SIZE = 512  # pixels of a picture's side, where none is asked for
LEAST_SIZE, MOST_SIZE = 32, 8192  # and what it may be
MOST_LONGER = 4  # times the other that a side may be
LEAST_TILE, MOST_TILE = 16, 4096  # the same of a tile of water
SHALLOW = 2 / 3  # of the box's height: it is no deeper than that, and no deeper than wide
SIDES: Mapping[str, int] = {"front": 0, "left": 1, "back": 2, "right": 3}
"""Blender's names of the sides that a bake can be seen from: quarters of a turn, see ``Volume.turned``."""
BAKE_AGAIN = "Bake the domain's gas with the cache format OpenVDB, and name the cache's folder."


def fitting(width: float, height: float, longest: int) -> tuple[int, int]:
    """Width and height in pixels of a picture of something so wide and high, ``longest`` the longer one."""
    share = longest / max(width, height)
    least = max(LEAST_SIZE, -(-longest // MOST_LONGER))
    return max(least, round(width * share)), max(least, round(height * share))


def deep(width: float, height: float) -> float:
    """How deep the box is that a picture of ``width`` x ``height`` shows, in heights of it."""
    return min(width / height, SHALLOW)


def check_count(frames: int) -> None:
    """``UsageError`` for so many frames as nothing can have."""
    if not 1 <= frames <= LONGEST:
        raise UsageError(f"{frames} frames cannot be rendered.", f"Choose from 1 to {LONGEST}.")


def with_seed(controls: object, seed: int | None) -> object:
    """``controls`` with ``seed``, which is one of them and may be named beside them. ``UsageError`` if it is both."""
    if seed is None or (controls is not None and not isinstance(controls, dict)):
        return controls
    if controls and "seed" in controls:
        raise UsageError("There are two seeds: one beside the controls and one among them.", "Name one of them.")
    return {**(controls or {}), "seed": seed}


def ending_number(path: Path) -> int | None:
    """The frame number that a file's name ends with; a minus belongs to it after an underscore."""
    found = re.search(r"((?:(?<=_)-)?\d+)$", path.stem)
    return int(found.group(1)) if found else None


def baked_files(folder: Path) -> dict[int, Path]:
    """By frame, the OpenVDB files in a cache of Blender's fluid simulation, or in its folder ``data``.

    ``EffectError`` where there are none.
    """
    place = folder / "data" if (folder / "data").is_dir() else folder
    numbers = {path: ending_number(path) for path in place.glob("*.vdb")}
    found = {number: path for path, number in numbers.items() if number is not None}
    if not found:
        raise EffectError(f"There are no OpenVDB files of frames in {folder}.", BAKE_AGAIN)
    return found
