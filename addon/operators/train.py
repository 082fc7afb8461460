"""Learning a look from the painted frames."""

from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from .. import jobs, paths, properties
from ..classes import register_all, unregister_all
from ..shot import look_file, passes_folder, rendered_frames, trained_look
from .base import WorkOperator
from .keyframes import NoPaintingError, existing, save_painted

if TYPE_CHECKING:
    from bpy.types import Context


def paintings(scene: bpy.types.Scene) -> dict[int, Path]:
    """The painted frames and their files. Raises ``NoPaintingError`` if there are none, or a file is gone."""
    found = {keyframe.frame: existing(keyframe) for keyframe in properties.of(scene).keyframes}
    if not found:
        raise NoPaintingError(
            "No frame is painted yet.", "Add the current frame under Painted Frames and paint over it."
        )
    return found


def preview_file(scene: bpy.types.Scene) -> Path:
    return paths.places(scene).folder / "preview.png"


def train_look_work(scene: bpy.types.Scene, resume: bool = False) -> jobs.Work:
    """Train the scene's look from nothing, or with ``resume`` go on where its training ended."""
    rendered_frames(scene)
    painted = paintings(scene)
    if resume:
        trained_look(scene)
    save_painted(painted.values())
    settings = properties.of(scene)
    params = {
        "shot": passes_folder(scene),
        "paint": {str(frame): str(path) for frame, path in painted.items()},
        "out": str(look_file(scene)),
        "seconds": settings.seconds,
        "seed": settings.seed,
        "resume": resume,
        "preview": str(preview_file(scene)),
    }

    def finish(value: jobs.Report) -> None:
        jobs.session.notice = not_painted(value)

    return jobs.request("Continue Look" if resume else "Train Look", "look.train", params, finish, stoppable=True)


def not_painted(value: jobs.Report) -> str:
    """What to tell the artist of paintings that are just the render; "" where all are painted."""
    if not value["unpainted"]:
        return ""
    return (
        f"Nothing is painted yet on {paths.spoken(value['unpainted'])}: the look has learned the render there."
        " Paint over it, or remove it from Painted Frames, and train again"
    )


def train_look(
    scene: bpy.types.Scene,
    resume: bool = False,
    on_progress: jobs.Sink | None = None,
) -> jobs.Report:
    """Train and wait: the backend's answer, with ``look``, ``steps``, ``seconds`` and ``scores``."""
    return jobs.run(train_look_work(scene, resume), on_progress)


class TrainLook(WorkOperator, bpy.types.Operator):
    bl_idname = "paintover.train_look"
    bl_label = "Train Look"
    bl_description = "Learn the style of the painted frames, from nothing"

    def work(self, context: "Context") -> jobs.Work:
        return train_look_work(context.scene)


class ContinueLook(WorkOperator, bpy.types.Operator):
    bl_idname = "paintover.continue_look"
    bl_label = "Continue Training"
    bl_description = "Train the look on, from where its training ended"

    def work(self, context: "Context") -> jobs.Work:
        return train_look_work(context.scene, resume=True)


CLASSES = (TrainLook, ContinueLook)


def register() -> None:
    register_all(CLASSES)


def unregister() -> None:
    unregister_all(CLASSES)
