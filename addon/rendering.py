"""Render Passes: a frame range for its passes alone, in the background and in the window."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import bpy

from . import capture, passes, paths
from .backend import errors

POLL_SECONDS = 0.05
WITHOUT_PASSES = frozenset({"BLENDER_WORKBENCH"})  # engines that give no look what it reads


def render_range(
    scene: bpy.types.Scene,
    first: int,
    last: int,
    on_progress: Callable[[int, int], bool] | None = None,
) -> list[Path]:
    """Render the passes of ``first``..``last`` and wait. Gives the frames' EXRs.

    No compositing, no sequencer, nothing written but the shot; current frame and settings are as before afterwards.
    ``on_progress(done, total)`` after each frame: False stops, and what is whole is given.
    Raises FrameRangeError, ShotError (no camera, Blender refused), OutputError, Cancelled (Blender was interrupted).
    """
    check_range(scene, first, last)
    written: list[Path] = []
    with for_passes_alone(scene):
        for frame in range(first, last + 1):
            scene.frame_set(frame)
            try:
                result = bpy.ops.render.render(scene=scene.name)
            except RuntimeError as error:
                raise refused(frame, str(error)) from error
            if "CANCELLED" in result:
                raise errors.Cancelled("Rendering was cancelled. The frames that are whole are kept.")
            written.append(rendered(scene, frame))
            if on_progress is not None and not on_progress(len(written), last - first + 1):
                break
    return written


def check_range(scene: bpy.types.Scene, first: int, last: int) -> None:
    """Raises what can be said before anything is rendered."""
    if first > last:
        raise errors.FrameRangeError(f"The first frame, {first}, comes after the last, {last}.", "Swap them.")
    if scene.camera is None:
        raise errors.ShotError(
            f"The scene {scene.name} has no camera.", "Add a camera: Add > Camera, then Ctrl-Numpad 0."
        )
    if scene.render.engine in WITHOUT_PASSES:
        raise errors.ShotError(
            "Workbench does not render the passes that a look needs.",
            "Choose Cycles or EEVEE in Render properties > Render Engine.",
        )


def refused(frame: int, reason: str) -> errors.ShotError:
    """Blender did not render ``frame``."""
    reason = reason.strip().removeprefix("Error: ")
    return errors.ShotError(f"Blender did not render frame {frame}: {reason}", "", frame=frame)


def rendered(scene: bpy.types.Scene, frame: int) -> Path:
    """The EXR of a frame that has just been rendered. Raises what its capture failed with."""
    if capture.last_error is not None:
        raise capture.last_error
    places = paths.places(scene)
    return paths.frame_path(places.passes, places.name, frame)


@contextmanager
def for_passes_alone(scene: bpy.types.Scene) -> Iterator[None]:
    """The needed passes on, no compositing, no sequencer; afterwards all as before, the current frame too."""
    render, name = scene.render, scene.name  # an undo meanwhile leaves references to nothing, but not names
    frame, subframe = scene.frame_current, scene.frame_subframe
    compositing, sequencer = render.use_compositing, render.use_sequencer
    render.use_compositing = render.use_sequencer = False
    try:
        with passes.enabled(scene, passes.main_layer(scene)), capture.wanted(scene):
            yield
    finally:
        there: bpy.types.Scene | None = bpy.data.scenes.get(name)
        if there is not None:
            there.render.use_compositing, there.render.use_sequencer = compositing, sequencer
            there.frame_set(frame, subframe=subframe)


class RangeRender:
    """``render_range`` in the window: one render job per frame, so that Blender stays usable and Esc cancels.

    Start it from the main thread; poll ``done`` from a timer or a modal operator. When ``done``: ``paths`` holds the
    frames, ``error`` what failed (``Cancelled`` after Esc), and the scene is as it was before.
    """

    def __init__(self, scene: bpy.types.Scene, first: int, last: int) -> None:
        self.done = False
        self.paths: list[Path] = []
        self.error: errors.PaintoverError | None = None
        self._scene = scene.name
        self._first = first
        self._total = last - first + 1
        self._cancelled = False
        self._outcome = ""  # what Blender said of the frame that was rendering last: "complete", "cancel"
        self._before = ExitStack()

    @property
    def fraction(self) -> float:
        """How much is done, 0 to 1."""
        return len(self.paths) / self._total

    def start(self) -> None:
        """Begin with the first frame. Raises FrameRangeError, ShotError (no camera)."""
        scene = bpy.data.scenes[self._scene]
        check_range(scene, self._first, self._first + self._total - 1)
        self._before.enter_context(for_passes_alone(scene))
        self._before.enter_context(_no_render_window())
        self._before.enter_context(self._listening())
        self._render_next()
        bpy.app.timers.register(self._tick, first_interval=POLL_SECONDS)

    def cancel(self) -> None:
        """Stop after what is rendering now; frames that are whole stay."""
        self._cancelled = True

    @contextmanager
    def _listening(self) -> Iterator[None]:
        handlers = bpy.app.handlers
        own = (
            (handlers.render_complete, self._on_complete),
            (handlers.render_cancel, self._on_cancel),
            (handlers.load_pre, self._on_load),
        )
        for calls, call in own:
            calls.append(call)
        try:
            yield
        finally:
            for calls, call in own:
                if call in calls:
                    calls.remove(call)

    def _on_complete(self, *_: object) -> None:
        self._outcome = "complete"

    def _on_cancel(self, *_: object) -> None:
        self._outcome = "cancel"

    def _on_load(self, *_: object) -> None:
        self._finish(errors.Cancelled("Another file was opened while the passes were rendering."))

    def _render_next(self) -> None:
        scene = bpy.data.scenes[self._scene]
        frame = self._first + len(self.paths)
        scene.frame_set(frame)
        self._outcome = ""
        try:
            with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
                begun = bpy.ops.render.render("INVOKE_DEFAULT", scene=scene.name)
        except RuntimeError as error:
            self._finish(refused(frame, str(error)))
            return
        if "CANCELLED" in begun:
            self._finish(refused(frame, "another render is going on. Wait for its end, then render the passes again."))

    def _tick(self) -> float | None:
        if self._scene not in bpy.data.scenes:
            self._finish(errors.ShotError(f"The scene {self._scene} is no longer there.", "Render its passes again."))
        if self.done:
            return None
        if not self._outcome or bpy.app.is_job_running("RENDER"):
            return POLL_SECONDS
        if self._outcome == "complete":
            try:
                self.paths.append(rendered(bpy.data.scenes[self._scene], self._first + len(self.paths)))
            except errors.PaintoverError as error:
                self._finish(error)
                return None
        if self._outcome == "cancel" or self._cancelled:
            self._finish(errors.Cancelled("Rendering was cancelled. The frames that are whole are kept."))
        elif len(self.paths) == self._total:
            self._finish(None)
        else:
            self._render_next()
        return POLL_SECONDS

    def _finish(self, error: errors.PaintoverError | None) -> None:
        self._before.close()
        self.error = error
        self.done = True


@contextmanager
def _no_render_window() -> Iterator[None]:
    """Blender opens no window and no editor for a render inside."""
    view = bpy.context.preferences.view
    before = view.render_display_type
    view.render_display_type = "NONE"
    try:
        yield
    finally:
        view.render_display_type = before
