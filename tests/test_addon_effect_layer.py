"""Effects in the compositor: merged with the render by depth, where the card stands; in, renewed, and out again."""

import numpy as np
import pytest
from effect_bake import ALPHA, COLOUR, bake
from styled_frames import paint, read


def merged(folder):
    """A fire of 2 m at the origin, 10 m from the camera, between two walls: final pictures of several settings."""
    import bpy
    from paintover.effect import properties
    from paintover.operators import effects

    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    scene = bpy.context.scene
    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene.frame_start, scene.frame_end = 1, 4
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.location, camera.rotation_euler = (0, -10, 1), (1.5707963, 0, 0)
    camera.data.sensor_fit, camera.data.sensor_height, camera.data.lens = "VERTICAL", 20, 50  # 4 m high at the fire
    scene.collection.objects.link(camera)
    scene.camera = camera

    def wall(y, left, right, value):
        mesh = bpy.data.meshes.new("Wall")
        mesh.from_pydata([(left, y, -9), (right, y, -9), (right, y, 9), (left, y, 9)], [], [(0, 1, 2, 3)])
        thing = bpy.data.objects.new("Wall", mesh)
        material = bpy.data.materials.new("Wall")
        if bpy.app.version < (5, 0, 0):
            material.use_nodes = True
        tree = material.node_tree
        tree.nodes.clear()
        light, out = tree.nodes.new("ShaderNodeEmission"), tree.nodes.new("ShaderNodeOutputMaterial")
        light.inputs[0].default_value = (value, value, value, 1)
        tree.links.new(light.outputs[0], out.inputs[0])
        mesh.materials.append(material)
        scene.collection.objects.link(thing)
        return thing

    near, _far = wall(-3, -9, 0, 0.125), wall(3, -90, 90, 0.75)
    chosen = properties.of(scene)
    chosen.kind, chosen.pixels, chosen.loop = "fire", (32, 32), False
    thing = effects.effect_add(scene)
    properties.of(thing).folder = "Fire"

    render = scene.render
    render.engine, render.resolution_x, render.resolution_y = "CYCLES", 64, 32
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    if bpy.app.version >= (5, 0, 0):
        render.image_settings.media_type = "IMAGE"
    render.image_settings.file_format, render.image_settings.color_depth = "OPEN_EXR", "32"

    def write(name, frame):
        scene.frame_set(frame)
        render.filepath = f"{folder}/{name}.exr"
        bpy.ops.render.render(write_still=True)

    def tree():
        found = scene.compositing_node_group if bpy.app.version >= (5, 0, 0) else scene.node_tree
        on = found is not None and (bpy.app.version >= (5, 0, 0) or scene.use_nodes)
        return sorted([link.from_node.name, link.to_node.name] for link in found.links) if on else None

    thing.hide_render = True
    write("plain", 2)
    before = tree()
    node = effects.effect_layer_insert(scene, thing)
    write("in", 2)
    write("late", 4)
    near.location.y = 3  # where the fire is
    write("soft", 2)
    near.location.y = 0
    camera.location.x = 1.0
    effects.effect_layer_insert(scene, thing)
    write("left", 2)
    for frame, x in ((1, 0.0), (3, 2.0)):
        camera.location.x = x
        camera.keyframe_insert("location", frame=frame)
    again = effects.effect_layer_insert(scene, thing)
    write("keyed", 3)
    camera.animation_data_clear()
    camera.location.x = 0.0
    render.resolution_percentage = 50
    effects.effect_layer_insert(scene, thing)
    write("small", 2)
    render.resolution_percentage = 100
    nodes = [again == node, len([1 for other in node.id_data.nodes if other.bl_idname == node.bl_idname])]
    hidden = thing.hide_render
    spaces = {image.colorspace_settings.name for image in bpy.data.images if image.source == "SEQUENCE"}
    effects.effect_layer_remove(scene, thing)
    write("out", 2)
    return {
        "nodes": nodes,
        "spaces": sorted(spaces),
        "hidden": [hidden, thing.hide_render],
        "left": [
            [group.name for group in bpy.data.node_groups],
            [image.name for image in bpy.data.images if image.source == "SEQUENCE"],
            [action.name for action in bpy.data.actions],
        ],
        "tree": [before, tree()],
    }


