"""The generator of looks: what the passes say of each pixel, and what lies around it, to the painter's colour.

Two paths. A context path works at an eighth of the resolution (PixelUnshuffle in, so that nothing is lost) and sees
far. A detail path works at full resolution with few channels, so that one pixel teaches all others and edges stay where
the passes have them. Fully convolutional, no statistics over the picture: tiles that overlap by its ``margin`` have no
seam.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..learning.blocks import SLOPE, ResidualBlock, convolution, leaky_sigmoid, pixel_norm

BLOCK = 384  # pixels on a side that the detail path is given at once
SHORTEST, LONGEST = 6.0, 200.0  # pixels: lengths of the waves
CELL = 8  # sizes must be multiples of this; the context path's resolution is 1/CELL
HISTORY = 4  # RGB of the carried painting or last output, and how far to trust it


@dataclass(frozen=True)
class Config:
    """Shape of the network.

    ``guides``: channels of passes. ``waves``: of the rest position; 0 for a look of colour alone.
    """

    guides: int
    waves: int = 4
    width: int = 16
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

    def forward(self, position: Tensor) -> Tensor:
        """(N, 4, H, W) positions and footprints to (N, count, H, W) in [-1, 1]."""
        angle = F.conv2d(position[:, :3], self.frequency[:, :, None, None], self.phase)
        fade = F.conv2d(position[:, 3:].square(), -0.5 * self.frequency.square().sum(1)[:, None, None, None]).exp()
        return angle.sin() * fade


class LookGenerator(nn.Module):
    """Guides (N, guides, H, W), positions and history (N, 4, H, W each) to display colours (N, 3, H, W) in [0, 1].

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
        self.enter = convolution(pixel, config.width, 1)
        self.texture = convolution(config.waves, config.width, 1) if config.waves else None
        self.detail = nn.ModuleList(convolution(config.width, config.width) for _ in range(2))
        self.leave = convolution(config.width, 4, gain=0.5)
        assert self.leave.bias is not None
        nn.init.constant_(self.leave.bias[-1:], 2.0)  # at first, history is kept
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
        """Pixels of surroundings that a pixel's colour depends on: two cells for each block, and less than six."""
        return CELL * (2 * self.config.blocks + 6)

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

    def forward(self, guides: Tensor, position: Tensor, history: Tensor) -> Tensor:
        # Where history is not to be trusted it is not to be seen.
        size = (len(guides), guides.shape[1] + HISTORY, *guides.shape[2:])
        pixel = torch.empty(size, device=guides.device, memory_format=torch.channels_last)
        pixel[:, :-HISTORY] = guides
        pixel[:, -HISTORY:-1] = history[:, :3] * history[:, 3:]
        pixel[:, -1:] = history[:, 3:]
        around = self.surroundings(pixel)
        if torch.is_grad_enabled() or pixel.is_cuda:
            return self.paint(pixel, position, around)
        return self._in_blocks(pixel, position, around)

    def surroundings(self, pixel: Tensor) -> Tensor:
        """The context path: guides and history (N, guides + 4, H, W) to (N, width, H / 4, W / 4)."""
        quarter = F.leaky_relu(self.gather(pixel), SLOPE)
        eighth = self.blocks(self.down(quarter))
        far = F.interpolate(self.far(pixel_norm(eighth)), scale_factor=2, mode="bilinear")
        around: Tensor = far + self.near(pixel_norm(quarter))
        return around

    def paint(self, pixel: Tensor, position: Tensor, around: Tensor) -> Tensor:
        """The detail path, given the context path's result."""
        x = self.enter(pixel) + F.interpolate(around, scale_factor=4, mode="bilinear")
        if self.texture is not None:
            x += self.texture(self.waves(position))
        x = F.leaky_relu(x, SLOPE, inplace=True)
        for layer in self.detail:
            x = x + F.leaky_relu(layer(x), SLOPE, inplace=True)
        x = self.leave(x)
        along = leaky_sigmoid(self.tone(pixel) + x[:, :3])
        mix = (self.axes * self.span[:, None]).T[:, :, None, None]
        colour = F.conv2d(along, mix, self.low @ self.axes).clamp(0, 1)
        # What the artist painted is best kept as it is: the network only says where not to.
        keep = torch.sigmoid(x[:, 3:])
        return colour + keep * (pixel[:, -4:-1] - pixel[:, -1:] * colour)

    def _in_blocks(self, pixel: Tensor, position: Tensor, around: Tensor) -> Tensor:
        """``paint`` in blocks that fit a processor's cache: the same result, faster."""
        height, width = pixel.shape[2:]
        result = pixel.new_empty(len(pixel), 3, height, width)
        for top in range(0, height, BLOCK):
            for left in range(0, width, BLOCK):
                bottom, right = min(top + BLOCK, height), min(left + BLOCK, width)
                # A cell more on each side: for bilinear upsampling and for the convolutions.
                above, before = max(top - CELL, 0), max(left - CELL, 0)
                rows, columns = slice(above, bottom + CELL), slice(before, right + CELL)
                part = self.paint(
                    pixel[:, :, rows, columns],
                    position[:, :, rows, columns],
                    around[:, :, above // 4 : (bottom + CELL) // 4, before // 4 : (right + CELL) // 4],
                )
                result[:, :, top:bottom, left:right] = part[
                    :, :, top - above : bottom - above, left - before : right - before
                ]
        return result


def parameter_count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())
