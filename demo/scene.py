"""Builds the demo's scene, a small harbour in late light, and saves it: ``python -m demo.scene FILE.blend``.

Everything is made here by code. The camera glides along the quay, a sailing boat and a balloon cross the picture.
"""

import math
import random
import sys
from pathlib import Path

import bpy
from mathutils import Vector, noise

from . import materials as m
from .forms import Form, Point, place

FIRST, LAST, FPS = 1, 24, 24
WIDTH, HEIGHT, SAMPLES = 640, 360, 16
QUAY = 1.1  # the quay's height over the water, metres


def ground(x: float, y: float) -> float:
    """Height of the land: a hill behind the quay, falling to the sea at both ends."""
    rise = max(0.0, min(1.0, (y - 3.0) / 24.0))
    rise = rise * rise * (3 - 2 * rise)
    ridge = math.exp(-(((x - 5.0) / 17.0) ** 2))
    land = QUAY - 0.15 + 13.5 * rise * ridge + 0.5 * rise * noise.fractal(Vector((x * 0.15, y * 0.15, 0)), 1.0, 2.0, 4)
    coast = max(0.0, abs(x - 3.0) - 15.0) / 7.0
    return land - 3.5 * coast * coast * max(0.0, 1.0 - rise * 0.4)


def house(
    name: str, at: Point, size: Point, walls: bpy.types.Material, parts: dict[str, bpy.types.Material],
    shutter: str, rng: random.Random, turn: float = 0.0,
) -> None:  # fmt: skip
    """A plastered house with a tiled gable roof; its front looks toward -y. ``size`` is width, depth, wall height."""
    wide, deep, high = size
    form = Form().box((0, 0, high / 2 - 1.0), (wide, deep, high + 2.0))
    peak, over = high + wide * 0.27, 0.22
    across = rng.random() < 0.4  # the ridge runs along x, or toward us
    run, rise = (deep / 2, deep * 0.27) if across else (wide / 2, wide * 0.27)
    peak = high + rise
    half = wide / 2 if across else deep / 2
    gable = [(s * half, t) for s in (-1, 1) for t in (-1, 0, 1)]
    for s in (-1, 1):
        ends = [(-run, high), (run, high), (0.0, peak)]
        points = [(s * half, u, z) if across else (u, s * half, z) for u, z in ends]
        form.add(points, [(0, 1, 2)])
    del gable
    low = high - over * rise / run
    for s in (-1, 1):
        for lift, slot in ((0.02, 1), (0.14, 1)):
            u = s * (run + over)
            corners = [(-half - over, u, low + lift), (half + over, u, low + lift), (half + over, 0, peak + lift), (-half - over, 0, peak + lift)]
            form.add([(a, b, z) if across else (b, a, z) for a, b, z in corners], [(0, 1, 2, 3)], slot)
    form.rod(*(((-half - over, 0, peak + 0.13), (half + over, 0, peak + 0.13)) if across else ((0, -half - over, peak + 0.13), (0, half + over, peak + 0.13))), 0.13, 1)
    front = -deep / 2
    columns = max(2, round(wide / 1.5))
    floors = max(1, int((high - 0.5) / 1.55))
    door = rng.randrange(columns)
    for floor in range(floors):
        for column in range(columns):
            x = (column + 0.5) / columns * wide - wide / 2
            z = 1.15 + floor * 1.55
            if floor == 0 and column == door:
                form.box((x, front, 0.85), (0.8, 0.12, 1.7), 3)
                form.box((x, front - 0.05, 1.78), (1.05, 0.2, 0.14), 4)
                form.box((x, front - 0.2, 0.05), (1.2, 0.5, 0.14), 4)
                continue
            form.box((x, front, z), (0.56, 0.06, 0.86), 2)
            form.box((x, front - 0.03, z - 0.48), (0.8, 0.18, 0.09), 4)
            form.box((x, front - 0.02, z), (0.05, 0.08, 0.86), 4)
            for s in (-1, 1):
                form.box((x + s * 0.44, front - 0.04, z), (0.28, 0.06, 0.9), 3)
            if floor and rng.random() < 0.35:
                form.box((x, front - 0.16, z - 0.40), (0.7, 0.24, 0.16), 5)
                for k in range(4):
                    form.lump((x - 0.26 + k * 0.17, front - 0.2, z - 0.28), (0.13, 0.13, 0.12), 6 + k % 2, 0.3, 3, k, 6)
    form.box((wide * 0.27, deep * 0.12, peak - 0.1), (0.5, 0.5, 1.1), 0)
    form.box((wide * 0.27, deep * 0.12, peak + 0.5), (0.62, 0.62, 0.14), 1)
    side = wide / 2
    for floor in range(floors):
        form.box((-side, 0.1, 1.15 + floor * 1.55), (0.06, 0.56, 0.86), 2)
        form.box((side, 0.1, 1.15 + floor * 1.55), (0.06, 0.56, 0.86), 2)
    slots = [walls, parts["roof"], parts["glass"], parts[shutter], parts["stone trim"], parts["clay"], parts["leaves"], parts["flower"]]
    place(form.mesh(name, slots), name, at, turn)


