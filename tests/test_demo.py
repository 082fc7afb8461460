"""The demo on small files made here, and on real ones where ../shared/data is there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from addon import paths
from backend.shot import Shot
from demo import results

ROOT = Path(__file__).resolve().parents[1]
SCENES = ROOT.parent / "shared" / "data" / "scenes"

MAKE = """
import sys
import bpy

bpy.ops.wm.read_factory_settings(use_empty=True)
kind, target = sys.argv[1:]
scene = bpy.context.scene
scene.render.engine, scene.cycles.samples = "CYCLES", 2
scene.render.resolution_x, scene.render.resolution_y = 128, 72
scene.frame_start, scene.frame_end = 1, 3
scene.world = bpy.data.worlds.new("World")
scene.world.use_nodes = True
scene.world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.6, 0.7, 0.9, 1)
material = bpy.data.materials.new("Paint")
material.use_nodes = True
nodes, links = material.node_tree.nodes, material.node_tree.links
texture = nodes.new("ShaderNodeTexChecker")
if kind in ("missing", "mask"):
    texture = nodes.new("ShaderNodeTexImage")
    texture.image = bpy.data.images.new("lost.png", 4, 4)
    texture.image.source, texture.image.filepath = "FILE", "//lost.png"
links.new(texture.outputs[0], nodes["Principled BSDF"].inputs["Alpha" if kind == "mask" else "Base Color"])
bpy.ops.mesh.primitive_monkey_add(size=3)
monkey = bpy.context.object
monkey.data.materials.append(material)
monkey.keyframe_insert("rotation_euler", frame=1)
monkey.rotation_euler.z = 0.2
monkey.keyframe_insert("rotation_euler", frame=3)
bpy.ops.object.light_add(type="SUN", rotation=(0.6, 0.3, 0))
if kind == "gone":
    volume = bpy.data.volumes.new("Smoke")
    volume.filepath = "//lost.vdb"
    scene.collection.objects.link(bpy.data.objects.new("Smoke", volume))
if kind == "mask":  # the artist's own output
    if bpy.app.version >= (5, 0, 0):
        scene.compositing_node_group = tree = bpy.data.node_groups.new("Compositing", "CompositorNodeTree")
    else:
        scene.use_nodes = True
        tree = scene.node_tree
    group = bpy.data.node_groups.new("Own", "CompositorNodeTree")
    group.interface.new_socket("Image", in_out="INPUT", socket_type="NodeSocketColor")
    entry, output = group.nodes.new("NodeGroupInput"), group.nodes.new("CompositorNodeOutputFile")
    if bpy.app.version < (5, 0, 0):
        output.base_path = target + "_own"
    else:
        output.directory = target + "_own"
        output.file_output_items.new("RGBA", "Image")
    group.links.new(entry.outputs[0], output.inputs[0])
    layers, holder = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new("CompositorNodeGroup")
    holder.node_tree = group
    tree.links.new(layers.outputs["Image"], holder.inputs[0])
if kind != "blind":
    bpy.ops.object.camera_add(location=(0, -6, 0), rotation=(1.5708, 0, 3.14159 if kind == "away" else 0))
    scene.camera = bpy.context.object
