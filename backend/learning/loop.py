"""The one training loop: a budget of seconds or steps, progress, previews, stop and cancel. Models bring the step."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ..errors import Cancelled, OutputError
from ..job import Job

log = logging.getLogger("paintover")

PREVIEW_SECONDS = 1.0
PREVIEW_SHARE = 0.1  # of the time, at most, goes into previews
REPORT_SECONDS = 0.25


class Model(Protocol):
    """What is trained: ``step`` does one update at a point ``progress`` (0..1) of the run and returns its loss."""

    def step(self, progress: float) -> float: ...


@dataclass(frozen=True)
class Budget:
    """How long to train: ``seconds`` of wall clock or a number of ``steps``; exactly one of them."""

    seconds: float | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        if (self.seconds is None) == (self.steps is None):
            raise ValueError("a budget is a number of seconds or a number of steps")

    def spent(self, seconds: float, steps: int) -> float:
        """The share of the budget that is used up, 0..1."""
        if self.seconds is not None:
            return min(seconds / max(self.seconds, 1e-9), 1.0)
        assert self.steps is not None
        return min(steps / max(self.steps, 1), 1.0)


@dataclass(frozen=True)
class Outcome:
    """What a run did: updates made, wall-clock seconds, whether it was stopped early."""

    steps: int
    seconds: float
    stopped: bool


def try_drawing(preview: Callable[[], str]) -> str:
    """The path of a preview; "" where the disk does not take it, since a training is worth more than its picture."""
    try:
        return preview()
    except OutputError as error:
        log.warning("no preview: %s", error)
        return ""


def fit(model: Model, budget: Budget, job: Job, preview: Callable[[], str] | None = None) -> Outcome:
    """Train ``model`` until the budget is spent or a stop is asked for; ``Cancelled`` passes through, and is raised for
    a stop before the first step: there is no best so far.

    ``preview`` makes a picture of the present state and returns its path; it is called about every second. See
    ``try_drawing``.
    """
    started = time.monotonic()
    steps, loss, picture = 0, 0.0, ""
    reported = previewed = started
    pause = 0.0
    while True:
        now = time.monotonic()
        spent = budget.spent(now - started, steps)
        if job.stop_requested and not steps:
            raise Cancelled("Stopped before anything was learned.")
        if spent >= 1 or job.stop_requested:
            return Outcome(steps, now - started, job.stop_requested)
        job.check()
        value = model.step(spent)
        steps += 1
        loss = value if steps == 1 else 0.95 * loss + 0.05 * value
        now = time.monotonic()
        if preview is not None and (steps == 1 or now - previewed >= max(PREVIEW_SECONDS, pause)):
            picture = preview()
            previewed = time.monotonic()
            pause = (previewed - now) / PREVIEW_SHARE
        if now - reported >= REPORT_SECONDS or steps == 1:
            reported = now
            rate = steps / (now - started)
            spent = budget.spent(now - started, steps)
            remaining = (now - started) * (1 - spent) / max(spent, 1e-6)
            job.progress(spent, "Training", step=steps, loss=loss, rate=rate, remaining=remaining, preview=picture)
