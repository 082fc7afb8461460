"""The passes of a shot: switching them on, and rendering them."""

from typing import TYPE_CHECKING

import bpy

from .. import jobs, passes, properties, rendering
from ..backend.errors import Cancelled
from .base import DirectOperator, WorkOperator, register_all, unregister_all
from .shot import render_range, scene_named

if TYPE_CHECKING:
    from bpy.types import Context


def enable_passes(scene: bpy.types.Scene) -> list[str]:
    """Switch on the passes that a look needs, and keep them after every render. Gives what was changed."""
    changed = passes.enable(scene, passes.main_layer(scene))
    if scene.render.use_motion_blur:
        scene.render.use_motion_blur = False
        changed.append("Motion Blur off (with it, Blender leaves the Vector pass empty)")
    properties.of(scene).save_passes = True
    return changed


class RenderTicket:
    """Blender's own rendering as work: frame by frame while a window lives, in one go where somebody waits."""

    def __init__(self, scene: str, first: int, last: int) -> None:
        self._scene = scene
        self._first = first
        self._last = last
        self._render: rendering.RangeRender | None = None
        self._cancelled = False
        self._told = -1.0  # the fraction that was reported last

    @property
    def done(self) -> bool:
        return self._render is not None and self._render.done

    def poll(self) -> list[jobs.Report]:
        if self._render is None:
            self._render = rendering.RangeRender(scene_named(self._scene), self._first, self._last)
            self._render.start()
        if self._told == self._render.fraction:
            return []
        self._told = self._render.fraction
        return [{"fraction": self._told, "message": "Rendering passes"}]

    def result(self) -> jobs.Report:
        assert self._render is not None
        if self._render.error is not None:
            raise self._render.error
        return {"written": [str(path) for path in self._render.paths]}

    def cancel(self) -> None:
        self._cancelled = True
        if self._render is not None:
            self._render.cancel()

    def stop(self) -> None:
        self.cancel()

    def wait(self, timeout: float | None = None, on_progress: jobs.Sink | None = None) -> jobs.Report:
        """Render and return; Blender's rendering knows no ``timeout``."""

        def tell(done: int, total: int) -> bool:
            if on_progress is not None:
                on_progress({"fraction": done / total, "message": f"Rendered {done} of {total}"})
            return not self._cancelled

        written = rendering.render_range(scene_named(self._scene), self._first, self._last, tell)
        if self._cancelled:
            raise Cancelled("Cancelled. The frames that were rendered are kept.")
        return {"written": [str(path) for path in written]}


def render_passes_work(scene: bpy.types.Scene, first: int | None = None, last: int | None = None) -> jobs.Work:
    """Render the passes of a range: the one that the settings name where none is given."""
    start, end = render_range(scene)
    begin = start if first is None else first
    finish = end if last is None else last
    return jobs.Work("Render Passes", lambda: RenderTicket(scene.name, begin, finish))


def render_passes(
    scene: bpy.types.Scene,
    first: int | None = None,
    last: int | None = None,
    on_progress: jobs.Sink | None = None,
) -> jobs.Report:
    """Render and wait: ``{"written": [paths]}``."""
    return jobs.run(render_passes_work(scene, first, last), on_progress)


class EnablePasses(DirectOperator, bpy.types.Operator):
    bl_idname = "paintover.enable_passes"
    bl_label = "Enable Passes"
    bl_description = "Switch on the passes that a look needs and save them after every render"
    bl_options = {"REGISTER", "UNDO"}

    def perform(self, context: "Context") -> str:
        changed = enable_passes(context.scene)
        return f"Changed: {', '.join(changed)}." if changed else "All passes were on."


class RenderPasses(WorkOperator, bpy.types.Operator):
    bl_idname = "paintover.render_passes"
    bl_label = "Render Passes"
    bl_description = "Render the chosen frames and keep their passes, without compositing and without other output"

    def work(self, context: "Context") -> jobs.Work:
        return render_passes_work(context.scene)


CLASSES = (EnablePasses, RenderPasses)


def register() -> None:
    register_all(CLASSES)


def unregister() -> None:
    unregister_all(CLASSES)