bpy.ops.wm.save_as_mainfile(filepath=target)
import os
os._exit(0)
"""


def make(kind: str, folder: Path) -> Path:
    pytest.importorskip("bpy", reason="no bpy wheel in this Python")
    target = folder / f"{kind}.blend"
    subprocess.run([sys.executable, "-c", MAKE, kind, target], check=True, capture_output=True)
    return target


LINK = """
import os, sys
from pathlib import Path
import bpy
root = Path(sys.argv[1])
linked = None
for name in ("props/mug", "chars/hero", "shot"):
    path = root / f"{name}.blend"
    path.parent.mkdir(exist_ok=True)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    if linked is None:
        bpy.ops.mesh.primitive_cube_add()
    else:
        with bpy.data.libraries.load(str(linked), link=True, relative=True) as (there, here):
            here.collections = there.collections
        for collection in here.collections:
            bpy.context.scene.collection.children.link(collection)
    own = bpy.data.collections.new(path.stem)
    for thing in bpy.context.scene.collection.objects:
        own.objects.link(thing)
    for child in bpy.context.scene.collection.children:
        own.children.link(child)
    bpy.context.scene.collection.children.link(own)
    bpy.context.scene.camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    bpy.context.scene.collection.objects.link(bpy.context.scene.camera)
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    linked = path
os._exit(0)
"""


def demo(*words: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "demo.run", *map(str, words)], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_any_file_goes_all_the_way(tmp_path: Path) -> None:
    blend, out = make("mask", tmp_path).rename(tmp_path / "final.blend"), tmp_path / "out"
    done = demo("--blend", blend, "--out", out, "--seconds", 3)
    assert done.returncode == 0, done.stderr
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert report["frames"] == 3 and report["size"] == [128, 72]
    assert set(report["seconds"]) >= {"setup", "render", "paint", "train", "apply", "composite"}
    assert report["warp_ratio"] > 0
    assert report["colour_error_8bit"] <= 2
    assert any("lost.png" in change for change in report["changed"])
    assert any("File Output" in change for change in report["changed"])
    assert not list(tmp_path.glob("*_own")), "the artist's own frames are left alone"
    assert len(list((out / "final").glob("*.png"))) == 3
    with Image.open(report["sheet"]) as sheet:
        assert np.asarray(sheet).std() > 10
    assert Path(report["movie"]).read_bytes()[4:8] == b"ftyp"

    passes = {path: path.stat().st_mtime_ns for path in out.rglob("passes/*.exr")}
    last = sorted((out / "final").glob("*.png"))[-1]
    painting = tmp_path / "painting.png"
    with Image.open(last) as frame:  # painted on the file's own size, which the demo makes smaller
        frame.resize((256, 144)).save(painting)
    again = demo("--blend", blend, "--out", out, "--seconds", 1, "--paint", f"3={painting}")
    assert again.returncode == 0, again.stderr
    assert "3 frames are there" in again.stdout
    assert passes == {path: path.stat().st_mtime_ns for path in out.rglob("passes/*.exr")}
    assert json.loads((out / "report.json").read_text(encoding="utf-8"))["painted"] == [3]


def test_what_burns_stands_behind_what_is_nearer(tmp_path: Path) -> None:
    """A fire behind the monkey: beside it there are flames, over its face there are none."""
    blend, out = make("mask", tmp_path), tmp_path / "out"
    done = demo("--blend", blend, "--out", out, "--seconds", 1, "--frames", "1-1")
    assert done.returncode == 0, done.stderr
    (passes,) = out.rglob("passes/*.exr")
    fire = {"kind": "fire", "at": (0.0, 3.0, -3.0), "controls": {"size": 6.0, "smoke": 0.0}}
    request, answer, final = tmp_path / "request.json", tmp_path / "answer.json", tmp_path / "final"
    asked = {"copy": str(out / "work" / "mask" / "mask.blend"), "styled": str(passes.parents[1] / "styled")}
    asked |= {"target": str(final), "first": 1, "last": 1, "effects": [fire]}
    request.write_text(json.dumps(asked), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "demo.stage", "composite", request, answer], cwd=ROOT, check=True)
    (burning,) = json.loads(answer.read_text(encoding="utf-8"))["value"]["frames"]
    with Image.open(burning) as after, Image.open(next((out / "final").glob("*.png"))) as before:
        change = np.abs(np.asarray(after.convert("RGB"), int) - np.asarray(before.convert("RGB"), int)).max(2)
    depth = Shot.open(passes.parent).read(1, ["depth"])["depth"][..., 0]
    assert change[depth < 100].max() <= 1
    assert change[depth >= 100].max() > 60


@pytest.mark.parametrize(
    ("kind", "words"),
    [("blind", "has no camera"), ("missing", "lost.png"), ("gone", "lost.vdb"), ("away", "shows almost nothing")],
)
def test_a_broken_file_gets_a_clear_message(kind: str, words: str, tmp_path: Path) -> None:
    done = demo("--blend", make(kind, tmp_path), "--out", tmp_path / "out", "--seconds", 1)
    assert done.returncode == 1
    assert words in done.stderr and "Traceback" not in done.stderr + done.stdout


def test_a_library_within_a_library_is_found_and_missed(tmp_path: Path) -> None:
    pytest.importorskip("bpy", reason="no bpy wheel in this Python")
    subprocess.run([sys.executable, "-c", LINK, tmp_path], check=True, capture_output=True)
    request, answer = tmp_path / "request.json", tmp_path / "answer.json"
    asked = {"source": str(tmp_path / "shot.blend"), "copy": str(tmp_path / "out" / "shot.blend"), "frames": [1, 1]}
    request.write_text(json.dumps(asked), encoding="utf-8")
    words = [sys.executable, "-m", "demo.stage", "prepare", str(request), str(answer)]
    subprocess.run(words, cwd=ROOT, check=True)
    (tmp_path / "props" / "mug.blend").unlink()
    assert subprocess.run(words, cwd=ROOT, check=False).returncode == 1
    assert json.loads(answer.read_text(encoding="utf-8"))["error"]["details"]["missing"] == ["mug.blend"]


@pytest.mark.parametrize("name", ["02_suzanne.blend", "21_scene.blend", "particle_bunny.blend"])
def test_broken_files_of_others(name: str, tmp_path: Path) -> None:
    pytest.importorskip("bpy", reason="no bpy wheel in this Python")
    if not (SCENES / "broken" / name).is_file():
        pytest.skip("../shared/data is not there")
    done = demo("--blend", SCENES / "broken" / name, "--out", tmp_path, "--seconds", 1)
    assert done.returncode == 1 and name in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_no_file_and_nonsense_for_a_file(tmp_path: Path) -> None:
    assert "There is no file" in demo("--blend", tmp_path / "none.blend", "--out", tmp_path).stderr
    pytest.importorskip("bpy", reason="no bpy wheel in this Python")
    nonsense = tmp_path / "nonsense.blend"
    nonsense.write_bytes(os.urandom(1000))
    done = demo("--blend", nonsense, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "nonsense.blend" in done.stderr and "Traceback" not in done.stderr


def test_what_lies_where_the_demo_works_is_not_lost(tmp_path: Path) -> None:
    """A painting that an earlier run made, refined; and a copy of the file that it made."""
    (tmp_path / ".paintover-demo").touch()
    for blend, painting in (("shot.blend", "work/shot/refined.png"), ("work/shot/shot.blend", "painting.png")):
        files = [tmp_path / blend, tmp_path / painting]
        for file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        done = demo("--blend", files[0], "--out", tmp_path, "--paint", f"1={files[1]}")
        assert done.returncode == 1 and "the demo's own folder" in done.stderr
        assert all(file.is_file() for file in files)


@pytest.mark.parametrize("words", [("--frames", "9-3"), ("--paint", "picture.png"), ("--seconds", "long")])
def test_wrong_usage(words: tuple[str, ...]) -> None:
    assert demo(*words).returncode == 2


def test_the_harbour_is_built_whole(tmp_path: Path) -> None:
    """A camera that moves, things that move, procedural textures and nothing from disk."""
    pytest.importorskip("bpy", reason="no bpy wheel in this Python")
    blend = tmp_path / "harbour.blend"
    subprocess.run([sys.executable, "-m", "demo.scene", blend], cwd=ROOT, check=True, capture_output=True)
    look = (
        "import bpy, json, os, sys; bpy.ops.wm.open_mainfile(filepath=sys.argv[1]); s = bpy.context.scene;"
        "print('@' + json.dumps([s.frame_end - s.frame_start + 1, s.render.resolution_x, s.render.resolution_y,"
        "sorted(o.name for o in s.objects if o.animation_data), len(bpy.data.images), len(s.objects)]));"
        "sys.stdout.flush(); os._exit(0)"
    )
    told = subprocess.run([sys.executable, "-c", look, blend], check=True, capture_output=True, text=True).stdout
    line = next(line for line in told.splitlines() if line.startswith("@"))
    frames, width, height, moving, pictures, things = json.loads(line[1:])
    assert (frames, width, height) == (24, 640, 360)
    assert moving == ["Balloon", "Camera", "Sailing boat"]
    assert pictures == 0 and things > 80


def test_runs_and_columns() -> None:
    assert paths.runs([1, 2, 3, 7, 9, 10]) == [(1, 3), (7, 7), (9, 10)]
    assert paths.runs([]) == []
    assert results.columns(list(range(1, 25)), [13]) == [1, 9, 13, 24]
    assert results.columns([5], [5]) == [5]
    assert results.columns(list(range(24)), [0, 1, 2, 3, 4]) == [0, 1, 2, 3, 4]


def test_a_folder_that_is_not_a_demos_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "final").mkdir()
    (tmp_path / "final" / "mine.png").write_text("weeks of work")
    done = demo("--blend", tmp_path / "shot.blend", "--out", tmp_path)
    assert done.returncode == 1
    assert "--out" in done.stderr and "Traceback" not in done.stderr
    assert (tmp_path / "final" / "mine.png").exists()