def village(parts: dict[str, bpy.types.Material]) -> None:
    """Rows of houses up the hill, each its own colour."""
    rng = random.Random(7)
    paints = {
        "ochre": (0.78, 0.42, 0.10), "coral": (0.78, 0.24, 0.14), "cream": (0.86, 0.72, 0.48), "rose": (0.76, 0.34, 0.32),
        "sky": (0.30, 0.50, 0.66), "white": (0.86, 0.82, 0.74), "mint": (0.42, 0.60, 0.42), "lemon": (0.86, 0.64, 0.20),
    }  # fmt: skip
    walls = {name: m.plaster(f"Plaster {name}", colour) for name, colour in paints.items()}
    rows: list[tuple[float, list[tuple[float, str, float, float]]]] = [
        (5.6, [(-8.2, "white", 3.0, 3.2), (-4.9, "coral", 3.2, 5.0), (-1.6, "lemon", 3.0, 6.4), (1.6, "sky", 3.2, 4.9),
               (4.9, "rose", 3.2, 6.5), (8.3, "cream", 3.4, 5.0), (11.9, "ochre", 3.3, 6.2), (15.3, "white", 3.0, 3.4)]),
        (11.2, [(-3.3, "cream", 3.4, 4.9), (0.4, "ochre", 3.2, 5.0), (3.6, "white", 3.0, 4.8), (6.9, "mint", 3.2, 6.2),
                (10.4, "coral", 3.4, 4.9), (13.6, "lemon", 3.0, 3.4)]),
        (16.8, [(-1.2, "rose", 3.2, 3.3), (2.2, "lemon", 3.0, 4.9), (8.8, "white", 3.4, 4.9), (12.4, "sky", 3.0, 3.4)]),
    ]  # fmt: skip
    shutters = ("teal", "green", "brick red", "indigo")
    for row, (y, houses) in enumerate(rows):
        for number, (x, paint, wide, high) in enumerate(houses):
            near = y + rng.uniform(-0.5, 0.5)
            at = (x, near, ground(x, near - 1.2))
            house(f"House {row + 1}-{number + 1}", at, (wide, rng.uniform(3.2, 3.8), high), walls[paint], parts,
                  shutters[rng.randrange(4)], rng, rng.uniform(-0.09, 0.09))  # fmt: skip


