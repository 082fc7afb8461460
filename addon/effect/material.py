"""The materials of effects: light that adds to what is behind, or a surface of water, from image sequences."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from .. import compat, image_sequence, paths
from ..compat import Node, Socket
from ..node_builder import Builder
from . import properties
from .bakes import Baked

if TYPE_CHECKING:
    from bpy.types import Image, Material, Object

LAYER = "paintover_effect"  # custom property on a node that shows a sequence: which of ``LAYERS``; on its gate: True
LAYERS = ("", "normal", "surface")  # in a file's name after the kind: the picture, or a texture of water
_PICTURE, _NORMAL, _SURFACE = LAYERS
CLEAR = ("pool", "rain")  # water that one sees the ground through
DEEP = (0.004, 0.016, 0.022)  # what comes back out of deep water


def give(thing: "Object") -> None:
    """A new material, that shows nothing yet."""
    mesh: Any = thing.data
    material = bpy.data.materials.new(thing.name)
    compat.use_material_nodes(material)
    settings = properties.of(thing)
    tree: Any = material.node_tree
    tree.nodes.clear()
    (_water if settings.is_water else _glow)(material, Builder(tree), settings.kind)
    mesh.materials.clear()
    mesh.materials.append(material)


def of(thing: "Object") -> "Material":
    """The card's material, its alone; a card that was duplicated gets one that shows nothing yet."""
    material = thing.active_material
    if material is None or not pictures(material):
        give(thing)
    elif material.users > 1:
        thing.active_material = material.copy()
        for node in pictures(thing.active_material):
            node.image = None
    return thing.active_material


def show(thing: "Object", folder: Path, baked: Baked) -> None:
    """Let the card show what was baked: in frame N file N, and nothing before and after, unless it is a loop."""
    settings = properties.of(thing)
    material = of(thing)
    tree: Any = material.node_tree
    first, last = baked.frames
    for node in pictures(material):
        name = "_".join(filter(None, (baked.kind, node[LAYER])))
        node.image = sequence(paths.frame_path(folder, name, first), node.image, bool(node[LAYER]))
        image_sequence.play(node.image_user, first, last)
        node.image_user.use_cyclic = settings.repeats
    for node in tree.nodes:
        if node.bl_idname == "ShaderNodeValue" and node.get(LAYER):
            _gate(node, None if settings.repeats else (first, last))


def pictures(material: "Material") -> list[Node]:
    """The nodes that show what was baked."""
    nodes: Any = material.node_tree.nodes if material.node_tree else ()
    return [node for node in nodes if node.bl_idname == "ShaderNodeTexImage" and LAYER in node]


def sequence(first_file: Path, image: "Image | None", data: bool) -> "Image":
    """The effect's frames that begin with this file. Reuses ``image``. ``data``: it is no colour."""
    # Packed, because fire has colour where it has no alpha: nothing may be divided by that.
    space = "Non-Color" if data else compat.linear_rec709()
    return image_sequence.load(first_file, image, first_file.parent.name, "CHANNEL_PACKED", space)


def _gate(node: Node, frames: tuple[int, int] | None) -> None:
    """Let the value be 1 in these frames, and 0 in all others. None: always 1."""
    socket = node.outputs[0]
    socket.driver_remove("default_value")
    socket.default_value = 1.0
    if frames is not None:
        driver = socket.driver_add("default_value").driver
        driver.expression = f"frame >= {frames[0]} and frame < {frames[1] + 1}"


def _picture(build: Builder, place: tuple[int, int], layer: str) -> Node:
    node = build.node("ShaderNodeTexImage", place)
    node.extension = "REPEAT" if layer else "CLIP"
    node[LAYER] = layer
    return node


