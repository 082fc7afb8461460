"""From what was measured of a volume to what a camera records: scene-linear, premultiplied RGBA.

Fire glows with the colour of its temperature. Smoke scatters a lamp's light, the sky's, and that of the fire inside it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..images import LUMINANCE
from .blackbody import glow
from .controls import Value
from .lighting import LAMP, Lit
from .physics import CHARACTERS, number
from .projection import CHANNELS
from .resample import enlarged

EXPOSURE: Mapping[str, float] = {"fire": 0.7, "smoke": 0.8, "explosion": 2.6}
"""Luminance of emission 1 from the hottest gas."""
FIRELIGHT: Mapping[str, float] = {"fire": 0.8, "smoke": 0.8, "explosion": 1.8}
"""The same for light that smoke scatters: it is lit from inside."""
FLAME = 8.0  # optical depth of emission 1: soot that glows hides as it shines (Kirchhoff 1860)
_LAMP_COLOUR = (1.75, 1.64, 1.46)
_SKY_COLOUR = (0.2, 0.235, 0.29)
_UNLIT = 0.08  # of lamp and sky that reaches the deepest shadow: light from the ground and the surroundings
_FLUFF = 0.027  # heights of the box by which smoke bulges toward the camera where its optical depth is e - 1
_FLAT = 0.28  # how much of the depth counts: smoke is soft
_MODELLED = 512  # rows from which on relief no longer grows with the picture: detail gets finer instead
_SIZES = (0.3, 0.6, 1.0, 1.0, 0.7)  # how much relief of 1, 2, 4, 8 and 16 pixels counts
_TURNED, _SUNKEN = 0.42, 0.45  # how much light a slope gets more, or less, and how much less a hollow gets
_DEEP = 4  # pixels: depth is not drawn as finely as density
_ABOVE, _ASIDE, _BELOW = 0.2, 0.1, 0.04  # of a frame, from its top, its sides and its foot, over which gas thins out
_FAINT = 1e-3
LARGEST = 1_500_000  # pixels that are shaded at once
_BAND = 256  # rows of which the brightness is taken at once
_CELL = 2 ** (len(_SIZES) - 1)  # pixels of a side: the largest relief
MARGIN = 8 * _CELL  # pixels around it that a pixel's shade depends on
_LAYER = CHANNELS.index


@dataclass(frozen=True)
class Shading:
    """What colours a kind. ``albedo``: share of the light that smoke scatters on. ``hottest``: K. ``bright``: by how
    much fire is turned up.
    """

    kind: str
    albedo: tuple[float, float, float]
    hottest: float
    bright: float = 1.0

    @classmethod
    def of(cls, kind: str, values: Mapping[str, Value]) -> "Shading":
        """From the values of the controls at a frame."""
        colour = values["smoke_colour"]
        if not isinstance(colour, tuple):
            raise TypeError("smoke has a colour of three numbers")
        bright = 1.0 if CHARACTERS[kind].briskness else number(values["intensity"])
        return cls(kind, colour, number(values["temperature"]), bright)


def shade(fine: Tensor, lit: Lit, shading: Shading, factor: int, height: float, most: int = LARGEST) -> Tensor:
    """Pictures (B, 8, H, W) of ``projection.CHANNELS`` to RGBA (B, 4, H, W), scene-linear, premultiplied.

    ``lit``: the light on the smoke in the coarse picture, which is ``factor`` times smaller. ``height``: of the box, in
    metres. Alpha is 1 - exp(-optical depth), that of the flames, ``FLAME``, included. Pictures of more than ``most``
    pixels are shaded in bands, for the memory's sake; it makes no difference to them.
    """
    rows, width = fine.shape[2:]
    modelled = min(rows, _MODELLED)
    relief = modelled * _FLUFF, modelled * _FLAT / height
    if rows * width <= most:
        return _shade(fine, lit, shading, factor, relief)
    unit = max(_CELL, factor)  # both are powers of two: bands begin where cells and reliefs do
    band, margin = max(most // width // unit, 1) * unit, -(-MARGIN // unit) * unit
    bands = []
    for top in range(0, rows, band):
        first, end = max(top - margin, 0), min(top + band + margin, rows)
        cells = slice(first // factor, end // factor)
        part = Lit(lit.weighted[:, :, cells], lit.weight[:, :, cells])
        shaded = _shade(fine[:, :, first:end], part, shading, factor, relief)
        bands.append(shaded[:, :, top - first : min(top + band, rows) - first])
    return torch.cat(bands, 2)


def fading(density: Tensor, kind: str) -> Tensor:
    """How far gas of an optical depth (H, W) is seen in a frame, 0..1: toward the top and the sides it thins out.

    What the box can hold ends there, but nobody shall see where; nor, at its foot, that the floor was flat. Flames do
    stand on what burns.
    """
    height, width = density.shape
    across, down = (torch.arange(width) + 0.5) / width, (torch.arange(height) + 0.5) / height
    aside, along = torch.minimum(across, across.flip(0)) / _ASIDE, down / _ABOVE
    if kind != "fire":
        along = torch.minimum(along, down.flip(0) / _BELOW)
    left = (aside.clamp(max=1) * along.clamp(max=1)[:, None]) ** 4
    there = density.clamp(min=1e-3)
    return torch.expm1(-left * there) / torch.expm1(-there)


def brightness(fine: Tensor, shading: Shading) -> float:
    """Mean linear luminance of the light that pictures (B, 8, H, W) give off themselves: fire, not lit smoke."""
    weights = fine.new_tensor(LUMINANCE).view(3, 1, 1)
    return float(sum((_fire(row, shading) * weights).sum(dtype=torch.float64) for row in fine.split(_BAND, 2))) / (
        fine[:, 0].numel()
    )


def _fire(fine: Tensor, shading: Shading) -> Tensor:
    """Light given off, (B, 3, H, W)."""
    light = fine[:, _LAYER("emission")].clamp(min=0) * (EXPOSURE[shading.kind] * shading.bright)
    return glow(fine[:, _LAYER("temperature")], shading.hottest).movedim(-1, 1) * light[:, None]


def _shade(fine: Tensor, lit: Lit, shading: Shading, factor: int, relief: tuple[float, float]) -> Tensor:
    """``relief``: see ``_relief``."""
    alpha = -torch.expm1(-fine[:, _LAYER("optical_depth")].clamp(min=0))[:, None]
    fire = _fire(fine, shading)
    lights = _spread(lit, factor)
    turned, sunken = _relief(fine, alpha, *relief).split(1, 1)

    def column(colour: tuple[float, float, float]) -> Tensor:
        return fine.new_tensor(colour).view(1, 3, 1, 1)

    open_ = torch.exp(-_SUNKEN * sunken)
    lamp = lights[:, :1] * torch.exp(_TURNED * turned) * open_
    sky = lights[:, 1:2] * open_
    daylight = column(_LAMP_COLOUR) * lamp + column(_SKY_COLOUR) * (sky + _UNLIT)
    glowing = lights[:, 2:] * (FIRELIGHT[shading.kind] * shading.bright) * open_
    smoke = column(shading.albedo) * (daylight + glowing) * alpha
    flames = torch.exp(-FLAME * fine[:, _LAYER("emission")].clamp(min=0))[:, None]
    return torch.cat((smoke + fire, 1 - (1 - alpha) * flames), 1)


def _spread(lit: Lit, factor: int) -> Tensor:
    """The light at the fine picture's size. Where the coarse one has no smoke, as nearby."""
    both = torch.cat((lit.weighted, lit.weight), 1)
    padded = F.pad(both, (1, 1, 1, 1), mode="replicate")
    both = both + _FAINT * 10 * F.avg_pool2d(padded, 3, 1)
    floor = lit.weighted.new_tensor([1.0, 1.0, 0.0, 0.0, 0.0, 1.0]).view(1, 6, 1, 1) * _FAINT**2
    fine = enlarged(both + floor, factor)
    return fine[:, :-1] / fine[:, -1:]


