"""What an artist asked for, from JSON: keyframed controls, emitters, picture sizes. Refused here, in clear words."""

import bisect
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import EffectError, PaintingError, UsageError
from ..images import read_picture
from . import controls as tables
from .controls import Value
from .emitter import SHAPES, Emitter
from .frames import LEAST_SIZE, MOST_LONGER, MOST_SIZE, ending_number
from .simulation import EMITTERS

Keys: TypeAlias = Mapping[str, Sequence[tuple[float, Value]]]
SILHOUETTE = 256  # pixels of a silhouette's longer side that are kept: many times what the simulation's cells show


@dataclass(frozen=True)
class Animated:
    """Controls of a kind, each with keys in the order of their frames; between two of them they change evenly."""

    kind: str
    keys: Keys

    def values(self, frame: float) -> dict[str, Value]:
        """Every control at a frame."""
        return tables.checked(self.kind, {name: _at(keys, frame) for name, keys in self.keys.items()})

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "keys": {name: list(keys) for name, keys in sorted(self.keys.items())}}


def animated(kind: str, asked: object) -> Animated:
    """``asked``: {name: value, or [[frame, value], ...]}. ``UsageError`` for anything that no control takes."""
    if asked is None:
        asked = {}
    if not isinstance(asked, Mapping):
        raise UsageError(f"Controls are names with values, not {asked!r:.60}.")
    controls = tables.table(kind)
    tables.checked(
        kind, {name: controls[name].default for name in asked if name in controls} | _unknown(asked, controls)
    )
    keys: dict[str, list[tuple[float, Value]]] = {}
    for name, value in asked.items():
        control = controls[name]
        moving = isinstance(value, list | tuple) and (not value or isinstance(value[0], list | tuple))
        if not moving:
            keys[name] = [(0.0, control.checked(value))]
            continue
        keys[name] = sorted((_key(control, pair) for pair in value), key=lambda key: key[0])
        frames = [frame for frame, _ in keys[name]]
        if not frames or len(set(frames)) < len(frames):
            raise UsageError(f"{control.label} needs keys, one for each frame that it names.", control=name)
    return Animated(kind, keys)


def _unknown(asked: Mapping[str, object], controls: Mapping[str, object]) -> dict[str, object]:
    return {str(name): None for name in asked if name not in controls}


def _key(control: tables.Control, pair: object) -> tuple[float, Value]:
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise UsageError(f"A key of {control.label} is a frame and a value, not {pair!r:.60}.", control=control.name)
    return _finite(f"The frame of a key of {control.label}", pair[0]), control.checked(pair[1])


def _at(keys: Sequence[tuple[float, Value]], frame: float) -> Value:
    after = bisect.bisect_right([at for at, _ in keys], frame)
    if after == 0 or after == len(keys):
        return keys[min(after, len(keys) - 1)][1]
    (start, old), (end, new) = keys[after - 1], keys[after]
    share = (frame - start) / (end - start)
    if isinstance(old, tuple) and isinstance(new, tuple):
        red, green, blue = (a + share * (b - a) for a, b in zip(old, new, strict=True))
        return red, green, blue
    assert not isinstance(old, tuple) and not isinstance(new, tuple)
    return old + share * (new - old)


@dataclass(frozen=True)
class Source:
    """Where an effect comes from at each frame; of silhouettes one for each frame, the last one staying."""

    emitters: tuple[Emitter, ...]

    def at(self, frame: float) -> Emitter:
        return self.emitters[min(max(int(frame), 0), len(self.emitters) - 1)]

    def digest(self) -> str:
        """Of the silhouettes."""
        found = hashlib.sha256()
        for emitter in self.emitters:
            if emitter.picture is not None:
                found.update(emitter.picture.numpy().tobytes())
        return found.hexdigest()


_NUMBERS = ("radius", "thickness", "angle", "edge")


