"""Runs inside Blender: everything that an add-on can leave behind in it."""

import threading

import bpy
import bpy.utils.previews

BASES = ("Operator", "Panel", "Menu", "Header", "UIList", "PropertyGroup", "AddonPreferences")
TYPES = ("Scene", "WindowManager", "Object", "Image", "Material", "World", "Text", "NodeTree", "ImageUser")


def drawn() -> dict[str, list[str]]:
    """What add-ons have appended to menus, headers and panels."""
    found = {}
    for name in dir(bpy.types):
        functions = getattr(getattr(getattr(bpy.types, name), "draw", None), "_draw_funcs", None)
        if functions is not None:
            found[name] = [repr(function) for function in functions]
    return found


def traces() -> dict[str, object]:
    """Equal before and after: nothing was left."""
    from paintover import pictures, stylise

    handlers = bpy.app.handlers
    lists = [name for name in dir(handlers) if isinstance(getattr(handlers, name), list)]
    timers = (pictures._read_waiting, stylise._tick)
    return {
        "classes": sorted(
            cls.__name__
            for base in BASES
            for cls in getattr(bpy.types, base).__subclasses__()  # Blender registers some of its own late
            if cls.is_registered and cls.__module__.startswith("paintover")
        ),
        "types": sorted(name for name in dir(bpy.types) if "paintover" in name.lower()),
        "operators": sorted(dir(bpy.ops.paintover)),
        "handlers": {name: [repr(function) for function in getattr(handlers, name)] for name in lists},
        "timers": [timer.__name__ for timer in timers if bpy.app.timers.is_registered(timer)],
        "properties": {name: sorted(getattr(bpy.types, name).bl_rna.properties.keys()) for name in TYPES},
        "menus": drawn(),
        "previews": len(bpy.utils.previews._uuid_open),
        "threads": sorted(thread.name for thread in threading.enumerate()),
    }
