"""Functions that Blender calls when something happens, each by the name of its list in ``bpy.app.handlers``."""

from collections.abc import Callable, Iterable
from typing import TypeAlias

import bpy

Listeners: TypeAlias = Iterable[tuple[str, Callable[..., None]]]


def listen(listeners: Listeners) -> None:
    """Let Blender call them."""
    for name, listener in listeners:
        getattr(bpy.app.handlers, name).append(listener)


def leave(listeners: Listeners) -> None:
    """Let Blender call them no more; loading another file has taken away those that are not persistent."""
    for name, listener in listeners:
        called = getattr(bpy.app.handlers, name)
        if listener in called:
            called.remove(listener)