def church(parts: dict[str, bpy.types.Material]) -> None:
    """The church over the village: a nave, a bell tower, and a dome."""
    white = m.plaster("Plaster church", (0.86, 0.78, 0.64))
    form = Form().box((0, 1, 1.2), (4.2, 5.5, 5.4))
    form.box((-2.9, -0.4, 3.2), (1.9, 1.9, 9.4)).box((-2.9, -0.4, 8.0), (2.2, 2.2, 0.25), 2)
    for s in (-1, 1):
        form.box((-2.9 + s * 0.42, -1.36, 6.8), (0.42, 0.06, 1.1), 3).box((-2.9 + s * 0.97, -0.4, 6.8), (0.06, 0.7, 1.1), 3)
    form.turned([(1.15, 0), (1.05, 0.5), (0.75, 1.2), (0.3, 1.9), (0.04, 2.6)], 1, 16, (-2.9, -0.4, 8.1))
    form.turned([(1.9, 0), (1.9, 0.9), (2.05, 0.95), (2.05, 1.1)], 0, 28, (0, 1, 3.8), smooth=False)
    dome = [(1.95 * math.cos(a), 1.9 * math.sin(a)) for a in [i * math.pi / 20 for i in range(10)]]
    form.turned([*dome, (0.25, 1.92), (0.25, 2.5), (0.03, 2.9)], 1, 28, (0, 1, 4.9))
    form.box((0, -1.78, 1.0), (1.1, 0.1, 2.4), 4).turned([(0.55, 0), (0.55, 0.1)], 3, 20, (0, -1.7, 3.0))
    form.box((0, -1.7, 4.0), (4.5, 0.3, 0.25), 2)
    place(form.mesh("Church", [white, m.tiles("Dome tiles", (0.10, 0.30, 0.36)), parts["stone trim"], parts["glass"], parts["teal"]]),
          "Church", (5.4, 19.5, ground(5.4, 18.0) + 0.4))  # fmt: skip


def lighthouse(parts: dict[str, bpy.types.Material]) -> None:
    """A banded tower on a rocky islet at the harbour's mouth."""
    rocks = Form()
    rng = random.Random(3)
    for number in range(11):
        angle, far = rng.uniform(0, math.tau), rng.uniform(0.4, 3.4)
        size = rng.uniform(0.9, 2.0) * (1.25 - far / 5)
        rocks.lump((math.cos(angle) * far * 1.3, math.sin(angle) * far, -0.1), (size * 1.3, size, size * 0.9), 0, 0.45, 1.3, number, 16)
    rocks.lump((0, 0, 0), (2.8, 2.4, 1.5), 0, 0.3, 1.4, 5.0, 20)
    place(rocks.mesh("Islet", [parts["rock"]]), "Islet", (-13.0, 6.5, 0))
    tower = Form().turned([(1.35, 0.3), (1.32, 0.8), (1.1, 1.0), (0.72, 7.2), (1.05, 7.5), (1.05, 7.7)], 0, 32)
    tower.turned([(0.55, 7.7), (0.55, 8.8)], 1, 16).turned([(0.8, 8.8), (0.72, 9.0), (0.4, 9.5), (0.06, 9.7), (0.03, 10.3)], 2, 24)
    for side in range(12):
        angle = math.tau * side / 12
        tower.rod((math.cos(angle), math.sin(angle), 7.7), (math.cos(angle), math.sin(angle), 8.2), 0.03, 2)
        tower.rod((math.cos(angle), math.sin(angle), 8.2), (math.cos(angle + 0.52), math.sin(angle + 0.52), 8.2), 0.03, 2)
    tower.box((0.25, -1.1, 2.4), (0.4, 0.3, 0.7), 1).box((0.1, -0.92, 4.6), (0.36, 0.3, 0.6), 1)
    bands = m.stripes("Lighthouse bands", ((0.70, 0.07, 0.05), (0.88, 0.84, 0.76)), 0.62)
    place(tower.mesh("Lighthouse", [bands, m.plain("Lamp", (1.0, 0.75, 0.3), 0.2), m.plain("Lamp roof", (0.10, 0.16, 0.20), 0.4)]),
          "Lighthouse", (-13.0, 6.5, 0.9))  # fmt: skip


