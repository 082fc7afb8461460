"""Effects on simulations that they never learned from: ours beside bicubic enlargement and the same network without
judges, against the fine solver's own pictures.

Measured on three channels, 0..1, as encoded and seen: light, density and temperature. The network that knows the L1
error alone learns from the same simulations as ours; without them, that row is left out.
"""

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from backend import images, metrics, service
from backend.effect import examples
from backend.effect.encoding import Encoding
from backend.effect.examples import Clip, Clips
from backend.effect.model_file import EffectFile
from backend.effect.plan import Plan
from backend.effect.sheet import impression, portrait, sheet
from backend.effect.train import draw
from backend.job import Job

from .kept import Facts
from .shots import CACHE

Frames = list[NDArray[np.float32]]
Method = Callable[[Clip], torch.Tensor]
"""The frames (T, C, H, W) of a clip, encoded."""

HELD_SEED = 9_000_001  # of the simulations to be judged on; no training has it
FRAMES = 16  # of each clip, the first of which, that has nothing before it, is not judged
EVERY = 7  # of these frames one is compared as a picture: those beside it are nearly the same
SHOWN = 4
NO_JUDGES = {"adversarial": 0.0, "motion": 0.0, "features": 0.0}


def held_out(kind: str, recipe: str, sims: int, effect: EffectFile, job: Job) -> Clips:
    """Simulations made for this bench, encoded as ``effect`` wants them."""
    known = effect.card["training"]["data"]["seeds"]
    if HELD_SEED in known:
        raise ValueError(f"the weights of {kind} have learned from the simulations that they are to be judged on")
    folder = CACHE / "effects" / Path(recipe).stem
    request = {"kind": kind, "out": str(folder), "recipe": recipe, "seed": HELD_SEED, "sims": sims}
    service.call(service.VERBS, "effect.simulate", request, job)
    factor = effect.card["config"]["factor"]
    return examples.read(folder, kind, factor, 10**9, torch.device("cpu"), job, effect.encoding())


def without_judges(effect: EffectFile, data: Path, job: Job) -> EffectFile:
    """The same network, trained for the least error alone on the same simulations.

    It begins from ``effect`` itself, so it lacks nothing that the other has learned, and has a third of its steps to
    forget the judges in.
    """
    training = effect.card["training"]
    steps = training["steps"] // 3
    out = CACHE / "effects" / f"{effect.kind}-l1.safetensors"
    begun_from = {"kind": effect.kind, "sha256": effect.card["sha256"]}
    if out.exists():
        kept = EffectFile.open(out)
        known = kept.card["training"]
        if known["data"] == training["data"] and known["begun_from"] == begun_from and known["steps"] >= steps:
            return kept
    recipe, begin = out.with_suffix(".toml"), out.with_name(f"{effect.kind}-begin.safetensors")
    entries = Plan(**effect.card["plan"] | NO_JUDGES).as_json()
    recipe.write_text("\n".join(f"{name} = {json.dumps(value)}" for name, value in entries.items()), encoding="utf-8")
    effect.save(begin)
    request = {"kind": effect.kind, "data": str(data), "out": str(out), "recipe": str(recipe), "begin": str(begin)}
    service.call(service.VERBS, "effect.train", request | {"steps": steps}, job)
    return EffectFile.open(out)


def drawn_by(effect: EffectFile, clips: Clips) -> Method:
    network = effect.generator()
    return lambda clip: draw(network, clips, clip, FRAMES)


def bicubic(clip: Clip) -> torch.Tensor:
    return F.interpolate(clip.coarse[:FRAMES].float(), size=clip.truth.shape[2:], mode="bicubic", align_corners=False)


def truth(clip: Clip) -> torch.Tensor:
    return clip.truth[:FRAMES].float()


def warp_errors(frames: Frames, clip: Clip, encoding: Encoding) -> float:
    """Mean masked warp error along the true motion."""
    across = encoding.index("velocity_x")
    motion = encoding.decode(clip.truth[: len(frames) + 1].float(), 1.0)[:, across : across + 2]
    flows = motion.permute(0, 2, 3, 1).cpu().numpy()
    vectors = [np.concatenate((-flow, flow), 2) for flow in flows][1:]  # the first frame is not judged
    errors = [
        metrics.warp_error(b, a, w, v) for (a, b), (v, w) in zip(pairwise(frames), pairwise(vectors), strict=True)
    ]
    return float(np.mean(errors))


def scores(sides: list[Frames], truths: list[Frames], clips: Sequence[Clip], encoding: Encoding) -> Facts:
    """``sides`` and ``truths``: the judged frames of each clip."""
    ours, theirs = (list(np.concatenate([clip[::EVERY] for clip in frames])) for frames in (sides, truths))
    density, coverage = metrics.density_coverage(ours, theirs)
    levels = metrics.patch_swd(ours, theirs)
    return {
        "patch_swd": levels["mean"],
        "patch_swd_levels": levels,
        "density": density,
        "coverage": coverage,
        "log_spectrum_error": float(
            np.mean([metrics.log_spectrum_error(a, b) for a, b in zip(ours, theirs, strict=True)])
        ),
        "temporal_spectrum_error": float(
            np.mean([metrics.temporal_spectrum_error(a, b) for a, b in zip(sides, truths, strict=True)])
        ),
        "warp_error": float(
            np.mean([warp_errors(frames, clip, encoding) for frames, clip in zip(sides, clips, strict=True)])
        ),
    }


def quality(effect: EffectFile, recipe: str, sims: int, data: Path | None, out: Path) -> Facts:
    """The scores of every method on one kind, and a sheet ``out`` to look at."""
    kind = effect.kind
    job = Job()
    clips = held_out(kind, recipe, sims, effect, job)
    methods: dict[str, Method] = {"paintover": drawn_by(effect, clips), "bicubic": bicubic}
    if data is not None:
        methods["L1 alone"] = drawn_by(without_judges(effect, data, job), clips)
    chosen = [clip for clip in clips.learned if len(clip.truth) >= 6]

    def judged(method: Method) -> list[Frames]:
        return [[portrait(frame, clips.encoding) for frame in method(clip)[1:]] for clip in chosen]

    truths = judged(truth)
    report = {}
    for name, method in methods.items():
        report[name] = scores(judged(method), truths, chosen, clips.encoding)
    # How far true pictures of one fire are from those of another: nobody can be expected to be nearer than that.
    report["truth of another"] = scores(truths[1:] + truths[:1], truths, chosen, clips.encoding)
    own = [warp_errors(frames, clip, clips.encoding) for frames, clip in zip(truths, chosen, strict=True)]
    report["truth of another"]["warp_error"] = float(np.mean(own))
    rows = []
    for method in (*methods.values(), truth):
        pictures = method(chosen[0])
        rows.append([impression(picture) for picture in pictures[1 :: max(1, len(pictures) // SHOWN)]])
    out.parent.mkdir(parents=True, exist_ok=True)
    images.write_png(out, sheet(rows))
    return {"training": effect.card["training"], "methods": report}


def line(name: str, found: Facts) -> str:
    return (
        f"  {name:<18} SWD {found['patch_swd']:6.1f}  density {found['density']:.2f}  coverage {found['coverage']:.2f}"
        f"  spectrum {found['log_spectrum_error']:.2f} dB  in time {found['temporal_spectrum_error']:.2f} dB"
        f"  warp {1e3 * found['warp_error']:.3f}e-3"
    )
