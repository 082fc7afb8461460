"""Train an effect from simulations: the verb ``effect.train``."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import images, metrics
from ..beside import state_of
from ..errors import EffectError, UsageError
from ..job import Job
from ..learning import checkpoint, device
from ..learning.blocks import parameter_count
from ..learning.loop import Budget, Outcome, fit, try_drawing
from . import examples
from .controls import VOLUMES
from .examples import Clip, Clips
from .generator import multiplications
from .model import EffectModel
from .model_file import EffectFile
from .plan import Plan
from .resample import enlarged
from .sequence import Sequence
from .sheet import impression, portrait, sheet

SHOWN_FRAMES, SHOWN_CLIPS = 4, 2  # on a sheet
SHEET_FRAMES = 12  # drawn for it
SCORED_CLIPS, SCORED_FRAMES, SCORED_EVERY = 4, 16, 4
SAVE_SECONDS = 300.0
DONE = 0.98  # of its budget: what has come so far was not cut short
SEED = 5  # of the noise on sheets and in scores


def train(
    *,
    kind: str,
    data: Path,
    out: Path,
    job: Job,
    seconds: float | None = None,
    steps: int | None = None,
    recipe: str | None = None,
    seed: int = 0,
    resume: bool = False,
    begin: Path | None = None,
    preview: Path | None = None,
) -> dict[str, Any]:
    """Train ``kind`` on the simulations in ``data`` and save ``out``.

    ``seconds`` or ``steps``: the budget, else what the training ``recipe`` says (``gpu`` where there is a graphics
    card, else ``cpu``; or a .toml file). ``resume``: go on from where ``out`` was left, from the training state beside
    it. ``begin``: weights, of this kind or another, to start from instead of chance: what fire has learned of eddies
    need not be learned anew for smoke. ``preview``: a PNG sheet that is rewritten as it learns: enlarged, ours, truth.
    Beside ``out`` a file of JSON lines tells the losses as they went. Cancelled: ``out`` is left as it was.
    """
    if kind not in VOLUMES:
        raise UsageError(f"There is no effect {kind} to train.", f"There are {', '.join(VOLUMES)}.")
    plan = Plan.read(recipe or ("gpu" if device.chosen().type == "cuda" else "cpu"))
    budget = Budget(seconds, steps) if seconds or steps else Budget(plan.seconds)
    clips = examples.read(data, kind, plan.factor, plan.hold, device.chosen(), job)
    model = EffectModel(plan, clips.encoding, clips.learned, seed)
    state = state_of(out)
    if resume:
        checkpoint.resume(model, state, EffectError)
    elif begin:
        _begin(model, EffectFile.open(begin))
    before = model.steps
    record = _Record(model, clips, out, preview, resume)
    outcome = fit(_Rest(model), budget, job, record)
    record()

    scores = score(model.average.network, clips)
    config = model.generator.config
    card = {
        "kind": kind,
        "config": config.as_json(),
        "encoding": clips.encoding.as_json(),
        "plan": plan.as_json(),
        "training": _facts(model, clips, outcome, seed, before),
        "scores": scores,
        "licence": "GPL-3.0-or-later; learned from Paintover's own simulations alone.",
    }
    EffectFile(card, model.average.network.state_dict()).save(out)
    checkpoint.save(state, model.state())
    return {
        "weights": out,
        "bytes": out.stat().st_size,
        "steps": model.steps,
        "seconds": outcome.seconds,
        "stopped": outcome.stopped,
        "scores": scores,
    }


def _begin(model: EffectModel, effect: EffectFile) -> None:
    try:
        model.begin_from(effect)
    except ValueError as error:
        raise EffectError(
            f"Training cannot begin from the weights of {effect.kind}: {error}.", "Train anew."
        ) from error


class _Rest:
    """What is left of a training that was cut short: its rates fall on from where they were. One that was finished
    begins another.
    """

    def __init__(self, model: EffectModel) -> None:
        self._model = model
        self._start = model.progress if model.progress < DONE else 0.0

    def step(self, progress: float) -> float:
        return self._model.step(self._start + (1 - self._start) * progress)


class _Record:
    """What is seen of a training as it goes: a sheet, and a line of numbers; and its state is kept, should the machine
    fail. Called by the loop now and then.
    """

    def __init__(self, model: EffectModel, clips: Clips, out: Path, picture: Path | None, resume: bool) -> None:
        self._model, self._clips, self._picture = model, clips, picture
        self._log, self._state = out.with_name(out.name + ".log"), state_of(out)
        self._saved = time.monotonic()
        if not resume:
            self._log.unlink(missing_ok=True)

    def __call__(self) -> str:
        if time.monotonic() - self._saved > SAVE_SECONDS:
            checkpoint.save(self._state, self._model.state())
            self._saved = time.monotonic()
        numbers = {"step": self._model.steps} | {name: round(value, 5) for name, value in self._model.log.items()}
        with self._log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(numbers) + "\n")
        return try_drawing(self._draw)

    def _draw(self) -> str:
        if self._picture is None:
            return ""
        images.write_png(self._picture, self._sheet())
        return str(self._picture)

    def _sheet(self) -> np.ndarray[Any, Any]:
        clips, rows = self._clips, []
        for clip in spread(clips, SHOWN_CLIPS):
            ours = draw(self._model.average.network, clips, clip, SHEET_FRAMES)
            plain = enlarged(clip.coarse[: len(ours)].float(), self._model.plan.factor)
            last = len(ours) - 1
            chosen = sorted({round(last * (1 + n) / SHOWN_FRAMES) for n in range(SHOWN_FRAMES)})
            for pictures in (plain, ours, clip.truth):
                rows.append([impression(pictures[frame]) for frame in chosen])
        return sheet(rows)


def spread(clips: Clips, count: int) -> list[Clip]:
    """So many of the clips that were held back (of learned ones where none were), of as many sims as can be."""
    pool = clips.held or clips.learned
    count = min(count, len(pool))
    return [pool[number * len(pool) // count] for number in range(count)]


def draw(network: Any, clips: Clips, clip: Clip, frames: int) -> torch.Tensor:
    """What ``network`` makes of the first frames of a clip, encoded, (T, C, H, W)."""
    sequence = Sequence(network, clips.encoding, [SEED])
    drawn = [
        sequence.draw(clip.coarse[frame : frame + 1].float(), clip.flow[frame : frame + 1].float())[0]
        for frame in range(min(frames, len(clip.coarse)))
    ]
    return torch.stack(drawn)


def score(network: Any, clips: Clips) -> dict[str, Any]:
    """Of sims that were held back (``held_out``; of learned ones where none were): ours beside plain enlargement.

    ``swd``, ``spectrum_db``: see ``metrics``, on light, density and temperature as encoded, 0..1; lower is better.
    """
    chosen = spread(clips, SCORED_CLIPS)
    sides: dict[str, list[Any]] = {"ours": [], "enlarged": [], "truth": []}
    for clip in chosen:
        ours = draw(network, clips, clip, SCORED_FRAMES)
        plain = enlarged(clip.coarse[: len(ours)].float(), clip.truth.shape[-1] // clip.coarse.shape[-1])
        for name, pictures in (("ours", ours), ("enlarged", plain), ("truth", clip.truth[: len(ours)])):
            some = pictures[1::SCORED_EVERY]  # the first has nothing before it
            sides[name] += [portrait(picture, clips.encoding) for picture in some]
    truths = sides.pop("truth")
    result: dict[str, Any] = {"held_out": bool(clips.held), "frames": len(truths)}
    for name, drawn in sides.items():
        spectrum = [metrics.log_spectrum_error(a, b) for a, b in zip(drawn, truths, strict=True)]
        result[name] = {
            "swd": round(metrics.patch_swd(drawn, truths)["mean"], 2),
            "spectrum_db": round(float(np.mean(spectrum)), 3),
        }
    return result


def _facts(model: EffectModel, clips: Clips, outcome: Outcome, seed: int, before: int) -> dict[str, Any]:
    config = model.generator.config
    return {
        "data": clips.facts,
        "steps": model.steps,
        "resumed_from_step": before,
        "begun_from": model.begun_from,
        "seconds": round(outcome.seconds, 2),
        "stopped_early": outcome.stopped,
        "device": device.describe(),
        "precision": model.plan.precision if model.device.type == "cuda" else "fp32",
        "seed": seed,
        "parameters": parameter_count(model.generator),
        "flops_per_pixel": round(2 * sum(multiplications(config).values())),
    }