def waterfront(parts: dict[str, bpy.types.Material]) -> None:
    """Sea, land, quay wall with arches, a pier with bollards, barrels and crates."""
    place(Form().sheet(lambda u, v: (u * 400 - 200, v * 330 - 60, 0.0), 1, 1).mesh("Sea", [m.sea("Sea")]), "Sea")
    land = Form().sheet(lambda u, v: (u * 56 - 25, v * 42 + 2.5, ground(u * 56 - 25, v * 42 + 2.5)), 150, 110)
    place(land.mesh("Hill", [m.meadow("Meadow")]), "Hill")
    quay = Form().box((3.2, 3.2, 0.0), (25.6, 5.0, QUAY * 2), 0).box((3.2, 0.85, QUAY + 0.03), (25.9, 0.6, 0.2), 1)
    for step in range(5):
        quay.box((-4.5, 0.55 - step * 0.32, QUAY - 0.15 - step * 0.25), (2.2, 0.34, 0.3), 1)
    for x in range(-7, 16, 3):
        quay.turned([(0.2, 0), (0.16, 0.3), (0.26, 0.42), (0.2, 0.55), (0.02, 0.6)], 2, 14, (x + 0.4, 1.0, QUAY + 0.1))
    place(quay.mesh("Quay", [parts["blocks"], parts["stone trim"], parts["iron"]]), "Quay")
    pier = Form()
    rng = random.Random(11)
    for plank in range(34):
        pier.box((rng.uniform(-0.06, 0.06), -plank * 0.31, 0.95), (2.1, 0.28, 0.09), 0, rng.uniform(-0.015, 0.015))
    for k in range(6):
        for s in (-1, 1):
            pier.rod((s * 0.95, -0.4 - k * 1.9, -1.5), (s * 0.95, -0.4 - k * 1.9, 1.5), 0.13, 1, 12)
    place(pier.mesh("Pier", [parts["planks"], parts["post"]]), "Pier", (9.2, 0.6, 0))
    goods = Form()
    for x, y, z in ((6.1, 1.9, 0), (6.8, 2.0, 0), (6.4, 2.05, 0.74), (-2.0, 2.2, 0)):
        goods.box((x, y, QUAY + 0.36 + z), (0.66, 0.66, 0.66), 0, x)
    for x, y in ((-1.1, 1.9), (-0.45, 2.3), (11.4, 2.0)):
        goods.turned([(0.27, 0), (0.36, 0.45), (0.27, 0.9), (0.0, 0.9)], 1, 18, (x, y, QUAY))
    place(goods.mesh("Goods", [parts["planks"], parts["post"]]), "Goods")


def greenery(parts: dict[str, bpy.types.Material]) -> None:
    """Cypresses, umbrella pines, bushes: a few meshes, many places."""
    cypress = Form().turned([(0.14, -0.5), (0.12, 0.7)], 1, 8)
    cypress.lump((0, 0, 2.6), (0.62, 0.62, 2.5), 0, 0.28, 2.4, 1.0, 18)
    pine = Form().rod((0, 0, -0.6), (0.25, 0, 2.4), 0.16, 1).rod((0.25, 0, 2.3), (-0.4, 0.1, 3.3), 0.1, 1).rod((0.25, 0, 2.3), (0.9, 0, 3.3), 0.1, 1)
    for k, (x, y, z, r) in enumerate(((0.2, 0, 3.7, 1.25), (-0.8, 0.3, 3.4, 0.9), (1.1, -0.2, 3.45, 0.95), (0.3, -0.6, 3.35, 0.9))):
        pine.lump((x, y, z), (r, r * 0.95, r * 0.52), 0, 0.35, 2.0, k, 16)
    bush = Form().lump((0, 0, 0.3), (0.8, 0.7, 0.6), 0, 0.4, 2.2, 2.0, 12).lump((0.6, 0.2, 0.2), (0.55, 0.5, 0.45), 0, 0.4, 2.2, 4.0, 12)
    meshes = {
        "Cypress": cypress.mesh("Cypress", [parts["cypress"], parts["bark"]]),
        "Pine": pine.mesh("Pine", [parts["pine"], parts["bark"]]),
        "Bush": bush.mesh("Bush", [parts["leaves"], parts["bark"]]),
    }
    rng = random.Random(5)
    spots: list[tuple[str, float, float, float]] = [
        ("Cypress", -10.6, 8.6, 1.0), ("Cypress", -9.8, 10.2, 1.25), ("Cypress", -6.4, 10.4, 1.1), ("Pine", -8.0, 13.0, 1.35),
        ("Pine", -4.4, 17.6, 1.5), ("Cypress", 15.9, 10.6, 1.3), ("Cypress", 17.0, 12.0, 1.05), ("Pine", 16.6, 16.0, 1.5),
        ("Cypress", 1.6, 20.4, 1.3), ("Cypress", 9.6, 21.2, 1.35), ("Cypress", 10.6, 20.6, 1.1), ("Pine", 13.4, 21.5, 1.6),
        ("Pine", -0.6, 23.0, 1.6), ("Cypress", 5.2, 9.0, 0.8), ("Cypress", 2.0, 14.3, 0.95), ("Pine", 18.6, 8.2, 1.1),
        ("Cypress", -6.7, 6.6, 0.85), ("Pine", -11.8, 11.5, 1.1), ("Cypress", 13.7, 8.9, 0.8), ("Pine", 5.4, 26.0, 1.7),
    ]  # fmt: skip
    spots += [("Bush", rng.uniform(-11, 19), rng.uniform(7.5, 24), rng.uniform(0.6, 1.3)) for _ in range(46)]
    for number, (kind, x, y, scale) in enumerate(spots):
        place(meshes[kind], f"{kind} {number + 1}", (x, y, ground(x, y) - 0.1), rng.uniform(0, 6), scale)


