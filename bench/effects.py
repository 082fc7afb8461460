"""Effects, measured: how true, how fast, how much memory, whether anything repeats visibly, whether controls obey.

quality   beside bicubic enlargement and the same network without judges, on simulations never learned from
speed     seconds for 64 frames of 512x512, beside Mantaflow at 128 cells and Cycles at 64 samples, in the same run
memory    peak at 1024x1024
tiles     a 4K frame in tiles: seconds, memory, and the gradient across the tiles' borders
loops     how much loops jump where they close
water     how much tiles of water show their borders, and their loops where they close
controls  rank correlation between each control and what it names; what else it moves

The weights are Paintover's own, or those in --weights, files KIND.safetensors; kinds without weights are left out, and
that is said. --data holds folders KIND of the simulations that they learned from: quality then also trains the network
that knows the L1 error alone. Every part is kept in .cache/bench until something changes that it depends on.
"""

import argparse
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch

from backend.effect.controls import ONCE, VOLUMES
from backend.effect.model_file import EffectFile
from backend.effect.panel import KINDS, WATER
from backend.errors import EffectError

from . import effect_controls, effect_costs, effect_quality, effect_seams
from .effect_controls import sweeps
from .effect_costs import QUICK, Scale
from .kept import Facts, kept, save
from .look import fingerprint
from .shots import ROOT

PARTS = ("quality", "speed", "memory", "tiles", "loops", "water", "controls")
RENDERING = ("backend/effect/*.py", "backend/effect/water/*.py", "backend/images.py", "backend/learning/*.py")
SOURCES = {
    "quality": (*RENDERING, "backend/metrics.py", "bench/effect_quality.py"),
    "speed": (*RENDERING, "bench/effect_costs.py", "bench/mantaflow_scene.py"),
    "memory": (*RENDERING, "bench/effect_costs.py"),
    "tiles": (*RENDERING, "bench/effect_costs.py"),
    "loops": (*RENDERING, "bench/effect_seams.py"),
    "water": (*RENDERING, "bench/effect_seams.py"),
    "controls": (*RENDERING, "bench/effect_controls.py", "bench/effect_seams.py"),
}
TRAINING = ("dataset.py", "examples.py", "plan.py", "recipe.py", "train.py")  # what no other part than quality needs
SIMS, QUICK_SIMS = 6, 2
OUT = ROOT / "out" / "bench"


