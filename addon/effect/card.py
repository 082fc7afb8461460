"""What stands for an effect in a scene: a card in true scale, facing the camera, with a light; or a plane of water."""

import math
from typing import TYPE_CHECKING, Any

import bpy
from mathutils import Vector

from ..artists_tree import MARK
from . import properties
from .bakes import Baked

if TYPE_CHECKING:
    from bpy.types import Object, Scene

HEART = 0.35  # of the card's height: where most of the light comes from
RADIUS = 0.1  # of the light, in heights of the card
WATER_CELLS = 128  # of a plane of water, to a side


def add(scene: "Scene", name: str, kind: str, place: Vector) -> "Object":
    """A new card, linked into the scene, its origin at ``place``: the middle of its lower edge, of water its centre."""
    thing = bpy.data.objects.new(name, bpy.data.meshes.new(name))
    (bpy.context.collection if bpy.context.scene == scene else scene.collection).objects.link(thing)
    thing.location = place
    settings = properties.of(thing)
    settings.kind = kind
    if not settings.is_water:
        thing.rotation_euler.z = _turn_to_camera(scene, place)
        thing.visible_diffuse = thing.visible_volume_scatter = False  # its light does that
    return thing


def discard(thing: "Object") -> None:
    """Take a card that was never baked out of the file, with all that is its alone."""
    mesh: Any = thing.data
    materials = list(mesh.materials)
    bpy.data.objects.remove(thing)
    if mesh.users:  # a copy of the card has it too
        return
    bpy.data.meshes.remove(mesh)
    for material in materials:
        if not material.users:
            bpy.data.materials.remove(material)


def shape(thing: "Object") -> None:
    """Give the card its form and its true scale, from its settings. Its height, of water its side, is driven."""
    settings = properties.of(thing)
    if thing.data.users > 1:  # it was duplicated
        thing.data = thing.data.copy()
    mesh: Any = thing.data
    mesh.clear_geometry()
    if settings.is_water:
        _grid(mesh, WATER_CELLS)
    else:
        width, height = settings.shape
        half = width / height / 2
        mesh.from_pydata([(-half, 0, 0), (half, 0, 0), (half, 0, 1), (-half, 0, 1)], [], [(0, 1, 2, 3)])
        corners = mesh.uv_layers.new(name="UVMap").uv
        for corner, place in zip(corners, ((0, 0), (1, 0), (1, 1), (0, 1)), strict=True):
            corner.vector = place
    for axis in range(3):
        thing.driver_remove("scale", axis)
        curve: Any = thing.driver_add("scale", axis)
        driver = curve.driver
        driver.type = "AVERAGE"
        target = driver.variables.new().targets[0]
        target.id, target.data_path = thing, settings.height
    size = properties.size(thing)
    thing.scale = (size, size, size)


def _grid(mesh: Any, cells: int) -> None:
    """A square with sides of length 1 around the origin, of which the texture covers all."""
    steps = range(cells + 1)
    points = [(x / cells - 0.5, y / cells - 0.5, 0.0) for y in steps for x in steps]
    row = cells + 1
    lowest = [y * row + x for y in range(cells) for x in range(cells)]
    faces = [(corner, corner + 1, corner + row + 1, corner + row) for corner in lowest]
    mesh.from_pydata(points, [], faces)
    corners = mesh.uv_layers.new(name="UVMap").uv
    for loop, corner in zip(mesh.loops, corners, strict=True):
        x, y, _ = points[loop.vertex_index]
        corner.vector = (x + 0.5, y + 0.5)
    mesh.polygons.foreach_set("use_smooth", [True] * len(faces))


def _turn_to_camera(scene: "Scene", place: Vector) -> float:
    """The angle about the vertical by which a card has to be turned; none without a camera."""
    camera: Any = scene.camera
    if camera is None:
        return 0.0
    view: Any = camera.matrix_world
    toward = view.col[2].xyz if camera.data.type == "ORTHO" else view.translation - place
    if toward.xy.length < 1e-4 * toward.length:  # it looks down: the card's upper edge is the picture's
        toward = -view.col[1].xyz
    return math.atan2(toward.x, -toward.y)


def light(scene: "Scene", thing: "Object", baked: Baked, heights: list[float]) -> None:
    """Let the card's light be as bright in each frame as what its picture gives off. ``heights``: in m, of each frame.

    A picture of mean luminance L over an area A gives L A to each direction; a point light of power P gives P / 4 pi.
    """
    settings = properties.of(thing)
    lamp = settings.light
    if lamp is None or lamp.parent != thing or lamp.name not in scene.objects:
        lamp = settings.light = _lamp(thing)
    data: Any = lamp.data
    data.animation_data_clear()
    width, height = settings.shape
    first, last = baked.frames
    power = [
        4 * math.pi * mean * size**2 * width / height for mean, size in zip(baked.brightness, heights, strict=True)
    ]
    ends = [(last + 1, power[0])] if settings.repeats else [(first - 1, 0.0), (last + 1, 0.0)]
    for frame, value in [*enumerate(power, first), *ends]:
        data.energy = value
        data.keyframe_insert("energy", frame=frame)
    animation = data.animation_data
    (curve,) = animation.action.layers[0].strips[0].channelbag(animation.action_slot).fcurves
    for key in curve.keyframe_points:
        key.interpolation = "CONSTANT"
    if settings.repeats:
        curve.modifiers.new("CYCLES")
    data.temperature = settings.controls.temperature  # type: ignore[attr-defined]
    data.shadow_soft_size = RADIUS * heights[0]


def _lamp(thing: "Object") -> "Object":
    data: Any = bpy.data.lights.new(f"{thing.name} Light", "POINT")
    data[MARK] = True
    data.use_temperature = True
    data.specular_factor = 0.0  # what shines shows the card itself
    lamp = bpy.data.objects.new(data.name, data)
    for collection in thing.users_collection:
        collection.objects.link(lamp)
    lamp.parent = thing
    lamp.location.z = HEART
    return lamp
