"""What is inside the node group *Paintover*: the styled frames, mixed with the unstyled ones."""

import bpy

from . import compat
from .artists_tree import MARK
from .compat import Node, Socket
from .image_sequence import play
from .node_builder import Builder, factor, socket

NAME = "Paintover"

# Added to colour and luminance before they are divided: black has no hue, and a hue close to black is noise.
# It is taken off again afterwards, so it moves neither the picture nor its luminance.
BLACK = 0.01


def new() -> bpy.types.NodeTree:
    """An empty group with the sockets that the artist sees."""
    group: Node = bpy.data.node_groups.new(NAME, "CompositorNodeTree")
    group[MARK] = True
    socket(group, "Image", "INPUT", "NodeSocketColor", "The unstyled image")
    factor(group, "Matte", 1.0, "Where to style: a mask, or the matte of a Cryptomatte node")
    factor(group, "Strength", 1.0, "How much of the styled image to see")
    factor(group, "Keep Luminance", 0.0, "How much of the unstyled image's luminance to keep")
    factor(group, "Keep Colour", 0.0, "How much of the unstyled image's colour to keep, at the same luminance")
    socket(group, "Image", "OUTPUT", "NodeSocketColor", "The styled image")
    socket(group, "Original", "OUTPUT", "NodeSocketColor", "The unstyled image, as it came in")
    tree: bpy.types.NodeTree = group
    return tree


def fill(group: bpy.types.NodeTree, image: bpy.types.Image, first: int, last: int) -> None:
    """Build the inside anew: scene frame N shows file N of ``image``, for N in ``first``..``last``.

    Outside that range, and where a file is missing, the unstyled image comes out. Colours are scene-linear and
    premultiplied throughout; they are mixed and never clamped.
    """
    group.nodes.clear()
    build = Builder(group)
    given = build.node("NodeGroupInput", (0, 0))
    original = given.outputs["Image"]

    picture = build.node("CompositorNodeImage", (0, 1))
    picture.image = image
    play(picture, first, last)
    fitted = build.node("CompositorNodeScale", (1, 1))  # no change, unless the artist renders at another percentage
    compat.set_option(fitted, "Type", "Render Size", "space", "RENDER_SIZE")
    build.link(picture.outputs["Image"], fitted.inputs["Image"])
    styled = fitted.outputs["Image"]

    kept = _keep(build, original, styled, given.outputs["Keep Luminance"], given.outputs["Keep Colour"])

    info = build.node("CompositorNodeImageInfo", (1, 2))
    build.link(picture.outputs["Image"], info.inputs["Image"])
    time = build.node("CompositorNodeSceneTime", (1, 3))
    there = build.math("GREATER_THAN", (3, 2), build.vector("LENGTH", (2, 2), info.outputs["Dimensions"]), 0.5)
    middle, reach = (first + last) / 2, (last - first) / 2
    in_range = build.math("COMPARE", (2, 3), time.outputs["Frame"], middle, reach + 0.25)
    amount = build.math("MULTIPLY", (2, 4), given.outputs["Strength"], given.outputs["Matte"])
    factor = build.math("MULTIPLY", (5, 3), build.math("MULTIPLY", (4, 3), there, in_range), amount)

    colour = build.mix("VECTOR", (8, 0), factor, original, kept)
    alpha = build.mix("FLOAT", (8, 2), factor, build.alpha((7, 2), original), build.alpha((7, 3), styled))
    whole = build.node("CompositorNodeSetAlpha", (9, 0))
    compat.set_option(whole, "Type", "Replace Alpha", "mode", "REPLACE_ALPHA")
    build.link(colour, whole.inputs["Image"])
    build.link(alpha, whole.inputs["Alpha"])

    out = build.node("NodeGroupOutput", (10, 0))
    build.link(whole.outputs["Image"], out.inputs["Image"])
    build.link(original, out.inputs["Original"])


def _keep(build: Builder, original: Socket, styled: Socket, luminance: Socket, colour: Socket) -> Socket:
    """``styled`` with some of the luminance, and some of the colour at that luminance, of ``original``."""

    def parts(image: Socket, row: int) -> tuple[Socket, Socket]:
        grey = build.node("CompositorNodeRGBToBW", (2, row))
        build.link(image, grey.inputs["Image"])
        positive = build.math("MAXIMUM", (3, row), grey.outputs["Val"], 0.0)
        level = build.math("ADD", (4, row), positive, BLACK)
        lifted = build.vector("ADD", (3, row + 1), image, (BLACK,) * 3)
        return level, build.vector("DIVIDE", (5, row), lifted, level)

    original_level, original_hue = parts(original, -4)
    styled_level, styled_hue = parts(styled, -2)
    level = build.mix("FLOAT", (6, -3), luminance, styled_level, original_level)
    hue = build.mix("VECTOR", (6, -2), colour, styled_hue, original_hue)
    return build.vector("SUBTRACT", (7, -1), build.vector("MULTIPLY", (7, -2), hue, level), (BLACK,) * 3)
