"""What effects come out of, and water: silhouettes, emitters in a bake, planes of water."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from styled_frames import read

from addon.effect import silhouette
from backend.errors import UsageError
from backend.images import Plane, read_exr, read_header, read_planes
from backend.job import Job
from backend.service import VERBS, call

DEEP = 2 / 3
pytestmark = pytest.mark.usefixtures("own_backend")


def draw(points, triangles, across=1.0, rows=64) -> silhouette.Silhouette:
    return silhouette.draw(np.array(points, float), np.array(triangles, np.int32), across, DEEP, rows)


def test_a_silhouette_covers_what_the_surface_covers():
    square = [(-0.245, 0.1, 0.255), (0.245, 0.1, 0.255), (0.245, 0.1, 0.745), (-0.245, 0.1, 0.745)]
    seen = draw(square, [(0, 1, 2), (0, 2, 3)])
    wanted = np.zeros((64, 64), bool)
    wanted[16:48, 16:48] = True
    np.testing.assert_array_equal(seen.mask, wanted)
    assert (seen.front, seen.back) == (-0.1, -0.1)

    angles = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    ring = [(0, 0, 0.5), *((0.3 * np.cos(a), 0.0, 0.5 + 0.3 * np.sin(a)) for a in angles)]
    disc = draw(ring, [(0, 1 + i, 1 + (i + 1) % 200) for i in range(200)], across=2.0)
    assert disc.mask.shape == (64, 128)
    assert disc.mask.mean() == pytest.approx(np.pi * 0.3**2 / 2, rel=0.1)


def test_thin_huge_and_hidden_surfaces():
    floor = [(-90, -90, 0), (90, -90, 0), (90, 90, 0), (-90, 90, 0)]
    seen = draw(floor, [(0, 1, 2), (0, 2, 3)])
    assert seen.mask[-1].all() and not seen.mask[:-1].any()  # seen from its edge it is a line
    assert (seen.front, seen.back) == (DEEP / 2, -DEEP / 2)
    needle = draw([(0, 0, 0.1), (1e-4, 0, 0.5), (0, 0, 0.9)], [(0, 1, 2)])
    assert 50 <= needle.mask.sum() <= 110
    behind = draw([(-0.2, 5, 0.2), (0.2, 5, 0.2), (0, 5, 0.5)], [(0, 1, 2)])
    beside = draw([(3, 0, 0.2), (4, 0, 0.2), (3, 0, 0.5)], [(0, 1, 2)])
    none = draw(np.zeros((0, 3)), np.zeros((0, 3)))
    assert behind.empty and beside.empty and none.empty


def test_a_png_of_a_silhouette_is_one(tmp_path):
    mask = np.random.default_rng(1).random((37, 53)) > 0.5
    (tmp_path / "mask.png").write_bytes(silhouette.Silhouette(mask, 0.0, 0.0).png())
    with Image.open(tmp_path / "mask.png") as image:
        assert image.mode == "L"
        np.testing.assert_array_equal(np.asarray(image) == 255, mask)


def emitted(folder, weights):
    """Fires that come out of a moving ball; what was sent, and what was refused."""
    from pathlib import Path

    import bpy
    from paintover.backend.errors import PaintoverError
    from paintover.effect import properties
    from paintover.operators import effects

    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    bpy.ops.mesh.primitive_uv_sphere_add(radius=0.25, location=(3, 2, 1.25))
    ball = bpy.context.object
    for frame, x in ((1, 2.5), (3, 3.5)):
        ball.location.x = x
        ball.keyframe_insert("location", frame=frame)
    scene.frame_set(2)
    chosen = properties.of(scene)
    chosen.kind, chosen.pixels, chosen.frames, chosen.loop = "fire", (48, 48), 3, False
    chosen.fire.age, chosen.fire.size = 0.3, 2.0
    thing = effects.effect_add(scene, emitter=ball)
    out = {"place": list(thing.location), "emitter": properties.of(thing).emitter == ball}
    value = effects.effect_bake(scene, thing, weights=Path(weights))
    out["written"] = value["written"]
    out["frame"] = scene.frame_current
    out["files"] = sorted(str(path) for path in (effects.folder_of(thing) / "emitter").iterdir())

    def refused(change):
        change()
        try:
            effects.effect_bake(scene, thing, weights=Path(weights))
        except PaintoverError as error:
            return [error.code, str(error)]

    lamp = bpy.data.objects.new("Lamp", bpy.data.lights.new("Lamp", "POINT"))
    scene.collection.objects.link(lamp)
    settings = properties.of(thing)

    def scenery():
        return [sorted(things.keys()) for things in (bpy.data.objects, bpy.data.meshes, bpy.data.materials)]

    before = scenery()
    bpy.context.view_layer.objects.active = lamp
    try:
        bpy.ops.paintover.effect_emit()
    except RuntimeError as error:
        out["left"] = [str(error), scenery() == before, bpy.context.view_layer.objects.active == lamp]
    out["away"] = refused(lambda: setattr(thing.location, "x", 50.0))
    out["lamp"] = refused(lambda: setattr(settings, "emitter", lamp))
    return out


def test_a_fire_comes_out_of_a_moving_object(blender, fire, tmp_path):
    out = blender(emitted, tmp_path, fire)
    np.testing.assert_allclose(out["place"], [3, 2, 1], atol=1e-3)  # below the ball, where it is now
    assert out["emitter"] and out["frame"] == 2
    assert [Path(file).name for file in out["files"]] == [f"emitter_000{frame}.png" for frame in (1, 2, 3)]
    middles = []
    for file in out["files"]:
        with Image.open(file) as image:
            mask = np.asarray(image) > 0
        rows, columns = np.nonzero(mask)
        assert mask.mean() == pytest.approx(np.pi * 0.125**2, rel=0.1)
        assert rows.mean() / len(mask) == pytest.approx(1 - 0.125, abs=0.01)
        middles.append(columns.mean() / mask.shape[1])
    np.testing.assert_allclose(middles, [0.25, 0.5, 0.75], atol=0.01)
    light = [read(file)[..., :3].sum((0, 2)) for file in out["written"]]
    moved = [(row * np.arange(48)).sum() / row.sum() for row in light]
    assert moved[0] < 22 and moved[2] > moved[1] > moved[0]
    said, same, active = out["left"]
    assert "Lamp has no surface" in said and same and active
    assert out["away"][0] == "effect" and "No part of Sphere" in out["away"][1]
    assert out["lamp"][0] == "effect" and "Lamp has no surface" in out["lamp"][1]


def water(folder, kind, picture):
    """A plane of water, baked; its size, its textures, and a picture of it from above."""
    import bpy
    from paintover.backend.errors import PaintoverError
    from paintover.effect import properties
    from paintover.operators import effects

    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    scene.render.fps = 4
    chosen = properties.of(scene)
    chosen.kind, chosen.side = kind, 64
    chosen.controls.loop_seconds, chosen.controls.scale = 0.5, 16.0
    chosen.controls.foam = 20.0 if hasattr(chosen.controls, "foam") else 0
    thing = effects.effect_add(scene)
    value = effects.effect_bake(scene, thing)
    bpy.context.view_layer.update()

    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.location, camera.data.type, camera.data.ortho_scale = (0, 0, 50), "ORTHO", 16
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.world = bpy.data.worlds.new("Grey")
    if bpy.app.version < (5, 0, 0):
        scene.world.use_nodes = True
    render = scene.render
    render.engine, render.resolution_x, render.resolution_y = "CYCLES", 64, 64
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    if bpy.app.version >= (5, 0, 0):
        render.image_settings.media_type = "IMAGE"
    render.image_settings.file_format, render.image_settings.color_depth = "OPEN_EXR", "32"
    layer = scene.view_layers[0]
    layer.use_pass_position = layer.use_pass_normal = True
    if bpy.app.version >= (5, 0, 0):
        render.image_settings.media_type = "MULTI_LAYER_IMAGE"
    render.image_settings.file_format = "OPEN_EXR_MULTILAYER"
    scene.frame_set(2)
    render.filepath = picture
    bpy.ops.render.render(write_still=True)
    try:
        effects.effect_layer_insert(scene, thing)
        refused = ""
    except PaintoverError as error:
        refused = error.code
    return {
        "files": sorted(path.name for path in effects.folder_of(thing).glob("*.exr")),
        "folder": str(effects.folder_of(thing)),
        "written": len(value["written"]),
        "dimensions": list(thing.dimensions),
        "sequences": sorted(image.colorspace_settings.name for image in bpy.data.images if image.source == "SEQUENCE"),
        "light": properties.of(thing).light is None,
        "refused": refused,
    }


@pytest.mark.parametrize("kind", ["ocean", "pool"])
def test_water_is_a_plane_in_true_scale(blender, tmp_path, kind):
    import OpenImageIO as oiio

    picture = tmp_path / "above.exr"
    out = blender(water, tmp_path, kind, picture)
    parts = ("", "_normal", "_surface")
    assert out["files"] == sorted(f"{kind}{part}_000{frame}.exr" for part in parts for frame in (1, 2))
    assert out["written"] == 2
    np.testing.assert_allclose(out["dimensions"], [16, 16, 0], atol=1e-4)
    assert out["sequences"] == ["Non-Color", "Non-Color"]
    assert out["light"] and out["refused"] == "usage"

    planes = {}
    image = oiio.ImageInput.open(str(picture))
    part = 0
    while image.seek_subimage(part, 0):
        spec = image.spec()
        pixels = image.read_image(part, 0, 0, spec.nchannels, oiio.FLOAT)
        planes |= {name: pixels[..., index] for index, name in enumerate(spec.channelnames)}
        part += 1
    height = next(planes[name] for name in planes if name.endswith("Position.Z"))
    surface = read(Path(out["folder"]) / f"{kind}_surface_0002.exr")
    assert np.corrcoef(height.ravel(), surface[..., 0].ravel())[0, 1] > 0.95  # the surface is where the water is
    assert height.std() == pytest.approx(surface[..., 0].std(), rel=0.2)
    normal = read(Path(out["folder"]) / f"{kind}_normal_0002.exr")
    slope = np.gradient(surface[..., 0])[1]
    assert np.corrcoef(slope.ravel(), -normal[..., 0].ravel())[0, 1] > 0.5


def test_water_as_textures_holds_what_its_layers_hold(tmp_path):
    asked = {"kind": "pool", "out": str(tmp_path), "frames": 2, "size": 64, "textures": True}
    value = call(VERBS, "effect.render", asked, Job())
    frame = tmp_path / "pool_0002.exr"
    channels = {"height": "V", "foam": "V", "caustics": "V", "normal": "RGB"}
    planes = {name: Plane(0, tuple(f"{name}.{part}" for part in parts)) for name, parts in channels.items()}
    layers = read_planes(frame, read_header(frame), planes)
    surface, normal = (read_exr(tmp_path / f"pool_{name}_0002.exr") for name in ("surface", "normal"))
    np.testing.assert_array_equal(normal[..., :3], layers["normal"])
    for index, name in enumerate(("height", "foam", "caustics")):
        np.testing.assert_allclose(surface[..., index], layers[name][..., 0], atol=1e-3)
    assert len(value["written"]) == 2

    (tmp_path / "pool_normal_0001.exr").unlink()
    again = call(VERBS, "effect.render", asked, Job())
    assert [Path(file).name for file in again["written"]] == ["pool_0001.exr"] and again["skipped"] == [2]
    assert (tmp_path / "pool_normal_0001.exr").is_file()
    with pytest.raises(UsageError, match="Only water"):
        call(VERBS, "effect.render", {"kind": "fire", "out": str(tmp_path), "textures": True}, Job())


def refusals(folder):
    """What operators say where nothing can be done, and what they leave behind."""
    import bpy
    from paintover import jobs
    from paintover.effect import properties
    from paintover.operators import effects

    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    objects = len(bpy.data.objects)
    out = {}

    def refused(name, operator):
        try:
            operator()
        except RuntimeError:
            out[name] = [jobs.session.failure.code, str(jobs.session.failure)]

    ops = bpy.ops.paintover
    refused("bake", ops.effect_bake)
    refused("insert", ops.effect_layer_insert)
    refused("remove", ops.effect_layer_remove)
    bpy.context.view_layer.objects.active = None
    refused("emit", ops.effect_emit)
    properties.of(scene).kind = "ocean"
    bpy.context.view_layer.objects.active = bpy.data.objects["Cube"]
    refused("water", ops.effect_emit)
    out["made"] = len(bpy.data.objects) - objects
    thing = effects.effect_add(scene, "fire")
    refused("unbaked", ops.effect_layer_insert)
    refused("out", ops.effect_layer_remove)
    scene.camera = None
    refused("camera", ops.effect_layer_insert)
    out["hidden"] = thing.hide_render
    properties.of(thing).loop, properties.of(thing).frames = True, 3
    refused("short", ops.effect_bake)
    out["folder"] = effects.folder_of(thing).exists() and sorted(
        path.name for path in effects.folder_of(thing).rglob("*") if path.is_file()
    )
    return out


def test_what_cannot_be_done_is_said_and_nothing_is_left_behind(blender, tmp_path):
    out = blender(refusals, tmp_path)
    no_effect = ["usage", "The active object is no effect. Select an effect's card, or add one."]
    assert out["bake"] == out["insert"] == out["remove"] == no_effect
    assert out["emit"] == ["usage", "No object is active that it could come out of. Select a mesh."]
    assert out["water"][0] == "usage" and "Water comes out of no object" in out["water"][1]
    assert out["made"] == 0
    assert out["unbaked"] == ["effect", "Fire is not baked yet. Press Bake."]
    assert out["out"] == ["usage", "Fire is not in this scene's compositor."]
    assert out["camera"][0] == "usage" and "no camera" in out["camera"][1]
    assert out["hidden"] is False
    assert out["short"][0] == "usage" and "3 frames" in out["short"][1]
    assert out["folder"] in (False, [])
