"""An effect's rendered frames, read again: for atlases and movies."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from .. import images as pictures
from ..colour import View
from ..errors import EffectError, UsageError
from ..images import FloatImage, Plane

_FRAME = re.compile(r"(.+)_(-?\d+)\.exr")
BACKDROP = 0.03  # scene-linear grey, behind an effect that is shown


@dataclass(frozen=True)
class Cell:
    """One frame: ``rgba`` (h, w, 4) scene-linear premultiplied, ``motion`` (h, w, 2) in cells, right and down."""

    rgba: FloatImage
    motion: FloatImage


def display(linear: FloatImage) -> FloatImage:
    """Display colours, 0..1, of scene-linear ones."""
    found: FloatImage = np.clip(View.standard().to_display(np.ascontiguousarray(linear)), 0, 1)
    return found


def files_of(folder: Path, name: str | None, out: Path) -> list[Path]:
    """The numbered EXRs in a folder, of one effect, in order. ``name``: of the effect, where there are several.

    Raises ``EffectError`` where there are none, ``UsageError`` for an ``out`` that looks like one of them.
    """
    found = {path: match for path in folder.glob("*.exr") if (match := _FRAME.fullmatch(path.name))}
    names = {match[1] for match in found.values()}
    if name is not None:
        found = {path: match for path, match in found.items() if match[1] == name}
    if not found:
        raise EffectError(f"There are no frames in {folder}.", "Render the effect into it first.", path=str(folder))
    if name is None and len(names) > 1:
        raise EffectError(
            f"There are frames of {', '.join(sorted(names))} in {folder}.", "Keep each effect in a folder of its own."
        )
    if out.parent.resolve() == folder.resolve() and _FRAME.fullmatch(f"{out.stem}.exr"):
        raise UsageError(
            f"{out.name} would be taken for one of the frames that it is made of.", "Choose another name or folder."
        )
    files = sorted(found, key=lambda path: int(found[path][2]))
    recipes = {file: pictures.recipe(file) for file in files}  # "" also where it is broken: reading it will say so
    first = next((file for file in files if recipes[file]), files[0])
    others = [file.name for file in files if recipes[file] not in ("", recipes[first])]
    if others:
        raise EffectError(
            f"{others[0]} was made by another render than {first.name}, as were {len(others)} frames in {folder}.",
            "Render them again too, or move what is left of the earlier render away.",
        )
    return files


def cell(file: Path, width: int | None) -> Cell:
    """A frame, made smaller if asked to. Raises ``ShotError`` where it is broken, ``EffectError`` for any other EXR,
    ``UsageError`` for a ``width`` beyond the frame's own.
    """
    parts = pictures.read_header(file)
    if not set("RGBA") <= set(parts[0].channels):
        raise EffectError(f"{file.name} is no frame of an effect: it has not R, G, B and A.", "Name another folder.")
    planes = {"rgba": Plane(0, tuple("RGBA"))}
    moving = ("vector.B", "vector.A")
    if set(moving) <= set(parts[0].channels):
        planes["vector"] = Plane(0, moving)
    read = pictures.read_planes(file, parts, planes)
    rgba = read["rgba"]
    rows, columns = rgba.shape[:2]
    motion = np.zeros((rows, columns, 2), np.float32)
    if "vector" in read:  # Blender's: from where it goes to, with y upward
        motion = read["vector"] * np.array([-1.0 / columns, 1.0 / rows], np.float32)
    if width is None or width == columns:
        return Cell(rgba, motion)
    if width > columns:
        raise UsageError(f"Cells of {width} pixels are wider than the frames, which have {columns}.")
    size = (max(1, round(rows * width / columns)), width)
    return Cell(_smaller(rgba, size), _smaller(motion, size))


def _smaller(picture: FloatImage, size: tuple[int, int]) -> FloatImage:
    planes = torch.from_numpy(picture).permute(2, 0, 1)[None]
    found: FloatImage = F.interpolate(planes, size, mode="area")[0].permute(1, 2, 0).contiguous().numpy()
    return found
