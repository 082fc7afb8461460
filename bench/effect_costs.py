"""What effects cost: seconds, beside Mantaflow with Cycles, and memory; and whether tiles show a seam."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from backend import images
from backend.effect import detail

from . import real_blender
from .kept import Facts
from .shots import CACHE, ROOT

FOLDER = CACHE / "effects" / "costs"
BESIDE = 12  # lines on either side of a tile's border that it is compared with


@dataclass(frozen=True)
class Scale:
    """How much is measured. ``cells``, ``baked``, ``rendered``, ``samples``: of Mantaflow and Cycles."""

    frames: int = 64
    size: int = 512
    runs: int = 3
    memory_size: int = 1024
    large: tuple[int, int] = (3840, 2160)
    tile: int = detail.TILE
    cells: int = 128
    baked: int = 12
    rendered: int = 2
    samples: int = 64


QUICK = Scale(8, 96, 1, 128, (160, 96), 64, 16, 6, 1, 2)


@dataclass(frozen=True)
class Ran:
    """One run of the command line: what it gave, its seconds from start to end, and its peak of memory."""

    value: Facts
    seconds: float
    peak_gb: float


def rendered(kind: str, name: str, weights: Path | None, size: tuple[int, int], frames: int, *words: str) -> Ran:
    """``effect render`` in a process of its own, into ``FOLDER``/NAME."""
    out = FOLDER / name
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    own = ["--weights", str(weights)] if weights else []
    what = ["effect", "render", kind, "--out", str(out), "--frames", str(frames), "--size", f"{size[0]}x{size[1]}"]
    log, told = out / "log", out / "told"
    started = time.perf_counter()
    with open(log, "wb") as errors, open(told, "wb") as answer:
        command = [sys.executable, "-m", "backend", *what, "--json", *own, *words]
        child = subprocess.Popen(command, cwd=ROOT, stdout=answer, stderr=errors)
        _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"effect render failed: see {log}")
    *_, last = told.read_text(encoding="utf-8").splitlines()
    return Ran(json.loads(last)["value"], seconds, 1024 * usage.ru_maxrss / 1e9)


def speed(kind: str, weights: Path | None, scale: Scale) -> Facts:
    """Seconds for a shot of frames, the median of some runs: of rendering, and of the whole process with its start."""
    runs = [rendered(kind, f"speed-{kind}", weights, (scale.size, scale.size), scale.frames) for _ in range(scale.runs)]
    return {
        "frames": scale.frames,
        "size": scale.size,
        "seconds": statistics.median(run.value["seconds_per_frame"] * scale.frames for run in runs),
        "process_seconds": statistics.median(run.seconds for run in runs),
        "peak_gb": max(run.peak_gb for run in runs),
    }


def speeds(weights: Mapping[str, Path | None], blender: str | None, scale: Scale) -> Facts:
    """Of all kinds, and how many times as long Mantaflow and Cycles take, where there is a real Blender."""
    ours = {kind: speed(kind, path, scale) for kind, path in weights.items()}
    theirs = blender and mantaflow(blender, scale)
    if theirs:
        for facts in ours.values():
            facts["times_faster"] = theirs["seconds"] / facts["seconds"]
    return {"paintover": ours, "mantaflow_and_cycles": theirs}


def blender() -> str | None:
    """A real Blender where there is the wheel too: see ``mantaflow_scene``."""
    return real_blender.find() if find_spec("bpy") else None


def mantaflow(program: str, scale: Scale) -> Facts:
    """The same number of frames from Mantaflow, and Cycles of the bpy wheel, measured on a few."""
    folder = FOLDER / "mantaflow"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    script = str(Path(__file__).with_name("mantaflow_scene.py"))
    real = [program, "-b", "--factory-startup", "--python-exit-code", "1", "--python", script]
    found: Facts = {}
    for what, command, numbers in (
        ("bake", real, (scale.cells, scale.baked)),
        ("render", [sys.executable, script], (scale.rendered, scale.samples, scale.size)),
    ):
        with open(folder / f"{what}.log", "wb") as log:
            words = [*command, "--", what, str(folder), *map(str, numbers)]
            subprocess.run(words, stdout=log, stderr=subprocess.STDOUT, check=True)
        found[what] = json.loads((folder / f"{what}.json").read_text(encoding="utf-8"))
    each = sum(found[what]["seconds_per_frame"] for what in ("bake", "render"))
    asked = {"cells": scale.cells, "samples": scale.samples, "size": scale.size, "frames": scale.frames}
    return found | asked | {"seconds": each * scale.frames}


def memory(kind: str, weights: Path | None, scale: Scale) -> Facts:
    """Peak resident memory of a process that renders a few frames of 1024x1024, in GB (10^9 bytes)."""
    side = scale.memory_size
    return {"size": side, "peak_gb": rendered(kind, f"memory-{kind}", weights, (side, side), 3).peak_gb}


def tiles(kind: str, weights: Path | None, scale: Scale) -> Facts:
    """A 4K frame in tiles: what it costs, and how its gradient across the tiles' borders compares with beside them.

    Also how far a frame of 1024x1024 in tiles is from the same in one piece, of the brightest value in it.
    """
    tile = str(scale.tile)
    ran = rendered(kind, f"tiles-{kind}", weights, scale.large, 2, "--tile", tile)
    frame = images.read_exr(sorted((FOLDER / f"tiles-{kind}").glob("*.exr"))[-1])
    side = (scale.memory_size, scale.memory_size)
    both = []
    for name, words in (("whole", []), ("cut", ["--tile", str(max(64, scale.memory_size // 4))])):
        rendered(kind, f"{name}-{kind}", weights, side, 2, *words)
        both.append(images.read_exr(sorted((FOLDER / f"{name}-{kind}").glob("*.exr"))[-1]))
    whole, cut = both
    return {
        "size": list(scale.large),
        "tile": scale.tile,
        "seconds_per_frame": ran.value["seconds_per_frame"],
        "peak_gb": ran.peak_gb,
        "seam": seam(frame, scale.tile),
        "cut_against_whole": float(np.abs(cut - whole).max() / max(float(whole.max()), 1e-9)),
    }


def seam(frame: np.ndarray[Any, Any], tile: int) -> float:
    """Mean gradient across the borders of tiles over that across the lines beside them, on log(1 + x); 1 is none.

    Tiles are counted from the left and, as a frame stands on the lower edge of what was drawn, from the top of that;
    both are the frame's own where its sides are multiples of the generator's factor.
    """
    seen = np.log1p(np.maximum(frame, 0)).astype(np.float64)
    on, near = [], []
    for axis in (0, 1):
        steps = np.abs(np.diff(seen, axis=axis)).mean((1 - axis, 2))
        for border in range(tile, seen.shape[axis], tile):
            on.append(steps[border - 1])
            around = steps[max(border - 1 - BESIDE, 0) : border + BESIDE]
            near.append((around.sum() - steps[border - 1]) / (len(around) - 1))
    if not on:
        raise ValueError(f"a frame of {frame.shape[1]} x {frame.shape[0]} has no borders of tiles of {tile}")
    return float(np.sum(on) / max(float(np.sum(near)), 1e-12))
