"""Runs inside Blender: bakes a fire with Mantaflow, or renders it with Cycles on the processor, with a watch on both.

``bake FOLDER CELLS FRAMES`` and ``render FOLDER FRAMES SAMPLES SIZE`` write FOLDER/bake.json and FOLDER/render.json.
The box, the emitter and the picture are those of our own fire. They are two runs, since a Blender may do one of them
only: the wheel's Mantaflow does not run, and Debian's Cycles renders volumes of OpenVDB as nothing.
"""

import json
import os
import sys
import time
from pathlib import Path

import bpy

HEIGHT, SHALLOW = 2.0, 2 / 3  # metres; share of it in depth


def domain(cells: int, frames: int, folder: Path) -> bpy.types.Object:
    bpy.ops.mesh.primitive_cube_add(location=(0, 0, HEIGHT / 2), scale=(HEIGHT / 2, SHALLOW * HEIGHT / 2, HEIGHT / 2))
    box = bpy.context.object
    bpy.ops.object.transform_apply(scale=True, location=False, rotation=False)
    modifier = box.modifiers.new("Fluid", "FLUID")
    modifier.fluid_type = "DOMAIN"
    settings = modifier.domain_settings
    settings.domain_type, settings.resolution_max, settings.cache_type = "GAS", cells, "ALL"
    settings.cache_directory = str(folder / "cache")
    settings.cache_frame_start, settings.cache_frame_end = 1, frames
    return box


def fire(file: Path) -> None:
    """A frame of the bake, where it was baked."""
    bpy.ops.object.volume_import(filepath=str(file), location=(-HEIGHT / 2, -SHALLOW * HEIGHT / 2, 0))
    material = bpy.data.materials.new("Fire")
    material.use_nodes = True
    nodes = material.node_tree.nodes
    nodes.clear()
    volume, output = nodes.new("ShaderNodeVolumePrincipled"), nodes.new("ShaderNodeOutputMaterial")
    volume.inputs["Density"].default_value = 5.0
    volume.inputs["Blackbody Intensity"].default_value = 1.0
    material.node_tree.links.new(volume.outputs[0], output.inputs["Volume"])
    bpy.context.object.data.materials.append(material)


def emitter() -> None:
    bpy.ops.mesh.primitive_cylinder_add(radius=0.16 * HEIGHT, depth=0.06 * HEIGHT, location=(0, 0, 0.06 * HEIGHT))
    modifier = bpy.context.object.modifiers.new("Fluid", "FLUID")
    modifier.fluid_type = "FLOW"
    modifier.flow_settings.flow_type, modifier.flow_settings.flow_behavior = "BOTH", "INFLOW"


def look(size: int, samples: int) -> None:
    scene = bpy.context.scene
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.type, camera.data.ortho_scale = "ORTHO", HEIGHT
    camera.location, camera.rotation_euler = (0, -6, HEIGHT / 2), (1.5707963, 0, 0)
    sun = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    sun.rotation_euler = (0.8, -0.6, 0)
    for item in (camera, sun):
        scene.collection.objects.link(item)
    scene.camera = camera
    scene.render.engine, scene.cycles.device, scene.cycles.samples = "CYCLES", "CPU", samples
    scene.cycles.use_denoising = scene.cycles.use_adaptive_sampling = False
    scene.render.resolution_x = scene.render.resolution_y = size
    scene.render.film_transparent = True


def bake(folder: Path, cells: int, frames: int) -> dict[str, object]:
    bpy.context.scene.frame_end = frames
    box = domain(cells, frames, folder)
    emitter()
    bpy.context.view_layer.objects.active = box
    with bpy.context.temp_override(object=box, active_object=box, selected_objects=[box]):
        bpy.ops.fluid.bake_all()
    # The files tell when each frame was done. The first half is left out: while there is little fire, it goes faster.
    times = [path.stat().st_mtime for path in files(folder)]
    late = times[len(times) // 2 :]
    return {"seconds_per_frame": (late[-1] - late[0]) / (len(late) - 1), "frames": len(times)}


def render(folder: Path, frames: int, samples: int, size: int) -> dict[str, object]:
    seconds = []
    for file in files(folder)[-frames:]:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        look(size, samples)
        fire(file)
        target = folder / f"{file.stem}.png"
        bpy.context.scene.render.filepath = str(target)
        started = time.perf_counter()
        bpy.ops.render.render(write_still=True)
        seconds.append(time.perf_counter() - started)
        if max(bpy.data.images.load(str(target)).pixels[:][3::4]) == 0:
            raise RuntimeError("Cycles rendered no fire: this Blender cannot render volumes of OpenVDB")
    return {"seconds_per_frame": sum(seconds) / len(seconds), "frames": len(seconds)}


def files(folder: Path) -> list[Path]:
    return sorted((folder / "cache" / "data").glob("*.vdb"))


def main(words: list[str]) -> None:
    what, folder, *numbers = words
    bpy.ops.wm.read_factory_settings(use_empty=True)
    facts = {"bake": bake, "render": render}[what](Path(folder), *map(int, numbers))
    told = json.dumps(facts | {"blender": bpy.app.version_string})
    (Path(folder) / f"{what}.json").write_text(told, encoding="utf-8")
    sys.stdout.flush()
    os._exit(0)  # some wheels hang on their way out after a render


main(sys.argv[sys.argv.index("--") + 1 :])
