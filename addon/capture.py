"""Every render becomes a shot: the Render Result, saved as one multilayer EXR per frame. Nothing is rendered twice.

Handlers may run in Blender's render thread: they read, save, and call back with plain Python values. They never raise
into the artist's render; what went wrong waits in ``last_error`` for the panel.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy

from .backend import errors

FrameHook = Callable[[str, int, Path], None]
"""(scene name, frame number, the frame's EXR): that frame is whole, on disk. May be called in the render thread."""

last_error: errors.PaintoverError | None = None
"""What the newest capture failed with; None once one has succeeded."""


def register() -> None:
    """Listen to every render."""
    raise NotImplementedError


def unregister() -> None:
    """Stop listening. Hooks are forgotten."""
    raise NotImplementedError


def is_on(scene: bpy.types.Scene) -> bool:
    """Whether the artist wants the passes of every render kept (``scene.paintover.save_passes``)."""
    raise NotImplementedError


def on_frame(hook: FrameHook) -> None:
    """Call ``hook`` whenever a frame of passes is on disk. The same hook twice counts once."""
    raise NotImplementedError


def off_frame(hook: FrameHook) -> None:
    """Stop calling ``hook``."""
    raise NotImplementedError


@contextmanager
def suspended() -> Iterator[None]:
    """No render is captured inside: for composites that read the passes from disk."""
    raise NotImplementedError
    yield


def view_info(scene: bpy.types.Scene) -> dict[str, Any]:
    """How the scene shows its pixels: the "view" part of shot.json (config, display, view, look, exposure, ...)."""
    raise NotImplementedError


def save(scene: bpy.types.Scene, frame: int, path: Path) -> None:
    """The Render Result as a multilayer EXR at ``path``, atomically. Settings are as before. Raises OutputError."""
    raise NotImplementedError


def write_card(scene: bpy.types.Scene, folder: Path) -> Path:
    """``shot.json`` in ``folder``: what the frames do not say themselves. Raises OutputError."""
    raise NotImplementedError


def render_range(
    scene: bpy.types.Scene,
    first: int,
    last: int,
    on_progress: Callable[[int, int], bool] | None = None,
) -> list[Path]:
    """Render the passes of ``first``..``last`` and wait. Gives the frames' EXRs.

    No compositing, no sequencer, nothing written but the shot; current frame and settings are as before afterwards.
    ``on_progress(done, total)`` after each frame: False stops. Raises ShotError (no camera), OutputError.
    """
    raise NotImplementedError


class RangeRender:
    """``render_range`` in the window: one render job per frame, so that Blender stays usable and Esc cancels.

    Start it from the main thread; poll ``done`` from a timer or a modal operator. When ``done``: ``paths`` holds the
    frames, ``error`` what failed (``Cancelled`` after Esc), and the scene is as it was before.
    """

    done: bool
    paths: list[Path]
    error: errors.PaintoverError | None
    fraction: float

    def __init__(self, scene: bpy.types.Scene, first: int, last: int) -> None:
        raise NotImplementedError

    def start(self) -> None:
        """Begin with the first frame."""
        raise NotImplementedError

    def cancel(self) -> None:
        """Stop after what is rendering now; frames that are whole stay."""
        raise NotImplementedError
