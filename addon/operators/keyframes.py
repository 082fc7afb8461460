"""The painted frames: starting one, painting it roughly, finding the next, reading it again."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from .. import compat, display, jobs, paths, properties
from ..backend.errors import PaintingError
from ..classes import register_all, unregister_all
from ..images import save_image, show_image, showing
from ..render_ticket import check_idle, is_rendering
from ..shot import frame_of_passes, passes_folder, rendered_frames, scene_named
from .base import DirectOperator, WorkOperator

if TYPE_CHECKING:
    from bpy.types import Context


def painting_file(keyframe: properties.PaintedKeyframe) -> Path:
    return compat.absolute_path(keyframe.painting)


class NoPaintingError(PaintingError):
    """There is none to be read: reading it again does not help."""

    action = ""


def existing(keyframe: properties.PaintedKeyframe) -> Path:
    """The file of a keyframe's painting. Raises ``NoPaintingError`` where none is chosen, or it is gone."""
    path = painting_file(keyframe)
    if not keyframe.painting:
        raise NoPaintingError(f"No painting is chosen for frame {keyframe.frame}.", "Choose its file.")
    if not path.is_file():
        raise NoPaintingError(f"The painting of frame {keyframe.frame} is not at {path}.", "Choose the file again.")
    return path


def save_painted(files: Iterable[Path]) -> None:
    """Write what was painted in Blender itself and not saved yet, so that the backend sees it. Raises OutputError."""
    for path in files:
        for image in showing(path):
            if image.is_dirty:
                save_image(image)


def find(scene: bpy.types.Scene, frame: int) -> properties.PaintedKeyframe | None:
    found: properties.PaintedKeyframe
    for found in properties.of(scene).keyframes:
        if found.frame == frame:
            return found
    return None


def selected(scene: bpy.types.Scene) -> properties.PaintedKeyframe:
    """The painted frame that is selected in the list. Raises ``NoPaintingError`` if there is none."""
    settings = properties.of(scene)
    if not 0 <= settings.keyframe_index < len(settings.keyframes):
        raise NoPaintingError("No painted frame is selected.", "Add the current frame first.")
    keyframe: properties.PaintedKeyframe = settings.keyframes[settings.keyframe_index]
    return keyframe


def set_painting(scene: bpy.types.Scene, frame: int, painting: Path) -> properties.PaintedKeyframe:
    """Name ``painting`` as the painted ``frame``, in place of an earlier one, and select it. The list is in order."""
    settings = properties.of(scene)
    if find(scene, frame) is None:
        keyframe = settings.keyframes.add()
        keyframe.frame = frame
        place = sum(other.frame < frame for other in settings.keyframes)
        settings.keyframes.move(len(settings.keyframes) - 1, place)
    settings.keyframe_index = next(index for index, other in enumerate(settings.keyframes) if other.frame == frame)
    chosen: properties.PaintedKeyframe = settings.keyframes[settings.keyframe_index]
    chosen.painting = compat.portable_path(painting)
    return chosen


def starter_file(scene: bpy.types.Scene) -> Path:
    """The picture of the current frame that is made to be painted over."""
    places = paths.places(scene)
    return places.paint / f"{places.name}_{scene.frame_current:04d}.png"


def keyframe_add(scene: bpy.types.Scene) -> Path:
    """Make the current frame a painted one. Gives its painting's file.

    It shows the rendered frame as Blender shows it, to paint over; one that is there already is kept. Raises
    ``ShotError`` if the frame has not been rendered.
    """
    frame = scene.frame_current
    exr = frame_of_passes(scene, frame)
    painting = starter_file(scene)
    if not painting.exists():
        display.save_display(scene, exr, painting)
    set_painting(scene, frame, painting)
    return painting


def keyframe_remove(scene: bpy.types.Scene) -> int:
    """Take the selected painted frame off the list; its file stays. Gives its frame number."""
    frame: int = selected(scene).frame
    settings = properties.of(scene)
    settings.keyframes.remove(settings.keyframe_index)
    settings.keyframe_index = max(0, min(settings.keyframe_index, len(settings.keyframes) - 1))
    return frame


def keyframe_reload(scene: bpy.types.Scene) -> list[Path]:
    """Read all paintings again from disk. Gives their files. Raises ``NoPaintingError`` where one is gone.

    One that was painted on in Blender, and not saved, keeps its strokes: it is not read.
    """
    files = [existing(keyframe) for keyframe in properties.of(scene).keyframes]
    read = [path for path in files if not any(image.is_dirty for image in showing(path))]
    for path in read:
        for image in showing(path):
            image.reload()
    return read