def source(kind: str, asked: object) -> Source:
    """``asked``: an emitter's fields (those of ``Emitter``).

    ``picture`` is a file, a list of one for each frame, or a folder of one PNG for each frame, in the order of the
    numbers that their names end with. Some of several may be empty: nothing comes out then. None is the kind's own.
    ``UsageError`` for what is no emitter; ``EffectError`` where nothing could come out of it.
    """
    if asked is None:
        return Source((EMITTERS[kind],))
    if not isinstance(asked, Mapping):
        raise UsageError(f"An emitter is a shape with its sizes, not {asked!r:.60}.")
    known = {"shape", "position", "picture", *_NUMBERS}
    unknown = sorted(map(str, set(asked) - known))
    if unknown:
        raise UsageError(f"An emitter has no {', '.join(unknown)}.", f"It has {', '.join(sorted(known))}.")
    shape = asked.get("shape", "picture" if "picture" in asked else EMITTERS[kind].shape)
    if shape not in SHAPES:
        raise UsageError(f"An emitter is one of {', '.join(SHAPES)}, not {shape!r:.40}.")
    if (shape == "picture") != ("picture" in asked):
        raise UsageError("A picture belongs to the emitter of the shape picture, and to no other.")
    given: dict[str, Any] = {name: _finite(f"The emitter's {name}", asked[name]) for name in _NUMBERS if name in asked}
    for name in ("radius", "thickness", "edge"):
        if given.get(name, 1.0) <= 0:
            raise EffectError(
                f"The emitter's {name} is {given[name]:g}: nothing can come out of it.", f"Give it a {name} above 0."
            )
    if "position" in asked:
        place = asked["position"]
        if not isinstance(place, list | tuple) or len(place) != 3:
            raise UsageError(f"An emitter's position is three numbers, not {place!r:.60}.")
        given["position"] = tuple(_finite("The emitter's position", item) for item in place)
    if shape != "picture":
        base = EMITTERS[kind] if shape == EMITTERS[kind].shape else Emitter(shape)
        return Source((Emitter(**(_fields(base) | given)),))
    files = _silhouettes(asked["picture"])
    masks = [_silhouette(file) for file in files]
    if not any(bool((mask > 0).any()) for mask in masks):
        empty = f"{files[0].name} is" if len(files) == 1 else f"{files[0].name} and all that follow are"
        raise EffectError(f"The emitter's silhouette {empty} empty.", "Choose an object that the camera sees.")
    return Source(tuple(Emitter("picture", **given, picture=mask) for mask in masks))


def check_reach(source: Source, cells: tuple[int, int, int]) -> None:
    """``EffectError`` if the emitter lies outside the effect's box, always."""
    if not any(bool((emitter.mask(cells, torch.device("cpu")) > 0).any()) for emitter in source.emitters):
        raise EffectError(
            "The emitter is empty: no part of it lies in the effect's box.",
            "Move it into the box or make it larger. Lengths are in heights of the box, from its floor's middle.",
        )


def _fields(emitter: Emitter) -> dict[str, Any]:
    return {name: getattr(emitter, name) for name in ("shape", "position", *_NUMBERS)}


def _silhouettes(named: object) -> list[Path]:
    """The files that an emitter's ``picture`` names, one for each frame."""
    files = named if isinstance(named, list) else [named]
    paths = [Path(file) for file in files if isinstance(file, str) and file]
    if not files or len(paths) < len(files):
        raise UsageError(
            f"An emitter's picture is a file, a folder, or a list of one file for each frame, not {named!r:.60}."
        )
    if len(paths) > 1 or not paths[0].is_dir():
        return paths
    found = sorted(paths[0].glob("*.png"), key=lambda path: (ending_number(path) or 0, path.name))
    if not found:
        raise EffectError(
            f"There is no PNG in the folder {paths[0].name}: the emitter has no silhouette.",
            "Name a folder with one PNG for each frame.",
        )
    return found


def _silhouette(file: Path) -> Tensor:
    """Alpha of a picture (H, W), or of an opaque one its brightness, 0..1."""
    try:
        pixels = read_picture(file)
    except PaintingError as error:
        raise EffectError(f"The emitter's silhouette cannot be used: {error.message}", error.remedy) from error
    opaque = bool((pixels[..., 3] == 255).all())
    mask = torch.from_numpy(pixels[..., :3].mean(2) if opaque else pixels[..., 3].astype(float)).float() / 255
    share = SILHOUETTE / max(mask.shape)
    if share < 1:
        height, width = (max(1, round(side * share)) for side in mask.shape)
        mask = F.interpolate(mask[None, None], (height, width), mode="area")[0, 0]
    return mask


def size(asked: object) -> tuple[int, int]:
    """Width and height in pixels, of [w, h] or one number for both. ``UsageError`` for what no picture has."""
    pair = asked if isinstance(asked, list | tuple) else [asked, asked]
    sides = [side for side in pair if isinstance(side, int) and not isinstance(side, bool)]
    if len(pair) != 2 or len(sides) != 2:
        raise UsageError(f"A size is a width and a height in whole pixels, not {asked!r:.60}.")
    width, height = sides
    least, most = sorted(sides)
    if least < LEAST_SIZE or most > min(MOST_SIZE, MOST_LONGER * least):
        raise UsageError(
            f"{width} x {height} pixels is no size for an effect.",
            f"Choose {LEAST_SIZE} to {MOST_SIZE} pixels a side, and no side more than {MOST_LONGER} times the other.",
        )
    return width, height


def _finite(label: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UsageError(f"{label} must be a number, not {value!r:.40}.")
    return float(value)
