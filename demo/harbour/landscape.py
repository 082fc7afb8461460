"""Land and water, trees, mountains and clouds."""

import math
import random

from mathutils import Vector, noise

from . import materials as m
from .forms import Form, Materials, Point, place

QUAY = 1.1  # the quay's height over the water, metres
# fmt: off
TREES = [  # kind, x, y, scale
    ("Cypress", -10.6, 8.6, 1.0), ("Cypress", -9.8, 10.2, 1.25), ("Cypress", -6.4, 10.4, 1.1), ("Pine", -8, 13, 1.35),
    ("Pine", -4.4, 17.6, 1.5), ("Cypress", 15.9, 10.6, 1.3), ("Cypress", 17.0, 12.0, 1.05), ("Pine", 16.6, 16.0, 1.5),
    ("Cypress", 1.6, 20.4, 1.3), ("Cypress", 9.6, 21.2, 1.35), ("Cypress", 10.6, 20.6, 1.1), ("Pine", 13.4, 21.5, 1.6),
    ("Pine", -0.6, 23.0, 1.6), ("Cypress", 5.2, 9.0, 0.8), ("Cypress", 2.0, 14.3, 0.95), ("Pine", 18.6, 8.2, 1.1),
    ("Cypress", -6.7, 6.6, 0.85), ("Pine", -11.8, 11.5, 1.1), ("Cypress", 13.7, 8.9, 0.8), ("Pine", 5.4, 26.0, 1.7),
]
# fmt: on


def ground(x: float, y: float) -> float:
    """Height of the land: a hill behind the quay, falling to the sea at both ends."""
    rise = max(0.0, min(1.0, (y - 3.0) / 24.0))
    rise = rise * rise * (3 - 2 * rise)
    ridge = math.exp(-(((x - 5.0) / 17.0) ** 2))
    land = QUAY - 0.15 + 13.5 * rise * ridge + 0.5 * rise * noise.fractal(Vector((x * 0.15, y * 0.15, 0)), 1.0, 2.0, 4)
    coast = max(0.0, abs(x - 3.0) - 15.0) / 7.0
    return land - 3.5 * coast * coast * max(0.0, 1.0 - rise * 0.4)


def waterfront(parts: Materials) -> None:
    """Sea, land, quay wall with arches, a pier with bollards, barrels and crates."""
    place(Form().sheet(lambda u, v: (u * 400 - 200, v * 330 - 60, 0.0), 1, 1).mesh("Sea", [m.sea("Sea")]), "Sea")
    land = Form().sheet(lambda u, v: (u * 56 - 25, v * 42 + 2.5, ground(u * 56 - 25, v * 42 + 2.5)), 150, 110)
    place(land.mesh("Hill", [m.meadow("Meadow")]), "Hill")
    quay = Form().box((3.2, 3.2, 0.0), (25.6, 5.0, QUAY * 2), 0).box((3.2, 0.85, QUAY + 0.03), (25.9, 0.6, 0.2), 1)
    for step in range(5):
        quay.box((-4.5, 0.55 - step * 0.32, QUAY - 0.15 - step * 0.25), (2.2, 0.34, 0.3), 1)
    for x in range(-7, 16, 3):
        quay.turned([(0.2, 0), (0.16, 0.3), (0.26, 0.42), (0.2, 0.55), (0.02, 0.6)], 2, 14, (x + 0.4, 1.0, QUAY + 0.1))
    place(quay.mesh("Quay", [parts["blocks"], parts["trim"], parts["iron"]]), "Quay")
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


def greenery(parts: Materials) -> None:
    """Cypresses, umbrella pines, bushes: a few meshes, many places."""
    cypress = Form().turned([(0.14, -0.5), (0.12, 0.7)], 1, 8)
    cypress.lump((0, 0, 2.6), (0.62, 0.62, 2.5), 0, 0.28, 2.4, 1.0, 18)
    pine = (
        Form()
        .rod((0, 0, -0.6), (0.25, 0, 2.4), 0.16, 1)
        .rod((0.25, 0, 2.3), (-0.4, 0.1, 3.3), 0.1, 1)
        .rod((0.25, 0, 2.3), (0.9, 0, 3.3), 0.1, 1)
    )
    for k, (x, y, z, r) in enumerate(
        ((0.2, 0, 3.7, 1.25), (-0.8, 0.3, 3.4, 0.9), (1.1, -0.2, 3.45, 0.95), (0.3, -0.6, 3.35, 0.9))
    ):
        pine.lump((x, y, z), (r, r * 0.95, r * 0.52), 0, 0.35, 2.0, k, 16)
    bush = (
        Form()
        .lump((0, 0, 0.3), (0.8, 0.7, 0.6), 0, 0.4, 2.2, 2.0, 12)
        .lump((0.6, 0.2, 0.2), (0.55, 0.5, 0.45), 0, 0.4, 2.2, 4.0, 12)
    )
    meshes = {
        "Cypress": cypress.mesh("Cypress", [parts["cypress"], parts["bark"]]),
        "Pine": pine.mesh("Pine", [parts["pine"], parts["bark"]]),
        "Bush": bush.mesh("Bush", [parts["leaves"], parts["bark"]]),
    }
    rng = random.Random(5)
    spots = list(TREES)
    spots += [("Bush", rng.uniform(-11, 19), rng.uniform(7.5, 24), rng.uniform(0.6, 1.3)) for _ in range(46)]
    for number, (kind, x, y, scale) in enumerate(spots):
        place(meshes[kind], f"{kind} {number + 1}", (x, y, ground(x, y) - 0.1), rng.uniform(0, 6), scale)


def distance() -> None:
    """Mountains and clouds."""
    rng = random.Random(21)
    for name, far, high, near, foot in (
        ("Far mountains", 210.0, 34.0, (0.22, 0.32, 0.60), (0.62, 0.54, 0.58)),
        ("Mountains", 150.0, 20.0, (0.10, 0.20, 0.42), (0.42, 0.44, 0.52)),
    ):

        def ridge(u: float, v: float, far: float = far, high: float = high) -> Point:
            x = u * far * 2.4 - far * 1.2
            top = high * (0.35 + 0.9 * abs(noise.fractal(Vector((x / 48 + far, 0.5, far)), 1.0, 2.0, 5)))
            fold = 6 * noise.fractal(Vector((x / 9, v * 3, 7)), 1.0, 2.0, 3) * v
            return (x, far + v * 25 + fold, -1 + top * v * 1.0)

        form = Form().sheet(ridge, 160, 10)
        place(form.mesh(name, [m.haze(name, near, foot, 0.0, high)]), name)
    vapour = m.cloud("Cloud")
    for number, (x, y, z, scale) in enumerate(
        ((-62, 140, 44, 1.3), (28, 150, 56, 1.5), (84, 145, 38, 1.1), (-20, 190, 66, 1.2), (-104, 160, 33, 1.0))
    ):
        form = Form()
        for k in range(9):
            along = rng.uniform(-1, 1)
            size = rng.uniform(3.5, 6.5) * (1.25 - abs(along) * 0.75)
            form.lump(
                (along * 15, rng.uniform(-3, 3), size * 0.45 + rng.uniform(0, 2.0)),
                (size * 1.25, size, size * 0.85),
                0,
                0.35,
                2.0,
                number * 9 + k,
                18,
            )
        place(form.mesh(f"Cloud {number + 1}", [vapour]), f"Cloud {number + 1}", (x, y, z), 0.0, scale)
