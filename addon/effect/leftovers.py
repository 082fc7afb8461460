"""What is left of effects whose cards were deleted: their nodes in the compositor, and their lights."""

from typing import TYPE_CHECKING, Any

import bpy

from .. import artists_tree
from ..artists_tree import EFFECT, MARK
from . import group, layer, properties

if TYPE_CHECKING:
    from bpy.types import Object, Scene

Left = Any  # a node or an object: both have a name


def find(scene: "Scene") -> list[Left]:
    """The nodes in the scene's compositor and the lights in the scene that belong to no card of it."""
    cards = properties.in_scene(scene)
    folders = {None, *(properties.of(card).folder for card in cards)}
    nodes = [node for node in artists_tree.groups(scene) if node.node_tree.get(EFFECT) not in folders]
    lights = [thing for thing in scene.objects if thing.type == "LIGHT" and thing.data.get(MARK)]
    return [*nodes, *(thing for thing in lights if thing.parent not in cards)]


def remove(scene: "Scene", name: str = "") -> list[str]:
    """Take them out of the scene, or only what has this name; gives their names."""
    found = [left for left in find(scene) if name in ("", left.name)]
    names = [left.name for left in found]
    for left in found:
        if isinstance(left, bpy.types.Object):
            _remove_light(left)
        else:
            layer.take_out(scene, left)
    return names


def _remove_light(lamp: "Object") -> None:
    data: Any = lamp.data
    bpy.data.objects.remove(lamp)
    if not data.users:
        group.forget_keys(data)
        bpy.data.lights.remove(data)
