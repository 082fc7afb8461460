"""Renders whose passes cannot be kept, or should not be: the render itself ends well, and the artist is told."""


def go_wrong(folder):
    """Renders that fail to be kept: the render itself ends well, and the panel knows why the passes are not there."""
    import resource
    import signal
    from pathlib import Path

    import bpy
    from paintover import capture, passes, paths, rendering, status
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

    # A region is tried out.
    kept = {path: path.read_bytes() for path in places.passes.glob("*.exr")}
    scene.render.use_border, scene.render.border_max_x = True, 0.5
    bpy.ops.render.render()
    out["region"] = [capture.last_error.message, kept == {path: path.read_bytes() for path in kept}]
    rendering.render_range(scene, 9, 9)
    out["region wanted"] = [capture.last_error is None, kept == {path: path.read_bytes() for path in kept}]
    scene.render.use_border = False

    # A small picture is tried out, of this frame and of another, and one with motion blur.
    def tried(frame, **settings):
        before = {name: getattr(scene.render, name) for name in settings}
        kept = {path: path.read_bytes() for path in places.passes.iterdir()}
        for name, value in settings.items():
            setattr(scene.render, name, value)
        scene.frame_set(frame)
        bpy.ops.render.render()
        for name, value in before.items():
            setattr(scene.render, name, value)
        scene.frame_set(9)
        same = kept == {path: path.read_bytes() for path in places.passes.iterdir()}
        return [capture.last_error and capture.last_error.message, same]

    out["tried"] = [
        tried(9, resolution_percentage=50),
        tried(8, resolution_percentage=50),
        tried(9, use_motion_blur=True),
        tried(8, use_motion_blur=True),
    ]

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
    scene.render.use_multiview = True
    out["stereo"] = refused(lambda: rendering.render_range(scene, 1, 3))
    scene.render.use_multiview = False
    twin = bpy.data.scenes.new("Scene.")
    out["twins"] = refused(lambda: rendering.render_range(scene, 1, 3))
    out["said of twins"] = [line.text for line in status.needed_passes(scene)]
    bpy.data.scenes.remove(twin)
    bpy.data.libraries.write(folder + "/library.blend", {bpy.data.worlds.new("w"), scene})
    with bpy.data.libraries.load(folder + "/library.blend", link=True) as (_, linked):
        linked.scenes = ["Scene"]
    out["linked twin"] = [[other.name for other in bpy.data.scenes], refused(lambda: rendering.check(scene))]
    bpy.data.batch_remove([bpy.data.libraries["library.blend"]])

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
    scene.frame_step = 2
    out["sequencer"] = (places.passes / "Scene_0030.exr").exists()
    out["said of it"] = [line.text for line in status.needed_passes(scene)]
    scene.frame_step = 1
    editor.strips[0].mute = True
    scene.frame_set(32)
    bpy.ops.render.render()
    out["nothing said"] = status.needed_passes(scene)
    scene.camera.data.type = "ORTHO"
    said = [line.text for line in status.needed_passes(scene)]
    out["orthographic"] = said == [] if bpy.app.version >= (5, 0, 0) else "orthographic" in said[0]
    scene.camera.data.type = "PERSP"
    out["muted strip"] = (places.passes / "Scene_0032.exr").exists()
    editor.strips[0].mute = False
    rendering.render_range(scene, 31, 31)
    out["render passes beside a sequencer"] = (places.passes / "Scene_0031.exr").exists()

    # The artist looks at another slot, an empty one, while a frame renders.
    slots = bpy.data.images["Render Result"].render_slots
    if len(slots) == 1:
        slots.new()

    def look_away(*_):
        slots.active_index = 1

    bpy.app.handlers.render_pre.append(look_away)
    rendering.render_range(scene, 33, 33)
    bpy.app.handlers.render_pre.remove(look_away)
    out["slot"] = [(places.passes / "Scene_0033.exr").exists(), slots.active_index]
    return out


def test_what_goes_wrong_stays_out_of_the_render(blender, tmp_path):
    out = blender(go_wrong, tmp_path)
    assert out["render"] == ["FINISHED"]
    assert out["own"]
    assert out["error"] == ["output", 9, True]
    assert out["well again"] == [True, ["Scene_0009.exr", "shot.json"]]
    strips, step = out["said of it"]
    assert "no passes are saved" in strips and "Frame Step is 2" in step
    assert out["nothing said"] == [] and out["orthographic"]
    assert any("share the folder" in text for text in out["said of twins"])
    assert out["linked twin"] == [["Scene", "Scene"], None]
    assert out["region"] == [
        "Frame 9 keeps the passes that it had: only a region of it was rendered.",
        True,
    ]
    assert out["region wanted"] == [True, False]
    assert out["tried"] == [
        ["Frame 9 keeps the passes that it had: it was rendered smaller than the shot.", True],
        ["Frame 8 was not kept: it was rendered smaller than the shot.", True],
        ["Frame 9 keeps the passes that it had: Motion Blur is on, and leaves the Vector pass empty.", True],
        ["Frame 8 was not kept: Motion Blur is on, and leaves the Vector pass empty.", True],
    ]
    for case, code in (
        ("range", "output"),
        ("full", "output"),
        ("turned round", "frame-range"),
        ("no camera", "shot"),
        ("workbench", "shot"),
        ("stereo", "shot"),
        ("twins", "shot"),
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
    assert out["slot"] == [True, 1]


def renamed(folder):
    """What the panel says of a shot whose scene gets another name."""
    import bpy
    from paintover import paths, status

    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    places = paths.places(scene)
    out = [status.rendered(scene).text]
    places.passes.mkdir(parents=True)
    paths.frame_path(places.passes, places.name, 1).write_bytes(b"")
    out.append(status.rendered(scene).text)
    scene.name = "Shot 010"
    out.append(status.rendered(scene).text)
    scene.copy().name = "Scene"
    out.append(status.rendered(scene).text)
    return out


def test_passes_of_a_renamed_scene_are_told_of(blender, tmp_path):
    nothing = "Nothing is rendered yet"
    assert blender(renamed, tmp_path) == [
        nothing,
        "Rendered: frame 1",
        f"{nothing}; there are passes of a scene Scene",
        nothing,
    ]
