"""Effects in the artist's compositor: one node for each, merged with the render by depth."""

import math
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

import bpy
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

from .. import artists_tree, paths
from ..artists_tree import EFFECT
from ..backend.errors import UsageError
from ..compat import Node
from ..node_builder import image_of
from ..render_ticket import check_idle
from . import bakes, group, material, properties
from .group import Place

if TYPE_CHECKING:
    from bpy.types import Object, Scene

NEAR = 1e-4  # of a frame's width, of a size, of a distance: a fifth of a pixel


def find(scene: "Scene", thing: "Object") -> Node | None:
    """The effect's node in the scene's compositor, if it has one. Its inputs Strength and Softness are sliders."""
    folder = properties.of(thing).folder
    return next((node for node in artists_tree.groups(scene) if node.node_tree.get(EFFECT) == folder), None)


def insert(scene: "Scene", thing: "Object") -> Node:
    """Merge the effect with what feeds the scene's output, where its card stands for the camera; the card is hidden.

    No other link changes. A second call takes over frames and place, and keeps the artist's sliders and links. Raises
    EffectError for an effect that is not baked, UsageError for water, for a copy that shows what another card shows,
    and where no camera is.
    """
    settings = properties.of(thing)
    if settings.is_water:
        raise UsageError("Water is a surface in the scene: it is not merged by depth.", "Render it with the scene.")
    if scene.camera is None:
        raise UsageError("The scene has no camera.", "Add one: the effect stands where the camera sees its card.")
    if shared := _sharers(scene, thing):
        raise UsageError(
            f"{thing.name} and {shared[0].name} show the same bake: one is a copy of the other.",
            "Bake the copy first: then it has frames of its own.",
        )
    folder = properties.folder_of(thing)
    baked = bakes.needed(folder, thing.name)
    depth = properties.size(thing) * settings.deep
    places = _places(scene, thing, depth)
    tree = artists_tree.use(scene)
    node = find(scene, thing)
    if node is None:
        made = group.new(settings.folder, group.SOFTNESS * depth)
        node = artists_tree.add(tree, scene, made, f"Paintover {thing.name}", by_the_render=False)
        rendered = artists_tree.render_layers(tree, scene)
        scene.view_layers[rendered.layer].use_pass_z = True  # without it the node has no such socket
        tree.links.new(rendered.outputs["Depth"], node.inputs["Depth"])
    for link in node.inputs["Depth"].links:
        if link.from_node.bl_idname == "CompositorNodeRLayers":
            scene.view_layers[link.from_node.layer].use_pass_z = True
    if node.node_tree.users > 1:  # the scene was copied
        node.node_tree = node.node_tree.copy()
    first_file = paths.frame_path(folder, baked.kind, baked.frames[0])
    image = material.sequence(first_file, image_of(node.node_tree) or _image(thing), False)
    group.fill(node.node_tree, image, baked, settings.repeats, settings.shape[1], places)
    _hide(thing, True)
    return node


def _sharers(scene: "Scene", thing: "Object") -> "list[Object]":
    """The other cards of this bake in the scene. A copy of the whole scene has its own, and its own compositor."""
    return [other for other in properties.sharers(thing) if other.name in scene.objects]


def is_stale(scene: "Scene", thing: "Object") -> bool:
    """Whether the camera or the card has moved since the effect was merged, as the current frame shows it.

    Of frames outside the scene's range nothing is known, nor of an effect that is not merged.
    """
    node = find(scene, thing)
    if node is None or scene.camera is None or not scene.frame_start <= scene.frame_current <= scene.frame_end:
        return False
    now = _place(scene, thing, properties.size(thing) * properties.of(thing).deep)
    values = zip(astuple(now), astuple(group.placed(node.node_tree)), strict=True)
    return not all(math.isclose(value, merged, rel_tol=NEAR, abs_tol=NEAR) for value, merged in values)


def _hide(thing: "Object", hidden: bool) -> None:
    """Render the card or not; without it, it is its light that shows in what shines."""
    thing.hide_render = hidden
    lamp: Any = properties.of(thing).light
    if lamp is not None:
        lamp.data.specular_factor = float(hidden)


def remove(scene: "Scene", thing: "Object") -> bool:
    """Take the effect out: the tree is link for link as it was, the card renders again, and so do copies of it.

    False when it was not in.
    """
    node = find(scene, thing)
    if node is None:
        return False
    take_out(scene, node)
    for card in (thing, *_sharers(scene, thing)):
        _hide(card, False)
    return True


def take_out(scene: "Scene", node: Node) -> None:
    """Take an effect's node out of the scene's compositor, whether or not it still has a card."""
    made = artists_tree.take_out(scene, node.name)
    if not made.users:
        image = image_of(made)
        group.forget_keys(made)
        bpy.data.node_groups.remove(made)
        if image is not None and not image.users:
            bpy.data.images.remove(image)


def _image(thing: "Object") -> "bpy.types.Image | None":
    """What the card shows: the layer shows the same data-block."""
    pictures = material.pictures(thing.active_material) if thing.active_material else []
    found: bpy.types.Image | None = pictures[0].image if pictures else None
    return found


def _places(scene: "Scene", thing: "Object", depth: float) -> dict[int, Place]:
    """Where the card stands for the camera, for each frame of the scene in which that may change."""
    check_idle()
    before = scene.frame_current, scene.frame_subframe
    if (
        not any(_moves(part) for start in (thing, scene.camera) for part in _chain(start))
        and not scene.timeline_markers
    ):
        scene.frame_set(before[0], subframe=before[1])
        return {before[0]: _place(scene, thing, depth)}
    found = {}
    try:
        for frame in range(scene.frame_start, scene.frame_end + 1):
            scene.frame_set(frame)
            found[frame] = _place(scene, thing, depth)
    finally:
        scene.frame_set(before[0], subframe=before[1])
    return found if len(set(found.values())) > 1 else {scene.frame_start: found[scene.frame_start]}


def _chain(thing: "Object | None") -> "list[Object]":
    return [thing, *_chain(thing.parent)] if thing is not None else []


def _moves(thing: "Object") -> bool:
    data: Any = thing.data
    animated = [
        block.animation_data for block in (thing, data) if block is not None and block.animation_data is not None
    ]
    keyed = any(animation.action is not None or animation.nla_tracks for animation in animated)
    driven = any(curve.data_path != "scale" for animation in animated for curve in animation.drivers)
    return keyed or driven or bool(thing.constraints)


def _place(scene: "Scene", thing: "Object", depth: float) -> Place:
    """Now. The effect is a volume: on the foot of its card it stands upright, as large as its distance has it."""
    camera: Any = scene.camera
    foot: Any = world_to_camera_view(scene, camera, thing.matrix_world.translation)
    x, y, distance = foot
    corners = camera.data.view_frame(scene=scene)
    columns, lines = (max(sides) - min(sides) for sides in zip(*(corner.xy for corner in corners), strict=True))
    aspect = columns / lines
    if camera.data.type != "ORTHO":
        lines *= distance / abs(corners[0].z)
    up = camera.matrix_world.inverted_safe().to_3x3() @ (thing.matrix_world.to_3x3() @ Vector((0, 0, 1)))
    angle = math.atan2(-up.x, up.y) if up.xy.length > 1e-3 * up.length else 0.0
    height = up.length / lines if distance > 0 else 0.0
    x -= math.sin(angle) * height / 2 / aspect
    y += math.cos(angle) * height / 2
    return Place(x - 0.5, y - 0.5, height, angle, distance - depth / 2)
