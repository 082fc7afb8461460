"""Discriminators. Each returns its scores and its inner features, which feature matching compares."""

import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import SLOPE, convolution


class PatchDiscriminator(nn.Module):
    """Scores overlapping patches of a picture (N, C, H, W) in [-1, 1] (Isola et al. 2017, section 3.2.2).

    Three layers of stride 2 see patches of about 32 pixels: the size of brush strokes, small enough that one painting
    holds thousands of them.
    """

    def __init__(self, channels: int = 3, width: int = 32) -> None:
        super().__init__()
        widths = [width, width * 2, width * 4]
        self.layers = nn.ModuleList(
            convolution(i, o, 4, 2) for i, o in zip([channels, *widths[:-1]], widths, strict=True)
        )
        self.mix = convolution(widths[-1], widths[-1], 3)
        self.score = convolution(widths[-1], 1, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        features = []
        for layer in [*self.layers, self.mix]:
            x = F.leaky_relu(layer(x), SLOPE)
            features.append(x)
        return self.score(x), features
