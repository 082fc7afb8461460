"""Light on the floor: the sun's rays, bent by the surface, and where they gather."""

import math

import torch
from torch import Tensor

from .grid import Grid, blurred
from .surface import Shape

WATER = 1.333  # refractive index
SUN = 0.00465  # radians: the sun's radius in the sky
RAYS = 3  # to a cell, along each side
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

    Each point of the water sends down the light that falls on its share of it (the area ratio), and so do points in
    between, whose rays are interpolated; what leaves the tile comes in at the other side. The sun's disc blurs it. No
    light is lost at the surface or on its way. Angles in radians.
    """
    ray = refracted(shape.normal, elevation, azimuth)
    way = (depth + shape.height[0]).clamp_min(0) / -ray[1]
    aside = (shape.displacement + ray[[0, 2]] * way) * (grid.size / grid.scale)
    sent = torch.cat([aside, shape.jacobian.clamp_min(0)])
    rest = torch.arange(grid.size, dtype=torch.float32, device=sent.device)
    below, total = sent.roll(-1, 1), torch.zeros(grid.size, grid.size, dtype=torch.int64, device=sent.device)
    for down in range(RAYS):
        row = torch.lerp(sent, below, down / RAYS)
        beside = row.roll(-1, 2)
        for right in range(RAYS):
            x, z, light = torch.lerp(row, beside, right / RAYS)
            splat(total, rest[None, :] + right / RAYS + x, rest[:, None] + down / RAYS + z, light)
    floor = (total / total.double().mean()).float()
    return blurred(floor, grid, SUN / 2 / WATER * depth / math.sin(elevation)).clamp_min(0)[None]


def splat(total: Tensor, x: Tensor, z: Tensor, weight: Tensor) -> None:
    """Add ``weight``, in UNITs, to ``total`` (N, N) at places ``x``, ``z`` in cells; edges are joined.

    Each weight is shared among the four cells around its place.
    """
    size = len(total)
    x, z = (place - torch.floor(place / size) * size for place in (x, z))
    left, top = (torch.floor(place).clamp_max(size - 1) for place in (x, z))
    right, bottom = x - left, (z - top) * weight * UNIT
    upper = weight * UNIT - bottom
    column, row = left.int(), top.int()
    next_column, next_row = (torch.where(index == size - 1, 0, index + 1) for index in (column, row))
    for r, share in ((row, upper), (next_row, bottom)):
        beside = share * right
        for c, part in ((column, share - beside), (next_column, beside)):
            total.view(-1).index_add_(0, (r * size + c).flatten(), torch.round(part).long().flatten())
