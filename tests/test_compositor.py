"""Paintover in the artist's compositor: in, replaced, out; and what the final frames show."""

import numpy as np
import OpenImageIO as oiio

WIDTH, HEIGHT = 64, 36
STYLED = (2, 3, 5)  # 4 is missing
WEIGHTS = np.float32([0.2126, 0.7152, 0.0722])


def read(path) -> np.ndarray:
    """HxWx4 float32, the first four channels of the first part."""
    image = oiio.ImageInput.open(str(path))
    assert image, path
    return image.read_image(0, 0, 0, 4, oiio.FLOAT)


def paint(folder, frame) -> np.ndarray:
    """A styled frame, as the backend writes it: half floats, premultiplied, a hole, a highlight, a dark corner."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    pixels = np.stack([columns / WIDTH, rows / HEIGHT, np.full_like(rows, frame / 10), np.ones_like(rows)], axis=-1)
    pixels[:6, :6, :3] = 7.5
    pixels[-6:, :6, :3] = 0.0005
    pixels[10:20, 10:20] *= 0.5
    pixels[20:24, 10:20] = 0
    folder.mkdir(exist_ok=True)
    image = oiio.ImageOutput.create(str(folder / "x.exr"))
    image.open(str(folder / f"Scene_{frame:04d}.exr"), oiio.ImageSpec(WIDTH, HEIGHT, 4, oiio.HALF))
    image.write_image(pixels)
    image.close()
    return pixels.astype(np.float16).astype(np.float32)


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


def insert_and_remove(folder):
    """The links of several trees before, with Paintover twice, and after."""
    from pathlib import Path

    import bpy
    from paintover import compat, compositor

    scene = bpy.context.scene
    styled = Path(folder) / "styled"
    output = "NodeGroupOutput" if compat.IS_5 else "CompositorNodeComposite"
    viewer = "CompositorNodeViewer"

    def links():
        tree = compat.compositor_tree(scene)
        if tree is None:
            return None
        found = [
            [x.from_node.name, x.from_socket.identifier, x.to_node.name, x.to_socket.identifier] for x in tree.links
        ]
        return [sorted(node.name for node in tree.nodes), sorted(found)]

    def start(*kinds):
        tree = compat.compositor_tree(scene) or compat.use_compositor_tree(scene)
        tree.nodes.clear()
        compat.output_sockets(tree)
        return tree, [tree.nodes.new(kind) for kind in kinds]

    def grade():
        tree, (layers, blur, out, seen, other) = start(
            "CompositorNodeRLayers", "CompositorNodeBlur", output, viewer, "CompositorNodeInvert"
        )
        for link in ((layers, blur), (blur, out), (blur, seen), (layers, other)):
            tree.links.new(
                link[0].outputs["Image" if link[0] != other else 0],
                link[1].inputs["Image" if link[1] != other else "Color"],
            )

    def inspect():
        tree, (layers, out, seen) = start("CompositorNodeRLayers", output, viewer)
        tree.links.new(layers.outputs["Image"], out.inputs[0])
        tree.links.new(layers.outputs["Alpha"], seen.inputs["Image"])

    def loose():
        start("CompositorNodeRLayers", output)

    def no_output():
        start("CompositorNodeRLayers")

    def empty():
        start()

    def none():
        if compat.compositor_tree(scene) is not None:
            compat.leave_compositor_tree(scene)

    result = {}
    for case in (none, grade, inspect, loose, no_output, empty):
        case()
        groups, images = len(bpy.data.node_groups), len(bpy.data.images)
        before = links()
        node = compositor.insert(scene, styled, "Scene", 2, 5)
        once = links()
        node.inputs["Strength"].default_value = 0.25
        node.inputs["Keep Colour"].default_value = 0.75
        again = compositor.insert(scene, styled, "Scene", 3, 5)
        sliders = [round(again.inputs[name].default_value, 3) for name in ("Strength", "Keep Colour", "Matte")]
        twice = links()
        removed = compositor.remove(scene)
        left = [len(bpy.data.node_groups) - groups, len(bpy.data.images) - images]
        result[case.__name__] = [before, once, twice, links(), sliders, removed, left, compositor.remove(scene)]

    # The artist builds on a tree that Paintover made, and keeps the work when Paintover goes.
    none()
    node = compositor.insert(scene, styled, "Scene", 2, 5)
    tree = node.id_data
    blur = tree.nodes.new("CompositorNodeBlur")
    tree.links.new(node.inputs["Image"].links[0].from_socket, blur.inputs["Image"])
    tree.links.new(blur.outputs["Image"], node.inputs["Image"])
    compositor.remove(scene)
    result["built on"] = [
        [link.from_node.bl_idname, link.to_node.bl_idname]
        for link in tree.links
        if not link.to_node.bl_idname.endswith(("Viewer", "Reroute"))
    ]
    return result


def test_in_and_out_without_a_trace(blender, tmp_path):
    for frame in STYLED:
        paint(tmp_path / "styled", frame)
    result = blender(insert_and_remove, tmp_path)
    built = result.pop("built on")
    assert [built[0][1], built[1][0]] == ["CompositorNodeBlur", "CompositorNodeBlur"] or [
        built[0][0],
        built[1][1],
    ] == ["CompositorNodeBlur", "CompositorNodeBlur"], built
    for case, (before, once, twice, after, sliders, removed, left, removed_again) in result.items():
        assert after == before, case
        assert once == twice, case
        assert once[0].count("Paintover") == 1, case
        assert sliders == [0.25, 0.75, 1.0], case
        assert removed and not removed_again, case
        assert left == [0, 0], case

    before, once = result["grade"][:2]
    assert {tuple(link) for link in once[1]} ^ {tuple(link) for link in before[1]} == {
        tuple(link) for link in once[1] + before[1] if link[0] == "Blur" or "Paintover" in link
    }
    fed = {link[2] for link in once[1] if link[0] == "Paintover"}
    assert len(fed) == 2 and "Viewer" in fed
    assert {link[2] for link in result["inspect"][1][1] if link[0] == "Paintover"} == fed - {"Viewer"}


def two_scenes(folder):
    """Two scenes with the same compositor nodes: what each has after each step is done to one of them."""
    from pathlib import Path

    import bpy
    from paintover import compat, compositor, styled_group

    one = bpy.context.scene
    tree = compat.use_compositor_tree(one)
    tree.nodes.clear()
    compat.output_sockets(tree)
    layers, blur = tree.nodes.new("CompositorNodeRLayers"), tree.nodes.new("CompositorNodeBlur")
    tree.links.new(layers.outputs["Image"], blur.inputs["Image"])
    tree.links.new(blur.outputs["Image"], compat.new_output(tree).inputs[0])
    two = one.copy()
    two.name = "Two"

    def state(scene):
        node = compositor.find(scene)
        tree = compat.compositor_tree(scene)
        links = sorted(f"{link.from_node.name} > {link.to_node.name}" for link in tree.links)
        return [links, Path(styled_group.image_of(node.node_tree).filepath).parent.name if node else None]

    steps = {"before": [state(one), state(two)]}
    shared = compat.compositor_sharers(one) == ["Two"] and compat.compositor_sharers(two) == ["Scene"]
    for step, call in (
        ("one in", lambda: compositor.insert(one, Path(folder) / "styled", "Scene", 2, 5)),
        ("shared again", lambda: setattr(two, "compositing_node_group", compat.compositor_tree(one))),
        ("two in", lambda: compositor.insert(two, Path(folder) / "others", "Scene", 2, 5)),
        ("one out", lambda: compositor.remove(one)),
        ("shared with two", lambda: setattr(one, "compositing_node_group", compat.compositor_tree(two))),
        ("one out again", lambda: compositor.remove(one)),
        ("two out", lambda: compositor.remove(two)),
    ):
        if compat.IS_5 or "shared" not in step:  # in 4.5 each scene has a tree of its own
            call()
        steps[step] = [state(one), state(two)]
    return [shared, compat.IS_5, steps, [image.name for image in bpy.data.images if image.source == "SEQUENCE"]]


def test_a_scene_leaves_the_nodes_of_another_alone(blender, tmp_path):
    for folder in ("styled", "others"):
        paint(tmp_path / folder, 2)
    shared, is_5, steps, images = blender(two_scenes, tmp_path)
    assert shared == is_5
    (plain, other) = steps["before"]
    assert plain == other and plain[0]
    first = steps["one in"][0]
    assert first[1] == "styled" and steps["one in"][1] == plain
    second = [first[0], "others"]
    assert steps["two in"] == [first, second]
    assert steps["one out"] == [plain, second]
    assert steps["one out again"] == [plain, second]
    assert steps["two out"] == [plain, plain]
    assert images == []


def style_more(folder):
    """The frames that the node in the compositor shows, when the look has been given to more of them."""
    from pathlib import Path

    import bpy
    from paintover import compositor, paths
    from paintover.operators import apply
    from paintover.operators import compositor as operators

    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    places = paths.places(scene)
    places.passes.mkdir(parents=True)
    places.look.touch()
    (places.passes / "Scene_0002.exr").touch()

    def style(frame):
        places.styled.mkdir(exist_ok=True)
        Path(folder, "styled", f"Scene_{frame:04d}.exr").rename(places.styled / f"Scene_{frame:04d}.exr")
        apply.apply_look_work(scene).finish({})

    def shown():
        node = compositor.find(scene)
        picture = next(node for node in node.node_tree.nodes if node.bl_idname == "CompositorNodeImage")
        return [picture.frame_start, picture.frame_duration, round(node.inputs["Strength"].default_value, 3)]

    style(3)
    out = [compositor.find(scene) is None]
    operators.compositor_insert(scene).inputs["Strength"].default_value = 0.5
    out.append(shown())
    style(5)
    return [*out, shown()]


def test_the_compositor_shows_the_frames_that_have_come(blender, tmp_path):
    for frame in (3, 5):
        paint(tmp_path / "styled", frame)
    assert blender(style_more, tmp_path) == [True, [3, 1, 0.5], [3, 3, 0.5]]


def refuse(folder):
    """Final frames that the shot cannot give."""
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
    out["written"] = sorted(path.name for path in Path(folder).glob("own_*"))
    if compat.IS_5:  # 4.5 knows no such template
        scene.render.filepath = folder + "/{scene_name}_"
        final.render_final(scene, places.passes, places.name, 1, 1)
        out["named"] = [scene.name, *sorted(path.name for path in Path(folder).glob("Scene*"))]
    layer.name = "Other"
    out["no such layer"] = refused(1, 2)
    return out


def test_final_frames_that_the_shot_cannot_give(blender, tmp_path):
    out = blender(refuse, tmp_path)
    assert out.pop("well") is None
    assert out.pop("written") == ["own_0001.png", "own_0002.png"]
    assert out.pop("named", None) in (None, ["Scene", "Scene_0001.png"])
    codes = {case: answer[0] for case, answer in out.items()}
    assert codes == {
        "no such frame": "frame-range",
        "turned round": "frame-range",
        "no such pass": "shot",
        "no such layer": "shot",
    }
    assert all(remedy and untouched for _, _, remedy, untouched in out.values()), out
    assert "Mist" in out["no such pass"][1] and "Other" in out["no such layer"][1]
