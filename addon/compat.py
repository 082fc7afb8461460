"""The one module that knows how Blender 4.5 and 5.x differ."""

import os
import re
from pathlib import Path
from typing import Any

import bpy

from .passes import main_layer

# Blender's stubs know one version only, and type every node and socket as their bare base class.
Node = Any
Socket = Any
Scene = Any

IS_5 = bpy.app.version >= (5, 0, 0)
VECTORS_OF_ORTHO = IS_5  # whether Cycles writes true vectors for an orthographic camera that moves
OUTPUT = "NodeGroupOutput" if IS_5 else "CompositorNodeComposite"


def compositor_tree(scene: Scene) -> bpy.types.NodeTree | None:
    """The tree that composites ``scene``, or None when the scene has none in use."""
    off = not IS_5 and not scene.use_nodes
    tree: bpy.types.NodeTree | None = None if off else _tree(scene)
    return tree


def _tree(scene: Scene) -> Any:
    return scene.compositing_node_group if IS_5 else scene.node_tree


def use_compositor_tree(scene: Scene) -> bpy.types.NodeTree:
    """The tree of a scene that composites with none: the one that 4.5 keeps while Use Nodes is off, or a new one."""
    if IS_5:
        scene.compositing_node_group = bpy.data.node_groups.new("Compositing", "CompositorNodeTree")
    else:
        is_new = scene.node_tree is None
        scene.use_nodes = True
        for node in scene.node_tree.nodes if is_new else ():
            if node.bl_idname == "CompositorNodeRLayers":  # Blender makes one, of the first layer, used or not
                node.layer = main_layer(scene).name
    tree: bpy.types.NodeTree = _tree(scene)
    return tree


def leave_compositor_tree(scene: Scene) -> None:
    """Undo ``use_compositor_tree``."""
    if IS_5:
        tree = scene.compositing_node_group
        scene.compositing_node_group = None
        if not tree.users:
            bpy.data.node_groups.remove(tree)
    else:
        scene.use_nodes = False


def compositor_sharers(scene: Scene) -> list[str]:
    """The names of the other scenes that composite with the same tree. In 4.5 each has its own."""
    if not IS_5 or scene.compositing_node_group is None:
        return []
    tree = scene.compositing_node_group
    return [other.name for other in bpy.data.scenes if other != scene and other.compositing_node_group == tree]


def unshare_compositor_tree(scene: Scene) -> None:
    """Give the scene a copy of a tree that other scenes use too, so that what is done to it reaches no other; and of a
    linked one, in which nothing that is done would last.
    """
    tree = compositor_tree(scene)
    if IS_5 and tree is not None and (tree.library or compositor_sharers(scene)):
        scene.compositing_node_group = scene.compositing_node_group.copy()


def own_compositor_tree(copy: Scene, original: Scene) -> bpy.types.NodeTree:
    """A tree for a copied scene alone, so that its original's stays untouched. Made where the original has none."""
    if compositor_tree(copy) is None:
        tree: Node = use_compositor_tree(copy)
        tree.nodes.clear()
        layers, output = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new(OUTPUT)
        layers.layer = main_layer(original).name
        tree.links.new(layers.outputs["Image"], (output_sockets(tree) or output.inputs)[0])
    elif IS_5:  # 4.5 has copied it along with the scene
        copy.compositing_node_group = copy.compositing_node_group.copy()
        _drive_by(copy, original)
    own: bpy.types.NodeTree = _tree(copy)
    return own


def _drive_by(copy: Scene, original: Scene) -> None:
    """Let drivers in the tree of a copied scene follow that, which is the one that plays, and not its original."""
    animation = copy.compositing_node_group.animation_data
    for curve in animation.drivers if animation is not None else ():
        for target in (target for variable in curve.driver.variables for target in variable.targets):
            if target.id == original:
                target.id = copy


def working_space() -> str:
    """The name of the space of scene-linear values, where a .blend chooses it; "": it is the configuration's own."""
    colorspace: Any = getattr(bpy.data, "colorspace", None)
    return getattr(colorspace, "working_space", "")


