"""What is inside the node group of an effect in the compositor: its frames, merged with the render by depth."""

from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING, Any

import bpy

from .. import compat
from ..artists_tree import EFFECT, MARK
from ..compat import Node, Socket
from ..image_sequence import play
from ..node_builder import Builder, factor, socket
from .bakes import Baked

if TYPE_CHECKING:
    from bpy.types import Image, Light, NodeTree

FAR = 1e10  # m: what Blender's Depth pass says where nothing is
SOFTNESS = 0.3  # of the box's depth: the way that it takes a surface to come out of the smoke


@dataclass(frozen=True)
class Place:
    """Where the effect's picture stands in a frame. ``x``, ``y``: its middle from the frame's, in widths and heights of
    that. ``height``: its own, in heights of the frame; 0 behind the camera. ``angle``: radians, to the left.
    ``front``: of its box, m from the camera.
    """

    x: float
    y: float
    height: float
    angle: float
    front: float


def new(folder: str, softness: float) -> "NodeTree":
    """An empty group with the sockets that the artist sees."""
    group: Any = bpy.data.node_groups.new(f"Paintover Effect {folder}", "CompositorNodeTree")
    group[MARK], group[EFFECT] = True, folder
    socket(group, "Image", "INPUT", "NodeSocketColor", "The render")
    depth = socket(group, "Depth", "INPUT", "NodeSocketFloat", "The render's Depth pass")
    depth.default_value = FAR
    factor(group, "Strength", 1.0, "How much of the effect to see")
    soft = socket(group, "Softness", "INPUT", "NodeSocketFloat", "Over what way surfaces come out of it, in metres")
    soft.default_value, soft.min_value = softness, 0.0
    socket(group, "Image", "OUTPUT", "NodeSocketColor", "The render with the effect in it")
    tree: NodeTree = group
    return tree


def fill(group: "NodeTree", image: "Image", baked: Baked, loop: bool, rows: int, places: dict[int, Place]) -> None:
    """Build the inside anew: frame N shows file N of ``image``, for a loop all of them again and again.

    ``rows``: of its pictures. ``places``: where they stand, by frame; a single one holds for all. Where the effect lies
    in front of what was rendered it covers that; its light is added. Colours are scene-linear and premultiplied.
    """
    forget_keys(group)
    group.nodes.clear()
    build = Builder(group)
    first, last = baked.frames
    given = build.node("NodeGroupInput", (0, 0))
    original, rendered = given.outputs["Image"], given.outputs["Depth"]
    x, y, height, angle, front = _placed(build, places)

    picture = build.node("CompositorNodeImage", (0, 1))
    picture.image = image
    play(picture, first, last)
    picture.use_cyclic = loop

    frame = build.node("CompositorNodeImageInfo", (1, -1))
    build.link(original, frame.inputs["Image"])
    parts = build.node("ShaderNodeSeparateXYZ", (2, -1))
    build.link(frame.outputs["Dimensions"], parts.inputs[0])
    columns, lines = parts.outputs["X"], parts.outputs["Y"]
    place = (
        build.math("MULTIPLY", (3, -2), x, columns),
        build.math("MULTIPLY", (3, -1), y, lines),
        angle,
        build.math(
            "MAXIMUM", (4, 0), build.math("MULTIPLY", (3, 0), height, build.math("DIVIDE", (2, 0), lines, rows)), 1e-3
        ),
    )
    nothing = build.vector("SCALE", (1, 0), original)
    nothing.node.inputs["Scale"].default_value = 0.0

    def moved(value: Socket, row: int) -> Socket:
        """``value`` where the effect stands in the frame; 0 around it."""
        node = build.node("CompositorNodeTransform", (4, row))
        compat.set_option(node, "Interpolation", "Bilinear", "filter_type", "BILINEAR")
        build.link(value, node.inputs["Image"])
        for name, amount in zip(("X", "Y", "Angle", "Scale"), place, strict=True):
            build.link(amount, node.inputs[name])
        return build.vector("ADD", (5, row), nothing, node.outputs["Image"])

    colour = moved(picture.outputs["Combined"], 1)
    depth_and_alpha = build.node("CompositorNodeCombineColor", (3, 2))
    build.link(picture.outputs["depth"], depth_and_alpha.inputs[0])
    build.link(picture.outputs["Alpha"], depth_and_alpha.inputs[1])
    both = build.node("ShaderNodeSeparateXYZ", (6, 2))
    build.link(moved(depth_and_alpha.outputs[0], 2), both.inputs[0])
    depth, alpha = both.outputs["X"], both.outputs["Y"]

    behind = build.math("SUBTRACT", (7, 3), rendered, build.math("ADD", (6, 3), depth, front))
    soft = build.math("MAXIMUM", (7, 4), given.outputs["Softness"], 1e-4)
    share = build.math("ADD", (9, 3), build.math("DIVIDE", (8, 3), behind, soft), 0.5)
    share.node.use_clamp = True
    square = build.math("MULTIPLY", (9, 4), share, share)
    covers = build.math("MULTIPLY", (10, 3), square, build.math("MULTIPLY_ADD", (9, 5), share, -2.0, 3.0))
    shown = build.math("MULTIPLY", (10, 4), given.outputs["Strength"], _shown(build, picture, baked, loop, height))
    weight = build.math("MULTIPLY", (11, 3), covers, shown)

    light = build.vector("MULTIPLY", (12, 1), colour, weight)
    hidden = build.math("MULTIPLY", (12, 2), alpha, weight)
    left = build.math("SUBTRACT", (13, 2), 1.0, hidden)
    merged = build.vector("ADD", (14, 0), build.vector("MULTIPLY", (13, 0), original, left), light)
    whole = build.node("CompositorNodeSetAlpha", (15, 0))
    compat.set_option(whole, "Type", "Replace Alpha", "mode", "REPLACE_ALPHA")
    build.link(merged, whole.inputs["Image"])
    kept = build.math("MULTIPLY", (14, 2), build.alpha((13, 3), original), left)
    build.link(build.math("ADD", (14, 1), kept, hidden), whole.inputs["Alpha"])
    out = build.node("NodeGroupOutput", (16, 0))
    build.link(whole.outputs["Image"], out.inputs["Image"])


