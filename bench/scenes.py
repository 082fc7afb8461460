"""The bench's scenes, in Blender's Python: built or opened, then rendered as a shot and as the ground of its truth.

Run as ``python -m bench.scenes NAME SOURCE FOLDER``, in a process of its own: Blender keeps much to itself.
"""

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path

import bpy
from mathutils import Vector

FRAMES = 12
SIZE = (640, 360)
TRUTH_SCALE = 2  # the drawings are made at twice the size from passes without anti-aliasing, then averaged
REST = "rest"

Colour = tuple[float, float, float]


def material(
    name: str, colours: tuple[Colour, Colour], scale: float, kind: str, roughness: float
) -> bpy.types.Material:
    """Two colours under a Noise, Wave, Voronoi or Checker texture that sticks to the object."""
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    nodes, link = made.node_tree.nodes, made.node_tree.links.new
    shader = nodes["Principled BSDF"]
    shader.inputs["Roughness"].default_value = roughness
    coordinates = nodes.new("ShaderNodeTexCoord")
    texture = nodes.new(f"ShaderNodeTex{kind}")
    texture.inputs["Scale"].default_value = scale
    link(coordinates.outputs["Object"], texture.inputs["Vector"])
    if kind == "Wave":
        texture.inputs["Distortion"].default_value = 4
    mix = nodes.new("ShaderNodeMix")
    mix.data_type = "RGBA"
    factor = next(out for out in texture.outputs if out.name in ("Fac", "Factor", "Distance"))
    link(factor, mix.inputs["Factor"])
    for socket, colour in zip(("A", "B"), colours, strict=True):
        next(s for s in mix.inputs if s.name == socket and s.type == "RGBA").default_value = (*colour, 1)
    link(next(s for s in mix.outputs if s.type == "RGBA"), shader.inputs["Base Color"])
    return made


def lathe(name: str, profile: list[tuple[float, float]], segments: int = 48) -> bpy.types.Object:
    """The surface that the (radius, height) ``profile`` sweeps around the z axis, a slight flute in it."""
    points, faces = [], []
    for radius, height in profile:
        for s in range(segments):
            angle = 2 * math.pi * s / segments
            fluted = radius * (1 + 0.03 * math.cos(8 * angle))
            points.append((fluted * math.cos(angle), fluted * math.sin(angle), height))
    for row in range(len(profile) - 1):
        for s in range(segments):
            a, b = row * segments + s, row * segments + (s + 1) % segments
            faces.append((a, b, b + segments, a + segments))
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(points, [], faces)
    mesh.shade_smooth()
    made = bpy.data.objects.new(name, mesh)
    bpy.context.collection.objects.link(made)
    return made


def added(operator: Callable[..., object], smooth: bool = False, **settings: object) -> bpy.types.Object:
    operator(**settings)
    made = bpy.context.object
    if smooth:
        made.data.shade_smooth()
    return made


def turn(thing: bpy.types.Object, degrees: float) -> None:
    """Let it turn about z by so many degrees over the shot, at constant speed."""
    for frame, angle in ((1, 0.0), (FRAMES, degrees)):
        thing.rotation_euler.z = math.radians(angle)
        thing.keyframe_insert("rotation_euler", index=2, frame=frame)
    linear(thing)


def linear(thing: bpy.types.Object) -> None:
    for curve in thing.animation_data.action.fcurves:
        for key in curve.keyframe_points:
            key.interpolation = "LINEAR"


