"""A render becomes a shot, and the artist's settings stay the artist's."""

import json

import OpenImageIO as oiio  # noqa: N813
import pytest


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

    out["written"] = [path.name for path in rendering.render_range(scene, 5, 6)]
    out["stopped"] = [path.name for path in rendering.render_range(scene, 7, 9, lambda done, total: done < 2)]

    with capture.suspended():
        scene.frame_set(20)
        bpy.ops.render.render()
    out["suspended"] = "Scene_0020.exr" in shot()
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
    assert out["written"] == ["Scene_0005.exr", "Scene_0006.exr"]
    assert out["stopped"] == ["Scene_0007.exr", "Scene_0008.exr"]
    assert not out["suspended"]
    assert out["heard"] == [["Scene", frame, True] for frame in (1, 11, 12, 13, 14, 15, 1, 2, 5, 6, 7, 8)]
    # Render Passes and stills leave nothing of the artist's own behind: only the animation wrote.
    assert sorted(path.name for path in tmp_path.glob("artist_*")) == ["artist_0001.png", "artist_0002.png"]

    found = channels(tmp_path / "paintover" / "Scene" / "passes" / "Scene_0002.exr")
    assert {name.partition(".")[0] for name in found} >= {"Combined", "Depth", "Normal", "Position", "Vector"}
    assert {"DiffCol", "Diffuse Color"} & {name.partition(".")[0] for name in found}
    assert "CryptoObject00.r" in found
    assert found["Combined.R"] == "half"
    assert {found[name] for name in ("Depth.Z", "Position.X", "Vector.X", "CryptoObject00.r")} == {"float"}
