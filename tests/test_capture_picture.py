"""What stands beside a shot's frames: its card, and the picture to paint over."""

import json

import OpenImageIO as oiio
import pytest


def tell_the_card(folder):
    """The card, the picture to paint over, and Blender's own PNG of the same frame."""
    import bpy
    from paintover import display, passes, paths, status

    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    scene.name = "Shot 10/Ä"
    scene.render.resolution_x, scene.render.resolution_y = 64, 36
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    scene.render.fps, scene.render.fps_base, scene.render.dither_intensity = 30, 1.001, 0.0
    scene.view_settings.view_transform, scene.view_settings.look = "Filmic", "High Contrast"
    scene.view_settings.exposure, scene.view_settings.gamma = 0.5, 1.25
    passes.enable(passes.main_layer(scene))
    scene.paintover.save_passes = True
    scene.render.filepath = folder + "/own.png"
    other = bpy.data.objects.new("Other", bpy.data.cameras.new("Other"))
    scene.collection.objects.link(other)
    for frame, camera in ((12, other), (3, scene.camera), (9, None), (10, scene.camera), (20, other)):
        scene.timeline_markers.new(f"marker {frame}", frame=frame).camera = camera
    scene.frame_set(7)
    bpy.ops.render.render(write_still=True)
    places = paths.places(scene)
    images = scene.render.image_settings
    images.file_format, images.color_management = "JPEG", "OVERRIDE"
    images.view_settings.view_transform = "Standard"
    display.save_display(scene, paths.frame_path(places.passes, places.name, 7), places.paint / "x.png")
    card = json.loads((places.passes / "shot.json").read_text("utf-8"))
    said = [status.another_shot(scene)]
    bpy.ops.wm.save_as_mainfile(filepath=folder + "/other.blend")
    said += [line.text for line in status.another_shot(scene)]
    left = [images.file_format, images.view_settings.view_transform]
    left.append([image.name for image in bpy.data.images if image.source != "VIEWER"])
    return [str(places.passes), card, left, said]


def test_the_card_and_the_picture_to_paint(blender, tmp_path):
    passes, card, left, said = blender(tell_the_card, tmp_path)
    assert said == [[], "The passes here are of shot.blend: rendering replaces them"]
    assert passes == str(tmp_path / "paintover" / "Shot_10_Ä" / "passes")
    config = card["view"].pop("config")
    assert config.endswith("config.ocio")
    version = card.pop("blender")
    assert version.startswith("4.5." if blender.kind == "bpy" and version.startswith("4") else "5.")
    assert card.pop("fps") == pytest.approx(29.97, abs=0.01)
    view = {
        "display": "sRGB",
        "view": "Filmic",
        "look": "High Contrast",
        "exposure": 0.5,
        "gamma": 1.25,
        "curves": False,
    }
    assert card["view"].pop("space") in ("", "Linear Rec.709")  # a .blend chooses it from Blender 5 on
    assert card == {
        "format": 1,
        "name": "Shot_10_Ä",
        "blend": "shot.blend",
        "since": 0.0,
        "engine": "CYCLES",
        "motion_blur": False,
        "view_layer": "ViewLayer",
        "view": view,
        "cuts": [12],
    }
    assert left == ["JPEG", "Standard", []]
    own = oiio.ImageBuf(str(tmp_path / "own.png")).get_pixels(oiio.UINT8)
    picture = oiio.ImageBuf(str(tmp_path / "paintover" / "Shot_10_Ä" / "paint" / "x.png")).get_pixels(oiio.UINT8)
    assert picture.shape == (36, 64, 4)
    assert abs(picture.astype(int) - own).max() <= 1


def paint_over_what_the_look_sees(folder):
    """The picture to paint over, where Blender itself would show the compositor's, or the first layer by name."""
    import bpy
    from paintover import compat
    from paintover.operators import keyframes

    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 64, 36
    scene.render.engine = "CYCLES"
    scene.render.film_transparent = True
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    scene.render.dither_intensity = 0.0
    images = scene.render.image_settings
    images.file_format, images.color_mode = "PNG", "RGBA"
    main = scene.view_layers[0]
    main.name = "Main"
    scene.paintover.save_passes = True

    scene.view_layers.new("A second one").use_pass_z = True
    scene.view_layers["A second one"].layer_collection.children[0].exclude = True  # it shows nothing
    scene.view_layers["A second one"].use = False
    scene.render.filepath = folder + "/own.png"
    bpy.ops.render.render(write_still=True)

    scene.view_layers["A second one"].use = True
    tree = compat.use_compositor_tree(scene)
    tree.nodes.clear()
    compat.output_sockets(tree)
    layers, invert = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new("CompositorNodeInvert")
    tree.links.new(layers.outputs["Image"], invert.inputs["Color"])
    tree.links.new(invert.outputs["Color"], compat.new_output(tree).inputs[0])
    scene.render.filepath = folder + "/composite.png"
    bpy.ops.render.render(write_still=True)
    return str(keyframes.keyframe_add(scene))


def test_what_is_painted_over_is_the_render_and_not_the_composite(blender, tmp_path):
    painting = blender(paint_over_what_the_look_sees, tmp_path)
    own, composite, picture = (
        oiio.ImageBuf(str(path)).get_pixels(oiio.UINT8).astype(int)
        for path in (tmp_path / "own.png", tmp_path / "composite.png", painting)
    )
    assert own[..., 3].std() > 0 and abs(own - composite).max() > 50, "there is something to tell apart"
    assert abs(picture - own).max() <= 1


def configured_by_a_studio(folder):
    """Blender's configuration, with another name for the space that it renders in."""
    import shutil
    from pathlib import Path

    import bpy

    config = Path(folder) / "config.ocio"
    shutil.copytree(bpy.utils.system_resource("DATAFILES", path="colormanagement"), folder)
    config.chmod(0o644)
    config.write_text(config.read_text("utf-8").replace("Linear Rec.709", "Studio Linear"), "utf-8")
    return str(config)


def test_what_is_painted_over_with_a_studios_configuration(blender, tmp_path, monkeypatch):
    monkeypatch.setenv("OCIO", blender(configured_by_a_studio, tmp_path / "studio"))
    painting = blender(paint_over_what_the_look_sees, tmp_path)
    own, picture = (oiio.ImageBuf(str(path)).get_pixels(oiio.UINT8) for path in (tmp_path / "own.png", painting))
    assert abs(picture.astype(int) - own).max() <= 1
