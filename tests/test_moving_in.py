"""What was made before the .blend had a place of its own comes along when it is saved."""

from pathlib import Path

import pytest


def save_for_the_first_time(folder, taken):
    """A frame rendered, begun to be painted and shown before the first save; what the saved file knows of it."""
    import bpy
    from paintover import jobs, paths, shot
    from paintover.operators import keyframes

    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 64, 36
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    scene.paintover.save_passes = True
    scene.frame_set(7)
    bpy.ops.render.render()
    painting = keyframes.keyframe_add(scene)
    image = bpy.data.images.load(str(painting))
    image.pixels[0] = 0.25  # painted on, and not saved
    image.use_fake_user = True
    scene.paintover.look = "//elsewhere.look"
    bpy.ops.wm.save_as_mainfile(filepath=folder + "/copy.blend", copy=True)
    copied = paths.places(scene).folder.is_relative_to(folder)
    if taken:
        (paths.Path(folder) / "paintover" / "Scene").mkdir(parents=True)

    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    dirty, failure = image.is_dirty, str(jobs.session.failure or "")
    bpy.ops.wm.open_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    places = paths.places(scene)
    (keyframe,) = scene.paintover.keyframes
    images = [image.filepath for image in bpy.data.images if image.filepath]
    return {
        "copied": copied,
        "dirty": dirty,
        "failure": failure,
        "rendered": paths.frames_in(places.passes, places.name),
        "painting": str(keyframes.painting_file(keyframe)),
        "images": images,
        "look": [scene.paintover.look, str(shot.look_file(scene))],
    }


def test_what_was_made_before_the_first_save_comes_along(blender, tmp_path):
    out = blender(save_for_the_first_time, tmp_path, False)
    painting = tmp_path / "paintover" / "Scene" / "paint" / "Scene_0007.png"
    assert not out["copied"] and out["dirty"] and not out["failure"]
    assert "does not support" not in blender.output, "Blender 5 warns of paths that begin with //"
    assert out["rendered"] == [7]
    assert out["painting"] == str(painting) and painting.is_file()
    assert out["images"] == ["//paintover/Scene/paint/Scene_0007.png"]
    assert out["look"] == ["//elsewhere.look", str(tmp_path / "elsewhere.look")]


def test_another_shot_in_its_place_is_left_alone(blender, tmp_path):
    out = blender(save_for_the_first_time, tmp_path, True)
    own = tmp_path / "paintover" / "Scene_2"
    assert "holds another shot" in out["failure"] and str(own) in out["failure"]
    assert out["rendered"] == [] and list((tmp_path / "paintover" / "Scene").iterdir()) == []
    assert out["painting"] == str(own / "paint" / "Scene_0007.png") and Path(out["painting"]).is_file()
    assert (own / "passes" / "Scene_0007.exr").is_file()


def begin_another(folder):
    """A frame of one unsaved .blend, and what the next one takes for its own."""
    import bpy
    from paintover import paths

    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 64, 36
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    scene.paintover.save_passes = True
    bpy.ops.render.render()
    found = []
    for _ in range(2):
        places = paths.places(bpy.context.scene)
        found.append([places.name, paths.frames_in(places.passes, places.name), paths.is_temporary(places.folder)])
        bpy.ops.wm.read_homefile(use_factory_startup=True)  # add-ons stay on
    return found


def test_a_new_blend_does_not_inherit_what_another_unsaved_one_rendered(blender, tmp_path):
    assert blender(begin_another, tmp_path) == [["Scene", [1], True], ["Scene", [], True]]


def save_elsewhere(folder):
    """A shot with a painting and a look, saved into another folder; what the settings name then, and after loading."""
    import bpy
    from paintover import paths, shot
    from paintover.operators import keyframes

    bpy.ops.wm.save_as_mainfile(filepath=folder + "/a/shot.blend")
    scene = bpy.context.scene
    places = paths.places(scene)
    places.paint.mkdir(parents=True)
    for path in (places.paint / "one.png", places.look, places.folder / "Scene.look.state"):
        path.write_bytes(path.name.encode())
    keyframes.set_painting(scene, 3, places.paint / "one.png")
    found = []
    for name in ("a/second.blend", "b/shot.blend"):
        bpy.ops.wm.save_as_mainfile(filepath=f"{folder}/{name}")
        bpy.ops.wm.open_mainfile(filepath=f"{folder}/{name}")
        scene = bpy.context.scene
        (keyframe,) = scene.paintover.keyframes
        look = shot.look_file(scene)
        found.append([str(keyframes.painting_file(keyframe)), str(look), scene.paintover.look, look.read_text()])
    return found


