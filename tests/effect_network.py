"""A small effect network that was never trained, and pictures for it."""

from pathlib import Path

import torch
from torch import Tensor

from backend.effect.encoding import Encoding
from backend.effect.generator import Config, EffectGenerator
from backend.effect.model_file import EffectFile
from backend.effect.projection import CHANNELS

TINY = Config(len(CHANNELS), (4, 5), (0, 1), factor=4, noise=2, context=8, blocks=1, widths=(8, 8))


def tiny(kind: str, path: Path, lively: bool = False) -> Path:
    """A file of weights that were never trained, but add a little detail of their own.

    ``lively`` ones add much, and keep most of what they added before.
    """
    torch.manual_seed(1)
    network = EffectGenerator(TINY)
    if lively:
        with torch.no_grad():
            network.leave.weight *= 4
            network.leave.weight[-1], network.leave.bias[-1] = 0, 3
    card = {"kind": kind, "config": TINY.as_json(), "encoding": Encoding().as_json()}
    EffectFile(card, network.state_dict()).save(path)
    return path


def pictures(count: int = 2, height: int = 6, width: int = 4) -> Tensor:
    """Pictures as a projection may give them: positive but for the velocities, temperatures from the air's on."""
    random = torch.Generator().manual_seed(1)
    values = torch.rand(count, 8, height, width, generator=random)
    values[:, CHANNELS.index("temperature")] = 293 + 2500 * values[:, CHANNELS.index("temperature")]
    values[:, 4:6] = 20 * values[:, 4:6] - 10
    return values
