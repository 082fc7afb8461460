"""Pictures of any size through the network, in tiles that show no seam."""

import torch
from torch import Tensor

from .generator import CELL, LookGenerator
from .model import padded

LARGEST = 3_000_000  # pixels that the network is given at once; larger frames go in tiles
TILE = 1536


def paint(network: LookGenerator, guide: Tensor, position: Tensor, history: Tensor, tile: int | None = None) -> Tensor:
    """(channels, H, W) inputs of any size to display colours (3, H, W), in tiles of ``tile`` pixels with no seam.

    Inputs and result are in the processor's memory, whatever device the network is on.
    """
    where, margin = network.low.device, network.margin
    height, width = guide.shape[1:]
    if tile is None:
        tile = max(height, width) if height * width <= LARGEST else TILE
    tile = -(-tile // CELL) * CELL
    result = torch.empty(3, height, width)
    with torch.inference_mode():
        for top in range(0, height, tile):
            for left in range(0, width, tile):
                bottom, right = min(top + tile, height), min(left + tile, width)
                above, before = max(top - margin, 0), max(left - margin, 0)
                inputs = (
                    padded(plane[:, above : bottom + margin, before : right + margin])[None].to(where)
                    for plane in (guide, position, history)
                )
                painted = network(*inputs)[0]
                result[:, top:bottom, left:right] = painted[
                    :, top - above : bottom - above, left - before : right - before
                ]
    return result
