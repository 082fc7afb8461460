"""Blender's registry of classes: operators, panels, property groups."""

from typing import Any

import bpy


def register_all(classes: tuple[type[Any], ...]) -> None:
    for cls in classes:
        bpy.utils.register_class(cls)


def unregister_all(classes: tuple[type[Any], ...]) -> None:
    for cls in reversed(classes):
        bpy.utils.unregister_class(cls)
