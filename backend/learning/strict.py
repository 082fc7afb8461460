"""Files of weights: tensors and one JSON card in a safetensors file, opened strictly and never unpickled."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from ..errors import PaintoverError
from ..images import written_beside


def save(path: Path, card: dict[str, Any], tensors: dict[str, Tensor], version: int) -> None:
    """Write the file, whole or not at all; the card gets its format and its hash. Raises ``OutputError``."""
    tensors = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(card | {"format": version, "sha256": digest(tensors)}, sort_keys=True)
    data = to_bytes(tensors, {"card": text, "card_sha256": hashlib.sha256(text.encode()).hexdigest()})
    with written_beside(path) as part:
        part.write_bytes(data)


def load(
    path: Path, version: int, error: type[PaintoverError], remedy: str
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Card and tensors of what ``save`` wrote. Raises ``error`` for anything else, and says what is wrong."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict)
        text = metadata["card"]
        card = json.loads(text)
    except (SafetensorError, OSError, KeyError, ValueError) as cause:
        raise error(f"{path.name} is no file of ours, or it is damaged ({cause}).", remedy) from cause
    if not isinstance(card, dict) or card.get("format") != version:
        found = card.get("format") if isinstance(card, dict) else None
        raise error(f"{path.name} is of format {found}; this Paintover reads format {version}.", remedy)
    whole = metadata.get("card_sha256") == hashlib.sha256(text.encode()).hexdigest()
    if not whole or card.get("sha256") != digest(tensors):
        raise error(f"{path.name} is damaged: its contents are not what was saved.", remedy)
    return card, tensors


def digest(tensors: dict[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes of all tensors, in the order of their names."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
