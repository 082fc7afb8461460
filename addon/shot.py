"""What the operators ask about a scene's shot. Plain answers, or an error in the artist's words."""

from pathlib import Path

import bpy

from . import compat, paths, properties, shot_card
from .backend.errors import LookError, ShotError, UsageError

RENDER_REMEDY = "Press Render Passes, or render with Save Passes on."


def scene_named(name: str) -> bpy.types.Scene:
    """The scene, found again after time has passed: an undo makes older references worthless."""
    if name not in bpy.data.scenes:
        raise UsageError(f"The scene {name} is no longer there.", "Open its .blend again.")
    return bpy.data.scenes[name]


def rendered_frames(scene: bpy.types.Scene) -> list[int]:
    """The frames whose passes are on disk. Raises ``ShotError`` if there are none."""
    places = paths.places(scene)
    frames = paths.frames_in(places.passes, places.name)
    if not frames:
        raise ShotError("There are no rendered passes yet.", RENDER_REMEDY, folder=str(places.passes))
    return frames


def passes_folder(scene: bpy.types.Scene) -> str:
    """Where the backend finds the scene's shot, as the scene shows it now. Raises OutputError."""
    folder = paths.places(scene).passes
    shot_card.show_as_now(scene, folder)
    return str(folder)


def styled_frames(scene: bpy.types.Scene) -> list[int]:
    """The frames that have been stylised. Raises ``LookError`` if there are none."""
    places = paths.places(scene)
    frames = paths.frames_in(places.styled, places.name)
    if not frames:
        raise LookError("There are no styled frames yet.", "Press Apply Look.", folder=str(places.styled))
    return frames


def frame_of_passes(scene: bpy.types.Scene, frame: int) -> Path:
    """The EXR of one rendered frame. Raises ``ShotError`` if it is not there."""
    places = paths.places(scene)
    path = paths.frame_path(places.passes, places.name, frame)
    if not path.is_file():
        raise ShotError(f"Frame {frame} has no rendered passes yet.", RENDER_REMEDY, frame=frame)
    return path


def look_file(scene: bpy.types.Scene) -> Path:
    """Where this scene's look is, or will be."""
    chosen = properties.of(scene).look
    return compat.absolute_path(chosen) if chosen else paths.places(scene).look


def trained_look(scene: bpy.types.Scene) -> Path:
    """The scene's look. Raises ``LookError`` if there is none yet."""
    look = look_file(scene)
    if not look.is_file():
        raise LookError(f"There is no look at {look}.", "Train one, or choose another file.", look=str(look))
    return look


def wanted_range(scene: bpy.types.Scene) -> tuple[int, int]:
    """First and last frame that the artist wants rendered."""
    settings = properties.of(scene)
    match settings.range:
        case "STILL":
            return scene.frame_current, scene.frame_current
        case "RANGE":
            return settings.frame_start, settings.frame_end
    return scene.frame_start, scene.frame_end
