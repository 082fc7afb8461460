"""Small waters, and what is read off them."""

from itertools import pairwise

import torch

from backend.effect.water.controls import Ocean, Pool, Rain, River
from backend.effect.water.simulation import Simulation

CPU = torch.device("cpu")
CHANNELS = ("height", "displacement_x", "displacement_z", "slope_x", "slope_z", "foam", "caustics")


def channels_of(surface):
    slope = -surface.normal[[0, 2]] / surface.normal[1:2]
    return torch.cat([surface.height, surface.displacement, slope, surface.foam, surface.caustics])


def loop(water, size=64, frames=8, wanted=None):
    """(frames, 7, size, size), in the order of CHANNELS."""
    return torch.stack([channels_of(surface) for _, surface in Simulation(water, size, frames).surfaces(wanted)])


def channel(channels, name):
    return channels[:, CHANNELS.index(name)]


def heights(water, size=64, frame=0):
    return channel(loop(water, size, wanted=[frame]), "height")[0]


def significant(height):
    return 4 * float(height.std())


def rising(values):
    return all(a < b for a, b in pairwise(values))


LIVELY = {
    "ocean": Ocean(wind_speed=15, foam=3, scale=48, loop_seconds=4),
    "river": River(turbulence=0.8, foam=2, loop_seconds=3),
    "pool": Pool(loop_seconds=3),
    "rain": Rain(loop_seconds=2, rain_rate=250),
}
