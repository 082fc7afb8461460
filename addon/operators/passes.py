"""The passes of a shot: switching them on, and rendering them."""

# mypy: disable-error-code="valid-type"

from typing import TYPE_CHECKING

import bpy
from bpy.props import BoolProperty

from .. import jobs, passes, properties, rendering, shot_card
from ..backend.errors import FrameRangeError
from ..classes import register_all, unregister_all
from ..render_ticket import RenderTicket
from ..shot import wanted_range
from .base import DirectOperator, WorkOperator

if TYPE_CHECKING:
    from bpy.types import Context


def enable_passes(scene: bpy.types.Scene) -> list[str]:
    """Switch on the passes that a look needs, and keep them after every render. Gives what was changed."""
    changed = passes.enable(passes.main_layer(scene))
    if scene.render.use_motion_blur:
        scene.render.use_motion_blur = False
        changed.append("Motion Blur off (with it, Blender leaves the Vector pass empty)")
    properties.of(scene).save_passes = True
    return changed


def render_passes_work(
    scene: bpy.types.Scene, first: int | None = None, last: int | None = None, missing: bool = False
) -> jobs.Work:
    """Render the passes of a range: the one that the settings name where none is given. Every frame of it, whatever the
    scene's Frame Step: paint goes from frame to frame.

    ``missing``: only of frames that have none yet, whole and of this .blend. Raises ``FrameRangeError`` where there is
    nothing to render.
    """
    start, end = wanted_range(scene)
    begin = start if first is None else first
    finish = end if last is None else last
    frames = rendering.frames_between(begin, finish)
    if missing:
        there = shot_card.own_frames(scene)
        frames = [frame for frame in frames if frame not in there]
        if not frames:
            raise FrameRangeError(
                f"Every frame from {begin} to {finish} has its passes.", "Press Render Passes to render them again."
            )
    task = rendering.PassesTask(scene, frames)
    return jobs.Work("Render Passes", lambda: RenderTicket(task))


def render_passes(
    scene: bpy.types.Scene,
    first: int | None = None,
    last: int | None = None,
    on_progress: jobs.Sink | None = None,
    missing: bool = False,
) -> jobs.Report:
    """Render and wait: ``{"written": [paths]}``."""
    return jobs.run(render_passes_work(scene, first, last, missing), on_progress)


class EnablePasses(DirectOperator, bpy.types.Operator):
    bl_idname = "paintover.enable_passes"
    bl_label = "Enable Passes"
    bl_description = "Switch on the passes that a look needs, save them after every render, and switch Motion Blur off"
    bl_options = {"REGISTER", "UNDO"}

    def perform(self, context: "Context") -> str:
        changed = enable_passes(context.scene)
        return f"Changed: {', '.join(changed)}." if changed else "All passes were on."


class RenderPasses(WorkOperator, bpy.types.Operator):
    bl_idname = "paintover.render_passes"
    bl_label = "Render Passes"
    bl_description = (
        "Render the chosen frames and keep their passes, without compositing and without other output."
        " Frame Step leaves none out: paint goes from frame to frame"
    )

    missing: BoolProperty(
        name="Only Missing",
        description="Leave frames alone whose passes are on disk: to go on where a render was stopped",
        default=False,
    )

    def work(self, context: "Context") -> jobs.Work:
        return render_passes_work(context.scene, missing=self.missing)


CLASSES = (EnablePasses, RenderPasses)


def register() -> None:
    register_all(CLASSES)


def unregister() -> None:
    unregister_all(CLASSES)
