"""Fine detail for coarse pictures, frame after frame, by the generator: at any size, in tiles without a seam."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from ..learning import device
from .encoding import Encoding
from .generator import EffectGenerator
from .model_file import EffectFile
from .projection import CHANNELS
from .resample import blurred, enlarged, unwoven
from .sequence import Sequence

LARGEST = 1_500_000  # pixels that the network is given at once; larger pictures go in tiles
TILE = 1024
STRETCHED = 1.5  # how many times as large a coarse picture may be shown before there is nothing left to see in it
LEARNED = 144  # rows of the pictures that were learned from
_MEANS = torch.tensor([name not in ("emission", "optical_depth", "fuel") for name in CHANNELS])[:, None, None]
_LOOKED_AT = 4  # channels that a picture is shaded from: light, density, temperature, depth
_LIGHT = [CHANNELS.index("emission"), CHANNELS.index("fuel")]
_SMOOTH = 0.6  # coarse pixels
_LITTLE = 5e-4  # of light and density: with less it makes no difference whether there is more or less of it
_LEAST, _MOST = 0.05, torch.tensor([2.0, 1.0])[:, None, None]
_FAINT = 1e-4  # of light and density: with less, a pixel's averages hardly count beside its neighbours'
_PLAIN = 1e-3  # of light and density: with more, a pixel's averages are to be relied on


@dataclass(frozen=True)
class Model:
    """A trained generator of ``kind``, ready to run, and how its pictures are told. ``sha256``: of the weights."""

    kind: str
    generator: EffectGenerator
    encoding: Encoding
    sha256: str

    @classmethod
    def of(cls, file: EffectFile) -> "Model":
        """On the device that networks run on."""
        return cls(file.kind, file.generator().to(device.chosen()), file.encoding(), str(file.card["sha256"]))


class Detail:
    """Draws the fine pictures of one effect. ``period``, ``first``: see ``sequence.Sequence``.

    ``small``: height and width to which coarse pictures are brought before they are drawn, ``factor`` times as large.
    Where that is a lot, another ``Detail`` draws a picture between: what is only stretched has nothing to begin from.
    ``tile``: pixels of a tile's side; chosen if None. ``check`` is called before each tile, and may raise to end it.
    ``last``: what ``draw`` made last, encoded.
    """

    def __init__(
        self,
        model: Model,
        seed: int,
        small: tuple[int, int],
        period: int | None = None,
        first: int = 0,
        tile: int | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.factor = model.generator.config.factor
        self._model, self._small, self._tile, self._check = model, small, tile, check
        self._begin = partial(Detail, model, seed, period=period, first=first, check=check)
        self._between: Detail | None = None
        self._sequence = Sequence(model.generator, model.encoding, [seed], period, first)
        self.last: Tensor | None = None

    @torch.inference_mode()
    def draw(self, coarse: Tensor, height: float) -> Tensor:
        """The next fine picture (1, 8, H, W) of a coarse one (1, 8, h, w); ``height`` of the box in m."""
        encoding = self._model.encoding
        coarse = self._brought(coarse, height)
        inputs = self._inputs(coarse, height)
        fine = self._in_tiles(*inputs)
        seen = unwoven(fine[:, :_LOOKED_AT], self.factor, encoding.shown(inputs[0]))
        fine[:, :_LOOKED_AT] = seen
        self._keep(fine)
        if fine.shape[2] > LEARNED:
            base = enlarged(inputs[0][:, :_LOOKED_AT], self.factor)
            # Where gas thins out to nothing, the network has never seen it so large, and dots its edge.
            share = _calmer(LEARNED / fine.shape[2], fine) * encoding.shown(base)
            fine = torch.cat((torch.lerp(base, seen, share), fine[:, _LOOKED_AT:]), 1)
        return as_much(encoding.decode(fine, height), coarse, self.factor)

    @torch.inference_mode()
    def skip(self, coarse: Tensor, height: float, made: Tensor | None = None) -> None:
        """Go past a frame that was drawn before; of the last one before the next ``draw``, ``made`` is its ``last``."""
        self._inputs(self._brought(coarse, height), height)
        if made is not None:
            self._keep(made.to(self._model.generator.lowest.device))

    def _brought(self, coarse: Tensor, height: float) -> Tensor:
        """A coarse picture of any size to the size that is drawn from."""
        rows, width = self._small
        stages = math.ceil(rows / (STRETCHED * coarse.shape[2]))
        if stages > 1:
            self._between = self._between or self._begin((math.ceil(rows / stages), math.ceil(width / stages)))
            coarse = self._between.draw(coarse, height)
        return resized(coarse.to(self._model.generator.lowest.device, torch.float32), self._small)

    def _keep(self, fine: Tensor) -> None:
        self._sequence.keep(fine)
        self.last = fine

    def _inputs(self, coarse: Tensor, height: float) -> tuple[Tensor, Tensor, Tensor]:
        encoding = self._model.encoding
        return self._sequence.inputs(encoding.encode(coarse, height), encoding.motion(coarse, self.factor))

    def _in_tiles(self, coarse: Tensor, noise: Tensor, previous: Tensor) -> Tensor:
        generator, factor = self._model.generator, self.factor
        height, width = noise.shape[2:]
        tile = self._tile or (TILE if height * width > LARGEST else max(height, width))
        tile = max(tile // factor, 1) * factor
        if tile >= max(height, width):
            return generator(coarse, noise, previous)  # type: ignore[no-any-return]
        fine = torch.empty_like(previous[:, :-1])
        for top in range(0, height, tile):
            for left in range(0, width, tile):
                self._check()
                above, before = max(top - generator.margin, 0), max(left - generator.margin, 0)
                below, after = top + tile + generator.margin, left + tile + generator.margin
                rows, columns = slice(above, below), slice(before, after)
                cells = slice(above // factor, below // factor), slice(before // factor, after // factor)
                drawn = generator(coarse[:, :, *cells], noise[:, :, rows, columns], previous[:, :, rows, columns])
                fine[:, :, top : top + tile, left : left + tile] = drawn[
                    :, :, top - above : top - above + tile, left - before : left - before + tile
                ]
        return fine


def _calmer(smaller: float, like: Tensor) -> Tensor:
    """How much of the detail that is looked at, (C, 1, 1), remains where a pixel is a ``smaller`` part of the box than
    what was learned.

    The scalars of a turbulent flow differ by the cube root of the distance (Obukhov 1949, Corrsin 1951), and their sums
    along columns by still less, as eddies that lie behind each other do not know of each other.
    """
    powers = [1 / 2 if name == "optical_depth" else 1 / 3 for name in CHANNELS[:_LOOKED_AT]]
    return smaller ** like.new_tensor(powers)[:, None, None]


def as_much(fine: Tensor, coarse: Tensor, factor: int) -> Tensor:
    """``fine`` pictures (N, 8, H, W) with as much light in each place as the ``coarse`` ones (N, 8, h, w) have there,
    and at most a quarter more density.

    What the network is not sure of it draws too bright, by a third in flames: it judges light by its logarithm. And
    where smoke ends it leaves specks.
    """
    there = F.avg_pool2d(fine[:, :2], factor)
    allowed = coarse[:, :2] * coarse.new_tensor([1.0, 1.25])[:, None, None]
    share = (allowed + _LITTLE) / (there + _LITTLE)
    fine[:, :2] *= enlarged(share.clamp(min=_LEAST).minimum(_MOST.to(share.device)), factor)
    return fine


def resized(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """A picture (N, 8, h, w) of the same volume at another ``size`` (h, w): motion in its own pixels.

    Averages are weighted by what shows, so that the edge of gas does not take the values of empty air; and they stay
    within those of the pixels that plainly show something, as what overshoots there is divided by almost nothing.
    """
    if tuple(picture.shape[2:]) == size:
        return picture
    weight = picture[:, :2].clamp(min=0).sum(1, keepdim=True) + _FAINT
    plain = weight >= weight.amax((2, 3), keepdim=True).clamp(max=_PLAIN)
    lowest = picture.where(plain, math.inf).amin((2, 3), keepdim=True)
    highest = picture.where(plain, -math.inf).amax((2, 3), keepdim=True)
    weighted = torch.cat((torch.where(_MEANS.to(picture.device), picture * weight, picture), weight), 1)
    if picture.shape[2] < LEARNED:
        # Without the blur, edges have the stairs of the coarse pixels and averages have creases between them: the
        # detail then follows these as a grid.
        weighted = blurred(weighted, picture.new_full((len(picture),), _SMOOTH))
        weighted[:, _LIGHT] = picture[:, _LIGHT]  # flames have edges
    smaller = size[0] < picture.shape[2]
    wide = F.interpolate(weighted, size, mode="bicubic", align_corners=False, antialias=smaller)
    means = (wide[:, :-1] / wide[:, -1:].clamp(min=0.5 * _FAINT)).clamp(lowest, highest)
    result = torch.where(_MEANS.to(picture.device), means, wide[:, :-1].clamp(min=0))
    result[:, CHANNELS.index("velocity_x")] *= size[1] / picture.shape[3]
    result[:, CHANNELS.index("velocity_y")] *= size[0] / picture.shape[2]
    return result
