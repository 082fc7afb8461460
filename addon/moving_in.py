"""A .blend that is saved for the first time gets a place of its own: its passes, paintings and looks come along.

Until then they are in Blender's temporary folder, which goes when Blender quits.
"""

import os
import shutil
from functools import partial
from pathlib import Path

import bpy
from bpy.app.handlers import persistent

from . import compat, handlers, jobs, paths, properties
from .artists_tree import EFFECT
from .backend.errors import OutputError
from .effect.properties import free_folder, is_effect, of

FILES = ("look", "texture_look", "texture_painting")  # settings that name a file

# Where the files of each scene, and the effects, are, while the .blend is saved for the first time.
_unsaved: dict[str, paths.Places] = {}
_unsaved_effects: list[Path] = []


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
    _name_images(old.folder, new.folder)
    return True


def move_effects_in(old: Path) -> bool:
    """Copy the effects that are in the folder ``old`` to this .blend's place. False: there was nothing.

    One whose name another .blend beside it has taken gets another folder. Raises OutputError.
    """
    moved = False
    for thing in [thing for thing in bpy.data.objects if is_effect(thing) and (old / of(thing).folder).is_dir()]:
        settings = of(thing)
        source, folder = old / settings.folder, free_folder(settings.folder, thing)
        try:
            shutil.copytree(source, paths.effects() / folder)
        except OSError as error:
            raise OutputError(
                f"The frames of {thing.name} could not be copied to {paths.effects()}: {error}.",
                f"They are still in {source}, until Blender quits. Bake it again.",
            ) from error
        for group in bpy.data.node_groups:
            if group.get(EFFECT) == settings.folder:
                group[EFFECT] = folder
        _name_images(source, paths.effects() / folder)
        settings.folder = folder
        moved = True
    return moved


def _name_images(old: Path, new: Path) -> None:
    """Let images whose files were in ``old`` name those in ``new``."""
    for image in [image for image in bpy.data.images if image.library is None and image.filepath_raw]:
        image.filepath_raw = _moved(image.filepath_raw, old, new)  # raw: what is painted on it stays


def _moved(text: str, old: Path, new: Path) -> str:
    path = Path(os.path.normpath(bpy.path.abspath(text)))  # saving has made some of them relative to the new place
    return compat.portable_path(new / path.relative_to(old)) if path.is_relative_to(old) else text


@persistent  # type: ignore[untyped-decorator]
def _on_save_pre(*_: object) -> None:
    _unsaved.clear()
    _unsaved_effects.clear()
    if not bpy.data.filepath:
        _unsaved_effects.append(paths.effects())
        _unsaved.update({scene.name: paths.places(scene) for scene in bpy.data.scenes})


@persistent  # type: ignore[untyped-decorator]
def _on_save_post(*_: object) -> None:
    if not bpy.data.filepath:  # it was a copy that was saved
        return
    moved = False
    moves = [partial(move_in, bpy.data.scenes[name], old) for name, old in _unsaved.items()]
    for move in [*moves, *(partial(move_effects_in, old) for old in _unsaved_effects)]:
        try:
            moved |= move()
        except OutputError as error:
            jobs.note_failure(error)
    _unsaved.clear()
    _unsaved_effects.clear()
    if moved:
        bpy.ops.wm.save_mainfile()  # what has just been saved names the old places


_LISTENERS = (("save_pre", _on_save_pre), ("save_post", _on_save_post))


def register() -> None:
    handlers.listen(_LISTENERS)


def unregister() -> None:
    handlers.leave(_LISTENERS)
