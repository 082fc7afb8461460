"""Looks beside the alternatives: four drawing styles with known answers, on three shots.

One frame's true drawing is the painting that every method gets; frames that were never painted are compared with
their own true drawings. Finished cells are kept in .cache/bench/cells, so that a run of hours can be stopped and goes
on; a cell is computed anew when the code of its method or of the drawings has changed.
"""

import argparse
import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from backend import images, metrics, service
from backend.job import Job
from backend.shot import Shot

from . import baselines, costs, features, patchnet, shots, styles
from .kept import save

Array = NDArray[np.float32]
JUDGED = (1, 3, 9, 12)  # never painted: near and far from the painted frame, on both sides
DRAWINGS = ("bench/styles.py", "bench/texture.py", "bench/scenes.py")
CELLS = shots.CACHE / "cells"
PUBLISHED_STEPS = 20_000
SEED = 0
LOOKS = ("backend/look/*.py", "backend/learning/*.py", *(f"backend/{name}.py" for name in ("motion", "shot", "images")))
# Of these, what comes after training, and changes no weight.
AFTER = (
    "apply.py",
    "file.py",
    "fill.py",
    "journey.py",
    "reader.py",
    "reprojection.py",
    "strict.py",
    "suggest.py",
    "textures.py",
    "tiles.py",
)


@dataclass(frozen=True)
class Task:
    """One drawing style on one shot."""

    bench: shots.BenchShot
    style: str

    def shown(self, frame: int) -> Array:
        beauty = self.bench.shot.read(frame, ["beauty"])["beauty"]
        return self.bench.shot.view.to_display(np.ascontiguousarray(beauty[..., :3]))

    def truth(self, frame: int) -> Array:
        return self.bench.truth(self.style, frame)[..., :3] / np.float32(255)


Result = tuple[list[Array], dict[str, Any]]
Method = Callable[[Task, Path], Result]
"""A method draws the ``JUDGED`` frames; the folder is for its files. Gives them with facts about how it went."""


def ours(seconds: float) -> Method:
    def run(task: Task, folder: Path) -> Result:
        trained = learned(task, folder, seconds)
        shot, out = task.bench.shot, folder / "styled"
        for left in out.glob("*.exr"):
            left.unlink()
        request = {"shot": str(shot.folder), "look": trained["look"], "out": str(out)}
        applied = service.call(service.VERBS, "look.apply", request, Job())
        drawn = [
            shot.view.to_display(np.ascontiguousarray(images.read_exr(out / shot.path(frame).name)[..., :3]))
            for frame in JUDGED
        ]
        return drawn, {
            "steps": trained["steps"],
            "seconds": trained["seconds"],
            "seconds_per_frame": applied["seconds_per_frame"],
            **steadiness(shot, out),
        }

    return run


def steadiness(shot: Shot, styled: Path) -> dict[str, float]:
    """The warp ratio; nothing of a shot whose camera and light stand still."""
    try:
        return {"warp_ratio": metrics.warp_ratio(shot, styled)}
    except ValueError:
        return {}


def learned(task: Task, folder: Path, seconds: float) -> dict[str, Any]:
    """What ``look.train`` gave; a look that was trained by the same code is kept, whatever else has changed."""
    record = folder / "trained.json"
    state = fingerprint((*DRAWINGS, *LOOKS), without=AFTER)
    if record.exists():
        kept: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
        if kept["state"] == state:
            return kept
    task.bench.truth(task.style, shots.PAINTED)
    paint = {str(shots.PAINTED): str(task.bench.truth_path(task.style, shots.PAINTED))}
    look = folder / "bench.look"
    look.unlink(missing_ok=True)
    request = {"shot": str(task.bench.shot.folder), "paint": paint, "out": str(look), "seconds": seconds, "seed": SEED}
    trained = service.call(service.VERBS, "look.train", request, Job()) | {"state": state}
    record.write_text(json.dumps(trained, indent=1), encoding="utf-8")
    return trained


