"""Looks on textures: a styled frame as one, and looks that were trained on colour alone."""

from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from .. import compat, jobs, paths, properties, textures
from ..artists_tree import MARK
from ..backend.errors import LookError, PaintingError, UsageError
from ..classes import register_all, unregister_all
from ..images import file_of, save_image, showing
from ..shot import styled_frames
from .apply import styled_sequence
from .base import DirectOperator, WorkOperator
from .keyframes import save_painted
from .train import preview_file

if TYPE_CHECKING:
    from bpy.types import Context, Image, Material, Object, Scene, ShaderNodeTexImage


def active_material(thing: "Object | None") -> "Material":
    """The active material of the active object. Raises ``UsageError`` in the artist's words."""
    if thing is None:
        raise UsageError("No object is active.", "Select the object that has the material.")
    if thing.active_material is None:
        raise UsageError(f"{thing.name} has no material.", "Give it one in the Material properties.")
    return thing.active_material


def source_texture(material: "Material") -> "Image":
    """The image of the material's active image texture, or of its first; for one that Paintover made, what that was
    made of.

    Raises ``UsageError`` if there is none.
    """
    nodes = list(material.node_tree.nodes) if material.node_tree else []
    active = material.node_tree.nodes.active if material.node_tree else None
    for node in [active, *nodes]:
        if not isinstance(node, bpy.types.ShaderNodeTexImage):
            continue
        image = textures.made_of(node) if node.get(MARK) else node.image
        if image is not None:
            return image
    raise UsageError(f"{material.name} has no image texture.", "Select one in the Shader Editor.")


def texture_file(scene: "Scene", image: "Image") -> Path:
    """A file that holds the image as it is now: its own, or a copy where it is packed, generated or unsaved.

    Raises ``OutputError``.
    """
    own = file_of(image) if image.filepath else None
    if image.source == "FILE" and own is not None and own.is_file() and not image.packed_file and not image.is_dirty:
        return own
    copy = paths.places(scene).folder / "textures" / f"{paths.safe_name(image.name)}.png"
    save_image(image, copy)
    return copy


def texture_look_file(scene: "Scene") -> Path:
    chosen = properties.of(scene).texture_look
    places = paths.places(scene)
    return compat.absolute_path(chosen) if chosen else places.folder / f"{places.name}_texture.look"


def texture_train_work(scene: "Scene", thing: "Object | None") -> jobs.Work:
    """Train a look on one texture of the active material and its painted-over copy."""
    source = texture_file(scene, source_texture(active_material(thing)))
    settings = properties.of(scene)
    if not settings.texture_painting:
        raise PaintingError("No painted texture is chosen.", f"Paint over a copy of {source} and choose that file.")
    painting = compat.absolute_path(settings.texture_painting)
    if not painting.is_file():
        raise PaintingError(f"There is no painted texture at {painting}.", "Choose the file again.")
    save_painted([painting])
    params = {
        "images": {str(source): str(painting)},
        "out": str(texture_look_file(scene)),
        "seconds": settings.seconds,
        "seed": settings.seed,
        "preview": str(preview_file(scene)),
    }
    return jobs.request("Train Texture Look", "look.train", params, stoppable=True)


def texture_apply_work(scene: "Scene", thing: "Object | None") -> jobs.Work:
    """Give the texture look to the active texture: a new image texture on the active material."""
    import hashlib  # late: Blender's start would wait for it

    material = active_material(thing)
    image = source_texture(material)
    look = texture_look_file(scene)
    if not look.is_file():
        raise LookError(f"There is no texture look at {look}.", "Train one, or choose another file.", look=str(look))
    source = texture_file(scene, image)
    # Many folders have an albedo.png.
    place = hashlib.sha256(compat.portable_path(source).encode()).hexdigest()[:8]
    out = paths.places(scene).folder / "textures" / "styled" / place
    params = {"images": [str(source)], "look": str(look), "out": str(out)}
    material_name, image_name = material.name, image.name

    def finish(value: jobs.Report) -> None:
        if material_name not in bpy.data.materials:
            raise UsageError(f"The material {material_name} is no longer there.", "Apply the look again.")
        for path in (Path(written) for written in value["written"]):
            for stale in showing(path):
                stale.reload()
            target = bpy.data.materials[material_name]
            textures.new_texture(target, textures.styled_image(path), bpy.data.images.get(image_name))

    return jobs.request("Apply Texture Look", "look.apply", params, finish)


def texture_look_train(scene: "Scene", thing: "Object", on_progress: jobs.Sink | None = None) -> jobs.Report:
    """Train and wait: the backend's answer, with ``look``, ``steps``, ``seconds`` and ``scores``."""
    return jobs.run(texture_train_work(scene, thing), on_progress)


def texture_look_apply(scene: "Scene", thing: "Object", on_progress: jobs.Sink | None = None) -> jobs.Report:
    """Apply and wait: ``{"written": [paths]}``."""
    return jobs.run(texture_apply_work(scene, thing), on_progress)


def styled_as_texture(scene: "Scene", thing: "Object | None") -> "ShaderNodeTexImage":
    """Put the styled frames on the active material as a new image texture, playing with the shot."""
    material = active_material(thing)
    frames = styled_frames(scene)
    return textures.new_texture(material, styled_sequence(scene), frames=(frames[0], frames[-1]))


class StyledAsTexture(DirectOperator, bpy.types.Operator):
    bl_idname = "paintover.styled_as_texture"
    bl_label = "Styled Frames as Texture"
    bl_description = "Put the styled frames on the active material as a new image texture"
    bl_options = {"REGISTER", "UNDO"}

    def perform(self, context: "Context") -> str:
        node = styled_as_texture(context.scene, context.active_object)
        return f"{node.name} is on the active material."


class TextureLookTrain(WorkOperator, bpy.types.Operator):
    bl_idname = "paintover.texture_look_train"
    bl_label = "Train Texture Look"
    bl_description = "Learn from the active texture and its painted-over copy, by colour alone"

    def work(self, context: "Context") -> jobs.Work:
        return texture_train_work(context.scene, context.active_object)


class TextureLookApply(WorkOperator, bpy.types.Operator):
    bl_idname = "paintover.texture_look_apply"
    bl_label = "Apply Texture Look"
    bl_description = "Give the texture look to the active texture, as a new image texture on the material"
    bl_options = {"REGISTER", "UNDO"}

    def work(self, context: "Context") -> jobs.Work:
        return texture_apply_work(context.scene, context.active_object)


CLASSES = (StyledAsTexture, TextureLookTrain, TextureLookApply)


def register() -> None:
    register_all(CLASSES)


def unregister() -> None:
    unregister_all(CLASSES)
