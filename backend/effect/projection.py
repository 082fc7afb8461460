"""A volume as the camera sees it: what a generator gets, and what it shall learn to make.

The camera looks along -z, without perspective: one column of cells is one pixel. Row 0 of a picture is the top.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from .solver import AGE, FUEL, MARK, SMOKE, TEMPERATURE

CHANNELS = ("emission", "optical_depth", "temperature", "depth", "velocity_x", "velocity_y", "age", "fuel")
UNITS = ("", "", "K", "m", "px/frame", "px/frame", "s", "")
"""What the channels of a picture are, in this order: see ``project``."""

_FAINT = 1e-4  # a weight far below which a pixel holds nothing: means fade to rest instead of dividing by zero
_COLD_SHARE = 0.01  # what cold smoke counts in the mean temperature, against the light of hot gas


@dataclass(frozen=True)
class Optics:
    """How gas looks; each a tensor (B,). The first four are for a layer as thick as the box is high.

    Light is an amount only: an artist who changes the temperature changes the colour, not the brightness.

    ``glow``, ``ember``: light from fuel 1 and from smoke 1 as hot as the ``hottest`` gas (K above the air); it goes
    with the fourth power. ``extinction``, ``veil``: optical depth of smoke 1 and of fuel 1. ``height``: of the box, in
    metres. ``ambient``: K.
    """

    glow: Tensor
    ember: Tensor
    extinction: Tensor
    veil: Tensor
    hottest: Tensor
    height: Tensor
    ambient: Tensor


@dataclass(frozen=True)
class Volume:
    """The box at one moment. ``scalars`` (B, 5, Z, Y, X): see ``solver``. ``velocity`` (B, 3, ...): cells a frame."""

    scalars: Tensor
    velocity: Tensor
    optics: Optics

    def coarser(self, factor: int) -> "Volume":
        """The same in cells ``factor`` times as large, each the mean of the fine ones in it.

        Raises ``ValueError`` where the sizes do not divide by ``factor``.
        """
        if any(size % factor for size in self.scalars.shape[2:]):
            raise ValueError(f"{tuple(self.scalars.shape[2:])} cells do not divide by {factor}")
        velocity = F.avg_pool3d(self.velocity, factor) / factor
        return replace(self, scalars=F.avg_pool3d(self.scalars, factor), velocity=velocity)

    def turned(self, quarters: int) -> "Volume":
        """Seen from another side: the box turned about y by quarters of a circle, right to back."""
        scalars, (x, y, z) = self.scalars.rot90(quarters, (2, 4)), self.velocity.rot90(quarters, (2, 4)).unbind(1)
        for _ in range(quarters % 4):
            x, z = z, -x
        return replace(self, scalars=scalars, velocity=torch.stack((x, y, z), 1))


def project(volume: Volume) -> Tensor:
    """Pictures (B, 8, Y, X), float32.

    ``emission``: light that reaches the camera, 0 and up. ``optical_depth``: of the whole column. ``temperature``: K,
    of what glows, or where nothing does of the smoke; ambient where the column is empty. ``depth``: m behind the box's
    front. ``velocity_x`` to the right and ``velocity_y`` downward, pixels a frame. ``age``: s since it was emitted.
    ``fuel``: unburnt, in heights of the box at fuel 1. The means are weighted with what each cell adds to the picture,
    by its light and by what it hides; in empty columns they are zero.
    """
    scalars, optics = volume.scalars.flip(2), volume.optics  # the cell nearest to the camera first
    velocity = volume.velocity.flip(2)
    batch, _, depth, height, _ = scalars.shape
    thick = 1 / height

    def column(values: Tensor) -> Tensor:
        return values.view(batch, 1, 1, 1)

    heat, smoke, fuel, mark = (scalars[:, channel] for channel in (TEMPERATURE, SMOKE, FUEL, MARK))
    hidden = (column(optics.extinction) * smoke + column(optics.veil) * fuel) * thick
    through = hidden.cumsum(1)
    reaching = torch.exp(hidden - through)
    hiding = reaching * -torch.expm1(-hidden)
    light = reaching * torch.exp(-0.5 * hidden) * thick
    light *= (column(optics.glow) * fuel + column(optics.ember) * smoke) * (heat / column(optics.hottest)) ** 4

    def mean(field: Tensor, weight: Tensor) -> Tensor:
        return (field * weight).sum(1) / (weight.sum(1) + _FAINT)

    weight = light + hiding
    metres = (torch.arange(depth, device=scalars.device) + 0.5).view(1, depth, 1, 1) * column(optics.height * thick)
    planes = (
        light.sum(1),
        through[:, -1],
        mean(heat, light + _COLD_SHARE * hiding) + optics.ambient.view(batch, 1, 1),
        mean(metres, weight),
        mean(velocity[:, 0], weight),
        -mean(velocity[:, 1], weight),
        mean(scalars[:, AGE] / (mark + _FAINT), weight),
        (reaching * fuel).sum(1) * thick,
    )
    return torch.stack(planes, 1).flip(2)
