"""The node group *Paintover* in the artist's compositor: in, replaced, and out again without a trace."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy


def find(scene: bpy.types.Scene) -> bpy.types.Node | None:
    """The scene's Paintover node, if it has one. Its inputs Strength, Keep Luminance, Keep Colour are sliders."""
    raise NotImplementedError


def insert(scene: bpy.types.Scene, frames_folder: Path, name: str, first: int, last: int) -> bpy.types.Node:
    """Put the styled frames ``NAME_####.exr`` between what feeds the scene's output (and viewer) and that output.

    No other link changes. A second call replaces the frames and keeps the artist's slider values and links. Where
    there is no tree yet: render layers -> Paintover -> output. Frames outside ``first``..``last``, and frames that are
    missing on disk, show the unstyled image. Raises OutputError when ``frames_folder`` has no such frame.
    """
    raise NotImplementedError


def remove(scene: bpy.types.Scene) -> bool:
    """Take Paintover out: the tree is link for link as it was. False when there was none."""
    raise NotImplementedError


@contextmanager
def reading_passes(scene: bpy.types.Scene, passes_folder: Path, name: str, first: int, last: int) -> Iterator[None]:
    """Inside, the compositor takes its Render Layers from the shot on disk: rendering only composites.

    The tree is as before afterwards. Raises ShotError when a node needs what the shot does not hold.
    """
    raise NotImplementedError
    yield


def render_final(scene: bpy.types.Scene, passes_folder: Path, name: str, first: int, last: int) -> None:
    """Final frames ``first``..``last`` with the scene's own output settings, composited from the shot, not rendered."""
    raise NotImplementedError
