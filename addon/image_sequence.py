"""Frames on disk as an image sequence, and what shows it."""

from pathlib import Path
from typing import Any, Literal

import bpy

from . import compat
from .compat import Node


def load(
    first_file: Path,
    image: bpy.types.Image | None,
    whose: str,
    alpha: Literal["PREMUL", "CHANNEL_PACKED"],
    space: Any,  # the stubs know no names
) -> bpy.types.Image:
    """The sequence that ``first_file`` begins. Reuses ``image``. ``whose``: its name begins with that. ``space``: the
    name of the files' colour space.
    """
    if image is None:
        image = bpy.data.images.load(str(first_file))
    image.name = f"{whose} {first_file.stem.rpartition('_')[0]}"
    image.source = "SEQUENCE"
    image.filepath = compat.portable_path(first_file)
    image.colorspace_settings.name = space
    image.alpha_mode = alpha
    image.reload()
    return image


def play(user: Node, first: int, last: int) -> None:
    """Let a node of the compositor, or the image user of another, show file N of a sequence in scene frame N."""
    user.frame_start, user.frame_duration, user.frame_offset = first, last - first + 1, first - 1
    user.use_auto_refresh = True
