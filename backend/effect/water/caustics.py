"""Light on the floor: the sun's rays, bent by the surface, and where they gather."""

import math

import torch
from torch import Tensor

from .grid import Grid, blurred
from .surface import Shape

WATER = 1.333  # refractive index
SUN = 0.00465  # radians: the sun's radius in the sky
UNIT = 2.0**24  # light is counted in whole numbers of this fraction: their sum does not depend on the order


def refracted(normal: Tensor, elevation: float, azimuth: float) -> Tensor:
    """Directions (3, N, N: x, y up, z) under water of sunlight from ``elevation`` toward ``azimuth`` (radians).

    Snell's law in vectors.
    """
    level = math.cos(elevation)
    sun = normal.new_tensor([level * math.cos(azimuth), -math.sin(elevation), level * math.sin(azimuth)])
    facing = -torch.einsum("c,cij->ij", sun, normal).clamp_max(0)
    ratio = 1 / WATER
    return ratio * sun[:, None, None] + (ratio * facing - torch.sqrt(1 - ratio**2 * (1 - facing**2))) * normal


def caustics(shape: Shape, grid: Grid, depth: float, elevation: float, azimuth: float) -> Tensor:
    """Irradiance (1, N, N) of a level floor ``depth`` metres under the water at rest, 1 on average.

    ``shape`` is sampled on a finer grid than ``grid``, which is the floor's: each of its points sends down the light
    that falls on its share of the water (the area ratio), and what leaves the tile comes in at the other side. The
    sun's disc blurs it. No light is lost at the surface or on its way. Angles in radians.
    """
    ray = refracted(shape.normal, elevation, azimuth)
    way = (depth + shape.height[0]).clamp_min(0) / -ray[1]
    finer = shape.height.shape[-1]
    rest = torch.arange(finer, dtype=torch.float32, device=shape.height.device) / finer * grid.size
    cells = grid.size / grid.scale
    x = rest[None, :] + (shape.displacement[0] + ray[0] * way) * cells
    z = rest[:, None] + (shape.displacement[1] + ray[2] * way) * cells
    light = shape.jacobian[0].clamp_min(0)
    floor = splatted(x, z, light / light.mean() * (grid.size / finer) ** 2, grid.size)
    sigma = SUN / 2 / WATER * depth / math.sin(elevation)
    return blurred(floor, grid, sigma).clamp_min(0)[None]


def splatted(x: Tensor, z: Tensor, weight: Tensor, size: int) -> Tensor:
    """(size, size) sums of ``weight`` at places ``x``, ``z`` in cells, shared among four cells, edges joined.

    The same bits on every run and device: the shares are added as whole numbers.
    """
    left, top = torch.floor(x), torch.floor(z)
    right, bottom = x - left, z - top
    column, row = left.long() % size, top.long() % size
    next_column, next_row = (column + 1) % size, (row + 1) % size
    total = torch.zeros(size * size, dtype=torch.int64, device=x.device)
    scaled = weight * UNIT
    for r, share_r in ((row, 1 - bottom), (next_row, bottom)):
        for c, share_c in ((column, 1 - right), (next_column, right)):
            total.index_add_(0, (r * size + c).flatten(), torch.round(scaled * share_r * share_c).long().flatten())
    return (total.double() / UNIT).float().view(size, size)
