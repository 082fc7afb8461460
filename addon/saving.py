"""An image written in a format of our choice, while the scene's own output settings stay as they are."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import bpy

from . import exr
from .backend import errors

Choose = Callable[[bpy.types.ImageFormatSettings], None]


def save_image(image: bpy.types.Image, scene: bpy.types.Scene, path: Path, choose_format: Choose) -> None:
    """Write ``image`` to ``path``. Nothing torn is left there. Raises OutputError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _other_format(scene.render, choose_format):
            image.save_render(str(path), scene=scene)
        if path.suffix == ".exr" and not exr.is_whole(path):
            raise OSError("the file is not whole")
    except (OSError, RuntimeError) as error:
        with suppress(OSError):  # the folder may be what is wrong; what counts is why nothing was saved
            path.unlink()
        reason = str(error).strip().rstrip(".")
        raise errors.OutputError(
            f"Frame {scene.frame_current} could not be saved in {path.parent}: {reason}.",
            "Look at the folder's permissions, and at the space that is left on the disk.",
            folder=str(path.parent),
            frame=scene.frame_current,
        ) from error


@contextmanager
def _other_format(render: bpy.types.RenderSettings, choose: Choose) -> Iterator[None]:
    settings, container = render.image_settings, render.ffmpeg.format
    before = {
        name: getattr(settings, name)
        for name, kind in settings.bl_rna.properties.items()
        if kind.type != "POINTER" and not kind.is_readonly
    }
    # Blender chooses this one anew with each file format; it counts, and is set at all, only where it overrides.
    linear = settings.linear_colorspace_settings.name if settings.color_management == "OVERRIDE" else None
    try:
        choose(settings)
        yield
    finally:
        # The properties come in an order in which each allows the next: media type, file format, colour mode, depth.
        for name, value in before.items():
            setattr(settings, name, value)
        if linear is not None:
            settings.linear_colorspace_settings.name = linear
        if render.ffmpeg.format != container:  # Blender takes Ogg for none of a movie's, and chooses another
            render.ffmpeg.format = container
