"""Where a scene's files go. Only ``places``, ``effects`` and ``is_temporary`` need Blender; the rest is plain paths."""

import re
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import bpy

_PAUSE = 5.0  # times as long as a folder was read it is left alone
_SETTLED = 2.0  # seconds: within a tick of the disk's clock a folder may change twice
_HOLDS = 5.0  # seconds: and some disks do not tell that a folder has changed
_known: dict[tuple[Path, str], "_Listing"] = {}  # what ``frame_times`` found
_unsaved = 0  # how many .blends have been opened before the one that is open

FRAME = re.compile(r"^(?P<name>.+)_(?P<frame>-?\d{3,})\.exr$")


@dataclass(frozen=True)
class _Listing:
    """``times`` of the frames in a folder, ``read`` then by time.monotonic(), which took ``cost`` seconds. ``changed``:
    when the folder was, None if that was a moment ago.
    """

    times: dict[int, float]
    changed: float | None
    read: float
    cost: float

    def holds(self, folder: Path) -> bool:
        age = time.monotonic() - self.read
        return age < _PAUSE * self.cost or (age < _HOLDS and self.changed == changed_at(folder))


@dataclass(frozen=True)
class Places:
    """The folders of one scene's shot. Nothing is created here: whoever writes makes the folder.

    ``folder``: the scene's own folder. ``name``: the shot's name, safe in a file name on every system.
    """

    folder: Path
    name: str

    @property
    def passes(self) -> Path:
        """Multilayer EXRs out of the Render Result, and ``shot.json``."""
        return self.folder / "passes"

    @property
    def paint(self) -> Path:
        """The artist's painted keyframes."""
        return self.folder / "paint"

    @property
    def styled(self) -> Path:
        """What the look makes: one half-float EXR per frame."""
        return self.folder / "styled"

    @property
    def look(self) -> Path:
        """The look that was trained on this scene."""
        return self.folder / f"{self.name}.look"


def safe_name(name: str) -> str:
    """``name`` with everything that a file system may refuse made an underscore. Never empty."""
    safe = re.sub(r"[^\w\-]+", "_", name).strip("_")
    return safe or "scene"


def frame_path(folder: Path, name: str, frame: int) -> Path:
    """``NAME_####.exr``, numbered as Blender numbers files: four digits, a minus sign counting as one."""
    return folder / f"{name}_{frame:04d}.exr"


def frames_in(folder: Path, name: str) -> list[int]:
    """The frame numbers of ``name`` that are in ``folder``, sorted. No folder: no frames."""
    if not folder.is_dir():
        return []
    found = (FRAME.match(path.name) for path in folder.iterdir())
    return sorted(int(match["frame"]) for match in found if match and match["name"] == name)


def frame_times(folder: Path, name: str) -> dict[int, float]:
    """``frames_in`` for panels, with when each was put there, as time.time().

    They ask several times a second, and the folder may be far away: it is read again once it has changed, which it does
    when a frame is renamed into place, and never for much of the time.
    """
    known = _known.get((folder, name))
    if known is None or not known.holds(folder):
        began, changed = time.monotonic(), changed_at(folder)
        times = {frame: changed_at(frame_path(folder, name, frame)) for frame in frames_in(folder, name)}
        settled = changed if time.time() - changed > _SETTLED else None
        read = time.monotonic()
        known = _known[folder, name] = _Listing(times, settled, read, read - began)
    return known.times


def changed_at(path: Path) -> float:
    """When a file or a folder was changed last; where there is none, long ago."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def free(path: Path, taken: Collection[Path] = ()) -> Path:
    """``path``, or the first of ``path_2``, ``path_3``, ... beside it: one that is not there, nor ``taken``."""
    numbered = (path.with_stem(f"{path.stem}_{number}") for number in count(2))
    return next(place for place in chain([path], numbered) if place not in taken and not place.exists())


def runs(frames: Iterable[int], step: int = 1) -> list[tuple[int, int]]:
    """``[1, 2, 3, 7]`` -> ``[(1, 3), (7, 7)]``: first and last of those that follow each other ``step`` apart."""
    runs: list[tuple[int, int]] = []
    for frame in frames:
        if runs and frame == runs[-1][1] + step:
            runs[-1] = (runs[-1][0], frame)
        else:
            runs.append((frame, frame))
    return runs


def spoken(frames: Iterable[int]) -> str:
    """``[1, 2, 3, 7]`` -> ``1 to 3, 7``."""
    return ", ".join(f"{first} to {last}" if first != last else f"{first}" for first, last in runs(frames))


def places(scene: "bpy.types.Scene") -> Places:
    """Beside the saved .blend: ``//paintover/<scene>``. Before the first save: in Blender's temporary folder."""
    name = safe_name(scene.name)
    return Places(_root() / name, name)


def effects() -> Path:
    """The folder of this .blend's effects: one folder in it for each."""
    return _root() / "effects"


def is_temporary(folder: Path) -> bool:
    """Whether it goes when Blender quits."""
    import bpy

    return folder.is_relative_to(bpy.app.tempdir)


def _root() -> Path:
    import bpy

    if bpy.data.filepath:
        return Path(bpy.path.abspath("//")) / "paintover"
    return Path(bpy.app.tempdir) / f"paintover_{_unsaved}"


def begin_unsaved() -> None:
    """Another .blend was opened: what those before it left in the temporary folder is not its own."""
    global _unsaved
    _unsaved += 1
