"""Styled images on materials."""

from pathlib import Path

import bpy


def styled_image(path: Path, frames: tuple[int, int] | None = None) -> bpy.types.Image:
    """A styled frame (scene-linear EXR) as an image data-block, the same one each time.

    ``frames`` (first, last): the whole sequence that ``path`` belongs to. Raises OutputError when there is no file.
    """
    raise NotImplementedError


def new_texture(
    target: bpy.types.Object | bpy.types.Material,
    image: bpy.types.Image,
    source: bpy.types.Image | None = None,
    frames: tuple[int, int] | None = None,
) -> bpy.types.ShaderNodeTexImage:
    """A new image texture node with ``image`` on the (active) material; the old node stays in the tree, unlinked.

    ``source``: the image whose links it takes over, with its projection, extension and mapping; None: the material's
    active image texture, else the free Base Color. ``frames`` (first, last): plays a sequence. Raises UsageError when
    there is no material.
    """
    raise NotImplementedError
