"""An image written in a format of our choice, while the scene's own output settings stay as they are."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import bpy

from . import compat, exr
from .backend import errors

Choose = Callable[[bpy.types.ImageFormatSettings], None]


def save_image(image: bpy.types.Image, scene: bpy.types.Scene, path: Path, choose_format: Choose) -> None:
    """Write ``image`` to ``path``. Nothing torn is left there. Raises OutputError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _other_format(scene, choose_format):
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
def _other_format(scene: bpy.types.Scene, choose: Choose) -> Iterator[None]:
    settings = scene.render.image_settings
    owners: list[Any] = [settings, scene.render.ffmpeg]  # Blender chooses a codec with the format
    display, view = settings.display_settings, settings.view_settings
    overrides = settings.color_management == "OVERRIDE"
    if overrides:
        owners += [display, view, settings.linear_colorspace_settings]  # this one Blender chooses with the format too
    before = [_values(owner) for owner in owners]
    try:
        choose(settings)
        if overrides:  # left so: put back, it would begin with the scene's view, and the artist's own be gone
            _give(display, _values(scene.display_settings))
            _give(view, _values(scene.view_settings) | {"use_curve_mapping": False})
            settings.linear_colorspace_settings.name = compat.scene_linear()  # type: ignore[assignment]  # as display.py
        yield
    finally:
        for owner, values in zip(owners, before, strict=True):
            _give(owner, values)


def _values(owner: Any) -> dict[str, Any]:
    """What can be set of it, in an order in which each allows the next: file format, colour mode, depth; look last."""
    derived = "white_balance_whitepoint"  # of temperature and tint
    names = [
        name
        for name, kind in owner.bl_rna.properties.items()
        if kind.type != "POINTER" and not kind.is_readonly and name != derived
    ]
    return {name: getattr(owner, name) for name in sorted(names, key="look".__eq__)}


def _give(owner: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if getattr(owner, name) != value:
            setattr(owner, name, value)
