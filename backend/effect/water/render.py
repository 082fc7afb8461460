"""``effect.render`` of water: tiles that repeat in space and time, as frames with a layer for each use."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ... import images as pictures
from ...errors import UsageError
from ...images import FloatImage
from ...job import Job
from ..frames import FPS, LEAST_TILE, MOST_TILE, SIZE, check_count, with_seed
from .controls import Water, create
from .shade import shade
from .simulation import Simulation, Surface

FORMAT = 1


def render(
    *,
    kind: str,
    out: Path,
    job: Job,
    frames: int | None = None,
    picture: object = None,
    seed: int | None = None,
    controls: object = None,
    start: int = 1,
    fps: float | None = None,
    textures: bool = False,
) -> dict[str, Any]:
    """Render the water ``kind`` as ``out``/KIND_####.exr, always as a loop. ``picture``: size of the tile's side.
    ``frames``: to the whole loop, ``fps`` times its seconds without; the result's ``fps`` is what they are to play at.

    RGBA is a preview, opaque. Layers: ``height`` (m), ``displacement`` (m: x, y up, z), ``normal`` (x, y up, z; length
    1), ``foam`` (0..1), ``caustics`` (light on the floor, 1 on average). Frames of this request that are
    there and whole are kept.
    ``textures``: for programs that read no layers also KIND_normal_####.exr, whose RGB is ``normal``, and
    KIND_surface_####.exr: ``height``, ``foam``, ``caustics``.
    """
    water = asked(kind, with_seed(controls, seed))
    rate = fps or FPS
    count = max(1, round(water.loop_seconds * rate)) if frames is None else frames
    check_count(count)
    side = SIZE if picture is None else tile_size(picture)
    told = [FORMAT, kind, asdict(water), count, side]
    recipe = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    paths = {frame: out / f"{kind}_{start + frame:04}.exr" for frame in range(count)}

    def texture(frame: int, name: str) -> Path:
        return out / f"{kind}_{name}_{start + frame:04}.exr"

    def is_current(frame: int) -> bool:
        files = [paths[frame], *(texture(frame, name) for name in (TEXTURES if textures else ()))]
        return all(pictures.recipe(file) == recipe and pictures.is_whole(file) for file in files)

    todo = []
    for frame in paths:
        job.check()
        if not is_current(frame):
            todo.append(frame)
    started = time.monotonic()
    written: list[str] = []
    job.progress(0.0, "Letting the water come to rest in its loop")
    simulation = Simulation(water, side, count, check=job.check)
    for frame, surface in simulation.surfaces(todo) if todo else ():
        rgb = shade(surface, water, simulation.grid)
        if textures:
            for name, planes in TEXTURES.items():
                pictures.write_exr(texture(frame, name), _opaque(planes(surface)), recipe=recipe)
        pictures.write_exr(paths[frame], _opaque(rgb), layers(surface), recipe)
        written.append(str(paths[frame]))
        done = len(written) / (time.monotonic() - started)
        job.progress(
            len(written) / len(todo),
            f"Rendered {paths[frame].name}",
            path=str(paths[frame]),
            frame=start + frame,
            rate=done,
            remaining=(len(todo) - len(written)) / done,
        )
    return {
        "folder": str(out),
        "pattern": str(out / f"{kind}_####.exr"),
        "written": written,
        "skipped": [start + frame for frame in paths if frame not in todo],
        "size": [side, side],
        "fps": rate if frames is None else count / water.loop_seconds,
        "loop": True,
        "metres": water.scale,
        "seconds_per_frame": (time.monotonic() - started) / max(len(written), 1),
    }


TEXTURES: Mapping[str, Callable[[Surface], torch.Tensor]] = {
    "normal": lambda surface: surface.normal,
    "surface": lambda surface: torch.cat((surface.height, surface.foam, surface.caustics)),
}
"""Pictures (3, H, W) by what stands in their files' names."""


def asked(kind: str, controls: object) -> Water:
    """The water that ``controls`` {name: value} describe. ``UsageError`` for what ``create`` does not take."""
    if controls is not None and not isinstance(controls, dict):
        raise UsageError(f"Controls are names with values, not {controls!r:.60}.")
    return create(kind, controls or {})


def tile_size(picture: object) -> int:
    """Of [side, side] or one number. ``UsageError`` unless square, even, and of a size that a tile can have."""
    pair = picture if isinstance(picture, list | tuple) else [picture, picture]
    sides = {side for side in pair if isinstance(side, int) and not isinstance(side, bool)}
    side = sides.pop() if len(sides) == 1 and len(pair) == 2 else 0
    if side % 2 or not LEAST_TILE <= side <= MOST_TILE:
        raise UsageError(
            f"A tile of water cannot have the size {picture!r:.40}.",
            f"It is square: choose one even number of pixels, from {LEAST_TILE} to {MOST_TILE}.",
        )
    return side


def layers(surface: Surface) -> dict[str, np.ndarray[Any, Any]]:
    """The layers of a frame: what displaces meshes as 32-bit floats, the rest as half floats."""
    x, z = surface.displacement
    moved = torch.stack((x, surface.height[0], z), 2)
    found: dict[str, np.ndarray[Any, Any]] = {
        "height": surface.height[0].contiguous().numpy(),
        "displacement": moved.numpy(),
        "normal": surface.normal.permute(1, 2, 0).contiguous().numpy().astype(np.float16),
        "foam": surface.foam[0].contiguous().numpy().astype(np.float16),
        "caustics": surface.caustics[0].contiguous().numpy().astype(np.float16),
    }
    return found


def _opaque(rgb: torch.Tensor) -> FloatImage:
    picture = torch.cat((rgb, torch.ones_like(rgb[:1]))).permute(1, 2, 0).contiguous()
    found: FloatImage = picture.numpy()
    return found
