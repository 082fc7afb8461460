"""The one module that knows how Blender 4.5 and 5.x differ."""

import bpy

IS_5 = bpy.app.version >= (5, 0, 0)
EEVEE = "BLENDER_EEVEE" if IS_5 else "BLENDER_EEVEE_NEXT"


def compositor_tree(scene: bpy.types.Scene) -> bpy.types.NodeTree | None:
    """The tree that composites ``scene``, or None when the scene has none in use."""
    if IS_5:
        return scene.compositing_node_group
    return scene.node_tree if scene.use_nodes else None


def new_compositor_tree(scene: bpy.types.Scene) -> bpy.types.NodeTree:
    """Give a scene that has no compositor one: Render Layers straight into the output."""
    if IS_5:
        tree = bpy.data.node_groups.new("Compositing", "CompositorNodeTree")
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        scene.compositing_node_group = tree
    else:
        scene.use_nodes = True
        tree = scene.node_tree
        tree.nodes.clear()
    layers = tree.nodes.new("CompositorNodeRLayers")
    output = tree.nodes.new("NodeGroupOutput" if IS_5 else "CompositorNodeComposite")
    output.location = (layers.location.x + 400, layers.location.y)
    tree.links.new(layers.outputs["Image"], output.inputs[0])
    return tree


def drop_compositor_tree(scene: bpy.types.Scene) -> None:
    """Undo ``new_compositor_tree``."""
    if IS_5:
        tree = scene.compositing_node_group
        scene.compositing_node_group = None
        if tree.users == 0:
            bpy.data.node_groups.remove(tree)
    else:
        scene.use_nodes = False


def output_sockets(tree: bpy.types.NodeTree) -> list[bpy.types.NodeSocket]:
    """The sockets whose picture becomes the final frame. 5.x: the first output of the tree, made if there is none."""
    if not IS_5:
        return [node.inputs["Image"] for node in tree.nodes if node.bl_idname == "CompositorNodeComposite"]
    if not any(item.item_type == "SOCKET" and item.in_out == "OUTPUT" for item in tree.interface.items_tree):
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    nodes = [node for node in tree.nodes if node.bl_idname == "NodeGroupOutput"]
    active = [node for node in nodes if node.is_active_output]
    return [node.inputs[0] for node in active or nodes]


def new_output(tree: bpy.types.NodeTree) -> bpy.types.Node:
    """The node that makes a picture the final frame, new."""
    return tree.nodes.new("NodeGroupOutput" if IS_5 else "CompositorNodeComposite")


def set_option(node: bpy.types.Node, socket: str, label: str, attribute: str, value: str) -> None:
    """Choose an option of a compositor node: since 5.0 a menu socket with labels, before that a property."""
    if IS_5:
        node.inputs[socket].default_value = label
    else:
        setattr(node, attribute, value)


def use_multilayer_exr(settings: bpy.types.ImageFormatSettings) -> None:
    """The format of a shot's frames. Half floats for colours; Blender itself keeps data passes at 32 bits."""
    if IS_5:
        settings.media_type = "MULTI_LAYER_IMAGE"  # file_format offers only what the media type allows
    settings.file_format = "OPEN_EXR_MULTILAYER"
    settings.color_mode = "RGBA"
    settings.color_depth = "16"
    settings.exr_codec = "ZIP"
    settings.color_management = "FOLLOW_SCENE"


def use_png(settings: bpy.types.ImageFormatSettings) -> None:
    """8-bit PNG with alpha, through the scene's view."""
    if IS_5:
        settings.media_type = "IMAGE"
    settings.file_format = "PNG"
    settings.color_mode = "RGBA"
    settings.color_depth = "8"
    settings.color_management = "FOLLOW_SCENE"


def scene_linear() -> str:
    """The name, in the running colour configuration, of the space that Blender renders in."""
    spaces = bpy.types.ColorManagedInputColorspaceSettings.bl_rna.properties["name"].enum_items
    return "scene_linear" if "scene_linear" in spaces else "Linear Rec.709"


def renders_view_layers(scene: bpy.types.Scene) -> bool:
    """Whether a render of ``scene`` renders its view layers.

    It does not where the sequencer, or a compositor without Render Layers, makes the picture.
    """
    render = scene.render
    if render.use_sequencer and scene.sequence_editor is not None and len(scene.sequence_editor.strips_all):
        return False
    tree = compositor_tree(scene)
    if not render.use_compositing or tree is None:
        return True
    return any(
        node.bl_idname == "CompositorNodeRLayers" and node.scene == scene and not node.mute for node in tree.nodes
    )
