"""A render becomes a shot, and the artist's settings stay the artist's."""

import json
import subprocess

import OpenImageIO as oiio
import pytest

from addon import exr


def channels(path) -> dict[str, str]:
    """Channel name without layer -> pixel type, of every part of a multilayer EXR."""
    found, part = {}, 0
    image = oiio.ImageInput.open(str(path))
    while image.seek_subimage(part, 0):
        spec = image.spec()
        kinds = spec.channelformats or [spec.format] * spec.nchannels
        found |= {name.split(".", 1)[1]: str(kind) for name, kind in zip(spec.channelnames, kinds, strict=True)}
        part += 1
    return found


def render_every_way(folder):
    """F12, Ctrl-F12, Render Passes: what came out, and whether any setting differs afterwards."""
    import bpy
    from paintover import capture, passes, paths, rendering

    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 64, 36
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    cube = bpy.data.objects["Cube"]
    for frame, x in ((1, 0.0), (4, 3.0)):
        cube.location.x = x
        cube.keyframe_insert("location", frame=frame)
    scene.frame_end = 2
    scene.render.filepath = folder + "/artist_"
    images = scene.render.image_settings
    heard = []
    capture.on_frame(lambda name, frame, path: heard.append([name, frame, path.is_file()]))
    places = paths.places(scene)

    def settings():
        owners = {"scene": scene, "render": scene.render, "images": images, "layer": scene.view_layers[0]}
        owners |= {"ffmpeg": scene.render.ffmpeg}
        if images.color_management == "OVERRIDE":
            owners |= {"linear": images.linear_colorspace_settings}
        return {
            f"{owner}.{name}": str(getattr(value, name))
            for owner, value in owners.items()
            for name, kind in value.bl_rna.properties.items()
            if kind.type not in {"POINTER", "COLLECTION"} and name != "depsgraph"
        }

    def shot():
        return sorted(path.name for path in places.passes.iterdir()) if places.passes.exists() else []

    out = {"heard": heard}
    bpy.ops.render.render()
    out["not asked"] = shot()

    before = settings()
    rendering.render_range(scene, 1, 1)
    out["render passes without being asked"] = shot()
    out["changed by render passes"] = [name for name, value in settings().items() if before[name] != value]

    passes.enable(scene, passes.main_layer(scene))
    scene.paintover.save_passes = True
    out["changed"] = []
    formats = ["PNG", "JPEG", "OPEN_EXR", "OPEN_EXR_MULTILAYER", "FFMPEG"]
    linear = "Linear Rec.2020"
    media = {"OPEN_EXR_MULTILAYER": "MULTI_LAYER_IMAGE", "FFMPEG": "VIDEO"}
    for number, file_format in enumerate(formats, start=11):
        if bpy.app.version >= (5, 0, 0):
            images.media_type = media.get(file_format, "IMAGE")
        images.file_format = file_format
        if file_format == "PNG":
            images.color_mode, images.color_depth, images.compression = "BW", "16", 77
        if file_format == "OPEN_EXR":
            images.color_management = "OVERRIDE"
            images.linear_colorspace_settings.name = linear
        scene.frame_set(number)
        before = settings()
        bpy.ops.render.render()
        out["changed"] += [f"{file_format} {name}" for name, value in settings().items() if before[name] != value]
    out["after stills"] = shot()

    if bpy.app.version >= (5, 0, 0):
        images.media_type = "IMAGE"
    images.file_format = "PNG"
    bpy.ops.render.render(animation=True)
    out["after the animation"] = shot()

    if bpy.app.version >= (5, 0, 0):
        images.media_type = "VIDEO"
    images.file_format = "FFMPEG"
    scene.render.filepath, scene.frame_start, scene.frame_end = folder + "/movie", 40, 44
    before = settings()
    bpy.ops.render.render(animation=True)
    movies = [bpy.data.movieclips.load(str(path)) for path in places.folder.parents[1].glob("movie*")]
    out["movie"] = [movie.frame_duration for movie in movies]
    out["after the movie"] = [name for name in shot() if name.startswith("Scene_004")]
    out["changed"] += [f"movie {name}" for name, value in settings().items() if before[name] != value]

    out["written"] = [path.name for path in rendering.render_range(scene, 5, 6)]
    out["stopped"] = [path.name for path in rendering.render_range(scene, 7, 9, lambda done, total: done < 2)]

    out["passes"] = str(places.passes)
    return out