def patch_network(training: dict[Task, patchnet.Training], seconds: float | None, steps: int | None = None) -> Method:
    """Its rate is constant, so that one ``training`` of a task gives the results after a minute and after five."""

    def run(task: Task, folder: Path) -> Result:
        if task not in training:
            training.clear()  # tasks come one after the other
            training[task] = patchnet.Training(task.shown(shots.PAINTED), task.truth(shots.PAINTED), SEED)
        net = training[task].until(seconds, steps)
        started = time.perf_counter()
        drawn = [patchnet.apply(net, task.shown(frame)) for frame in JUDGED]
        return drawn, {
            "steps": training[task].steps,
            "seconds": training[task].seconds,
            "seconds_per_frame": (time.perf_counter() - started) / len(JUDGED),
            "features": features.available(features.VGG),
        }

    return run


def guided_lookup(task: Task, folder: Path) -> Result:
    kept = shots.CACHE / task.bench.name / "lookup.npz"
    if not kept.exists():  # where each pixel is found depends on the shot alone
        names = ["albedo", "normal", "depth", "position"]
        key, *others = (
            baselines.guides(task.bench.shot.read(frame, names), task.shown(frame))
            for frame in (shots.PAINTED, *JUDGED)
        )
        found = {str(frame): baselines.lookup(key, other) for frame, other in zip(JUDGED, others, strict=True)}
        np.savez(kept, **found)
    painted = task.truth(shots.PAINTED).reshape(-1, 3)
    with np.load(kept) as found_:
        return [painted[found_[str(frame)]] for frame in JUDGED], {}


def colour_transfer(task: Task, folder: Path) -> Result:
    key, painted = task.shown(shots.PAINTED), task.truth(shots.PAINTED)
    return [baselines.colour_transfer(key, painted, task.shown(frame)) for frame in JUDGED], {}


def the_render(task: Task, folder: Path) -> Result:
    return [task.shown(frame) for frame in JUDGED], {}


def methods(times: Sequence[float]) -> dict[str, tuple[Method, tuple[str, ...]]]:
    """Name -> the method, and the source files (globs from the root) that its result depends on."""
    table: dict[str, tuple[Method, tuple[str, ...]]] = {}
    training: dict[Task, patchnet.Training] = {}
    for seconds in sorted(times):
        table[f"paintover {seconds:g} s"] = (ours(seconds), LOOKS)
        table[f"patch network {seconds:g} s"] = (patch_network(training, seconds), ("bench/patchnet.py",))
    if torch.cuda.is_available():
        table[f"patch network {PUBLISHED_STEPS} steps"] = (
            patch_network(training, None, PUBLISHED_STEPS),
            ("bench/patchnet.py",),
        )
    table["guided lookup"] = (guided_lookup, ("bench/baselines.py",))
    table["colour transfer"] = (colour_transfer, ("bench/baselines.py",))
    table["render, unstyled"] = (the_render, ())
    return table


def cell(task: Task, name: str, method: Method, sources: tuple[str, ...]) -> dict[str, Any]:
    """The scores of one method on one task; from the cache where they still hold."""
    folder = CELLS / task.bench.name / task.style / name.replace(" ", "-").replace(",", "")
    state = fingerprint((*DRAWINGS, *sources))
    record = folder / "cell.json"
    if record.exists():
        kept: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
        if kept["state"] == state:
            return kept
    folder.mkdir(parents=True, exist_ok=True)
    drawn, facts = method(task, folder)
    truths = [task.truth(frame) for frame in JUDGED]
    for frame, image in zip(JUDGED, drawn, strict=True):
        images.write_png(folder / f"{frame:04d}.png", to_bytes(image))
    swd = metrics.patch_swd(drawn, truths)
    scores: dict[str, Any] = {
        "state": state,
        "psnr": float(np.mean([metrics.psnr(a, b) for a, b in zip(drawn, truths, strict=True)])),
        "patch_swd": swd["mean"],
        "patch_swd_levels": swd,
        "log_spectrum_error": float(
            np.mean([metrics.log_spectrum_error(a, b) for a, b in zip(drawn, truths, strict=True)])
        ),
        **facts,
    }
    if features.available(features.SQUEEZENET):
        scores["squeezenet_distance"] = features.squeezenet_distance(drawn, truths)
    record.write_text(json.dumps(scores, indent=1), encoding="utf-8")
    return scores


