"""Baked effects as files for other programs: atlases for game engines, and movies to look at."""

# mypy: disable-error-code="valid-type"

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import bpy
from bpy.props import BoolProperty, IntProperty, StringProperty

from .. import jobs
from ..backend.effect.frames import MOST_SIZE
from ..backend.errors import PaintoverError, UsageError
from ..classes import register_all, unregister_all
from ..effect import bakes
from ..effect.properties import folder_of
from .base import WorkOperator, tell
from .effects import active_effect

if TYPE_CHECKING:
    from bpy.types import Context, Event, Object, Scene

    from .base import Outcome


def _frames(scene: "Scene", thing: "Object", out: Path) -> dict[str, Any]:
    """The effect's frames, and where what is made of them goes. Raises UsageError, EffectError."""
    folder = folder_of(active_effect(thing))
    baked = bakes.needed(folder, thing.name)
    fps = scene.render.fps / scene.render.fps_base
    return {"frames": str(folder), "name": baked.kind, "fps": fps, "out": str(out)}


def effect_flipbook_work(
    scene: "Scene", thing: "Object", out: Path, rows: int, columns: int, cell: int | None
) -> jobs.Work:
    """Lay the effect's frames out in an atlas: ``out`` as PNG and EXR, with their motion and a description (JSON).

    ``cell``: width of a frame in it, in pixels; None: as baked.
    """
    asked = {**_frames(scene, thing, out), "rows": rows, "columns": columns, "cell": cell}
    return jobs.request(f"Export Flipbook of {thing.name}", "effect.flipbook", asked)


def effect_movie_work(scene: "Scene", thing: "Object", out: Path, width: int | None) -> jobs.Work:
    """Make a movie of the effect's frames. ``width``: in pixels; None: as baked."""
    asked = {**_frames(scene, thing, out), "width": width}
    return jobs.request(f"Export Movie of {thing.name}", "effect.movie", asked)


def effect_flipbook(
    scene: "Scene", thing: "Object", out: Path, rows: int = 8, columns: int = 8, cell: int | None = None
) -> jobs.Report:
    """Export and wait: the backend's answer, with ``files``."""
    return jobs.run(effect_flipbook_work(scene, thing, out, rows, columns, cell))


def effect_movie(scene: "Scene", thing: "Object", out: Path, width: int | None = None) -> jobs.Report:
    """Export and wait: the backend's answer, with ``movie``."""
    return jobs.run(effect_movie_work(scene, thing, out, width))


class ExportOperator(WorkOperator):
    """Work whose result is a file. In a window, without a file, it asks for one first."""

    what: ClassVar[str]  # in the name of the file
    ending: ClassVar[str]
    asked = False  # the file was

    filepath: StringProperty(
        name="File", description="The file to write", subtype="FILE_PATH", options={"SKIP_SAVE", "HIDDEN"}
    )
    check_existing: BoolProperty(default=True, options={"SKIP_SAVE", "HIDDEN"})  # Blender's file browser warns

    def invoke(self, context: "Context", event: "Event") -> "Outcome":
        if bpy.app.background or self.filepath:
            return super().invoke(context, event)
        try:
            thing = active_effect(context.active_object)
            bakes.needed(folder_of(thing), thing.name)
        except PaintoverError as error:
            return tell(self, error)
        self.filepath = bpy.path.abspath(f"//{bpy.path.clean_name(thing.name)}_{self.what}{self.ending}")
        self.asked = True
        context.window_manager.fileselect_add(self)  # it calls ``execute``
        return {"RUNNING_MODAL"}

    def execute(self, context: "Context") -> "Outcome":
        return self.follow(context) if self.asked else super().execute(context)

    def chosen(self) -> Path:
        """The file, with an ending. Raises UsageError without one."""
        if not self.filepath:
            raise UsageError(f"{self.bl_label} needs a file to write.", "Name one.")
        path = Path(bpy.path.abspath(self.filepath))
        return path if path.suffix else path.with_suffix(self.ending)


class EffectFlipbook(ExportOperator, bpy.types.Operator):
    bl_idname = "paintover.effect_flipbook"
    bl_label = "Export Flipbook"
    bl_description = (
        "Lay the frames of the active effect out in one picture, with motion vectors, as game engines take them: "
        "PNG, EXR, and a description"
    )
    what, ending = "flipbook", ".png"

    filter_glob: StringProperty(default="*.png;*.exr", options={"HIDDEN"})
    rows: IntProperty(name="Rows", description="How many frames from top to bottom", default=8, min=1, max=64)
    columns: IntProperty(name="Columns", description="How many frames from left to right", default=8, min=1, max=64)
    cell: IntProperty(
        name="Width of a Frame", description="In the picture, in pixels. 0: as it was baked", min=0, max=MOST_SIZE
    )

    def work(self, context: "Context") -> jobs.Work:
        return effect_flipbook_work(
            context.scene, context.active_object, self.chosen(), self.rows, self.columns, self.cell or None
        )


class EffectMovie(ExportOperator, bpy.types.Operator):
    bl_idname = "paintover.effect_movie"
    bl_label = "Export Movie"
    bl_description = "Make a movie of the frames of the active effect, to look at: WebP, GIF, or PNG that moves"
    what, ending = "movie", ".webp"

    filter_glob: StringProperty(default="*.webp;*.gif;*.png", options={"HIDDEN"})
    width: IntProperty(name="Width", description="In pixels. 0: as it was baked", min=0, max=MOST_SIZE)

    def work(self, context: "Context") -> jobs.Work:
        return effect_movie_work(context.scene, context.active_object, self.chosen(), self.width or None)


CLASSES = (EffectFlipbook, EffectMovie)


def register() -> None:
    register_all(CLASSES)


def unregister() -> None:
    unregister_all(CLASSES)
