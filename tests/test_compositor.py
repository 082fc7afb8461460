"""Paintover's node in the artist's compositor: in, replaced, out."""

from styled_frames import STYLED, paint


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

    def clean_first():
        tree, (layers, clean, blur, out) = start(
            "CompositorNodeRLayers", "CompositorNodeDenoise", "CompositorNodeBlur", output
        )
        tree.links.new(layers.outputs["Image"], clean.inputs["Image"])
        tree.links.new(clean.outputs["Image"], blur.inputs["Image"])
        tree.links.new(blur.outputs["Image"], out.inputs[0])

    def passes():
        tree, (layers, invert, out) = start("CompositorNodeRLayers", "CompositorNodeInvert", output)
        tree.links.new(layers.outputs["Alpha"], invert.inputs["Color"])
        tree.links.new(invert.outputs["Color"], out.inputs[0])

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
    for case in (none, grade, clean_first, passes, inspect, loose, no_output, empty):
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

    def changed(case):
        before, once = ({(link[0], link[2]) for link in links} for _, links in result[case][:2])
        return before - once, once - before

    # What the artist does to the render is done to the styled one.
    assert changed("grade") == (
        {("Render Layers", "Blur")},
        {("Render Layers", "Paintover"), ("Paintover", "Blur")},
    )
    assert changed("clean_first") == (
        {("Denoise", "Blur")},
        {("Denoise", "Paintover"), ("Paintover", "Blur")},
    )
    # Where the output shows no render's image, nor is done to it what could be done to a styled one.
    (last, out), *more = changed("passes")[0]
    assert (last, more) == ("Invert Color", [])
    assert changed("passes")[1] == {("Invert Color", "Paintover"), ("Paintover", out)}
    assert changed("inspect") == ({("Render Layers", out)}, {("Render Layers", "Paintover"), ("Paintover", out)})


def two_scenes(folder):
    """Two scenes with the same compositor nodes: what each has after each step is done to one of them."""
    from pathlib import Path

    import bpy
    from paintover import compat, compositor
    from paintover.node_builder import image_of

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
        return [links, Path(image_of(node.node_tree).filepath).parent.name if node else None]

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


def linked(folder):
    """A node of ours in a compositor that comes from another file, after the file was saved and opened again."""
    from pathlib import Path

    import bpy
    from paintover import compat, compositor

    if not compat.IS_5:
        return None  # each scene has a tree of its own
    tree = compat.use_compositor_tree(bpy.context.scene)
    tree.name = "House"
    bpy.data.libraries.write(folder + "/house.blend", {tree})
    bpy.ops.wm.read_homefile(use_empty=False)
    with bpy.data.libraries.load(folder + "/house.blend", link=True) as (_, here):
        here.node_groups = ["House"]
    bpy.context.scene.compositing_node_group = bpy.data.node_groups["House"]
    compositor.insert(bpy.context.scene, Path(folder) / "styled", "Scene", 2, 5)
    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    bpy.ops.wm.open_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    return [compositor.find(scene) is not None, scene.compositing_node_group.library is None]


def test_in_a_linked_compositor_it_stays(blender, tmp_path):
    paint(tmp_path / "styled", 2)
    assert blender(linked, tmp_path) in (None, [True, True])


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
    """The frames that the node in the compositor shows, when the look has been given to more of them, and what the
    panel says.
    """
    import os
    from pathlib import Path

    import bpy
    from paintover import compositor, jobs, paths, status
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
        apply.apply_look_work(scene).finish({"unreached": [], "dropped": []})

    def shown():
        node = compositor.find(scene)
        picture = next(node for node in node.node_tree.nodes if node.bl_idname == "CompositorNodeImage")
        return [picture.frame_start, picture.frame_duration, round(node.inputs["Strength"].default_value, 3)]

    style(3)
    out = [compositor.find(scene) is None]
    operators.compositor_insert(scene).inputs["Strength"].default_value = 0.5
    out.append(shown())
    style(5)
    out.append(shown())
    said = []
    for missed, dropped in (([], []), ([5, 6, 9], []), ([], [2])):
        apply.apply_look_work(scene).finish({"unreached": missed, "dropped": dropped})
        said.append(jobs.session.notice)

    def told():
        return [line.text for line in (status.look(scene), status.styled(scene), *status.final(scene))]

    def changed(path, second):
        path.touch()
        os.utime(path, (second, second))

    for number, path in enumerate([places.look, *sorted(places.styled.iterdir())]):
        changed(path, 1000 + number)
    said.append(told())
    changed(places.look, 2000)
    keyframe = scene.paintover.keyframes.add()
    keyframe.frame, keyframe.painting = 2, folder + "/painted.png"
    changed(Path(keyframe.painting), 3000)
    said.append(told())
    return [*out, said]


def test_the_compositor_shows_the_frames_that_have_come(blender, tmp_path):
    for frame in (3, 5):
        paint(tmp_path / "styled", frame)
    *shown, said = blender(style_more, tmp_path)
    assert shown == [True, [3, 1, 0.5], [3, 3, 0.5]]
    assert said[0] == "" and said[1].startswith("No paint came to 5 to 6, 9:")
    assert said[2].startswith("The paintings of 2 were not laid")
    bare = "Not styled, so final frames show the render: 2"
    assert said[3] == ["Scene.look", "Styled: 2 frames, 3 to 5", bare]
    earlier = "Styled: 2 frames, 3 to 5; by an earlier look: 3, 5"
    assert said[4] == ["Scene.look; painted on since: 2", earlier, bare]
