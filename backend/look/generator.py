"""The generator of looks: what the passes say of each pixel, and what lies around it, to the painter's colour.

Two paths. A context path works at an eighth of the resolution and sees far. A detail path works at half of it and makes
2x2 pixels at once (Shi et al. 2016): that is quicker than fewer channels at full resolution, and as good. Each pixel's
own tone goes past both. Fully convolutional, no statistics over the picture: tiles that overlap by its ``margin`` have
no seam.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..learning.blocks import (
    SLOPE,
    ResidualBlock,
    convolution,
    doubled,
    leaky_sigmoid,
    pixel_norm,
    plus,
    pointwise,
    shuffled,
)
from ..machine import share_out

LOOKED_AT = 80_000  # pixels at once: they stay in the processor's cache
PAINTED = 320_000  # and here more, since what is painted at once overlaps
SHORTEST, LONGEST = 6.0, 200.0  # pixels: lengths of the waves
FAINTEST = -80.0  # exponent to which waves fade
CELL = 8  # sizes must be multiples of this; the context path's resolution is 1/CELL
SPARSE = 2  # of so many pixels of a row and of a column positions are given once: as finely as the detail path works
HISTORY = 4  # RGB of the carried painting or last output, and how far to trust it


@dataclass(frozen=True)
class Config:
    """Shape of the network.

    ``guides``: channels of passes. ``waves``: of the rest position; 0 for a look of colour alone.
    """

    guides: int
    waves: int = 4
    width: int = 32
    context: int = 64
    blocks: int = 2

    def __post_init__(self) -> None:
        if min(self.guides, self.width, self.context) < 1 or min(self.waves, self.blocks) < 0:
            raise ValueError(f"not a network: {self}")

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Waves(nn.Module):
    """Sines of the rest position, from some pixels to the whole picture long: texture that sticks to surfaces.

    Each wave fades before a pixel gets too large to show it (integrated positional encoding, Barron et al. 2021,
    equation 14), so distant surfaces do not shimmer. Directions are random, lengths evenly spread on a log scale.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        direction = F.normalize(torch.randn(count, 3), dim=1)
        length = torch.logspace(math.log10(SHORTEST), math.log10(LONGEST), count)[:, None]
        self.register_buffer("frequency", direction * (2 * math.pi / length))
        self.register_buffer("phase", 2 * math.pi * torch.rand(count))
        self.frequency: Tensor
        self.phase: Tensor

    @property
    def damping(self) -> Tensor:
        return -0.5 * self.frequency.square().sum(1)[:, None, None]

    def forward(self, position: Tensor) -> Tensor:
        """(N, 4, H, W) positions and footprints to (N, count, H, W) in [-1, 1]."""
        turns = pointwise(position[:, :3], self.frequency / (2 * math.pi), self.phase / (2 * math.pi))
        turns -= turns.round()  # the sine of a large angle takes five times as long
        # Where hardly anything is left of a wave floats would be so small that they are slow.
        seen = (position[:, 3:].square() * self.damping).clamp_(min=FAINTEST).exp_()
        return seen.mul_(turns.mul_(2 * math.pi).sin_())


