"""Every operator does what its function does, and says in the artist's words what is missing."""

from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
pytestmark = pytest.mark.usefixtures("own_backend")


def chain(tests, folder, way, look):
    """The whole way of a shot, by operators or by functions; gives what can be compared afterwards."""
    import hashlib
    import sys
    from pathlib import Path

    sys.path.insert(0, tests)
    import bpy
    import tiny
    from paintover import paths
    from paintover.operators import apply, compositor, keyframes, passes, train

    ops, by_operator = bpy.ops.paintover, way == "operator"
    folder = Path(folder)
    folder.mkdir(parents=True)
    scene = tiny.build(folder / "shot.blend")
    places = paths.places(scene)
    settings = scene.paintover

    def same(operator, function):
        assert operator() == {"FINISHED"} if by_operator else function() is not False

    def digest(path):
        """Of its pixels: the time of day stands in the file, and what a frame was made of."""
        image = bpy.data.images.load(str(path))
        content = repr(image.pixels[:]).encode()
        bpy.data.images.remove(image)
        return hashlib.sha256(content).hexdigest()

    def nodes():
        tree = getattr(scene, "compositing_node_group" if bpy.app.version >= (5, 0) else "node_tree")
        return sorted(f"{node.bl_idname} {node.name}" for node in tree.nodes) if tree else []

    same(ops.enable_passes, lambda: passes.enable_passes(scene))
    layer = scene.view_layers[0]
    found = {"passes": {name: getattr(layer, name) for name in dir(layer) if name.startswith("use_pass_")}}
    same(ops.render_passes, lambda: passes.render_passes(scene))
    found["rendered"] = paths.frames_in(places.passes, places.name)
    found["untouched"] = [scene.frame_current, scene.render.image_settings.file_format]

    scene.frame_set(2)
    same(ops.keyframe_add, lambda: keyframes.keyframe_add(scene))
    found["starter"] = digest(places.paint / "Scene_0002.png")
    same(ops.keyframe_rough_paint, lambda: keyframes.keyframe_rough_paint(scene))
    found["rough"] = digest(places.paint / "Scene_0002_rough.png")
    found["keyframes"] = [[key.frame, Path(key.painting).name] for key in settings.keyframes]
    same(ops.keyframe_suggest, lambda: keyframes.keyframe_suggest(scene))
    found["suggested"] = scene.frame_current
    same(ops.keyframe_reload, lambda: keyframes.keyframe_reload(scene))

    settings.seconds = 1
    same(ops.train_look, lambda: train.train_look(scene))
    same(ops.continue_look, lambda: train.train_look(scene, resume=True))
    found["trained"] = places.look.is_file()

    settings.look = look or str(places.look)
    same(ops.apply_look, lambda: apply.apply_look(scene))
    found["styled"] = [digest(path) for path in sorted(places.styled.glob("*.exr"))]
    same(ops.compositor_insert, lambda: compositor.compositor_insert(scene))
    same(ops.compositor_insert, lambda: compositor.compositor_insert(scene))  # replaced, not doubled
    found["nodes"] = nodes()
    same(ops.final_frames, lambda: compositor.final_frames(scene))
    found["final"] = [digest(path) for path in sorted((folder / "final").glob("*.png"))]
    same(ops.compositor_remove, lambda: compositor.compositor_remove(scene) is None)
    found["nodes after"] = nodes()
    same(ops.keyframe_remove, lambda: keyframes.keyframe_remove(scene))
    found["left"] = len(settings.keyframes)
    return found


def test_operators_do_what_functions_do(blender, tmp_path):
    by_operator = blender(chain, TESTS, tmp_path / "operator", "operator", "")
    look = tmp_path / "operator" / "paintover" / "Scene" / "Scene.look"
    by_function = blender(chain, TESTS, tmp_path / "function", "function", look)
    assert by_operator == by_function
    assert by_operator["rendered"] == [1, 2, 3, 4]
    assert by_operator["untouched"] == [1, "PNG"]
    assert by_operator["starter"] != by_operator["rough"]
    assert by_operator["keyframes"] == [[2, "Scene_0002_rough.png"]]
    assert by_operator["suggested"] != 2
    assert by_operator["trained"] and by_operator["left"] == 0
    assert len(by_operator["styled"]) == len(by_operator["final"]) == len(set(by_operator["final"])) == 4
    assert sum("Paintover" in name for name in by_operator["nodes"]) == 1
    assert not any("Paintover" in name for name in by_operator["nodes after"])