def test_a_shot_that_is_saved_elsewhere_names_its_files_where_they_are(blender, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    beside, elsewhere = blender(save_elsewhere, tmp_path)
    place = tmp_path / "a" / "paintover" / "Scene"
    other = tmp_path / "b" / "paintover" / "Scene"
    painting = str(place / "paint" / "one.png")
    assert beside == [painting, str(place / "Scene.look"), "", "Scene.look"]
    assert elsewhere == [painting, str(other / "Scene.look"), "", "Scene.look"]  # a copy: training writes there
    assert (other / "Scene.look.state").is_file()


def save_during_work(folder, taken):
    """A look that is trained while the .blend is saved for the first time."""
    from pathlib import Path

    import bpy
    from paintover import jobs, paths, shot

    scene = bpy.context.scene
    old = paths.places(scene)
    old.folder.mkdir(parents=True)
    old.look.write_bytes(b"before")
    if taken:
        (Path(folder) / "paintover" / "Scene").mkdir(parents=True)
    jobs.session.running = jobs.Running(jobs.Work("Train Look", lambda: None), None)
    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    old.look.write_bytes(b"after")
    jobs.session.running.work.finish({})
    jobs.session.running = None
    return [shot.look_file(scene).read_text(), paths.places(scene).look.is_file()]


@pytest.mark.parametrize("taken", [False, True])
def test_what_is_made_during_the_first_save_comes_along_too(blender, tmp_path, taken):
    """But not into another shot's place."""
    assert blender(save_during_work, tmp_path, taken) == ["after", not taken]


def save_with_an_effect(folder, taken):
    """An effect that was baked before the first save; where its frames are afterwards, and what names them."""
    from pathlib import Path

    import bpy
    from paintover import jobs, paths
    from paintover.effect import properties
    from paintover.operators import effects

    scene = bpy.context.scene
    thing = effects.effect_add(scene, "fire")
    old = effects.folder_of(thing)
    old.mkdir(parents=True)
    (old / "bake.json").write_text("{}")
    image = bpy.data.images.new("frame", 8, 8, float_buffer=True)
    image.filepath_raw, image.file_format = str(old / "fire_0001.exr"), "OPEN_EXR"
    image.save()
    image.use_fake_user = True
    if taken:
        (Path(folder) / "paintover" / "effects" / "Fire").mkdir(parents=True)
    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    failure = str(jobs.session.failure or "")
    bpy.ops.wm.open_mainfile(filepath=folder + "/shot.blend")
    (thing,) = properties.in_scene(bpy.context.scene)
    files = sorted(path.name for path in effects.folder_of(thing).iterdir())
    path = bpy.data.images["frame"].filepath.replace("\\", "/")
    return [failure, properties.of(thing).folder, files, path, str(paths.effects())]


@pytest.mark.parametrize("taken", [False, True])
def test_an_effect_that_was_baked_before_the_first_save_comes_along(blender, tmp_path, taken):
    name = "Fire_2" if taken else "Fire"
    out = blender(save_with_an_effect, tmp_path, taken)
    files = ["bake.json", "fire_0001.exr"]
    assert out == [
        "",
        name,
        files,
        f"//paintover/effects/{name}/fire_0001.exr",
        str(tmp_path / "paintover" / "effects"),
    ]


def save_during_a_bake(folder, weights):
    """An effect that is baked during the first save; where its frames are then, and what shows them."""
    from pathlib import Path

    import bpy
    from paintover.effect import properties
    from paintover.operators import effects

    scene = bpy.context.scene
    chosen = properties.of(scene)
    chosen.kind, chosen.pixels, chosen.frames, chosen.loop = "fire", (40, 40), 2, False
    thing = effects.effect_add(scene)
    work = effects.effect_bake_work(scene, thing, Path(weights))
    ticket = work.start()
    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    value = ticket.wait()
    work.finish(value)
    files = sorted(path.name for path in effects.folder_of(thing).iterdir())
    images = [bpy.path.abspath(image.filepath) for image in bpy.data.images if image.filepath]
    return [value["folder"], files, images]


@pytest.mark.usefixtures("own_backend")
def test_an_effect_that_is_baked_during_the_first_save_comes_along(blender, fire, tmp_path):
    place = tmp_path / "paintover" / "effects" / "Fire"
    files = ["bake.json", "fire_0001.exr", "fire_0002.exr"]
    assert blender(save_during_a_bake, tmp_path, fire) == [str(place), files, [str(place / files[1])]]


def undo_after_a_save(folder):
    """What the settings and images name after the first save, after something is undone, and after it is done again."""
    import bpy
    from paintover import paths
    from paintover.operators import keyframes

    window = bpy.context.window_manager.windows[0]
    scene = bpy.context.scene
    paint = paths.places(scene).paint
    paint.mkdir(parents=True)
    image = bpy.data.images.new("painted", 8, 8)
    image.filepath_raw, image.file_format = str(paint / "one.png"), "PNG"
    image.save()
    keyframes.set_painting(scene, 3, paint / "one.png")

    def named():
        (keyframe,) = bpy.context.scene.paintover.keyframes
        return [keyframe.painting, bpy.data.images["painted"].filepath]

    def history(step):
        with bpy.context.temp_override(window=window):
            step()

    history(lambda: bpy.ops.ed.undo_push(message="painted"))
    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    found = [named()]
    history(lambda: bpy.ops.ed.undo_push(message="something"))
    for step in (bpy.ops.ed.undo, bpy.ops.ed.redo):
        history(step)
        yield 0.01
        found.append(named())
    return found


def test_undo_names_nothing_where_it_was_before_the_first_save(blender, display, tmp_path):
    blender.use_window(display)
    name = "//paintover/Scene/paint/one.png"
    assert blender(undo_after_a_save, tmp_path) == [[name, name]] * 3
