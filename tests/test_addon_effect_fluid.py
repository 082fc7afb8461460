"""An artist's own fluid simulation in Blender: shown by an effect where its domain is, or refused in clear words."""

from pathlib import Path

import mantaflow
import numpy as np
import pytest
from fluid_bake import bake, flame
from styled_frames import read

pytestmark = pytest.mark.usefixtures("own_backend")


def refined(folder, cache, weights):
    """A domain of 1.2 x 1.0 x 1.6 m that is turned and stands aside, seen from two sides, baked again, and left."""
    import math
    from pathlib import Path

    import bpy
    from mathutils import Matrix, Vector
    from paintover.effect import bakes, layer, properties
    from paintover.operators import effects

    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    bpy.ops.mesh.primitive_cube_add(size=1, location=(3, 2, 1.3), rotation=(0, 0, 0.3), scale=(1.2, 1.0, 1.6))
    box = bpy.context.object
    modifier = box.modifiers.new("Fluid", "FLUID")
    modifier.fluid_type = "DOMAIN"
    told = modifier.domain_settings
    told.cache_type, told.cache_frame_start, told.cache_frame_end = "ALL", 5, 7
    told.time_scale, told.flame_max_temp = 0.5, 4.0
    told.cache_directory = cache  # the last: Blender removes what another setting makes worthless
    bpy.context.view_layer.update()
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.matrix_world = Matrix.LocRotScale(
        box.matrix_world @ Vector((-4, 0.5, 0)),
        Matrix.Rotation(0.3 - math.pi / 2, 3, "Z") @ Matrix.Rotation(math.pi / 2, 3, "X"),
        None,
    )  # to its left
    scene.collection.objects.link(camera)
    scene.camera = camera
    bpy.context.view_layer.update()

    chosen = properties.of(scene)
    chosen.kind, chosen.pixels, chosen.loop = "fire", (64, 64), True
    thing = effects.effect_add(scene, fluid=box)
    settings = properties.of(thing)
    asked = {}
    submit = type(effects.jobs.backend()).submit
    type(effects.jobs.backend()).submit = lambda self, verb, params: (asked.update(params), submit(self, verb, params))[
        1
    ]

    def shown():
        bpy.context.view_layer.update()
        value = effects.effect_bake(scene, thing, weights=Path(weights))
        bpy.context.view_layer.update()
        user = next(node.image_user for node in thing.active_material.node_tree.nodes if node.type == "TEX_IMAGE")
        return {
            "corners": [list(thing.matrix_world @ vertex.co) for vertex in thing.data.vertices],
            "view": settings.view,
            "written": [Path(path).name for path in value["written"]],
            "skipped": value["skipped"],
            "last": str(effects.folder_of(thing) / "fire_0007.exr"),
            "pixels": list(settings.pixels),
            "user": [user.frame_start, user.frame_duration, user.use_cyclic],
            "note": list(bakes.baked(effects.folder_of(thing)).frames),
        }

    out = {"flame": list(box.matrix_world @ Vector((9.5 / 12 - 0.5, 1.5 / 10 - 0.5, 0)))}
    out["left"] = shown()
    out["asked"] = {name: asked.get(name) for name in ("vdb", "controls", "start", "frames", "loop", "emitter")}
    node = layer.insert(scene, thing)
    out["layer"] = [settings.deep, node.inputs["Softness"].default_value]
    out["again"] = shown()
    settings.view = "front"
    out["front"] = shown()
    settings.domain = None
    settings.bake = cache
    out["folder"] = [shown()["skipped"], "hottest" in asked["vdb"], asked["controls"].get("time_scale")]
    return out


def test_an_effect_stands_in_its_domain_and_follows_its_timeline(blender, fire, tmp_path):
    cache = bake(tmp_path / "cache", 3, first=5)
    out = blender(refined, tmp_path, cache, fire)
    names = [f"fire_000{frame}.exr" for frame in (5, 6, 7)]
    controls = out["asked"].pop("controls")
    assert set(controls) == {"intensity", "smoke", "smoke_colour", "temperature", "time_scale"}
    assert controls["time_scale"] == 0.5
    bake_ = {"folder": str(cache), "side": "left", "hottest": 4.0}
    assert out["asked"] == {"vdb": bake_, "start": 5, "frames": 3, "loop": False, "emitter": None}
    for side, shape in (("left", (1.0, 1.6)), ("front", (1.2, 1.6))):
        seen = out[side]
        assert seen["view"] == side and seen["written"] == names and seen["note"] == [5, 7]
        assert seen["user"] == [5, 3, False]
        left, right, upper, _ = map(np.array, seen["corners"])
        assert np.linalg.norm(right - left) == pytest.approx(shape[0], rel=0.03)
        assert np.linalg.norm(upper - right) == pytest.approx(shape[1], rel=1e-3)
        np.testing.assert_allclose((left + right) / 2, [3, 2, 0.5], atol=1e-3)
        # where the picture has fire, there the domain has it
        light = read(Path(seen["last"]))[..., :3].sum((0, 2))
        place = left + (right - left) * ((np.arange(len(light)) + 0.5) * light).sum() / light.sum() / len(light)
        across = (right - left) / np.linalg.norm(right - left)
        assert place @ across == pytest.approx(np.array(out["flame"]) @ across, abs=0.08)
        assert across @ [np.sin(0.3), -np.cos(0.3), 0] == pytest.approx(float(side == "left"), abs=1e-3)
    assert [out[side]["pixels"] for side in ("left", "front")] == [[40, 64], [48, 64]]
    assert out["layer"] == pytest.approx([1.2 / 1.6, 0.3 * 1.2], rel=1e-3)
    assert out["again"]["skipped"] == [5, 6, 7]
    assert out["folder"] == [[], False, None]


