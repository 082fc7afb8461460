"""What Paintover remembers in the .blend: ``scene.paintover``."""

# Blender declares properties by calls in annotations, which mypy takes for types.
# mypy: disable-error-code="valid-type"

from typing import TYPE_CHECKING

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from . import passes
from .classes import register_all, unregister_all

if TYPE_CHECKING:
    from bpy.types import Context, Scene

RELATIVE = {"PATH_SUPPORTS_BLEND_RELATIVE"}  # options of a path that may begin with //

RANGES = (
    ("STILL", "This Frame", "The current frame only"),
    ("RANGE", "Range", "From one frame to another"),
    ("ALL", "Whole Shot", "The scene's frame range. To stylise: every frame that has been rendered"),
)


class PaintedKeyframe(bpy.types.PropertyGroup):
    """One painted frame: the look learns from it."""

    frame: IntProperty(name="Frame", description="Which frame of the shot was painted over")
    painting: StringProperty(
        name="Painting", description="The painted picture of this frame", subtype="FILE_PATH", options=RELATIVE
    )


def _switch_on_passes(settings: "ShotSettings", _context: "Context") -> None:
    """Who wants the passes of every render kept, or stylised, wants them rendered."""
    if settings.save_passes or settings.stylise:
        scene: Scene = settings.id_data  # type: ignore[assignment]
        passes.enable(passes.main_layer(scene))


class ShotSettings(bpy.types.PropertyGroup):
    """Everything about this scene's shot and its look."""

    save_passes: BoolProperty(
        name="Save Passes",
        description="Switch on the passes that a look needs, and save them after every render that you make",
        default=False,
        update=_switch_on_passes,
    )
    stylise: BoolProperty(
        name="Stylise While Rendering",
        description="Apply the look to each frame as soon as it is rendered, while Blender renders the next one",
        default=False,
        update=_switch_on_passes,
    )
    look: StringProperty(
        name="Look",
        description="The look file to train and to apply. Empty: one beside the passes",
        subtype="FILE_PATH",
        options=RELATIVE,
    )
    seconds: IntProperty(
        name="Seconds",
        description="How long to train. It may be stopped earlier, and continued later",
        default=60,
        min=1,
        soft_max=1800,
    )
    seed: IntProperty(name="Seed", description="Same seed, same result", default=0, min=0)

    keyframes: CollectionProperty(type=PaintedKeyframe, name="Painted Frames")
    keyframe_index: IntProperty(name="Painted Frame", description="The painted frame that is selected", min=0)

    range: EnumProperty(name="Frames", description="Which frames to work on", items=RANGES, default="ALL")
    frame_start: IntProperty(name="First", description="First frame to work on", default=1, min=0)
    frame_end: IntProperty(name="Last", description="Last frame to work on", default=250, min=0)

    before: StringProperty(
        name="Before",
        description="The settings that come back when Render Passes ends. Empty: none are different",
        options={"HIDDEN"},
    )

    texture_look: StringProperty(
        name="Texture Look",
        description="A look that was trained on colour alone. Empty: one beside the passes",
        subtype="FILE_PATH",
        options=RELATIVE,
    )
    texture_painting: StringProperty(
        name="Painted Texture",
        description="The painted-over copy of the active texture",
        subtype="FILE_PATH",
        options=RELATIVE,
    )


def of(scene: "Scene") -> ShotSettings:
    """The settings of a scene, with their type."""
    settings: ShotSettings = scene.paintover  # type: ignore[attr-defined]
    return settings


CLASSES = (PaintedKeyframe, ShotSettings)


def register() -> None:
    register_all(CLASSES)
    bpy.types.Scene.paintover = PointerProperty(type=ShotSettings)  # type: ignore[attr-defined]


def unregister() -> None:
    del bpy.types.Scene.paintover  # type: ignore[attr-defined]
    unregister_all(CLASSES)
