"""Controls, an emitter and a seed become a volume, frame by frame; of a fire or a smoke also as a loop."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from . import controls as tables
from .advection import centre
from .emitter import Emitter
from .noise import Waves
from .physics import Physics, number, physics
from .projection import Volume
from .solver import FUEL, Inflow, Solver, State

Cells: TypeAlias = tuple[int, int, int]
Controls: TypeAlias = Callable[[float], Mapping[str, object]]
"""The values of the controls at a frame, counted from 0; those that are not named keep their defaults."""

EMITTERS: Mapping[str, Emitter] = {
    "fire": Emitter("sphere", (0.0, -0.08, 0.0), radius=0.17),
    "smoke": Emitter("sphere", (0.0, -0.04, 0.0), radius=0.11),
    "explosion": Emitter("sphere", (0.0, 0.16, 0.0), radius=0.105),
}
COURANT = 6.0  # cells that gas may cross in one step: beyond that vortices tear
GROWTH = 0.7  # by what power of e burning gas may grow in one step
MOST_STEPS = 8  # in a frame, whatever the speed: the solver is stable at any
SETTLING = 0.8  # tau at full size after a warm-up in large cells: by then the flame is new


@dataclass(frozen=True)
class Effect:
    """One effect to simulate: its kind, its controls frame by frame, and where it comes from, frame by frame too.

    Without ``emitter`` it comes from its kind's own.
    """

    kind: str
    controls: Controls = lambda frame: {}
    emitter: Callable[[float], Emitter] | None = None

    def values(self, frame: float) -> dict[str, tables.Value]:
        """Every control at a frame. Raises ``UsageError`` for what no control takes."""
        return tables.checked(self.kind, self.controls(frame))

    def source(self, frame: float) -> Emitter:
        return EMITTERS[self.kind] if self.emitter is None else self.emitter(frame)


class Simulation:
    """A batch of effects, each in a box of ``cells`` (Z, Y, X), at ``fps`` frames a second.

    ``period``: everything from outside (gusts, flicker) repeats after so many frames. ``check`` is called before each
    step, and may raise to end it all.
    """

    def __init__(
        self,
        effects: Sequence[Effect],
        cells: Cells,
        fps: float = 24.0,
        period: int | None = None,
        device: torch.device | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.effects, self.cells, self.fps, self.period = effects, cells, fps, period
        self.device = device or torch.device("cpu")
        self._check = check
        self._solver = Solver(cells, self.device)
        first = self._physics(0)
        self._gusts, self._flicker = self._noise(first)
        self.clock = torch.zeros(len(effects), dtype=torch.float64)  # s; not every device has double precision
        self.state = State.still(len(effects), cells, first.wind)
        self._masks: tuple[list[Emitter], Tensor] | None = None

    def volumes(self, count: int, enlarge: int = 1) -> Iterator[Volume]:
        """Frames 0 to ``count`` - 1, the first of them as old as the control age says.

        ``enlarge``: what goes before frame 0 is simulated in cells so many times as large, except for the last bit.
        """
        self.warm_up(enlarge)
        for frame in range(count):
            if frame:
                self.advance(frame)
            yield self.volume(frame)

    def loop(self) -> Iterator[Volume]:
        """As many frames as the period, after the last of which comes the first again.

        A fluid does not repeat by itself, even if all that is done to it does. So the run goes on for longer than the
        period, and while it passes through what it has gone through once, it is drawn to that: the velocity first and
        gently, and with it come the gases, which are made anew all the time; the gases themselves only at the end.
        Nothing is ever shown twice on top of itself. The frames are those between the two passages.
        """
        if self.period is None:
            raise ValueError("a simulation without a period cannot be a loop")
        self.warm_up()
        overlap = self.period // 2
        before: list[State] = []
        for frame in range(self.period + overlap):
            if frame:
                self.advance(frame % self.period)
            if frame < overlap:
                before.append(self.state)
            if frame >= self.period:
                share = (frame - self.period + 1) / overlap
                self.state = self.state.drawn_to(before[frame - self.period], share**2, share**6)
            if frame >= overlap:
                yield self.volume(frame % self.period)

    def warm_up(self, enlarge: int = 1) -> None:
        """Simulate what lies before frame 0."""
        start = self._physics(0)
        ages = torch.tensor([number(effect.values(0)["age"]) for effect in self.effects], device=self.device)
        frames = math.ceil(float((ages * self.fps / start.pace).max()))
        settling = min(frames, math.ceil(float((SETTLING * start.tau * self.fps / start.pace).max())))
        if frames == 0:
            return
        seconds = ages / frames
        if enlarge > 1 and frames > settling:
            depth, height, width = (size // enlarge for size in self.cells)
            small = Simulation(self.effects, (depth, height, width), self.fps, self.period, self.device, self._check)
            for _ in range(frames - settling):
                small.advance(0, seconds)
            self.state, self.clock = small.state.refined(self.cells), small.clock
            frames = settling
        for _ in range(frames):
            self.advance(0, seconds)

    def advance(self, frame: float, seconds: Tensor | None = None) -> None:
        """Go on to the next frame under the controls at ``frame``; or by ``seconds`` (B,) of the effect's own time."""
        now = self._physics(frame)
        if seconds is None:
            seconds = now.pace / self.fps
        mask = self._mask(frame, now)
        steps = self._steps(seconds, now)
        for _ in range(steps):
            self._check()
            working = (self.clock < now.burst.cpu()).to(mask)
            inflow = Inflow(
                mask * working.view(-1, 1, 1, 1),
                now.rate,
                now.temperature,
                now.smoke,
                now.fuel,
                now.inlet,
            )
            self.clock = self.clock + seconds.cpu() / steps
            push = self._gusts.vector(self.cells, self.clock) * now.stirring.view(-1, 1, 1, 1, 1)
            self.state = self._solver.step(self.state, now.medium, inflow, push, now.wind, seconds / steps)

    def volume(self, frame: float) -> Volume:
        """What is there now, looking as the controls at ``frame`` say."""
        now = self._physics(frame)
        per_frame = (now.pace / self.fps).view(-1, 1, 1, 1, 1)
        return Volume(self.state.scalars, centre(self.state.velocity) * per_frame, now.optics)

    def _physics(self, frame: float) -> Physics:
        values = [effect.values(frame) for effect in self.effects]
        return physics([effect.kind for effect in self.effects], values, self.cells[1], self.device)

    def _noise(self, first: Physics) -> tuple[Waves, Waves]:
        """Gusts in the air, and the flicker of the emitter."""
        seeds = [int(number(effect.values(0)["seed"])) for effect in self.effects]
        period = None if self.period is None else first.pace * self.period / self.fps
        gusts = Waves.drawn([2 * seed for seed in seeds], [0.5] * len(seeds), 0.025, 1.5 * first.tau, period)
        flicker = Waves.drawn([2 * seed + 1 for seed in seeds], first.grain.tolist(), 0.03, first.tau, period)
        return gusts, flicker

    def _steps(self, seconds: Tensor, now: Physics) -> int:
        """Into how many steps a frame is cut: by how far gas moves, and by how much it grows where it burns."""
        paths = torch.stack([face.abs().amax((1, 2, 3)) for face in self.state.velocity]).amax(0) * seconds
        working = (self.clock < now.burst.cpu()).to(self.device)
        fuel = torch.where(working, now.fuel, self.state.scalars[:, FUEL].amax((1, 2, 3)))
        growth = now.medium.expansion * now.medium.burning * fuel.sqrt() * seconds
        return max(1, min(MOST_STEPS, math.ceil(float(torch.maximum(paths / COURANT, growth / GROWTH).max()))))

    def _mask(self, frame: float, now: Physics) -> Tensor:
        """What the emitters let through at this moment, (B, Z, Y, X)."""
        sources = [effect.source(frame) for effect in self.effects]
        if self._masks is None or any(a is not b for a, b in zip(sources, self._masks[0], strict=True)):
            self._masks = sources, torch.stack([source.mask(self.cells, self.device) for source in sources])
        mask, noise = self._masks[1], self._flicker.scalar(self.cells, self.clock)
        mean = (noise * mask).sum((1, 2, 3)) / mask.sum((1, 2, 3)).clamp(min=1e-6)
        noise = noise - torch.where(now.burst.isfinite(), mean, 0.0).view(-1, 1, 1, 1)  # every burst is as strong
        return mask * (noise * now.contrast.view(-1, 1, 1, 1) + now.coverage.view(-1, 1, 1, 1)).clamp(0, 1)
