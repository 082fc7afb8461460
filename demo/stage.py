"""What the demo does inside Blender: ``python -m demo.stage VERB REQUEST.json ANSWER.json``, one process per verb.

Passes, compositor and final frames are the add-on's own functions. Progress goes to stdout as lines ``@ text``; the
answer is a JSON file, ``{"value": ...}`` or ``{"error": ...}``.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import bpy

import addon
from addon import compat, compositor, final, paths, preferences, rendering
from addon.backend.errors import PaintoverError, ShotError
from addon.effect import properties
from addon.operators.effects import effect_add, effect_bake, effect_layer_insert

LONGEST = 640  # pixels: what the demo makes of a larger picture
SAMPLES = 16  # with OpenImageDenoise
FRAMES = 24
MOVING = {"BUILD", "CLOTH", "DYNAMIC_PAINT", "FLUID", "MESH_CACHE", "MESH_SEQUENCE_CACHE", "NODES", "OCEAN",
          "PARTICLE_SYSTEM", "SOFT_BODY", "WAVE"}  # fmt: skip
PIXELS = 256, 384  # of an effect


def trees(scene: bpy.types.Scene) -> list[bpy.types.NodeTree]:
    """The node trees that shade the scene, with the groups in them."""
    used = {slot.material for thing in scene.objects for slot in thing.material_slots if slot.material}
    found = [owner.node_tree for owner in (scene.world, *used) if owner and owner.node_tree]
    for tree in found:  # grows while it is read
        groups = (node.node_tree for node in tree.nodes if node.type == "GROUP" and node.node_tree)
        found.extend(group for group in groups if group not in found)
    return found


def is_missing(image: bpy.types.Image) -> bool:
    """Whether the picture should be on disk and is not."""
    if image.source not in {"FILE", "SEQUENCE", "MOVIE", "TILED"} or image.packed_files or not image.filepath:
        return False
    path = Path(bpy.path.abspath(image.filepath, library=image.library))
    return not any(path.parent.glob(path.name.replace("<UDIM>", "*"))) if "<UDIM>" in path.name else not path.exists()


def missing_pictures(scene: bpy.types.Scene) -> tuple[set[str], set[str]]:
    """Pictures that are not on disk: those that colour something (Blender shows magenta), and mere masks."""
    colours, masks = set(), set()
    for tree in trees(scene):
        for node in tree.nodes:
            if node.type in {"TEX_IMAGE", "TEX_ENVIRONMENT"} and node.image and is_missing(node.image):
                fed = {link.to_socket.type for output in node.outputs for link in output.links}
                if fed:
                    (masks if fed == {"VALUE"} else colours).add(node.image.name)
    return colours, masks - colours


def missing_files() -> set[str]:
    """Libraries, caches and volumes that are not on disk: Blender opens a .blend without them, and says little."""
    found = set()
    for library in bpy.data.libraries:  # also one within another says its path as seen from the open .blend
        path = Path(bpy.path.abspath(library.filepath))
        if any(thing.is_missing for thing in library.users_id) and not path.exists():
            found.add(path.name)
    for owner in (*bpy.data.cache_files, *bpy.data.volumes):
        path = Path(bpy.path.abspath(owner.filepath, library=owner.library))
        if owner.filepath and owner.users > owner.use_fake_user and not path.exists():
            found.add(path.name)
    return found


def check(scene: bpy.types.Scene, file: str) -> list[str]:
    """Raises ``ShotError`` for what would spoil every frame. Gives what is only worth a word."""
    if scene.camera is None:
        raise ShotError(
            f"{file} has no camera, so nothing can be rendered.",
            "Add one in Blender (Add > Camera, then View > Cameras > Set Active Object as Camera) and save the file.",
        )
    colours, masks = missing_pictures(scene)
    if gone := sorted(colours | missing_files()):
        raise ShotError(
            f"{file} uses files that are not there: {', '.join(gone)}.",
            "Find them in Blender (File > External Data > Find Missing Files), or pack them into the .blend, and save.",
            missing=gone,
        )
    return [f"without the masks {', '.join(sorted(masks))}, which are not there"] if masks else []


def moves(scene: bpy.types.Scene) -> bool:
    """Whether anything in the file can change from frame to frame."""
    animated = any(action.users for action in bpy.data.actions)
    driven = any(thing.animation_data and thing.animation_data.drivers for thing in bpy.data.objects)
    cut = any(marker.camera for marker in scene.timeline_markers)
    simulated = (
        bool(bpy.data.cache_files)
        or scene.rigidbody_world is not None
        or any(modifier.type in MOVING for thing in scene.objects for modifier in thing.modifiers)
    )
    return animated or driven or cut or simulated


def file_outputs(scene: bpy.types.Scene) -> list[compat.Node]:
    """The nodes of its compositor that write files of their own, those in groups too."""
    groups = [tree for tree in [compat.compositor_tree(scene)] if tree]
    for tree in groups:  # grows while it is read
        inner = (node.node_tree for node in tree.nodes if node.type == "GROUP" and node.node_tree)
        groups.extend(group for group in inner if group not in groups)
    return [node for tree in groups for node in tree.nodes if node.bl_idname == "CompositorNodeOutputFile"]


def lighten(scene: bpy.types.Scene) -> list[str]:
    """Make the scene quick enough for a demo. Gives what was changed, in words."""
    render, changed = scene.render, []
    wide, high = (side * render.resolution_percentage / 100 for side in (render.resolution_x, render.resolution_y))
    scale = min(1.0, LONGEST / max(wide, high))
    render.resolution_percentage = 100
    render.resolution_x, render.resolution_y = (max(2, round(side * scale / 2) * 2) for side in (wide, high))
    if scale < 1:
        changed.append(f"{render.resolution_x} x {render.resolution_y} instead of {wide:.0f} x {high:.0f} pixels")
    if render.engine != "CYCLES":
        changed.append(f"Cycles instead of {render.engine.replace('BLENDER_', '').title()}, which needs a window")
        render.engine = "CYCLES"
        scene.cycles.samples = SAMPLES
    if scene.cycles.samples > SAMPLES:
        changed.append(f"{SAMPLES} samples with denoising instead of {scene.cycles.samples}")
        scene.cycles.samples = SAMPLES
    scene.cycles.device = "CPU"
    scene.cycles.use_denoising = True
    if render.use_motion_blur:
        changed.append("no motion blur, which would leave the Vector pass empty")
        render.use_motion_blur = False
    changed += [f"{node.name} writes nothing: what is there is the artist's" for node in file_outputs(scene)]
    if render.dither_intensity:
        changed.append("no dither, so that colours can be measured")
        render.dither_intensity = 0.0
    return changed


def open_file(path: str) -> bpy.types.Scene:
    """Open a .blend without running its scripts. Raises ``ShotError``."""
    try:
        bpy.ops.wm.open_mainfile(filepath=path, use_scripts=False)
    except RuntimeError as error:
        name = Path(path).name
        raise ShotError(f"Blender cannot open {name}: {str(error).strip()}", "Save it again in Blender.") from error
    return bpy.context.scene


def told(scene: bpy.types.Scene, first: int, last: int) -> dict[str, Any]:
    """Where the scene's frames go, and how large they are."""
    places = paths.places(scene)
    render = scene.render
    return {
        "name": places.name,
        "folder": str(places.folder),
        "size": [render.resolution_x, render.resolution_y],
        "fps": render.fps / render.fps_base,
        "first": first,
        "last": last,
        "samples": scene.cycles.samples,
        "blender": f"{bpy.app.version_string} (bpy wheel)",
    }