def _glow(material: "Material", build: Builder, _kind: str) -> None:
    """Premultiplied light is added to what comes through from behind: the alpha hides, whatever it glows."""
    material.surface_render_method = "BLENDED"
    picture = _picture(build, (0, 0), _PICTURE)
    shown = build.node("ShaderNodeValue", (0, 2))
    shown.label, shown[LAYER] = "Shown", True
    shown.outputs[0].default_value = 0.0
    hidden = build.math("MULTIPLY", (2, 1), picture.outputs["Alpha"], shown.outputs[0])
    through = build.math("SUBTRACT", (3, 1), 1.0, hidden)
    emission, behind = build.node("ShaderNodeEmission", (4, 0)), build.node("ShaderNodeBsdfTransparent", (4, 1))
    build.link(picture.outputs["Color"], emission.inputs["Color"])
    build.link(shown.outputs[0], emission.inputs["Strength"])
    build.link(through, behind.inputs["Color"])
    both = build.node("ShaderNodeAddShader", (5, 0))
    build.link(emission.outputs[0], both.inputs[0])
    build.link(behind.outputs[0], both.inputs[1])
    build.link(both.outputs[0], build.node("ShaderNodeOutputMaterial", (6, 0)).inputs["Surface"])


def _water(material: "Material", build: Builder, kind: str) -> None:
    """A surface that is displaced and reflects, with foam on it. Through clear water light falls as caustics.

    The tile's textures lie as seen from above: their x is the plane's, their z is the plane's -y, their y is up.
    """
    material.displacement_method = "DISPLACEMENT"
    normal, surface = _picture(build, (0, 0), _NORMAL), _picture(build, (0, 2), _SURFACE)
    x, up, z = _parts(build, (1, 0), normal)
    height, foam, caustics = _parts(build, (1, 2), surface)

    turned = build.node("ShaderNodeCombineXYZ", (3, 0))
    for value, target in zip((x, build.math("MULTIPLY", (2, 0), z, -1.0), up), turned.inputs, strict=True):
        build.link(value, target)
    world = build.node("ShaderNodeVectorTransform", (4, 0))
    world.vector_type, world.convert_from, world.convert_to = "NORMAL", "OBJECT", "WORLD"
    build.link(turned.outputs[0], world.inputs[0])

    water = build.node("ShaderNodeBsdfPrincipled", (5, 0))
    clear = kind in CLEAR
    water.inputs["Base Color"].default_value = (1, 1, 1, 1) if clear else (*DEEP, 1)
    water.inputs["Transmission Weight"].default_value = float(clear)
    water.inputs["Roughness"].default_value = 0.03
    water.inputs["IOR"].default_value = 1.333
    white = build.node("ShaderNodeBsdfDiffuse", (5, 2))
    for shader in (water, white):
        build.link(world.outputs[0], shader.inputs["Normal"])
    shown = _mixed(build, (6, 0), foam, water.outputs[0], white.outputs[0])
    if clear:
        light, path = build.node("ShaderNodeBsdfTransparent", (6, 2)), build.node("ShaderNodeLightPath", (6, 3))
        build.link(caustics, light.inputs["Color"])
        shown = _mixed(build, (7, 0), path.outputs["Is Shadow Ray"], shown, light.outputs[0])
    moved = build.node("ShaderNodeDisplacement", (7, 2))
    moved.space = "WORLD"  # metres
    moved.inputs["Midlevel"].default_value, moved.inputs["Scale"].default_value = 0.0, 1.0
    build.link(height, moved.inputs["Height"])
    out = build.node("ShaderNodeOutputMaterial", (8, 0))
    build.link(shown, out.inputs["Surface"])
    build.link(moved.outputs[0], out.inputs["Displacement"])


def _parts(build: Builder, place: tuple[int, int], picture: Node) -> list[Socket]:
    node = build.node("ShaderNodeSeparateColor", place)
    build.link(picture.outputs["Color"], node.inputs[0])
    return list(node.outputs)


def _mixed(build: Builder, place: tuple[int, int], factor: Socket, first: Socket, second: Socket) -> Socket:
    node = build.node("ShaderNodeMixShader", place)
    for value, target in zip((factor, first, second), node.inputs, strict=True):
        build.link(value, target)
    return node.outputs[0]
