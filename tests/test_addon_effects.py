"""Effects in Blender: added, baked, shown by a card and a light, with the backend at work and tiny weights."""

from pathlib import Path

import numpy as np
import pytest
from styled_frames import read

TESTS = Path(__file__).resolve().parent
pytestmark = pytest.mark.usefixtures("own_backend")


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

    def light_by_frame(lamp):
        found = {}
        for frame in range(3, 10):
            scene.frame_set(frame)
            found[frame] = lamp.data.energy
        return [found, list(lamp.matrix_world.translation), lamp.data.temperature, lamp.parent == thing]

    corners = [list(thing.matrix_world @ vertex.co) for vertex in thing.data.vertices]
    folder = effects.folder_of(thing)
    return {
        "written": [Path(path).name for path in value["written"]],
        "files": sorted(path.name for path in folder.iterdir()),
        "folder": str(folder),
        "corners": corners,
        "active": bpy.context.object == thing,
        "brightness": value["brightness"],
        "light": light_by_frame(properties.of(thing).light),
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
    energies, place, kelvins, child = out["light"]
    mean = dict(zip((5, 6, 7), out["brightness"], strict=True))
    for frame, energy in energies.items():
        assert energy == pytest.approx(4 * np.pi * 4 * mean.get(int(frame), 0.0), rel=1e-4), frame  # 4 m2 of card
    assert energies["6"] > 0
    np.testing.assert_allclose(place, [1, 1, 1.7], atol=1e-5)
    assert kelvins == 1900 and child


def baked_again(folder, weights):
    """A smoke that is baked, changed, cancelled, baked again, duplicated, and keyed; what the folder holds then."""
    import json
    from pathlib import Path

    import bpy
    from paintover import jobs
    from paintover.backend.errors import Cancelled
    from paintover.effect import bakes, properties
    from paintover.operators import effects

    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    chosen = properties.of(scene)
    chosen.kind, chosen.pixels, chosen.frames, chosen.loop = "fire", (40, 40), 3, False
    chosen.fire.age = 0.2
    thing = effects.effect_add(scene)
    settings = properties.of(thing)
    place = effects.folder_of(thing)
    out = {"before": bakes.baked(place) is None}

    def there():
        files = sorted(path.name for path in place.glob("*.exr"))
        note = bakes.baked(place)
        return [files, list(note.frames), sorted(path.name for path in place.iterdir() if path.is_dir())]

    def image():
        return next(node.image for node in thing.active_material.node_tree.nodes if node.type == "TEX_IMAGE")

    def bake(on_progress=None, of=None):
        value = effects.effect_bake(scene, of or thing, on_progress, Path(weights))
        return [len(value["written"]), value["skipped"]]

    out["first"] = [bake(), there()]
    shown = image()
    out["same again"] = [bake(), there()]
    settings.frames, settings.start, settings.fire.intensity = 6, 10, 2.0
    content = (place / "fire_0001.exr").read_bytes()

    def cancel(report):
        if "path" in report:
            jobs.cancel()

    try:
        bake(cancel)
    except Cancelled as error:
        out["cancelled"] = [str(error), there(), (place / "fire_0001.exr").read_bytes() == content]
        out["half"] = [path.name for path in place.rglob("*") if ".part" in path.name]
        out["whole"] = sorted(path.name for path in (place / "next").glob("*.exr"))
    out["changed"] = [bake(), there(), image() == shown, [image.name for image in bpy.data.images]]
    user = next(node.image_user for node in thing.active_material.node_tree.nodes if node.type == "TEX_IMAGE")
    out["user"] = [user.frame_start, user.frame_duration, user.frame_offset]

    copy = thing.copy()
    scene.collection.objects.link(copy)
    properties.of(copy).fire.intensity = 3.0
    out["copy"] = [bake(of=copy), properties.of(copy).folder, there(), copy.active_material != thing.active_material]
    out["lights"] = properties.of(copy).light != settings.light
    out["same picture"] = shown == image()

    for frame, value in ((10, 0.0), (12, 4.0)):
        settings.fire.wind = value
        thing.keyframe_insert("paintover_effect.fire.wind", frame=frame)
    curve = thing.animation_data.action.layers[0].strips[0].channelbag(thing.animation_data.action_slot).fcurves[0]
    for key in curve.keyframe_points:
        key.interpolation = "LINEAR"
    settings.frames = 3
    asked = {}
    submit = type(jobs.backend()).submit
    type(jobs.backend()).submit = lambda self, verb, params: (asked.update(params), submit(self, verb, params))[1]
    scene.frame_set(4)
    bake()
    out["keys"] = [asked["controls"]["wind"], asked["controls"]["fuel"], scene.frame_current]
    return json.loads(json.dumps(out))


def test_bake_again_replaces_in_place_and_a_cancelled_bake_changes_nothing(blender, fire, tmp_path):
    out = blender(baked_again, tmp_path, fire)
    assert out["before"]
    first = [[f"fire_000{frame}.exr" for frame in (1, 2, 3)], [1, 3], []]
    assert out["first"] == [[3, []], first]
    assert out["same again"] == [[0, [1, 2, 3]], first]
    message, there, untouched = out["cancelled"]
    assert "Cancelled" in message and untouched
    assert there[:2] == first[:2]
    second = [[f"fire_{frame:04}.exr" for frame in range(10, 16)], [10, 15], []]
    written, kept = out["changed"][0]
    assert out["half"] == [] and out["whole"] == [f"fire_{frame:04}.exr" for frame in kept], "it went on there"
    assert 0 < len(kept) < 6 and written + len(kept) == 6 and out["changed"][1:3] == [second, True]
    assert out["user"] == [10, 6, 9]
    assert out["copy"] == [[6, []], "Fire_001", second, True]
    assert out["lights"] and out["same picture"]
    assert out["keys"] == [[[10, 0.0], [11, 2.0], [12, 4.0]], 1.0, 4]
