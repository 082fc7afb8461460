"""Where the box of an artist's own fluid simulation is: an effect's card stands there."""

import math
from typing import TYPE_CHECKING, Any

import bpy
from mathutils import Matrix, Vector

from ..backend.effect.frames import SIDES, fitting
from . import card, fluid, properties

if TYPE_CHECKING:
    from bpy.types import Object


def take_in(thing: "Object") -> None:
    """Let the effect have the frames of its bake, and its card the domain's place. Raises EffectError."""
    settings = properties.of(thing)
    found = fluid.files(settings)
    settings.start, settings.frames = min(found), len(found)
    stand(thing)


def choose(thing: "Object") -> None:
    """Let the domain be seen from its side that is nearest to the camera, and the card stand there."""
    settings = properties.of(thing)
    quarter = 0
    camera = bpy.context.scene.camera
    if settings.domain is not None and camera is not None:
        frame = settings.domain.matrix_world
        away = camera.matrix_world.translation - frame @ _middle(settings.domain)
        toward: Any = frame.to_quaternion().inverted() @ away
        quarter = round(math.atan2(-toward.x, -toward.y) / (math.pi / 2)) % len(SIDES)
    settings.view = next(side for side, turn in SIDES.items() if turn == quarter)  # and the card follows: ``stand``


def stand(thing: "Object") -> None:
    """Let the card stand in the middle of the domain's box, as high and as wide, and face the side it is seen from."""
    settings = properties.of(thing)
    chosen = settings.domain
    if chosen is None or settings.is_water or fluid.settings_of(chosen) is None:
        return
    turn, scale = chosen.matrix_world.to_quaternion(), chosen.matrix_world.to_scale()
    x, y, z = (size * abs(factor) for size, factor in zip(_size(chosen), scale, strict=True))
    quarter = SIDES[settings.view]
    width, height = (y if quarter % 2 else x), z
    if not height or not width:
        return
    settings.controls.size = height  # type: ignore[attr-defined]
    settings.pixels = fitting(width, height, max(settings.pixels))
    foot = _middle(chosen)
    foot.z -= _size(chosen)[2] / 2
    facing = turn.to_matrix() @ Matrix.Rotation(-quarter * math.pi / 2, 3, "Z")
    thing.matrix_world = Matrix.LocRotScale(chosen.matrix_world @ foot, facing, None)
    card.shape(thing)


def _size(thing: "Object") -> list[float]:
    return [max(side) - min(side) for side in zip(*thing.bound_box, strict=True)]


def _middle(thing: "Object") -> Vector:
    return Vector([(max(side) + min(side)) / 2 for side in zip(*thing.bound_box, strict=True)])
