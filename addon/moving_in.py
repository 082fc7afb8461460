"""A .blend that is saved for the first time gets a place of its own: its passes, paintings and looks come along.

Until then they are in Blender's temporary folder, which goes when Blender quits.
"""

import os
import shutil
from pathlib import Path

import bpy
from bpy.app.handlers import persistent

from . import compat, jobs, paths, properties
from .backend.errors import OutputError

FILES = ("look", "texture_look", "texture_painting")  # settings that name a file

_unsaved: dict[str, paths.Places] = {}  # scene -> where its files are, while the .blend is saved for the first time


def move_in(scene: bpy.types.Scene, old: paths.Places) -> bool:
    """Copy what is in ``old`` to the scene's place now, and name it there. False: there was nothing.

    Copied, because a render or the backend may be at work in the old place. Raises OutputError.
    """
    new = paths.places(scene)
    if not old.folder.is_dir():
        return False
    try:
        shutil.copytree(old.folder, new.folder)
    except FileExistsError as error:
        raise OutputError(
            f"{new.folder} holds another shot already. This one's passes and paintings are still in {old.folder}.",
            "Move them yourself before Blender quits, or give the scene another name and render again.",
        ) from error
    except OSError as error:  # shutil.Error too: it holds what could not be copied
        raise OutputError(
            f"Passes and paintings could not be copied to {new.folder}: {error}.",
            f"They are still in {old.folder}, until Blender quits.",
        ) from error
    settings = properties.of(scene)
    for keyframe in settings.keyframes:
        keyframe.painting = _moved(keyframe.painting, old.folder, new.folder)
    for name in FILES:
        setattr(settings, name, _moved(getattr(settings, name), old.folder, new.folder))
    for image in [image for image in bpy.data.images if image.library is None and image.filepath_raw]:
        image.filepath_raw = _moved(image.filepath_raw, old.folder, new.folder)  # raw: what is painted on it stays
    return True


def _moved(text: str, old: Path, new: Path) -> str:
    path = Path(os.path.normpath(bpy.path.abspath(text)))  # saving has made some of them relative to the new place
    return compat.portable_path(new / path.relative_to(old)) if path.is_relative_to(old) else text


@persistent  # type: ignore[untyped-decorator]
def _on_save_pre(*_: object) -> None:
    _unsaved.clear()
    if not bpy.data.filepath:
        _unsaved.update({scene.name: paths.places(scene) for scene in bpy.data.scenes})


@persistent  # type: ignore[untyped-decorator]
def _on_save_post(*_: object) -> None:
    if not bpy.data.filepath:  # it was a copy that was saved
        return
    moved = False
    for name, old in list(_unsaved.items()):
        try:
            moved |= move_in(bpy.data.scenes[name], old)
        except OutputError as error:
            jobs.note_failure(error)
    _unsaved.clear()
    if moved:
        bpy.ops.wm.save_mainfile()  # what has just been saved names the old places


_HANDLERS = (("save_pre", _on_save_pre), ("save_post", _on_save_post))


def register() -> None:
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