def spoilt(folder: Path) -> dict[str, str]:
    """Caches of two frames by what is wrong with them."""
    found = {}
    for how in ("whole", "foreign", "empty", "nothing", "a gap"):
        cache = bake(folder / how.replace(" ", "_"), 2)
        second = cache / "data/fluid_data_0002.vdb"
        if how == "foreign":
            mantaflow.write(second, flame(0), marked=False)
        elif how == "empty":
            for file in (cache / "data").iterdir():
                mantaflow.write(file, {name: 0 * values for name, values in flame(0).items()})
        elif how == "nothing":
            for file in (cache / "data").iterdir():
                file.unlink()
        elif how == "a gap":
            second.unlink()
        found[how] = str(cache)
    return found


def refusals(folder, caches):
    """What is said of domains that cannot be shown, by the operator, by a bake, and beside the thumbnail."""
    import time
    from pathlib import Path

    import bpy
    from paintover import jobs
    from paintover.backend.errors import PaintoverError
    from paintover.effect import properties, thumbnail
    from paintover.operators import effects

    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    cube = bpy.data.objects["Cube"]
    properties.of(scene).kind = "fire"
    objects = len(bpy.data.objects)
    out = {}

    def operator(name):
        try:
            bpy.ops.paintover.effect_refine()
        except RuntimeError:
            out[name] = [jobs.session.failure.code, jobs.session.failure.message, jobs.session.failure.remedy]

    bpy.context.view_layer.objects.active = None
    operator("none")
    bpy.context.view_layer.objects.active = cube
    operator("cube")
    modifier = cube.modifiers.new("Fluid", "FLUID")
    modifier.fluid_type = "FLOW"
    operator("flow")
    modifier.fluid_type = "DOMAIN"
    told = modifier.domain_settings
    told.cache_type, told.cache_frame_start, told.cache_frame_end = "ALL", 1, 2
    told.domain_type = "LIQUID"
    operator("liquid")
    told.domain_type = "GAS"
    told.cache_data_format = "UNI"
    operator("uni")
    told.cache_data_format = "OPENVDB"
    told.cache_directory = caches["nothing"]
    operator("not baked")
    out["made"] = len(bpy.data.objects) - objects

    thing = effects.effect_add(scene, fluid=cube)
    settings = properties.of(thing)

    def baked(name, cache):
        told.cache_directory = caches[cache]
        if settings.domain is None:
            settings.bake = caches[cache]
        try:
            effects.effect_bake(scene, thing)
        except PaintoverError as error:
            out[name] = [error.code, error.message, error.remedy]

    for cache in ("a gap", "foreign", "empty", "nothing"):
        baked(cache, cache)

    def looked(name, cache):
        told.cache_directory = caches[cache]
        thumbnail.icon(scene, thing)
        end = time.monotonic() + 120
        while thumbnail.step():
            assert time.monotonic() < end
            time.sleep(0.02)
        error = thumbnail.failure(scene, thing)
        out[name] = error and [error.code, error.message, error.remedy]

    looked("seen: a gap", "a gap")
    looked("seen: whole", "whole")
    looked("seen: foreign", "foreign")
    out["picture"] = str(thumbnail.wish_of(scene, thing).path)
    out["there"] = Path(out["picture"]).is_file()
    settings.domain = None
    baked("folder: nothing", "nothing")
    settings.domain = bpy.data.objects["Light"]
    baked("light", "whole")
    out["files"] = [path.name for path in effects.folder_of(thing).rglob("*") if path.is_file()]
    return out


