"""Look files: one safetensors file with weights, paintings, and one JSON card. Loading is strict."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..errors import LookError
from ..learning import device, strict
from ..learning.blocks import channels_last
from .generator import Config, LookGenerator

FAMILIES = ("shot", "colour")
PICTURES = ("painting", "render")  # PNG files' bytes, as uint8 tensors named painting.FRAME and render.FRAME
TRAIN_AGAIN = "Train the look again, or take another copy of the file."
FORM = strict.Form(
    "look",
    "a",
    version=3,
    error=LookError,
    again=TRAIN_AGAIN,
    own="Only files that Paintover's Train Look wrote can be used. " + TRAIN_AGAIN,
    choose="Choose a .look file.",
    update="Update Paintover, or train the look again.",
)


@dataclass(frozen=True)
class LookFile:
    """What a look file holds.

    ``card``: format, family ("shot": guided by passes; "colour": by colour alone), config, passes and encoding, size
    rule, view, keyframes, training facts, scores, licence, and the sha256 of all tensors (the card's own hash stands
    beside it in the file). ``weights``: the generator's. ``paintings``: frame number to RGBA (H, W, 4), carried along
    the shot that they were painted on. ``renders``: what the artist saw of these frames (H, W, 3) and painted over.
    """

    card: dict[str, Any]
    weights: dict[str, Tensor]
    paintings: dict[int, NDArray[np.uint8]]
    renders: dict[int, NDArray[np.uint8]]

    def generator(self) -> LookGenerator:
        """The network, ready to run. ``LookError`` if the weights do not fit the card."""
        try:
            network = LookGenerator(Config(**self.card["config"]))
            network.load_state_dict(self.weights, strict=True)
        except (TypeError, ValueError, RuntimeError) as error:
            raise LookError(f"This look's weights do not fit its card: {error}", TRAIN_AGAIN) from error
        return channels_last(network).eval().requires_grad_(False)

    def painter(self) -> LookGenerator:
        """The same on the device that was chosen, as quick as it is there."""
        return self.generator().to(device.chosen()).convolving_in(device.convolving())

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all; the card gets format and hash. Raises ``OutputError``."""
        tensors = dict(self.weights)
        for kind, pictures in zip(PICTURES, (self.paintings, self.renders), strict=True):
            for frame, pixels in pictures.items():
                buffer = io.BytesIO()
                Image.fromarray(pixels).save(buffer, "PNG")
                tensors[f"{kind}.{frame}"] = torch.frombuffer(bytearray(buffer.getvalue()), dtype=torch.uint8)
        strict.save(path, self.card, tensors, FORM)

    @classmethod
    def open(cls, path: Path) -> "LookFile":
        """Read and check a look file. ``LookError`` says what is wrong: never unpickles, never guesses."""
        if not path.is_file():
            raise LookError(f"There is no look at {path}.", "Train a look, or choose another file.")
        card, tensors = strict.load(path, FORM)
        if card.get("family") not in FAMILIES or not isinstance(card.get("config"), dict):
            raise FORM.damaged_card(path)
        pictures: dict[str, dict[int, NDArray[np.uint8]]] = {kind: {} for kind in PICTURES}
        weights = {}
        for name, tensor in tensors.items():
            kind, _, frame = name.partition(".")
            if kind in pictures:
                pictures[kind][int(frame)] = np.asarray(Image.open(io.BytesIO(tensor.numpy().tobytes())))
            else:
                weights[name] = tensor
        look = cls(card, weights, *(pictures[kind] for kind in PICTURES))
        look.generator()  # missing, extra or misshapen tensors are found now, not in the middle of a shot
        return look
