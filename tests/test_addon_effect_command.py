"""``blender shot.blend --command paintover effects``, with the built zip in a real Blender and tiny weights in it."""

import pytest
import real_blender
from effect_network import tiny

MAKE = """
import bpy
from bl_ext.user_default.paintover.effect import properties
from bl_ext.user_default.paintover.operators import effects

bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
scene = bpy.context.scene
bpy.ops.wm.save_as_mainfile(filepath=%r)
chosen = properties.of(scene)
chosen.pixels, chosen.side, chosen.frames = (40, 40), 64, 2
for kind in %r:
    chosen.kind = kind
    chosen.loop = False
    if kind == "rain":
        chosen.rain.loop_seconds = 0.5
    else:
        chosen.controls.age = 0.2
    effects.effect_add(scene)
bpy.ops.wm.save_mainfile()
"""
LOOK = """
import bpy
for thing in bpy.context.scene.objects:
    lamp, material = thing.paintover_effect.light, thing.active_material
    nodes = material.node_tree.nodes if material else []
    files = [node.image.filepath for node in nodes if node.type == "TEX_IMAGE"]
    print("FOUND", thing.name, lamp and lamp.name, lamp and bool(lamp.data.animation_data), files)
"""
UNTRAINED = """
import time
import bpy
from bl_ext.user_default.paintover import status
from bl_ext.user_default.paintover.effect import thumbnail

scene = bpy.context.scene
thing = bpy.context.view_layer.objects.active
try:
    bpy.ops.paintover.effect_bake()
except RuntimeError:
    (line,) = status.failures()
    print("FAILURE", [line.text, line.icon, line.remedy])
thumbnail.icon(scene, thing)
while thumbnail.step():
    time.sleep(0.05)
print("THUMBNAIL", thumbnail.failure(scene, thing), thumbnail.wish_of(scene, thing).path.is_file())
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """A render machine whose extension has weights for fire, and for nothing else."""
    found = real_blender.installed(tmp_path_factory.mktemp("machine"))
    extension = found.profile / "extensions" / "user_default" / "paintover"
    weights = extension / "backend" / "effect" / "weights"
    weights.mkdir(exist_ok=True)
    for shipped in weights.glob("*.safetensors"):
        shipped.unlink()
    tiny("fire", weights / "fire.safetensors")
    return found


def made(machine, folder, *kinds):
    blend = folder / "shot.blend"
    done = machine.script(MAKE % (str(blend), list(kinds)))
    assert done.returncode == 0, done.stdout + done.stderr
    return blend


def test_every_effect_of_the_scene_is_baked_and_kept_the_second_time(machine, tmp_path):
    blend = made(machine, tmp_path, "fire", "rain")
    done = machine.paintover(blend, "effects")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 effects: 14 frames baked, 0 kept" in done.stdout
    effects = tmp_path / "paintover" / "effects"
    assert sorted(path.name for path in (effects / "Fire").glob("*.exr")) == ["fire_0001.exr", "fire_0002.exr"]
    assert len(list((effects / "Rain").glob("*.exr"))) == 36
    told = machine.script(LOOK, blend).stdout
    assert "FOUND Fire Fire Light True ['//paintover/effects/Fire/fire_0001.exr']" in told
    assert "//paintover/effects/Rain/rain_normal_0001.exr" in told

    saved = blend.stat().st_mtime_ns
    done = machine.paintover(blend, "effects")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 effects: 0 frames baked, 14 kept" in done.stdout
    assert blend.stat().st_mtime_ns == saved, "nothing has changed, so the .blend is as it was"


def test_what_cannot_be_baked_is_said(machine, tmp_path):
    blend = made(machine, tmp_path)
    done = machine.paintover(blend, "effects")
    assert done.returncode == 1 and "holds no effects" in done.stderr
    blend = made(machine, tmp_path, "smoke")
    done = machine.paintover(blend, "effects")
    words = "Paintover has not learned smoke here: smoke.safetensors is missing."
    assert done.returncode == 1 and f"Error: {words}" in done.stderr, done.stdout + done.stderr
    assert not list((tmp_path / "paintover" / "effects" / "Smoke").glob("**/*.exr"))
    told = machine.script(UNTRAINED, blend).stdout
    assert f"FAILURE ['{words}', 'ERROR', 'Install Paintover again" in told, told  # as the panel draws it
    assert "THUMBNAIL None True" in told, "a thumbnail needs no weights"
    assert machine.paintover(blend, "effects", "--what").returncode == 2