class Bench:
    """One run: what was asked for, and what is known so far, which is written as soon as it is known."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self.asked = asked
        self.scale = QUICK if asked.quick else Scale()
        machine = {"cores": os.cpu_count(), "processor": platform.machine(), "torch": torch.__version__}
        self.report: Facts = {"machine": machine, "left_out": {}}
        self._weights: dict[str, tuple[Path | None, EffectFile]] = {}
        for kind in asked.kinds:
            if kind in VOLUMES:
                self._open(kind)

    def _open(self, kind: str) -> None:
        path = self.asked.weights and (self.asked.weights / f"{kind}.safetensors").resolve()
        try:
            self._weights[kind] = path, EffectFile.open(path) if path else EffectFile.shipped(kind)
        except EffectError as error:
            self.report["left_out"][kind] = error.message
            print(f"{kind} is left out: {error.message}", flush=True)

    def part(self, name: str, kind: str, measure: Callable[[Path | None], Facts], **depends: object) -> Facts:
        """Measure a part of the report for one kind, or take what was kept. ``depends``: on what else it does."""
        path, effect = self._weights.get(kind, (None, None))
        sources = fingerprint(SOURCES[name], without=() if name == "quality" else TRAINING)
        state = [self.report["machine"], sources, effect and effect.card["sha256"], depends]
        print(f"{name}: {kind}", flush=True)
        found = kept(f"{name}-{kind}", state, lambda: measure(path), self.asked.fresh)
        self.report.setdefault(name, {})[kind] = found
        save(self.report, self.asked.json)
        return found

    @property
    def gases(self) -> list[str]:
        """The kinds asked for that have weights."""
        return list(self._weights)

    @property
    def waters(self) -> list[str]:
        return [kind for kind in self.asked.kinds if kind in WATER]

    def quality(self) -> None:
        sims = self.asked.sims or (QUICK_SIMS if self.asked.quick else SIMS)
        for kind, (_, effect) in self._weights.items():
            data = self.asked.data and self.asked.data / kind
            what = {"recipe": self.asked.recipe.replace("KIND", kind), "sims": sims, "data": data}
            measure = partial(effect_quality.quality, effect, out=OUT / f"{kind}.png", **what)
            found = self.part("quality", kind, lambda _, measure=measure: measure(), **what)
            for method, scores in found["methods"].items():
                print(effect_quality.line(method, scores), flush=True)

    def speed(self) -> None:
        """Ours and theirs are kept or measured together, so that the same machine did both."""
        if not self.gases:
            return
        weights = {kind: path for kind, (path, _) in self._weights.items()}
        hashes = [effect.card["sha256"] for _, effect in self._weights.values()]
        program = effect_costs.blender()
        found = self.part(
            "speed",
            "all",
            lambda _: effect_costs.speeds(weights, program, self.scale),
            weights=hashes,
            blender=program,
            scale=asdict(self.scale),
        )
        theirs = found["mantaflow_and_cycles"]
        if theirs is None:
            print(
                "  no real Blender (name one with BLENDER) beside the wheel: Mantaflow and Cycles are left out",
                flush=True,
            )
        for kind, facts in found["paintover"].items():
            text = f"  {kind:<10} {facts['seconds']:.1f} s for {facts['frames']} frames of {facts['size']}"
            if theirs is not None:
                text += f"; Mantaflow and Cycles {theirs['seconds']:.0f} s, {facts['times_faster']:.0f} times as long"
            print(text, flush=True)

    def memory(self) -> None:
        for kind in self.gases:
            measure = partial(effect_costs.memory, kind, scale=self.scale)
            found = self.part("memory", kind, measure, scale=asdict(self.scale))
            print(f"  {found['peak_gb']:.2f} GB at {found['size']}x{found['size']}", flush=True)

    def tiles(self) -> None:
        for kind in self.gases:
            measure = partial(effect_costs.tiles, kind, scale=self.scale)
            found = self.part("tiles", kind, measure, scale=asdict(self.scale))
            print(f"  seam {found['seam']:.3f}, {found['peak_gb']:.2f} GB", flush=True)

    def loops(self) -> None:
        what = {"frames": 24, "size": 64} if self.asked.quick else {"frames": self.scale.frames, "size": 256}
        for kind in self.gases:
            if kind != ONCE:
                found = self.part("loops", kind, partial(effect_seams.loop, kind, **what), **what)
                print(f"  loop seam {found['loop_seam']:.2f}", flush=True)

    def water(self) -> None:
        what = {"frames": 12, "size": 64} if self.asked.quick else {"frames": 96, "size": 256}
        for kind in self.waters:
            found = self.part("water", kind, partial(effect_seams.water, kind, **what), **what)
            worst = max(found["border_over_inside"].values())
            print(f"  loop seam {found['loop_seam']:.2f}, border {worst:.2f} of what is inside", flush=True)

    def controls(self) -> None:
        gas, water = {"frames": 32, "size": 160, "most": 6}, {"frames": 48, "size": 96, "most": 6}
        if self.asked.quick:
            gas, water = {"frames": 4, "size": 48, "most": 3}, {"frames": 12, "size": 48, "most": 3}
        for kind in [*self.gases, *self.waters]:
            what = water if kind in WATER else gas
            measure = partial(sweeps, kind, sheet=OUT / f"{kind}-controls.png", **what)
            found = self.part("controls", kind, measure, **what)
            for name, told in found["sweeps"].items():
                print(f"  {name:<15} {effect_controls.line(told)}", flush=True)


def main(words: Sequence[str]) -> int:
    """Run the benchmark. Exit code 0."""
    parser = argparse.ArgumentParser(
        "bench effects", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="write every number here")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="only these parts")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="only these effects")
    parser.add_argument("--weights", type=Path, help="folder of KIND.safetensors; Paintover's own otherwise")
    parser.add_argument("--data", type=Path, help="folder of folders KIND: what the weights learned from")
    parser.add_argument(
        "--recipe", default="KIND-cpu", help="of the simulations to judge on, with KIND in it (KIND-cpu)"
    )
    parser.add_argument("--sims", type=int, help=f"how many of each ({SIMS})")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that everything runs")
    parser.add_argument("--fresh", action="store_true", help="measure everything again, whatever was kept")
    bench = Bench(parser.parse_args(words))
    save(bench.report, bench.asked.json)
    for name in PARTS:
        if name in bench.asked.only:
            getattr(bench, name)()
    save(bench.report, bench.asked.json)
    return 0