def test_every_render_is_kept(blender, tmp_path):
    out = blender(render_every_way, tmp_path)
    assert out["not asked"] == []
    assert out["render passes without being asked"] == ["Scene_0001.exr", "shot.json"]
    assert out["changed by render passes"] == []
    assert out["changed"] == []
    assert out["after stills"] == ["Scene_0001.exr", *(f"Scene_{n:04d}.exr" for n in range(11, 16)), "shot.json"]
    assert out["after the animation"][1] == "Scene_0002.exr"
    assert out["after the movie"] == [f"Scene_{frame:04d}.exr" for frame in range(40, 45)]
    assert out["movie"] == [5], "the artist's movie is whole"
    assert out["written"] == ["Scene_0005.exr", "Scene_0006.exr"]
    assert out["stopped"] == ["Scene_0007.exr", "Scene_0008.exr"]
    assert out["heard"] == [
        ["Scene", frame, True] for frame in (1, 11, 12, 13, 14, 15, 1, 2, *range(40, 45), 5, 6, 7, 8)
    ]
    # Render Passes and stills leave nothing of the artist's own behind: only the animation wrote.
    assert sorted(path.name for path in tmp_path.glob("artist_*")) == ["artist_0001.png", "artist_0002.png"]

    frame = tmp_path / "paintover" / "Scene" / "passes" / "Scene_0002.exr"
    whole = frame.read_bytes()
    assert exr.is_whole(frame)
    broken = tmp_path / "broken.exr"
    for length in (0, 3, 100, len(whole) // 2, len(whole) - 1):
        broken.write_bytes(whole[:length])
        assert not exr.is_whole(broken), length
    broken.write_bytes(b"no picture at all" * 100)
    assert not exr.is_whole(broken)

    found = channels(tmp_path / "paintover" / "Scene" / "passes" / "Scene_0002.exr")
    assert {name.partition(".")[0] for name in found} >= {"Combined", "Depth", "Normal", "Position", "Vector"}
    assert {"DiffCol", "Diffuse Color"} & {name.partition(".")[0] for name in found}
    assert "CryptoObject00.r" in found
    assert found["Combined.R"] == "half"
    assert {found[name] for name in ("Depth.Z", "Position.X", "Vector.X", "CryptoObject00.r")} == {"float"}


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
    passes.enable(scene, passes.main_layer(scene))
    scene.paintover.save_passes = True
    scene.render.filepath = folder + "/own.png"
    scene.frame_set(7)
    bpy.ops.render.render(write_still=True)
    places = paths.places(scene)
    images = scene.render.image_settings
    images.file_format = "JPEG"
    display.save_display(scene, paths.frame_path(places.passes, places.name, 7), places.paint / "x.png")
    card = json.loads((places.passes / "shot.json").read_text("utf-8"))
    said = [status.another_shot(scene)]
    bpy.ops.wm.save_as_mainfile(filepath=folder + "/other.blend")
    said += [line.text for line in status.another_shot(scene)]
    left = [images.file_format, [image.name for image in bpy.data.images if image.source != "VIEWER"]]
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
    assert card == {
        "format": 1,
        "name": "Shot_10_Ä",
        "blend": "shot.blend",
        "engine": "CYCLES",
        "motion_blur": False,
        "view_layer": "ViewLayer",
        "view": view,
    }
    assert left == ["JPEG", []]
    own = oiio.ImageBuf(str(tmp_path / "own.png")).get_pixels(oiio.UINT8)
    picture = oiio.ImageBuf(str(tmp_path / "paintover" / "Shot_10_Ä" / "paint" / "x.png")).get_pixels(oiio.UINT8)
    assert picture.shape == (36, 64, 4)
    assert abs(picture.astype(int) - own).max() <= 1


def go_wrong(folder):
    """Renders that fail to be kept: the render itself ends well, and the panel knows why the passes are not there."""
    import resource
    import signal
    from pathlib import Path

    import bpy
    from paintover import capture, passes, paths, rendering
    from paintover.backend import errors

    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 64, 36
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    layer = passes.main_layer(scene)
    places = paths.places(scene)
    images = scene.render.image_settings
    images.file_format, images.color_mode = "JPEG", "BW"
    scene.paintover.save_passes = True
    out = {}

    def state():
        render = scene.render
        switches = [render.use_compositing, render.use_sequencer, layer.use_pass_vector, scene.frame_current]
        return [images.file_format, images.color_mode, images.color_depth, *switches]

    def refused(call):
        try:
            call()
        except errors.PaintoverError as error:
            return [error.code, error.message, error.remedy, state() == before]
        return None

    # A file stands where the folder should be.
    scene.frame_set(9)
    before = state()
    places.folder.mkdir(parents=True)
    places.passes.write_text("in the way")
    scene.render.filepath = folder + "/own.jpg"
    out["render"] = list(bpy.ops.render.render(write_still=True))
    out["own"] = Path(folder, "own.jpg").is_file()
    out["error"] = [capture.last_error.code, capture.last_error.details["frame"], state() == before]
    out["range"] = refused(lambda: rendering.render_range(scene, 1, 3))
    places.passes.unlink()
    bpy.ops.render.render()
    out["well again"] = [capture.last_error is None, sorted(path.name for path in places.passes.iterdir())]

    # The disk is full: Blender itself says that all is well, and leaves a torn file.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, limits[1]))
    out["full"] = refused(lambda: rendering.render_range(scene, 21, 22))
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    out["torn"] = [path.name for path in places.passes.iterdir() if "0021" in path.name]

    out["turned round"] = refused(lambda: rendering.render_range(scene, 3, 1))
    camera, scene.camera = scene.camera, None
    out["no camera"] = refused(lambda: rendering.render_range(scene, 1, 3))
    scene.camera = camera
    scene.render.engine = "BLENDER_WORKBENCH"
    out["workbench"] = refused(lambda: rendering.render_range(scene, 1, 3))
    scene.render.engine = "CYCLES"

    def stumble(done, total):
        raise errors.BackendError("stumbled")

    out["stumbled"] = refused(lambda: rendering.render_range(scene, 1, 3, stumble))

    # Esc during a still: Blender says post, and then cancel.
    old = (places.passes / "Scene_0009.exr").read_bytes()
    bpy.app.handlers.render_post[0](scene)
    hidden = sorted(path.name for path in places.passes.iterdir() if path.name.startswith("."))
    bpy.app.handlers.render_cancel[0](scene)
    left = sorted(path.name for path in places.passes.iterdir() if path.name.startswith("."))
    out["esc"] = [hidden, left, (places.passes / "Scene_0009.exr").read_bytes() == old]

    # The sequencer, or a compositor that reads no render, makes the picture: there are no passes to keep.
    editor = scene.sequence_editor_create()
    editor.strips.new_effect(
        "colour", "COLOR", 1, 1, **({"length": 50} if bpy.app.version >= (5, 0, 0) else {"frame_end": 51})
    )
    scene.frame_set(30)
    bpy.ops.render.render()
    out["sequencer"] = (places.passes / "Scene_0030.exr").exists()
    editor.strips[0].mute = True
    scene.frame_set(32)
    bpy.ops.render.render()
    out["muted strip"] = (places.passes / "Scene_0032.exr").exists()
    editor.strips[0].mute = False
    rendering.render_range(scene, 31, 31)
    out["render passes beside a sequencer"] = (places.passes / "Scene_0031.exr").exists()
    return out


def test_what_goes_wrong_stays_out_of_the_render(blender, tmp_path):
    out = blender(go_wrong, tmp_path)
    assert out["render"] == ["FINISHED"]
    assert out["own"]
    assert out["error"] == ["output", 9, True]
    assert out["well again"] == [True, ["Scene_0009.exr", "shot.json"]]
    for case, code in (
        ("range", "output"),
        ("full", "output"),
        ("turned round", "frame-range"),
        ("no camera", "shot"),
        ("workbench", "shot"),
        ("stumbled", "backend"),
    ):
        assert out[case] is not None, case
        assert out[case][0] == code and out[case][3], (case, out[case])
    assert out["torn"] == []
    assert "camera" in out["no camera"][1] and out["no camera"][2]
    hidden, left, kept = out["esc"]
    assert len(hidden) == 1 and hidden[0].startswith(".Scene_0009.") and not left and kept
    assert not out["sequencer"]
    assert out["muted strip"]
    assert out["render passes beside a sequencer"]


def save_a_file(folder):
    """A .blend that asks for its passes, and is prepared in nothing else: no pass is on, nothing was ever rendered."""
    import bpy

    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    scene = bpy.context.scene
    scene.camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(scene.camera)
    scene.render.resolution_x, scene.render.resolution_y = 64, 36
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    scene.frame_start, scene.frame_end = 3, 4
    scene.paintover.save_passes = True
    switched_on = scene.view_layers[0].use_pass_vector
    for name in ("z", "position", "normal", "vector", "diffuse_color", "cryptomatte_object"):
        setattr(scene.view_layers[0], f"use_pass_{name}", False)
    scene.render.filepath = "//own_"
    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    return [switched_on, [image.name for image in bpy.data.images]]


@pytest.mark.parametrize("loaded", ["before", "after"])
def test_a_render_farm(blender, tmp_path, loaded):
    """``-b shot.blend -a`` and ``-f``, the add-on loaded before or after the file: each frame has its passes."""
    assert blender(save_a_file, tmp_path) == [True, []]
    if blender.kind != "blender":
        pytest.skip("the bpy wheel has no command line")
    register = f"import sys; sys.path.insert(0, {str(blender.folder)!r}); import paintover; paintover.register()"
    addon, blend = ["--python-expr", register], ["-b", str(tmp_path / "shot.blend")]
    start = [blender.command[0], "--factory-startup", "--python-exit-code", "1"]
    start += addon + blend if loaded == "before" else blend + addon
    for ending in (["-a"], ["-f", "7"]):
        done = subprocess.run([*start, *ending], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Error" not in done.stdout + done.stderr
    found = sorted((tmp_path / "paintover" / "Scene" / "passes").iterdir())
    assert [path.name for path in found] == ["Scene_0003.exr", "Scene_0004.exr", "Scene_0007.exr", "shot.json"]
    for path in found[:3]:
        assert {name.partition(".")[0] for name in channels(path)} >= {"Vector", "Position", "CryptoObject00"}, path
    assert len(list(tmp_path.glob("own_*.png"))) == 3


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
