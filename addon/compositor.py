"""The node group *Paintover* in the artist's compositor: in, replaced, and out again without a trace."""

from pathlib import Path

import bpy

from . import compat, paths, styled_group
from .backend import errors
from .compat import Node, Socket
from .styled_group import MARK

# On a node that feeds an output which nothing fed before: the node that Paintover takes its image from. While that is
# so, removing Paintover leaves the output free again.
FREE_OUTPUT = "paintover_free_output"


def find(scene: bpy.types.Scene) -> bpy.types.Node | None:
    """The scene's Paintover node, if it has one. Its inputs Strength, Keep Luminance, Keep Colour are sliders."""
    tree = compat.compositor_tree(scene)
    nodes: list[Node] = list(tree.nodes) if tree is not None else []
    found: bpy.types.Node | None = next((node for node in nodes if _is_paintover(node)), None)
    return found


def _is_paintover(node: Node) -> bool:
    return node.bl_idname == "CompositorNodeGroup" and node.node_tree is not None and bool(node.node_tree.get(MARK))


def insert(scene: bpy.types.Scene, frames_folder: Path, name: str, first: int, last: int) -> bpy.types.Node:
    """Put the styled frames ``NAME_####.exr`` between what feeds the scene's output (and viewer) and that output.

    No other link changes. A second call replaces the frames and keeps the artist's slider values and links. Where
    there is no tree yet: render layers -> Paintover -> output. Frames outside ``first``..``last``, and frames that are
    missing on disk, show the unstyled image. A tree that other scenes use too stays as it is: this scene gets a copy.
    Raises OutputError when ``frames_folder`` has no such frame.
    """
    there = [frame for frame in paths.frames_in(frames_folder, name) if first <= frame <= last]
    if not there:
        raise errors.OutputError(
            f"There are no styled frames {first} to {last} in {frames_folder}.",
            "Apply a look first.",
            frames=[first, last],
        )
    compat.unshare_compositor_tree(scene)
    tree = compat.compositor_tree(scene)
    if tree is None:
        tree = compat.use_compositor_tree(scene)
        tree[MARK] = len(tree.nodes)
    node: Node = find(scene) or _add(tree, scene)
    if node.node_tree.users > 1:  # the scene was copied: each scene has frames of its own
        node.node_tree = node.node_tree.copy()
    image = sequence(paths.frame_path(frames_folder, name, there[0]), styled_group.image_of(node.node_tree))
    styled_group.fill(node.node_tree, image, first, last)
    placed: bpy.types.Node = node
    return placed


def sequence(first_file: Path, image: bpy.types.Image | None = None) -> bpy.types.Image:
    """The image sequence that ``first_file`` begins, read as it is: scene-linear, premultiplied. Reuses ``image``."""
    if image is None or image.users > 1:
        image = bpy.data.images.load(str(first_file))
        image[MARK] = True
    image.name = f"{styled_group.NAME} {first_file.stem.rpartition('_')[0]}"
    image.source = "SEQUENCE"
    image.filepath = compat.portable_path(first_file)
    image.colorspace_settings.name = compat.scene_linear()  # type: ignore[assignment]  # the stubs know no names
    image.alpha_mode = "PREMUL"
    image.reload()
    return image


def _add(tree: bpy.types.NodeTree, scene: bpy.types.Scene) -> Node:
    """The node, new, with an empty group in it, linked into ``tree``."""
    outputs = compat.output_sockets(tree)
    if not outputs:
        output = compat.new_output(tree)
        output[MARK] = True
        outputs = [output.inputs[0]]
    fed: list[Socket] = [socket for socket in outputs if socket.is_linked]
    source = fed[0].links[0].from_socket if fed else _render_layers(tree, scene).outputs["Image"]
    sinks = (
        [link.to_socket for link in source.links if link.to_socket in fed or _is_viewer(link.to_node)]
        if fed
        else outputs
    )

    node: Node = tree.nodes.new("CompositorNodeGroup")
    node.node_tree = styled_group.new()
    node.name = node.label = styled_group.NAME
    target = sinks[0].node
    node.location = (target.location.x - 220, target.location.y)
    if not fed:
        node[FREE_OUTPUT] = source.node.name
    tree.links.new(source, node.inputs["Image"])
    for sink in sinks:
        tree.links.new(node.outputs["Image"], sink)
    return node


def _render_layers(tree: bpy.types.NodeTree, scene: bpy.types.Scene) -> Node:
    nodes: list[Node] = [node for node in tree.nodes if node.bl_idname == "CompositorNodeRLayers"]
    for node in nodes:
        if node.scene == scene:
            return node
    made: Node = tree.nodes.new("CompositorNodeRLayers")
    made.scene = scene
    made[MARK] = True
    return made


def _is_viewer(node: Node) -> bool:
    return bool(node.bl_idname == "CompositorNodeViewer")


def remove(scene: bpy.types.Scene) -> bool:
    """Take Paintover out: the tree is link for link as it was. False when there was none.

    A tree that other scenes use too stays as it is: this scene gets a copy.
    """
    if find(scene) is None:
        return False
    compat.unshare_compositor_tree(scene)
    node: Node = find(scene)
    tree = compat.compositor_tree(scene)
    links = node.inputs["Image"].links
    source = links[0].from_socket if links and links[0].from_node.name != node.get(FREE_OUTPUT) else None
    sinks = [link.to_socket for output in node.outputs for link in output.links]
    group = node.node_tree
    tree.nodes.remove(node)
    if source is not None:
        for sink in sinks:
            tree.links.new(source, sink)
    _drop_group(group)
    for made in [made for made in tree.nodes if made.get(MARK) and not _is_linked(made)]:
        tree.nodes.remove(made)
    if tree.get(MARK) == len(tree.nodes):  # there was no tree in use, and the artist has added nothing since
        del tree[MARK]
        compat.leave_compositor_tree(scene)
    return True


def _is_linked(node: Node) -> bool:
    return any(socket.is_linked for socket in (*node.inputs, *node.outputs))


def _drop_group(group: bpy.types.NodeTree) -> None:
    if group.users:
        return
    image = styled_group.image_of(group)
    bpy.data.node_groups.remove(group)
    if image is not None and not image.users and image.get(MARK):
        bpy.data.images.remove(image)
