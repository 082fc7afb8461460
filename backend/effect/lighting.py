"""How smoke is lit, in the coarse volume: by a lamp, by the sky, and from inside by its own fire.

Light changes slowly through smoke, so coarse cells are enough for it; the detail that it falls on comes from the fine
picture, see ``shade``.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .blackbody import glow
from .projection import Volume
from .solver import FUEL, SMOKE, TEMPERATURE

LAMP = (-0.7, 0.7, 0.25)  # toward the lamp: to the left, above, and before the smoke
_SKY = ((0.0, 1.0, 0.0), (-0.9, 0.5, 0.0), (0.9, 0.5, 0.0), (0.0, 0.5, 0.9), (0.0, 0.5, -0.9))
# Light that was scattered several times reaches deeper: octaves of ever thinner smoke and ever less light, as in
# Wrenninge, Kulla and Lundqvist 2013, "Oz: The Great and Volumetric", section 3.
_OCTAVES, _THINNER, _FAINTER = 3, 0.35, 0.25
_REACH = 4  # doublings of a cell over which firelight is followed


@dataclass(frozen=True)
class Lit:
    """Light on the smoke that a coarse picture (B, ..., Y, X) shows.

    ``weighted`` (B, 5, Y, X): the lamp's and the sky's light, 0..1 where 1 is unshadowed, and firelight as scene-linear
    RGB; each times ``weight`` (B, 1, Y, X), how much smoke is there, so that both can be enlarged and then divided.
    """

    weighted: Tensor
    weight: Tensor

    def resized(self, size: tuple[int, int]) -> "Lit":
        """The same at another size (Y, X)."""
        both = torch.cat((self.weighted, self.weight), 1)
        both = F.interpolate(both, size, mode="bilinear", align_corners=False)
        return Lit(both[:, :-1], both[:, -1:])


def light(volume: Volume, hottest: float) -> Lit:
    """Of the smoke in ``volume``, as the camera of ``projection`` sees it. ``hottest``: K, see ``blackbody.glow``."""
    scalars, optics = volume.scalars, volume.optics
    thick = 1 / scalars.shape[3]

    def column(values: Tensor) -> Tensor:
        return values.view(-1, 1, 1, 1)

    heat, smoke, fuel = (scalars[:, channel] for channel in (TEMPERATURE, SMOKE, FUEL))
    hiding = (column(optics.extinction) * smoke + column(optics.veil) * fuel) * thick
    burning = (column(optics.glow) * fuel + column(optics.ember) * smoke) * (heat / column(optics.hottest)) ** 4
    shone = glow(heat + column(optics.ambient), hottest).movedim(-1, 1) * burning[:, None]
    lamp, *sky = shadows(hiding, (LAMP, *_SKY)).unbind(1)
    lights = torch.cat((torch.stack((lamp, torch.stack(sky).mean(0)), 1), firelight(shone, hiding)), 1)
    front = hiding.flip(1)
    seen = torch.exp(front - front.cumsum(1)) * -torch.expm1(-front)
    weighted = (lights.flip(2) * seen[:, None]).sum(2)
    return Lit(weighted.flip(2), seen.sum(1, keepdim=True).flip(2))


def shadows(hiding: Tensor, toward: tuple[tuple[float, float, float], ...]) -> Tensor:
    """Light from each of L directions that reaches each cell, (B, L, Z, Y, X), 0..1.

    ``hiding`` (B, Z, Y, X): optical depth of a cell. ``toward``: unit-free directions x, y, z that rise. The optical
    depth of what lies toward the light is carried down from layer to layer, each step moving sideways by the slope.
    """
    batch, depth, height, width = hiding.shape
    ways = hiding.new_tensor(toward)
    slopes = ways[:, [0, 2]] / ways[:, 1:2]
    longer = torch.linalg.vector_norm(ways, dim=1) / ways[:, 1]
    z, x = torch.meshgrid(torch.arange(depth) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    there = torch.stack((x, z), -1).to(hiding) + slopes[:, None, None]
    grid = there / hiding.new_tensor([width, depth]) * 2 - 1
    above = hiding.new_zeros(len(toward), batch, depth, width)
    layers = []
    for row in reversed(range(height)):
        above = F.grid_sample(above, grid, padding_mode="zeros", align_corners=False)
        own = hiding[:, :, row] * longer.view(-1, 1, 1, 1)
        layers.append(above + 0.5 * own)
        above = above + own
    through = torch.stack(layers[::-1], 3).transpose(0, 1)
    total = torch.zeros_like(through)
    for octave in range(_OCTAVES):
        total += _FAINTER**octave * torch.exp(-through * _THINNER**octave)
    return total / sum(_FAINTER**n for n in range(_OCTAVES))


def firelight(shone: Tensor, hiding: Tensor) -> Tensor:
    """Light (B, 3, Z, Y, X) that each cell gets from what burns around it.

    ``shone`` (B, 3, Z, Y, X): light given off, for a layer as thick as the box is high. Light falls with the square of
    the distance while the shell that it comes from grows with it, so every doubling of the distance adds what burns
    there on average times its width, less what the smoke between takes away.
    """
    thick = 1 / shone.shape[3]
    both = torch.cat((shone, hiding[:, None]), 1)
    size = both.shape[2:]
    total = shone * (0.5 * thick)
    for doubling in range(1, _REACH + 1):
        sides = tuple(min(2, side) for side in both.shape[2:])
        both = F.avg_pool3d(both, sides, ceil_mode=True, count_include_pad=False)
        around = F.interpolate(both, size, mode="trilinear", align_corners=False)
        radius = 2.0 ** (doubling - 1)
        total = total + around[:, :3] * torch.exp(-0.5 * around[:, 3:] * radius) * (0.5 * radius * thick)
    return total
