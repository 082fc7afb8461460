"""The one backend of this Blender, and the work that it does for the artist.

Nothing here runs in a thread of its own: Blender's main thread asks tickets for news, so ``bpy`` is only ever touched
from there. What goes on is kept outside the scene, where undo does not reach.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import bpy
from bpy.app.handlers import persistent

from . import capture, handlers, preferences
from .backend.errors import Cancelled, PaintoverError, UsageError
from .backend.words import pace

if TYPE_CHECKING:
    from .client import Backend

# Kinds of areas, and of their regions, that show panels or the preferences.
DRAWN_IN = frozenset({("PROPERTIES", "WINDOW"), ("IMAGE_EDITOR", "UI"), ("VIEW_3D", "UI"), ("PREFERENCES", "WINDOW")})
LINE_SECONDS = 2.0  # between lines of progress in a terminal

Report = dict[str, Any]
Sink = Callable[[Report], None]


class BusyError(UsageError):
    """Something else is under way. True only as long as that is."""


class Ticket(Protocol):
    """Work under way, as ``client``, ``client.install`` and ``render_ticket`` give it."""

    @property
    def done(self) -> bool: ...
    def poll(self) -> list[Report]: ...
    def result(self) -> Report: ...
    def cancel(self) -> None: ...
    def stop(self) -> None: ...
    def wait(self, *, on_progress: Sink | None = None) -> Report: ...


def nothing(_value: Report) -> None:
    """The finish of work that leaves nothing to do in Blender."""


@dataclass(frozen=True)
class Work:
    """A piece of work: how it starts, and what Blender does with its result, in the main thread.

    Blender may undo while it runs: ``finish`` looks its scene up again, by name. Another file ends it, unless it is not
    ``of_file``.
    """

    title: str
    start: Callable[[], Ticket]
    finish: Callable[[Report], None] = nothing
    stoppable: bool = False
    of_file: bool = True


def request(title: str, verb: str, params: Report, finish: Sink = nothing, stoppable: bool = False) -> Work:
    """Work that is one request to the backend."""
    return Work(title, lambda: backend().submit(verb, params), finish, stoppable)


@dataclass
class Running:
    work: Work
    ticket: Ticket
    report: Report = field(default_factory=dict)
    ending: str = ""  # "Stopping" or "Cancelling", once the artist asked for it


@dataclass
class Session:
    """What goes on in this Blender: panels draw it."""

    backend: "Backend | None" = None
    choice: preferences.BackendChoice | None = None
    running: Running | None = None  # what a window follows
    waited_for: Ticket | None = None  # what a script waits for
    again: list[Ticket] = field(default_factory=list)  # frames that are styled once more after a render
    failure: PaintoverError | None = None
    notice: str = ""
    status_shown: bool = False  # the line of progress stands in the status bar


session = Session()


def backend() -> "Backend":
    """The backend that the preferences name, started when its first job comes. Raises ``BackendMissingError``."""
    from . import client

    preferences.check_backend()
    choice = preferences.choice()
    if session.backend is not None and session.choice != choice:
        close_backend()
    if session.backend is None:
        if choice.kind == "IN_PROCESS":
            session.backend = client.InProcessBackend()
        else:
            session.backend = client.SubprocessBackend(preferences.backend_python(), preferences.log_file())
        session.choice = choice
    return session.backend


def close_backend() -> None:
    if session.backend is not None:
        session.backend.close()
        session.backend = None


def run(work: Work, on_progress: Sink | None = None) -> Report:
    """Do the work and wait for its end: for scripts and for Blender without a window. Raises ``PaintoverError``."""
    session.waited_for = work.start()
    try:
        value = session.waited_for.wait(on_progress=on_progress)
    finally:
        session.waited_for = None
    work.finish(value)
    return value


def check_free() -> None:
    """Raises BusyError while something else is under way."""
    if session.running is not None:
        raise BusyError(f"{session.running.work.title} is still running.", "Wait for it, or cancel it.")


def start(work: Work) -> None:
    """Begin the work and return at once; ``poll`` follows it. One at a time, so that progress has one meaning."""
    check_free()
    session.failure, session.notice = None, ""
    session.running = Running(work, work.start())


def poll() -> bool:
    """Take in the news. True while the work goes on; at its end raises its error, if it had one."""
    running, session.running = session.running, None  # whatever is raised, nothing runs any more
    if running is None:
        return False
    news = running.ticket.poll()
    for report in news:
        running.report.update(report)
    if running.ticket.done:
        if isinstance(session.failure, BusyError):
            session.failure = None
        running.work.finish(running.ticket.result())
        return False
    session.running = running
    if news:
        redraw()
    return True


def stop() -> None:
    """End the running work now and keep the best so far."""
    if session.running is not None:
        session.running.ending = "Stopping"
        session.running.ticket.stop()


def cancel() -> None:
    """Give the running work up: nothing half-done is kept."""
    if session.running is not None:
        session.running.ending = "Cancelling"
        session.running.ticket.cancel()
    for ticket in (session.waited_for, *session.again):
        if ticket is not None:
            ticket.cancel()


def escape() -> None:
    """What Esc asks for: the best so far of work that has one; other work is given up."""
    if session.running is not None and session.running.work.stoppable:
        stop()
    else:
        cancel()


def abandon() -> None:
    """Give the running work up and forget it: nobody is left to follow it."""
    if session.running is not None:
        session.running.ticket.cancel()
        session.running = None


def note_failure(error: PaintoverError) -> None:
    """Keep an error where the panels show it, in place of what was said before; a cancel is not one."""
    if isinstance(error, Cancelled):
        session.failure, session.notice = None, "Cancelled"
    else:
        session.failure, session.notice = error, ""


def dismiss() -> None:
    """Put away what was said last, of a job and of a render."""
    session.failure, session.notice = None, ""
    capture.last_error = None


def facts(report: Report) -> list[str]:
    """The numbers of a progress report in words: step, loss, rate, time left."""
    words = []
    if report.get("step") is not None:
        words.append(f"step {report['step']}")
    if report.get("loss") is not None:
        words.append(f"loss {report['loss']:.3f}")
    return words + pace(report)


def line(title: str, report: Report) -> str:
    """One line of progress, for the status bar and the terminal."""
    head = f"{title}: {report.get('fraction', 0.0):.0%}"
    return ", ".join([head, *([report["message"]] if report.get("message") else []), *facts(report)])


def printer(title: str) -> Sink:
    """A sink that prints progress to stdout: a line now and then, and the last one."""
    due = 0.0

    def show(report: Report) -> None:
        nonlocal due
        if time.monotonic() >= due or report.get("fraction") == 1.0:
            due = time.monotonic() + LINE_SECONDS
            print(line(title, report), flush=True)

    return show


def preview() -> Path | None:
    """The picture that the running work shows, if it has one yet."""
    path = session.running.report.get("preview") if session.running else None
    return Path(path) if path else None


def redraw() -> None:
    """Draw Paintover's panels again, and the line of progress; pictures beside them are left alone."""
    running = session.running
    text = None
    if running is not None:
        esc = "Esc stops, and keeps the best so far" if running.work.stoppable else "Esc cancels"
        text = f"{line(running.work.title, running.report)}   ({esc})"
    for window in bpy.context.window_manager.windows:
        if window.workspace is not None and (text or session.status_shown):  # others write there too
            window.workspace.status_text_set(text)
        for area in window.screen.areas:
            for region in area.regions:
                if (area.type, region.type) in DRAWN_IN:
                    region.tag_redraw()
    session.status_shown = text is not None


@persistent  # type: ignore[untyped-decorator]
def _on_load(*_: object) -> None:
    """What is said and done here is about the file that was open."""
    running = session.running
    dismiss()
    if running is not None and running.work.of_file:
        abandon()
        session.notice = f"{running.work.title} was given up: another file was opened"


_LISTENERS = (("load_post", _on_load),)


def register() -> None:
    handlers.listen(_LISTENERS)


def unregister() -> None:
    handlers.leave(_LISTENERS)
    abandon()
    close_backend()
    dismiss()
