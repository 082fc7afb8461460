"""Image data-blocks that show files which change on disk, and the editors that show them."""

from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from .backend.errors import OutputError
from .image_sequence import play

if TYPE_CHECKING:
    from bpy.types import Context


def file_of(image: bpy.types.Image) -> Path:
    """The image's file, without links and ``..`` in its path: two that are the same compare equal."""
    return Path(bpy.path.abspath(image.filepath, library=image.library)).resolve()


def showing(path: Path) -> list[bpy.types.Image]:
    """The data-blocks that were read from ``path``."""
    return [image for image in bpy.data.images if image.filepath and file_of(image) == path.resolve()]


def reload_under(folder: str | Path) -> None:
    """Read every image again whose file lies in ``folder``."""
    for image in bpy.data.images:
        if image.filepath and file_of(image).parent == Path(folder).resolve():
            image.reload()


def save_image(image: bpy.types.Image, copy: Path | None = None) -> None:
    """Save ``image`` as its own file, or as ``copy``, which leaves it as it is. Raises OutputError."""
    try:
        if copy is None:
            image.save()
        else:
            copy.parent.mkdir(parents=True, exist_ok=True)
            image.save(filepath=str(copy), save_copy=True)
    except (OSError, RuntimeError) as error:  # Blender's own refusals are RuntimeErrors
        reason = str(error).strip().removeprefix("Error: ").rstrip(".")
        raise OutputError(
            f"The image {image.name} could not be saved: {reason}.", "Save it from the Image Editor, and try again."
        ) from error


def show_image(context: "Context", image: bpy.types.Image, last: int = 1) -> bool:
    """Show ``image`` in every Image Editor of this screen that is not pinned; without a window, in none. Gives whether
    there was one.

    ``last``: the last frame of a sequence, whose files bear the scene's own frame numbers.
    """
    shown = False
    for area in context.screen.areas if context.screen is not None else ():
        space = area.spaces.active
        if isinstance(space, bpy.types.SpaceImageEditor) and not space.use_image_pin:
            shown = True
            space.image = image
            if image.source == "SEQUENCE":
                play(space.image_user, 1, last)
            area.tag_redraw()
    return shown
