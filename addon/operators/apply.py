"""Giving the look to the shot's frames."""

# mypy: disable-error-code="valid-type"

from typing import TYPE_CHECKING

import bpy
from bpy.props import EnumProperty

from .. import compositor, jobs, paths, properties, shot_card, textures
from ..backend.errors import FrameRangeError
from ..classes import register_all, unregister_all
from ..images import reload_under, show_image
from ..shot import frame_of_passes, passes_folder, rendered_frames, scene_named, styled_frames, trained_look
from .base import DirectOperator, WorkOperator
from .compositor import compositor_insert

if TYPE_CHECKING:
    from bpy.types import Context

FRAMES = (("SETTINGS", "As Set", "The frames that the panel names"), *properties.RANGES)


def frames_to_style(scene: bpy.types.Scene, frames: str = "SETTINGS") -> tuple[int, int]:
    """First and last frame to stylise, all of them rendered. Raises ``ShotError``, ``FrameRangeError``."""
    settings = properties.of(scene)
    rendered = rendered_frames(scene)
    match settings.range if frames == "SETTINGS" else frames:
        case "STILL":
            frame_of_passes(scene, scene.frame_current)
            return scene.frame_current, scene.frame_current
        case "RANGE":
            first, last = settings.frame_start, settings.frame_end
            if first > last or last < rendered[0] or first > rendered[-1]:
                raise FrameRangeError(
                    f"No rendered frame lies between {first} and {last}.",
                    f"Rendered are {rendered[0]} to {rendered[-1]}.",
                )
            return first, last
    return rendered[0], rendered[-1]


def apply_params(scene: bpy.types.Scene, first: int, last: int) -> dict[str, object]:
    """What the backend is asked for when it shall stylise these frames. Raises ``LookError`` without a look."""
    places = paths.places(scene)
    return {
        "shot": passes_folder(scene),
        "look": str(trained_look(scene)),
        "out": str(places.styled),
        "frames": [first, last],
    }


def apply_look_work(scene: bpy.types.Scene, frames: str = "SETTINGS") -> jobs.Work:
    """Stylise frames; those that are there and would come out the same are left alone by the backend."""
    first, last = frames_to_style(scene, frames)
    name, params = scene.name, apply_params(scene, first, last)

    def finish(value: jobs.Report) -> None:
        jobs.session.notice = missed(value)
        show_new_frames(scene_named(name))

    return jobs.request("Apply Look", "look.apply", params, finish)


def check_look(scene: bpy.types.Scene) -> None:
    """Raises what giving the scene its look would fail with before the first frame: no backend, a look that is broken
    or for something else, a view that cannot be painted in.
    """
    params = {"look": str(trained_look(scene)), "view": shot_card.view_info(scene)}
    jobs.run(jobs.request("Check Look", "look.check", params))


def missed(value: jobs.Report) -> str:
    """What to tell the artist of paintings that were not used, or of styled frames to which no paint came; "" where
    all is well.
    """
    if value["dropped"]:
        return (
            f"The paintings of {paths.spoken(value['dropped'])} were not laid on the shot, which has another size or"
            " shows something else there: all is painted by what the look has learned"
        )
    if value["unreached"]:
        return (
            f"No paint came to {paths.spoken(value['unreached'])}: a cut to another camera, or frames that are missing,"
            " lie between there and the painted ones. Paint a frame there and train with it, or render what is missing"
        )
    return ""


def show_new_frames(scene: bpy.types.Scene) -> None:
    """Let what shows styled frames show those that have come: images, and the node in the compositor."""
    reload_under(paths.places(scene).styled)
    if compositor.find(scene) is not None:
        compositor_insert(scene)


def apply_look(
    scene: bpy.types.Scene,
    frames: str = "SETTINGS",
    on_progress: jobs.Sink | None = None,
) -> jobs.Report:
    """Stylise and wait: the backend's answer, with ``written`` and ``skipped``."""
    return jobs.run(apply_look_work(scene, frames), on_progress)


def styled_sequence(scene: bpy.types.Scene) -> bpy.types.Image:
    """The styled frames as an image sequence."""
    frames = styled_frames(scene)
    places = paths.places(scene)
    return textures.styled_image(paths.frame_path(places.styled, places.name, frames[0]), (frames[0], frames[-1]))


class ApplyLook(WorkOperator, bpy.types.Operator):
    bl_idname = "paintover.apply_look"
    bl_label = "Apply Look"
    bl_description = "Give the look to rendered frames. Goes on where an earlier run ended"
    bl_options = {"UNDO"}

    frames: EnumProperty(name="Frames", description="Which frames", items=FRAMES, default="SETTINGS")

    def work(self, context: "Context") -> jobs.Work:
        return apply_look_work(context.scene, self.frames)


class ShowStyled(DirectOperator, bpy.types.Operator):
    bl_idname = "paintover.show_styled"
    bl_label = "Show Styled Frames"
    bl_description = "Show the styled frames in the Image Editor"
    bl_options = {"REGISTER", "UNDO"}

    def perform(self, context: "Context") -> str:
        image = styled_sequence(context.scene)
        image.use_view_as_render = True  # as the final frame will look, through the scene's view transform
        if show_image(context, image, styled_frames(context.scene)[-1]):
            return f"{image.name} is shown in the Image Editor."
        return f"{image.name} is loaded. Open an Image Editor to see it."


CLASSES = (ApplyLook, ShowStyled)


def register() -> None:
    register_all(CLASSES)


def unregister() -> None:
    unregister_all(CLASSES)
