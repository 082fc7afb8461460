"""Pictures at other sizes and other moments. Flows are (N, 2, H, W), right and down, in pixels of the picture."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def enlarged(pictures: Tensor, factor: int) -> Tensor:
    """(N, C, h, w) to ``factor`` times the size, a power of 2, as quadratic B-splines: smooth and without overshoot.

    Doubling with weights 1/4 and 3/4 again and again is Chaikin's corner cutting (1974), which ends there. A picture
    enlarged bilinearly at once has a crease along every coarse pixel, which later shows as a grid.
    """
    for _ in range(round(math.log2(factor))):
        pictures = F.interpolate(pictures, scale_factor=2, mode="bilinear", align_corners=False)
    return pictures


def unwoven(pictures: Tensor, factor: int, share: Tensor) -> Tensor:
    """(N, C, H, W) without what repeats from one coarse pixel, ``factor`` pixels, to the next, or with less of it.

    ``share`` (N, 1, h, w): how much of it is taken away, 0..1; nothing where there is only air.

    No gas does that: it is a habit of the network, which can be seen on smooth smoke. What is finer than a coarse pixel
    is averaged over its neighbours, each place in it by itself, and taken away.
    """
    places = F.pixel_unshuffle(pictures - enlarged(F.avg_pool2d(pictures, factor), factor), factor)
    habit = F.avg_pool2d(F.pad(places, (1, 1, 1, 1), "replicate"), 3, 1)
    return pictures - F.pixel_shuffle(habit * share, factor)


def blurred(pictures: Tensor, radius: Tensor) -> Tensor:
    """(N, C, h, w) under a Gaussian of standard deviation ``radius`` (N), in pixels; edges go on as they end."""
    reach = math.ceil(2.5 * float(radius.max()))
    away = torch.arange(-reach, reach + 1, device=pictures.device)
    weights = torch.exp(-0.5 * (away / radius[:, None].clamp(min=1e-3)) ** 2)
    weights = (weights / weights.sum(1, keepdim=True))[:, None, None]
    sides = F.pad(pictures.transpose(0, 1), (reach,) * 4, "replicate")  # each of the N is a channel, under its own
    rows = F.conv2d(sides, weights, groups=len(pictures))
    return F.conv2d(rows, weights.transpose(2, 3), groups=len(pictures)).transpose(0, 1)


def carried_by(pictures: Tensor, flow: Tensor) -> Tensor:
    """(N, C, H, W) of a moment ago as they lie now: each pixel looks back along ``flow``. Outside there is nothing."""
    return F.grid_sample(pictures, _sampling(-flow), padding_mode="zeros", align_corners=False)


def stayed_inside(flow: Tensor) -> Tensor:
    """(N, 1, H, W): 1 where the flow comes from within the picture."""
    return (_sampling(-flow).abs() <= 1).all(3)[:, None].to(flow.dtype)


def _sampling(shift: Tensor) -> Tensor:
    """The (N, H, W, 2) grid that ``grid_sample(align_corners=False)`` takes, for looking ``shift`` aside."""
    height, width = shift.shape[2:]
    column = torch.arange(width, device=shift.device, dtype=shift.dtype) + 0.5
    row = (torch.arange(height, device=shift.device, dtype=shift.dtype) + 0.5)[:, None]
    return torch.stack(((shift[:, 0] + column) * (2 / width) - 1, (shift[:, 1] + row) * (2 / height) - 1), 3)