def forget_keys(owner: "NodeTree | Light") -> None:
    """Remove the keys of a group's values, or of a light's."""
    action = owner.animation_data.action if owner.animation_data else None
    owner.animation_data_clear()
    if action is not None and not action.users:
        bpy.data.actions.remove(action)


def _placed(build: Builder, places: dict[int, Place]) -> list[Socket]:
    """A value for each field of ``Place``, with keys where there are several places."""
    made = []
    for row, field in enumerate(fields(Place)):
        node = build.node("ShaderNodeValue", (-1, row))
        node.name = node.label = _label(field.name)
        for frame, place in places.items():
            node.outputs[0].default_value = astuple(place)[row]
            if len(places) > 1:
                node.outputs[0].keyframe_insert("default_value", frame=frame)
        made.append(node.outputs[0])
    return made


def placed(group: "NodeTree") -> Place:
    """Where the group has the picture in the current frame."""
    nodes: Any = group.nodes
    return Place(*(nodes[_label(field.name)].outputs[0].default_value for field in fields(Place)))


def _label(field: str) -> str:
    """The name of the node that holds a field of ``Place``."""
    return field.title()


def _shown(build: Builder, picture: Node, baked: Baked, loop: bool, height: Socket) -> Socket:
    """1 where there is something to show: its file is there, the camera sees it, and it has begun and not ended."""
    info = build.node("CompositorNodeImageInfo", (1, 5))
    build.link(picture.outputs["Combined"], info.inputs["Image"])
    there = build.math("GREATER_THAN", (3, 5), build.vector("LENGTH", (2, 5), info.outputs["Dimensions"]), 0.5)
    seen = build.math("MULTIPLY", (4, 5), there, build.math("GREATER_THAN", (3, 6), height, 0.0))
    if loop:
        return seen
    first, last = baked.frames
    time = build.node("CompositorNodeSceneTime", (2, 7))
    now = build.math("COMPARE", (4, 7), time.outputs["Frame"], (first + last) / 2, (last - first) / 2 + 0.25)
    return build.math("MULTIPLY", (5, 5), seen, now)
