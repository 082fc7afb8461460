"""Look files: one safetensors file with weights, paintings, and one JSON card. Loading is strict."""

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..errors import LookError
from ..images import written_beside
from ..learning.blocks import channels_last
from .generator import Config, LookGenerator

FORMAT = 1
FAMILIES = ("shot", "colour")
PAINTING = "painting."  # paintings are PNG files' bytes, as uint8 tensors named painting.FRAME
TRAIN_AGAIN = "Train the look again, or take another copy of the file."


@dataclass(frozen=True)
class LookFile:
    """What a look file holds.

    ``card``: format, family ("shot": guided by passes; "colour": by colour alone), config, passes and encoding, size
    rule, view, keyframes, training facts, scores, licence, and the sha256 of all tensors (the card's own hash stands
    beside it in the file). ``weights``: the generator's. ``paintings``: frame number to RGBA (H, W, 4), carried along
    the shot that they were painted on.
    """

    card: dict[str, Any]
    weights: dict[str, Tensor]
    paintings: dict[int, NDArray[np.uint8]]

    def generator(self) -> LookGenerator:
        """The network, ready to run. ``LookError`` if the weights do not fit the card."""
        try:
            network = LookGenerator(Config(**self.card["config"]))
            network.load_state_dict(self.weights, strict=True)
        except (TypeError, ValueError, RuntimeError) as error:
            raise LookError(f"This look's weights do not fit its card: {error}", TRAIN_AGAIN) from error
        return channels_last(network).eval().requires_grad_(False)

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all; the card gets format and hash. Raises ``OutputError``."""
        tensors = {name: tensor.detach().contiguous() for name, tensor in self.weights.items()}
        for frame, pixels in self.paintings.items():
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "PNG")
            tensors[f"{PAINTING}{frame}"] = torch.frombuffer(bytearray(buffer.getvalue()), dtype=torch.uint8)
        card = self.card | {"format": FORMAT, "sha256": _digest(tensors)}
        # Written by us: safetensors would not tell a full disk from a fault.
        text = json.dumps(card, sort_keys=True)
        data = save(tensors, {"card": text, "card_sha256": hashlib.sha256(text.encode()).hexdigest()})
        with written_beside(path) as part:
            part.write_bytes(data)

    @classmethod
    def open(cls, path: Path) -> "LookFile":
        """Read and check a look file. ``LookError`` says what is wrong: never unpickles, never guesses."""
        if not path.is_file():
            raise LookError(f"There is no look at {path}.", "Train a look, or choose another file.")
        try:
            with safe_open(path, "pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict)
        except (SafetensorError, OSError, ValueError) as error:
            raise LookError(
                f"{path.name} is not a look file, or it is damaged ({error}).",
                "Only files that Paintover's Train Look wrote can be used. " + TRAIN_AGAIN,
            ) from error
        text = metadata.get("card", "")
        card = _card(path, text)
        whole = metadata.get("card_sha256") == hashlib.sha256(text.encode()).hexdigest()
        if not whole or card.get("sha256") != _digest(tensors):
            raise LookError(f"{path.name} is damaged: its contents are not what was saved.", TRAIN_AGAIN)
        paintings = {
            int(name.removeprefix(PAINTING)): np.asarray(Image.open(io.BytesIO(tensor.numpy().tobytes())))
            for name, tensor in tensors.items()
            if name.startswith(PAINTING)
        }
        weights = {name: tensor for name, tensor in tensors.items() if not name.startswith(PAINTING)}
        look = cls(card, weights, paintings)
        look.generator()  # missing, extra or misshapen tensors are found now, not in the middle of a shot
        return look


def _card(path: Path, text: str) -> dict[str, Any]:
    if not text:
        raise LookError(f"{path.name} has no card: it is a safetensors file, but not a look.", "Choose a .look file.")
    try:
        card = json.loads(text)
    except ValueError as error:
        raise LookError(f"The card of {path.name} is damaged.", TRAIN_AGAIN) from error
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        found = card.get("format") if isinstance(card, dict) else None
        raise LookError(
            f"{path.name} is of look format {found}; this Paintover reads format {FORMAT}.",
            "Update Paintover, or train the look again.",
        )
    if card.get("family") not in FAMILIES or not isinstance(card.get("config"), dict):
        raise LookError(f"The card of {path.name} is damaged.", TRAIN_AGAIN)
    return card


def _digest(tensors: dict[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes of all tensors, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
