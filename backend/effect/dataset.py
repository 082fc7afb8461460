"""Training sets made on the spot: fine simulations seen from several sides, with what a coarse one would have shown.

Each sim is one safetensors file: ``truth/VIEW`` (T, 8, H, W) and for every factor ``coarseFACTOR/VIEW`` (T, 8,
H/FACTOR, W/FACTOR), half precision, with the channels of ``projection``. A coarse picture is that of the same volume,
averaged in large cells and then projected, so that it shows the very moment and place of its truth. View 1 is the box
turned by a quarter, and so on; mirror images are left to the training: ``Encoding.mirrored``.
"""

import json
import time
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from ..beside import write_whole
from ..errors import UsageError
from ..images import HALF_MAX
from ..job import Job
from ..learning.device import chosen
from .projection import CHANNELS, UNITS, Volume, project
from .recipe import Recipe
from .simulation import Simulation

FORMAT = 1


def simulate(
    kind: str, out: Path, job: Job, recipe: str | None = None, seed: int = 0, sims: int | None = None
) -> dict[str, Any]:
    """Make the sims of a recipe (of ``KIND-gpu`` where there is a graphics card, else ``KIND-cpu``) in ``out``.

    ``sims``: how many, instead of what the recipe says; the last batch is made whole. Sims that are there and whole are
    kept, so that a run that was stopped goes on. Those of a batch are made together: they take their steps in common.
    """
    device = chosen()
    plan = Recipe.read(recipe or f"{kind}-{'gpu' if device.type == 'cuda' else 'cpu'}")
    if plan.kind != kind:
        raise UsageError(f"The recipe {recipe} makes {plan.kind}, not {kind}.")
    count = sims or plan.sims
    started = time.monotonic()
    written, skipped = [], []
    for first in range(0, count, plan.batch):
        numbers = range(first, first + plan.batch)
        files = [out / f"{kind}_{number:04}.safetensors" for number in numbers]
        marks = [_mark(plan, seed, number) for number in numbers]
        if all(_holds(file, mark) for file, mark in zip(files, marks, strict=True)):
            skipped += files
            continue
        pictures, facts = _run(plan, seed, numbers, device, job, first, count)
        for box, (file, mark) in enumerate(zip(files, marks, strict=True)):
            tensors = {name: picture[box] for name, picture in pictures.items()}
            told = {"channels": CHANNELS, "units": UNITS, "fps": plan.fps, "factors": plan.factors}
            data = to_bytes(tensors, {"sim": json.dumps(mark | facts[box] | told)})
            write_whole(file, data)
            written.append(file)
    return {
        "folder": out,
        "written": written,
        "skipped": skipped,
        "sims": len(written) + len(skipped),
        "seconds": time.monotonic() - started,
        "device": str(device),
    }


def card(file: Path) -> dict[str, Any]:
    """What a sim's file says of itself: the recipe's hash, seed, number, controls, emitter, channels, fps, factors.

    Raises ``UsageError`` for anything that ``simulate`` has not written, whole.
    """
    try:
        with safe_open(file, "pt") as sim:
            return dict(json.loads((sim.metadata() or {})["sim"]))
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise UsageError(f"{file.name} is no simulation, or not whole ({error}).", "Simulate it again.") from error


def _mark(plan: Recipe, seed: int, number: int) -> dict[str, Any]:
    """What tells a sim from every other."""
    return {"format": FORMAT, "kind": plan.kind, "recipe": plan.hash(), "seed": seed, "number": number}


def _holds(file: Path, mark: dict[str, Any]) -> bool:
    if not file.is_file():
        return False
    try:
        told = card(file)
    except UsageError:
        return False
    return {name: told.get(name) for name in mark} == mark


def _run(
    plan: Recipe, seed: int, numbers: range, device: torch.device, job: Job, done: int, count: int
) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    """The pictures (B, T, 8, H, W) of a batch of sims by name, and each one's facts."""
    effects, facts = zip(*(plan.draw(seed, number) for number in numbers), strict=True)
    told = f"Simulating {plan.kind} {done + 1}" + (f"-{done + len(numbers)}" if len(numbers) > 1 else "")
    job.progress(done / count, f"{told} of {count}")
    simulation = Simulation(effects, plan.cells, plan.fps, device=device, check=job.check)
    frames: dict[str, list[Tensor]] = {}
    started = time.monotonic()
    for frame, volume in enumerate(simulation.volumes(plan.frames, plan.enlarge)):
        for name, picture in _pictures(volume, plan).items():
            frames.setdefault(name, []).append(picture.clamp(-HALF_MAX, HALF_MAX).half().cpu())
        share = (frame + 1) / plan.frames
        rate = (frame + 1) * len(numbers) / max(time.monotonic() - started, 1e-9)
        job.progress(min((done + share * len(numbers)) / count, 1.0), f"{told} of {count}", frame=frame, rate=rate)
    return {name: torch.stack(pictures, 1) for name, pictures in frames.items()}, list(facts)


def _pictures(volume: Volume, plan: Recipe) -> dict[str, Tensor]:
    volumes = {"truth": volume} | {f"coarse{factor}": volume.coarser(factor) for factor in plan.factors}
    return {f"{name}/{view}": project(it.turned(view)) for name, it in volumes.items() for view in range(plan.views)}
