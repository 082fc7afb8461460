"""A .blend that is saved for the first time gets a place of its own: its passes, paintings and looks come along.

Until then they are in Blender's temporary folder, which goes when Blender quits. One that is saved into another folder
leaves them where they are, and names them there.
"""

import dataclasses
import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import bpy
from bpy.app.handlers import persistent

from . import compat, handlers, jobs, paths, properties
from .artists_tree import EFFECT
from .backend.errors import OutputError
from .effect.properties import free_folder, is_effect, of
from .operators.shot import look_file
from .operators.textures import texture_look_file

FILES = ("look", "texture_look", "texture_painting")  # settings that name a file
UNNAMED = {"look": look_file, "texture_look": texture_look_file}  # and what they mean where they do not

# Where the files of each scene, and the effects, are, while the .blend is saved for the first time.
_unsaved: dict[str, paths.Places] = {}
_unsaved_effects: list[Path] = []
# What each scene's settings named while a .blend that has a place is saved, perhaps into another.
_files_before: dict[str, list[Path | None]] = {}


def _named(scene: bpy.types.Scene) -> Iterator[tuple[bpy.types.PropertyGroup, str]]:
    """The settings that name files, each by its owner and its own name."""
    settings = properties.of(scene)
    yield from ((keyframe, "painting") for keyframe in settings.keyframes)
    yield from ((settings, name) for name in FILES)


def _files(scene: bpy.types.Scene) -> list[Path | None]:
    found: list[Path | None] = []
    for owner, name in _named(scene):
        text = getattr(owner, name)
        found.append(compat.absolute_path(text) if text else UNNAMED[name](scene) if name in UNNAMED else None)
    return found


def _own_scenes() -> list[bpy.types.Scene]:
    """Those of this .blend: a linked one may have the same name."""
    return [scene for scene in bpy.data.scenes if scene.library is None]


def move_in(scene: bpy.types.Scene, old: paths.Places, again: bool = False) -> bool:
    """Copy what is in ``old`` to the scene's place now, and name it there. False: there was nothing.

    Copied, because a render or the backend may be at work in the old place; ``again``, when they are done, what is
    newer there. Raises OutputError.
    """
    new = paths.places(scene)
    if not old.folder.is_dir():
        return False
    try:
        shutil.copytree(old.folder, new.folder, dirs_exist_ok=again, copy_function=_copy_newer)
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
    for owner, name in _named(scene):
        setattr(owner, name, _moved(getattr(owner, name), old.folder, new.folder))
    _name_images(old.folder, new.folder)
    return True


def _copy_newer(source: str, target: str) -> None:
    if not os.path.exists(target) or os.stat(source).st_mtime > os.stat(target).st_mtime:
        shutil.copy2(source, target)


def _move_in_again_later(moved: dict[str, paths.Places]) -> None:
    """What is under way puts its result in the old place: when it is done, fetch that too."""
    running = jobs.session.running
    if running is None:
        return
    finish = running.work.finish

    def finish_and_move(value: jobs.Report) -> None:
        finish(value)
        for name, old in moved.items():
            if name in bpy.data.scenes:
                move_in(bpy.data.scenes[name], old, again=True)

    running.work = dataclasses.replace(running.work, finish=finish_and_move)


def _stay(scene: bpy.types.Scene, before: list[Path | None]) -> bool:
    """Let the settings name the files that they named ``before``; a look that they did not name is copied, since
    training writes to where they mean. False: nothing is named otherwise. Raises OutputError.
    """
    changed = False
    for (owner, name), was, now in zip(_named(scene), before, _files(scene), strict=True):
        if was is None or now is None or now == was:
            continue
        if getattr(owner, name):
            setattr(owner, name, compat.portable_path(was))
            changed = True
        else:
            _copy_look(was, now)
    return changed


def _copy_look(old: Path, new: Path) -> None:
    """With the state that its training goes on from. One that is there already stays."""
    try:
        for source, target in ((old, new), (_state_of(old), _state_of(new))):
            if source.is_file() and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
    except OSError as error:
        raise OutputError(
            f"The look could not be copied to {new.parent}: {error}.", f"It is still in {old.parent}."
        ) from error


def _state_of(look: Path) -> Path:
    """Where the backend keeps the state of a look's training."""
    return look.with_name(look.name + ".state")


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
    path = compat.absolute_path(text)  # saving has made some of them relative to the new place
    return compat.portable_path(new / path.relative_to(old)) if path.is_relative_to(old) else text


@persistent  # type: ignore[untyped-decorator]
def _on_save_pre(*_: object) -> None:
    _unsaved.clear()
    _unsaved_effects.clear()
    _files_before.clear()
    if bpy.data.filepath:
        _files_before.update({scene.name: _files(scene) for scene in _own_scenes()})
    else:
        _unsaved_effects.append(paths.effects())
        _unsaved.update({scene.name: paths.places(scene) for scene in _own_scenes()})


@persistent  # type: ignore[untyped-decorator]
def _on_save_post(*_: object) -> None:
    if not bpy.data.filepath:  # it was a copy that was saved
        return
    moved = False
    scenes = {scene.name: scene for scene in _own_scenes()}
    free = {name: old for name, old in _unsaved.items() if not paths.places(scenes[name]).folder.exists()}
    _move_in_again_later(free)
    moves = [partial(move_in, scenes[name], old) for name, old in _unsaved.items()]
    moves += [partial(move_effects_in, old) for old in _unsaved_effects]
    moves += [partial(_stay, scenes[name], before) for name, before in _files_before.items()]
    for move in moves:
        try:
            moved |= move()
        except OutputError as error:
            jobs.note_failure(error)
    _unsaved.clear()
    _unsaved_effects.clear()
    _files_before.clear()
    if moved:
        bpy.ops.wm.save_mainfile()  # what has just been saved names other places


_LISTENERS = (("save_pre", _on_save_pre), ("save_post", _on_save_post))


def register() -> None:
    handlers.listen(_LISTENERS)


def unregister() -> None:
    handlers.leave(_LISTENERS)
