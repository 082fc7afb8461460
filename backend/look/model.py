"""One training step of a look, and the examples that it draws patches from."""

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..learning import augment
from ..learning.adversarial import Adversarial
from ..learning.blocks import limit_weights
from ..learning.discriminators import PatchDiscriminator
from ..learning.losses import feature_matching, gradient_penalty, masked_l1, relativistic
from .generator import CELL, HISTORY, SPARSE, Config, LookGenerator
from .guides import ENDLESS

PATCH = 128
RATE, JUDGE_RATE, MOMENTUM = 3e-3, 1e-3, 0.9  # of Adam, at the start: rates fall along a cosine
DECAY = 0.995  # of the average
ROOM = 0.05  # of the range of the painter's colours, beyond either end: a sigmoid never reaches its own
SOFTEST = 0.3  # history is carried by cubic interpolation: a network that expects worse sharpens what is sharp
PAINTED, OTHERS = 2, 1  # patches of each kind in a batch
SILENCED = 0.3  # of the patches are learned without waves


@dataclass(frozen=True)
class Weights:
    """How much each loss counts; the discriminator's penalties are applied every ``lazy`` steps."""

    l1: float = 10.0
    features: float = 1.0
    adversarial: float = 0.2  # where the painting says what is right
    invention: float = 0.5  # where only the discriminator can say: of more, what is frequent spreads where it is wrong
    penalty: float = 1.0
    lazy: int = 8


@dataclass(frozen=True)
class Example:
    """A frame to learn from, all (C, H, W): its inputs, the painting as it lies there, and where that is known (0..1).

    ``painted``: the artist painted this frame; otherwise the painting was carried here. Sides are multiples of CELL.
    """

    guides: Tensor
    position: Tensor
    target: Tensor
    known: Tensor
    painted: bool

    def stacked(self) -> Tensor:
        return torch.cat([self.guides, self.position, self.target, self.known])


def padded(picture: Tensor, multiple: int = CELL) -> Tensor:
    """(C, H, W) with its last rows and columns repeated until both sides are multiples of ``multiple``."""
    height, width = picture.shape[1:]
    if height % multiple == width % multiple == 0:
        return picture
    return F.pad(picture[None], (0, -width % multiple, 0, -height % multiple), "replicate")[0]


def sparse(position: Tensor) -> Tensor:
    """The generator's position input, given that of all pixels (..., H, W)."""
    return position[..., ::SPARSE, ::SPARSE]


