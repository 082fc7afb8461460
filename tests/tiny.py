"""Runs inside Blender: a scene that renders in no time, with what a look needs to see: form, colour, motion."""

from pathlib import Path

import bpy

FRAMES = 4
SIZE = (64, 36)


def material(name: str, colour: tuple[float, float, float]) -> bpy.types.Material:
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    made.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = (*colour, 1.0)
    return made


def build(blend: Path, engine: str = "CYCLES") -> bpy.types.Scene:
    """A ball that rolls over a floor, saved as ``blend``."""
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)  # add-ons stay on
    scene = bpy.context.scene
    scene.render.engine = engine
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    scene.render.resolution_percentage = 100
    scene.cycles.samples = 1
    scene.cycles.use_denoising = False
    scene.frame_start, scene.frame_end = 1, FRAMES

    bpy.ops.mesh.primitive_plane_add(size=20)
    bpy.context.object.data.materials.append(material("floor", (0.2, 0.5, 0.3)))
    bpy.ops.mesh.primitive_uv_sphere_add(segments=16, ring_count=8, location=(-1, 0, 1))
    ball = bpy.context.object
    ball.name = "Ball"
    ball.data.materials.append(material("ball", (0.8, 0.2, 0.1)))
    ball.keyframe_insert("location", frame=1)
    ball.location.x = 1
    ball.keyframe_insert("location", frame=FRAMES)

    sun = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    sun.data.energy = 3
    sun.rotation_euler = (0.7, 0.3, 0)
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.location, camera.rotation_euler = (0, -7, 3), (1.25, 0, 0)
    for thing in (sun, camera):
        scene.collection.objects.link(thing)
    scene.camera = camera
    scene.render.filepath = "//final/frame_"
    bpy.ops.wm.save_as_mainfile(filepath=str(blend))
    return bpy.context.scene
