"""Styled images on materials: a new node in the old one's place, and the old one kept."""

import numpy as np
import OpenImageIO as oiio


def write(path, value) -> None:
    """A small picture of one colour."""
    path.parent.mkdir(exist_ok=True)
    image = oiio.ImageOutput.create(str(path))
    image.open(str(path), oiio.ImageSpec(8, 8, 4, oiio.HALF if path.suffix == ".exr" else oiio.UINT8))
    image.write_image(np.full((8, 8, 4), value, np.float32))
    image.close()


def put_on(folder):
    """New textures on several materials."""
    from pathlib import Path

    import bpy
    from paintover import textures
    from paintover.backend import errors

    folder = Path(folder)
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "shot.blend"))
    cube = bpy.data.objects["Cube"]
    material = cube.active_material
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    tree = material.node_tree
    shader = next(node for node in tree.nodes if node.bl_idname == "ShaderNodeBsdfPrincipled")
    out = {}

    def links():
        return sorted(
            [link.from_node.name, link.from_socket.name, link.to_node.name, link.to_socket.name] for link in tree.links
        )

    source = bpy.data.images.load(str(folder / "wood.png"))
    old, second, other = (tree.nodes.new("ShaderNodeTexImage") for _ in range(3))
    old.image, second.image, other.image = source, source, bpy.data.images.new("other", 4, 4)
    old.extension, old.interpolation, old.projection = "CLIP", "Closest", "BOX"
    second.extension = "MIRROR"
    coordinates = tree.nodes.new("ShaderNodeTexCoord")
    tree.links.new(coordinates.outputs["UV"], old.inputs["Vector"])
    tree.links.new(old.outputs["Color"], shader.inputs["Base Color"])
    tree.links.new(old.outputs["Alpha"], shader.inputs["Alpha"])
    tree.links.new(other.outputs["Color"], shader.inputs["Roughness"])
    tree.links.new(second.outputs["Color"], shader.inputs["Emission Color"])
    before = links()

    styled = textures.styled_image(folder / "styled" / "wood.png")
    new = textures.new_texture(cube, styled, source)
    new.name, old.name = "New", "Old"
    out["names"] = [new.name, old.name, coordinates.name, shader.name, other.name]
    out["before"], out["after"] = before, links()
    twin = shader.inputs["Emission Color"].links[0].from_node
    out["twin"] = [twin not in (new, second), twin.image == styled, twin.extension]
    out["placed"] = [new.extension, new.interpolation, new.projection, new.image.filepath.replace("\\", "/")]
    out["kept"] = [old.image == source, old.name in tree.nodes, tree.nodes.active == new]
    count = len(tree.nodes), len(bpy.data.images)
    again = textures.new_texture(material, textures.styled_image(folder / "styled" / "wood.png"), source)
    out["again"] = [again == new, count == (len(tree.nodes), len(bpy.data.images)), links() == out["after"]]

    plain = bpy.data.materials.new("Plain")
    if bpy.app.version < (5, 0, 0):
        plain.use_nodes = True
    first = folder / "styled" / "Scene_0003.exr"
    frame = textures.styled_image(first)
    shown = textures.new_texture(plain, frame)
    out["frame"] = [frame.colorspace_settings.name, frame.source, shown.outputs["Color"].links[0].to_socket.name]
    out["value"] = [round(value, 4) for value in frame.pixels[:4]]
    sequence = textures.styled_image(first, (3, 5))
    node = textures.new_texture(plain, sequence, frame, (3, 5))
    user = node.image_user
    out["sequence"] = [sequence.source, sequence == textures.styled_image(first, (3, 5)), sequence != frame]
    out["user"] = [user.frame_start, user.frame_duration, user.frame_offset, user.use_auto_refresh]
    out["taken over"] = [node.outputs["Color"].links[0].to_socket.name, shown.outputs["Color"].is_linked]

    out["errors"] = []
    cube.data.materials.clear()
    for call in (lambda: textures.new_texture(cube, styled), lambda: textures.styled_image(folder / "no.png")):
        try:
            call()
        except errors.PaintoverError as error:
            out["errors"].append([error.code, error.remedy])
    return out


def test_textures(blender, tmp_path):
    write(tmp_path / "wood.png", 0.25)
    write(tmp_path / "styled" / "wood.png", 0.75)
    for frame in (3, 4, 5):
        write(tmp_path / "styled" / f"Scene_{frame:04d}.exr", 0.5)
    out = blender(put_on, tmp_path)
    new, old, coordinates, shader, other = out["names"]
    assert [coordinates, "UV", old, "Vector"] in out["after"], "the old node keeps its mapping"
    assert [coordinates, "UV", new, "Vector"] in out["after"]
    assert [new, "Color", shader, "Base Color"] in out["after"]
    assert [new, "Alpha", shader, "Alpha"] in out["after"]
    assert [other, "Color", shader, "Roughness"] in out["after"], "another image's links stay"
    assert old not in [link[0] for link in out["after"]]
    assert len(out["after"]) == len(out["before"]) + 1
    assert out["placed"] == ["CLIP", "Closest", "BOX", "//styled/wood.png"]
    assert out["twin"] == [True, True, "MIRROR"], "each use of the source keeps its own mapping"
    assert out["kept"] == [True, True, True]
    assert out["again"] == [True, True, True]
    assert out["frame"][0] in {"scene_linear", "Linear Rec.709"}
    assert out["frame"][1:] == ["FILE", "Base Color"]
    assert out["value"] == [0.5, 0.5, 0.5, 0.5], "premultiplied half floats, read as they are"
    assert out["sequence"] == ["SEQUENCE", True, True]
    assert out["user"] == [3, 3, 2, True]
    assert out["taken over"] == ["Base Color", False]
    assert [code for code, _ in out["errors"]] == ["usage", "output"]
    assert all(remedy for _, remedy in out["errors"])