def hull(length: float, beam: float, depth: float) -> Form:
    """A boat's shell, bow toward +x, its gunwale near z = depth."""
    def surface(u: float, v: float) -> Point:
        along = u * 2 - 1
        fine = math.sqrt(max(0.0, 1 - max(0.0, along) ** 2.4)) * (0.80 + 0.20 * min(1.0, 1 - max(0.0, -along) ** 3))
        around = (v - 0.5) * math.pi
        sheer = depth * (1.0 + 0.30 * along * along)
        return (along * length / 2 + 0.25 * max(0.0, along) * math.cos(around * 0.5), math.sin(around) * beam / 2 * fine, sheer - math.cos(around) ** 0.6 * (sheer + depth * 0.35))

    return Form().sheet(surface, 28, 16)


def boats(parts: dict[str, bpy.types.Material]) -> bpy.types.Object:
    """Rowing boats along the quay, and the sailing boat that crosses: returned, to be animated."""
    colours = {"blue": (0.05, 0.22, 0.42), "red": (0.55, 0.06, 0.04), "white": (0.8, 0.76, 0.66), "green": (0.06, 0.30, 0.20)}
    for number, (paint, x, y, turn) in enumerate((("blue", -0.6, -1.7, 0.25), ("red", 4.2, -1.4, -0.12), ("green", 6.6, -4.6, 1.35), ("white", 12.4, -4.0, 1.75))):
        form = hull(3.2, 1.25, 0.42)
        for along in (-0.8, 0.1, 0.9):
            form.box((along, 0, 0.28), (0.24, 1.0, 0.05), 1)
        form.box((0, 0, 0.02), (2.4, 0.7, 0.05), 1).rod((-1.0, -0.75, 0.52), (1.1, 0.1, 0.40), 0.035, 1)
        place(form.mesh(f"Boat {paint}", [m.plain(f"Boat {paint}", colours[paint], 0.45), parts["planks"]]), f"Boat {number + 1}", (x, y, 0.05), turn)
    ship = hull(5.0, 1.7, 0.62)
    ship.box((-0.3, 0, 0.42), (4.0, 1.3, 0.06), 1).box((-0.9, 0, 0.68), (1.5, 0.9, 0.5), 3, taper=0.85)
    ship.rod((0.5, 0, 0.2), (0.5, 0, 6.6), 0.075, 1).rod((0.5, 0, 1.15), (-2.5, 0.5, 1.25), 0.06, 1).rod((2.5, 0, 0.75), (3.5, 0, 1.0), 0.05, 1)

    def main_sail(u: float, v: float) -> Point:
        wide = (1 - v) ** 0.85
        belly = 0.55 * math.sin(math.pi * u * 0.9) * math.sin(math.pi * min(1.0, v + 0.12)) * wide
        return (0.42 - u * 2.9 * wide, 0.45 * u * wide + belly, 1.3 + v * 5.1)

    def jib(u: float, v: float) -> Point:
        wide = 1 - v
        return (3.4 - v * 2.8 - u * 2.4 * wide, 0.5 * math.sin(math.pi * u) * wide + 0.3 * u * wide, 1.1 + v * 4.7 + 0.15 * u * wide)

    ship.sheet(main_sail, 16, 24, 2).sheet(jib, 12, 18, 4)
    sails = m.stripes("Sail", ((0.90, 0.84, 0.70), (0.72, 0.13, 0.07)), 0.85)
    canvas = m.plain("Jib", (0.90, 0.84, 0.70), 0.8)
    return place(ship.mesh("Sailing boat", [m.plain("Hull", (0.03, 0.13, 0.20), 0.35), parts["planks"], sails, parts["cabin"], canvas]), "Sailing boat", (0, 0, 0))


