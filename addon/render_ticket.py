"""Blender's own rendering as work that is followed: in the window as its render jobs, elsewhere here and now.

A task says in a generator which renders follow each other. What it changes for them it puts back in its own ``with``:
the generator is closed whatever ends the work, Esc, an error, a crash of this code, or another file.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import bpy

from . import handlers
from .backend.errors import BackendError, Cancelled, PaintoverError, ShotError, UsageError

POLL_SECONDS = 0.05
KEPT = "Cancelled. The frames that are whole are kept."

Report = dict[str, Any]


@dataclass
class Job:
    """One render: the current frame of ``scene``, or as ``animation`` its frames, written with its output settings.

    ``what``: in words, for the case that Blender does not. ``ending``: asked to end after the frame that is rendering.
    """

    scene: str
    what: str
    animation: bool = False
    ending: bool = False


Steps = Generator[Job, None, None]


def nothing() -> None:
    """For tasks that nobody listens to."""


class Task(ABC):
    """What to render. ``on_frame`` is called after each frame, in the window perhaps by Blender's render thread."""

    on_frame: Callable[[], None] = staticmethod(nothing)

    @abstractmethod
    def steps(self) -> Steps:
        """Each job, rendered when the generator goes on. Not gone on with after a failure or a cancel."""

    @abstractmethod
    def report(self) -> Report:
        """How far it is."""

    @abstractmethod
    def result(self) -> Report:
        """What has been made."""


class RenderTicket:
    """A task under way. ``poll`` begins it in the window, where Blender stays usable; ``wait`` does it here and now."""

    def __init__(self, task: Task) -> None:
        self.done = False
        self._task = task
        self._steps = task.steps()
        self._job: Job | None = None
        self._cancelled = False
        self._outcome = ""  # what Blender said of the job: "complete" or "cancel"
        self._told: Report = {}
        self._error: PaintoverError | None = BackendError("Rendering broke off.", "Look into Blender's console.")
        self._listeners = (
            ("render_complete", self._on_complete),
            ("render_cancel", self._on_cancel),
            ("load_pre", self._on_load),
        )

    def poll(self) -> list[Report]:
        """Begin, or tell what is new."""
        if self._job is None and not self.done:
            self._start()
        report = self._task.report()
        if report == self._told:
            return []
        self._told = report
        return [report]

    def result(self) -> Report:
        """What has been made. Raises what it failed with, Cancelled after Esc."""
        if self._error is not None:
            raise self._error
        return self._task.result()

    def cancel(self) -> None:
        """End after the frame that is rendering now; frames that are whole stay."""
        self._cancelled = True
        if self._job is not None:
            self._job.ending = True

    def stop(self) -> None:
        self.cancel()

    def wait(self, *, on_progress: Callable[[Report], None] | None = None) -> Report:
        """Render and return."""
        if on_progress is not None:
            self._task.on_frame = lambda: on_progress(self._task.report())
        with closing(self._steps):
            while self._next():
                assert self._job is not None
                if "CANCELLED" in _render(self._job):
                    raise Cancelled(KEPT)
        if self._cancelled:
            raise Cancelled(KEPT)
        self.done, self._error = True, None
        return self.result()

    def _next(self) -> bool:
        """Go on to the next job. False: there is none."""
        self._job = next(self._steps, None)
        if self._job is not None and self._cancelled:
            raise Cancelled(KEPT)
        return self._job is not None

    def _start(self) -> None:
        handlers.listen(self._listeners)
        bpy.app.timers.register(self._tick, first_interval=POLL_SECONDS)
        self._go_on()

    def _go_on(self) -> bool:
        """The next job, in the window. Whatever keeps it from beginning ends the work."""
        going_on = False
        try:
            going_on = self._next()
            if self._job is not None:
                self._outcome = ""
                _render(self._job, in_window=True)
            else:
                self._error = Cancelled(KEPT) if self._cancelled else None
        except PaintoverError as error:
            going_on = False
            self._error = error
        finally:
            if not going_on:
                self._end()
        return going_on

    def _tick(self) -> float | None:
        if self.done:
            return None
        if not self._outcome or is_rendering():
            return POLL_SECONDS
        if self._outcome == "cancel":
            self._error = Cancelled(KEPT)
            self._end()
            return None
        return POLL_SECONDS if self._go_on() else None

    def _end(self) -> None:
        self.done = True
        handlers.leave(self._listeners)
        self._steps.close()

    def _on_complete(self, *_: object) -> None:
        self._outcome = "complete"

    def _on_cancel(self, *_: object) -> None:
        self._outcome = "cancel"

    def _on_load(self, *_: object) -> None:
        self._error = Cancelled("Another file was opened while frames were rendering.")
        self._end()


def is_rendering() -> bool:
    """Whether Blender renders behind the window: the scene's current frame is then what it counts and names frames by,
    and must not be changed.
    """
    return not bpy.app.background and bpy.app.is_job_running("RENDER")


def check_idle() -> None:
    """For who is about to go to another frame. Raises UsageError while Blender renders."""
    if is_rendering():
        raise UsageError("Blender is rendering, and this would lead it to another frame.", "Wait for its end.")


def _render(job: Job, in_window: bool = False) -> set[str]:
    """Let Blender do the job. Raises ShotError where it refuses."""
    scene = bpy.data.scenes[job.scene]  # of the context's scene it would take the frame, too
    try:
        if not in_window:
            with bpy.context.temp_override(scene=scene):
                return set(bpy.ops.render.render(scene=job.scene, animation=job.animation))
        window = bpy.context.window_manager.windows[0]
        override = bpy.context.temp_override
        with (
            _no_render_window(),
            override(window=window),
            override(scene=scene),
        ):  # at once a window takes its own scene
            begun = bpy.ops.render.render("INVOKE_DEFAULT", scene=job.scene, animation=job.animation)
    except RuntimeError as error:
        reason = str(error).strip().removeprefix("Error: ")
        raise ShotError(f"Blender did not {job.what}: {reason}") from error
    if "CANCELLED" in begun:
        raise ShotError(f"Blender did not {job.what}: another render is going on.", "Wait for its end, and try again.")
    return set(begun)


@contextmanager
def _no_render_window() -> Iterator[None]:
    """Blender opens no window and no editor for a render that begins inside."""
    view = bpy.context.preferences.view
    before = view.render_display_type
    view.render_display_type = "NONE"
    try:
        yield
    finally:
        view.render_display_type = before