def complaints(tests, folder, rendered):
    """What every operator says where what it needs is missing."""
    import os
    import sys
    from pathlib import Path

    sys.path.insert(0, tests)
    import bpy
    import tiny
    from paintover.operators import passes

    Path(folder).mkdir()
    scene = tiny.build(Path(folder) / "shot.blend")
    if rendered:
        passes.render_passes(scene, 1, 2)
        scene.paintover.range, scene.paintover.frame_start, scene.paintover.frame_end = "RANGE", 90, 99
        entry = scene.paintover.keyframes.add()
        entry.frame, entry.painting = 1, "//gone.png"
        scene.frame_set(4)
        os.environ["PAINTOVER_PYTHON"] = str(Path(folder) / "no_python")
    found = {}
    nothing_missing = {
        "stop_job",
        "cancel_job",
        "dismiss_message",
        "follow_job",
        "show_preferences",
        "show_network",
        "enable_passes",
        "render_passes",
        "keyframe_remove",
    } | (set() if rendered else {"effect_add", "effect_emit"})
    for name in sorted(set(dir(bpy.ops.paintover)) - nothing_missing):
        try:
            found[name] = [sorted(getattr(bpy.ops.paintover, name)()), ""]
        except RuntimeError as error:
            found[name] = ["", str(error)]
    return found


@pytest.mark.parametrize("rendered", [False, True])
def test_missing_things_are_said_in_words(blender, tmp_path, rendered):
    found = blender(complaints, TESTS, tmp_path / "shot", rendered)
    said = {name: text for name, (_, text) in found.items() if text}
    for name, text in said.items():
        assert "Traceback" not in text and text.startswith("Error: ") and text.strip().endswith("."), (name, text)
    assert "offline" in said["install_backend"]
    assert "no styled frames" in said["compositor_insert"]
    assert "no image texture" in said["texture_look_train"]
    if rendered:
        assert "Frame 4 has no rendered passes" in said["keyframe_add"]
        assert "gone.png" in said["train_look"]
        for name in ("keyframe_suggest", "effect_add", "effect_emit"):
            assert "no_python" in said[name], name
        assert "90 and 99" in said["apply_look"]
    else:
        for name in ("train_look", "continue_look", "apply_look", "keyframe_suggest", "final_frames", "keyframe_add"):
            assert "Render Passes" in said[name], name


def nothing_to_show():
    """What the artist reads, and the button beside it, where a painting is not chosen, and where it is gone."""
    import bpy
    from paintover import status

    entry = bpy.context.scene.paintover.keyframes.add()
    entry.frame = 7
    found = []
    for entry.painting in ("", "//gone.png"):
        try:
            bpy.ops.paintover.keyframe_show()
        except RuntimeError:
            (line,) = status.failures()
            found.append([line.text.partition(" at ")[0], line.remedy, line.action])
    return found


def test_a_missing_painting_is_not_offered_to_be_read_again(blender):
    not_chosen, gone = blender(nothing_to_show)
    assert not_chosen == ["No painting is chosen for frame 7.", "Choose its file.", ""]
    assert gone == ["The painting of frame 7 is not", "Choose the file again.", ""]


def shown_where(folder):
    """What Show Painting says without an Image Editor on the screen, and with one."""
    import bpy
    from paintover.operators.keyframes import KeyframeShow, set_painting

    scene = bpy.context.scene
    image = bpy.data.images.new("painting", 4, 4)
    image.filepath_raw, image.file_format = folder + "/painting.png", "PNG"
    image.save()
    set_painting(scene, 7, folder + "/painting.png")
    found = []
    for kind in ("VIEW_3D", "IMAGE_EDITOR"):
        for area in bpy.context.screen.areas:
            area.type = kind
        found.append(KeyframeShow.perform(None, bpy.context))
    return found


def test_nothing_is_said_to_be_shown_where_no_image_editor_is(blender, tmp_path):
    without, with_one = blender(shown_where, tmp_path)
    assert "Open an Image Editor" in without
    assert with_one == "Frame 7 is shown in the Image Editor."


