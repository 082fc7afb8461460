"""Differentiable augmentation (Zhao et al. 2020): one random change for real and fake alike."""

import torch
from torch import Tensor


def symmetry(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """One random of the eight flips and quarter turns, for a whole batch of square (N, C, S, S) pictures."""
    pick = int(torch.randint(8, (1,), generator=generator))
    if pick & 4:
        pictures = pictures.flip(3)
    return torch.rot90(pictures, pick & 3, (2, 3))
