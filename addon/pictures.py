"""Small pictures for panels: paintings and the training's preview, read again when their file changes.

Drawing must not read files into Blender. A panel asks for an icon; what is new is read a moment later, from a timer.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import bpy
import bpy.utils.previews

from . import jobs

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from bpy.utils.previews import ImagePreviewCollection

POLL_SECONDS = 0.5
SIZE = 256  # pixels of the longer side

_icons: "ImagePreviewCollection | None" = None
_read: dict[Path, int] = {}  # the file's time when it was read last
_waiting: set[Path] = set()


def icon(path: Path) -> int:
    """The icon that shows the picture at ``path``; 0 where there is none, or not yet."""
    if _icons is None or not path.is_file():
        return 0
    try:
        changed = path.stat().st_mtime_ns
    except OSError:  # just being replaced
        return 0
    if _read.get(path) != changed:
        _waiting.add(path)
        if not bpy.app.timers.is_registered(_read_waiting):
            bpy.app.timers.register(_read_waiting, first_interval=0.0)
    preview = _icons.get(str(path))
    return preview.icon_id if preview is not None else 0


def _read_waiting() -> float | None:
    if not bpy.app.background and bpy.app.is_job_running("RENDER"):
        return POLL_SECONDS  # a render may be reading images: none comes or goes meanwhile
    while _waiting and _icons is not None:
        path = _waiting.pop()
        if not path.is_file():
            continue
        _read[path] = path.stat().st_mtime_ns
        pixels = small(path)
        if pixels is None:
            continue
        preview = _icons.get(str(path)) or _icons.new(str(path))
        height, width = pixels.shape[:2]
        preview.image_size = (width, height)  # type: ignore[assignment]
        preview.image_pixels_float.foreach_set(pixels.ravel())  # type: ignore[arg-type]
    jobs.redraw()
    return None


def small(path: Path) -> "npt.NDArray[np.float32] | None":
    """The picture as float32 HxWx4, bottom row first, at most ``SIZE`` wide and high; None if it cannot be read."""
    import numpy as np  # late: Blender's start would wait for it

    try:
        image = bpy.data.images.load(str(path), check_existing=False)
    except RuntimeError:  # what Blender raises for a file that it cannot read
        return None
    try:
        width, height = (int(side) for side in image.size)  # type: ignore[attr-defined]
        if width == 0 or height == 0:
            return None
        pixels = np.empty(width * height * 4, np.float32)
        image.pixels.foreach_get(pixels)
    finally:
        bpy.data.images.remove(image)
    step = -(-max(width, height) // SIZE)
    rows, columns = max(height // step, 1), max(width // step, 1)
    cut = pixels.reshape(height, width, 4)[: rows * step, : columns * step]
    if min(height, width) < step:
        return np.ascontiguousarray(cut[::step, ::step])
    return np.ascontiguousarray(cut.reshape(rows, step, columns, step, 4).mean((1, 3)))


def register() -> None:
    global _icons
    _icons = bpy.utils.previews.new()


def unregister() -> None:
    global _icons
    if bpy.app.timers.is_registered(_read_waiting):
        bpy.app.timers.unregister(_read_waiting)
    if _icons is not None:
        bpy.utils.previews.remove(_icons)
        _icons = None
    _read.clear()
    _waiting.clear()
