"""Image data-blocks that show files which change on disk, and the editors that show them."""

from pathlib import Path
from typing import TYPE_CHECKING

import bpy

if TYPE_CHECKING:
    from bpy.types import Context


def file_of(image: bpy.types.Image) -> Path:
    return Path(bpy.path.abspath(image.filepath, library=image.library))


def showing(path: Path) -> list[bpy.types.Image]:
    """The data-blocks that were read from ``path``."""
    return [image for image in bpy.data.images if image.filepath and file_of(image) == path]


def reload_under(folder: str | Path) -> None:
    """Read every image again whose file lies in ``folder``."""
    for image in bpy.data.images:
        if image.filepath and file_of(image).parent == Path(folder):
            image.reload()


def show_image(context: "Context", image: bpy.types.Image, last: int = 1) -> None:
    """Show ``image`` in every Image Editor of this screen that is not pinned; without a window, in none.

    ``last``: the last frame of a sequence, whose files bear the scene's own frame numbers.
    """
    if context.screen is None:
        return
    for area in context.screen.areas:
        space = area.spaces.active
        if isinstance(space, bpy.types.SpaceImageEditor) and not space.use_image_pin:
            space.image = image
            if image.source == "SEQUENCE":
                user = space.image_user
                user.frame_start, user.frame_offset, user.frame_duration = 1, 0, last
                user.use_auto_refresh = True
            area.tag_redraw()