def fingerprint(patterns: Sequence[str], without: Sequence[str] = ()) -> str:
    """A hash of the source files that a result depends on, ``without`` those of these names."""
    digest = hashlib.sha256()
    for pattern in patterns:
        for path in sorted(shots.ROOT.glob(pattern)):
            if path.name not in without:
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def to_bytes(image: Array) -> NDArray[np.uint8]:
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)


def sheet(task: Task, names: Sequence[str], target: Path) -> None:
    """The last judged frame of every method under its true drawing and the painted frame, as one picture to look at."""
    frame = JUDGED[-1]
    tiles = [to_bytes(task.truth(shots.PAINTED)), to_bytes(task.truth(frame))]
    for name in names:
        path = CELLS / task.bench.name / task.style / name.replace(" ", "-").replace(",", "") / f"{frame:04d}.png"
        tiles.append(images.read_painting(path)[..., :3])
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % 2)
    rows = [np.concatenate(tiles[i : i + 2], 1) for i in range(0, len(tiles), 2)]
    target.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(rows, 0)).save(target)


def averages(cells: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    result: dict[str, dict[str, float]] = {}
    for name in dict.fromkeys(entry["method"] for entry in cells):
        mine = [entry for entry in cells if entry["method"] == name]
        scores = ("psnr", "patch_swd", "squeezenet_distance", "warp_ratio")
        keys = [key for key in scores if all(key in entry for entry in mine)]
        result[name] = {key: float(np.mean([entry[key] for entry in mine])) for key in keys}
    return result


def line(name: str, scores: dict[str, Any]) -> str:
    text = f"  {name:<28} {scores['psnr']:7.2f} dB  SWD {scores['patch_swd']:7.1f}"
    for key, label in (("squeezenet_distance", "features"), ("warp_ratio", "warp"), ("steps", "steps")):
        if key in scores:
            text += f"  {label} {scores[key]:.3f}" if isinstance(scores[key], float) else f"  {label} {scores[key]}"
    return text


def main(words: Sequence[str]) -> int:
    """Run the benchmark. Exit code 0."""
    parser = argparse.ArgumentParser("bench look", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", type=Path, help="write every number here")
    parser.add_argument("--quick", action="store_true", help="one shot, two styles, 20 seconds of training")
    parser.add_argument("--shots", nargs="+", choices=list(shots.SOURCES), help="only these shots")
    parser.add_argument("--styles", nargs="+", choices=list(styles.STYLES), help="only these styles")
    parser.add_argument("--seconds", nargs="+", type=float, help="seconds of training (60 300)")
    parser.add_argument("--methods", nargs="+", help="only methods whose names begin so: paintover, patch, ...")
    parser.add_argument("--only", choices=("quality", "costs"), help="only the drawings, or only speed and memory")
    arguments = parser.parse_args(words)
    quick = arguments.quick
    chosen_shots = arguments.shots or (["gallery"] if quick else shots.names())
    chosen_styles = arguments.styles or (["toon", "hatch"] if quick else list(styles.STYLES))
    times = arguments.seconds or ([20.0] if quick else [60.0, 300.0])
    report: dict[str, Any] = {
        "machine": {"cores": os.cpu_count(), "processor": platform.machine(), "torch": torch.__version__},
        "painted_frame": shots.PAINTED,
        "judged_frames": JUDGED,
        "cells": [],
    }
    wanted = tuple(arguments.methods or [""])
    table = {name: method for name, method in methods(times).items() if name.startswith(wanted)}
    if arguments.only != "costs":
        for shot_name in chosen_shots:
            for style in chosen_styles:
                task = Task(shots.load(shot_name), style)
                print(f"{shot_name}, {style}", flush=True)
                for name, (method, sources) in table.items():
                    scores = cell(task, name, method, sources)
                    report["cells"].append({"shot": shot_name, "style": style, "method": name, **scores})
                    print(line(name, scores), flush=True)
                    save(report, arguments.json)
                sheet(task, list(table), shots.ROOT / "out" / "bench" / f"{shot_name}-{style}.png")
        report["averages"] = averages(report["cells"])
        print("average")
        for name, scores in report["averages"].items():
            print(line(name, scores))
    if arguments.only != "quality":
        report["costs"] = {}
        for name, facts in costs.measure(quick):
            report["costs"][name] = facts
            print(f"{name}: {json.dumps(facts)}", flush=True)
            save(report, arguments.json)
    save(report, arguments.json)
    return 0
