"""The passes that a look reads: which are missing, and switching them on."""

import bpy

from .backend.passes import PASSES

NEEDED = tuple(PASSES.values())
CRYPTOMATTE_DEPTH = 2  # one EXR layer: the two objects that cover most of a pixel
NOT_RENDERED = "The sequencer, or a compositor without Render Layers, makes the picture: no passes are saved."


def missing(view_layer: bpy.types.ViewLayer) -> list[str]:
    """The labels of the needed passes that ``view_layer`` will not render, in the order of NEEDED."""
    return [needed.label for needed in NEEDED if not getattr(view_layer, needed.attribute)]


def warnings(scene: bpy.types.Scene) -> list[str]:
    """What would make the passes useless although they are on, in the artist's words. Empty: all is well."""
    found = []
    if scene.render.use_motion_blur:
        found.append("Motion Blur is on: Blender leaves the Vector pass empty. Switch off Render > Motion Blur.")
    return found


def enable(view_layer: bpy.types.ViewLayer) -> list[str]:
    """Switch on what is missing. Gives the labels that were switched on. Leaves motion blur to the artist."""
    switched = missing(view_layer)
    if not any(getattr(view_layer, f"use_pass_cryptomatte_{kind}") for kind in ("object", "material", "asset")):
        view_layer.pass_cryptomatte_depth = CRYPTOMATTE_DEPTH  # an artist's own mattes keep their levels
    for needed in NEEDED:
        setattr(view_layer, needed.attribute, True)
    return switched


def main_layer(scene: bpy.types.Scene) -> bpy.types.ViewLayer:
    """The view layer that a shot is made of: the first that is used for rendering, else the first."""
    return next((layer for layer in scene.view_layers if layer.use), scene.view_layers[0])
