"""Every render becomes a shot: the Render Result, saved as one multilayer EXR per frame. Nothing is rendered twice.

Handlers may run in Blender's render thread: they read, save, and call back with plain Python values. They never raise
into the artist's render; what went wrong waits in ``last_error`` for the panel.

A frame is saved in ``render_post``, but ``render_post`` also comes for a still that Esc broke off. So the file waits
under a hidden name until Blender says that the frame was good (``render_write``, the next ``render_pre``,
``render_complete``); ``render_cancel`` throws it away.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import bpy
from bpy.app.handlers import persistent

from . import compat, exr, handlers, passes, paths, properties, saving, shot_card
from .backend import beside, errors

FrameHook = Callable[[str, int, Path], None]
"""(scene name, frame number, the frame's EXR): that frame is whole, on disk. May be called in the render thread."""

RENDER_RESULT = "Render Result"

last_error: errors.PaintoverError | None = None
"""What the newest capture failed with; None once one has succeeded."""


@dataclass(frozen=True)
class _Saved:
    """A frame that is written, but not yet known to be good."""

    scene: str
    frame: int
    hidden: Path
    path: Path


_hooks: list[FrameHook] = []
_end_hooks: list[Callable[[str], None]] = []
_waiting: list[_Saved] = []
_wanted: set[str] = set()  # scenes whose frames are kept whatever ``is_on`` says
_slot = 0  # of the Render Result, that Blender renders into


def is_on(scene: bpy.types.Scene) -> bool:
    """Whether the artist wants the passes of every render kept: Save Passes, or a look that is given to them."""
    settings = properties.of(scene)
    return bool(settings.save_passes or settings.stylise)


def on_frame(hook: FrameHook) -> None:
    """Call ``hook`` whenever a frame of passes is on disk. The same hook twice counts once."""
    if hook not in _hooks:
        _hooks.append(hook)


def off_frame(hook: FrameHook) -> None:
    """Stop calling ``hook``."""
    if hook in _hooks:
        _hooks.remove(hook)


def on_end(hook: Callable[[str], None]) -> None:
    """Call ``hook`` with the scene's name at the end of ``wanted``, however that ends. The same twice counts once."""
    if hook not in _end_hooks:
        _end_hooks.append(hook)


def off_end(hook: Callable[[str], None]) -> None:
    """Stop calling ``hook``."""
    if hook in _end_hooks:
        _end_hooks.remove(hook)


@contextmanager
def wanted(scene: bpy.types.Scene) -> Iterator[None]:
    """Every render of ``scene`` is captured inside, also where the artist has not asked for it."""
    name = scene.name
    _wanted.add(name)
    try:
        yield
    finally:
        _wanted.discard(name)
        for hook in tuple(_end_hooks):
            hook(name)


def is_wanted(scene: bpy.types.Scene) -> bool:
    """Whether this is a frame of ``wanted``, one still of many."""
    return scene.name in _wanted


def check_name(scene: bpy.types.Scene) -> None:
    """Raises ShotError where Blender, asked for the scene by its name, finds another."""
    if bpy.data.scenes[scene.name] != scene:
        raise errors.ShotError(
            f"The scene {scene.name} is linked, and this file has one of its own by that name.",
            "Rename the file's own scene: Blender would render that.",
        )


def check(scene: bpy.types.Scene) -> None:
    """Raises ShotError where a frame is more than one picture, or its file another scene's too."""
    check_name(scene)
    if scene.render.use_multiview:
        raise errors.ShotError(
            "Stereoscopy is on: a look is painted on one picture a frame.",
            "Switch off Output Properties > Stereoscopy, and render one eye after the other.",
        )
    folder = os.path.normcase(paths.safe_name(scene.name))
    for other in bpy.data.scenes:
        # Of a linked one nothing is kept here, unless it is rendered itself.
        if other != scene and other.library is None and os.path.normcase(paths.safe_name(other.name)) == folder:
            raise errors.ShotError(
                f"The scenes {scene.name} and {other.name} would share the folder {paths.places(scene).folder}.",
                "Rename one of them.",
            )


def save(scene: bpy.types.Scene, path: Path) -> None:
    """The Render Result as a multilayer EXR at ``path``. The scene's settings are as before. Raises OutputError,
    ShotError.
    """
    check(scene)
    if RENDER_RESULT not in bpy.data.images:
        raise errors.OutputError(
            f"Frame {scene.frame_current} could not be saved: Blender keeps no Render Result.",
            "Render it once more.",
            frame=scene.frame_current,
        )
    image = bpy.data.images[RENDER_RESULT]
    looked_at = image.render_slots.active_index
    try:  # the artist may compare with another slot while this one renders
        if looked_at != _slot:
            image.render_slots.active_index = _slot
        saving.save_image(image, scene, path, compat.use_multilayer_exr)
    finally:
        if looked_at != _slot:
            image.render_slots.active_index = looked_at


def _remove(hidden: Path) -> None:
    """One that nobody will rename; as a rule it is not there any more."""
    with suppress(OSError):
        hidden.unlink()


def _is_captured(scene: bpy.types.Scene) -> bool:
    return is_wanted(scene) or (is_on(scene) and compat.renders_view_layers(scene))


def _check_trial(scene: bpy.types.Scene, name: str, path: Path) -> None:
    """A trial must not cost a frame that is there, or the shot whose other frames are not like it; who wants regions or
    small frames alone presses Render Passes.
    """
    if is_wanted(scene):
        return
    render, folder, there = scene.render, path.parent, path.is_file()
    first = [paths.frame_path(folder, name, number) for number in paths.frames_in(folder, name)[:1]]
    others = [other for other in ([path] if there else first) if exr.is_whole(other)]
    if render.use_border and there:
        reason, remedy = "only a region of it was rendered", "Switch Render Region off, or press Render Passes."
    elif render.resolution_percentage < 100 and any(exr.size(other) > size_of(scene) for other in others):
        reason, remedy = "it was rendered smaller than the shot", "Set Resolution > % to 100, or press Render Passes."
    elif render.use_motion_blur and others and shot_card.read(folder).get("motion_blur") is False:
        reason, remedy = "Motion Blur is on, and leaves the Vector pass empty", "Switch Render > Motion Blur off."
    else:
        return
    kept = "keeps the passes that it had" if there else "was not kept"
    raise errors.ShotError(f"Frame {scene.frame_current} {kept}: {reason}.", remedy, frame=scene.frame_current)


def size_of(scene: bpy.types.Scene) -> tuple[int, int]:
    """Width and height of what the scene renders, in pixels, where that is not cropped to a region."""
    render = scene.render
    width, height = (side * render.resolution_percentage // 100 for side in (render.resolution_x, render.resolution_y))
    return width, height


def _fail(scene: bpy.types.Scene, error: errors.PaintoverError) -> None:
    """Let the panel say it, or the terminal; Render Passes says it itself."""
    global last_error
    last_error = error
    if bpy.app.background and not is_wanted(scene):
        print(f"Paintover: {error}", file=sys.stderr, flush=True)


@persistent  # type: ignore[untyped-decorator]
def _on_post(scene: bpy.types.Scene, _depsgraph: object = None) -> None:
    global last_error
    if not _is_captured(scene):
        return
    places = paths.places(scene)
    path = paths.frame_path(places.passes, places.name, scene.frame_current)
    hidden = beside.part_of(path)
    try:
        _check_trial(scene, places.name, path)
        beside.sweep(places.passes)
        save(scene, hidden)
        shot_card.write(scene, places.passes, hidden)
    except errors.PaintoverError as error:
        _fail(scene, error)
        _remove(hidden)
    else:
        last_error = None
        _waiting.append(_Saved(scene.name, scene.frame_current, hidden, path))


@persistent  # type: ignore[untyped-decorator]
def _on_good(scene: bpy.types.Scene, _depsgraph: object = None) -> None:
    while _waiting:
        saved = _waiting.pop(0)
        try:
            beside.put(saved.hidden, saved.path)
        except OSError as error:
            _fail(scene, errors.OutputError(f"{saved.path} cannot be written: {error}.", "Look at the folder."))
            _remove(saved.hidden)
            continue
        for hook in tuple(_hooks):
            hook(saved.scene, saved.frame, saved.path)


@persistent  # type: ignore[untyped-decorator]
def _on_cancel(_scene: bpy.types.Scene, _depsgraph: object = None) -> None:
    while _waiting:
        _remove(_waiting.pop().hidden)


@persistent  # type: ignore[untyped-decorator]
def _on_init(scene: bpy.types.Scene, _depsgraph: object = None) -> None:
    """Without a window: see to it that there is something to save, before Blender reads the scene's settings.

    ``-a`` and ``-f`` render a .blend that perhaps nobody has prepared, and may have loaded it before this add-on. In a
    window this comes from another thread, and the artist has buttons.
    """
    global _slot
    image: bpy.types.Image | None = bpy.data.images.get(RENDER_RESULT)
    _slot = image.render_slots.active_index if image is not None else 0
    if not bpy.app.background or not (is_on(scene) or is_wanted(scene)):
        return
    if not _is_captured(scene):
        print(f"Paintover: {passes.NOT_RENDERED}", file=sys.stderr, flush=True)
        return
    if image is None:
        _make_render_result()
    switched = passes.enable(passes.main_layer(scene))
    if switched:
        print(f"Paintover: switched on for this run: {', '.join(switched)}", flush=True)
    for warning in passes.warnings(scene):
        print(f"Paintover: {warning}", file=sys.stderr, flush=True)


def _make_render_result() -> None:
    """Make the Render Result's data-block: only the operator does, and ``-a`` and ``-f`` render without that.

    So the operator gives the picture of an empty compositor: no engine renders anything.
    """
    empty = bpy.data.scenes.new("Paintover")
    empty.render.resolution_x = empty.render.resolution_y = 4
    tree = compat.use_compositor_tree(empty)
    tree.nodes.clear()
    compat.new_output(tree)
    try:
        bpy.ops.render.render(scene=empty.name)
    finally:
        compat.leave_compositor_tree(empty)
        bpy.data.scenes.remove(empty)


_LISTENERS = (
    ("render_init", _on_init),
    ("render_pre", _on_good),
    ("render_post", _on_post),
    ("render_write", _on_good),
    ("render_complete", _on_good),
    ("render_cancel", _on_cancel),
)


def register() -> None:
    """Listen to every render."""
    handlers.listen(_LISTENERS)


def unregister() -> None:
    """Stop listening. Hooks are forgotten."""
    handlers.leave(_LISTENERS)
    _hooks.clear()
    _end_hooks.clear()