def _relief(fine: Tensor, alpha: Tensor, fluff: float, nearness: float) -> Tensor:
    """How far the surface that one sees turns to the lamp at each pixel, and how far it lies in a hollow: (B, 2, H, W),
    about -2..2.

    Smoke bulges toward the camera by its optical depth, ``fluff`` pixels where that is e - 1, and is ``nearness``
    pixels nearer for every metre less of depth; thin smoke has no surface. Of such a relief, every size is judged by
    itself and softly, by a pyramid of ever larger pixels: light that is scattered about in smoke shows its billows,
    and none of the edges that a stone would have.
    """
    rise = torch.log1p(fine[:, _LAYER("optical_depth")].clamp(min=0))[:, None] * fluff
    rise = rise - _smooth_depth(fine[:, _LAYER("depth")][:, None], alpha) * nearness
    rows, width = rise.shape[2:]
    levels = [F.pad(rise, (0, -width % _CELL, 0, -rows % _CELL), mode="replicate")]
    for _ in _SIZES[1:]:
        levels.append(F.avg_pool2d(levels[-1], 2))
    x, y, _ = LAMP
    right, up = round(x / abs(x)), round(y / abs(y))
    total = around = None
    for level, size in reversed(list(enumerate(_SIZES))):
        here = levels[level]
        turned = (_beside(here, -right, -up) - _beside(here, right, up)) / (2 * math.sqrt(2))
        sunken = torch.zeros_like(here) if around is None else around - here
        own = torch.tanh(torch.cat((turned, sunken), 1) / 2**level) * size
        total = own if total is None else enlarged(total, 2) + own
        around = enlarged(here, 2)
    assert total is not None
    return total[:, :, :rows, :width] * alpha


def _beside(heights: Tensor, right: int, up: int) -> Tensor:
    """What lies one pixel aside or less; at the border as there."""
    sides = F.pad(heights, (1, 1, 1, 1), mode="replicate")
    return sides[:, :, 1 - up : sides.shape[2] - 1 - up, 1 + right : sides.shape[3] - 1 + right]


def _smooth_depth(depth: Tensor, alpha: Tensor) -> Tensor:
    """(B, 1, H, W) without what is finer than ``_DEEP`` pixels. Where there is no smoke, as nearby."""
    rows, width = depth.shape[2:]
    cell = _DEEP * _DEEP
    both = F.pad(torch.cat((depth * alpha, alpha), 1), (0, -width % cell, 0, -rows % cell))
    near = F.avg_pool2d(both, _DEEP)
    wide = F.avg_pool2d(F.pad(F.avg_pool2d(near, _DEEP), (1, 1, 1, 1), mode="replicate"), 3, 1)
    smooth = enlarged(near + 10 * _FAINT * enlarged(wide, _DEEP), _DEEP)[:, :, :rows, :width]
    return smooth[:, :1] / (smooth[:, 1:] + _FAINT**3)