def unsupported(tests, folder):
    import sys
    from pathlib import Path

    sys.path.insert(0, tests)
    import bpy
    import tiny

    Path(folder).mkdir()
    scene = tiny.build(Path(folder) / "shot.blend")
    scene.render.use_motion_blur = True

    def refused():
        try:
            bpy.ops.paintover.render_passes()
        except RuntimeError as error:
            return str(error)
        return ""

    blurred = refused()
    bpy.ops.paintover.enable_passes()
    blur = scene.render.use_motion_blur
    scene.camera = None
    return [blurred, blur, refused()]


def test_enable_passes_remedies_motion_blur_and_a_missing_camera_is_named(blender, tmp_path):
    blurred, blur, said = blender(unsupported, TESTS, tmp_path / "shot")
    assert "Motion Blur" in blurred and "Enable Passes" in blurred
    assert blur is False
    assert "camera" in said


def shown_anew(tests, folder):
    """What the shot's card tells of colours, after the scene's have changed and the file was moved."""
    import json
    import sys
    from pathlib import Path

    sys.path.insert(0, tests)
    import bpy
    import tiny
    from paintover import paths
    from paintover.operators import keyframes, passes, train

    Path(folder).mkdir()
    scene = tiny.build(Path(folder) / "shot.blend")
    passes.render_passes(scene, 1, 1)
    card = paths.places(scene).passes / "shot.json"
    before = json.loads(card.read_text("utf-8"))
    card.write_text(json.dumps(before | {"view": before["view"] | {"config": "/of/another/machine/config.ocio"}}))
    keyframes.suggest_work(scene)
    out = [json.loads(card.read_text("utf-8")) == before]
    scene.view_settings.view_transform, scene.view_settings.exposure = "Standard", 1.0
    scene.frame_set(1)
    bpy.ops.paintover.keyframe_add()
    train.train_look_work(scene)
    after = json.loads(card.read_text("utf-8"))
    changed = {name for name in after["view"] if after["view"][name] != before["view"][name]}
    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot_v002.blend")  # of which this is the shot now
    scene.view_settings.exposure = 2.0
    train.train_look_work(scene)
    out.append(json.loads(card.read_text("utf-8"))["view"]["exposure"])
    return [*out, sorted(changed), after["view"]["exposure"], {**after, "view": 0} == {**before, "view": 0}]


def test_the_shot_is_shown_to_the_backend_as_the_scene_shows_it_now(blender, tmp_path):
    assert blender(shown_anew, TESTS, tmp_path / "shot") == [True, 2.0, ["exposure", "view"], 1.0, True]


def in_the_way(tests, folder):
    """Files stand where Paintover's folders should be, and a painting that was changed cannot be saved."""
    import sys
    from pathlib import Path

    sys.path.insert(0, tests)
    import bpy
    import tiny
    from paintover import paths
    from paintover.backend.errors import OutputError
    from paintover.operators import keyframes, passes

    Path(folder).mkdir()
    scene = tiny.build(Path(folder) / "shot.blend")
    passes.render_passes(scene, 1, 1)
    places = paths.places(scene)
    places.paint.write_text("in the way")
    said = {}

    def complain(name):
        try:
            getattr(bpy.ops.paintover, name)()
        except RuntimeError as error:
            said[name] = str(error)

    complain("keyframe_add")
    complain("keyframe_rough_paint")
    places.paint.unlink()
    painting = keyframes.keyframe_add(scene)
    image = bpy.data.images.load(str(painting))
    image.pixels[0] = 0.5
    painting.unlink()
    painting.mkdir()
    found = keyframes.showing(painting) == [image] and image.is_dirty
    try:
        keyframes.save_painted([painting])
    except OutputError as error:
        said["save"] = str(error)
    return [found, said]


def test_what_cannot_be_written_is_said_in_words(blender, tmp_path):
    found, said = blender(in_the_way, TESTS, tmp_path / "shot")
    assert found
    assert sorted(said) == ["keyframe_add", "keyframe_rough_paint", "save"]
    assert not any("Traceback" in text for text in said.values()), said
    assert "paint" in said["keyframe_add"] and "could not be saved" in said["keyframe_add"]
    assert "Nothing can be written" in said["keyframe_rough_paint"]
    assert said["save"].startswith("The image ")


