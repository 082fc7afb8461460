"""Every render becomes a shot, and the artist's settings stay the artist's."""

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
        owners |= {"ffmpeg": scene.render.ffmpeg, "view": images.view_settings, "display": images.display_settings}
        if images.color_management == "OVERRIDE":
            owners |= {"linear": images.linear_colorspace_settings}
            for number, point in enumerate(images.view_settings.curve_mapping.curves[3].points):
                owners |= {f"curve {number}": point}
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

    passes.enable(passes.main_layer(scene))
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
            view = images.view_settings
            view.view_transform, view.exposure, view.use_curve_mapping = "Filmic", 0.7, True
            view.look = "High Contrast"
            view.curve_mapping.curves[3].points.new(0.3, 0.6)
        if file_format == "FFMPEG":
            scene.render.ffmpeg.format = "OGG"
            scene.render.ffmpeg.constant_rate_factor, scene.render.ffmpeg.audio_codec = "LOSSLESS", "NONE"
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
    images.file_format, scene.render.ffmpeg.format = "FFMPEG", "MPEG4"
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
