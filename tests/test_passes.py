"""The passes that a look needs: seen missing, switched on, and there in what each engine renders."""

import json
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest


def switch(folder):
    """What is missing before and after, what ``passes_alone`` leaves behind, and what motion blur is told."""
    import bpy
    from paintover import interim, passes

    scene = bpy.context.scene
    layer = passes.main_layer(scene)
    names = [needed.attribute for needed in passes.NEEDED] + ["pass_cryptomatte_depth"]

    def state():
        return [getattr(layer, name) for name in names]

    layer.use_pass_z = layer.use_pass_mist = True
    layer.pass_cryptomatte_depth = 6
    before = state()
    out = {"missing": passes.missing(layer), "before": before}
    try:
        with interim.passes_alone(scene):
            out["inside"] = passes.missing(layer)
            raise KeyError
    except KeyError:
        out["restored"] = state() == before
    out["switched"] = passes.enable(layer)
    out["after"] = [passes.missing(layer), layer.pass_cryptomatte_depth, layer.use_pass_mist]
    layer.pass_cryptomatte_depth = 6
    out["again"] = passes.enable(layer)
    out["the artist's levels"] = layer.pass_cryptomatte_depth

    out["warnings"] = []
    for blurred in (False, True):
        scene.render.use_motion_blur = blurred
        out["warnings"].append(len(passes.warnings(scene)))
    unused = layer.name
    scene.view_layers.new("Second")
    layer.use = False
    out["main"] = [unused, passes.main_layer(scene).name]
    return out


def test_missing_passes_are_switched_on(blender, tmp_path):
    out = blender(switch, tmp_path)
    everything = ["Diffuse Color", "Normal", "Position", "Vector", "Cryptomatte Object"]
    assert out["missing"] == everything
    assert out["inside"] == []
    assert out["restored"]
    assert out["switched"] == everything
    assert out["after"] == [[], 2, True]
    assert out["again"] == []
    assert out["the artist's levels"] == 6
    assert out["warnings"] == [0, 1]
    assert out["main"] == ["ViewLayer", "Second"]


def render_moving_cube(folder, engine, motion_blur):
    """One frame of a cube that moves one metre per frame to the right, seen flat on from the front."""
    import bpy
    from paintover import passes, paths, rendering

    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 64, 36
    scene.render.engine = (
        ("BLENDER_EEVEE" if bpy.app.version >= (5, 0) else "BLENDER_EEVEE_NEXT") if engine == "EEVEE" else engine
    )
    scene.render.use_motion_blur = motion_blur
    if engine == "CYCLES":
        scene.cycles.samples, scene.cycles.use_denoising = 1, False
    else:
        scene.eevee.taa_render_samples = 1
    camera = scene.camera
    camera.location, camera.rotation_euler = (0, -10, 0), (1.5707963, 0, 0)
    camera.data.type, camera.data.ortho_scale = "ORTHO", 16.0  # 4 pixels a metre
    cube = bpy.data.objects["Cube"]
    cube.driver_add("location", 0).driver.expression = "frame - 2"
    if motion_blur:  # Render Passes would refuse it
        scene.paintover.save_passes = True
        passes.enable(passes.main_layer(scene))
        scene.frame_set(2)
        bpy.ops.render.render()
    else:
        rendering.render_range(scene, 2, 2)
    return str(paths.places(scene).passes)


def read(folder) -> dict[str, np.ndarray]:
    """Pass name -> HxWxC of frame 2."""
    image = oiio.ImageInput.open(str(folder / "Scene_0002.exr"))
    found: dict[str, dict[str, np.ndarray]] = {}
    part = 0
    while image.seek_subimage(part, 0):
        pixels = image.read_image(part, 0, 0, image.spec().nchannels, oiio.FLOAT)
        for channel, name in enumerate(image.spec().channelnames):
            _, name, axis = name.split(".")
            found.setdefault(name, {})[axis] = pixels[..., channel]
        part += 1
    return {
        name: np.stack([axes[axis] for axis in sorted(axes, key="XYZWRGBA".find)], -1)
        for name, axes in found.items()
        if "Crypto" not in name
    }


@pytest.mark.parametrize("engine", ["CYCLES", "EEVEE"])
def test_each_engine_renders_them(blender, tmp_path, engine, request):
    if engine == "EEVEE":
        blender.use_display(request.getfixturevalue("display"))
    folder = Path(blender(render_moving_cube, tmp_path, engine, False))
    found = read(folder)
    cube = found["Combined"][..., 3] > 0
    vector = found["Vector"][14:22, 28:36].reshape(-1, 4)
    np.testing.assert_allclose(np.abs(vector), np.broadcast_to([4, 0, 4, 0], vector.shape), atol=0.05)
    assert np.abs(found["Position"][14:22, 28:36, 1] + 1).max() < 0.01, "the cube's front face is at y = -1"
    np.testing.assert_allclose(found["Normal"][14:22, 28:36], np.broadcast_to([0, -1, 0], (8, 8, 3)), atol=0.01)
    np.testing.assert_allclose(found["Depth"][14:22, 28:36, 0], 9, atol=0.02)
    albedo = found.get("DiffCol", found.get("Diffuse Color"))
    np.testing.assert_allclose(albedo[14:22, 28:36], 0.78, atol=0.03)
    assert cube.any()
    card = json.loads((folder / "shot.json").read_text("utf-8"))
    assert card["motion_blur"] is False
    assert card["engine"] == ("CYCLES" if engine == "CYCLES" else card["engine"])


def test_motion_blur_is_on_the_card(blender, tmp_path):
    folder = Path(blender(render_moving_cube, tmp_path, "CYCLES", True))
    assert json.loads((folder / "shot.json").read_text("utf-8"))["motion_blur"] is True
    assert "Vector" not in read(folder) or not read(folder)["Vector"].any()
