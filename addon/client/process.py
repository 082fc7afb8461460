"""A backend that is a child process, spoken to through its stdin and stdout. No port is opened.

Three threads serve a child: one writes, one reads, one waits for its death. None of them touches ``bpy``.
"""

import atexit
import contextlib
import os
import queue
import signal
import subprocess
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from ..backend.errors import (
    BackendDiedError,
    BackendError,
    BackendMissingError,
    Cancelled,
    OutputError,
    PaintoverError,
    ProtocolError,
)
from ..backend.protocol import CANCEL, HELLO, PROTOCOL, REQUEST, Message, encode, read_message, write_message
from .environment import NO_WINDOW, with_backend
from .ticket import Book, Ticket

HANDSHAKE_SECONDS = 60.0  # the child greets before it loads torch; a slow disk and a virus scanner fit in here
CANCEL_SECONDS = 20.0  # a job looks at its cancel twice a second; one that does not for so long hangs
CLOSE_SECONDS = 3.0  # more than the child takes to leave by itself (backend.serve.LEAVE_SECONDS)
EXIT_SECONDS = 1.0  # between the end of the child's stdout and its own
LOG_BYTES = 1024 * 1024  # a longer log starts over
LAST_WORDS = 5  # lines of the log that an error shows

_SIGNALS = {number.value: number.name for number in signal.Signals}


class SubprocessBackend:
    """Runs ``python -m backend serve``, from the first request until ``close``; starts it anew after a death.

    ``python``: the executable. ``log``: where the child's stderr goes. ``arguments``: what to run with it.
    """

    def __init__(
        self,
        python: Path,
        log: Path,
        *,
        arguments: Sequence[str] = ("-m", "backend", "serve"),
        handshake_seconds: float = HANDSHAKE_SECONDS,
        cancel_seconds: float = CANCEL_SECONDS,
    ) -> None:
        self._command = [str(python), *arguments]
        self._log = log
        self._handshake_seconds = handshake_seconds
        self._cancel_seconds = cancel_seconds
        self._lock = threading.Lock()
        self._child: _Child | None = None

    @property
    def alive(self) -> bool:
        child = self._child
        return child is not None and child.alive

    @property
    def pid(self) -> int | None:
        """The child's process id while it is alive."""
        child = self._child
        return child.pid if child is not None and child.alive else None

    def submit(self, verb: str, params: dict[str, Any]) -> Ticket:
        """Hand in a request; see ``Backend``. Raises ``OutputError`` if the log cannot be written."""
        with self._lock:
            while True:
                if self._child is None or not self._child.alive:
                    self._child = _Child(self._command, self._log, self._handshake_seconds, self._cancel_seconds)
                ticket = Ticket(verb, self._child.tell)
                request = encode({"type": REQUEST, "id": ticket.id, "verb": verb, "params": params})
                if self._child.book.add(ticket):
                    self._child.send(request)
                    return ticket

    def close(self) -> None:
        with self._lock:
            child, self._child = self._child, None
        if child is not None:
            child.close()


