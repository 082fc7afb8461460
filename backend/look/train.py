"""Train a look: from painted frames of a shot, or, of colour alone, from painted images."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .. import images as pictures
from ..beside import state_of
from ..errors import LookError, UsageError
from ..job import Job
from ..learning import checkpoint, device
from ..learning.blocks import parameter_count
from ..learning.loop import Budget, Outcome, fit, try_drawing
from ..shot import Shot
from . import guides, tiles
from .examples import gather, gather_images, is_unpainted, read_paintings
from .file import LookFile
from .generator import CELL, Config
from .model import Example, LookModel, no_history, sparse

SECONDS = 120.0  # without a budget
PREVIEW_PIXELS = 640 * 360


def train(
    *,
    out: Path,
    job: Job,
    shot: Shot | None = None,
    paint: Mapping[int, Path] | None = None,
    images: Mapping[Path, Path] | None = None,
    seconds: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    resume: bool = False,
    preview: Path | None = None,
) -> dict[str, Any]:
    """Train on ``paint`` (frame to painting) of ``shot``, or on ``images`` (image to painting), and save ``out``.

    ``seconds`` or ``steps``: the budget. ``resume``: go on from where ``out`` was left, from the training state
    beside it; stopped early, ``out`` keeps what was better. ``preview``: a PNG that is rewritten about every second.
    Cancelled: ``out`` is left as it was. Told apart are frames whose paintings are just the render, ``unpainted``:
    that has been learned too.

    Raises what reading the shot and the paintings raises (``ShotError``, ``PaintingError``), ``LookError`` for a
    training state that cannot be gone on with, ``UsageError``, ``OutputError`` and ``Cancelled``.
    """
    budget = Budget(seconds, steps) if seconds or steps else Budget(SECONDS)
    if shot is not None:
        paintings = read_paintings(shot, paint or {})
        examples, encoding = gather(shot, paintings, job)
        config = Config(guides.CHANNELS)
        card: dict[str, Any] = {
            "family": "shot",
            "passes": list(guides.PASSES),
            "encoding": encoding.as_json(),
            "view": shot.view.as_json(),
            "keyframes": [{"frame": number, "size": [shot.width, shot.height]} for number in sorted(paintings)],
        }
        renders = {number: guides.in_bytes(guides.read_display(shot, number)) for number in paintings}
    elif images:
        examples = gather_images(images)
        config = Config(guides.COLOUR_CHANNELS, waves=0)
        paintings, renders = {}, {}
        card = {"family": "colour", "passes": ["colour"], "encoding": None, "view": None, "keyframes": []}
    else:
        raise UsageError("Nothing to learn from.", "Name a shot with painted frames, or images with their paintings.")

    model = LookModel(config, examples, seed)
    state = state_of(out)
    if resume:
        checkpoint.resume(model, state, LookError)
    before, first = model.steps, _weights(model)
    at_first = _scores(model, examples) if resume else {}
    picture = partial(try_drawing, _previewer(model, examples, preview)) if preview else None
    outcome = fit(model, budget, job, picture)
    scores = _scores(model, examples)
    if resume and outcome.stopped and not scores["psnr_painted"] >= at_first["psnr_painted"]:
        # Going on begins with large steps, which spoil at first what small ones had made.
        model.average.network.load_state_dict(first)
        scores = at_first
    if picture:
        picture()

    facts = _facts(model, examples, outcome, seed, before)
    card |= {
        "config": config.as_json(),
        "size_rule": {"multiple": CELL, "padding": "edge"},
        "training": facts,
        "scores": scores,
        "licence": "The artist's own: learned from the artist's paintings alone.",
    }
    LookFile(card, _weights(model), paintings, renders).save(out)
    checkpoint.save(state, model.state())
    return {
        "look": str(out),
        "steps": model.steps,
        "seconds": outcome.seconds,
        "stopped": outcome.stopped,
        "scores": scores,
        "unpainted": [number for number in sorted(renders) if is_unpainted(paintings[number], renders[number])],
    }


def _weights(model: LookModel) -> dict[str, Tensor]:
    """A copy of what is shipped."""
    return {name: tensor.cpu().clone() for name, tensor in model.average.network.state_dict().items()}


def _previewer(model: LookModel, examples: list[Example], path: Path) -> Any:
    """A function that writes what the average network now makes of a frame that nobody painted, if there is one.

    That frame gets the carried painting as its history, as it will when the look is applied.
    """
    shown = next((e for e in examples[len(examples) // 2 :] if not e.painted), examples[0])
    factor = max(1, round((shown.guides.shape[1] * shown.guides.shape[2] / PREVIEW_PIXELS) ** 0.5))
    guide, position, carried = (
        _shrunk(tensor, factor)[None].to(model.device, memory_format=torch.channels_last)
        for tensor in (shown.guides, shown.position, torch.cat([shown.target, shown.known]))
    )
    position[:, 3:] *= factor
    history = no_history(guide) if shown.painted else carried

    def write() -> str:
        with torch.inference_mode():
            picture = model.average.network(guide, sparse(position), history)[0]
        pictures.write_png(path, guides.in_bytes(picture.cpu()))
        return str(path)

    return write


def _shrunk(tensor: Tensor, factor: int) -> Tensor:
    height, width = (size // (factor * CELL) * factor * CELL for size in tensor.shape[1:])
    return F.avg_pool2d(tensor[None, :, :height, :width], factor)[0]


def _facts(model: LookModel, examples: list[Example], outcome: Outcome, seed: int, before: int) -> dict[str, Any]:
    return {
        "steps": model.steps,
        "resumed_from_step": before,
        "seconds": round(outcome.seconds, 2),
        "stopped_early": outcome.stopped,
        "device": device.describe(),
        "seed": seed,
        "painted": sum(example.painted for example in examples),
        "carried": sum(not example.painted for example in examples),
        "parameters": parameter_count(model.generator),
        "data": "the artist's paintings",
    }


def _scores(model: LookModel, examples: list[Example]) -> dict[str, float]:
    """PSNR in dB on the painted pixels, without history: what the network itself has learned."""
    errors, weights = 0.0, 0.0
    for example in (e for e in examples if e.painted):

        def see(rows: slice, columns: slice, seen: Example = example) -> tuple[Tensor, Tensor]:
            return seen.guides[:, rows, columns], sparse(seen.position[:, rows, columns])

        picture = tiles.paint(model.average.network, torch.zeros(4, *example.guides.shape[1:]), see)
        errors += float(((picture - example.target).square() * example.known).sum())
        weights += float(example.known.sum()) * 3
    return {"psnr_painted": round(-10 * float(np.log10(max(errors / max(weights, 1e-9), 1e-10))), 2)}
