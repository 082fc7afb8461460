"""The folders that effects are baked into. No ``bpy`` here.

A bake that asks for something else than what is there goes into a folder beside, so that a card never shows half of one
and half of the other: only when all is made does it take the old one's place. A bake that was cancelled goes on there.
"""

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import paths
from ..backend import beside
from ..backend.errors import EffectError, OutputError

EMITTER = "emitter"
_NOTE = "bake.json"
_NEXT = "next"


@dataclass(frozen=True)
class Baked:
    """What is in a folder. ``frames``: first and last. ``brightness``: mean linear luminance of each; of water none."""

    digest: str
    kind: str
    frames: tuple[int, int]
    brightness: tuple[float, ...]


def baked(folder: Path) -> Baked | None:
    """What is there; None before a bake has ended."""
    try:
        told = json.loads((folder / _NOTE).read_text(encoding="utf-8"))
        first, last = told["frames"]
        return Baked(told["digest"], told["kind"], (first, last), tuple(told["brightness"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def needed(folder: Path, name: str) -> Baked:
    """What is there of the effect ``name``. Raises EffectError before a bake has ended."""
    found = baked(folder)
    if found is None:
        raise EffectError(f"{name} is not baked yet.", "Press Bake.")
    return found


def place(folder: Path, digest: str) -> Path:
    """Where to bake what a request of this digest asks for."""
    there = baked(folder)
    return folder if there is not None and there.digest == digest else folder / _NEXT


def settle(folder: Path, out: Path, told: Baked) -> None:
    """Let what is in ``out`` be the folder's bake; what it replaces is removed. Raises OutputError."""
    try:
        if out != folder:
            (folder / _NOTE).unlink(missing_ok=True)
            for file in _frames(folder):
                file.unlink()
            first, last = told.frames
            for file in _frames(out):
                match = paths.FRAME.match(file.name)
                if match and match["name"].partition("_")[0] == told.kind and first <= int(match["frame"]) <= last:
                    file.replace(folder / file.name)
            shutil.rmtree(out)
    except OSError as error:
        raise OutputError(
            f"The effect's frames in {folder} cannot be replaced: {error.strerror}.",
            "Close the programs that have them open, and bake again.",
        ) from error
    note: dict[str, Any] = {**vars(told)}
    beside.write_whole(folder / _NOTE, json.dumps(note).encode())


def fetch(folder: Path, place: Path, before: Baked | None) -> None:
    """Let ``place``, a copy of ``folder`` from before its bake ended, be one of what is there now.

    ``before``: what was in it then. Raises OutputError.
    """
    if baked(place) != before:
        raise OutputError(
            f"{place} holds another effect. The frames of this one are still in {folder}.",
            "Give the effect another name and bake it again, before Blender quits.",
        )
    try:
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(folder, place, dirs_exist_ok=True)
    except OSError as error:  # shutil.Error too
        raise OutputError(
            f"The effect's frames could not be copied to {place}: {error}.",
            f"They are still in {folder}, until Blender quits. Bake it again.",
        ) from error


def _frames(folder: Path) -> Iterable[Path]:
    return [file for file in folder.glob("*.exr") if paths.FRAME.match(file.name)]