class _Child:
    """One child process, from its start to its death."""

    def __init__(self, command: list[str], log: Path, handshake_seconds: float, cancel_seconds: float) -> None:
        self.book = Book()
        self._python = command[0]
        self._log = log
        self._handshake_seconds = handshake_seconds
        self._cancel_seconds = cancel_seconds
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._greeted = False
        self._settled = threading.Event()  # it has greeted, or never will
        self._reason: PaintoverError | None = None  # why we ended it ourselves
        self._deaf: int | None = None  # the request that did not hear its cancel
        with _open_log(log) as stderr:
            self._log_start = stderr.tell()
            self._process = _start(command, stderr)
        self.pid = self._process.pid
        self._reader = self._thread(self._read)
        self._thread(self._write)
        self._watcher = self._thread(self._watch)
        _children.add(self)

    @property
    def alive(self) -> bool:
        return not self.book.ended and self._reason is None and self._process.poll() is None

    def send(self, data: bytes) -> None:
        self._outbox.put(data)

    def tell(self, number: int, what: str) -> None:
        """Cancel or stop a request; a cancel that is not heard in time ends the child."""
        self.send(encode({"type": what, "id": number}))
        if what == CANCEL:
            timer = threading.Timer(self._cancel_seconds, self._enforce, [number])
            timer.daemon = True
            timer.start()

    def close(self) -> None:
        """Let the child leave, or make it, and wait until it is gone."""
        self._reason = self._reason or Cancelled("The backend was closed.")
        self._outbox.put(None)
        try:
            self._process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._watcher.join(CLOSE_SECONDS)

    def _thread(self, target: Any) -> threading.Thread:
        thread = threading.Thread(target=target, name=f"paintover{target.__name__}", daemon=True)
        thread.start()
        return thread

    def _write(self) -> None:
        pipe = cast(BinaryIO, self._process.stdin)
        # A pipe that breaks means that the child is dying: the watcher tells everybody.
        with contextlib.suppress(OSError), pipe:
            while (data := self._outbox.get()) is not None:
                write_message(pipe, data)

    def _read(self) -> None:
        try:
            with cast(BinaryIO, self._process.stdout) as pipe:
                if (hello := read_message(pipe)) is not None:
                    self._greet(hello)
                    while (message := read_message(pipe)) is not None:
                        self.book.hear(message)
        except (ProtocolError, OSError) as error:
            self._end(self._misunderstanding(error))
        finally:
            self._settled.set()
            self._see_off()

    def _see_off(self) -> None:
        """Nothing more will come from the child: wait for its end, and if need be bring it about."""
        try:
            self._process.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            closed = f"The backend closed its pipe, lived on and was ended.{self._last_words()}"
            self._end(BackendDiedError(closed, "Start this again: a new backend starts by itself."))

    def _greet(self, hello: Message) -> None:
        if hello["type"] != HELLO:
            raise ProtocolError("It did not greet.")
        if hello.get("protocol") != PROTOCOL:
            raise ProtocolError(
                f"It is version {hello.get('version', 'unknown')} and speaks protocol {hello.get('protocol')}, "
                f"this add-on speaks protocol {PROTOCOL}."
            )
        self._greeted = True
        self._settled.set()

    def _watch(self) -> None:
        """Wait for the child's death, whatever brings it, and let every waiting ticket know."""
        if not self._settled.wait(self._handshake_seconds):
            self._end(self._silence())
        code = self._process.wait()
        # What it said before it died still counts. A process of its own may hold the pipe open: don't wait for that.
        self._reader.join(EXIT_SECONDS)
        self._outbox.put(None)
        deaf = Cancelled("Cancelled. The backend did not react and was ended; the next job starts a new one.")
        self.book.end(self._reason or self._death(code), self._deaf, deaf)

    def _enforce(self, number: int) -> None:
        """End the child if a cancelled request is still open."""
        if self.book.holds(number):
            self._deaf = number
            self._end(
                BackendDiedError(
                    "The backend was ended, because it did not react when another job was cancelled.",
                    "Start this again: a new backend starts by itself.",
                    log=str(self._log),
                )
            )

    def _end(self, reason: PaintoverError) -> None:
        self._reason = self._reason or reason
        self._process.kill()

    def _silence(self) -> PaintoverError:
        return BackendError(
            f"The backend did not greet within {self._handshake_seconds:g} seconds and was ended.{self._last_words()}",
            "Try again. If that does not help, install the backend anew or name another Python.",
            log=str(self._log),
        )

    def _misunderstanding(self, error: Exception) -> PaintoverError:
        return ProtocolError(
            f"The add-on and the backend do not understand each other. {error}{self._last_words()}",
            "Install the backend that belongs to this add-on.",
            log=str(self._log),
        )

    def _death(self, code: int) -> PaintoverError:
        facts: dict[str, Any] = {"exit_code": code, "log": str(self._log)}
        if not self._greeted and code > 0:
            return BackendMissingError(
                f"{self._python} cannot run the backend (exit code {code}).{self._last_words()}",
                "Install the backend, or name another Python in the preferences.",
                **facts,
            )
        how = f"with exit code {code}"
        hint = ""
        if code < 0:
            name = _SIGNALS.get(-code, str(-code))
            how = f"by signal {name}"
            if name == "SIGKILL":
                hint = " If memory ran out, close other programs, or choose a smaller picture."
        return BackendDiedError(
            f"The backend process ended in the middle, {how}.{self._last_words()}",
            f"Start this again: a new backend starts by itself.{hint}",
            **facts,
        )

    def _last_words(self) -> str:
        """Where the log is and what this child wrote there last, to be put behind a message."""
        try:
            with open(self._log, "rb") as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(min(end, max(self._log_start, end - 8192)))
                lines = [line.strip()[:200] for line in file.read().decode(errors="replace").splitlines()]
        except OSError as error:
            return f" Its log cannot be read: {self._log} ({error.strerror})."
        last = " | ".join([line for line in lines if line][-LAST_WORDS:])
        return (f" Its last words: {last}." if last else "") + f" Its log: {self._log}."


def _open_log(path: Path) -> IO[bytes]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        long = path.exists() and path.stat().st_size > LOG_BYTES
        file = open(path, "wb" if long else "ab")  # noqa: SIM115 - the caller closes it
    except OSError as error:
        raise OutputError(f"The backend's log cannot be written: {path} ({error.strerror}).") from error
    file.seek(0, os.SEEK_END)
    return file


def _start(command: list[str], stderr: IO[bytes]) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=with_backend(),
            creationflags=NO_WINDOW,
            start_new_session=True,  # what ends a farm's whole job ends Blender, which then cancels and says so
        )
    except OSError as error:
        raise BackendMissingError(
            f"There is no Python that runs at {command[0]} ({error.strerror}).",
            "Install the backend, or name another Python in the preferences.",
        ) from error


_children: "weakref.WeakSet[_Child]" = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """Quitting leaves no process behind. Should this not run, the child sees its stdin end and leaves by itself."""
    for child in list(_children):
        child.close()
