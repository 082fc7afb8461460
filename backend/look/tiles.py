"""Pictures of any size through the network, in tiles that show no seam."""

from collections.abc import Callable

import torch
from torch import Tensor

from .generator import CELL, SPARSE, LookGenerator
from .model import padded

LARGEST = 3_000_000  # pixels that the network is given at once; larger frames go in tiles
TILE = 1536


See = Callable[[slice, slice], tuple[Tensor, Tensor]]


def paint(network: LookGenerator, history: Tensor, see: See, tile: int | None = None) -> Tensor:
    """A picture (3, H, W) in display colours, of any size, in tiles of ``tile`` pixels with no seam.

    ``history`` is (4, H, W). ``see(rows, columns)`` gives the guides and, at every ``SPARSE``-th pixel, the positions
    of a window whose rows and columns begin at a multiple of that. All of them and the result are in the processor's
    memory, whatever device the network is on.
    """
    where, margin = network.low.device, network.margin
    height, width = history.shape[1:]
    if tile is None:
        tile = max(height, width) if height * width <= LARGEST else TILE
    tile = -(-tile // CELL) * CELL
    result = torch.empty(3, height, width)
    with torch.inference_mode():
        for top in range(0, height, tile):
            for left in range(0, width, tile):
                bottom, right = min(top + tile, height), min(left + tile, width)
                above, before = max(top - margin, 0), max(left - margin, 0)
                rows, columns = slice(above, min(bottom + margin, height)), slice(before, min(right + margin, width))
                known = padded(history[:, rows, columns])[None]

                def strip(some: slice, rows: slice = rows, columns: slice = columns) -> tuple[Tensor, Tensor]:
                    part = slice(rows.start + some.start, min(rows.start + some.stop, rows.stop))
                    seen, position = see(part, columns)
                    return padded(seen)[None], padded(position, CELL // SPARSE)[None]

                if where.type == "cpu":
                    painted = network.in_strips(known, strip)[0]
                else:
                    whole = strip(slice(0, known.shape[2]))
                    painted = network(*(part.to(where) for part in (*whole, known)))[0]
                result[:, top:bottom, left:right] = painted[
                    :, top - above : bottom - above, left - before : right - before
                ]
    return result
