"""From controls to water, frame by frame around a loop: the door of the water family."""

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import UsageError
from ..frames import LEAST_TILE
from .caustics import caustics
from .controls import Rain, Water
from .foam import visible
from .grid import Grid, field, warped
from .kinds import angle, foam, lace, meander, waves
from .rings import Rings
from .surface import Geometry

LONGEST_STEP = {"ocean": 0.125, "river": 0.08, "rain": 0.05}  # seconds from one look for what happens to the next


@dataclass(frozen=True)
class Surface:
    """A frame of water, float32, over the points of a tile at rest: rows are z, columns x, edges joined.

    A point's water stands at rest + displacement, as a displaced mesh shows it; the caustics' points do not move.
    """

    height: Tensor  # (1, N, N) m above the water at rest
    displacement: Tensor  # (2, N, N) m: x, z
    normal: Tensor  # (3, N, N): x, y up, z; of length 1
    foam: Tensor  # (1, N, N): 0 to 1, the share that is white
    caustics: Tensor  # (1, N, N): light on a floor below, 1 on average


class Simulation:
    """Water around a loop, the same on every run of a device; the waves of a coarse grid are those of a fine one."""

    def __init__(
        self,
        controls: Water,
        size: int,
        frames: int,
        device: str | torch.device = "cpu",
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """``size``: points along a side of the tile, even. ``frames`` to the loop. ``check`` is called often, and may
        raise to end the work. ``UsageError`` for nonsense.
        """
        if size < LEAST_TILE or size % 2:
            raise UsageError(f"A tile must have an even number of points a side, {LEAST_TILE} at least, not {size}.")
        if frames < 1:
            raise UsageError(f"A loop must have a frame at least, not {frames}.")
        self.controls, self.frames, self._check = controls, frames, check
        self.grid = Grid(size, controls.scale, torch.device(device))
        longest = LONGEST_STEP.get(controls.kind, math.inf)
        between = max(1, math.ceil(controls.period / frames / longest))
        self._between, self._steps = between, frames * between
        self._geometry = Geometry(self.grid, controls.choppiness, controls.depth)
        self._waves = waves(controls, self.grid)
        self._foam = foam(controls, self.grid, self._geometry, self._steps)
        self._lace = lace(controls, self.grid)
        self._meander = meander(controls, self.grid)
        self._rings: Rings | None = None
        if isinstance(controls, Rain):
            drop = controls.drop_size / 1000
            self._rings = Rings(
                self.grid, controls.rain_rate, drop, controls.depth, controls.period, self._steps, controls.seed
            )

    def surfaces(self, wanted: Collection[int] | None = None) -> Iterator[tuple[int, Surface]]:
        """Frames with their numbers, from 0 on, all or those ``wanted``: the loop's first follows its last."""
        due = {frame * self._between: frame for frame in (range(self.frames) if wanted is None else wanted)}
        rings = self._rings.spectra(self._check) if self._rings else None
        state = self._foam.closed(self._heights(step) for step in range(self._steps)) if self._foam else None
        for step in range(max(due, default=-1) + 1):
            self._check()
            ring = next(rings) if rings else 0.0
            if step not in due and self._foam is None:
                continue
            heights = self._heights(step)
            if self._foam is not None and state is not None:
                state = self._foam.follow(state, heights)
            if step in due:
                yield due[step], self._surface(step, heights + ring, state)

    def _heights(self, step: int) -> Tensor:
        """The half spectrum of heights at a step of the loop, without rings."""
        self._check()
        first, *others = (modes.spectrum(step, self._steps) for modes in self._waves)
        return sum(others, first)

    def _surface(self, step: int, spectrum: Tensor, state: Tensor | None) -> Surface:
        shape = self._geometry.shape(spectrum)
        sun = math.radians(self.controls.sun_elevation), angle(self.controls.sun_azimuth)
        light = caustics(shape, self.grid, min(self.controls.light_depth, self.controls.depth), *sun)
        white = torch.zeros_like(shape.height) if state is None else self._white(step, state)[None]
        return Surface(shape.height, shape.displacement, shape.normal, white, light)

    def _white(self, step: int, state: Tensor) -> Tensor:
        """Foam as one sees it, (N, N), of the half spectrum of what was poured."""
        thickness = field(state)
        if self._meander:
            offset = torch.stack([field(modes.spectrum(step, self._steps)) for modes in self._meander])
            thickness = warped(thickness, offset, self.grid)
        return visible(thickness, self._lace.nearness(step, self._steps) if self._lace else None)