def paint_again(tests, folder):
    """What becomes of paintings that the artist has worked on, when the same buttons are pressed again."""
    import sys
    from pathlib import Path

    sys.path.insert(0, tests)
    import bpy
    import tiny
    from paintover import paths
    from paintover.operators import keyframes

    Path(folder).mkdir()
    scene = tiny.build(Path(folder) / "shot.blend")
    places = paths.places(scene)
    for place in (places.passes, places.paint):
        place.mkdir(parents=True)
    paths.frame_path(places.passes, places.name, 1).touch()
    rough = []
    for _ in range(3):
        keyframes.rough_paint_work(scene).finish({})
        (keyframe,) = scene.paintover.keyframes
        rough.append(Path(keyframe.painting).name)
        image = bpy.data.images.new("strokes", 4, 4)
        image.filepath_raw, image.file_format = str(keyframes.painting_file(keyframe)), "PNG"
        image.save()
        bpy.data.images.remove(image)
    image = bpy.data.images.load(str(keyframes.painting_file(keyframe)))
    read = [len(keyframes.keyframe_reload(scene))]
    image.pixels[0] = 0.5
    read.append(len(keyframes.keyframe_reload(scene)))
    return [rough, read, image.is_dirty, round(image.pixels[0], 3)]


def test_what_the_artist_has_painted_is_never_overwritten(blender, tmp_path):
    rough, read, dirty, stroke = blender(paint_again, TESTS, tmp_path / "shot")
    assert rough == ["Scene_0001_rough.png", "Scene_0001_rough_2.png", "Scene_0001_rough_3.png"]
    assert read == [1, 0] and dirty and stroke == 0.502


def on_textures(tests, folder, way, look):
    """Paint over one texture, and the material has a new one."""
    import hashlib
    import sys
    from pathlib import Path

    sys.path.insert(0, tests)
    import bpy
    import numpy as np
    import tiny
    from paintover import paths
    from paintover.operators import textures

    ops, by_operator = bpy.ops.paintover, way == "operator"
    folder = Path(folder)
    folder.mkdir(parents=True)
    scene = tiny.build(folder / "shot.blend")
    thing = bpy.data.objects["Ball"]
    bpy.context.view_layer.objects.active = thing
    tree = thing.active_material.node_tree

    def picture(name, colours):
        image = bpy.data.images.new(name, 64, 64)
        image.pixels.foreach_set(np.ascontiguousarray(colours, np.float32).ravel())
        image.filepath_raw, image.file_format = str(folder / f"{name}.png"), "PNG"
        image.save()
        return image

    y, x = np.mgrid[0:64, 0:64] / 63
    colours = np.dstack([x, y, np.sin(x * 12) * 0.5 + 0.5, np.ones_like(x)])
    source = picture("bricks", colours)
    picture("painted", colours[..., [2, 0, 1, 3]])
    other, node = (tree.nodes.new("ShaderNodeTexImage") for _ in range(2))
    other.image, node.image = picture("relief", colours[..., [1, 1, 1, 3]]), source
    tree.links.new(node.outputs["Color"], tree.nodes["Principled BSDF"].inputs["Base Color"])
    tree.nodes.active = node

    settings = scene.paintover
    settings.seconds = 1
    settings.texture_painting = str(folder / "painted.png")
    ops.texture_look_train() if by_operator else textures.texture_look_train(scene, thing)
    made = paths.places(scene).folder / "Scene_texture.look"
    settings.texture_look = look or str(made)
    for _ in range(2):  # the second time the same node is used again, on the same source
        ops.texture_look_apply() if by_operator else textures.texture_look_apply(scene, thing)
    feeding = tree.nodes["Principled BSDF"].inputs["Base Color"].links[0].from_node
    files = sorted((paths.places(scene).folder / "textures" / "styled").rglob("*.png"))
    return {
        "look": made.is_file(),
        "textures": sum(node.bl_idname == "ShaderNodeTexImage" for node in tree.nodes),
        "replaced": feeding.image != source and feeding != node,
        "files": [[path.name, hashlib.sha256(path.read_bytes()).hexdigest()] for path in files],
    }


def test_texture_operators_do_what_functions_do(blender, tmp_path):
    by_operator = blender(on_textures, TESTS, tmp_path / "operator", "operator", "")
    look = tmp_path / "operator" / "paintover" / "Scene" / "Scene_texture.look"
    by_function = blender(on_textures, TESTS, tmp_path / "function", "function", look)
    assert by_operator == by_function
    assert by_operator["look"] and by_operator["replaced"]
    assert by_operator["textures"] == 3 and len(by_operator["files"]) == 1
