"""An artist's own low-resolution bake of Blender's fluid simulation as the coarse half of an effect.

Mantaflow writes one OpenVDB file a frame. Its grids, x to the right, y away and z up, become fields of a ``Volume``:
``density`` is smoke (1 as it leaves the emitter, as ours), ``flame`` is what burns and glows, ``temperature`` is heat,
``velocity`` lies on the voxels' lower faces. How old gas is was never told: it is followed along the velocity.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import EffectError, UsageError
from ..job import Job
from . import controls as tables
from . import lighting, vdb
from .advection import moved
from .coarse import View
from .controls import Value
from .frames import BAKE_AGAIN, SIDES, baked_files, check_count, fitting
from .physics import AMBIENT, number, physics
from .projection import Volume, project
from .request import Animated
from .vdb import Grid, VdbError

HOTTEST_FLAME, HOTTEST_SMOKE = 3.0, 1.0  # Mantaflow's temperature there, by default
PACE = 2.5  # of Mantaflow's time in a second: it makes steps of 0.1 for frames of 1/25 s
_ORIGIN = "file_base_resolution"  # Mantaflow alone writes this
_FAINT = 1e-4
MOST_CELLS = 4096  # along a side


@dataclass(frozen=True)
class Baked:
    """What was baked, as a ``coarse.Take`` would simulate it: the files of its frames, counted from 0.

    ``cells``: of the domain, x, y, z as Mantaflow has them. ``voxel``: m. ``hottest``: Mantaflow's temperature of the
    hottest gas.
    """

    controls: Animated
    files: tuple[Path, ...]
    start: int
    fps: float
    cells: tuple[int, int, int]
    voxel: float
    hottest: float
    turn: int = 0  # quarters, see ``frames.SIDES``
    loop: bool = field(default=False, init=False)

    @property
    def kind(self) -> str:
        return self.controls.kind

    @property
    def frames(self) -> int:
        return len(self.files)

    def values(self, frame: float) -> dict[str, Value]:
        """Every control at a frame; the size is that of the domain unless something else was asked for."""
        found = self.controls.values(self.start + frame)
        return found if "size" in self.controls.keys else found | {"size": self.cells[2] * self.voxel}

    def deep(self, size: tuple[int, int]) -> float:
        """As it was baked."""
        x, y, z = self.cells
        return (x if self.turn % 2 else y) / z

    def picture(self, longest: int) -> tuple[int, int]:
        """Width and height in pixels of a picture of the whole domain, ``longest`` the longer one."""
        x, y, z = self.cells
        return fitting(y if self.turn % 2 else x, z, longest)

    def digest(self) -> str:
        """Of all that was baked."""
        found = hashlib.sha256(repr((self.hottest, self.turn)).encode())
        for file in self.files:
            found.update(file.read_bytes())
        return found.hexdigest()

    def shown(self, size: tuple[int, int], rows: int, job: Job) -> Iterator[tuple[int, View]]:
        """Every frame with its number: as high as the domain, as wide as the picture of ``size``, air at both sides."""
        width, height = size
        ages = _Ages()
        for frame, file in enumerate(self.files):
            job.check()
            values = self.values(frame)
            volume = ages.told(self._volume(file, values), number(values["time_scale"]) / self.fps).turned(self.turn)
            volume = _wide(volume, max(1, round(self.cells[2] * width / height)))
            yield frame, View(project(volume), lighting.light(volume, number(values["temperature"])))

    def _volume(self, file: Path, values: Mapping[str, Value]) -> Volume:
        """Of one file, without ages."""
        grids = _read(file)
        data = file.read_bytes()

        def field_(name: str) -> Tensor:
            if name not in grids:
                return torch.zeros(self.cells).movedim(0, 2)
            try:
                found = torch.from_numpy(vdb.dense(data, grids[name], (0, 0, 0), self.cells))
            except VdbError as error:
                raise EffectError(f"{file.name} cannot be used: {error}.", BAKE_AGAIN) from error
            if not bool(found.isfinite().all()):
                raise EffectError(
                    f"{file.name} cannot be used: its {name} holds values that are no numbers.", BAKE_AGAIN
                )
            return found.movedim(0, 2).flip(0)  # (Z, Y, X): toward the camera, up, right

        smoke, flame, heat = (field_(name).clamp(min=0) for name in ("density", "flame", "temperature"))
        if "temperature" not in grids:
            heat = flame * self.hottest
        usual = tables.table(self.kind)["smoke"].default
        smoke = smoke * (number(values["smoke"]) / number(usual))
        heat = heat * ((number(values["temperature"]) - AMBIENT) / self.hottest)
        nothing = torch.zeros_like(smoke)
        optics = physics([self.kind], [values], self.cells[2], torch.device("cpu")).optics
        across, away, up = _centred(field_("velocity")).unbind(-1)
        velocity = torch.stack((across, up, -away)) * (PACE / self.fps * number(values["time_scale"]))
        mark = (smoke + flame).clamp(max=1)
        return Volume(torch.stack((heat, smoke, flame, mark, nothing))[None], velocity[None], optics)


class _Ages:
    """Follows how old gas is: what comes along the velocity has grown older, what was not there before is new."""

    def __init__(self) -> None:
        self._last: tuple[Tensor, Tensor] | None = None  # gas, and gas times its age

    def told(self, volume: Volume, seconds: float) -> Volume:
        """``volume`` with the ages, ``seconds`` after the one before."""
        scalars = volume.scalars.clone()
        mark = scalars[:, 3:4]
        aged = torch.zeros_like(mark)
        if self._last is not None:
            before, age = moved(torch.cat(self._last, 1), volume.velocity).split(1, 1)
            aged = torch.minimum(before, mark) * (age / (before + _FAINT) + seconds)
        self._last = mark, aged
        scalars[:, 4:5] = aged
        return Volume(scalars, volume.velocity, volume.optics)


def opened(asked: object, controls: Animated, frames: int | None, start: int | None, fps: float) -> Baked:
    """``asked``: the cache's folder, or {"folder", "side", "hottest"}. ``start``: the number of the first file to use.

    ``UsageError`` for what cannot be meant, ``EffectError`` for a bake that cannot be used.
    """
    request: dict[str, Any] = asked if isinstance(asked, dict) else {"folder": asked}
    unknown = sorted(map(str, set(request) - {"folder", "side", "hottest"}))
    if unknown or not isinstance(request.get("folder"), str) or not request["folder"]:
        raise UsageError(f"A bake is a folder, or a folder with a side and a hottest temperature, not {asked!r:.60}.")
    side = request.get("side", "front")
    if not isinstance(side, str) or side not in SIDES:
        raise UsageError(f"A bake is seen from {', '.join(SIDES)}, not from {side!r:.40}.")
    hottest = request.get("hottest")
    if hottest is not None and (isinstance(hottest, bool) or not isinstance(hottest, int | float) or not hottest > 0):
        raise UsageError(f"The hottest temperature of a bake is a number above 0, not {hottest!r:.40}.")
    idle = sorted(set(controls.keys) - set(tables.KEPT))
    if idle:
        raise UsageError(
            f"{tables.table(controls.kind)[idle[0]].label} was decided when the simulation was baked.",
            f"Of a bake one can still turn {', '.join(tables.KEPT)}.",
            control=idle[0],
        )
    first, files = _files(Path(request["folder"]), frames, start)
    headers = [_read(file) for file in files]
    cells, voxel = _domain(files, headers)
    if hottest is None:
        hottest = HOTTEST_FLAME if any("flame" in grids for grids in headers) else HOTTEST_SMOKE
    return Baked(controls, tuple(files), first, fps, cells, voxel, float(hottest), SIDES[side])


def _files(folder: Path, frames: int | None, start: int | None) -> tuple[int, list[Path]]:
    """The number of the first, and all in order."""
    found = baked_files(folder)
    if frames is not None:
        check_count(frames)
    first = min(found) if start is None else start
    last = max(found) if frames is None else first + frames - 1
    missing = [number for number in range(first, max(last, first) + 1) if number not in found]
    if missing:
        raise EffectError(
            f"Frame {missing[0]} is not in the bake: it has frames {min(found)} to {max(found)}.",
            "Bake the whole range, or name a start and a number of frames that are there.",
        )
    return first, [found[number] for number in range(first, last + 1)]


def _read(file: Path) -> dict[str, Grid]:
    """The grids of a file of Mantaflow's. ``EffectError`` for any other file, and where what is needed is not there."""
    try:
        grids = vdb.grids(file.read_bytes())
    except VdbError as error:
        raise EffectError(f"{file.name} cannot be used: {error}.", BAKE_AGAIN) from error
    names = ", ".join(sorted(grids)) or "nothing"
    if not grids or not all(_is_size(grid.metadata.get(_ORIGIN)) for grid in grids.values()):
        raise EffectError(f"{file.name} was not baked by Blender's fluid simulation: it holds {names}.", BAKE_AGAIN)
    if "density" not in grids and "flame" not in grids:
        raise EffectError(f"{file.name} holds neither smoke nor fire (density, flame), but {names}.", BAKE_AGAIN)
    if "velocity" not in grids:
        raise EffectError(f"{file.name} has no velocity, by which detail moves; it holds {names}.", BAKE_AGAIN)
    return grids