def sky_things(parts: dict[str, bpy.types.Material]) -> bpy.types.Object:
    """Mountains, clouds, and a balloon: returned, to be animated."""
    rng = random.Random(21)
    for name, far, high, near, foot in (("Far mountains", 210.0, 34.0, (0.30, 0.38, 0.58), (0.66, 0.60, 0.60)), ("Mountains", 150.0, 20.0, (0.16, 0.27, 0.40), (0.50, 0.50, 0.52))):
        def ridge(u: float, v: float, far: float = far, high: float = high) -> Point:
            x = u * far * 2.4 - far * 1.2
            top = high * (0.35 + 0.9 * abs(noise.fractal(Vector((x / 48 + far, 0.5, far)), 1.0, 2.0, 5)))
            fold = 6 * noise.fractal(Vector((x / 9, v * 3, 7)), 1.0, 2.0, 3) * v
            return (x, far + v * 25 + fold, -1 + top * v * 1.0)

        form = Form().sheet(ridge, 160, 10)
        place(form.mesh(name, [m.haze(name, near, foot, 0.0, high)]), name)
    vapour = m.cloud("Cloud")
    for number, (x, y, z, scale) in enumerate(((-62, 140, 44, 1.3), (28, 150, 56, 1.5), (84, 145, 38, 1.1), (-20, 190, 66, 1.2), (-104, 160, 33, 1.0))):
        form = Form()
        for k in range(9):
            along = rng.uniform(-1, 1)
            size = rng.uniform(3.5, 6.5) * (1.25 - abs(along) * 0.75)
            form.lump((along * 15, rng.uniform(-3, 3), size * 0.45 + rng.uniform(0, 2.0)), (size * 1.25, size, size * 0.85), 0, 0.35, 2.0, number * 9 + k, 18)
        place(form.mesh(f"Cloud {number + 1}", [vapour]), f"Cloud {number + 1}", (x, y, z), 0.0, scale)
    skin = [(0.35, 0.0), (0.6, 0.35), (1.25, 1.25), (1.8, 2.2), (2.05, 3.1), (1.95, 3.9), (1.5, 4.65), (0.8, 5.1), (0.02, 5.25)]
    balloon = Form().turned(skin, 0, 36).turned([(0.36, -0.05), (0.40, 0.1)], 2, 20)
    balloon.box((0, 0, -1.45), (0.62, 0.62, 0.5), 1, taper=1.15)
    for x in (-0.3, 0.3):
        for y in (-0.3, 0.3):
            balloon.rod((x, y, -1.2), (x * 1.1, y * 1.1, 0.0), 0.02, 1, 6)
    silk = m.gores("Balloon silk", ((0.85, 0.50, 0.06), (0.66, 0.09, 0.07)), 16)
    return place(balloon.mesh("Balloon", [silk, parts["post"], parts["brick red"]]), "Balloon", (0, 0, 0))


def animate(thing: bpy.types.Object, start: Point, end: Point) -> None:
    """Straight, even motion over the shot."""
    for frame, position in ((FIRST, start), (LAST, end)):
        thing.location = position
        thing.keyframe_insert("location", frame=frame)
    curves = thing.animation_data.action.layers[0].strips[0].channelbags[0].fcurves
    for curve in curves:
        for key in curve.keyframe_points:
            key.interpolation = "LINEAR"


