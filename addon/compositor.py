"""The node group *Paintover* in the artist's compositor: in, replaced, and out again without a trace."""

from pathlib import Path

import bpy

from . import artists_tree, compat, image_sequence, paths, styled_group
from .artists_tree import EFFECT, MARK
from .backend import errors
from .compat import Node
from .node_builder import image_of


def find(scene: bpy.types.Scene) -> bpy.types.Node | None:
    """The scene's Paintover node, if it has one. Its inputs Strength, Keep Luminance, Keep Colour are sliders."""
    looks = (node for node in artists_tree.groups(scene) if EFFECT not in node.node_tree)
    found: bpy.types.Node | None = next(looks, None)
    return found


def insert(scene: bpy.types.Scene, frames_folder: Path, name: str, first: int, last: int) -> bpy.types.Node:
    """Put the styled frames ``NAME_####.exr`` in the place of the scene's render: between its image, denoised where the
    artist's nodes do that first, and all that is done to it on its way to the output or a viewer. Where the output
    does not show that image, right before the output.

    No other link changes. A second call replaces the frames and keeps the artist's slider values and links. Where
    there is no tree yet: render layers -> Paintover -> output. Frames outside ``first``..``last``, and frames that are
    missing on disk, show the unstyled image. A tree that other scenes use too stays as it is: this scene gets a copy.
    Raises OutputError when ``frames_folder`` has no such frame.
    """
    there = [frame for frame in paths.frames_in(frames_folder, name) if first <= frame <= last]
    if not there:
        raise errors.OutputError(
            f"There are no styled frames {first} to {last} in {frames_folder}.",
            "Apply a look first.",
            frames=[first, last],
        )
    tree = artists_tree.use(scene)
    node: Node = find(scene) or artists_tree.add(tree, scene, styled_group.new(), styled_group.NAME, by_the_render=True)
    if node.node_tree.users > 1:  # the scene was copied: each scene has frames of its own
        node.node_tree = node.node_tree.copy()
    image = sequence(paths.frame_path(frames_folder, name, there[0]), image_of(node.node_tree))
    styled_group.fill(node.node_tree, image, first, last)
    placed: bpy.types.Node = node
    return placed


def sequence(first_file: Path, image: bpy.types.Image | None = None) -> bpy.types.Image:
    """The styled frames that ``first_file`` begins. Reuses ``image``, unless somebody else shows it too."""
    ours = image if image is not None and image.users <= 1 else None
    styled = image_sequence.load(first_file, ours, styled_group.NAME, "PREMUL", compat.scene_linear())
    styled[MARK] = True
    return styled


def remove(scene: bpy.types.Scene) -> bool:
    """Take Paintover out: the tree is link for link as it was. False when there was none.

    A tree that other scenes use too stays as it is: this scene gets a copy.
    """
    node = find(scene)
    if node is None:
        return False
    _drop_group(artists_tree.take_out(scene, node.name))
    return True


def _drop_group(group: bpy.types.NodeTree) -> None:
    if group.users:
        return
    image = image_of(group)
    bpy.data.node_groups.remove(group)
    if image is not None and not image.users and image.get(MARK):
        bpy.data.images.remove(image)
