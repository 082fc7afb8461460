"""The exponential moving average of a network's weights: what is shown and shipped."""

import copy
from typing import Generic

import torch

from .blocks import Network


class Average(Generic[Network]):
    """Holds ``network``, the running average of the one that is trained."""

    def __init__(self, source: Network, decay: float) -> None:
        self.network = copy.deepcopy(source).eval().requires_grad_(False)
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, source: Network) -> None:
        """Move towards ``source``; early on faster, so that the average forgets its random start."""
        self.updates += 1
        weight = 1 - min(self.decay, self.updates / (self.updates + 10))
        for mine, theirs in zip(self.network.parameters(), source.parameters(), strict=True):
            mine.lerp_(theirs, weight)