def test_an_effect_is_merged_by_depth(blender, tmp_path):
    folder = tmp_path / "paintover" / "effects" / "Fire"
    folder.mkdir(parents=True)
    bake(folder)
    out = blender(merged, tmp_path)

    def final(name):
        return read(tmp_path / f"{name}.exr")

    plain, merge = final("plain"), final("in")
    picture = np.zeros_like(plain)
    picture[8:24, 24:40, :3], picture[8:24, 24:40, 3] = np.multiply(COLOUR, 2), ALPHA  # 2 m of the 4 that are seen
    picture[8:16] /= 2
    picture[:, :32] = 0  # behind the near wall
    wanted = plain[..., :3] * (1 - picture[..., 3:]) + picture[..., :3]
    inner = np.ones(plain.shape[:2], bool)
    for line in (7, 8, 15, 16, 23, 24):  # where pixels are mixed with their neighbours
        inner[line] = False
    inner[:, [23, 24, 31, 32, 39, 40]] = False
    np.testing.assert_allclose(merge[..., :3][inner], wanted[inner], atol=2e-3)
    np.testing.assert_allclose(merge[..., 3], 1, atol=1e-5)
    assert out["spaces"] == ["Linear Rec.709"]  # whatever space the .blend works in
    np.testing.assert_array_equal(final("late"), plain)  # it is over

    half = final("soft")[20, 28, :3]
    np.testing.assert_allclose(half, 0.125 * (1 - ALPHA / 2) + np.multiply(COLOUR, 2) / 2, atol=0.02)

    def seen(name):
        """The columns in which the effect is seen, some way below its middle, as shares of the frame's width."""
        image = final(name)
        line = image[image.shape[0] * 5 // 8, :, 0]
        (columns,) = np.nonzero(line > 1)
        return [columns[0] / len(line), (columns[-1] + 1) / len(line)]

    assert seen("in") == [32 / 64, 40 / 64]
    assert seen("left") == [21 / 64, 32 / 64]  # with the camera 1 m, 8 pixels, to the right; so is the near wall's edge
    assert seen("keyed") == [9 / 64, 24 / 64]
    assert final("keyed")[20, 16, 0] - final("left")[20, 24, 0] == np.float32(COLOUR[0])  # a frame later
    assert seen("small") == [16 / 32, 20 / 32]
    np.testing.assert_array_equal(final("out"), plain)
    assert out["nodes"] == [True, 1], "renewed, not doubled"
    assert out["hidden"] == [True, False]
    assert out["tree"] == [None, None]
    assert out["left"] == [[], [], ["CameraAction"]]


def duplicated(folder):
    """A merged fire and a copy of its card: what merging either says, the nodes, which cards are hidden, in turn."""
    import bpy
    from paintover import artists_tree
    from paintover.backend.errors import UsageError
    from paintover.effect import properties
    from paintover.operators import effects

    bpy.ops.wm.read_homefile(use_factory_startup=True)
    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    chosen = properties.of(scene)
    chosen.kind, chosen.pixels = "fire", (32, 32)
    thing = effects.effect_add(scene)
    properties.of(thing).folder = "Fire"
    effects.effect_layer_insert(scene, thing)
    copy = thing.copy()
    scene.collection.objects.link(copy)
    copy.location.x += 3
    out = []

    def tell(act):
        try:
            act()
            said = ""
        except UsageError as error:
            said = str(error)
        nodes = [node.name for node in artists_tree.groups(scene)]
        out.append([said, nodes, thing.hide_render, copy.hide_render])

    tell(lambda: effects.effect_layer_insert(scene, copy))
    tell(lambda: effects.effect_layer_insert(scene, thing))
    effects.effect_bake_work(scene, copy)
    out.append(properties.of(copy).folder)
    tell(lambda: effects.effect_layer_insert(scene, thing))
    tell(lambda: effects.effect_layer_remove(scene, thing))
    effects.effect_layer_insert(scene, thing)
    last = thing.copy()
    scene.collection.objects.link(last)
    effects.effect_layer_remove(scene, thing)
    return [*out, last.hide_render]


def test_a_copy_has_a_bake_of_its_own_before_it_is_merged(blender, tmp_path):
    folder = tmp_path / "paintover" / "effects" / "Fire"
    folder.mkdir(parents=True)
    bake(folder)
    copy, original, name, again, removed, last = blender(duplicated, tmp_path)
    node = ["Paintover Fire"]
    remedy = "Bake the copy first: then it has frames of its own."
    assert copy == [f"Fire.001 and Fire show the same bake: one is a copy of the other. {remedy}", node, True, True]
    assert original[0].startswith("Fire and Fire.001 show the same bake") and original[1:] == copy[1:]
    assert name == "Fire_001"
    assert again == ["", node, True, False] and removed == ["", [], False, False]
    assert last is False


def with_a_look(folder, first):
    """A look and an effect in one compositor, put in and taken out in turn; what is linked, each time."""
    from pathlib import Path

    import bpy
    from paintover import compositor, final, paths, rendering
    from paintover.effect import layer, properties
    from paintover.operators import effects

    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    scene.render.engine, scene.render.resolution_x, scene.render.resolution_y = "CYCLES", 64, 36
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    chosen = properties.of(scene)
    chosen.kind, chosen.pixels = "fire", (32, 32)
    scene.cursor.location = (0, 0, -1)
    thing = effects.effect_add(scene)
    properties.of(thing).folder = "Fire"

    def tree():
        found = scene.compositing_node_group if bpy.app.version >= (5, 0, 0) else scene.node_tree
        on = found is not None and (bpy.app.version >= (5, 0, 0) or scene.use_nodes)
        return (
            sorted([link.from_node.name, link.from_socket.name, link.to_node.name] for link in found.links)
            if on
            else []
        )

    steps = {
        "look": [
            lambda: compositor.insert(scene, Path(folder) / "styled", "Scene", 1, 3),
            lambda: compositor.remove(scene),
        ],
        "effect": [lambda: layer.insert(scene, thing), lambda: layer.remove(scene, thing)],
    }
    second = "effect" if first == "look" else "look"
    out = {"before": tree()}
    for name, step in (
        ("a", steps[first][0]),
        ("both", steps[second][0]),
        ("b", steps[first][1]),
        ("none", steps[second][1]),
    ):
        step()
        out[name] = tree()
    layer.insert(scene, thing)
    places = paths.places(scene)
    rendering.render_range(scene, 2, 2)
    if bpy.app.version >= (5, 0, 0):
        scene.render.image_settings.media_type = "IMAGE"
    scene.render.image_settings.file_format, scene.render.image_settings.color_depth = "OPEN_EXR", "32"
    scene.frame_set(2)
    scene.render.filepath = f"{folder}/rendered/0002"
    bpy.ops.render.render(write_still=True)
    scene.render.filepath = f"{folder}/final/"
    final.render_final(scene, places.passes, places.name, 2, 2)
    return out


@pytest.mark.parametrize("first", ["look", "effect"])
def test_a_look_and_an_effect_leave_each_other_alone(blender, tmp_path, first):
    folder = tmp_path / "paintover" / "effects" / "Fire"
    folder.mkdir(parents=True)
    bake(folder)
    for frame in (1, 2, 3):
        paint(tmp_path / "styled", frame)
    out = blender(with_a_look, tmp_path, first)
    look, fire = "Paintover", "Paintover Fire"
    one, other = (look, fire) if first == "look" else (fire, look)

    def names(links):
        return {name for source, _, target in links for name in (source, target)} & {look, fire}

    assert [names(out[step]) for step in ("a", "both", "b", "none")] == [{one}, {one, other}, {other}, set()]
    # Whichever came first, what burns is not painted over, it stands before what is.
    feeding = {target: source for source, socket, target in out["both"] if socket != "Depth"}
    assert look in (feeding[fire], feeding.get(feeding[fire]))
    assert out["none"] == out["before"]
    from_passes, rendered = read(tmp_path / "final" / "0002.exr"), read(tmp_path / "rendered" / "0002.exr")
    np.testing.assert_allclose(from_passes, rendered, atol=2e-3)
