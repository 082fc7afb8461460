"""Trained effects: half-precision weights and a card in one safetensors file. Loading is strict."""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from torch import Tensor

from ..errors import EffectError
from ..learning import strict
from ..learning.blocks import channels_last
from .encoding import Encoding
from .generator import Config, EffectGenerator

WEIGHTS = resources.files(__package__) / "weights"
REMEDY = "Install Paintover again, or train the effect: python -m backend effect train."
FORM = strict.Form("effect", "an", version=1, error=EffectError, again=REMEDY, own=REMEDY, choose=REMEDY, update=REMEDY)


@dataclass(frozen=True)
class EffectFile:
    """What such a file holds.

    ``card``: format, kind, config (of the generator), encoding, training (data, steps, seconds, device), scores,
    licence, and the sha256 of all tensors. ``weights``: the generator's, half precision.
    """

    card: dict[str, Any]
    weights: dict[str, Tensor]

    @property
    def kind(self) -> str:
        return str(self.card["kind"])

    def encoding(self) -> Encoding:
        return Encoding.from_json(self.card["encoding"])

    def generator(self) -> EffectGenerator:
        """The network, ready to run in single precision. ``EffectError`` if the weights do not fit the card."""
        try:
            network = EffectGenerator(Config(**self.card["config"]))
            network.load_state_dict({name: tensor.float() for name, tensor in self.weights.items()}, strict=True)
            if len(self.encoding().channels) != network.config.channels:
                raise ValueError("the encoding has another number of channels")
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise EffectError(f"This effect's weights do not fit its card: {error}", REMEDY) from error
        return channels_last(network).eval().requires_grad_(False)

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all. Raises ``OutputError``."""
        strict.save(path, self.card, {name: tensor.cpu().half() for name, tensor in self.weights.items()}, FORM)

    @classmethod
    def open(cls, path: Path) -> "EffectFile":
        """Read and check such a file. ``EffectError`` says what is wrong: never unpickles, never guesses."""
        if not path.is_file():
            raise EffectError(f"There is no trained effect at {path}.", REMEDY)
        card, weights = strict.load(path, FORM)
        if not isinstance(card.get("kind"), str):
            raise FORM.damaged_card(path)
        effect = cls(card, weights)
        effect.generator()  # missing, extra or misshapen tensors are found now, not in the middle of a bake
        return effect

    @classmethod
    def shipped(cls, kind: str) -> "EffectFile":
        """The one that comes with Paintover. ``EffectError`` where it does not."""
        with resources.as_file(WEIGHTS / f"{kind}.safetensors") as path:
            if not path.is_file():
                raise EffectError(f"Paintover has not learned {kind} here: {path.name} is missing.", REMEDY)
            return cls.open(path)
