"""The look in the scene's compositor, and on its final frames."""

from typing import TYPE_CHECKING

import bpy

from .. import compat, compositor, final, jobs, paths
from ..backend.errors import FrameRangeError, UsageError
from ..classes import register_all, unregister_all
from ..render_ticket import RenderTicket
from ..shot import rendered_frames, styled_frames, wanted_range
from .base import DirectOperator, WorkOperator

if TYPE_CHECKING:
    from bpy.types import Context


def compositor_insert(scene: bpy.types.Scene) -> bpy.types.Node:
    """Put the styled frames into the scene's compositor; a second time, replace them."""
    frames = styled_frames(scene)
    places = paths.places(scene)
    return compositor.insert(scene, places.styled, places.name, frames[0], frames[-1])


def compositor_remove(scene: bpy.types.Scene) -> None:
    """Take Paintover out of the compositor again. Raises ``UsageError`` if it is not there."""
    if not compositor.remove(scene):
        raise UsageError("Paintover is not in this scene's compositor.")


def final_frames_work(scene: bpy.types.Scene, first: int | None = None, last: int | None = None) -> jobs.Work:
    """Write final frames with the scene's own output settings, from the passes on disk: nothing is rendered again.

    Those of the range that the settings name where none is given, as far as they are rendered; of these the ones that
    Blender's Render Animation would write, which follows the scene's Frame Step.
    """
    if jobs.session.again:
        raise UsageError("Frames are being styled again.", "Wait for their end, or cancel that.")
    start, end = wanted_range(scene)
    low, high = start if first is None else first, end if last is None else last
    places = paths.places(scene)
    step = scene.frame_step
    frames = [frame for frame in rendered_frames(scene) if frame in range(low, high + 1, step)]
    if not frames:
        steps = f" in steps of {step}" if step > 1 else ""
        raise FrameRangeError(
            f"No frame from {low} to {high}{steps} is rendered.", "Choose others, or press Render Passes."
        )
    task = final.FinalTask(scene, places.passes, places.name, frames, step)
    return jobs.Work("Write Final Frames", lambda: RenderTicket(task))


def final_frames(
    scene: bpy.types.Scene,
    first: int | None = None,
    last: int | None = None,
    on_progress: jobs.Sink | None = None,
) -> jobs.Report:
    """Write and wait: ``{"frames": [numbers]}``."""
    return jobs.run(final_frames_work(scene, first, last), on_progress)


def _said_of(sharers: list[str]) -> str:
    """What the artist has to know of scenes that had the same compositor nodes."""
    if not sharers:
        return ""
    return f" This scene has a copy of the nodes now; those of {', '.join(sharers)} are as they were."


class CompositorInsert(DirectOperator, bpy.types.Operator):
    bl_idname = "paintover.compositor_insert"
    bl_label = "Insert in Compositor"
    bl_description = "Put the styled frames into the scene's compositor, or replace those that are there"
    bl_options = {"REGISTER", "UNDO"}

    def perform(self, context: "Context") -> str:
        sharers = compat.compositor_sharers(context.scene)
        return f"{compositor_insert(context.scene).name} is in the compositor.{_said_of(sharers)}"


class CompositorRemove(DirectOperator, bpy.types.Operator):
    bl_idname = "paintover.compositor_remove"
    bl_label = "Remove from Compositor"
    bl_description = "Take Paintover out of the compositor. The tree is as it was before"
    bl_options = {"REGISTER", "UNDO"}

    def perform(self, context: "Context") -> str:
        sharers = compat.compositor_sharers(context.scene)
        compositor_remove(context.scene)
        return f"The compositor is as it was before.{_said_of(sharers)}"


class FinalFrames(WorkOperator, bpy.types.Operator):
    bl_idname = "paintover.final_frames"
    bl_label = "Write Final Frames"
    bl_description = (
        "Composite the chosen frames out of their saved passes, with the scene's output settings."
        " Nothing is rendered twice"
    )

    def work(self, context: "Context") -> jobs.Work:
        return final_frames_work(context.scene)


CLASSES = (CompositorInsert, CompositorRemove, FinalFrames)


def register() -> None:
    register_all(CLASSES)


def unregister() -> None:
    unregister_all(CLASSES)
