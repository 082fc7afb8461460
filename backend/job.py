"""What a running job is told and tells: progress out, stop and cancel in. Standard library only."""

import threading
import time
from collections.abc import Callable
from typing import Any

from .errors import Cancelled

ProgressSink = Callable[[dict[str, Any]], None]


class Job:
    """One piece of work under way, seen from inside.

    ``cancel`` means: give up, keep nothing half-done. ``stop`` means: end now and keep the best so far.
    Both may be called from another thread; the work looks at them through ``check`` and ``stop_requested``.
    """

    def __init__(self, sink: ProgressSink | None = None) -> None:
        self._sink = sink
        self._cancelled = threading.Event()
        self._stopped = threading.Event()
        self._started = time.monotonic()

    def cancel(self) -> None:
        self._cancelled.set()

    def stop(self) -> None:
        self._stopped.set()

    @property
    def stop_requested(self) -> bool:
        return self._stopped.is_set()

    def check(self) -> None:
        """Raise ``Cancelled`` if the job was cancelled: call it at least every half second of work."""
        if self._cancelled.is_set():
            raise Cancelled("Cancelled.")

    def progress(self, fraction: float, message: str, **numbers: Any) -> None:
        """Report progress. ``fraction`` is 0 to 1; ``remaining`` (seconds) is estimated from it unless given.

        ``numbers`` are JSON-able extras such as ``step``, ``loss``, ``rate`` (steps or frames per second),
        ``frame`` and ``preview`` (a picture's path). Raises ``Cancelled`` like ``check``.
        """
        self.check()
        if self._sink is None:
            return
        elapsed = time.monotonic() - self._started
        report: dict[str, Any] = {"fraction": fraction, "message": message, "elapsed": elapsed}
        if fraction > 0:
            report["remaining"] = elapsed * (1 - fraction) / fraction
        self._sink(report | numbers)
