"""A shot: the multilayer EXR frames that Blender rendered, and what ``shot.json`` beside them tells.

Blender 4.5 writes one part with channels such as ``ViewLayer.DiffCol.R``; 5.x writes one part per pass, with names such
as ``ViewLayer.Diffuse Color.R``. Both are read here, and nobody else needs to know.
"""

import json
import re
from collections.abc import Iterable, Sequence
from math import isfinite
from pathlib import Path

import numpy as np

from . import images
from .colour import View
from .errors import FrameRangeError, MissingPassError, MotionBlurError, ShotError
from .images import FloatImage, Part, Plane
from .passes import PASSES, SKY_DEPTH

# A minus belongs to the number where the name ends in "_" or there is none; else it ends the name: shot-0001.exr.
_FRAME_FILE = re.compile(r"(?P<name>[^.-].*?|-.+?)?_?(?P<frame>(?<!\d)\d{4,}|(?<![^_])-\d{3,})\.exr", re.IGNORECASE)
SKY = 0.1 * SKY_DEPTH  # what is further away is sky
_NO_VECTOR = 1e4  # what Cycles writes where it has no motion to tell
_BY_FILE_NAME = {in_file: name for name, kind in PASSES.items() for in_file in kind.in_files}


class Shot:
    """The frames of one shot. ``open`` looks at the folder and one header; pixels are read by ``read``.

    ``cuts``: the frames from which on another camera sees the scene. Vectors tell nothing of that: no pixel of them was
    anywhere in the frame before.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        files: dict[int, Path],
        size: tuple[int, int],
        view: View,
        blurred: bool,
        view_layer: str,
        cuts: frozenset[int],
    ) -> None:
        self.folder = folder
        self.name = name
        self.frames = sorted(files)
        self.width, self.height = size
        self.view = view
        self.motion_blur = blurred
        self.view_layer = view_layer
        self.cuts = cuts
        self._files = files

    @classmethod
    def open(cls, folder: Path | str) -> "Shot":
        """Open a folder of ``NAME_####.exr``. Raises ShotError where there is no such folder, frame or readable one,
        and ColourError where its colour management is not described as expected.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise ShotError(f"There is no folder {folder}.", "Render the shot's passes first.", path=str(folder))
        facts = _read_facts(folder)
        name, files = _find_frames(folder, facts.get("name"))
        first = files[min(files)]
        size = images.read_header(first)[0].size
        view = View.from_json(facts["view"]) if facts.get("view") else View.standard()
        layer = str(facts.get("view_layer", ""))
        cuts = facts.get("cuts", [])
        if not isinstance(cuts, list):
            raise _unusable(folder, TypeError("its cuts are no list of frames"))
        return cls(folder, name, files, size, view, bool(facts.get("motion_blur")), layer, frozenset(cuts))

    def path(self, frame: int) -> Path:
        """The frame's file. Raises FrameRangeError for a frame that the shot does not have."""
        if frame not in self._files:
            raise FrameRangeError(
                f"Frame {frame} is not in the shot, which has {_spoken(self.frames)}.", "Render it.", frame=frame
            )
        return self._files[frame]

    def select(self, first: int | None = None, last: int | None = None) -> list[int]:
        """The shot's frames from ``first`` to ``last``, both included. Raises FrameRangeError."""
        first = self.frames[0] if first is None else first
        last = self.frames[-1] if last is None else last
        has = f"the shot has {_spoken(self.frames)}"
        remedy = "Choose frames that are in the shot, or render the missing ones."
        if first > last:
            raise FrameRangeError(f"The frame range {first} to {last} runs backwards; {has}.", remedy)
        chosen = [frame for frame in self.frames if first <= frame <= last]
        if first < self.frames[0] or last > self.frames[-1] or not chosen:
            asked = f"Frames {first} to {last} were" if first < last else f"Frame {first} was"
            raise FrameRangeError(f"{asked} asked for, but {has}.", remedy, first=first, last=last)
        return chosen

    def passes(self, frame: int) -> set[str]:
        """The canonical names of the passes that the frame has. Raises ShotError."""
        return set(_find_passes(images.read_header(self.path(frame)), self.view_layer))

    def read(self, frame: int, names: Sequence[str]) -> dict[str, FloatImage]:
        """The frame's passes as float32 HxWxC, see ``PASSES`` for the channels, each of which lies by itself in memory.

        beauty: scene-linear premultiplied RGBA. normal, position: world space, metres. depth: metres, 1e10 where there
        is nothing. vector: pixels, as arrays are indexed: what is at (column, row) now was at (column + vector[0],
        row + vector[1]) one frame before and will be at (column + vector[2], row + vector[3]) one frame later; zero
        where there is nothing. object: the Cryptomatte id's bits.

        Raises MissingPassError, MotionBlurError, FrameRangeError, and ShotError for a broken frame or another size.
        """
        path = self.path(frame)
        if "vector" in names and self.motion_blur:
            raise MotionBlurError(
                f"{path.name} was rendered with motion blur, and Blender leaves the Vector pass empty then.",
                "Switch Motion Blur off in the Render Properties and render the shot again.",
                path=str(path),
            )
        parts = images.read_header(path)
        planes = _find_passes(parts, self.view_layer)
        missing = [name for name in names if name not in planes]
        if missing:
            raise _missing(path, missing)
        self._check_size(path, parts[0].size)
        return images.read_planes(path, parts, {name: planes[name] for name in names}, _normalise)

    def _check_size(self, path: Path, size: tuple[int, int]) -> None:
        if size != (self.width, self.height):
            raise ShotError(
                f"{path.name} is {size[0]} x {size[1]} pixels, "
                f"but the shot's first frame is {self.width} x {self.height}.",
                "Render the whole shot at one resolution.",
                path=str(path),
            )


