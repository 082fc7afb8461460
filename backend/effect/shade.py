"""From what was measured of a volume to what a camera records: scene-linear, premultiplied RGBA.

Fire glows with the colour of its temperature. Smoke scatters a lamp's light, the sky's, and that of the fire inside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .blackbody import glow
from .controls import Value
from .lighting import LAMP, Lit
from .physics import number
from .projection import CHANNELS
from .resample import enlarged

EXPOSURE: Mapping[str, float] = {"fire": 6.0, "smoke": 6.0, "explosion": 24.0}
"""Luminance of emission 1 from the hottest gas."""
FIRELIGHT: Mapping[str, float] = {"fire": 4.0, "smoke": 4.0, "explosion": 14.0}
"""The same for light that smoke scatters: it is lit from inside."""
_LAMP_COLOUR = (1.35, 1.26, 1.12)
_SKY_COLOUR = (0.2, 0.235, 0.29)
_UNLIT = 0.08  # of lamp and sky that reaches the deepest shadow: light from the ground and the surroundings
_RELIEF = 0.5  # how deep the detail of the fine picture is modelled by the lamp
_FAINT = 1e-3
_LAYER = CHANNELS.index


@dataclass(frozen=True)
class Shading:
    """What colours a kind. ``albedo``: share of the light that smoke scatters on. ``hottest``: K."""

    kind: str
    albedo: tuple[float, float, float]
    hottest: float

    @classmethod
    def of(cls, kind: str, values: Mapping[str, Value]) -> "Shading":
        """From the values of the controls at a frame."""
        colour = values["smoke_colour"]
        if not isinstance(colour, tuple):
            raise TypeError("smoke has a colour of three numbers")
        return cls(kind, colour, number(values["temperature"]))


def shade(fine: Tensor, lit: Lit, shading: Shading, factor: int, height: float) -> Tensor:
    """Pictures (B, 8, H, W) of ``projection.CHANNELS`` to RGBA (B, 4, H, W), scene-linear, premultiplied.

    ``lit``: the light on the smoke in the coarse picture, which is ``factor`` times smaller. ``height``: of the box, in
    metres. Alpha is 1 - exp(-optical depth). Fire adds light without hiding what is behind it.
    """
    emission, density = (fine[:, _LAYER(name)].clamp(min=0) for name in ("emission", "optical_depth"))
    alpha = -torch.expm1(-density)[:, None]
    fire = glow(fine[:, _LAYER("temperature")], shading.hottest).movedim(-1, 1)
    fire = fire * (emission * EXPOSURE[shading.kind])[:, None]
    lights = _spread(lit, factor)
    relief = _relief(fine, alpha, factor, height)

    def column(colour: tuple[float, float, float]) -> Tensor:
        return fine.new_tensor(colour).view(1, 3, 1, 1)

    lamp = lights[:, :1] * (1 + relief)
    sky = lights[:, 1:2] * (1 + 0.3 * relief)
    daylight = column(_LAMP_COLOUR) * lamp + column(_SKY_COLOUR) * (sky + _UNLIT)
    glowing = lights[:, 2:] * FIRELIGHT[shading.kind] * (1 - 0.3 * relief)
    smoke = column(shading.albedo) * (daylight + glowing) * alpha
    return torch.cat((smoke + fire, alpha), 1)


def _spread(lit: Lit, factor: int) -> Tensor:
    """The light at the fine picture's size. Where the coarse one has no smoke, as nearby."""
    both = torch.cat((lit.weighted, lit.weight), 1)
    padded = F.pad(both, (1, 1, 1, 1), mode="replicate")
    both = both + _FAINT * 10 * F.avg_pool2d(padded, 3, 1)
    floor = lit.weighted.new_tensor([1.0, 1.0, 0.0, 0.0, 0.0, 1.0]).view(1, 6, 1, 1) * _FAINT**2
    fine = enlarged(both + floor, factor)
    return fine[:, :-1] / fine[:, -1:]


def _relief(fine: Tensor, alpha: Tensor, factor: int, height: float) -> Tensor:
    """How much more, or less, than its surroundings the lamp lights each pixel (B, 1, H, W), about -1..1.

    From the slope of the surface that one sees, of which only what is finer than the coarse picture counts: the rest of
    the shading was done in the volume. Thin smoke has no surface; it bulges by its optical depth.
    """
    pixels = fine.shape[2] / height
    depth = fine[:, _LAYER("depth")][:, None] * pixels
    bulge = torch.log1p(fine[:, _LAYER("optical_depth")].clamp(min=0))[:, None] * factor
    around = _blurred(torch.cat((depth * alpha, alpha), 1), factor)
    surface = torch.where(alpha > 0.05, depth - around[:, :1] / (around[:, 1:] + _FAINT), 0.0) * alpha
    rise = _blurred(bulge - surface, 1) - _blurred(bulge - surface, factor)
    padded = F.pad(rise, (1, 1, 1, 1), mode="replicate")
    right = (padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]) * 0.5
    down = (padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]) * 0.5
    x, y, _ = LAMP
    facing = (-right * x + down * y) * torch.rsqrt(1 + right**2 + down**2)
    return _RELIEF * torch.tanh(0.5 * facing)


def _blurred(pictures: Tensor, radius: int) -> Tensor:
    """A tent of so many pixels to each side."""
    for _ in range(2):
        padded = F.pad(pictures, (radius // 2, radius // 2) * 2, mode="replicate") if radius > 1 else pictures
        pictures = F.avg_pool2d(padded, radius // 2 * 2 + 1, 1) if radius > 1 else pictures
    return pictures
