"""A .blend that is saved for the first time gets a place of its own: its passes, paintings and looks come along.

Until then they are in Blender's temporary folder, which goes when Blender quits. One that is saved into another folder
leaves them where they are, and its settings name them there. What Blender undoes afterwards is named anew.
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
from .backend.beside import state_of
from .backend.errors import OutputError
from .effect.properties import free_folder, is_effect, of
from .operators.textures import texture_look_file
from .shot import look_file

FILES = ("look", "texture_look", "texture_painting")  # settings that name a file
UNNAMED = {"look": look_file, "texture_look": texture_look_file}  # and what they mean where they do not

_UNFINISHED = shutil.ignore_patterns(".*.part*")  # of these each moment one goes and another comes

# Where the files of each scene, and the effects, are, while the .blend is saved for the first time.
_unsaved: dict[str, paths.Places] = {}
_unsaved_effects: list[Path] = []
# From where to where files have gone since the .blend was opened.
_renamed: list[tuple[Path, Path]] = []
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


def move_in(scene: bpy.types.Scene, old: Path, new: Path) -> bool:
    """Copy what is in ``old`` to ``new``, where it is newer, and name it there. False: there was nothing.

    Copied, because a render or the backend may be at work in the old place: when they are done, it is called again.
    Raises OutputError.
    """
    if not old.is_dir():
        return False
    try:
        shutil.copytree(old, new, dirs_exist_ok=True, copy_function=_copy_newer, ignore=_UNFINISHED)
    except OSError as error:  # shutil.Error too: it holds what could not be copied
        raise OutputError(
            f"Passes and paintings could not be copied to {new}: {error}.",
            f"They are still in {old}, until Blender quits.",
        ) from error
    _renamed.append((old, new))
    _rename(scene, old, new)
    place, look = paths.places(scene).folder, new / look_file(scene).name
    if new != place:
        if not properties.of(scene).look and look.is_file():
            properties.of(scene).look = compat.portable_path(look)
        jobs.note_failure(
            OutputError(
                f"{place} holds another shot already. This one's passes and paintings are in {new}.",
                "Give the scene another name, and render its passes again.",
            )
        )
    return True


def _rename(scene: bpy.types.Scene, old: Path, new: Path) -> None:
    """Let settings and images name what was ``old``, or in it, by its new place."""
    for owner, name in _named(scene):
        setattr(owner, name, _moved(getattr(owner, name), old, new))
    _name_images(old, new)


def _copy_newer(source: str, target: str) -> None:
    if not os.path.exists(target) or os.stat(source).st_mtime > os.stat(target).st_mtime:
        shutil.copy2(source, target)


def _move_in_again_later(moved: dict[str, tuple[Path, Path]]) -> None:
    """What is under way puts its result in the old place: when it is done, fetch that too."""
    running = jobs.session.running
    if running is None or not moved:
        return
    finish, blend = running.work.finish, bpy.data.filepath

    def fetch() -> None:
        for name, (old, new) in moved.items():
            scene: bpy.types.Scene | None = bpy.data.scenes.get(name)
            if scene is not None and bpy.data.filepath == blend:  # and not yet saved somewhere else
                move_in(scene, old, new)

    def finish_and_fetch(value: jobs.Report) -> None:
        fetch()  # it looks for the result in the new place,
        finish(value)
        fetch()  # and may name some of it in the old one

    running.work = dataclasses.replace(running.work, finish=finish_and_fetch)


def _stay(scene: bpy.types.Scene, before: list[Path | None]) -> bool:
    """Let the settings name the files that they named ``before``; a look that they did not name is copied, since
    training writes to where they mean, unless it may be training now. False: nothing is named otherwise. Raises
    OutputError.
    """
    changed = False
    for (owner, name), was, now in zip(_named(scene), before, _files(scene), strict=True):
        if was is None or now is None or now == was:
            continue
        if getattr(owner, name) or jobs.session.running is not None:
            _renamed.append((now, was))
            setattr(owner, name, compat.portable_path(was))
            changed = True
        else:
            _copy_look(was, now)
    return changed


def _copy_look(old: Path, new: Path) -> None:
    """With the state that its training goes on from. One that is there already stays, and its own state."""
    if new.exists():
        return
    try:
        for source, target in ((state_of(old), state_of(new)), (old, new)):
            if source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
    except OSError as error:
        raise OutputError(
            f"The look could not be copied to {new.parent}: {error}.", f"It is still in {old.parent}."
        ) from error


def move_effects_in(old: Path) -> bool:
    """Copy the effects that are in the folder ``old`` to this .blend's place. False: there was nothing.

    One whose name another .blend beside it has taken gets another folder. Raises OutputError.
    """
    moved = False
    for thing in [thing for thing in bpy.data.objects if is_effect(thing) and (old / of(thing).folder).is_dir()]:
        settings = of(thing)
        source, folder = old / settings.folder, free_folder(settings.folder, thing)
        try:
            shutil.copytree(source, paths.effects() / folder, ignore=_UNFINISHED)
        except OSError as error:
            raise OutputError(
                f"The frames of {thing.name} could not be copied to {paths.effects()}: {error}.",
                f"They are still in {source}, until Blender quits. Bake it again.",
            ) from error
        for group in bpy.data.node_groups:
            if group.get(EFFECT) == settings.folder:
                group[EFFECT] = folder
        _renamed.append((source, paths.effects() / folder))
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
    # Another shot that is there already is left alone.
    moving = {name: (old.folder, paths.free(paths.places(scenes[name]).folder)) for name, old in _unsaved.items()}
    _move_in_again_later(moving)
    moves = [partial(move_in, scenes[name], old, new) for name, (old, new) in moving.items()]
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
    if moved:  # what has just been saved names other places
        settings = bpy.context.preferences.filepaths
        versions, settings.save_version = settings.save_version, 0  # and is not worth a backup
        try:
            bpy.ops.wm.save_mainfile()
        finally:
            settings.save_version = versions


@persistent  # type: ignore[untyped-decorator]
def _on_undo(*_: object) -> None:
    """Blender brings back names from before a save, when things were somewhere else."""
    for old, new in _renamed:
        if not old.is_file():  # nothing has been put there since
            for scene in _own_scenes():
                _rename(scene, old, new)


@persistent  # type: ignore[untyped-decorator]
def _on_load(*_: object) -> None:
    _renamed.clear()
    paths.begin_unsaved()


_LISTENERS = (
    ("save_pre", _on_save_pre),
    ("save_post", _on_save_post),
    ("undo_post", _on_undo),
    ("redo_post", _on_undo),
    ("load_post", _on_load),
)


def register() -> None:
    handlers.listen(_LISTENERS)


def unregister() -> None:
    handlers.leave(_LISTENERS)
