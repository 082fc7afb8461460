"""Styled images on materials."""

from pathlib import Path

import bpy

from . import compat, compositor
from .artists_tree import MARK
from .backend import errors
from .compat import Node
from .image_sequence import play
from .images import file_of

SOURCE = "paintover_source"  # custom property on a node of ours: the image that it took the place of

# What a new texture takes over from the one whose place it takes: how the image lies on the surface.
PLACING = ("projection", "projection_blend", "extension", "interpolation")


def styled_image(path: Path, frames: tuple[int, int] | None = None) -> bpy.types.Image:
    """A styled image as a data-block, the same one each time, read anew from disk.

    A styled frame (EXR) is scene-linear; any other picture has the colour space that Blender gives its kind.
    ``frames`` (first, last): the whole sequence that ``path`` begins. Raises OutputError when there is no file.
    """
    if not path.is_file():
        raise errors.OutputError(f"There is no styled image at {path}.", "Apply the look first.", path=str(path))
    wanted = ("SEQUENCE" if frames else "FILE", path.resolve())
    known = next(
        (image for image in bpy.data.images if image.get(MARK) and (image.source, file_of(image)) == wanted), None
    )
    if known is not None:
        known.reload()
        return known
    if frames:
        return compositor.sequence(path)
    image = bpy.data.images.load(str(path))
    image[MARK] = True
    image.filepath = compat.portable_path(path)
    if path.suffix.lower() == ".exr":
        image.colorspace_settings.name = compat.scene_linear()  # type: ignore[assignment]  # the stubs know no names
    return image


def new_texture(
    target: bpy.types.Object | bpy.types.Material,
    image: bpy.types.Image,
    source: bpy.types.Image | None = None,
    frames: tuple[int, int] | None = None,
) -> bpy.types.ShaderNodeTexImage:
    """A new image texture node with ``image`` on the (active) material; the old node stays in the tree, unlinked.

    ``source``: the image whose links it takes over, with its projection, extension and mapping (a new node for each
    node in use that shows it; the first is given); None: the material's active image texture. Where nothing in use is
    replaced, it feeds the surface's Base Color, if that is free. The second time, the same nodes are used.
    ``frames`` (first, last): plays a sequence, scene frame N showing file N. Raises UsageError when there is no
    material that uses nodes.
    """
    tree = _node_tree(target)
    placed = [_in_place_of(tree, old) for old in _linked_textures(tree, source) if old.image != image]
    if not placed:
        placed = [node for node in tree.nodes if node.get(MARK) and _stands_for(node, image, source)]
    if not placed:
        placed = [_on_base_color(tree)]
        if source is not None:
            placed[0][SOURCE] = source
    for node in placed:
        node[MARK] = True
        node.image = image
        if frames is not None:
            play(node.image_user, *frames)
    for node in tree.nodes:
        node.select = node == placed[0]
    tree.nodes.active = placed[0]
    made: bpy.types.ShaderNodeTexImage = placed[0]
    return made


def made_of(node: bpy.types.Node) -> bpy.types.Image | None:
    """The image that a node of ours took the place of, if it did."""
    image: bpy.types.Image | None = node.get(SOURCE)
    return image


def _stands_for(node: Node, image: bpy.types.Image, source: bpy.types.Image | None) -> bool:
    return bool(node.image == image or (source is not None and made_of(node) == source))


def _node_tree(target: bpy.types.Object | bpy.types.Material) -> Node:
    material = target.active_material if isinstance(target, bpy.types.Object) else target
    if material is None or material.node_tree is None:
        raise errors.UsageError(
            f"{target.name} has no material to put a texture on.", "Add a material in the Material properties."
        )
    return material.node_tree


def _linked_textures(tree: Node, source: bpy.types.Image | None) -> list[Node]:
    """The nodes to replace: all in use that show ``source``; without one, the active of those in use, or the first."""
    used = [
        node
        for node in tree.nodes
        if node.bl_idname == "ShaderNodeTexImage" and any(socket.is_linked for socket in node.outputs)
    ]
    if source is not None:
        return [node for node in used if node.image == source]
    return [node for node in used if node == tree.nodes.active] or used[:1]


def _in_place_of(tree: Node, old: Node) -> Node:
    """A new texture that lies on the surface as ``old`` does, and has its links; ``old`` keeps its mapping."""
    new: Node = tree.nodes.new("ShaderNodeTexImage")
    for name in PLACING:
        setattr(new, name, getattr(old, name))
    new[SOURCE] = made_of(old) or old.image
    new.location = (old.location.x, old.location.y - 280)
    for link in old.inputs["Vector"].links:
        tree.links.new(link.from_socket, new.inputs["Vector"])
    for name in ("Color", "Alpha"):
        for link in list(old.outputs[name].links):
            tree.links.new(new.outputs[name], link.to_socket)
    return new


def _on_base_color(tree: Node) -> Node:
    """A new texture, on the Base Color where that is free."""
    new: Node = tree.nodes.new("ShaderNodeTexImage")
    shader = next((node for node in tree.nodes if node.bl_idname == "ShaderNodeBsdfPrincipled"), None)
    if shader is not None and not shader.inputs["Base Color"].is_linked:
        new.location = (shader.location.x - 300, shader.location.y)
        tree.links.new(new.outputs["Color"], shader.inputs["Base Color"])
    return new