def prepare(request: dict[str, Any]) -> dict[str, Any]:
    """Check a .blend, make it light enough, and save the copy that the demo works on.

    ``source``, ``copy``: paths. ``frames``: [first, last], or null for the scene's own, at most ``FRAMES`` of them.
    """
    source = Path(request["source"])
    scene = open_file(str(source))
    changed = check(scene, source.name) + lighten(scene)
    first, last = request["frames"] or (scene.frame_start, scene.frame_end)
    if not request["frames"]:
        if not moves(scene):
            last = first = scene.frame_current
            changed.append("one frame, since nothing in the file moves")
        elif last - first >= FRAMES:
            changed.append(f"the first {FRAMES} of {last - first + 1} frames")
            last = first + FRAMES - 1
    copy = Path(request["copy"])
    copy.parent.mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(copy), relative_remap=True)
    return told(scene, first, last) | {"changed": changed}


def render(request: dict[str, Any]) -> dict[str, Any]:
    """Render the passes of ``first``..``last`` of the copy; the add-on keeps them."""
    scene = open_file(request["copy"])
    for frame in range(scene.frame_start, request["first"]):
        scene.frame_set(frame)  # simulations go from frame to frame

    def tell(done: int, total: int) -> bool:
        print(f"@ frame {request['first'] + done - 1}, {done} of {total}", flush=True)
        return True

    written = rendering.render_range(scene, request["first"], request["last"], tell)
    return {"written": [str(path) for path in written]}