def light_and_camera() -> None:
    scene = bpy.context.scene
    sun = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    sun.data.energy, sun.data.angle, sun.data.color = 4.6, 0.02, (1.0, 0.80, 0.56)
    sun.rotation_euler = Vector((0.62, 0.66, -0.42)).to_track_quat("-Z", "Y").to_euler()
    scene.collection.objects.link(sun)
    world = bpy.data.worlds.new("Late afternoon")
    m.sky(world)
    scene.world = world
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.lens, camera.data.clip_end = 30.0, 500.0
    scene.collection.objects.link(camera)
    scene.camera = camera
    camera.rotation_euler = Vector((0.02, 1.0, 0.055)).to_track_quat("-Z", "Y").to_euler()
    animate(camera, (0.8, -23.5, 4.2), (-0.8, -22.5, 4.7))


def settings() -> None:
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end, scene.frame_current = FIRST, LAST, FIRST
    render = scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = WIDTH, HEIGHT, 100
    render.fps, render.engine, render.use_persistent_data = FPS, "CYCLES", True
    render.image_settings.file_format = "PNG"
    render.dither_intensity = 0.0
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.max_bounces = SAMPLES, True, 4
    scene.cycles.use_adaptive_sampling = False
    scene.view_settings.view_transform = "AgX"


def build() -> None:
    """Make the whole scene in the open, empty file."""
    parts = {
        "roof": m.tiles("Roof tiles", (0.58, 0.19, 0.08)), "glass": m.plain("Glass", (0.03, 0.05, 0.07), 0.12),
        "teal": m.wood("Teal paint", (0.04, 0.27, 0.28)), "green": m.wood("Green paint", (0.07, 0.24, 0.10)),
        "brick red": m.wood("Red paint", (0.45, 0.09, 0.05)), "indigo": m.wood("Indigo paint", (0.06, 0.11, 0.30)),
        "stone trim": m.rock("Trim", (0.42, 0.38, 0.32), (0.74, 0.68, 0.58), 2.0), "clay": m.plain("Clay", (0.45, 0.18, 0.08), 0.9),
        "leaves": m.foliage("Leaves", (0.02, 0.06, 0.012), (0.15, 0.26, 0.05)), "flower": m.plain("Flowers", (0.75, 0.06, 0.16), 0.8),
        "rock": m.rock("Rock", (0.10, 0.08, 0.075), (0.46, 0.38, 0.31)), "iron": m.plain("Iron", (0.03, 0.03, 0.035), 0.5),
        "blocks": m.masonry("Quay blocks", (0.46, 0.38, 0.29), (0.16, 0.13, 0.11), 0.95, 0.42),
        "planks": m.wood("Planks", (0.42, 0.26, 0.14)), "post": m.wood("Posts", (0.22, 0.13, 0.07), (6.0, 6.0, 0.8)),
        "cabin": m.wood("Cabin", (0.55, 0.26, 0.09)), "bark": m.wood("Bark", (0.17, 0.10, 0.06), (7.0, 7.0, 1.5)),
        "cypress": m.foliage("Cypress", (0.008, 0.035, 0.014), (0.06, 0.14, 0.045), 5.0),
        "pine": m.foliage("Pine", (0.015, 0.06, 0.02), (0.15, 0.25, 0.06), 3.5),
    }  # fmt: skip
    waterfront(parts)
    village(parts)
    church(parts)
    lighthouse(parts)
    greenery(parts)
    animate(boats(parts), (-6.6, -5.2, 0.0), (-4.9, -5.6, 0.0))
    animate(sky_things(parts), (-7.6, 34.0, 16.2), (-6.4, 34.0, 17.0))
    light_and_camera()
    settings()


def main(target: Path) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    build()
    target.parent.mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(target.resolve()), compress=True)


if __name__ == "__main__":
    main(Path(sys.argv[-1]))
