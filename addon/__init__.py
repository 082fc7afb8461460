"""Paintover: paint one frame, get the shot.

Blender's side of the extension. Nothing here imports ``bpy`` before ``register``, so ``addon.client`` and
``addon.backend`` also work where there is no Blender.
"""

import gc
from types import ModuleType


def _parts() -> tuple[ModuleType, ...]:
    """The modules that register something, in the order in which they depend on each other."""
    from . import (
        capture,
        command,
        final,
        interim,
        jobs,
        menus,
        moving_in,
        panels,
        pictures,
        preferences,
        properties,
        stylise,
    )
    from .effect import properties as effect_properties
    from .effect import thumbnail
    from .operators import apply, backend, compositor, effects, exports, keyframes, passes, textures, train

    return (
        properties,
        effect_properties,
        preferences,
        pictures,
        jobs,
        capture,
        interim,
        final,
        moving_in,
        stylise,
        backend,
        passes,
        keyframes,
        train,
        apply,
        compositor,
        textures,
        effects,
        exports,
        thumbnail,
        panels,
        menus,
        command,
    )


def register() -> None:
    # None of what is made here is garbage: to look for some among all that Blender has takes as long as to make it.
    collects = gc.isenabled()
    gc.disable()
    try:
        for part in _parts():
            part.register()
    finally:
        if collects:
            gc.enable()


def unregister() -> None:
    for part in reversed(_parts()):
        part.unregister()
