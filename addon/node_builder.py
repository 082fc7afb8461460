"""Node trees by their formulas."""

import bpy

from .compat import Node, Socket


def socket(group: Node, name: str, in_out: str, kind: str, description: str) -> Socket:
    """A new socket of a node group, as the artist sees it."""
    return group.interface.new_socket(name, description=description, in_out=in_out, socket_type=kind)


def factor(group: Node, name: str, value: float, description: str) -> None:
    """A new input of a node group, from 0 to 1."""
    made = socket(group, name, "INPUT", "NodeSocketFloat", description)
    made.subtype = "FACTOR"
    made.min_value, made.max_value = 0.0, 1.0
    made.default_value = value


def image_of(group: bpy.types.NodeTree) -> bpy.types.Image | None:
    """The image sequence in a node group, if there is one."""
    nodes: list[Node] = [node for node in group.nodes if node.bl_idname == "CompositorNodeImage"]
    image: bpy.types.Image | None = nodes[0].image if nodes else None
    return image


class Builder:
    """Nodes by their formula. An input is a socket to link, or a value."""

    def __init__(self, tree: bpy.types.NodeTree) -> None:
        self.tree = tree

    def node(self, kind: str, place: tuple[int, int]) -> Node:
        """A node at ``place``: column to the right, row downwards."""
        node = self.tree.nodes.new(kind)
        node.location = (place[0] * 200, place[1] * -200)
        return node

    def link(self, value: Socket, target: Socket) -> None:
        """Link ``value`` where it is a socket, else set it."""
        if isinstance(value, bpy.types.NodeSocket):
            self.tree.links.new(value, target)
        else:
            target.default_value = value

    def math(self, operation: str, place: tuple[int, int], *values: Socket) -> Socket:
        """Scalar arithmetic."""
        node = self.node("ShaderNodeMath", place)
        node.operation = operation
        for value, target in zip(values, node.inputs, strict=False):
            self.link(value, target)
        return node.outputs["Value"]

    def vector(self, operation: str, place: tuple[int, int], *values: Socket) -> Socket:
        """Arithmetic on three channels; a scalar counts for each."""
        node = self.node("ShaderNodeVectorMath", place)
        node.operation = operation
        for value, target in zip(values, node.inputs, strict=False):
            self.link(value, target)
        return next(socket for socket in node.outputs if socket.enabled)

    def mix(self, kind: str, place: tuple[int, int], factor: Socket, first: Socket, second: Socket) -> Socket:
        """``first`` at factor 0, ``second`` at 1. ``kind``: FLOAT or VECTOR."""
        node = self.node("ShaderNodeMix", place)
        node.data_type = kind
        inputs = {socket.identifier: socket for socket in node.inputs}
        suffix = kind.title()
        self.link(factor, inputs["Factor_Float"])
        self.link(first, inputs[f"A_{suffix}"])
        self.link(second, inputs[f"B_{suffix}"])
        return next(socket for socket in node.outputs if socket.identifier == f"Result_{suffix}")

    def alpha(self, place: tuple[int, int], image: Socket) -> Socket:
        """The alpha channel of ``image``."""
        node = self.node("CompositorNodeSeparateColor", place)
        self.link(image, node.inputs["Image"])
        return node.outputs["Alpha"]