def _is_size(told: object) -> bool:
    """Whether this is a number of cells in x, y and z."""
    return isinstance(told, tuple) and len(told) == 3 and all(0 < side <= MOST_CELLS for side in told)


def _domain(files: list[Path], headers: list[dict[str, Grid]]) -> tuple[tuple[int, int, int], float]:
    """Cells and voxel size of all frames. ``EffectError`` where they differ, or where there is nothing in any."""
    told = [tuple(map(int, grids["velocity"].metadata[_ORIGIN])) for grids in headers]
    for file, cells in zip(files, told, strict=True):
        if cells != told[0]:
            raise EffectError(
                f"The domain of {file.name} has another size than that of {files[0].name}.",
                "Switch Adaptive Domain off: its files do not say where the domain is. Then bake again.",
            )
    shown = [grid for grids in headers for name, grid in grids.items() if name in ("density", "flame")]
    if all(grid.metadata.get("file_voxel_count") == 0 for grid in shown):
        raise EffectError(
            "The bake is empty: there is neither smoke nor fire in any of its frames.",
            "Give the domain a flow object, and bake again.",
        )
    x, y, z = told[0]
    return (x, y, z), headers[0]["velocity"].voxel[2]


def _centred(velocity: Tensor) -> Tensor:
    """(Z, Y, X, 3) at the voxels' middles, from their lower faces. Its axes are turned, its components are not."""
    across, away, up = velocity.unbind(-1)
    return torch.stack(
        (
            0.5 * (across + torch.cat((across[:, :, 1:], across[:, :, -1:]), 2)),
            0.5 * (away + torch.cat((away[:1], away[:-1]), 0)),  # the next one away from the camera
            0.5 * (up + torch.cat((up[:, 1:], up[:, -1:]), 1)),
        ),
        -1,
    )


def _wide(volume: Volume, width: int) -> Volume:
    """The same volume, so many cells wide: cut, or with still air, on both sides alike."""
    more = width - volume.scalars.shape[4]
    sides = (more // 2, more - more // 2)
    return Volume(F.pad(volume.scalars, sides), F.pad(volume.velocity, sides), volume.optics)
