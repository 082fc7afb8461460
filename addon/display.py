"""A rendered frame as its scene shows it: the picture to paint over."""

from contextlib import suppress
from pathlib import Path

import bpy

from . import compat, saving, shot_card
from .backend import beside, errors


def save_display(scene: bpy.types.Scene, frame: Path, picture: Path) -> None:
    """What the look sees of ``frame`` (a shot's EXR), through the scene's view: an 8-bit PNG to paint over.

    It is the render and not the compositor's picture, since the look gets the render. The scene's settings are as
    before. Raises ShotError where the frame cannot be read, OutputError.
    """
    from .exr_picture import read_combined  # late: Blender's start would wait for NumPy

    pixels = read_combined(frame, shot_card.read(frame.parent).get("view_layer", ""))
    height, width = pixels.shape[:2]
    image = bpy.data.images.new(picture.stem, width, height, alpha=True, float_buffer=True)
    dither = scene.render.dither_intensity
    hidden = beside.part_of(picture)
    try:
        scene.render.dither_intensity = 0.0
        image.colorspace_settings.name = compat.scene_linear()  # type: ignore[assignment]  # the stubs know no names
        image.alpha_mode = "PREMUL"
        image.pixels.foreach_set(pixels[::-1].ravel())  # type: ignore[arg-type]  # the stubs know no arrays
        saving.save_image(image, scene, hidden, compat.use_png)
        try:
            hidden.replace(picture)
        except OSError as error:
            raise errors.OutputError(
                f"{picture} cannot be written: {error.strerror}.",
                "Close the programs that have it open, and try again.",
            ) from error
    finally:
        with suppress(OSError):  # as a rule it is not there any more
            hidden.unlink()
        scene.render.dither_intensity = dither
        bpy.data.images.remove(image)
