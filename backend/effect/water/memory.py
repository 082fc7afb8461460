"""What water keeps of what happened to it (foam that fades, rings that run and die), in a loop without a beginning."""

from collections.abc import Iterable

import torch
from torch import Tensor


class Memory:
    """States that follow state <- decay * state + input, step by step around a loop.

    The rule is linear, so the state from which a loop leads back to itself is known in closed form: what one loop makes
    of nothing, over 1 - decay^steps. That is the sum over all the loops that went before.
    """

    def __init__(self, decay: Tensor, steps: int) -> None:
        """``decay``: complex factor per step, below 1 in size; ``steps`` to the loop."""
        self._decay = decay.to(torch.complex64)
        self._kept = (decay.to(torch.complex128) ** steps).to(torch.complex64)

    def follow(self, state: Tensor, given: Tensor) -> Tensor:
        """The state one step later."""
        return state * self._decay + given

    def closed(self, inputs: Iterable[Tensor]) -> Tensor:
        """The state after a loop of ``inputs`` (one a step) that has always been going on."""
        state = torch.zeros_like(self._decay)
        for given in inputs:
            state = self.follow(state, given)
        return state / (1 - self._kept)
