"""The backend as a child process: requests in on stdin, progress and results out on stdout.

stdin and stdout belong to the protocol alone: whatever else prints, in Python or in C, goes to stderr. When the
parent closes the pipe or dies, this process leaves, also in the middle of a job.
"""

import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from . import VERSION
from .errors import Cancelled, PaintoverError, ProtocolError
from .job import Job
from .protocol import (
    CANCEL,
    ERROR,
    HELLO,
    PROGRESS,
    PROTOCOL,
    REQUEST,
    RESULT,
    STOP,
    Message,
    encode,
    read_message,
    write_message,
)
from .service import Verb, call

# How long a job has, once the parent is gone, to leave nothing half-written behind. Seconds.
LEAVE_SECONDS = 1.5


class Server:
    """Runs requests one after another, and hears cancel and stop while one runs.

    ``send`` takes the answers; it is called from the thread that runs ``run`` and from those that call ``receive``.
    """

    def __init__(self, verbs: Mapping[str, Verb], send: Callable[[Message], None]) -> None:
        self._verbs = verbs
        self._send = send
        self._lock = threading.Lock()
        self._jobs: dict[int, Job] = {}  # those that wait or run
        self._running: int | None = None
        self._requests: queue.SimpleQueue[Message | None] = queue.SimpleQueue()

    def hello(self) -> Message:
        return {"type": HELLO, "protocol": PROTOCOL, "version": VERSION}

    def receive(self, message: Message) -> None:
        """Take one message from the parent. Raises ``ProtocolError`` for one that only a child may send."""
        kind, number = message["type"], message.get("id")
        if kind not in (REQUEST, CANCEL, STOP) or not isinstance(number, int):
            raise ProtocolError(f"The backend does not understand this message: {message!r:.200}.")
        if kind == REQUEST:
            with self._lock:
                self._jobs[number] = Job(lambda report: self._send({"type": PROGRESS, "id": number, "report": report}))
            self._requests.put(message)
        elif kind == STOP:
            with self._lock:
                job = self._jobs.get(number)  # None: it has ended meanwhile, and its number names no other
            if job is not None:
                job.stop()
        else:
            self._cancel(number)

    def run(self) -> None:
        """Work until ``finish`` or ``close``."""
        while (request := self._requests.get()) is not None:
            number = request["id"]
            with self._lock:
                job = self._jobs.get(number)
                self._running = number
            if job is None:
                continue  # cancelled while it waited
            answer = self._answer(request, job)
            with self._lock:
                del self._jobs[number]
                self._running = None
            self._send(answer)

    def finish(self) -> None:
        """Let ``run`` return when all that was requested so far is done."""
        self._requests.put(None)

    def close(self) -> None:
        """Cancel every job, and let ``run`` return when the one under way has ended."""
        with self._lock:
            numbers = list(self._jobs)
        for number in numbers:
            self._cancel(number)
        self.finish()

    def _cancel(self, number: int) -> None:
        with self._lock:
            waits = number in self._jobs and number != self._running
            job = self._jobs.pop(number, None) if waits else self._jobs.get(number)
        if job is None:
            return
        job.cancel()
        if waits:  # it need not wait for its turn to hear that it has none
            self._send(_error(number, Cancelled("Cancelled before it began.")))

    def _answer(self, request: Message, job: Job) -> Message:
        number = request["id"]
        try:
            job.check()
            value = call(self._verbs, request.get("verb"), request.get("params"), job)
        except PaintoverError as error:
            return _error(number, error)
        return {"type": RESULT, "id": number, "value": value}


def serve(verbs: Mapping[str, Verb]) -> None:
    """Speak the protocol on this process's stdin and stdout until the parent closes the pipe."""
    source, sink = _claim_pipes()
    # On Windows Ctrl-C in the terminal that Blender was started from comes here too. Blender decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    writing = threading.Lock()

    def send(message: Message) -> None:
        try:
            with writing:
                write_message(sink, encode(message))
        except OSError:
            _leave()  # nobody hears us any more

    server = Server(verbs, send)
    send(server.hello())
    threading.Thread(target=_listen, args=(source, server), name="paintover-listen", daemon=True).start()
    server.run()


def _listen(source: BinaryIO, server: Server) -> None:
    """Hand on what the parent says; when it falls silent for good, end the process whatever it is doing."""
    try:
        while (message := read_message(source)) is not None:
            server.receive(message)
    except (ProtocolError, OSError) as error:
        print(f"paintover: {error}", file=sys.stderr)
    server.close()
    time.sleep(LEAVE_SECONDS)
    _leave()


def _leave() -> None:
    """End the process at once, from any thread: work in C code may not be in a mood to hear of an exception."""
    sys.stderr.flush()
    os._exit(0)


def _claim_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The pipes to the parent, under numbers that nobody else knows; fd 0 reads nothing and fd 1 goes to stderr."""
    source: Any = os.fdopen(os.dup(0), "rb")
    sink: Any = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.stdout.flush()
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return source, sink


def _error(number: int, error: PaintoverError) -> Message:
    return {"type": ERROR, "id": number, "error": error.as_json()}
