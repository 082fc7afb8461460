"""Sheets of frames to look at while an effect learns. Only an impression: ``shade`` makes the colours of an effect."""

from collections.abc import Sequence as Rows

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .encoding import Encoding

FLAME = (2.6, 0.9, 0.22)  # red, green and blue of light
GREY = 0.35
GAP = 4  # pixels between pictures
SMALLEST = 200  # pixels that a picture is high, about or more


def portrait(encoded: Tensor, encoding: Encoding) -> NDArray[np.float32]:
    """What of one encoded picture (C, H, W) is measured: its first three channels as they are seen, (H, W, 3), 0..1."""
    shown = encoding.seen(encoded.float())[:3].clamp(0, 1)
    return np.ascontiguousarray(shown.permute(1, 2, 0).cpu().numpy())


def impression(encoded: Tensor) -> NDArray[np.uint8]:
    """How one encoded picture (C, H, W) may look, (H, W, 3): light, and grey where it is dense."""
    light, depth = encoded.float()[0].clamp(min=0).cpu(), encoded.float()[1].clamp(min=0).cpu()
    grey = -torch.expm1(-2 * depth) * GREY * (1 - 0.4 * depth)
    colour = light.square()[..., None] * torch.tensor(FLAME) + (grey * (1 - light.clamp(max=1)))[..., None]
    return np.asarray((1 - torch.exp(-1.6 * colour)).clamp(0, 1).pow(1 / 2.2).mul(255).round().to(torch.uint8).numpy())


def sheet(rows: Rows[Rows[NDArray[np.uint8]]]) -> NDArray[np.uint8]:
    """Rows of pictures of one size, with gaps between them, as one; small pictures in larger pixels."""
    zoom = max(1, SMALLEST // rows[0][0].shape[0])
    height, width = (size * zoom for size in rows[0][0].shape[:2])
    columns = max(len(row) for row in rows)
    page = np.full((len(rows) * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), 40, np.uint8)
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            top, left = y * (height + GAP), x * (width + GAP)
            page[top : top + height, left : left + width] = picture.repeat(zoom, 0).repeat(zoom, 1)
    return page
