"""Training pairs: the same water on a coarse grid and on a fine one, wave by wave, so that they lie on each other.

The coarse side is what a coarse simulation gives on its own: its waves end at its own Nyquist wavenumber, and its foam
and caustics come from those waves alone.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ...images import written_beside
from ...job import Job
from .controls import KINDS, Water
from .recipe import Recipe
from .simulation import CHANNELS, Simulation

FORMAT = 1


@dataclass(frozen=True)
class Take:
    """A few frames in a row. ``coarse`` (T, 7, n, n) and ``fine`` (T, 7, N, N), float32, in the order of ``CHANNELS``.

    ``first``: number of its first frame, of ``frames`` to the loop; a take may run across the loop's seam.
    """

    water: Water
    first: int
    frames: int
    coarse: Tensor
    fine: Tensor


def pairs(
    kind: str, seed: int, recipe: Recipe, device: str | torch.device = "cpu", job: Job | None = None
) -> Iterator[Take]:
    """The takes of one simulation of ``kind``: the same seed and recipe give the same water and the same takes."""
    random = np.random.default_rng([seed, list(KINDS).index(kind)])
    water = recipe.draw(kind, random)
    frames = recipe.frames(water)
    firsts = np.sort(random.choice(frames, min(recipe.takes, frames), replace=False)).tolist()
    rows = [[(first + later) % frames for later in range(recipe.length)] for first in firsts]
    wanted = {frame for row in rows for frame in row}
    coarse, fine = (_channels(water, size, frames, wanted, device, job) for size in (recipe.coarse, recipe.fine))
    for first, row in zip(firsts, rows, strict=True):
        yield Take(water, first, frames, *(torch.stack([side[frame] for frame in row]) for side in (coarse, fine)))


def _channels(
    water: Water, size: int, frames: int, wanted: set[int], device: str | torch.device, job: Job | None
) -> dict[int, Tensor]:
    found = {}
    for frame, surface in Simulation(water, size, frames, device).surfaces(wanted):
        found[frame] = surface.channels()
        if job:
            job.check()
    return found


def simulate(
    kind: str, recipe: Recipe, seed: int, out: Path, job: Job, simulations: int = 0, device: str = "cpu"
) -> list[Path]:
    """Write the training set of a kind: ``KIND-SEED.safetensors`` for each simulation, from ``seed`` on.

    A file holds ``coarse`` (K, T, 7, n, n) and ``fine`` (K, T, 7, N, N) as float16 and, as its metadata, one JSON card:
    format, kind, seed, controls, channels, frames to the loop, first frame of each take. What is there already and
    whole is kept. ``simulations``: how many, if not as many as the recipe says. Raises ``OutputError``, ``Cancelled``.
    """
    count = simulations or recipe.simulations
    paths = [out / f"{kind}-{seed + index:06}.safetensors" for index in range(count)]
    for index, path in enumerate(paths):
        job.progress(index / count, f"Simulating {kind} {index + 1} of {count}")
        if _is_whole(path, _identity(kind, seed + index, recipe)):
            continue
        takes = list(pairs(kind, seed + index, recipe, device, job))
        card = _identity(kind, seed + index, recipe) | {
            "controls": asdict(takes[0].water),
            "channels": CHANNELS,
            "frames": takes[0].frames,
            "first": [take.first for take in takes],
        }
        tensors = {
            "coarse": torch.stack([take.coarse for take in takes]).half().cpu(),
            "fine": torch.stack([take.fine for take in takes]).half().cpu(),
        }
        with written_beside(path) as temporary:
            temporary.write_bytes(save(tensors, {"card": json.dumps(card, sort_keys=True)}))
    return paths


def _identity(kind: str, seed: int, recipe: Recipe) -> dict[str, Any]:
    """What decides a file's contents, as JSON has it."""
    told: dict[str, Any] = json.loads(json.dumps(asdict(recipe)))
    del told["simulations"]
    return {"format": FORMAT, "kind": kind, "seed": seed, "recipe": told | {"ranges": told["ranges"][kind]}}


def _is_whole(path: Path, identity: dict[str, Any]) -> bool:
    """Whether the file is there, can be read, and was made by the same recipe."""
    if not path.exists():
        return False
    try:
        with safe_open(path, framework="pt") as file:
            card = json.loads((file.metadata() or {}).get("card", "{}"))
    except (OSError, SafetensorError):
        return False
    return bool(card | identity == card)
