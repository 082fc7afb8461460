"""A node of Paintover's in the artist's compositor: by the render or by the output, and out again."""

from typing import Any

import bpy

from . import compat, passes
from .compat import Node, Socket

MARK = "paintover"  # custom property on whatever Paintover made
EFFECT = "paintover_effect"  # and on the group of an effect: the folder of its frames

# On a node that feeds an output which nothing fed before: the node that Paintover takes its image from. While that is
# so, removing Paintover leaves the output free again.
FREE_OUTPUT = "paintover_free_output"


def use(scene: bpy.types.Scene) -> Any:
    """The scene's own tree, ready to be changed. One that other scenes use too stays as it is: this one gets a copy."""
    compat.unshare_compositor_tree(scene)
    tree: Any = compat.compositor_tree(scene)
    if tree is None:
        tree = compat.use_compositor_tree(scene)
        tree[MARK] = len(tree.nodes)
    return tree


def groups(scene: bpy.types.Scene) -> list[Node]:
    """The nodes of Paintover's in the scene's tree, whatever they do."""
    tree: Any = compat.compositor_tree(scene)
    return [node for node in tree.nodes if _is_ours(node)] if tree is not None else []


def _is_ours(node: Node) -> bool:
    return node.bl_idname == "CompositorNodeGroup" and node.node_tree is not None and bool(node.node_tree.get(MARK))


def add(
    tree: bpy.types.NodeTree, scene: bpy.types.Scene, group: bpy.types.NodeTree, name: str, by_the_render: bool
) -> Node:
    """A new node with ``group`` in it, its Image linked into ``tree``; what it reads and writes is made if need be.

    ``by_the_render``: in front of all that the artist does to the render, so that grades, glows and mattes are done to
    what comes out; else, and where the output does not show the render's image, right before the output.
    """
    outputs = compat.output_sockets(tree)
    if not outputs:
        output = compat.new_output(tree)
        output[MARK] = True
        outputs = [output.inputs[0]]
    fed: list[Socket] = [socket for socket in outputs if socket.is_linked]
    source = fed[0].links[0].from_socket if fed else render_layers(tree, scene).outputs["Image"]
    sinks = (
        [link.to_socket for link in source.links if link.to_socket in fed or _is_viewer(link.to_node)]
        if fed
        else outputs
    )
    if by_the_render and fed:
        source, sinks = _shown_render(tree, scene, outputs) or (source, sinks)

    node: Node = tree.nodes.new("CompositorNodeGroup")
    node.node_tree = group
    node.name = node.label = name
    target = sinks[0].node
    node.location = (target.location.x - 220, target.location.y)
    freed = {sink.node.name: sink.node for sink in sinks if sink.node.get(FREE_OUTPUT) == source.node.name}
    if freed or not fed:
        node[FREE_OUTPUT] = source.node.name
    for other in freed.values():
        del other[FREE_OUTPUT]
    tree.links.new(source, node.inputs["Image"])
    for sink in sinks:
        tree.links.new(node.outputs["Image"], sink)
    return node


def _shown_render(
    tree: bpy.types.NodeTree, scene: bpy.types.Scene, outputs: list[Socket]
) -> tuple[Socket, list[Socket]] | None:
    """The render's image, denoised where the artist's nodes do that first, and the sockets that take it on its way to
    an output or a viewer. None where no output shows it.
    """
    layer = passes.main_layer(scene).name
    readers: list[Node] = [node for node in tree.nodes if node.bl_idname == "CompositorNodeRLayers"]
    shown: list[Node] = [socket.node for socket in outputs]
    viewers: list[Node] = [node for node in tree.nodes if _is_viewer(node)]
    for reader in readers:
        source: Socket = reader.outputs["Image"]
        if reader.scene != scene or reader.layer != layer or not _leading_to(tree, shown, source):
            continue
        sinks = _leading_to(tree, shown + viewers, source)
        while [sink.node.bl_idname for sink in sinks] == ["CompositorNodeDenoise"]:  # strokes are not noise
            source = sinks[0].node.outputs["Image"]
            sinks = _leading_to(tree, shown + viewers, source)
        return source, sinks
    return None


def _leading_to(tree: bpy.types.NodeTree, ends: list[Node], source: Socket) -> list[Socket]:
    """The sockets that take ``source`` and from whose nodes a way leads to one of the ``ends``."""
    found: set[str] = set()
    more = {node.name for node in ends}
    while more:
        found |= more
        more = {link.from_node.name for link in tree.links if link.to_node.name in found} - found
    return [link.to_socket for link in source.links if link.to_node.name in found]


def render_layers(tree: bpy.types.NodeTree, scene: bpy.types.Scene) -> Node:
    """The node that reads the scene's render; made if there is none."""
    nodes: list[Node] = [node for node in tree.nodes if node.bl_idname == "CompositorNodeRLayers"]
    for node in nodes:
        if node.scene == scene:
            return node
    made: Node = tree.nodes.new("CompositorNodeRLayers")
    made.scene, made.layer = scene, passes.main_layer(scene).name
    made[MARK] = True
    return made


def _is_viewer(node: Node) -> bool:
    return bool(node.bl_idname == "CompositorNodeViewer")


def take_out(scene: bpy.types.Scene, name: str) -> bpy.types.NodeTree:
    """Remove the node of this name: the tree is link for link as it was without it. Gives its group."""
    compat.unshare_compositor_tree(scene)
    tree: Any = compat.compositor_tree(scene)
    node: Node = tree.nodes[name]
    links = node.inputs["Image"].links
    source = links[0].from_socket if links else None
    sinks = [link.to_socket for output in node.outputs for link in output.links]
    if source is not None and source.node.name == node.get(FREE_OUTPUT):
        sinks = [sink for sink in sinks if _is_ours(sink.node)]  # the output was free: it is theirs to leave it so
        for sink in sinks:
            sink.node[FREE_OUTPUT] = source.node.name
    group: bpy.types.NodeTree = node.node_tree
    tree.nodes.remove(node)
    if source is not None:
        for sink in sinks:
            tree.links.new(source, sink)
    for made in [made for made in tree.nodes if made.get(MARK) and not _is_linked(made)]:
        tree.nodes.remove(made)
    if tree.get(MARK) == len(tree.nodes):  # there was no tree in use, and the artist has added nothing since
        del tree[MARK]
        compat.leave_compositor_tree(scene)
    return group


def _is_linked(node: Node) -> bool:
    return any(socket.is_linked for socket in (*node.inputs, *node.outputs))
