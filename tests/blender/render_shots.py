"""Run inside Blender: render the shots that tests read into the folder that is the last argument.

Each is a folder with frames NAME_####.exr of 96 x 54, Cycles:
    moving    frames 1 to 3: a camera and a cube that move over a floor (z = -1), film transparent
    layers    frame 2: a first view layer with the picture only, a second (with a dot in its name) with every pass
    border    frame 2: only the upper middle is rendered
    blurred   frame 2: with motion blur
    lacking   frame 2: without Vector and Diffuse Color
    composed  frame 2: with a compositor that makes the picture black
"""

import sys
from pathlib import Path

import bpy

folder = Path(sys.argv[-1])
bpy.ops.wm.read_factory_settings()
scene = bpy.context.scene
scene.render.engine = "CYCLES"
scene.cycles.samples = 1
scene.cycles.use_denoising = False
scene.render.film_transparent = True
scene.render.resolution_x, scene.render.resolution_y = 96, 54

bpy.ops.mesh.primitive_plane_add(size=12, location=(0, 0, -1))
for mover, path in ((bpy.data.objects["Cube"], (1.0, 0.3, 0.5)), (scene.camera, (0.4, -0.2, 0.3))):
    start = mover.location.copy()
    mover.keyframe_insert("location", frame=1)
    mover.location = [at + by for at, by in zip(start, path, strict=True)]
    mover.keyframe_insert("location", frame=5)


def all_passes(layer, on=True):
    layer.use_pass_z = layer.use_pass_normal = layer.use_pass_position = layer.use_pass_cryptomatte_object = True
    layer.use_pass_vector = layer.use_pass_diffuse_color = on


def render(name, frame):
    scene.frame_set(frame)
    bpy.ops.render.render()
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "MULTI_LAYER_IMAGE"
    settings.file_format = "OPEN_EXR_MULTILAYER"
    settings.color_depth = "16"
    settings.exr_codec = "ZIP"
    (folder / name).mkdir(exist_ok=True)
    bpy.data.images["Render Result"].save_render(str(folder / name / f"{name}_{frame:04}.exr"))


layer = scene.view_layers[0]
all_passes(layer)
for frame in (1, 2, 3):
    render("moving", frame)

scene.render.use_border = True
scene.render.border_min_x, scene.render.border_max_x = 0.25, 0.75
scene.render.border_min_y, scene.render.border_max_y = 0.5, 1.0
render("border", 2)
scene.render.use_border = False

scene.render.use_motion_blur = True
render("blurred", 2)
scene.render.use_motion_blur = False

all_passes(layer, on=False)
render("lacking", 2)

all_passes(layer)
if hasattr(scene, "compositing_node_group"):
    tree = scene.compositing_node_group = bpy.data.node_groups.new("Black", "CompositorNodeTree")
    tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    output = tree.nodes.new("NodeGroupOutput")
else:
    scene.use_nodes = True
    tree = scene.node_tree
    tree.nodes.clear()
    output = tree.nodes.new("CompositorNodeComposite")
output.inputs[0].default_value = (0, 0, 0, 1)
tree.links.new(tree.nodes.new("CompositorNodeRGB").outputs[0], output.inputs[0])
tree.nodes[-1].outputs[0].default_value = (0, 0, 0, 1)
tree.nodes.new("CompositorNodeRLayers")
render("composed", 2)
scene.render.use_compositing = False

layer.name = "Picture only"
layer.use_pass_z = layer.use_pass_normal = layer.use_pass_position = layer.use_pass_cryptomatte_object = False
layer.use_pass_vector = layer.use_pass_diffuse_color = False
all_passes(scene.view_layers.new("every.pass"))
render("layers", 2)
