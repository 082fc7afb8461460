"""From what was measured of a volume to what a camera records: scene-linear, premultiplied RGBA.

Fire glows with the colour of its temperature. Smoke scatters a lamp's light, the sky's, and that of the fire inside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .blackbody import LUMINANCE, glow
from .controls import Value
from .lighting import LAMP, Lit
from .physics import CHARACTERS, number
from .projection import CHANNELS
from .resample import enlarged

EXPOSURE: Mapping[str, float] = {"fire": 0.7, "smoke": 0.8, "explosion": 2.6}
"""Luminance of emission 1 from the hottest gas."""
FIRELIGHT: Mapping[str, float] = {"fire": 0.8, "smoke": 0.8, "explosion": 1.8}
"""The same for light that smoke scatters: it is lit from inside."""
FLAME = 3.0  # optical depth of emission 1: soot that glows hides as it shines (Kirchhoff 1860)
_LAMP_COLOUR = (1.35, 1.26, 1.12)
_SKY_COLOUR = (0.2, 0.235, 0.29)
_UNLIT = 0.08  # of lamp and sky that reaches the deepest shadow: light from the ground and the surroundings
LEARNED = 144  # rows of the pictures that were learned from: in larger ones, detail is as deep and not as wide
_RELIEF = 0.4  # how deep the detail of the fine picture is modelled by the lamp
_FAINT = 1e-3
LARGEST = 1_500_000  # pixels that are shaded at once
_BAND = 256  # rows of which the brightness is taken at once
MARGIN = 4  # coarse pixels around it that a pixel's shade depends on
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
    pixels = min(rows, LEARNED) / height
    if rows * width <= most:
        return _shade(fine, lit, shading, factor, pixels)
    band = max(most // width // factor, 1) * factor
    bands = []
    for top in range(0, rows, band):
        first, end = max(top - MARGIN * factor, 0), min(top + band + MARGIN * factor, rows)
        cells = slice(first // factor, end // factor)
        part = Lit(lit.weighted[:, :, cells], lit.weight[:, :, cells])
        shaded = _shade(fine[:, :, first:end], part, shading, factor, pixels)
        bands.append(shaded[:, :, top - first : min(top + band, rows) - first])
    return torch.cat(bands, 2)


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


def _shade(fine: Tensor, lit: Lit, shading: Shading, factor: int, pixels: float) -> Tensor:
    """``pixels``: to a metre, in a picture of at most ``LEARNED`` rows."""
    alpha = -torch.expm1(-fine[:, _LAYER("optical_depth")].clamp(min=0))[:, None]
    fire = _fire(fine, shading)
    lights = _spread(lit, factor)
    relief = _relief(fine, alpha, factor, pixels)

    def column(colour: tuple[float, float, float]) -> Tensor:
        return fine.new_tensor(colour).view(1, 3, 1, 1)

    lamp = lights[:, :1] * (1 + relief)
    sky = lights[:, 1:2] * (1 + 0.3 * relief)
    daylight = column(_LAMP_COLOUR) * lamp + column(_SKY_COLOUR) * (sky + _UNLIT)
    glowing = lights[:, 2:] * (FIRELIGHT[shading.kind] * shading.bright) * (1 - 0.3 * relief)
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


def _relief(fine: Tensor, alpha: Tensor, factor: int, pixels: float) -> Tensor:
    """How much more, or less, than its surroundings the lamp lights each pixel (B, 1, H, W), about -1..1.

    From the slope of the surface that one sees, of which only what is finer than the coarse picture counts: the rest of
    the shading was done in the volume. Thin smoke has no surface; it bulges by its optical depth.
    """
    depth = fine[:, _LAYER("depth")][:, None] * pixels
    bulge = torch.log1p(fine[:, _LAYER("optical_depth")].clamp(min=0))[:, None] * factor
    around = _blurred(torch.cat((depth * alpha, alpha, bulge), 1), factor)
    surface = (around[:, :1] / (around[:, 1:2] + _FAINT) - depth) * alpha**2
    rise = F.pad(surface + bulge - around[:, 2:], (1, 1, 1, 1), mode="replicate")
    right = (rise[:, :, 1:-1, 2:] - rise[:, :, 1:-1, :-2]) * 0.5
    down = (rise[:, :, 2:, 1:-1] - rise[:, :, :-2, 1:-1]) * 0.5
    x, y, _ = LAMP
    facing = (down * y - right * x) * torch.rsqrt(1 + right**2 + down**2)
    return _RELIEF * torch.tanh(0.5 * facing)


def _blurred(pictures: Tensor, radius: int) -> Tensor:
    """The mean under a tent that reaches ``radius`` pixels, an even number, to each side."""
    half = radius // 2
    for across, down in ((half, 0), (0, half)) * 2:  # one side after the other: so it costs the less
        padded = F.pad(pictures, (across, across, down, down), mode="replicate")
        pictures = F.avg_pool2d(padded, (2 * down + 1, 2 * across + 1), 1)
    return pictures
