"""The coarse half of an effect: what is simulated for a picture of some size, and how it looks and is lit."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from ..job import Job
from . import lighting
from .controls import Value
from .frames import deep
from .lighting import Lit
from .physics import number
from .projection import project
from .simulation import Cells, Effect, Simulation

CELLS = 48 * 1024  # of the box: a step takes about 40 ms on one processor core
EARLIER = 2  # how many times as large the cells are in which most of the time before the first frame is simulated
LEAST_ROWS, LEAST = 24, 8  # cells along the height, and along each side


def cells(width: int, height: int, most: int = CELLS, rows: int | None = None) -> Cells:
    """Z, Y, X of a box that a picture of ``width`` x ``height`` pixels shows: even numbers.

    ``most``: about how many in all. ``rows``: more of them than these are of no use.
    """
    across, depth = width / height, deep(width, height)
    high = (most / (across * depth)) ** (1 / 3)
    if rows is not None:
        high = min(high, max(rows, LEAST_ROWS))
    z, y, x = (max(LEAST, 2 * round(size / 2)) for size in (high * depth, high, high * across))
    return z, y, x


@dataclass(frozen=True)
class View:
    """One coarse frame: ``picture`` (1, 8, h, w) of ``projection.CHANNELS``, and the light in it."""

    picture: Tensor
    lit: Lit


class Coarse(Protocol):
    """Where coarse frames come from: a simulation, or one that was baked. ``loop``: after the last comes the first."""

    @property
    def kind(self) -> str: ...
    @property
    def frames(self) -> int: ...
    @property
    def fps(self) -> float: ...
    @property
    def loop(self) -> bool: ...

    def values(self, frame: float) -> dict[str, Value]:
        """Every control at a frame, counted from 0."""
        ...

    def deep(self, size: tuple[int, int]) -> float:
        """How deep the box is that a picture of ``size`` shows, in heights of it."""
        ...

    def shown(self, size: tuple[int, int], rows: int, job: Job) -> Iterator[tuple[int, View]]:
        """Every frame with its number, for a picture of ``size``: more ``rows`` than these are of no use."""
        ...


@dataclass(frozen=True)
class Take:
    """What is simulated: ``effect`` for so many ``frames``, counted from 0; after a ``loop``'s last comes the first."""

    effect: Effect
    frames: int
    fps: float
    loop: bool = False

    @property
    def kind(self) -> str:
        return self.effect.kind

    def values(self, frame: float) -> dict[str, Value]:
        return self.effect.values(frame)

    def deep(self, size: tuple[int, int]) -> float:
        return deep(*size)

    def shown(self, size: tuple[int, int], rows: int, job: Job) -> Iterator[tuple[int, View]]:
        return self.views(cells(*size, rows=rows), job)

    def views(self, box: Cells, job: Job) -> Iterator[tuple[int, View]]:
        """Every frame with its number; those of a loop begin in its middle."""
        simulation = Simulation([self.effect], box, self.fps, self.frames if self.loop else None, check=job.check)
        volumes = simulation.loop() if self.loop else simulation.volumes(self.frames, EARLIER)
        first = self.frames // 2 if self.loop else 0
        for count, volume in enumerate(volumes, first):
            frame = count % self.frames
            hottest = number(self.effect.values(frame)["temperature"])
            yield frame, View(project(volume), lighting.light(volume, hottest))
