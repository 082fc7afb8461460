"""Water as a camera above it sees a tile: the sky and the sun in its waves, the lit floor below, foam on top.

The camera is infinitely far, so that the picture repeats as the tile does.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from .caustics import WATER
from .controls import Water
from .grid import Grid, warped
from .kinds import angle
from .simulation import Surface

VIEW = math.radians(58)  # from the vertical, toward the tile's lower edge
SUN_COLOUR = (6.0, 5.4, 4.6)
_ZENITH, _HORIZON = (0.16, 0.34, 0.72), (0.62, 0.74, 0.86)
_FLOORS: Mapping[str, tuple[float, float, float]] = {
    "ocean": (0.50, 0.46, 0.36),  # sand
    "river": (0.24, 0.21, 0.15),  # pebbles
    "pool": (0.48, 0.60, 0.64),  # tiles
    "rain": (0.05, 0.05, 0.055),  # wet asphalt
}
_BODY = (0.008, 0.06, 0.085)  # what deep water scatters back
# 1/m: clear sea water at 610, 540 and 460 nm, rounded from Pope and Fry 1997, table 3, plus some scattering
_ABSORBED = (0.28, 0.07, 0.03)
_FOAM = (0.86, 0.88, 0.90)
_THROUGH = 3.0  # how much brighter a wave's body is for it
_GLINT = 260.0  # sharpness of the sun in ripples that are too small for the grid (Blinn and Phong's exponent)
_RIPPLES = 0.10  # how much of the sun's light that spreads over


def shade(surface: Surface, controls: Water, grid: Grid) -> Tensor:
    """Scene-linear RGB (3, N, N), 0 and up, opaque."""
    normal = surface.normal
    eye = normal.new_tensor([0.0, math.cos(VIEW), math.sin(VIEW)]).view(3, 1, 1)
    facing = (normal * eye).sum(0, keepdim=True).clamp(min=0.02)
    mirror = fresnel(facing)
    reflected = 2 * facing * normal - eye
    elevation = reflected[1:2].clamp(min=0)
    sky = _mixed(_HORIZON, _ZENITH, elevation.sqrt(), normal)
    sun = sun_direction(controls).to(normal)
    half = torch.nn.functional.normalize(sun + eye, dim=0)
    glint = (normal * half).sum(0, keepdim=True).clamp(min=0) ** _GLINT * _RIPPLES * (_GLINT + 8) / (8 * math.pi)
    below = _below(surface, controls, grid, facing, eye)
    water = mirror * sky + (1 - mirror) * below + glint * _column(SUN_COLOUR, normal)
    daylight = (normal * sun).sum(0, keepdim=True).clamp(min=0) * 0.75 + 0.25
    return torch.lerp(water, _column(_FOAM, normal) * daylight, surface.foam)


def fresnel(facing: Tensor) -> Tensor:
    """Share of light that water mirrors, for the cosine of the angle of incidence: Schlick 1994, equation 15."""
    least = ((WATER - 1) / (WATER + 1)) ** 2
    return least + (1 - least) * (1 - facing).clamp(0, 1) ** 5


def sun_direction(controls: Water) -> Tensor:
    """Toward the sun, (3, 1, 1): x, y up, z."""
    up, across = math.radians(controls.sun_elevation), angle(controls.sun_azimuth)
    level = math.cos(up)
    return torch.tensor([-level * math.cos(across), math.sin(up), -level * math.sin(across)]).view(3, 1, 1)


def _below(surface: Surface, controls: Water, grid: Grid, facing: Tensor, eye: Tensor) -> Tensor:
    """What comes up through the surface: the floor with its caustics, dimmed by the water; deep down, the water."""
    normal = surface.normal
    ratio = 1 / WATER
    ray = -ratio * eye + (ratio * facing - torch.sqrt(1 - ratio**2 * (1 - facing**2))) * normal
    deep = min(controls.light_depth, controls.depth)
    slope = ray[[0, 2]] / ray[1:2].abs().clamp(min=0.3)
    straight = ray[[0, 2]].mean((1, 2), keepdim=True) / ray[1:2].abs().mean()
    floor = warped(surface.caustics[0], (slope - straight) * deep, grid)[None]
    way = 2 * controls.depth
    left = _column(tuple(math.exp(-item * way) for item in _ABSORBED), normal)  # type: ignore[arg-type]
    light = math.sin(math.radians(controls.sun_elevation))
    # Slopes that face the camera are looked through: the light that fell on their back comes out.
    through = 1 + _THROUGH * (normal * eye).sum(0, keepdim=True).sub(math.cos(VIEW)).clamp(min=0)
    return _column(_FLOORS[controls.kind], normal) * floor * left * light + _column(_BODY, normal) * through * (
        1 - left
    )


def _mixed(low: tuple[float, float, float], high: tuple[float, float, float], share: Tensor, like: Tensor) -> Tensor:
    return torch.lerp(_column(low, like), _column(high, like), share)


def _column(colour: tuple[float, float, float], like: Tensor) -> Tensor:
    return like.new_tensor(colour).view(3, 1, 1)
