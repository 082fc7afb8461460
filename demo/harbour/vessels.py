"""What floats and flies: rowing boats, a sailing boat, a balloon."""

import math

import bpy

from . import materials as m
from .forms import Form, Materials, Point, place


def hull(length: float, beam: float, depth: float) -> Form:
    """A boat's shell, bow toward +x, its gunwale near z = depth."""

    def surface(u: float, v: float) -> Point:
        along = u * 2 - 1
        fine = math.sqrt(max(0.0, 1 - max(0.0, along) ** 2.4)) * (0.80 + 0.20 * min(1.0, 1 - max(0.0, -along) ** 3))
        around = (v - 0.5) * math.pi
        sheer = depth * (1.0 + 0.30 * along * along)
        return (
            along * length / 2 + 0.25 * max(0.0, along) * math.cos(around * 0.5),
            math.sin(around) * beam / 2 * fine,
            sheer - math.cos(around) ** 0.6 * (sheer + depth * 0.35),
        )

    return Form().sheet(surface, 28, 16)


def rowing_boats(parts: Materials) -> None:
    """Four boats along the quay and the pier."""
    moored = (
        ("Blue boat", (0.05, 0.22, 0.42), (-0.6, -1.7, 0.05), 0.25),
        ("Red boat", (0.55, 0.06, 0.04), (4.2, -1.4, 0.05), -0.12),
        ("Green boat", (0.06, 0.30, 0.20), (6.6, -4.6, 0.05), 1.35),
        ("White boat", (0.80, 0.76, 0.66), (12.4, -4.0, 0.05), 1.75),
    )
    for name, colour, at, turn in moored:
        form = hull(3.2, 1.25, 0.42)
        for along in (-0.8, 0.1, 0.9):
            form.box((along, 0, 0.28), (0.24, 1.0, 0.05), 1)
        form.box((0, 0, 0.02), (2.4, 0.7, 0.05), 1).rod((-1.0, -0.75, 0.52), (1.1, 0.1, 0.40), 0.035, 1)
        place(form.mesh(name, [m.plain(name, colour, 0.45), parts["planks"]]), name, at, turn)


def sailing_boat(parts: Materials) -> bpy.types.Object:
    """A small yacht under striped sail: returned, to be animated."""
    ship = hull(5.0, 1.7, 0.62)
    ship.box((-0.3, 0, 0.42), (4.0, 1.3, 0.06), 1).box((-0.9, 0, 0.68), (1.5, 0.9, 0.5), 3, taper=0.85)
    ship.rod((0.5, 0, 0.2), (0.5, 0, 6.6), 0.075, 1).rod((0.5, 0, 1.15), (-2.5, 0.5, 1.25), 0.06, 1)
    ship.rod((2.5, 0, 0.75), (3.5, 0, 1.0), 0.05, 1)

    def main_sail(u: float, v: float) -> Point:
        wide = (1 - v) ** 0.85
        belly = 0.55 * math.sin(math.pi * u * 0.9) * math.sin(math.pi * min(1.0, v + 0.12)) * wide
        return (0.42 - u * 2.9 * wide, 0.45 * u * wide + belly, 1.3 + v * 5.1)

    def jib(u: float, v: float) -> Point:
        wide = 1 - v
        return (
            3.4 - v * 2.8 - u * 2.4 * wide,
            0.5 * math.sin(math.pi * u) * wide + 0.3 * u * wide,
            1.1 + v * 4.7 + 0.15 * u * wide,
        )

    ship.sheet(main_sail, 16, 24, 2).sheet(jib, 12, 18, 4)
    sails = m.stripes("Sail", ((0.90, 0.84, 0.70), (0.72, 0.13, 0.07)), 0.85)
    canvas = m.plain("Jib", (0.90, 0.84, 0.70), 0.8)
    slots = [m.plain("Hull", (0.03, 0.13, 0.20), 0.35), parts["planks"], sails, parts["cabin"], canvas]
    return place(ship.mesh("Sailing boat", slots), "Sailing boat")


def hot_air_balloon(parts: Materials) -> bpy.types.Object:
    """A balloon of sewn silk with its basket: returned, to be animated."""
    skin = [(0.35, 0.0), (0.6, 0.35), (1.25, 1.25), (1.8, 2.2), (2.05, 3.1)]
    crown = [(1.95, 3.9), (1.5, 4.65), (0.8, 5.1), (0.02, 5.25)]
    balloon = Form().turned(skin + crown, 0, 36).turned([(0.36, -0.05), (0.40, 0.1)], 2, 20)
    balloon.box((0, 0, -1.45), (0.62, 0.62, 0.5), 1, taper=1.15)
    for x in (-0.3, 0.3):
        for y in (-0.3, 0.3):
            balloon.rod((x, y, -1.2), (x * 1.1, y * 1.1, 0.0), 0.02, 1, 6)
    silk = m.gores("Balloon silk", ((0.85, 0.50, 0.06), (0.66, 0.09, 0.07)), 16)
    return place(balloon.mesh("Balloon", [silk, parts["post"], parts["brick red"]]), "Balloon")