def _read_facts(folder: Path) -> dict[str, object]:
    path = folder / "shot.json"
    if not path.exists():
        return {}
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(facts, dict) or facts["format"] != 1:
            raise ValueError("written by another version of Paintover")
    except (OSError, ValueError, KeyError) as error:
        raise _unusable(folder, error) from error
    return facts


def _unusable(folder: Path, reason: Exception) -> ShotError:
    remedy = "Render the shot's passes again."
    return ShotError(f"shot.json in {folder} cannot be used ({reason}).", remedy, path=str(folder / "shot.json"))


def _find_frames(folder: Path, wanted: object) -> tuple[str, dict[int, Path]]:
    shots: dict[str, dict[int, Path]] = {}
    for path in sorted(folder.iterdir()):
        match = _FRAME_FILE.fullmatch(path.name)
        if match:
            shots.setdefault(match["name"] or "", {})[int(match["frame"])] = path
    if isinstance(wanted, str) and wanted in shots:
        return wanted, shots[wanted]
    if not shots:
        raise ShotError(
            f"There are no frames in {folder}: multilayer EXR files named NAME_0001.exr are looked for.",
            "Render the shot's passes first.",
            path=str(folder),
        )
    if len(shots) > 1:
        raise ShotError(
            f"{folder} holds frames of several shots: {', '.join(sorted(shots))}.",
            "Give each shot its own folder.",
            path=str(folder),
        )
    return next(iter(shots.items()))


def _find_passes(parts: Sequence[Part], view_layer: str) -> dict[str, Plane]:
    """The passes of the view layer that has most of them (Blender adds one for the compositor's output): where several
    do, the one of that name, or the first.
    """
    layers: dict[str, dict[str, dict[str, tuple[int, str]]]] = {}
    for number, part in enumerate(parts):
        for channel in part.channels:
            layer, in_file, suffix = _split(channel)
            if in_file in _BY_FILE_NAME:
                found = layers.setdefault(layer, {}).setdefault(_BY_FILE_NAME[in_file], {})
                found.setdefault(suffix, (number, channel))
    best: dict[str, Plane] = {}
    for layer, passes in layers.items():
        planes = {}
        for name, found in passes.items():
            kind = PASSES[name]
            at = [found[suffix] for suffix in kind.suffixes if suffix in found]
            if len(at) == kind.channels and len({part for part, _ in at}) == 1:
                planes[name] = Plane(at[0][0], tuple(channel for _, channel in at), kind.outside)
        if len(planes) > len(best) or (len(planes) == len(best) and layer == view_layer):
            best = planes
    return best


def _split(channel: str) -> tuple[str, str, str]:
    """A channel's view layer, pass and suffix; a plain EXR's R, G, B, A count as Combined."""
    if "." not in channel:
        return "", "Combined", channel.lower()
    rest, suffix = channel.rsplit(".", 1)
    layer, _, in_file = rest.rpartition(".")
    return layer, in_file, suffix.lower()


def _missing(path: Path, names: Sequence[str]) -> MissingPassError:
    labels = ", ".join(PASSES[name].label for name in names)
    switches = "; ".join(f"Passes > {PASSES[name].switch}" for name in names)
    plural = "passes" if len(names) > 1 else "pass"
    return MissingPassError(
        f"{path.name} lacks the {plural} {labels}.",
        f"Switch on in the View Layer Properties: {switches}. Then render the shot again.",
        path=str(path),
        passes=list(names),
    )


def _normalise(name: str, pixels: FloatImage) -> None:
    """Make values (channels, N) mean what ``Shot.read`` promises, in place. Cheap sums and extremes show whether there
    is work.
    """
    from torch import from_numpy  # sums in half of numpy's time; who reads headers alone has no use for it

    if name == "object":
        return
    if not isfinite(float(from_numpy(pixels).sum())):  # fireflies, or a sky too far for half float
        limit = SKY_DEPTH if name == "depth" else images.HALF_MAX
        np.nan_to_num(pixels, copy=False, nan=0.0, posinf=limit, neginf=-limit)
    if name == "depth":
        np.minimum(pixels, SKY_DEPTH, out=pixels)  # outside a render border Cycles leaves ten times that
    elif name == "vector":
        if max(pixels.max(), -pixels.min()) >= _NO_VECTOR:
            pixels[np.abs(pixels) >= _NO_VECTOR] = 0.0
        # Blender counts y upward, and zw from the next frame rather than to it.
        np.negative(pixels[1:3], out=pixels[1:3])


def _spoken(frames: Iterable[int]) -> str:
    """Frames in words: "frame 7", "frames 1 to 24"."""
    frames = sorted(frames)
    return f"frame {frames[0]}" if len(frames) == 1 else f"frames {frames[0]} to {frames[-1]}"