@pytest.mark.parametrize("blender", ["blender"], indirect=True)  # the wheel dies of a domain that changes
def test_a_domain_that_cannot_be_shown_is_refused_in_words(blender, tmp_path):
    caches = spoilt(tmp_path / "caches")
    out = blender(refusals, tmp_path, caches)
    words = {
        "none": "No object is active",
        "cube": "Cube is no fluid domain",
        "flow": "Cube is no fluid domain",
        "light": "Light is no fluid domain",
        "liquid": "Cube is the domain of a liquid",
        "uni": "Cube keeps its bake in the format Uni Cache",
        "not baked": "Cube is not baked",
        "nothing": "Cube is not baked",
        "a gap": "Frame 2 is not in the bake of Cube",
        "seen: a gap": "Frame 2 is not in the bake of Cube",
        "foreign": "fluid_data_0002.vdb was not baked by Blender",
        "seen: foreign": "fluid_data_0002.vdb was not baked by Blender",
        "empty": "The bake is empty",
        "folder: nothing": "There are no OpenVDB files",
    }
    for name, text in words.items():
        code, message, remedy = out[name]
        assert text in message and remedy, name
        assert code == ("usage" if name == "none" else "effect"), name
    assert out["made"] == 0
    assert out["seen: whole"] is None and out["there"]
    assert out["files"] == []


def simulated(folder, weights):
    """A fire that Blender itself bakes, 32 cells high, and what an effect makes of it."""
    from pathlib import Path

    import bpy
    from paintover.effect import properties
    from paintover.operators import effects

    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    bpy.ops.mesh.primitive_cube_add(size=1, location=(1, 2, 1.5), scale=(1.0, 1.0, 3.0))
    box = bpy.context.object
    modifier = box.modifiers.new("Fluid", "FLUID")
    modifier.fluid_type = "DOMAIN"
    told = modifier.domain_settings
    told.domain_type, told.resolution_max, told.cache_type = "GAS", 32, "ALL"
    told.cache_directory, told.cache_frame_start, told.cache_frame_end = "//cache", 1, 4
    bpy.ops.mesh.primitive_uv_sphere_add(radius=0.2, location=(1.2, 2, 0.4))
    flow = bpy.context.object.modifiers.new("Fluid", "FLUID")
    flow.fluid_type = "FLOW"
    flow.flow_settings.flow_type, flow.flow_settings.flow_behavior = "BOTH", "INFLOW"
    bpy.context.view_layer.objects.active = box
    with bpy.context.temp_override(object=box, active_object=box, selected_objects=[box]):
        assert bpy.ops.fluid.bake_all() == {"FINISHED"}
    properties.of(scene).pixels = (128, 128)
    thing = effects.effect_add(scene, "fire", fluid=box)
    first = effects.effect_bake(scene, thing, weights=Path(weights))
    with bpy.context.temp_override(object=box, active_object=box, selected_objects=[box]):
        assert bpy.ops.fluid.free_all() == {"FINISHED"}
        told.cache_frame_end = 3
        assert bpy.ops.fluid.bake_all() == {"FINISHED"}
    second = effects.effect_bake(scene, thing, weights=Path(weights))
    bpy.context.view_layer.update()
    return {
        "box": first["box"],
        "first": [Path(path).name for path in first["written"]],
        "second": [Path(path).name for path in second["written"]],
        "last": str(effects.folder_of(thing) / "fire_0003.exr"),
        "corners": [list(thing.matrix_world @ vertex.co) for vertex in thing.data.vertices],
        "files": sorted(path.name for path in effects.folder_of(thing).iterdir()),
    }


@pytest.mark.parametrize("blender", ["blender"], indirect=True)  # the wheel's Mantaflow does not run
def test_a_real_bake_is_refined_where_it_is(blender, fire, tmp_path):
    out = blender(simulated, tmp_path, fire)
    names = [f"fire_000{frame}.exr" for frame in (1, 2, 3, 4)]
    assert out["first"] == names and out["second"] == names[:3], "baked anew, so rendered anew"
    assert out["files"] == ["bake.json", *names[:3]]
    np.testing.assert_allclose(out["box"], [1.0, 3.0, 1.0], rtol=0.07)
    left, right, upper, _ = map(np.array, out["corners"])
    np.testing.assert_allclose((left + right) / 2, [1, 2, 0], atol=1e-3)
    assert upper[2] == pytest.approx(3.0, rel=1e-3)
    light = read(Path(out["last"]))[..., :3].sum(2)
    rows, columns = (np.arange(size) + 0.5 for size in light.shape)
    x = left[0] + (right - left)[0] * (light.sum(0) * columns).sum() / light.sum() / len(columns)
    z = 3 * (1 - (light.sum(1) * rows).sum() / light.sum() / len(rows))
    assert x == pytest.approx(1.2, abs=0.07) and 0.2 < z < 1.0