def fill_in_scene_name(copy: Scene, name: str) -> None:
    """Let output paths of a copied scene hold its original's name where they ask for the scene's. 4.5 knows no such."""
    if not IS_5:
        return
    safe = re.sub(r'[/\\:*?"<>|]', "_", name).replace("{", "{{").replace("}", "}}")

    def filled(path: str) -> str:
        return re.sub(r"(?<!\{)\{scene_name\}(?!\})", lambda _match: safe, path)

    copy.render.filepath = filled(copy.render.filepath)
    for node in copy.compositing_node_group.nodes:
        if node.bl_idname == "CompositorNodeOutputFile":
            node.directory, node.file_name = filled(node.directory), filled(node.file_name)


def output_sockets(tree: Node) -> list[Socket]:
    """The sockets whose picture becomes the final frame. 5.x: the first output of the tree, made if there is none."""
    nodes = [node for node in tree.nodes if node.bl_idname == OUTPUT]
    if IS_5:
        if not any(item.item_type == "SOCKET" and item.in_out == "OUTPUT" for item in tree.interface.items_tree):
            tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        nodes = [node for node in nodes if node.is_active_output] or nodes
    return [node.inputs[0] for node in nodes]


def new_output(tree: bpy.types.NodeTree) -> Node:
    """The node that makes a picture the final frame, new."""
    return tree.nodes.new(OUTPUT)


def set_option(node: Node, socket: str, label: str, attribute: str, value: str) -> None:
    """Choose an option of a compositor node: since 5.0 a menu socket with labels, before that a property."""
    if IS_5:
        node.inputs[socket].default_value = label
    else:
        setattr(node, attribute, value)


def use_material_nodes(material: bpy.types.Material) -> None:
    """Let a new material be made of nodes; since 5.0 every one is."""
    if not IS_5:
        material.use_nodes = True


def use_multilayer_exr(settings: bpy.types.ImageFormatSettings) -> None:
    """The format of a shot's frames. Half floats for colours; Blender itself keeps data passes at 32 bits."""
    if IS_5:
        settings.media_type = "MULTI_LAYER_IMAGE"  # file_format offers only what the media type allows
    settings.file_format = "OPEN_EXR_MULTILAYER"
    settings.color_mode = "RGBA"
    settings.color_depth = "16"
    settings.exr_codec = "ZIP"


def use_png(settings: bpy.types.ImageFormatSettings) -> None:
    """8-bit PNG with alpha, through the scene's view."""
    if IS_5:
        settings.media_type = "IMAGE"
    settings.file_format = "PNG"
    settings.color_mode = "RGBA"
    settings.color_depth = "8"


def scene_linear() -> str:
    """The name, in the running colour configuration, of the space that Blender renders in."""
    for name in ("scene_linear", "Linear Rec.709"):
        if name in _spaces():
            return name
    image = bpy.data.images.new("Paintover", 1, 1, float_buffer=True)  # a studio's own: Blender gives it that space
    try:
        return str(image.colorspace_settings.name)
    finally:
        bpy.data.images.remove(image)


def linear_rec709() -> str:
    """The name of linear Rec. 709 there, whatever Blender renders in; where it is unknown, as Blender renders."""
    return "Linear Rec.709" if "Linear Rec.709" in _spaces() else scene_linear()


def _spaces() -> Any:
    names: Any = bpy.types.ColorManagedInputColorspaceSettings.bl_rna.properties["name"]
    return names.enum_items


def absolute_path(text: str) -> Path:
    """Where a setting of the .blend points to."""
    return Path(os.path.normpath(bpy.path.abspath(text)))


def portable_path(path: Path) -> str:
    """``path`` as a saved .blend keeps it, relative where it can be, so that a moved project finds its files."""
    if not bpy.data.filepath or path.drive != Path(bpy.data.filepath).drive:
        return str(path)
    return bpy.path.relpath(str(path))


def renders_view_layers(scene: Scene) -> bool:
    """Whether a render of ``scene`` renders its view layers.

    It does not where the sequencer, or a compositor without Render Layers, makes the picture.
    """
    render = scene.render
    if render.use_sequencer and scene.sequence_editor is not None and _shows_strips(scene.sequence_editor):
        return False
    tree: Node = compositor_tree(scene)
    if not render.use_compositing or tree is None:
        return True
    return any(
        node.bl_idname == "CompositorNodeRLayers" and node.scene in (None, scene) and not node.mute
        for node in tree.nodes
    )


def _shows_strips(editor: bpy.types.SequenceEditor) -> bool:
    """Whether the sequencer makes a picture: sound alone, and what is muted, leaves that to the view layers."""
    return any(
        strip.type != "SOUND" and not strip.mute and not editor.channels[strip.channel].mute for strip in editor.strips
    )
