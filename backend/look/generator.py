"""The generator of looks: what the passes say of each pixel, and what lies around it, to the painter's colour.

Two paths. A context path works at an eighth of the resolution (PixelUnshuffle in, so that nothing is lost) and sees far;
a detail path works at full resolution with few channels, so that one pixel teaches all others and edges stay where the
passes have them. Fully convolutional, no statistics over the picture: tiles that overlap by ``MARGIN`` have no seam.
"""

from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..learning.blocks import SLOPE, ResidualBlock, convolution

CELL = 8  # sizes must be multiples of this; the context path's resolution is 1/CELL
HISTORY = 4  # RGB of the carried painting or last output, and how far to trust it
POSITION = 4  # rest position (3) and the size of a pixel there (1), in units of the shot's scale


@dataclass(frozen=True)
class Config:
    """Shape of the network. ``guides``: channels of passes; 0 ``waves``: no positions (a look of colour alone)."""

    guides: int
    waves: int = 12
    width: int = 24
    context: int = 64
    blocks: int = 3

    def __post_init__(self) -> None:
        if min(self.guides, self.width, self.context) < 1 or min(self.waves, self.blocks) < 0:
            raise ValueError(f"not a network: {self}")

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Waves(nn.Module):
    """Sines of the rest position, from some pixels to the whole picture long: texture that sticks to surfaces.

    Each wave fades before a pixel gets too large to show it (integrated positional encoding, Barron et al. 2021,
    equation 14), so distant surfaces do not shimmer. Directions and lengths are learned.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        direction = F.normalize(torch.randn(count, 3), dim=1)
        length = torch.logspace(0, 1, count, 4.0)[:, None] if count else torch.zeros(0, 1)
        self.frequency = nn.Parameter(direction * length)

    def forward(self, position: Tensor) -> Tensor:
        """(N, 4, H, W) positions and footprints to (N, 2 count, H, W) in [-1, 1]."""
        angle = F.conv2d(position[:, :3], self.frequency[:, :, None, None])
        blur = self.frequency.square().sum(1).view(1, -1, 1, 1) * position[:, 3:].square()
        fade = torch.exp(-0.5 * blur)
        return torch.cat([angle.sin() * fade, angle.cos() * fade], 1)


class LookGenerator(nn.Module):
    """Guides (N, guides, H, W), positions (N, 4, H, W) and history (N, 4, H, W) to display colours (N, 3, H, W) in [0, 1].

    H and W are multiples of ``CELL``.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.waves = Waves(config.waves)
        pixel = config.guides + HISTORY
        self.gather = convolution((config.guides + HISTORY) * 16, config.context, 1)
        self.down = convolution(config.context, config.context, 3, 2)
        self.blocks = nn.Sequential(*(ResidualBlock(config.context) for _ in range(config.blocks)))
        self.near = convolution(config.context, config.width, 1, gain=0.5)
        self.far = convolution(config.context, config.width, 1, gain=0.5)
        self.enter = convolution(pixel + 2 * config.waves, config.width, 1)
        self.detail = nn.ModuleList(convolution(config.width, config.width) for _ in range(2))
        self.leave = convolution(config.width, 3, gain=0.5)

    def forward(self, guides: Tensor, position: Tensor, history: Tensor) -> Tensor:
        size = guides.shape[2:]
        pixel = torch.cat([guides, history], 1)
        quarter = F.leaky_relu(self.gather(F.pixel_unshuffle(pixel, 4)), SLOPE)
        eighth = self.blocks(self.down(quarter))
        around = F.interpolate(self.far(eighth), scale_factor=2, mode="bilinear") + self.near(quarter)
        around = F.interpolate(around, size=size, mode="bilinear")
        if self.config.waves:
            pixel = torch.cat([pixel, self.waves(position)], 1)
        x = F.leaky_relu(self.enter(pixel) + around, SLOPE)
        for layer in self.detail:
            x = x + F.leaky_relu(layer(x), SLOPE)
        return torch.sigmoid(self.leave(x))


MARGIN = (
    80  # pixels of surroundings that the context path sees: 8 * (2 * blocks + 2) and the detail path's 3, rounded up
)


def parameter_count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())
