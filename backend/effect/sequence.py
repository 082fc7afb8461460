"""An effect drawn frame by frame: coarse pictures in, fine pictures out, with all that is carried between them."""

import torch
from torch import Tensor

from .carry import CarriedNoise, carried, nothing_before
from .encoding import Encoding
from .generator import EffectGenerator


class Sequence:
    """One picture or several that go on side by side, frame by frame.

    ``draw`` draws the next frame. In tiles: ``fine = generator(*sequence.inputs(...))``, where tiles of the three
    inputs overlap by ``generator.margin``, then ``sequence.keep(fine)``.
    """

    def __init__(
        self,
        generator: EffectGenerator,
        encoding: Encoding,
        seeds: list[int],
        period: int | None = None,
        first: int = 0,
    ) -> None:
        """``seeds``: one for each picture. ``period``, ``first``: in frames, see ``CarriedNoise``.

        A loop is drawn from some frames before its first: what is carried has then settled.
        """
        self.generator, self.encoding = generator, encoding
        device = generator.lowest.device
        self._noise = CarriedNoise(generator.config.noise, seeds, device, period, first)
        self._coarse: Tensor | None = None
        self._last: tuple[Tensor, Tensor] | None = None

    def inputs(self, coarse: Tensor, flow: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the generator takes for the next frame: coarse, noise, previous.

        ``coarse`` (N, C, h, w) is encoded; ``flow`` (N, 2, h, w) is ``Encoding.motion``.
        """
        factor = self.generator.config.factor
        noise = self._noise.step(flow, factor)
        if self._last is None:
            previous = nothing_before(coarse, factor)
        else:
            previous = carried(*self._last, coarse, flow, self.encoding)
        self._coarse = coarse
        return coarse, noise, previous

    def keep(self, fine: Tensor) -> None:
        """``fine`` (N, C, H, W), encoded, is what was drawn from the last ``inputs``."""
        if self._coarse is None:
            raise ValueError("nothing was to be drawn")
        self._last = fine, self._coarse

    @torch.inference_mode()
    def draw(self, coarse: Tensor, flow: Tensor) -> Tensor:
        """The next fine pictures, encoded, from ``inputs``."""
        fine: Tensor = self.generator(*self.inputs(coarse, flow))
        self.keep(fine)
        return fine
