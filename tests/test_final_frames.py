"""What the final frames show of a look, through the artist's compositor."""

from pathlib import Path

import numpy as np
import OpenEXR
from styled_frames import HEIGHT, STYLED, WIDTH, paint, read

TESTS = Path(__file__).resolve().parent
WEIGHTS = np.float32([0.2126, 0.7152, 0.0722])


def composite(folder):
    """Final frames for several slider settings, each into a folder of its name."""
    from pathlib import Path

    import bpy
    from paintover import compositor, final, paths, rendering

    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 64, 36
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 4, False
    scene.render.film_transparent = True
    images = scene.render.image_settings
    if bpy.app.version >= (5, 0, 0):
        images.media_type = "IMAGE"
    images.file_format, images.color_mode, images.color_depth = "OPEN_EXR", "RGBA", "32"
    places = paths.places(scene)
    rendering.render_range(scene, 1, 6)
    bpy.data.objects.remove(bpy.data.objects["Cube"])  # from here on nothing can be rendered that shows it

    def write(name, first, last):
        scene.render.filepath = f"{folder}/{name}/"
        final.render_final(scene, places.passes, places.name, first, last)

    scene.frame_set(3)
    node = compositor.insert(scene, Path(folder) / "styled", "Scene", 2, 5)
    write("full", 1, 6)
    for name, socket, value in (("half", "Strength", 0.5), ("luminance", "Keep Luminance", 1.0)):
        before = node.inputs[socket].default_value
        node.inputs[socket].default_value = value
        write(name, 2, 2)
        node.inputs[socket].default_value = before
    node.inputs["Keep Colour"].default_value = 1.0
    write("colour", 2, 2)
    node.inputs["Keep Luminance"].default_value = 1.0
    write("both", 2, 2)
    node.inputs["Keep Colour"].default_value = node.inputs["Keep Luminance"].default_value = 0.0

    tree = node.id_data
    matte = tree.nodes.new("CompositorNodeCryptomatteV2")
    matte.matte_id = "Cube"
    layers = next(other for other in tree.nodes if other.bl_idname == "CompositorNodeRLayers")
    tree.links.new(layers.outputs["Image"], matte.inputs["Image"])
    tree.links.new(matte.outputs["Matte"], node.inputs["Matte"])
    write("matte", 2, 2)
    tree.nodes.remove(matte)

    output = node.outputs["Image"].links[0].to_socket
    tree.links.new(node.outputs["Original"], output)
    write("original", 2, 2)
    tree.links.new(node.outputs["Image"], output)
    scene.render.resolution_percentage = 50
    scene.render.filepath = f"{folder}/small/0002"
    bpy.ops.render.render(write_still=True)
    return [scene.frame_current, scene.name, len(bpy.data.scenes), str(places.passes)]


def luminance(pixels):
    return pixels[..., :3] @ WEIGHTS


