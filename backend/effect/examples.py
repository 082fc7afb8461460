"""What an effect is learned from: simulations, encoded, in clips; and patches of them a few frames long."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from ..errors import EffectError
from ..job import Job
from . import dataset
from .encoding import Encoding

FITTED = 16  # simulations, about, that tell how far values go


@dataclass(frozen=True)
class Clip:
    """One simulation from one side, T frames, half precision: encoded ``coarse`` (T, C, h, w) and ``truth``
    (T, C, H, W), ``flow`` (T, 2, h, w) in pixels of the truth. ``content`` (T, h, w): where there is anything, 0..1.
    """

    coarse: Tensor
    truth: Tensor
    flow: Tensor
    content: Tensor


@dataclass(frozen=True)
class Batch:
    """Patches of clips: ``coarse`` (N, K, C, h, w), ``truth`` (N, K, C, H, W), ``flow`` (N, K, 2, h, w), float32."""

    coarse: Tensor
    truth: Tensor
    flow: Tensor


@dataclass(frozen=True)
class Clips:
    """A training set in memory. ``held``: those of the sims that are kept back to be tested on; no batch sees them."""

    encoding: Encoding
    learned: list[Clip]
    held: list[Clip]
    facts: dict[str, Any]


def read(
    folder: Path, kind: str, factor: int, hold: int, device: torch.device, job: Job, encoding: Encoding | None = None
) -> Clips:
    """All simulations of a kind in a folder that ``effect.simulate`` wrote. Every ``hold``-th is held back.

    ``encoding``: fitted to them if not given.

    Raises ``EffectError`` where there are none, and where coarse pictures of that ``factor`` are missing.
    """
    files = sorted(folder.glob(f"{kind}_*.safetensors"))
    if not files:
        raise EffectError(
            f"There are no simulations of {kind} in {folder}.",
            f"Make some: python -m backend effect simulate {kind} --out {folder}",
        )
    cards = [dataset.card(file) for file in files]
    job.progress(0.0, f"Reading {len(files)} simulations")
    encoding = encoding or _fitted(files, cards, factor)
    learned: list[Clip] = []
    held: list[Clip] = []
    for number, (file, card) in enumerate(zip(files, cards, strict=True)):
        job.check()
        clips = [
            _clip(coarse, truth, float(card["first"]["size"]), factor, encoding, device)
            for coarse, truth in _views(file, card, factor)
        ]
        (held if number % hold == hold - 1 else learned).extend(clips)
    facts = {
        "sims": len(files),
        "held_out": len(files) // hold,
        "clips": len(learned),
        "frames": sum(len(clip.truth) for clip in learned),
        "size": list(learned[0].truth.shape[2:]) if learned else [],
        "recipes": sorted({str(card["recipe"]) for card in cards}),
        "seeds": sorted({int(card["seed"]) for card in cards}),
        "numbers": [int(cards[0]["number"]), int(cards[-1]["number"])],
    }
    return Clips(encoding, learned, held, facts)


def _fitted(files: list[Path], cards: list[dict[str, Any]], factor: int) -> Encoding:
    """The encoding that suits some of these simulations."""
    pairs = []
    for number in range(0, len(files), max(1, len(files) // FITTED)):
        size = float(cards[number]["first"]["size"])
        coarse, truth = _views(files[number], cards[number], factor)[0]
        pairs += [(coarse, size), (truth, size)]
    return Encoding().fitted(pairs)


def _views(file: Path, card: dict[str, Any], factor: int) -> list[tuple[Tensor, Tensor]]:
    """Coarse and true pictures from every side, as they were projected."""
    if factor not in card["factors"]:
        raise EffectError(
            f"{file.name} has no coarse pictures of factor {factor}: it has {card['factors']}.",
            "Simulate with a recipe that makes them, or train with a recipe for another factor.",
        )
    with safe_open(file, "pt") as sim:
        views = sorted(name.partition("/")[2] for name in sim.keys() if name.startswith("truth/"))  # noqa: SIM118
        return [(sim.get_tensor(f"coarse{factor}/{view}"), sim.get_tensor(f"truth/{view}")) for view in views]


def _clip(coarse: Tensor, truth: Tensor, height: float, factor: int, encoding: Encoding, device: torch.device) -> Clip:
    coarse, truth = coarse.to(device).float(), truth.to(device).float()
    seen = encoding.encode(coarse, height)
    return Clip(
        seen.half(),
        encoding.encode(truth, height).half(),
        encoding.motion(coarse, factor).half(),
        encoding.shown(seen)[:, 0].cpu(),
    )


class Patches:
    """Random patches of clips. Places where there is something are preferred: most of a picture is air."""

    def __init__(self, clips: Sequence[Clip], encoding: Encoding, frames: int, side: int, tries: int) -> None:
        """``frames`` in a row, ``side`` coarse pixels high and wide, the fullest of so many ``tries``.

        Raises ``EffectError`` where there is nothing so long.
        """
        self._clips = [clip for clip in clips if len(clip.truth) >= frames]
        if not self._clips:
            raise EffectError(
                f"No simulation to learn from has {frames} frames.", "Simulate more of them, or longer ones."
            )
        self._encoding, self._frames, self._tries = encoding, frames, tries
        self._rows, self._columns = (min(side, *(clip.coarse.shape[axis] for clip in self._clips)) for axis in (2, 3))

    def draw(self, count: int, random: torch.Generator) -> Batch:
        drawn = [self._patch(random) for _ in range(count)]
        coarse, truth, flow = (torch.stack(part) for part in zip(*drawn, strict=True))
        return Batch(coarse, truth, flow)

    def _patch(self, random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        best: tuple[float, Clip, int, int, int] | None = None
        for _ in range(self._tries):
            clip = self._clips[_below(len(self._clips), random)]
            time, rows, columns = clip.content.shape
            first, row, column = (
                _below(room + 1, random) for room in (time - self._frames, rows - self._rows, columns - self._columns)
            )
            full = float(clip.content[first, row : row + self._rows, column : column + self._columns].mean())
            if best is None or full > best[0]:
                best = full, clip, first, row, column
        assert best is not None
        _, clip, first, row, column = best
        factor = clip.truth.shape[2] // clip.coarse.shape[2]

        def cut(pictures: Tensor, scale: int) -> Tensor:
            rows = slice(row * scale, (row + self._rows) * scale)
            columns = slice(column * scale, (column + self._columns) * scale)
            return pictures[first : first + self._frames, :, rows, columns].float()

        coarse, truth, flow = cut(clip.coarse, 1), cut(clip.truth, factor), cut(clip.flow, 1)
        if _below(2, random):
            sign = flow.new_tensor([-1.0, 1.0])[:, None, None]
            return self._encoding.mirrored(coarse), self._encoding.mirrored(truth), flow.flip(-1) * sign
        return coarse, truth, flow


def _below(count: int, random: torch.Generator) -> int:
    return int(torch.randint(count, (1,), generator=random))