def rough_paint_work(scene: bpy.types.Scene) -> jobs.Work:
    """Paint the current frame with brush strokes, into a new file: what the artist has refined is never touched."""
    frame = scene.frame_current
    frame_of_passes(scene, frame)
    places = paths.places(scene)
    painting = paths.free(places.paint / f"{places.name}_{frame:04d}_rough.png")
    name = scene.name
    params = {"shot": passes_folder(scene), "frame": frame, "out": str(painting), "seed": properties.of(scene).seed}

    def finish(_value: jobs.Report) -> None:
        set_painting(scene_named(name), frame, painting)

    return jobs.request("Rough Paint", "look.paint", params, finish)


def keyframe_rough_paint(scene: bpy.types.Scene, on_progress: jobs.Sink | None = None) -> jobs.Report:
    """Paint and wait: ``{"painting": path}``."""
    return jobs.run(rough_paint_work(scene), on_progress)


def suggest_work(scene: bpy.types.Scene) -> jobs.Work:
    """Find the frame that is least covered by what is painted, and go to it."""
    rendered_frames(scene)
    name = scene.name
    painted = sorted({keyframe.frame for keyframe in properties.of(scene).keyframes})

    def finish(value: jobs.Report) -> None:
        if not is_rendering():
            scene_named(name).frame_set(value["frame"])
        jobs.session.notice = f"Paint frame {value['frame']} next"

    return jobs.request("Suggest Frame", "look.suggest", {"shot": passes_folder(scene), "painted": painted}, finish)


def keyframe_suggest(scene: bpy.types.Scene, on_progress: jobs.Sink | None = None) -> jobs.Report:
    """Suggest and wait: ``{"frame", "coverage"}``."""
    return jobs.run(suggest_work(scene), on_progress)


class KeyframeAdd(DirectOperator, bpy.types.Operator):
    bl_idname = "paintover.keyframe_add"
    bl_label = "Add Current Frame"
    bl_description = "Make a picture of the current rendered frame to paint over, and put it on the list"
    bl_options = {"REGISTER", "UNDO"}

    def perform(self, context: "Context") -> str:
        kept = starter_file(context.scene).exists()
        painting = keyframe_add(context.scene)
        if kept:
            return f"{painting} was there already, and is as it was. Delete the file to begin anew."
        return f"Paint over {painting}."


class KeyframeRemove(DirectOperator, bpy.types.Operator):
    bl_idname = "paintover.keyframe_remove"
    bl_label = "Remove Painted Frame"
    bl_description = "Take the selected frame off the list. Its painting stays on disk"
    bl_options = {"REGISTER", "UNDO"}

    def perform(self, context: "Context") -> str:
        return f"Frame {keyframe_remove(context.scene)} is off the list."


class KeyframeReload(DirectOperator, bpy.types.Operator):
    bl_idname = "paintover.keyframe_reload"
    bl_label = "Reload Paintings"
    bl_description = "Read all paintings again, after they were changed in a paint program"
    bl_options = {"REGISTER", "UNDO"}

    def perform(self, context: "Context") -> str:
        read, there = len(keyframe_reload(context.scene)), len(properties.of(context.scene).keyframes)
        if read == there:
            return f"{read} paintings were read again."
        return f"{read} paintings were read again. {there - read} not: they have strokes in Blender that are not saved."


class KeyframeShow(DirectOperator, bpy.types.Operator):
    bl_idname = "paintover.keyframe_show"
    bl_label = "Show Painting"
    bl_description = "Go to the selected painted frame and show its painting in the Image Editor, ready to paint on"
    bl_options = {"REGISTER", "UNDO"}

    def perform(self, context: "Context") -> str:
        keyframe = selected(context.scene)
        path = existing(keyframe)
        check_idle()
        context.scene.frame_set(keyframe.frame)
        if show_image(context, bpy.data.images.load(str(path), check_existing=True)):
            return f"Frame {keyframe.frame} is shown in the Image Editor."
        return f"This is frame {keyframe.frame}. Open an Image Editor to see its painting."


class KeyframeRoughPaint(WorkOperator, bpy.types.Operator):
    bl_idname = "paintover.keyframe_rough_paint"
    bl_label = "Rough Paint"
    bl_description = "Let Paintover paint the current frame with brush strokes: a start to refine"
    bl_options = {"REGISTER", "UNDO"}

    def work(self, context: "Context") -> jobs.Work:
        return rough_paint_work(context.scene)


class KeyframeSuggest(WorkOperator, bpy.types.Operator):
    bl_idname = "paintover.keyframe_suggest"
    bl_label = "Suggest Frame"
    bl_description = "Go to the frame that is worth painting next: the one least covered by what is painted"
    bl_options = {"REGISTER", "UNDO"}

    def work(self, context: "Context") -> jobs.Work:
        return suggest_work(context.scene)


CLASSES = (
    KeyframeAdd,
    KeyframeRemove,
    KeyframeReload,
    KeyframeShow,
    KeyframeRoughPaint,
    KeyframeSuggest,
)


def register() -> None:
    register_all(CLASSES)


def unregister() -> None:
    unregister_all(CLASSES)
