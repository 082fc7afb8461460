"""What every family trains: a generator against its judges. A family adds its data, its losses and its step."""

from typing import Any, Generic

import torch
from torch import Tensor, nn

from . import device
from .blocks import Network, channels_last
from .ema import Average

SMOOTHING = 0.99  # Adam's second beta (R3GAN, Huang et al. 2024, appendix)


class Adversarial(Generic[Network]):
    """A generator and its judges on the chosen device, with an optimiser each, and the generator's running average.

    ``rates``: of generator and judges. ``momentum``: the generator's; judges have none. ``random``: where a step's
    chance comes from. ``steps``: made so far, in all runs. ``log``: the last step's losses by name.
    """

    def __init__(
        self,
        generator: Network,
        judges: nn.Module,
        *,
        rates: tuple[float, float],
        momentum: float,
        decay: float,
        seed: int,
    ) -> None:
        self.device = device.chosen()
        self.random = torch.Generator().manual_seed(seed)
        self.generator = channels_last(generator).to(self.device)
        self.judges = channels_last(judges).to(self.device)
        self.average = Average(self.generator, decay)
        self.rates = rates
        self.optimiser = torch.optim.Adam(self.generator.parameters(), rates[0], (momentum, SMOOTHING))
        self.judge_optimiser = torch.optim.Adam(self.judges.parameters(), rates[1], (0.0, SMOOTHING))
        self.steps = 0
        self.log: dict[str, float] = {}

    def pace(self, share: float) -> None:
        """From here on learn at this ``share`` of the rates."""
        for optimiser, rate in zip((self.optimiser, self.judge_optimiser), self.rates, strict=True):
            for group in optimiser.param_groups:
                group["lr"] = rate * share

    def descend(self, optimiser: torch.optim.Optimizer, loss: Tensor) -> float:
        """One update of what ``optimiser`` moves; gives the loss."""
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        return float(loss.detach())

    def count(self) -> None:
        """End a step: the average follows."""
        self.average.update(self.generator)
        self.steps += 1

    def state(self) -> dict[str, Any]:
        """Everything that an exact resume needs."""
        return {
            "generator": self.generator.state_dict(),
            "judges": self.judges.state_dict(),
            "average": self.average.network.state_dict(),
            "updates": self.average.updates,
            "optimiser": self.optimiser.state_dict(),
            "judge_optimiser": self.judge_optimiser.state_dict(),
            "random": self.random.get_state(),
            "steps": self.steps,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on exactly where ``state`` was taken. ``KeyError``, ``RuntimeError`` if that was of another network."""
        self.generator.load_state_dict(state["generator"])
        self.judges.load_state_dict(state["judges"])
        self.average.network.load_state_dict(state["average"])
        self.average.updates = state["updates"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.judge_optimiser.load_state_dict(state["judge_optimiser"])
        self.random.set_state(state["random"])
        self.steps = state["steps"]
