"""Final frames out of the shot on disk: the artist's compositor and output settings, with nothing rendered again."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy

from . import capture, compat, paths
from .backend import errors
from .compat import Node
from .styled_group import NAME


def render_final(scene: bpy.types.Scene, passes_folder: Path, name: str, first: int, last: int) -> None:
    """Write ``first``..``last`` with the scene's own output settings, composited from ``passes_folder``.

    A movie is one file: give its whole range at once. The scene stays as it is; a sequencer is left out.
    Raises FrameRangeError (a frame is not in the shot), ShotError (a pass that the compositor needs is not, or Blender
    refused), Cancelled.
    """
    with composited_from_shot(scene, passes_folder, name, first, last) as copy, capture.suspended():
        try:
            result = bpy.ops.render.render(animation=True, scene=copy.name)
        except RuntimeError as error:
            reason = str(error).strip().removeprefix("Error: ")
            raise errors.ShotError(f"Blender did not write frames {first} to {last}: {reason}") from error
    if "CANCELLED" in result:
        raise errors.Cancelled("Cancelled. The frames that were written are kept.")


@contextmanager
def composited_from_shot(
    scene: bpy.types.Scene, passes_folder: Path, name: str, first: int, last: int
) -> Iterator[bpy.types.Scene]:
    """A passing copy of ``scene`` whose compositor reads the shot where the artist's reads Render Layers.

    A render of the copy composites and writes, and renders no view layer. The artist's tree is never touched.
    """
    there = set(paths.frames_in(passes_folder, name))
    gone = [frame for frame in range(first, last + 1) if frame not in there]
    if gone or first > last:
        raise errors.FrameRangeError(
            f"The shot in {passes_folder} has no frame {gone[0] if gone else last}.",
            "Render Passes for it, or choose other frames.",
            missing=gone,
        )
    image = bpy.data.images.load(str(paths.frame_path(passes_folder, name, first)))
    image.source = "SEQUENCE"
    scene_name = scene.name
    copy = scene.copy()
    tree: Node = compat.own_compositor_tree(copy)
    try:
        scene.name, copy.name = NAME, scene_name  # output paths may hold {scene_name}
        copy.render.use_compositing, copy.render.use_sequencer = True, False
        copy.frame_start, copy.frame_end, copy.frame_step = first, last, 1
        copy.frame_current = first
        for child in list(copy.collection.children):  # nothing is rendered, so there is nothing to prepare
            copy.collection.children.unlink(child)
        for thing in list(copy.collection.objects):
            copy.collection.objects.unlink(thing)
        for node in list(tree.nodes):
            _read_shot(tree, node, (scene, copy), image, (first, last))
        yield copy
    finally:
        compat.drop_own_compositor_tree(copy)
        bpy.data.scenes.remove(copy)
        scene.name = scene_name
        bpy.data.images.remove(image)


def _read_shot(
    tree: Node, node: Node, scenes: tuple[bpy.types.Scene, ...], image: bpy.types.Image, frames: tuple[int, int]
) -> None:
    """Let ``node`` read ``image``, if it is one that reads a render of ``scenes``."""
    if node.bl_idname == "CompositorNodeCryptomatteV2" and node.source == "RENDER" and node.scene in scenes:
        matte, layer = node.matte_id, node.layer_name
        node.source, node.image = "IMAGE", image
        node.layer_name, node.matte_id = layer, matte
        _play(node, frames)
    elif node.bl_idname == "CompositorNodeRLayers" and node.scene in scenes:
        reader: Node = tree.nodes.new("CompositorNodeImage")
        reader.image = image
        _play(reader, frames)
        if reader.has_layers and reader.layer != node.layer:
            try:
                reader.layer = node.layer
            except TypeError as error:  # an enum that does not know the name
                raise _not_in_shot(f"view layer {node.layer}") from error
        passes = {socket.name: socket for socket in reader.outputs}
        for output in node.outputs:
            for link in list(output.links):
                name = "Combined" if output.name == "Image" else output.name
                if name not in passes:
                    raise _not_in_shot(f"pass {name}")
                tree.links.new(passes[name], link.to_socket)
        tree.nodes.remove(node)


def _play(node: Node, frames: tuple[int, int]) -> None:
    first, last = frames
    node.frame_start, node.frame_duration, node.frame_offset = first, last - first + 1, first - 1


def _not_in_shot(what: str) -> errors.ShotError:
    return errors.ShotError(
        f"The compositor uses the {what}, and the shot on disk does not hold it.",
        "Render Passes again, now that it is switched on.",
    )