def degraded(target: Tensor, known: Tensor, generator: torch.Generator) -> Tensor:
    """What history would look like: (N, 3, S, S) and (N, 1, S, S) to (N, 4, S, S).

    Resampled by a fraction of a pixel and softened a little, as by one warp or by many, tinted in broad blotches as an
    old output may be, trusted only in blobs and more or less, and for half of the patches not at all.
    """
    count, _, side, _ = target.shape
    shift = (torch.rand(count, 2, generator=generator) - 0.5) * (2 / side)
    turn = torch.eye(2).expand(count, 2, 2)
    matrix = torch.cat([turn, shift[..., None]], 2)
    grid = F.affine_grid(matrix, [count, 4, side, side], align_corners=False)
    picture = F.grid_sample(target, grid, "bicubic", "border", align_corners=False).clamp_(0, 1)
    there = F.grid_sample(known, grid, "bilinear", "border", align_corners=False)
    coarse = torch.rand(count, 4, side // 16 + 2, side // 16 + 2, generator=generator)
    smooth = F.interpolate(coarse, size=(side, side), mode="bicubic", align_corners=False)
    level = torch.rand(count, 1, 1, 1, generator=generator)
    seen = torch.rand(count, 1, 1, 1, generator=generator) < 0.5
    trust = 0.3 + 0.7 * torch.rand(count, 1, 1, 1, generator=generator).sqrt()
    mask = (smooth[:, :1] > level).to(target.dtype) * there * seen * trust
    softness = SOFTEST * torch.rand(count, 1, 1, 1, generator=generator)
    colour = torch.lerp(picture, F.avg_pool2d(picture, 3, 1, 1), softness)
    tint = (smooth[:, 1:] - 0.5) * 0.06
    return torch.cat([colour + tint, mask], 1)


class LookModel(Adversarial[LookGenerator]):
    """A look as it is learned from ``examples``; ``step`` is one update of generator and judge."""

    def __init__(self, config: Config, examples: list[Example], seed: int) -> None:
        torch.manual_seed(seed)
        generator = LookGenerator(config)
        self.colours = painted_colours(examples)
        generator.take_colours(*colour_range(self.colours))
        super().__init__(
            generator, PatchDiscriminator(), rates=(RATE, JUDGE_RATE), momentum=MOMENTUM, decay=DECAY, seed=seed
        )
        self.weights = Weights()
        self.guides = config.guides
        self.painted = [example.stacked() for example in examples if example.painted]
        self.others = [example.stacked() for example in examples if not example.painted] or self.painted
        self.side = min(PATCH, *(min(e.shape[1:]) // CELL * CELL for e in [*self.painted, *self.others]))

    def _patch(self, stacks: list[Tensor], tries: int = 1) -> Tensor:
        """A random patch, of so many ``tries`` the one of which most is known."""
        patches = []
        for _ in range(tries):
            stack = stacks[self._random(len(stacks))]
            row, column = (self._random(size - self.side + 1) for size in stack.shape[1:])
            patches.append(stack[:, row : row + self.side, column : column + self.side])
        return max(patches, key=lambda patch: float(patch[-1].mean())) if tries > 1 else patches[0]

    def _random(self, below: int) -> int:
        return int(torch.randint(below, (1,), generator=self.random))

    def step(self, progress: float) -> float:
        """One update of judge and generator at a point ``progress`` (0..1) of the run; the generator's loss."""
        self._schedule(progress)
        batch = torch.stack(
            [self._patch(self.painted, 3) for _ in range(PAINTED)] + [self._patch(self.others) for _ in range(OTHERS)]
        )
        history = degraded(batch[:, -4:-1], batch[:, -1:], self.random).to(self.device)
        batch = batch.to(self.device, memory_format=torch.channels_last)
        guides, position, target, known = batch.split([self.guides, 4, 3, 1], 1)
        position = self._silenced(position)
        fake = self.generator(guides, sparse(position), history)
        # Where the artist painted nothing, the real picture is the fake one: there is nothing to tell apart there.
        real = known * target + (1 - known) * fake.detach()
        real = real[:PAINTED].repeat(-(-len(fake) // PAINTED), 1, 1, 1)[: len(fake)]

        judged = self._judge(real, fake.detach())
        loss = self._create(fake, target, known)
        self.count()
        self.log |= {"judge": judged, "loss": loss}
        return loss

    def _silenced(self, position: Tensor) -> Tensor:
        """Positions (N, 4, S, S), in some patches those of the sky, which has no waves.

        Otherwise what a pixel is would be told from its waves alone: a limb that no painted frame shows, whose waves
        are new, would be painted like anything else.
        """
        silent = torch.rand(len(position), 1, 1, 1, generator=self.random) < SILENCED
        return torch.cat([position[:, :3], position[:, 3:].masked_fill(silent.to(self.device), ENDLESS)], 1)

    def _schedule(self, progress: float) -> None:
        warm = min(1.0, (self.steps + 1) / 20)
        self.pace(warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress))))

    def _judge(self, real: Tensor, fake: Tensor) -> float:
        lazy = self.steps % self.weights.lazy == 0
        pair = augment.symmetry(torch.cat([real, fake]) * 2 - 1, self.random).detach().requires_grad_(lazy)
        scores, _ = self.judges(pair)
        loss = relativistic(*scores.chunk(2))
        if lazy:
            penalty = gradient_penalty(scores, pair)
            loss = loss + self.weights.penalty * self.weights.lazy * penalty
            self.log["penalty"] = float(penalty.detach())
        return self.descend(self.judge_optimiser, loss)

    def _create(self, fake: Tensor, target: Tensor, known: Tensor) -> float:
        self.judges.requires_grad_(False)
        aligned = known * target + (1 - known) * fake.detach()
        seen, inner = self.judges(fake * 2 - 1)
        with torch.no_grad():
            wanted, truth = self.judges(aligned * 2 - 1)
        pixels = masked_l1(fake, target, known)
        features = feature_matching(inner, truth, known)
        sure = F.adaptive_avg_pool2d(known, (seen.shape[2], seen.shape[3]))
        weight = sure * self.weights.adversarial + (1 - sure) * self.weights.invention
        real = wanted[:PAINTED].repeat(-(-len(fake) // PAINTED), 1, 1, 1)[: len(fake)]
        adversarial = relativistic(seen, real, weight)
        loss = self.weights.l1 * pixels + self.weights.features * features + adversarial
        told = self.descend(self.optimiser, loss)
        for name, part in self.generator.named_children():
            if name != "tone":  # it begins with the render's own colours, however narrow the painter's range
                limit_weights(part)
        self.judges.requires_grad_(True)
        self.log |= {
            "l1": float(pixels.detach()),
            "features": float(features.detach()),
            "adversarial": float(adversarial.detach()),
        }
        return told

    def restore(self, state: dict[str, Any]) -> None:
        """Go on exactly where ``state`` was taken, with room for colours that were painted since."""
        super().restore(state)
        for network in (self.generator, self.average.network):
            network.widen_colours(self.colours.to(self.device))


def painted_colours(examples: list[Example]) -> Tensor:
    """(N, 3): the display colours of every pixel that the artist painted."""
    return torch.cat([e.target.flatten(1).T[e.known.flatten() > 0.5] for e in examples if e.painted])


def colour_range(pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The painter's colours (N, 3) as a box: its axes (3, 3), one a row, and lower end and length (3) along each.

    The axes are the principal components of what is painted. A drawing in ink has one that is long and two that are
    almost nothing: then nothing green or pink can come up, whatever the passes show in other frames.
    """
    _, _, axes = torch.linalg.svd(torch.cov(pixels.T).double())
    along = pixels @ axes.float().T
    low, high = along.amin(0), along.amax(0)
    room = ROOM * (high - low)
    return axes.float(), low - room, high - low + 2 * room


def no_history(guides: Tensor) -> Tensor:
    """The history of a picture that has none."""
    return guides.new_zeros(len(guides), HISTORY, *guides.shape[2:])
