"""Losses. They return scalars and never call ``backward``; the training step does."""

import torch
import torch.nn.functional as F
from torch import Tensor


def relativistic(winner: Tensor, loser: Tensor, weight: Tensor | None = None) -> Tensor:
    """Relativistic pairing loss softplus(-(winner - loser)) (R3GAN, Huang et al. 2024, equation 2).

    The discriminator minimises it with real scores as winner, the generator with fake scores as winner. ``weight``, of
    the scores' shape: how much each place counts.
    """
    loss = F.softplus(loser - winner)
    return (loss if weight is None else loss * weight).mean()


def gradient_penalty(scores: Tensor, pictures: Tensor) -> Tensor:
    """Zero-centred gradient penalty E|dD/dx|^2 / 2: R1 on real pictures, R2 on fakes (Mescheder et al. 2018, eq. 9).

    ``pictures`` must require gradients and have led to ``scores``. Scores of overlapping patches are summed; divided by
    their number the penalty is that of one patch.
    """
    (gradient,) = torch.autograd.grad(scores.sum(), pictures, create_graph=True)
    return gradient.square().sum((1, 2, 3)).mean() / 2 / scores[0].numel()


def masked_l1(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Mean absolute difference of (N, C, H, W) pictures where ``weight`` (N, 1, H, W) says that the target is known."""
    return ((output - target).abs() * weight).sum() / (weight.sum() * output.shape[1] + 1e-6)


def feature_matching(fake: list[Tensor], real: list[Tensor], weight: Tensor) -> Tensor:
    """L1 between discriminator features of aligned pictures (Wang et al. 2018, equation 4), where ``weight`` is 1.

    Each layer counts by its own mean magnitude, so that no layer's scale rules.
    """
    total = fake[0].new_zeros(())
    for ours, theirs in zip(fake, real, strict=True):
        known = F.adaptive_avg_pool2d(weight, (ours.shape[2], ours.shape[3]))
        theirs = theirs.detach()
        scale = theirs.abs().mean() + 1e-6
        total = total + masked_l1(ours, theirs, known) / scale
    return total / len(fake)
