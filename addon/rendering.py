"""Render Passes: a frame range for its passes alone."""

from collections.abc import Callable, Sequence
from pathlib import Path

import bpy

from . import capture, interim, passes, paths
from .backend import errors
from .render_ticket import Job, RenderTicket, Report, Steps, Task
from .shot import scene_named

WITHOUT_PASSES = frozenset({"BLENDER_WORKBENCH"})  # engines that give no look what it reads


class PassesTask(Task):
    """The passes of ``frames``. No compositing, no sequencer, nothing written but the shot.

    Fails with ShotError (no camera, Blender refused), OutputError.
    """

    def __init__(self, scene: bpy.types.Scene, frames: Sequence[int]) -> None:
        self.paths: list[Path] = []
        self._scene = scene.name
        self._frames = frames

    def steps(self) -> Steps:
        scene = scene_named(self._scene)
        check(scene)
        with interim.passes_alone(scene), capture.wanted(scene):
            for frame in self._frames:
                scene = scene_named(self._scene)
                interim.hold(scene)
                scene.frame_set(frame)
                yield Job(self._scene, f"render frame {frame}")
                self.paths.append(rendered(scene_named(self._scene), frame))
                self.on_frame()

    def report(self) -> Report:
        done, total = len(self.paths), len(self._frames)
        return {"fraction": done / total, "message": f"Rendered {done} of {total}"}

    def result(self) -> Report:
        return {"written": [str(path) for path in self.paths]}


def render_range(
    scene: bpy.types.Scene,
    first: int,
    last: int,
    on_progress: Callable[[int, int], bool] | None = None,
) -> list[Path]:
    """Render the passes of ``first``..``last`` and wait. Gives the frames' EXRs.

    Current frame and settings are as before afterwards. ``on_progress(done, total)`` after each frame: False stops,
    and what is whole is given. Raises FrameRangeError, what ``PassesTask`` fails with, and Cancelled where Blender was
    interrupted.
    """
    task = PassesTask(scene, frames_between(first, last))
    ticket = RenderTicket(task)
    stopped = False

    def tell(_report: Report) -> None:
        nonlocal stopped
        if on_progress is not None and not on_progress(len(task.paths), last + 1 - first):
            stopped = True
            ticket.cancel()

    try:
        ticket.wait(on_progress=tell)
    except errors.Cancelled:
        if not stopped:
            raise
    return task.paths


def frames_between(first: int, last: int) -> Sequence[int]:
    """The frames from ``first`` to ``last``, both included. Raises FrameRangeError if there are none."""
    if first > last:
        raise errors.FrameRangeError(f"The first frame, {first}, comes after the last, {last}.", "Swap them.")
    return range(first, last + 1)


def check(scene: bpy.types.Scene) -> None:
    """Raises what can be said before anything is rendered."""
    if scene.camera is None:
        raise errors.ShotError(
            f"The scene {scene.name} has no camera.", "Add a camera: Add > Camera, then Ctrl-Numpad 0."
        )
    if not any(layer.use for layer in scene.view_layers):
        raise errors.ShotError(
            "All view layers are switched off: there is nothing to render.",
            "Switch on View Layer Properties > Use for Rendering.",
        )
    capture.check(scene)
    for warning in passes.warnings(scene):
        raise errors.ShotError(warning, "Or press Enable Passes, which does.")
    if scene.render.engine in WITHOUT_PASSES:
        raise errors.ShotError(
            "Workbench does not render the passes that a look needs.",
            "Choose Cycles or EEVEE in Render properties > Render Engine.",
        )


def rendered(scene: bpy.types.Scene, frame: int) -> Path:
    """The EXR of a frame that has just been rendered. Raises what its capture failed with."""
    if capture.last_error is not None:
        raise capture.last_error
    places = paths.places(scene)
    path = paths.frame_path(places.passes, places.name, frame)
    if not path.is_file():
        raise errors.ShotError(f"Blender rendered, but not frame {frame}.", "Render it once more.", frame=frame)
    return path
