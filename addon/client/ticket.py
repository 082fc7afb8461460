"""Tickets for work that a backend does, and the book in which one connection keeps those that are open."""

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from ..backend.errors import PaintoverError, ProtocolError, from_json
from ..backend.protocol import CANCEL, ERROR, PROGRESS, RESULT, STOP, Message

Report = dict[str, Any]

# Where nobody looks for a while, the oldest reports go: the latest tell all that matters.
KEPT_REPORTS = 64
# Waiting in slices lets Ctrl-C through on Windows too. Seconds.
SLICE = 0.25

_numbers = itertools.count(1)


class Ticket:
    """One request under way. Safe to use from any thread; no method but ``wait`` blocks.

    ``tell`` takes the request's number and ``protocol.CANCEL`` or ``protocol.STOP``.
    """

    def __init__(self, verb: str, tell: Callable[[int, str], None]) -> None:
        self.id = next(_numbers)  # never used twice: no cancel can hit another job
        self.verb = verb
        self._tell = tell
        self._changed = threading.Condition()
        self._reports: deque[Report] = deque(maxlen=KEPT_REPORTS)
        self._value: Report | None = None
        self._error: PaintoverError | None = None

    @property
    def done(self) -> bool:
        return self._value is not None or self._error is not None

    def poll(self) -> list[Report]:
        """The progress reports since the last call; ``Job.progress`` says what is in them."""
        with self._changed:
            reports = list(self._reports)
            self._reports.clear()
        return reports

    def result(self) -> Report:
        """The value of a request that is done. Raises its ``PaintoverError`` if it has none."""
        if self._error is not None:
            raise self._error
        if self._value is None:
            raise RuntimeError(f"{self.verb} is still under way")
        return self._value

    def cancel(self) -> None:
        """Ask for the job to be given up. It ends with ``Cancelled``, unless it was done by then."""
        if not self.done:
            self._tell(self.id, CANCEL)

    def stop(self) -> None:
        """Ask for the job to end now with the best that it has."""
        if not self.done:
            self._tell(self.id, STOP)

    def wait(self, timeout: float | None = None, on_progress: Callable[[Report], None] | None = None) -> Report:
        """Wait for the result, and hand every report to ``on_progress`` in this thread.

        ``timeout`` in seconds. Raises the job's ``PaintoverError``, or ``TimeoutError``; the job goes on then.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            with self._changed:
                if not self.done and not self._reports:
                    self._changed.wait(SLICE)
                done = self.done
            reports = self.poll()
            if on_progress is not None:
                for report in reports:
                    on_progress(report)
            if done:
                return self.result()
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"{self.verb} is still under way after {timeout:g} s")

    def report(self, report: Report) -> None:
        with self._changed:
            self._reports.append(report)
            self._changed.notify_all()

    def finish(self, value: Report) -> None:
        with self._changed:
            self._value = value
            self._changed.notify_all()

    def fail(self, error: PaintoverError) -> None:
        with self._changed:
            self._error = error
            self._changed.notify_all()


class Backend(Protocol):
    """Something that does verbs: a process, or a thread in this one. Results are the same."""

    @property
    def alive(self) -> bool:
        """Whether it has been started and can take a request without starting anew."""

    def submit(self, verb: str, params: dict[str, Any]) -> Ticket:
        """Hand in a request. Starts the backend if need be; raises ``BackendMissingError`` if that cannot be."""

    def close(self) -> None:
        """Give up all work and end. A later ``submit`` starts anew."""


class Book:
    """The open tickets of one connection. What comes in for a ticket that is closed is ignored."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[int, Ticket] = {}
        self._end: PaintoverError | None = None

    def add(self, ticket: Ticket) -> bool:
        """False if the connection has ended: the ticket would wait for ever."""
        with self._lock:
            if self._end is None:
                self._open[ticket.id] = ticket
            return self._end is None

    @property
    def ended(self) -> bool:
        return self._end is not None

    def holds(self, number: int) -> bool:
        return number in self._open

    def hear(self, message: Message) -> None:
        """Enter what the backend says. Raises ``ProtocolError`` if it is nonsense."""
        kind, number = message["type"], message.get("id")
        content = message.get({PROGRESS: "report", RESULT: "value", ERROR: "error"}.get(kind, ""))
        error = _error(content) if kind == ERROR else None
        if not isinstance(number, int) or not isinstance(content, dict) or (kind == ERROR and error is None):
            raise ProtocolError(f"The backend sent something that makes no sense here: {message!r:.200}.")
        with self._lock:
            ticket = self._open.get(number) if kind == PROGRESS else self._open.pop(number, None)
        if ticket is None:
            return
        if kind == PROGRESS:
            ticket.report(content)
        elif error is None:
            ticket.finish(content)
        else:
            ticket.fail(error)

    def end(self, error: PaintoverError, number: int | None = None, special: PaintoverError | None = None) -> None:
        """Close the book: every ticket that waits fails with ``error``, ticket ``number`` with ``special``."""
        with self._lock:
            self._end = error
            waiting = list(self._open.values())
            self._open.clear()
        for ticket in waiting:
            reason = special if special is not None and ticket.id == number else error
            ticket.fail(from_json(reason.as_json()))  # each its own: an exception that is raised twice mixes tracebacks


def _error(content: Any) -> PaintoverError | None:
    """The error that travelled, or None if it is not of the form that ``PaintoverError.as_json`` gives."""
    try:
        return from_json(content)
    except (KeyError, TypeError, AttributeError):
        return None
