"""The generator of effects: a coarse picture of gas, and noise that moves with it, to a fine picture.

Most of the work is done where there are fewest pixels, at the coarse picture's own size; sub-pixel convolutions (Shi et
al. 2016) lead from there to the full size, with fewer channels on every floor. What it learns is detail, to be added to
the enlarged coarse picture, and where the detail of the last output, carried by the flow, is to be kept. Fully
convolutional, no statistics over the picture: tiles that overlap by its ``margin`` have no seam.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..learning.blocks import LEAK, SLOPE, ResidualBlock, convolution
from .resample import enlarged

SOMETHING = 20.0  # one over the encoded amounts, together, from which on a coarse pixel counts as full
LIMIT = 1.5  # no encoded value goes further: the most that was learned from is 1


@dataclass(frozen=True)
class Config:
    """Shape of the network.

    ``channels``: of a picture. ``signed``: those of them that go below zero. ``shown``: those that say how much a
    pixel shows. ``factor``: of enlargement, 4 or 8.
    ``noise``: channels of noise. ``context``, ``blocks``: channels and residual blocks at the coarse size. ``widths``:
    channels at each doubled size, the last at full size.
    """

    channels: int
    signed: tuple[int, ...]
    shown: tuple[int, ...]
    factor: int = 8
    noise: int = 4
    context: int = 96
    blocks: int = 3
    widths: tuple[int, ...] = (32, 16, 8)

    def __post_init__(self) -> None:
        object.__setattr__(self, "signed", tuple(self.signed))
        object.__setattr__(self, "shown", tuple(self.shown))
        object.__setattr__(self, "widths", tuple(self.widths))
        whole = self.factor in (4, 8) and self.shown and 2 ** len(self.widths) == self.factor
        if not whole or min(self.channels, self.noise, self.context, self.blocks, *self.widths) < 1:
            raise ValueError(f"not a network: {self}")
        if any(not 0 <= channel < self.channels for channel in self.signed + self.shown):
            raise ValueError(f"not a network: {self}")

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Doubling(nn.Module):
    """(N, inputs, H, W) to (N, outputs, 2 H, 2 W): a sub-pixel convolution that at first repeats each pixel.

    Initialised like that (Aitken et al. 2017), its four pixels are alike, and so no checkerboard has to be unlearned.
    ``smooth``: interpolated instead, for where little comes after that could undo a grid of two pixels.
    """

    def __init__(self, inputs: int, outputs: int, smooth: bool = False) -> None:
        super().__init__()
        self.smooth = smooth
        self.layer = convolution(inputs, outputs if smooth else 4 * outputs)
        if not smooth:
            with torch.no_grad():
                self.layer.weight.copy_(self.layer.weight[::4].repeat_interleave(4, 0))

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer(F.leaky_relu(x, SLOPE))
        return enlarged(x, 2) if self.smooth else F.pixel_shuffle(x, 2)


class EffectGenerator(nn.Module):
    """``forward(coarse, noise, previous) -> fine``, all encoded (``encoding.Encoding``).

    ``coarse`` (N, C, h, w). ``noise`` (N, Z, H, W): ``carry.CarriedNoise``. ``previous`` (N, C + 1, H, W): the detail
    of the last output and how far to trust it, ``carry.carried``, or zeros for a first frame. ``fine`` (N, C, H, W),
    where H = factor h and W = factor w.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        first, *finer = config.widths
        pixel = config.channels + 1 + config.noise
        stride = config.factor // 2
        self.gather = convolution(pixel, first, stride, stride, padding=0)
        self.down = convolution(first, config.context, 3, 2)
        self.head = convolution(config.channels, config.context)
        self.blocks = nn.Sequential(*(ResidualBlock(config.context) for _ in range(config.blocks)))
        self.up = Doubling(config.context, first)
        self.beside = convolution(first, first, 1, gain=0.5)
        self.floors = nn.ModuleList(
            nn.Sequential(ResidualBlock(coarser), Doubling(coarser, width, smooth=floor == len(finer)))
            for floor, (coarser, width) in enumerate(zip(config.widths, finer, strict=False), 1)
        )
        self.enter = convolution(pixel, config.widths[-1], 1, gain=0.5)
        self.detail = convolution(config.widths[-1], config.widths[-1])
        self.leave = convolution(config.widths[-1], config.channels + 1, gain=0.1)
        lowest = torch.zeros(config.channels, 1, 1)
        lowest[list(config.signed)] = -LIMIT
        self.register_buffer("lowest", lowest, persistent=False)
        self.lowest: Tensor

    @property
    def margin(self) -> int:
        """Pixels of surroundings that a pixel depends on, a multiple of ``factor``.

        At the coarse size 1 for ``head`` or, nearly, ``down``, 2 a block and 1 to go up; 3 on each floor between, and 1
        to interpolate from the last; 2 at full size; and up to one of each, where a pixel's place in it matters.
        """
        cells = 1 + 2 * self.config.blocks + 1 + 1
        finer = sum(3 / 2**floor for floor in range(1, len(self.config.widths)))
        return int(self.config.factor * math.ceil(cells + finer + 5 / self.config.factor))

    def forward(self, coarse: Tensor, noise: Tensor, previous: Tensor) -> Tensor:
        base = enlarged(coarse, self.config.factor)
        detail, trust = previous[:, :-1] * previous[:, -1:], previous[:, -1:]
        pixel = torch.cat((detail, trust, noise), 1)
        side = F.leaky_relu(self.gather(pixel), SLOPE)
        x = self.blocks(self.head(coarse) + self.down(side))
        x = self.up(x) + self.beside(side)
        for floor in self.floors:
            x = floor(x)
        x = x + self.enter(pixel)
        x = x + self.detail(F.leaky_relu(x, SLOPE))
        x = self.leave(F.leaky_relu(x, SLOPE))
        # Nothing comes of nothing: a coarse pixel is empty only if all fine ones in it are. Averages do not count: what
        # cannot be seen has a temperature too.
        amount = coarse[:, self.config.shown].clamp(min=0).sum(1, keepdim=True)
        there = enlarged(-torch.expm1(-SOMETHING * amount), self.config.factor)
        return self._bounded(base + there * (torch.sigmoid(x[:, -1:]) * detail + x[:, :-1]))

    def _bounded(self, fine: Tensor) -> Tensor:
        """Within what can be decoded; the gradient leaks, so that what was driven into a bound can come back."""
        kept = torch.maximum(fine, self.lowest).clamp(max=LIMIT)
        return kept + LEAK * (fine - fine.detach()) if torch.is_grad_enabled() else kept


def multiplications(config: Config) -> dict[str, float]:
    """Multiply-adds for each pixel of the fine picture, by part; one of them counts as two FLOPs."""
    pixel, full = config.channels + 1 + config.noise, config.factor
    first, *finer = config.widths
    coarse = 1 / full**2
    parts = {
        "gather": pixel * first,
        "context": 9 * config.context * coarse * (config.channels + first + 2 * config.blocks * config.context),
        "up": 9 * config.context * 4 * first * coarse + first * first * 4 * coarse,
        "full size": config.widths[-1] * (pixel + 9 * (config.widths[-1] + config.channels + 1)),
    }
    for floor, (coarser, width) in enumerate(zip(config.widths, finer, strict=False), 1):
        outputs = width if floor == len(finer) else 4 * width
        parts[f"floor {floor}"] = coarse * 4**floor * 9 * coarser * (2 * coarser + outputs)
    return parts