def build_gallery() -> None:
    """A walk past things that turn on their plinths, under a warm sun."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    mesh = bpy.ops.mesh
    clay = material("clay", ((0.62, 0.20, 0.10), (0.80, 0.42, 0.20)), 5, "Noise", 0.6)
    jade = material("jade", ((0.05, 0.34, 0.26), (0.35, 0.62, 0.38)), 3, "Wave", 0.35)
    blue = material("glaze", ((0.05, 0.12, 0.42), (0.62, 0.70, 0.78)), 2.2, "Wave", 0.3)
    gold = material("straw", ((0.75, 0.50, 0.10), (0.85, 0.68, 0.30)), 9, "Voronoi", 0.7)
    rose = material("rose", ((0.70, 0.22, 0.30), (0.85, 0.60, 0.55)), 4, "Noise", 0.5)
    stone = material("stone", ((0.45, 0.43, 0.40), (0.62, 0.60, 0.55)), 6, "Noise", 0.9)
    tiles = material("tiles", ((0.38, 0.26, 0.20), (0.60, 0.50, 0.40)), 1.2, "Checker", 0.8)
    plaster = material("plaster", ((0.66, 0.52, 0.36), (0.76, 0.64, 0.48)), 1.5, "Noise", 0.95)

    vase = lathe("vase", [(0.0, 0), (0.30, 0.02), (0.42, 0.25), (0.45, 0.5), (0.3, 0.8), (0.17, 0.95), (0.26, 1.1)])
    jug = lathe("jug", [(0.0, 0), (0.34, 0.02), (0.4, 0.2), (0.36, 0.4), (0.22, 0.6), (0.30, 0.72), (0.26, 0.7)])
    head = added(mesh.primitive_monkey_add, True, size=1.1)
    head.modifiers.new("smooth", "SUBSURF").levels = 2
    knot = added(mesh.primitive_torus_add, True, major_radius=0.38, minor_radius=0.16)
    knot.rotation_euler.x = math.radians(65)
    blocks = added(mesh.primitive_cube_add, size=0.75)
    blocks.modifiers.new("edge", "BEVEL").width = 0.05
    gem = added(mesh.primitive_ico_sphere_add, radius=0.5, subdivisions=1)
    things = ((vase, blue, 100, 0.0), (head, rose, -80, 0.5), (knot, gold, 130, 0.55),
              (blocks, clay, 70, 0.38), (gem, jade, -120, 0.48), (jug, clay, 90, 0.0))  # fmt: skip
    for index, (thing, paint, degrees, lift) in enumerate(things):
        x, y = 1.7 * index - 4.0, 0.5 * math.cos(2.4 * index)
        plinth = added(mesh.primitive_cube_add, size=1)
        plinth.scale = (0.9, 0.9, 0.7 + 0.25 * (index % 3))
        plinth.location = (x, y, plinth.scale.z / 2)
        plinth.modifiers.new("edge", "BEVEL").width = 0.03
        plinth.data.materials.append(stone)
        thing.location = (x, y, plinth.scale.z + lift)
        thing.data.materials.append(paint)
        turn(thing, degrees)
    floor = added(mesh.primitive_plane_add, size=40)
    floor.data.materials.append(tiles)
    wall = added(mesh.primitive_plane_add, size=40)
    wall.rotation_euler.x = math.radians(90)
    wall.location.y = 3.2
    wall.data.materials.append(plaster)
    for x in (-6.5, -3.2, 0.1, 3.4, 6.7):
        column = added(mesh.primitive_cylinder_add, True, radius=0.24, depth=6, vertices=32)
        column.location = (x, 2.8, 3)
        column.data.materials.append(stone)

    sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
    sun.data.energy, sun.data.color, sun.data.angle = 3.5, (1.0, 0.86, 0.68), 0.05
    sun.rotation_euler = (math.radians(48), math.radians(12), math.radians(-38))
    scene.collection.objects.link(sun)
    scene.world = bpy.data.worlds.new("sky")
    scene.world.use_nodes = True
    background = scene.world.node_tree.nodes["Background"]
    background.inputs["Color"].default_value = (0.42, 0.58, 0.85, 1)
    background.inputs["Strength"].default_value = 0.7

    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.lens = 32
    scene.collection.objects.link(camera)
    scene.camera = camera
    for frame, x in ((1, -2.2), (FRAMES, 0.6)):
        camera.location = (x, -5.2, 1.9)
        direction = Vector((x + 0.7, 0.4, 1.25)) - camera.location
        camera.rotation_euler = direction.to_track_quat("-Z", "Y").to_euler()
        camera.keyframe_insert("location", frame=frame)
        camera.keyframe_insert("rotation_euler", frame=frame)
    linear(camera)
    scene.frame_start, scene.frame_end = 1, FRAMES


def build(source: str) -> None:
    """Make the scene current: ``gallery``, ``demo`` (the demo's own), or a path to a .blend."""
    if source == "gallery":
        build_gallery()
    elif source == "demo":
        from demo import scene as demo_scene

        demo_scene.build()
    else:
        bpy.ops.wm.open_mainfile(filepath=source)


def keep_rest_coordinates() -> None:
    """An AOV with coordinates in metres that stay with each surface however it moves or deforms.

    Meshes carry them as a point attribute through all modifiers; what has no such attribute uses object space.
    """
    plain = None
    for thing in bpy.context.scene.objects:
        if thing.type != "MESH":
            continue
        if "rest_position" not in thing.data.attributes:
            attribute = thing.data.attributes.new("rest_position", "FLOAT_VECTOR", "POINT")
            scale = thing.matrix_world.to_scale()
            for vertex, value in zip(thing.data.vertices, attribute.data, strict=True):
                value.vector = vertex.co * scale
        if not any(slot.material for slot in thing.material_slots):
            plain = plain or bpy.data.materials.new("plain")
            thing.data.materials.append(plain)
    for paint in bpy.data.materials:
        if paint.is_grease_pencil:
            continue
        paint.use_nodes = True
        nodes, link = paint.node_tree.nodes, paint.node_tree.links.new
        attribute = nodes.new("ShaderNodeAttribute")
        attribute.attribute_name = "rest_position"
        coordinates = nodes.new("ShaderNodeTexCoord")
        chosen = nodes.new("ShaderNodeMix")
        chosen.data_type = "VECTOR"
        link(attribute.outputs["Alpha"], chosen.inputs["Factor"])
        sides = {s.name: s for s in chosen.inputs if s.type == "VECTOR"}
        link(coordinates.outputs["Object"], sides["A"])
        link(attribute.outputs["Vector"], sides["B"])
        out = nodes.new("ShaderNodeOutputAOV")
        out.aov_name = REST
        link(next(s for s in chosen.outputs if s.type == "VECTOR"), out.inputs["Color"])


def render(
    folder: Path, name: str, scale: int, samples: int, first: int, frames: int = FRAMES, sharp: bool = False
) -> None:
    """All passes of so many frames from ``first`` on, numbered from 1, with the shot.json that tells of them.

    ``sharp``: without anti-aliasing, and with rest coordinates.
    """
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples = samples
    scene.cycles.use_adaptive_sampling = False
    scene.cycles.use_denoising = True
    scene.cycles.max_bounces = 4
    scene.cycles.seed = 1
    scene.render.use_persistent_data = True
    scene.render.use_motion_blur = False
    scene.render.use_compositing = scene.render.use_sequencer = False
    scene.render.resolution_x, scene.render.resolution_y = (side * scale for side in SIZE)
    scene.render.resolution_percentage = 100
    scene.render.film_transparent = False
    settings = scene.render.image_settings
    settings.file_format = "OPEN_EXR_MULTILAYER"
    settings.exr_codec = "ZIP"
    settings.color_depth = "16"
    layer = scene.view_layers[0]
    for switch in ("diffuse_color", "normal", "z", "position", "vector", "cryptomatte_object"):
        setattr(layer, f"use_pass_{switch}", True)
    layer.pass_cryptomatte_depth = 2
    if sharp:
        # One sharp surface per pixel: coordinates of two surfaces must not be averaged.
        scene.cycles.pixel_filter_type = "BOX"
        scene.cycles.filter_width = 0.01
        settings.color_depth = "32"
        if REST not in layer.aovs:
            aov = layer.aovs.add()
            aov.name, aov.type = REST, "COLOR"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, frames + 1):
        final = folder / f"{name}_{number:04d}.exr"
        if final.exists():
            continue
        scene.frame_set(first + number - 1)
        scene.render.filepath = str(folder / "unfinished.exr")
        bpy.ops.render.render(write_still=True)
        (folder / "unfinished.exr").replace(final)
        print(f"{final.name} ({scale}x)", flush=True)
    config = Path(bpy.utils.resource_path("LOCAL")) / "datafiles/colormanagement/config.ocio"
    view = scene.view_settings
    description = {
        "format": 1, "name": name, "blender": bpy.app.version_string, "engine": "CYCLES",
        "fps": float(scene.render.fps), "motion_blur": False,
        "view": {"config": str(config), "display": scene.display_settings.display_device, "view": view.view_transform,
                 "look": view.look, "exposure": view.exposure, "gamma": view.gamma, "curves": view.use_curve_mapping},
    }  # fmt: skip
    (folder / "shot.json").write_text(json.dumps(description, indent=1))


def main(name: str, source: str, folder: str, larger: str = "", frames: str = "") -> None:
    """Render ``FOLDER/shot`` (what an artist would hand over) and ``FOLDER/ground`` (what the drawings are made of).

    With ``larger``: only so many ``frames`` of the former, into FOLDER itself, so many times as large.
    """
    build(source)
    first = bpy.context.scene.frame_start
    if larger:
        render(Path(folder), name, int(larger), 16, first, int(frames))
        return
    render(Path(folder) / "shot", name, 1, 32, first)
    keep_rest_coordinates()
    render(Path(folder) / "ground", name, TRUTH_SCALE, 6, first, sharp=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
