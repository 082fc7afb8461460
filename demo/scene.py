"""Builds the demo's scene, a small harbour in late light, and saves it: ``python -m demo.scene FILE.blend``.

Everything is made here by code. The camera glides along the quay, a sailing boat and a balloon cross the picture.
"""

import sys
from pathlib import Path

import bpy
from mathutils import Vector

from .harbour import buildings, landscape, vessels
from .harbour import materials as m
from .harbour.forms import Point

FIRST, LAST, FPS = 1, 24, 24
WIDTH, HEIGHT, SAMPLES = 640, 360, 8


def animate(thing: bpy.types.Object, start: Point, end: Point) -> None:
    """Straight, even motion over the shot."""
    for frame, position in ((FIRST, start), (LAST, end)):
        thing.location = position
        thing.keyframe_insert("location", frame=frame)
    curves = thing.animation_data.action.layers[0].strips[0].channelbags[0].fcurves
    for curve in curves:
        for key in curve.keyframe_points:
            key.interpolation = "LINEAR"


def light_and_camera() -> None:
    scene = bpy.context.scene
    sun = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    sun.data.energy, sun.data.angle, sun.data.color = 6.0, 0.02, (1.0, 0.74, 0.46)
    sun.rotation_euler = Vector((0.85, 0.50, -0.46)).to_track_quat("-Z", "Y").to_euler()
    scene.collection.objects.link(sun)
    world = bpy.data.worlds.new("Late afternoon")
    m.sky(world)
    scene.world = world
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.lens, camera.data.clip_end = 28.0, 500.0
    scene.collection.objects.link(camera)
    scene.camera = camera
    camera.rotation_euler = Vector((0.02, 1.0, 0.045)).to_track_quat("-Z", "Y").to_euler()
    animate(camera, (0.8, -24.0, 4.4), (-0.8, -23.0, 4.9))


def settings() -> None:
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end, scene.frame_current = FIRST, LAST, FIRST
    render = scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = WIDTH, HEIGHT, 100
    render.fps, render.engine, render.use_persistent_data = FPS, "CYCLES", True
    render.image_settings.file_format = "PNG"
    render.dither_intensity = 0.0
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.max_bounces = SAMPLES, True, 4
    scene.cycles.use_adaptive_sampling = False
    scene.view_settings.view_transform = "AgX"


def build() -> None:
    """Make the whole scene in the open, empty file."""
    parts = m.palette()
    landscape.waterfront(parts)
    landscape.greenery(parts)
    landscape.distance()
    buildings.village(parts)
    buildings.church(parts)
    buildings.lighthouse(parts)
    vessels.rowing_boats(parts)
    animate(vessels.sailing_boat(parts), (-6.6, -5.2, 0.0), (-4.9, -5.6, 0.0))
    animate(vessels.hot_air_balloon(parts), (-7.6, 34.0, 16.2), (-6.4, 34.0, 17.0))
    light_and_camera()
    settings()


def main(target: Path) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    build()
    target.parent.mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(target.resolve()), compress=True)


if __name__ == "__main__":
    main(Path(sys.argv[-1]))