def burn(scene: bpy.types.Scene, kind: str, at: Sequence[float], controls: dict[str, Any]) -> bpy.types.Object:
    """An effect, baked for every frame of the scene. Frames of an earlier run that would be the same are kept."""
    scene.cursor.location = at
    thing = effect_add(scene, kind)
    settings = properties.of(thing)
    settings.folder = kind
    settings.start, settings.loop = scene.frame_start, False
    settings.frames = scene.frame_end - scene.frame_start + 1
    settings.pixels = PIXELS
    for name, value in controls.items():
        setattr(settings.controls, name, value)
    baked = effect_bake(scene, thing)
    print(f"@ {kind}, {baked['seconds_per_frame']:.2f} s a frame", flush=True)
    return thing


def composite(request: dict[str, Any]) -> dict[str, Any]:
    """Final frames ``first``..``last`` through the scene's compositor, with ``styled`` put in, under ``target``.

    ``effects``, see ``harbour.burning``, are baked, and merged with that by depth.
    """
    scene = open_file(request["copy"])
    for node in file_outputs(scene):  # here, since of what is linked nothing is saved
        node.mute = True
    burning = [burn(scene, **effect) for effect in request["effects"]]
    places = paths.places(scene)
    render = scene.render
    if hasattr(render.image_settings, "media_type"):
        render.image_settings.media_type = "IMAGE"
    render.image_settings.file_format, render.image_settings.color_depth = "PNG", "8"
    render.filepath = str(Path(request["target"]) / f"{places.name}_")
    first, last = request["first"], request["last"]
    compositor.insert(scene, Path(request["styled"]), places.name, first, last)
    for thing in burning:
        effect_layer_insert(scene, thing)
    final.render_final(scene, places.passes, places.name, first, last)
    return {"frames": [render.frame_path(frame=frame) for frame in range(first, last + 1)]}


def movie(request: dict[str, Any]) -> dict[str, Any]:
    """An H.264 film of ``frames`` (pictures, in order) at ``target``, made by Blender's sequencer."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    frames = [Path(path) for path in request["frames"]]
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    strip = strips.new_image("Frames", str(frames[0]), 1, 1)
    for path in frames[1:]:
        strip.elements.append(path.name)
    strip.frame_final_duration = len(frames)
    scene.frame_start, scene.frame_end = 1, len(frames)
    scene.view_settings.view_transform = "Standard"
    render = scene.render
    render.resolution_x, render.resolution_y = request["size"]
    render.fps, render.fps_base = round(request["fps"]), round(request["fps"]) / request["fps"]
    if hasattr(render.image_settings, "media_type"):
        render.image_settings.media_type = "VIDEO"
    render.image_settings.file_format = "FFMPEG"
    render.ffmpeg.format, render.ffmpeg.codec = "MPEG4", "H264"
    render.ffmpeg.constant_rate_factor, render.ffmpeg.gopsize = "HIGH", len(frames)
    render.use_file_extension = False
    render.filepath = request["target"]
    bpy.ops.render.render(animation=True)
    return {"movie": request["target"]}


VERBS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "prepare": prepare,
    "render": render,
    "composite": composite,
    "movie": movie,
}


def main(verb: str, request: Path, answer: Path) -> int:
    """Do one verb; what the artist should know goes into the answer, a fault of ours ends with its traceback."""
    os.environ[preferences.ENVIRONMENT_VARIABLE] = sys.executable
    addon.register()
    try:
        result = {"value": VERBS[verb](json.loads(request.read_text(encoding="utf-8")))}
    except PaintoverError as error:
        result = {"error": error.as_json()}
    answer.write_text(json.dumps(result), encoding="utf-8")
    return int("error" in result)


if __name__ == "__main__":
    code = 2
    try:
        code = main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
    except Exception:
        traceback.print_exc()
        raise
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # some bpy wheels wait for ever on their way out after a render
