"""Effects in Blender: added, baked, shown by a card and a light, with the backend at work and tiny weights."""

import sys
from pathlib import Path

import numpy as np
import pytest
from test_compositor import read
from test_effect_render import tiny

TESTS = Path(__file__).resolve().parent


@pytest.fixture(autouse=True)
def own_backend(monkeypatch):
    monkeypatch.setenv("PAINTOVER_PYTHON", sys.executable)


@pytest.fixture(scope="module")
def fire(tmp_path_factory) -> Path:
    """Weights that were never trained."""
    return tiny("fire", tmp_path_factory.mktemp("weights") / "fire.safetensors")


def shown(folder, weights):
    """A fire at the cursor before a grey world, baked and rendered; its card's place and form."""
    from pathlib import Path

    import bpy
    from paintover.effect import properties
    from paintover.operators import effects

    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    scene = bpy.context.scene
    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.location, camera.rotation_euler = (6, 1, 2), (1.5708, 0, 1.5708)
    camera.data.type, camera.data.ortho_scale = "ORTHO", 2.0  # it sees the card alone
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.world = bpy.data.worlds.new("Grey")
    if bpy.app.version < (5, 0, 0):
        scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs[0].default_value = (0.25, 0.25, 0.25, 1)

    scene.cursor.location = (1, 1, 1)
    chosen = properties.of(scene)
    chosen.kind, chosen.pixels, chosen.frames, chosen.loop, chosen.start = "fire", (40, 40), 3, False, 5
    chosen.fire.age, chosen.fire.size = 0.2, 2.0
    thing = effects.effect_add(scene)
    value = effects.effect_bake(scene, thing, weights=Path(weights))
    bpy.context.view_layer.update()

    render = scene.render
    render.engine, render.resolution_x, render.resolution_y = "CYCLES", 40, 40
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    scene.cycles.pixel_filter_type = "BOX"
    scene.render.filter_size = 0.01
    if bpy.app.version >= (5, 0, 0):
        render.image_settings.media_type = "IMAGE"
    render.image_settings.file_format, render.image_settings.color_depth = "OPEN_EXR", "32"
    for frame in (4, 5, 7, 8):
        scene.frame_set(frame)
        render.filepath = f"{folder}/render/{frame:04d}.exr"
        bpy.ops.render.render(write_still=True)
    corners = [list(thing.matrix_world @ vertex.co) for vertex in thing.data.vertices]
    folder = effects.folder_of(thing)
    return {
        "written": [Path(path).name for path in value["written"]],
        "files": sorted(path.name for path in folder.iterdir()),
        "folder": str(folder),
        "corners": corners,
        "active": bpy.context.object == thing,
    }


def test_a_card_shows_what_was_baked_in_its_frames(blender, fire, tmp_path):
    out = blender(shown, tmp_path, fire)
    names = [f"fire_000{frame}.exr" for frame in (5, 6, 7)]
    assert out["written"] == names
    assert out["files"] == ["bake.json", *names]
    assert out["folder"] == str(tmp_path / "paintover" / "effects" / "Fire")
    assert out["active"]
    np.testing.assert_allclose(out["corners"], [[1, 0, 1], [1, 2, 1], [1, 2, 3], [1, 0, 3]], atol=1e-5)
    for frame in (4, 8):  # before and after
        np.testing.assert_allclose(read(tmp_path / "render" / f"{frame:04d}.exr")[..., :3], 0.25, atol=1e-3)
    for frame in (5, 7):
        baked = read(Path(out["folder"]) / f"fire_{frame:04d}.exr")
        assert baked[..., 3].max() > 0.01 and baked[..., :3].max() > 0.1
        wanted = baked[..., :3] + (1 - baked[..., 3:]) * 0.25
        np.testing.assert_allclose(read(tmp_path / "render" / f"{frame:04d}.exr")[..., :3], wanted, atol=2e-2)
