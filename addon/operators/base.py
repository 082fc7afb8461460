"""What every operator of Paintover does alike: words for errors, and work that goes on while the window lives."""

from abc import abstractmethod
from typing import TYPE_CHECKING

import bpy

from .. import jobs
from ..backend.errors import Cancelled, PaintoverError

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import OperatorReturnItems
    from bpy.types import Context, Event

    Outcome = set[OperatorReturnItems]
    Base = bpy.types.Operator
else:
    Base = object

POLL_SECONDS = 0.2


def tell(operator: bpy.types.Operator, error: PaintoverError) -> "Outcome":
    """Tell the artist what went wrong: where they look now, and in the panels."""
    jobs.note_failure(error)
    operator.report({"INFO"} if isinstance(error, Cancelled) else {"ERROR"}, str(error))
    jobs.redraw()
    return {"CANCELLED"}


class DirectOperator(Base):
    """An operator whose work is done at once."""

    @abstractmethod
    def perform(self, context: "Context") -> str:
        """Do the work; gives what to tell the artist."""

    def execute(self, context: "Context") -> "Outcome":
        try:
            notice = self.perform(context)
        except PaintoverError as error:
            return tell(self, error)
        jobs.session.failure = None
        self.report({"INFO"}, notice)
        jobs.redraw()
        return {"FINISHED"}


def _plays(context: "Context") -> bool:
    """Whether Esc means the animation that plays, in whichever window."""
    return any(window.screen.is_animation_playing for window in context.window_manager.windows)


class Follower(Base):
    """An operator that lives in a window as long as the running work does, and tells of its end."""

    timer = None

    def attach(self, context: "Context") -> "Outcome":
        """Follow what runs, in the context's window."""
        self.timer = context.window_manager.event_timer_add(POLL_SECONDS, window=context.window)
        context.window_manager.modal_handler_add(self)
        jobs.redraw()
        return {"RUNNING_MODAL"}

    def modal(self, context: "Context", event: "Event") -> "Outcome":
        if event.type == "ESC" and event.value == "PRESS" and not _plays(context):
            jobs.escape()
            return {"RUNNING_MODAL"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        running = jobs.session.running
        going_on = False
        try:
            going_on = jobs.poll()
        except PaintoverError as error:
            return tell(self, error)
        finally:
            if not going_on:
                self._leave(context)
        if going_on:
            return {"PASS_THROUGH"}
        if running is not None:
            jobs.session.notice = jobs.session.notice or f"{running.work.title}: done"
            self.report({"INFO"}, f"{jobs.session.notice}.")
        return {"FINISHED"}

    def cancel(self, context: "Context") -> None:
        """Blender ends the operator: its window closes, or another file is loaded, and what work goes on does so in
        another window; or Blender quits.
        """
        self._leave(context)
        if not bpy.app.timers.is_registered(follow_on):  # later: here the window that closes is still among the others
            bpy.app.timers.register(follow_on)

    def _leave(self, context: "Context") -> None:
        if self.timer is not None:
            context.window_manager.event_timer_remove(self.timer)
            self.timer = None
        jobs.redraw()


class WorkOperator(Follower):
    """An operator whose work takes time.

    Invoked from a window it returns at once and follows the work with a timer; Esc cancels it, or stops it where there
    is a best so far to keep. Executed from a script, or in the background, it runs to the end and returns.
    """

    @classmethod
    def poll(cls, _context: "Context") -> bool:
        try:
            jobs.check_free()
        except jobs.BusyError as error:
            cls.poll_message_set(str(error))
            return False
        return True

    @abstractmethod
    def work(self, context: "Context") -> jobs.Work:
        """What to do."""

    def execute(self, context: "Context") -> "Outcome":
        try:
            work = self.work(context)
            jobs.run(work, jobs.printer(work.title) if bpy.app.background else None)
        except PaintoverError as error:
            return tell(self, error)
        jobs.session.failure = None
        self.report({"INFO"}, f"{work.title}: done.")
        return {"FINISHED"}

    def invoke(self, context: "Context", _event: "Event") -> "Outcome":
        return self.execute(context) if bpy.app.background else self.follow(context)

    def follow(self, context: "Context") -> "Outcome":
        """Begin the work, and let the window live."""
        try:
            jobs.start(self.work(context))
        except PaintoverError as error:
            return tell(self, error)
        return self.attach(context)


class FollowJob(Follower, bpy.types.Operator):
    bl_idname = "paintover.follow_job"
    bl_label = "Paintover"
    bl_description = "Go on with what was begun in a window that was closed"
    bl_options = {"INTERNAL", "UNDO"}  # work may change the scene at its end

    def invoke(self, context: "Context", _event: "Event") -> "Outcome":
        return self.attach(context)


def follow_on() -> None:
    """Follow the running work in a window that is left."""
    windows = bpy.context.window_manager.windows
    if jobs.session.running is not None and windows:
        with bpy.context.temp_override(window=windows[0]):
            bpy.ops.paintover.follow_job("INVOKE_DEFAULT")  # type: ignore[attr-defined]  # our own