def test_final_frames(blender, tmp_path):
    styled = {frame: paint(tmp_path / "styled", frame) for frame in STYLED}
    assert blender(composite, tmp_path) == [3, "Scene", 1, str(tmp_path / "paintover" / "Scene" / "passes")]
    assert "Rendering single frame" not in blender.output

    shot = {
        frame: read(tmp_path / "paintover" / "Scene" / "passes" / f"Scene_{frame:04d}.exr") for frame in range(1, 7)
    }
    assert shot[2][..., 3].max() == 1, "the cube is not in the shot"

    def final(name, frame=2):
        return read(tmp_path / name / f"{frame:04d}.exr")

    written = {name: sorted(path.name for path in (tmp_path / name).iterdir()) for name in ("full", "half")}
    assert written == {"full": [f"{frame:04d}.exr" for frame in range(1, 7)], "half": ["0002.exr"]}
    for frame in (2, 3, 5):
        np.testing.assert_allclose(final("full", frame), styled[frame], atol=1e-5, err_msg=f"frame {frame}")
    for frame in (1, 4, 6):  # before, missing on disk, after
        np.testing.assert_array_equal(final("full", frame), shot[frame], err_msg=f"frame {frame}")

    np.testing.assert_allclose(final("half"), (styled[2] + shot[2]) / 2, atol=1e-5)
    np.testing.assert_array_equal(final("original"), shot[2])

    kept = final("luminance")
    np.testing.assert_allclose(luminance(kept), luminance(shot[2]), atol=1e-3)
    np.testing.assert_allclose(kept[..., 3], styled[2][..., 3], atol=1e-5)
    solid = (luminance(shot[2]) > 0.05) & (luminance(styled[2]) > 0.05)
    assert solid.sum() > 100
    hue = (styled[2][..., :3] + 0.01) / (luminance(styled[2])[..., None] + 0.01)
    np.testing.assert_allclose(
        kept[..., :3][solid], (hue * (luminance(shot[2])[..., None] + 0.01) - 0.01)[solid], atol=3e-3
    )

    kept = final("colour")
    np.testing.assert_allclose(luminance(kept), luminance(styled[2]), atol=2e-3, rtol=1e-3)
    ratio = (kept[..., :3] + 0.01) / (luminance(kept)[..., None] + 0.01)
    wanted = (shot[2][..., :3] + 0.01) / (luminance(shot[2])[..., None] + 0.01)
    np.testing.assert_allclose(ratio[solid], wanted[solid], atol=5e-3)
    np.testing.assert_allclose(final("both")[..., :3], shot[2][..., :3], atol=1e-3)

    matte = final("matte")
    inside = shot[2][..., 3] == 1
    outside = shot[2][..., 3] == 0
    assert inside.sum() > 50 and outside.sum() > 500
    np.testing.assert_allclose(matte[inside], styled[2][inside], atol=1e-4)
    np.testing.assert_allclose(matte[outside], shot[2][outside], atol=1e-4)

    small = final("small", 2)
    assert small.shape == (HEIGHT // 2, WIDTH // 2, 4)
    np.testing.assert_allclose(small[2:16, 16:], styled[3][4:32:2, 32::2], atol=0.05)


def every_second(tests, folder):
    """Frame Step, in Blender's own animation and in ours."""
    import sys
    from pathlib import Path

    sys.path.insert(0, tests)
    import bpy
    import tiny
    from paintover import compat, paths

    scene = tiny.build(Path(folder) / "shot.blend")
    scene.frame_start, scene.frame_end, scene.frame_step = 2, 7, 2
    places = paths.places(scene)
    images = scene.render.image_settings

    def written(name, write):
        scene.render.filepath = f"{folder}/{name}/"
        assert write() == {"FINISHED"}
        return sorted(Path(folder, name).iterdir())

    def names(name, write):
        return [path.name for path in written(name, write)]

    def movie(name):
        if compat.IS_5:
            images.media_type = "VIDEO"
        images.file_format = "FFMPEG"
        files = written(name, bpy.ops.paintover.final_frames)
        if compat.IS_5:
            images.media_type = "IMAGE"
        images.file_format = "PNG"
        return [bpy.data.movieclips.load(str(path)).frame_duration for path in files]

    bpy.ops.paintover.enable_passes()
    out = {"animation": names("animation", lambda: bpy.ops.render.render(animation=True))}
    out["its passes"] = paths.frames_in(places.passes, places.name)
    out["final of these"] = names("some", bpy.ops.paintover.final_frames)
    out["movie of these"] = movie("some movie")
    bpy.ops.paintover.render_passes()
    out["passes"] = paths.frames_in(places.passes, places.name)
    out["final"] = names("all", bpy.ops.paintover.final_frames)
    out["movie"] = movie("movie")
    out["left"] = [len(bpy.data.scenes), scene.frame_step]
    for frame in (2, 4, 6):
        paths.frame_path(places.passes, places.name, frame).unlink()
    try:
        bpy.ops.paintover.final_frames()
    except RuntimeError as error:
        out["between"] = str(error)
    return out


def test_final_frames_are_those_of_blenders_own_animation(blender, tmp_path):
    """Passes of every frame, since paint goes from one to the next; final frames as Frame Step says."""
    out = blender(every_second, TESTS, tmp_path)
    assert "from 2 to 7 in steps of 2 is rendered" in out.pop("between")
    files = ["0002.png", "0004.png", "0006.png"]
    assert out == {
        "animation": files,
        "its passes": [2, 4, 6],
        "final of these": files,
        "movie of these": [3],
        "passes": [2, 3, 4, 5, 6, 7],
        "final": files,
        "movie": [3],
        "left": [1, 2],
    }


def driven(tests, folder):
    """Final frames through a compositor that a driver turns by the scene's frame."""
    import sys
    from pathlib import Path

    sys.path.insert(0, tests)
    import bpy
    import tiny
    from paintover import compat, final, paths, rendering

    scene = tiny.build(Path(folder) / "shot.blend")
    scene.view_settings.view_transform = "Raw"
    scene.render.filepath = folder + "/own_"
    rendering.render_range(scene, 1, 3)
    tree = compat.use_compositor_tree(scene)
    tree.nodes.clear()
    compat.output_sockets(tree)
    colour, output = tree.nodes.new("CompositorNodeRGB"), compat.new_output(tree)
    tree.nodes.new("CompositorNodeRLayers")
    tree.links.new(colour.outputs[0], output.inputs[0])
    curve = colour.outputs[0].driver_add("default_value", 0)
    variable = curve.driver.variables.new()
    variable.name, variable.targets[0].id_type = "now", "SCENE"
    variable.targets[0].id, variable.targets[0].data_path = scene, "frame_current"
    curve.driver.expression = "now / 4"
    places = paths.places(scene)
    final.render_final(scene, places.passes, places.name, 1, 3)
    written = [bpy.data.images.load(f"{folder}/own_{frame:04d}.png") for frame in (1, 2, 3)]
    return [round(image.pixels[0] * 4) for image in written], variable.targets[0].id == scene


def test_final_frames_follow_drivers_of_the_compositor(blender, tmp_path):
    assert blender(driven, TESTS, tmp_path) == [[1, 2, 3], True]


def with_layers(folder):
    """Final frames as multilayer EXRs, of two view layers, without a camera; then of a shot with a torn frame."""
    import bpy
    from paintover import compat, exr, final, passes, paths, rendering
    from paintover.backend import errors

    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 64, 36
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    passes.enable(scene.view_layers[0])
    second = scene.view_layers.new("Second")
    second.use_pass_uv = second.use_pass_mist = second.use_pass_ambient_occlusion = True
    second.aovs.add().name = "worn"
    second.aovs[0].type = "VALUE"
    rendering.render_range(scene, 1, 2)
    compat.use_multilayer_exr(scene.render.image_settings)
    scene.render.image_settings.color_depth = "32"
    scene.render.filepath = folder + "/final/"
    places = paths.places(scene)
    bpy.data.objects.remove(scene.camera)
    tree = compat.use_compositor_tree(scene)
    tree.nodes.clear()
    compat.output_sockets(tree)
    layers, output, matte = (
        tree.nodes.new("CompositorNodeRLayers"),
        compat.new_output(tree),
        tree.nodes.new("CompositorNodeCryptomatteV2"),
    )
    matte.matte_id = "Cube"
    tree.links.new(layers.outputs["Image"], matte.inputs["Image"])
    tree.links.new(matte.outputs["Matte"], (compat.output_sockets(tree) or output.inputs)[0])
    final.render_final(scene, places.passes, places.name, 1, 2)
    torn = paths.frame_path(places.passes, places.name, 2)
    torn.write_bytes(torn.read_bytes()[:-2000])
    try:
        final.render_final(scene, places.passes, places.name, 1, 2)
    except errors.ShotError as error:
        told = str(error)
    with open(f"{folder}/final/0001.exr", "rb") as written, torn.with_name("Scene_0001.exr").open("rb") as saved:
        mattes = [
            {name: text for part in exr.parts(file) for name, text in part.mattes.items()} for file in (written, saved)
        ]
    left = [len(bpy.data.scenes), len(bpy.data.cameras), scene.render.engine]
    return str(places.passes), told, mattes[0] == mattes[1], len(mattes[1]), left


def test_final_frames_with_layers_hold_the_passes_of_the_shot(blender, tmp_path):
    """What is in the files of the shot, to the bit, and what the compositor made of them."""
    passes, told, same_mattes, any_mattes, left = blender(with_layers, tmp_path)
    assert same_mattes and any_mattes == 4
    assert left == [1, 1, "CYCLES"]
    assert "Scene_0002.exr cannot be read" in told

    def channels(path):
        with OpenEXR.File(str(path), separate_channels=True) as file:
            return {name: channel.pixels for part in file.parts for name, channel in part.channels.items()}

    saved = channels(Path(passes) / "Scene_0001.exr")
    written = channels(tmp_path / "final" / "0001.exr")
    assert {"ViewLayer.Vector.W", "Second.UV.A", "Second.Mist.Z", "Second.worn.X"} < saved.keys()
    assert {name.split(".")[0] for name in written.keys() - saved.keys()} == {"Composite"}
    for name in saved:
        np.testing.assert_array_equal(written[name], saved[name], err_msg=name)
    matte = written["Composite.Combined.R"]
    inside = saved["ViewLayer.Combined.A"] * (saved["ViewLayer.Depth.Z"] < 100)
    assert 0.02 < inside.mean() < 0.5
    np.testing.assert_allclose(matte, inside, atol=0.3)


def second_layer(folder):
    """Styled and final frames where the first view layer is not used, with and without a compositor of the artist's."""
    from pathlib import Path

    import bpy
    from paintover import compat, compositor, final, paths, rendering
    from paintover.backend import errors

    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 64, 36
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    scene.view_layers[0].use = False
    try:
        rendering.render_range(scene, 1, 1)
    except errors.ShotError as error:
        said = str(error)
    scene.view_layers.new("Second")
    places = paths.places(scene)
    rendering.render_range(scene, 2, 2)
    images = scene.render.image_settings
    if compat.IS_5:
        images.media_type = "IMAGE"
    images.file_format, images.color_mode, images.color_depth = "OPEN_EXR", "RGBA", "32"
    for name in ("plain", "styled"):
        scene.render.filepath = f"{folder}/{name}/"
        if name == "styled":
            compositor.insert(scene, Path(folder) / "frames", "Scene", 2, 2)
        final.render_final(scene, places.passes, places.name, 2, 2)
    return said


def test_final_frames_of_a_shot_whose_first_view_layer_is_not_used(blender, tmp_path):
    styled = paint(tmp_path / "frames", 2)
    assert "view layers are switched off" in blender(second_layer, tmp_path)
    np.testing.assert_allclose(read(tmp_path / "styled" / "0002.exr"), styled, atol=1e-5)
    shot = read(tmp_path / "paintover" / "Scene" / "passes" / "Scene_0002.exr")
    np.testing.assert_array_equal(read(tmp_path / "plain" / "0002.exr"), shot)


def refuse(folder):
    """Final frames that the shot cannot give."""
    import resource
    import signal
    from pathlib import Path

    import bpy
    from paintover import compat, final, paths, rendering
    from paintover.backend import errors

    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 64, 36
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    scene.render.filepath = folder + "/own_"
    places = paths.places(scene)
    rendering.render_range(scene, 1, 2)
    tree = compat.use_compositor_tree(scene)
    tree.nodes.clear()
    compat.output_sockets(tree)
    layers, output = tree.nodes.new("CompositorNodeRLayers"), compat.new_output(tree)
    layer = scene.view_layers[0]
    layer.use_pass_mist = True
    tree.links.new(layers.outputs["Mist"], output.inputs[0])

    def state():
        data = bpy.data
        return [len(data.scenes), len(data.node_groups), len(data.images), len(tree.links), layers.name in tree.nodes]

    def refused(first, last):
        before = state()
        try:
            final.render_final(scene, places.passes, places.name, first, last)
        except errors.PaintoverError as error:
            return [error.code, error.message, error.remedy, state() == before]
        return None

    out = {"no such frame": refused(1, 3), "turned round": refused(2, 1), "no such pass": refused(1, 2)}
    tree.links.new(layers.outputs["Image"], output.inputs[0])
    scene.camera = None  # nothing is rendered, so nobody needs it
    out["well"] = refused(1, 2)
    files = sorted(Path(folder).glob("own_*"))
    out["written"] = [path.name for path in files]
    for path in files:
        path.write_bytes(b"of an earlier look")
    scene.render.use_overwrite = False  # what artists mean by it is not to render again
    final.render_final(scene, places.passes, places.name, 1, 2)
    out["replaced"] = [path.stat().st_size > 100 for path in files]
    scene.render.resolution_percentage = 50
    out["another size"] = refused(1, 2)
    scene.render.resolution_percentage = 100
    scene.render.use_border = scene.render.use_crop_to_border = True
    scene.render.border_max_x = 0.5
    out["cropped"] = refused(1, 2)
    scene.render.use_border = False
    if compat.IS_5:  # 4.5 knows no such template
        scene.render.filepath = folder + "/{scene_name}_"
        final.render_final(scene, places.passes, places.name, 1, 1)
        out["named"] = [scene.name, *sorted(path.name for path in Path(folder).glob("Scene*"))]
    scene.render.filepath = folder + "/{nonsense}_"
    out["no such place"] = refused(1, 2)
    scene.render.filepath = folder + "/shot.blend/own_"  # a file where the folder should be: that stops root too
    out["no folder"] = refused(1, 2)
    scene.render.filepath = folder + "/own_"
    compat.use_multilayer_exr(scene.render.image_settings)
    scene.render.filepath = folder + "/layers_"
    images = scene.render.image_settings
    out["codecs"] = []
    for codec in [item.identifier for item in images.bl_rna.properties["exr_codec"].enum_items]:
        images.exr_codec = codec
        out["codecs"].append(refused(1, 1))
        if compat.IS_5:
            images.media_type = "IMAGE"
        images.file_format, images.exr_codec = "OPEN_EXR", codec
        out["codecs"].append(refused(1, 1))
        compat.use_multilayer_exr(images)
    images.exr_codec = "NONE"
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))  # as a disk without space
    out["full"] = refused(1, 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    out["torn"] = [path.name for path in Path(folder).glob("layers_*")]
    layer.name = "Other"
    out["no such layer"] = refused(1, 2)
    return out


def test_final_frames_that_the_shot_cannot_give(blender, tmp_path):
    out = blender(refuse, tmp_path)
    assert out.pop("well") is None
    assert out.pop("written") == ["own_0001.png", "own_0002.png"]
    assert out.pop("replaced") == [True, True]
    assert out.pop("named", None) in (None, ["Scene", "Scene_0001.png"])
    assert out.pop("codecs") == [None] * (22 if blender.kind == "blender" else 20)
    assert out.pop("torn") == []
    assert "layers_0001.exr is not whole" in out["full"][1]
    codes = {case: answer[0] for case, answer in out.items()}
    assert codes == {
        "no such frame": "frame-range",
        "turned round": "frame-range",
        "no such pass": "shot",
        "no such layer": "shot",
        "another size": "shot",
        "cropped": "shot",
        "no such place": "output",
        "no folder": "output",
        "full": "output",
    }
    assert "64 x 36" in out["another size"][1] and "32 x 18" in out["another size"][1]
    assert all(remedy and untouched for _, _, remedy, untouched in out.values()), out
    assert "nonsense" in out["no such place"][1] and "shot.blend" in out["no folder"][1]
    assert "Mist" in out["no such pass"][1] and "Other" in out["no such layer"][1]
