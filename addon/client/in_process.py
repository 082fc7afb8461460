"""A backend that is a thread in this process. Same interface, same messages, same results as the child process."""

import atexit
import threading
import weakref
from collections.abc import Mapping
from typing import Any

from ..backend.errors import BackendDiedError, Cancelled
from ..backend.protocol import REQUEST, Message, decode, encode
from ..backend.serve import Server
from ..backend.service import VERBS, Verb
from .ticket import Book, Ticket

# How long quitting waits for a cancelled job; work in C code cannot be interrupted from outside. Seconds.
CLOSE_SECONDS = 5.0


class InProcessBackend:
    """Does ``verbs`` one after another in a daemon thread."""

    def __init__(self, verbs: Mapping[str, Verb] = VERBS) -> None:
        self._verbs = verbs
        self._worker: _Worker | None = None

    @property
    def alive(self) -> bool:
        return self._worker is not None and not self._worker.book.ended

    def submit(self, verb: str, params: dict[str, Any]) -> Ticket:
        if self._worker is None or self._worker.book.ended:
            self._worker = _Worker(self._verbs)
        ticket = Ticket(verb, self._worker.tell)
        self._worker.book.add(ticket)
        self._worker.send({"type": REQUEST, "id": ticket.id, "verb": verb, "params": params})
        return ticket

    def finish(self) -> None:
        """End when all that was handed in so far is done. A later ``submit`` starts anew."""
        if self._worker is not None:
            self._worker.finish()
            self._worker = None

    def close(self) -> None:
        if self._worker is not None:
            self._worker.close()
            self._worker = None


class _Worker:
    """One server, its thread and its tickets."""

    def __init__(self, verbs: Mapping[str, Verb]) -> None:
        self.book = Book()
        # Through the protocol's bytes and back: what would not travel by pipe does not travel here.
        self._server = Server(verbs, lambda message: self.book.hear(decode(encode(message))))
        self._thread = threading.Thread(target=self._run, name="paintover-backend", daemon=True)
        self._thread.start()
        _workers.add(self)

    def send(self, message: Message) -> None:
        self._server.receive(decode(encode(message)))

    def tell(self, number: int, what: str) -> None:
        self.send({"type": what, "id": number})

    def finish(self) -> None:
        self._server.finish()

    def close(self) -> None:
        self._server.close()
        self._thread.join(CLOSE_SECONDS)
        self.book.end(Cancelled("The backend was closed."))

    def _run(self) -> None:
        try:
            self._server.run()
        finally:
            self.book.end(BackendDiedError("The backend inside Blender ended.", "Try again: it starts anew."))


_workers: "weakref.WeakSet[_Worker]" = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for worker in list(_workers):
        worker.close()
