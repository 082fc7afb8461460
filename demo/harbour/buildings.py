"""The harbour's buildings: plastered houses, a church, a lighthouse."""

import math
import random

import bpy

from . import materials as m
from .forms import Form, Materials, Point, place
from .landscape import ground

WALL, ROOF, GLASS, SHUTTER, TRIM, CLAY, LEAVES, FLOWER = range(8)  # a house's material slots
STOREY = 1.55  # metres
PAINTS = {
    "ochre": (0.86, 0.36, 0.04),
    "coral": (0.80, 0.16, 0.07),
    "cream": (0.90, 0.70, 0.38),
    "rose": (0.82, 0.24, 0.26),
    "sky": (0.15, 0.42, 0.70),
    "white": (0.90, 0.84, 0.72),
    "mint": (0.26, 0.56, 0.30),
    "lemon": (0.92, 0.58, 0.08),
}
# One row of houses up the hill: how far back, then each house's x, paint, width and height of walls.
# fmt: off
ROWS: list[tuple[float, list[tuple[float, str, float, float]]]] = [
    (5.6, [(-8.2, "white", 3.0, 3.2), (-4.9, "coral", 3.2, 5.0), (-1.6, "lemon", 3.0, 6.4), (1.6, "sky", 3.2, 4.9),
           (4.9, "rose", 3.2, 6.5), (8.3, "cream", 3.4, 5.0), (11.9, "ochre", 3.3, 6.2), (15.3, "white", 3.0, 3.4)]),
    (11.2, [(-3.3, "cream", 3.4, 4.9), (0.4, "ochre", 3.2, 5.0), (3.6, "white", 3.0, 4.8), (6.9, "mint", 3.2, 6.2),
            (10.4, "coral", 3.4, 4.9), (13.6, "lemon", 3.0, 3.4)]),
    (16.8, [(-1.2, "rose", 3.2, 3.3), (2.2, "lemon", 3.0, 4.9), (8.8, "white", 3.4, 4.9), (12.4, "sky", 3.0, 3.4)]),
]
# fmt: on


def roof(form: Form, size: Point, across: bool) -> float:
    """Gable ends and two tiled slopes on walls of ``size``; the ridge runs along x, or toward us. Gives its height."""
    wide, deep, high = size
    run, half = (deep / 2, wide / 2) if across else (wide / 2, deep / 2)
    rise, over = run * 0.54, 0.22

    def turned(along: float, out: float, z: float) -> Point:
        return (along, out, z) if across else (out, along, z)

    peak, low, end = high + rise, high - over * 0.54, half + over
    for s in (-1, 1):
        form.add([turned(s * half, -run, high), turned(s * half, run, high), turned(s * half, 0, peak)], [(0, 1, 2)])
        eave = s * (run + over)
        for lift in (0.02, 0.14):
            corners = ((-end, eave, low), (end, eave, low), (end, 0.0, peak), (-end, 0.0, peak))
            form.add([turned(along, out, z + lift) for along, out, z in corners], [(0, 1, 2, 3)], ROOF)
    form.rod(turned(-end, 0, peak + 0.13), turned(end, 0, peak + 0.13), 0.13, ROOF)
    form.box((wide * 0.27, deep * 0.12, peak - 0.1), (0.5, 0.5, 1.1))
    form.box((wide * 0.27, deep * 0.12, peak + 0.5), (0.62, 0.62, 0.14), ROOF)
    return peak


def window(form: Form, x: float, y: float, z: float) -> None:
    """A window with a sill and two shutters in a wall that looks toward -y."""
    form.box((x, y, z), (0.56, 0.06, 0.86), GLASS)
    form.box((x, y - 0.03, z - 0.48), (0.8, 0.18, 0.09), TRIM)
    form.box((x, y - 0.02, z), (0.05, 0.08, 0.86), TRIM)
    for s in (-1, 1):
        form.box((x + s * 0.44, y - 0.04, z), (0.28, 0.06, 0.9), SHUTTER)


def house(name: str, at: Point, size: Point, slots: list[bpy.types.Material], rng: random.Random) -> None:
    """A plastered house; its front looks toward -y. ``size`` is width, depth, height of the walls."""
    wide, deep, high = size
    form = Form().box((0, 0, high / 2 - 1.0), (wide, deep, high + 2.0))
    roof(form, size, across=rng.random() < 0.4)
    front = -deep / 2
    columns = max(2, round(wide / STOREY))
    door = rng.randrange(columns)
    for floor in range(max(1, int((high - 0.5) / STOREY))):
        z = 1.15 + floor * STOREY
        for column in range(columns):
            x = (column + 0.5) / columns * wide - wide / 2
            if floor == 0 and column == door:
                form.box((x, front, 0.85), (0.8, 0.12, 1.7), SHUTTER)
                form.box((x, front - 0.05, 1.78), (1.05, 0.2, 0.14), TRIM)
                form.box((x, front - 0.2, 0.05), (1.2, 0.5, 0.14), TRIM)
                continue
            window(form, x, front, z)
            if floor and rng.random() < 0.35:
                form.box((x, front - 0.16, z - 0.40), (0.7, 0.24, 0.16), CLAY)
                for k in range(4):
                    bloom = (x - 0.26 + k * 0.17, front - 0.2, z - 0.28)
                    form.lump(bloom, (0.13, 0.13, 0.12), LEAVES + k % 2, 0.3, 3, k, 6)
        for s in (-1, 1):
            form.box((s * wide / 2, 0.1, z), (0.06, 0.56, 0.86), GLASS)
    place(form.mesh(name, slots), name, at, rng.uniform(-0.09, 0.09))