class LookGenerator(nn.Module):
    """Guides (N, guides, H, W), history (N, 4, H, W), and positions (N, 4, H / SPARSE, W / SPARSE) to display colours
    (N, 3, H, W) in [0, 1].

    H and W are multiples of ``CELL``.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.waves = Waves(config.waves)
        pixel = config.guides + HISTORY
        self.gather = convolution(pixel, config.context, 4, 4, padding=0)
        self.down = convolution(config.context, config.context, 3, 2)
        self.blocks = nn.Sequential(*(ResidualBlock(config.context) for _ in range(config.blocks)))
        self.near = convolution(config.context, config.width, 1, gain=0.5)
        self.far = convolution(config.context, config.width, 1, gain=0.5)
        self.enter = convolution(pixel, config.width, 2, 2, padding=0)
        self.texture = convolution(config.waves, config.width, 1) if config.waves else None
        self.detail = nn.ModuleList(convolution(config.width, config.width) for _ in range(2))
        self.leave = convolution(config.width, 4 * 4, gain=0.5)
        assert self.leave.bias is not None
        nn.init.constant_(self.leave.bias[-4:], 2.0)  # at first, history is kept
        self.tone = nn.Conv2d(pixel, 3, 1)
        self.register_buffer("axes", torch.eye(3))
        self.register_buffer("low", torch.zeros(3))
        self.register_buffer("span", torch.ones(3))
        self.axes: Tensor
        self.low: Tensor
        self.span: Tensor
        self.take_colours(torch.eye(3), torch.zeros(3), torch.ones(3))

    @property
    def margin(self) -> int:
        """Pixels of surroundings that a pixel's colour depends on: two cells for each block, and less than three."""
        return CELL * (2 * self.config.blocks + 3)

    @torch.no_grad()
    def take_colours(self, axes: Tensor, low: Tensor, span: Tensor) -> None:
        """Keep to the painter's colours: along each of the ``axes`` (3, 3), one a row, from ``low`` on by ``span`` (3).

        At first each pixel has the render's own colour, as near as these allow.
        """
        self.axes.copy_(axes)
        self.low.copy_(low)
        self.span.copy_(span.clamp_min(1e-3))
        assert self.tone.bias is not None
        # 4 (u - 1/2) is close to the logit of u, and the first three guides are display colours 2 d - 1.
        self.tone.weight.zero_()
        self.tone.weight[:, :3, 0, 0] = 2 * self.axes / self.span[:, None].clamp_min(0.1)
        self.tone.bias.copy_(4 * ((0.5 * self.axes.sum(1) - self.low) / self.span - 0.5).clamp(-2, 2))

    @torch.no_grad()
    def widen_colours(self, pixels: Tensor) -> None:
        """Let these colours (N, 3) be reached too: paint may have been added since the network began to learn."""
        along = pixels @ self.axes.T
        low, high = along.amin(0), along.amax(0)
        if bool(((low < self.low - 1e-4) | (high > self.low + self.span + 1e-4)).any()):
            high = torch.maximum(high, self.low + self.span)
            self.low.copy_(torch.minimum(low, self.low))
            self.span.copy_(high - self.low)

    def convolving_in(self, kind: torch.dtype) -> "LookGenerator":
        """Turn to another precision, all but the tones: a picture would show bands of those."""
        for name, part in self.named_children():
            if name not in ("waves", "tone"):
                part.to(kind)
        return self

    def forward(self, guides: Tensor, position: Tensor, history: Tensor) -> Tensor:
        tone, detail, quarter = self.look(guides, position, history)
        return self.paint(tone, detail, self.surroundings(quarter), history)

    def look(self, guides: Tensor, position: Tensor, history: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What pixels say by themselves: tones (N, 3, H, W), and features of 2x2 pixels (N, width, H / 2, W / 2) and of
        4x4 (N, context, H / 4, W / 4).
        """
        # Where history is not to be trusted it is not to be seen.
        told = torch.cat([history[:, :3] * history[:, 3:], history[:, 3:]], 1)
        weight = self.tone.weight[:, :, 0, 0]
        tone = pointwise(guides, weight[:, :-HISTORY], self.tone.bias)
        tone += pointwise(told, weight[:, -HISTORY:], None)
        size = (len(guides), guides.shape[1] + HISTORY, *guides.shape[2:])
        pixel = torch.empty(
            size, dtype=self.enter.weight.dtype, device=guides.device, memory_format=torch.channels_last
        )
        pixel[:, :-HISTORY] = guides.to(pixel.dtype)  # in two steps, each of which is quick
        pixel[:, -HISTORY:] = told.to(pixel.dtype)
        detail = self.enter(pixel)
        if self.texture is not None:  # where waves are too short for SPARSE positions they have mostly faded
            detail += self.texture(self.waves(position).to(pixel.dtype))
        return tone, detail, F.leaky_relu(self.gather(pixel), SLOPE)

    def surroundings(self, quarter: Tensor) -> Tensor:
        """The context path from a quarter of the resolution on: (N, context, H / 4, W / 4) to (N, width, ...)."""
        eighth = self.blocks(self.down(quarter))
        return plus(self.near(pixel_norm(quarter)), doubled(self.far(pixel_norm(eighth))))

    def paint(self, tone: Tensor, detail: Tensor, around: Tensor, history: Tensor) -> Tensor:
        """The rest of the detail path."""
        x = F.leaky_relu(plus(doubled(around), detail), SLOPE, inplace=True)
        for layer in self.detail:
            x = plus(F.leaky_relu(layer(x), SLOPE, inplace=True), x)
        x = shuffled(self.leave(x)).to(tone.dtype, memory_format=torch.contiguous_format)
        along = leaky_sigmoid(plus(x[:, :3], tone))
        colour = pointwise(along, (self.axes * self.span[:, None]).T, self.low @ self.axes).clamp(0, 1)
        # What the artist painted is best kept as it is: the network only says where not to.
        return torch.lerp(colour, history[:, :3], torch.sigmoid(x[:, 3:]) * history[:, 3:])

    def in_strips(self, history: Tensor, see: Callable[[slice], tuple[Tensor, Tensor]]) -> Tensor:
        """The same in strips that fit a processor's cache, shared out among its cores: faster.

        ``see`` gives the guides and positions of some rows, from any thread.
        """
        count, _, height, width = history.shape
        kind = self.enter.weight.dtype
        tone, result = (history.new_empty(count, 3, height, width) for _ in range(2))
        detail, quarter = (
            torch.empty(count, *size, dtype=kind, memory_format=torch.channels_last)
            for size in (
                (self.config.width, height // 2, width // 2),
                (self.config.context, height // 4, width // 4),
            )
        )

        def smaller(rows: slice) -> tuple[slice, slice]:  # where they are at a half and a quarter of the resolution
            return slice(rows.start // 2, rows.stop // 2), slice(rows.start // 4, rows.stop // 4)

        def strips(pixels: int) -> list[slice]:
            step = max(pixels // width // CELL, 1) * CELL
            return [slice(top, min(top + step, height)) for top in range(0, height, step)]

        def look(rows: slice) -> None:
            halves, quarters = smaller(rows)
            with torch.inference_mode():
                seen = self.look(*see(rows), history[:, :, rows])
                tone[:, :, rows], detail[:, :, halves], quarter[:, :, quarters] = seen

        def paint(rows: slice) -> None:
            above = max(rows.start - CELL, 0)  # a cell more on each side, for bilinear upsampling and convolutions
            more = slice(above, rows.stop + CELL)
            halves, quarters = smaller(more)
            with torch.inference_mode():
                part = self.paint(tone[:, :, more], detail[:, :, halves], around[:, :, quarters], history[:, :, more])
                result[:, :, rows] = part[:, :, rows.start - above : rows.stop - above]

        share_out(look, strips(LOOKED_AT))
        around = self.surroundings(quarter)
        share_out(paint, strips(PAINTED))
        return result
