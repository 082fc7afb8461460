"""Run inside Blender: compositor Image node -> final frame -> 8-bit PNG, for each case of a JSON file.

A case: {"exr", "png", "size": [w, h], "view", "look", "exposure", "gamma"}. The last argument is the JSON file.
"""

import json
import sys
from pathlib import Path

import bpy

scene = bpy.context.scene
scene.render.resolution_percentage = 100
scene.render.dither_intensity = 0
scene.render.use_compositing = True
scene.render.image_settings.file_format = "PNG"
scene.render.image_settings.color_mode = "RGB"
scene.render.image_settings.color_depth = "8"

if hasattr(scene, "compositing_node_group"):
    tree = scene.compositing_node_group = bpy.data.node_groups.new("Show", "CompositorNodeTree")
    tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    output = tree.nodes.new("NodeGroupOutput")
else:
    scene.use_nodes = True
    tree = scene.node_tree
    tree.nodes.clear()
    output = tree.nodes.new("CompositorNodeComposite")
picture = tree.nodes.new("CompositorNodeImage")
tree.links.new(picture.outputs["Image"], output.inputs["Image"])

for case in json.loads(Path(sys.argv[-1]).read_text(encoding="utf-8")):
    picture.image = bpy.data.images.load(case["exr"])
    scene.render.resolution_x, scene.render.resolution_y = case["size"]
    settings = scene.view_settings
    settings.view_transform, settings.look = case["view"], case["look"]
    settings.exposure, settings.gamma = case["exposure"], case["gamma"]
    scene.render.filepath = case["png"]
    bpy.ops.render.render(write_still=True)
