"""Settings that are other than the artist's while passes render, and that never outlive that.

What was before is noted in the scene itself. So the note comes along into a file that is saved meanwhile, an autosave,
and undo's memory; whoever gets those back gets the artist's settings back, also after a crash.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy
from bpy.app.handlers import persistent

from . import handlers, passes, properties

SWITCHES = ("use_compositing", "use_sequencer")
PASSES = (*(needed.attribute for needed in passes.NEEDED), "pass_cryptomatte_depth")

_under_way: set[str] = set()  # the names of the scenes whose passes are rendering


@contextmanager
def passes_alone(scene: bpy.types.Scene) -> Iterator[None]:
    """The needed passes on, no compositing, no sequencer; afterwards all as before, the current frame too."""
    name = scene.name
    hold(scene)
    _under_way.add(name)
    try:
        yield
    finally:
        _under_way.discard(name)
        heal()


def hold(scene: bpy.types.Scene) -> None:
    """See to it that the next render is for the passes alone: an undo meanwhile takes note and settings back."""
    layer = passes.main_layer(scene)
    if not _note(scene):
        before = {
            "frame": [scene.frame_current, scene.frame_subframe],
            "switches": {name: getattr(scene.render, name) for name in SWITCHES},
            "layer": layer.name,
            "passes": {name: getattr(layer, name) for name in PASSES},
        }
        properties.of(scene).before = json.dumps(before)
    _switch_off(scene)
    passes.enable(layer)


def _switch_off(scene: bpy.types.Scene) -> None:
    for name in SWITCHES:
        setattr(scene.render, name, False)


def _note(scene: bpy.types.Scene) -> dict[str, Any]:
    """What was before; empty where nothing is other than the artist's."""
    text: str = properties.of(scene).before
    note: dict[str, Any] = json.loads(text) if text else {}
    return note


def _restore_switches(scene: bpy.types.Scene) -> None:
    for name, value in _note(scene).get("switches", {}).items():
        setattr(scene.render, name, value)


def heal() -> None:
    """Give every scene its own settings back whose passes are not rendering now."""
    for scene in bpy.data.scenes:
        note = _note(scene)
        if not note or scene.name in _under_way:
            continue
        _restore_switches(scene)
        layer: bpy.types.ViewLayer | None = scene.view_layers.get(note["layer"])
        if layer is not None:
            for name, value in note["passes"].items():
                setattr(layer, name, value)
        properties.of(scene).before = ""
        frame, subframe = note["frame"]
        scene.frame_set(frame, subframe=subframe)


@persistent  # type: ignore[untyped-decorator]
def _on_come_back(*_: object) -> None:
    heal()


@persistent  # type: ignore[untyped-decorator]
def _on_save_pre(*_: object) -> None:
    """The file shall composite also where there is no Paintover: what renders now has read its settings already.

    The passes stay on: Blender reads those when it is about to render, so a frame might miss them. They do no harm.
    """
    for scene in bpy.data.scenes:
        _restore_switches(scene)


@persistent  # type: ignore[untyped-decorator]
def _on_save_post(*_: object) -> None:
    for scene in bpy.data.scenes:
        if scene.name in _under_way and _note(scene):
            _switch_off(scene)


_LISTENERS = (
    ("load_post", _on_come_back),
    ("undo_post", _on_come_back),
    ("redo_post", _on_come_back),
    ("save_pre", _on_save_pre),
    ("save_post", _on_save_post),
    ("save_post_fail", _on_save_post),
)


def register() -> None:
    handlers.listen(_LISTENERS)


def unregister() -> None:
    handlers.leave(_LISTENERS)