def village(parts: Materials) -> None:
    """Rows of houses up the hill, each its own colour."""
    rng = random.Random(7)
    walls = {name: m.plaster(f"Plaster {name}", colour) for name, colour in PAINTS.items()}
    for row, (y, houses) in enumerate(ROWS):
        for number, (x, paint, wide, high) in enumerate(houses):
            near = y + rng.uniform(-0.7, 0.7)
            shutter = rng.choice(("teal", "green", "brick red", "indigo"))
            slots = [
                walls[paint],
                *(parts[part] for part in ("roof", "glass", shutter, "trim", "clay", "leaves", "flower")),
            ]
            size = (wide, rng.uniform(3.2, 3.8), high)
            house(f"House {row + 1}-{number + 1}", (x, near, ground(x, near - 1.2)), size, slots, rng)


def church(parts: Materials) -> None:
    """The church over the village: a nave, a bell tower, and a dome."""
    white = m.plaster("Plaster church", (0.86, 0.78, 0.64))
    form = Form().box((0, 1, 1.2), (4.2, 5.5, 5.4))
    form.box((-2.9, -0.4, 3.2), (1.9, 1.9, 9.4)).box((-2.9, -0.4, 8.0), (2.2, 2.2, 0.25), 2)
    for s in (-1, 1):
        form.box((-2.9 + s * 0.42, -1.36, 6.8), (0.42, 0.06, 1.1), 3).box(
            (-2.9 + s * 0.97, -0.4, 6.8), (0.06, 0.7, 1.1), 3
        )
    form.turned([(1.15, 0), (1.05, 0.5), (0.75, 1.2), (0.3, 1.9), (0.04, 2.6)], 1, 16, (-2.9, -0.4, 8.1))
    form.turned([(1.9, 0), (1.9, 0.9), (2.05, 0.95), (2.05, 1.1)], 0, 28, (0, 1, 3.8), smooth=False)
    dome = [(1.95 * math.cos(a), 1.9 * math.sin(a)) for a in [i * math.pi / 20 for i in range(10)]]
    form.turned([*dome, (0.25, 1.92), (0.25, 2.5), (0.03, 2.9)], 1, 28, (0, 1, 4.9))
    form.box((0, -1.78, 1.0), (1.1, 0.1, 2.4), 4).turned([(0.55, 0), (0.55, 0.1)], 3, 20, (0, -1.7, 3.0))
    form.box((0, -1.7, 4.0), (4.5, 0.3, 0.25), 2)
    slots = [white, m.tiles("Dome tiles", (0.10, 0.30, 0.36)), parts["trim"], parts["glass"], parts["teal"]]
    place(form.mesh("Church", slots), "Church", (5.4, 19.5, ground(5.4, 18.0) + 0.4))


def lighthouse(parts: Materials) -> None:
    """A banded tower on a rocky islet at the harbour's mouth."""
    rocks = Form()
    rng = random.Random(3)
    for number in range(11):
        angle, far = rng.uniform(0, math.tau), rng.uniform(0.4, 3.4)
        size = rng.uniform(0.9, 2.0) * (1.25 - far / 5)
        rocks.lump(
            (math.cos(angle) * far * 1.3, math.sin(angle) * far, -0.1),
            (size * 1.3, size, size * 0.9),
            0,
            0.45,
            1.3,
            number,
            16,
        )
    rocks.lump((0, 0, 0), (2.8, 2.4, 1.5), 0, 0.3, 1.4, 5.0, 20)
    place(rocks.mesh("Islet", [parts["rock"]]), "Islet", (-13.0, 6.5, 0))
    tower = Form().turned([(1.35, 0.3), (1.32, 0.8), (1.1, 1.0), (0.72, 7.2), (1.05, 7.5), (1.05, 7.7)], 0, 32)
    tower.turned([(0.55, 7.7), (0.55, 8.8)], 1, 16).turned(
        [(0.8, 8.8), (0.72, 9.0), (0.4, 9.5), (0.06, 9.7), (0.03, 10.3)], 2, 24
    )
    for side in range(12):
        angle = math.tau * side / 12
        tower.rod((math.cos(angle), math.sin(angle), 7.7), (math.cos(angle), math.sin(angle), 8.2), 0.03, 2)
        tower.rod(
            (math.cos(angle), math.sin(angle), 8.2), (math.cos(angle + 0.52), math.sin(angle + 0.52), 8.2), 0.03, 2
        )
    tower.box((0.25, -1.1, 2.4), (0.4, 0.3, 0.7), 1).box((0.1, -0.92, 4.6), (0.36, 0.3, 0.6), 1)
    bands = m.stripes("Lighthouse bands", ((0.70, 0.07, 0.05), (0.88, 0.84, 0.76)), 0.62)
    slots = [bands, m.plain("Lamp", (1.0, 0.75, 0.3), 0.2), m.plain("Lamp roof", (0.10, 0.16, 0.20), 0.4)]
    place(tower.mesh("Lighthouse", slots), "Lighthouse", (-13.0, 6.5, 0.9))
