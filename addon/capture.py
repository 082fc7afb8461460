"""Every render becomes a shot: the Render Result, saved as one multilayer EXR per frame. Nothing is rendered twice.

Handlers may run in Blender's render thread: they read, save, and call back with plain Python values. They never raise
into the artist's render; what went wrong waits in ``last_error`` for the panel.

A frame is saved in ``render_post``, but ``render_post`` also comes for a still that Esc broke off. So the file waits
under a hidden name until Blender says that the frame was good (``render_write``, the next ``render_pre``,
``render_complete``); ``render_cancel`` throws it away.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
from bpy.app.handlers import persistent

from . import compat, exr, passes, paths, properties
from .backend import errors

FrameHook = Callable[[str, int, Path], None]
"""(scene name, frame number, the frame's EXR): that frame is whole, on disk. May be called in the render thread."""

SHOT_FORMAT = 1
RENDER_RESULT = "Render Result"

last_error: errors.PaintoverError | None = None
"""What the newest capture failed with; None once one has succeeded."""


@dataclass(frozen=True)
class _Saved:
    """A frame that is written, but not yet known to be good."""

    scene: str
    frame: int
    hidden: Path
    path: Path


_hooks: list[FrameHook] = []
_waiting: list[_Saved] = []
_wanted: set[str] = set()  # scenes whose frames are kept whatever ``is_on`` says
_suspended = 0


def is_on(scene: bpy.types.Scene) -> bool:
    """Whether the artist wants the passes of every render kept: Save Passes, or a look that is given to them."""
    settings = properties.of(scene)
    return bool(settings.save_passes or settings.stylise)


def on_frame(hook: FrameHook) -> None:
    """Call ``hook`` whenever a frame of passes is on disk. The same hook twice counts once."""
    if hook not in _hooks:
        _hooks.append(hook)


def off_frame(hook: FrameHook) -> None:
    """Stop calling ``hook``."""
    if hook in _hooks:
        _hooks.remove(hook)


@contextmanager
def suspended() -> Iterator[None]:
    """No render is captured inside: for composites that read the passes from disk."""
    global _suspended
    _suspended += 1
    try:
        yield
    finally:
        _suspended -= 1


@contextmanager
def wanted(scene: bpy.types.Scene) -> Iterator[None]:
    """Every render of ``scene`` is captured inside, also where the artist has not asked for it."""
    name = scene.name
    _wanted.add(name)
    try:
        yield
    finally:
        _wanted.discard(name)


def view_info(scene: bpy.types.Scene) -> dict[str, Any]:
    """How the scene shows its pixels: the "view" part of shot.json.

    ``curves``: the view is more than the configuration knows, curves or a white balance.
    """
    view = scene.view_settings
    config = os.environ.get("OCIO") or os.path.join(
        bpy.utils.system_resource("DATAFILES", path="colormanagement"),  # type: ignore[attr-defined]
        "config.ocio",
    )
    return {
        "config": config,
        "display": scene.display_settings.display_device,
        "view": view.view_transform,
        "look": view.look,
        "exposure": view.exposure,
        "gamma": view.gamma,
        "curves": view.use_curve_mapping or view.use_white_balance,
    }


def save(scene: bpy.types.Scene, path: Path) -> None:
    """The Render Result as a multilayer EXR at ``path``. The scene's settings are as before. Raises OutputError."""
    if RENDER_RESULT not in bpy.data.images:
        raise errors.OutputError(
            f"Frame {scene.frame_current} could not be saved: this .blend has no Render Result yet.",
            "Switch on Save Passes in Blender's window and save the .blend, then render again.",
            frame=scene.frame_current,
        )
    _save_image(bpy.data.images[RENDER_RESULT], scene, path, compat.use_multilayer_exr)


def save_display(scene: bpy.types.Scene, frame: Path, picture: Path) -> None:
    """The rendered ``frame`` (a shot's EXR) as the scene's view shows it: an 8-bit PNG to paint over.

    The scene's settings are as before. Raises OutputError.
    """
    image = bpy.data.images.load(str(frame))
    dither = scene.render.dither_intensity
    beside = picture.with_name(f".{picture.stem}.part.png")
    try:
        scene.render.dither_intensity = 0.0
        _save_image(image, scene, beside, compat.use_png)
        try:
            beside.replace(picture)
        except OSError as error:
            raise errors.OutputError(
                f"{picture} cannot be written: {error.strerror}.",
                "Close the programs that have it open, and try again.",
            ) from error
    finally:
        scene.render.dither_intensity = dither
        bpy.data.images.remove(image)


def _save_image(
    image: bpy.types.Image,
    scene: bpy.types.Scene,
    path: Path,
    choose_format: Callable[[bpy.types.ImageFormatSettings], None],
) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _other_format(scene.render.image_settings, choose_format):
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
def _other_format(
    settings: bpy.types.ImageFormatSettings, choose: Callable[[bpy.types.ImageFormatSettings], None]
) -> Iterator[None]:
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


def write_card(scene: bpy.types.Scene, folder: Path) -> Path:
    """``shot.json`` in ``folder``: what the frames do not say themselves. Raises OutputError."""
    card = {
        "format": SHOT_FORMAT,
        "name": paths.places(scene).name,
        "blender": bpy.app.version_string.split()[0],
        "engine": scene.render.engine,
        "fps": scene.render.fps / scene.render.fps_base,
        "motion_blur": scene.render.use_motion_blur,
        "view_layer": passes.main_layer(scene).name,
        "view": view_info(scene),
    }
    text = json.dumps(card, indent=2) + "\n"
    path = folder / "shot.json"
    beside = folder / ".shot.json.part"
    try:
        if not path.is_file() or path.read_text("utf-8") != text:
            folder.mkdir(parents=True, exist_ok=True)
            beside.write_text(text, "utf-8")
            beside.replace(path)
    except OSError as error:
        raise errors.OutputError(
            f"{path} cannot be written: {error}.",
            "Look at the folder's permissions, and at the space that is left on the disk.",
            folder=str(folder),
        ) from error
    return path


def _is_captured(scene: bpy.types.Scene) -> bool:
    asked = scene.name in _wanted or is_on(scene)
    return asked and not _suspended and compat.renders_view_layers(scene)


@persistent  # type: ignore[untyped-decorator]
def _on_post(scene: bpy.types.Scene, _depsgraph: object = None) -> None:
    global last_error
    if not _is_captured(scene):
        return
    places = paths.places(scene)
    path = paths.frame_path(places.passes, places.name, scene.frame_current)
    hidden = path.with_name(f".{path.stem}.part.exr")
    try:
        save(scene, hidden)
        write_card(scene, places.passes)
    except errors.PaintoverError as error:
        last_error = error
    else:
        last_error = None
        _waiting.append(_Saved(scene.name, scene.frame_current, hidden, path))


@persistent  # type: ignore[untyped-decorator]
def _on_good(_scene: bpy.types.Scene, _depsgraph: object = None) -> None:
    global last_error
    while _waiting:
        saved = _waiting.pop(0)
        try:
            saved.hidden.replace(saved.path)
        except OSError as error:
            last_error = errors.OutputError(f"{saved.path} cannot be written: {error}.", "Look at the folder.")
            continue
        for hook in tuple(_hooks):
            hook(saved.scene, saved.frame, saved.path)


@persistent  # type: ignore[untyped-decorator]
def _on_cancel(_scene: bpy.types.Scene, _depsgraph: object = None) -> None:
    while _waiting:
        _waiting.pop().hidden.unlink(missing_ok=True)


@persistent  # type: ignore[untyped-decorator]
def _on_load(*_: object) -> None:
    """Make the Render Result's data-block where a .blend lacks it.

    ``-b -a`` and ``-f`` render without the operator that makes it; during a render it is too late. So the operator
    gives the picture of an empty compositor: no engine renders anything.
    """
    if not bpy.app.background or RENDER_RESULT in bpy.data.images or not any(map(is_on, bpy.data.scenes)):
        return
    empty = bpy.data.scenes.new("Paintover")
    empty.render.resolution_x = empty.render.resolution_y = 4
    tree = compat.use_compositor_tree(empty)
    tree.nodes.clear()
    compat.new_output(tree)
    try:
        bpy.ops.render.render(scene=empty.name)
    finally:
        compat.leave_compositor_tree(empty)
        bpy.data.scenes.remove(empty)


_HANDLERS = (
    ("load_post", _on_load),
    ("render_pre", _on_good),
    ("render_post", _on_post),
    ("render_write", _on_good),
    ("render_complete", _on_good),
    ("render_cancel", _on_cancel),
)


def register() -> None:
    """Listen to every render."""
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    """Stop listening. Hooks are forgotten."""
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
    _hooks.clear()
