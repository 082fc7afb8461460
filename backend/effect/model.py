"""One training step of an effect: a generator drawn out over a few frames, and judges of frames and of their motion."""

import contextlib
import math
from typing import Any

import torch
from torch import Tensor, nn

from ..learning.adversarial import Adversarial
from ..learning.discriminators import PatchDiscriminator
from ..learning.losses import feature_matching, gradient_penalty, masked_l1, relativistic
from .carry import enlarged_flow
from .encoding import Encoding
from .examples import Batch, Clip, Patches
from .generator import Config, EffectGenerator
from .model_file import EffectFile
from .plan import Plan
from .resample import blurred, carried_by, enlarged
from .sequence import Sequence

WARM_UP = 0.02  # of the run, in which the rates rise
BALANCE_EVERY = 50  # steps after which the losses' gradients are compared


class EffectModel(Adversarial[EffectGenerator]):
    """An effect as it is learned from ``clips``; ``step`` is one update of generator and judges.

    ``log`` tells too, under ``balance/...``, how strongly each loss pulled at the pictures.
    """

    judges: nn.ModuleDict

    def __init__(self, plan: Plan, encoding: Encoding, clips: list[Clip], seed: int) -> None:
        torch.manual_seed(seed)
        self.plan, self.encoding = plan, encoding
        self.patches = Patches(clips, encoding, plan.warm + plan.unroll, plan.patch, plan.tries)
        generator = EffectGenerator(configured(plan, encoding))
        pictures = len(encoding.channels)
        # Both see the coarse picture too: what is made must be detail of it, not just any detail.
        judges = nn.ModuleDict(
            {
                "frames": PatchDiscriminator(2 * pictures, plan.judge_width),
                "motion": PatchDiscriminator(4 * pictures, plan.judge_width),
            }
        )
        super().__init__(
            generator, judges, rates=(plan.rate, plan.judge_rate), momentum=0.0, decay=plan.decay, seed=seed
        )
        self.progress = 0.0
        self.begun_from: dict[str, str] | None = None

    def step(self, progress: float) -> float:
        """One update of judges and generator at a point ``progress`` (0..1) of the run; the generator's loss."""
        self.progress = progress
        self._schedule(progress)
        batch = self.patches.draw(self.plan.batch, self.random)
        soft = self.plan.soften * torch.rand(self.plan.batch, generator=self.random).to(self.device)
        batch = Batch(_softened(batch.coarse, soft), batch.truth, batch.flow)
        fine = self._drawn(batch)
        late = slice(self.plan.warm, None)
        batch = Batch(batch.coarse[:, late], batch.truth[:, late], batch.flow[:, late])
        shown, real = self.encoding.seen(fine), self.encoding.seen(batch.truth)
        around = _surroundings(batch, self.encoding)
        if self.plan.judged:
            self.log["judge"] = self._judge(self._views(real, around), self._views(shown.detach(), around))
        loss = self._create(shown, real, around, soft)
        self.count()
        return loss

    def _schedule(self, progress: float) -> None:
        """Rates rise from a twentieth at once, then fall along a cosine to a twentieth.

        The rise matters to a training that goes on after it was finished: what has settled at a low rate is thrown out
        by a high one, before Adam's measure of the gradients has grown with them.
        """
        share = 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
        self.pace(min(share, 0.05 + 0.95 * progress / WARM_UP))

    def _drawn(self, batch: Batch) -> Tensor:
        """The frames of a batch (N, K, C, H, W), drawn one after the other; gradients flow back through all of them.

        Half of the patches begin without anything before them; the others after ``warm`` frames, which are not learned
        from.
        """
        count, frames = batch.coarse.shape[:2]
        seeds = [int(seed) for seed in torch.randint(2**31, (count,), generator=self.random)]
        first = int(torch.randint(64, (1,), generator=self.random))
        begins = (torch.rand(count, 1, 1, 1, generator=self.random) < 0.5).to(self.device)
        sequence = Sequence(self.generator, self.encoding, seeds, first=first)
        drawn = []
        for frame in range(frames):
            with torch.set_grad_enabled(frame >= self.plan.warm):
                coarse, noise, previous = sequence.inputs(batch.coarse[:, frame], batch.flow[:, frame])
                if frame == self.plan.warm:
                    previous = previous * ~begins
                with self._precision():
                    fine = self.generator(coarse, noise, previous).float()
                sequence.keep(fine)
                drawn.append(fine)
        return torch.stack(drawn[self.plan.warm :], 1)

    def _views(self, pictures: Tensor, around: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """What each judge is shown of pictures (N, K, C, H, W)."""
        base, flow = around
        views = {}
        if self.plan.adversarial or self.plan.features:
            views["frames"] = torch.cat((pictures, base), 2).flatten(0, 1)
        if self.plan.motion:
            middle = flow[:, 1:-1].flatten(0, 1)
            before = carried_by(pictures[:, :-2].flatten(0, 1), middle)
            after = carried_by(pictures[:, 2:].flatten(0, 1), -middle)
            now = torch.cat((pictures, base), 2)[:, 1:-1].flatten(0, 1)
            views["motion"] = torch.cat((before, after, now), 1)
        return views

    def _judge(self, real: dict[str, Tensor], fake: dict[str, Tensor]) -> float:
        lazy = self.plan.penalty > 0 and self.steps % self.plan.lazy == 0
        loss = torch.zeros((), device=self.device)
        for name in real:
            pair = torch.cat((real[name], fake[name])).detach().requires_grad_(lazy)
            # A gradient of a gradient is taken in full precision.
            with contextlib.nullcontext() if lazy else self._precision():
                scores, _ = self.judges[name](pair)
            winner, loser = scores.float().chunk(2)
            loss = loss + relativistic(winner, loser)
            self.log[f"lead/{name}"] = float((winner - loser).detach().mean())
            if lazy:
                penalty = gradient_penalty(scores, pair)
                loss = loss + self.plan.penalty * self.plan.lazy * penalty
                self.log[f"penalty/{name}"] = float(penalty.detach())
        return self.descend(self.judge_optimiser, loss)

    def _create(self, shown: Tensor, real: Tensor, around: tuple[Tensor, Tensor], soft: Tensor) -> float:
        self.judges.requires_grad_(False)
        everywhere = torch.ones_like(shown.flatten(0, 1)[:, :1])
        losses = {"l1": self.plan.l1 * masked_l1(shown.flatten(0, 1), real.flatten(0, 1), everywhere)}
        if self.plan.amount:
            # Detail may be elsewhere than in truth, but not be more or less: controls must keep their meaning. Where
            # the coarse picture was blurred, nobody can know any nearer where it belongs.
            held, true = (self._amount(part, soft) for part in (shown, real))
            losses["amount"] = self.plan.amount * (held - true).abs().mean()
        views, truths = self._views(shown, around), self._views(real, around)
        weights = {"frames": self.plan.adversarial, "motion": self.plan.motion}
        for name in views if self.plan.judged else ():
            with self._precision():
                scores, inner = self.judges[name](views[name])
                with torch.no_grad():
                    wanted, truth = self.judges[name](truths[name])
            losses[name] = weights[name] * relativistic(scores.float(), wanted.float())
            if self.plan.features:
                known = torch.ones_like(views[name][:, :1])
                matching = feature_matching([x.float() for x in inner], [x.float() for x in truth], known)
                losses["features"] = losses.get("features", 0) + self.plan.features * matching / len(views)
        if self.steps % BALANCE_EVERY == 0:
            for name, part in losses.items():
                (pull,) = torch.autograd.grad(part, shown, retain_graph=True)
                self.log[f"balance/{name}"] = float(pull.norm())
        told = self.descend(self.optimiser, torch.stack(list(losses.values())).sum())
        self.judges.requires_grad_(True)
        self.log |= {name: float(part.detach()) for name, part in losses.items()}
        return told

    def _amount(self, pictures: Tensor, soft: Tensor) -> Tensor:
        """What each coarse pixel of pictures (N, K, C, H, W) holds, as softly as the coarse pictures tell it."""
        held = self.encoding.gathered(pictures.flatten(0, 1), self.plan.factor)
        return _softened(held.unflatten(0, pictures.shape[:2]), soft)

    def _precision(self) -> contextlib.AbstractContextManager[Any]:
        if self.plan.precision == "bf16" and self.device.type == "cuda":
            return torch.autocast("cuda", torch.bfloat16)
        return contextlib.nullcontext()

    def begin_from(self, effect: EffectFile) -> None:
        """Start from what another training has learned; the judges begin anew. ``ValueError`` if the shapes differ."""
        if Config(**effect.card["config"]) != self.generator.config:
            raise ValueError("their network has another shape")
        for network in (self.generator, self.average.network):
            network.load_state_dict(effect.weights)
        self.begun_from = {"kind": effect.kind, "sha256": str(effect.card["sha256"])}

    def state(self) -> dict[str, Any]:
        """Everything that an exact resume needs."""
        own = {"progress": self.progress, "begun_from": self.begun_from, "encoding": self.encoding.as_json()}
        return super().state() | own

    def restore(self, state: dict[str, Any]) -> None:
        """Go on exactly where ``state`` was taken. ``ValueError`` if that was with an other encoding."""
        if state["encoding"] != self.encoding.as_json():
            raise ValueError("it learned from other simulations")
        super().restore(state)
        self.progress, self.begun_from = state["progress"], state["begun_from"]


def _softened(coarse: Tensor, soft: Tensor) -> Tensor:
    """Coarse pictures (N, K, C, h, w), each patch's blurred by its ``soft`` (N) pixels."""
    result: Tensor = blurred(coarse.flatten(1, 2), soft).unflatten(1, coarse.shape[1:3])
    return result


def configured(plan: Plan, encoding: Encoding) -> Config:
    """The generator's shape for such pictures."""
    signed = tuple(number for number, channel in enumerate(encoding.channels) if channel.signed)
    shown = tuple(number for number, channel in enumerate(encoding.channels) if channel.shown)
    count = len(encoding.channels)
    return Config(count, signed, shown, plan.factor, plan.noise, plan.context, plan.blocks, plan.widths)


def _surroundings(batch: Batch, encoding: Encoding) -> tuple[Tensor, Tensor]:
    """Of each frame the enlarged coarse picture (N, K, C, H, W), as seen, and the flow (N, K, 2, H, W)."""
    count = batch.coarse.shape[:2]
    factor = batch.truth.shape[-1] // batch.coarse.shape[-1]
    coarse = batch.coarse.flatten(0, 1)
    base = encoding.seen(enlarged(coarse, factor))
    flow = enlarged_flow(batch.flow.flatten(0, 1), coarse, encoding, factor)
    return base.unflatten(0, count), flow.unflatten(0, count)
