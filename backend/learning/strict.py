"""Files of weights: tensors and one JSON card in a safetensors file, opened strictly and never unpickled."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from ..beside import write_whole
from ..errors import PaintoverError


@dataclass(frozen=True)
class Form:
    """A kind of such files: the ``version`` of its format, and how an artist is told what is wrong with one.

    ``name``: of the kind, ``article``: before it. The remedies: ``again`` for a damaged file, ``own`` for one that is
    none of ours or broken, ``choose`` for safetensors without a card, ``update`` for one that a newer version wrote.
    """

    name: str
    article: str
    version: int
    error: type[PaintoverError]
    again: str
    own: str
    choose: str
    update: str

    def damaged_card(self, path: Path) -> PaintoverError:
        return self.error(f"The card of {path.name} is damaged.", self.again)


def save(path: Path, card: dict[str, Any], tensors: dict[str, Tensor], form: Form) -> None:
    """Write the file, whole or not at all; the card gets its format and its hash. Raises ``OutputError``."""
    tensors = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(card | {"format": form.version, "sha256": digest(tensors)}, sort_keys=True)
    # Written by us: safetensors would not tell a full disk from a fault.
    data = to_bytes(tensors, {"card": text, "card_sha256": hashlib.sha256(text.encode()).hexdigest()})
    write_whole(path, _in_order(data))


def _in_order(data: bytes) -> bytes:
    """The same file with its metadata in the order of their names: safetensors writes them in a random one."""
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of eight
    return len(text).to_bytes(8, "little") + text + data[end:]


def load(path: Path, form: Form) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Card and tensors of what ``save`` wrote. Raises ``form``'s error for anything else, and says what is wrong."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict)
    except (SafetensorError, OSError, ValueError) as cause:
        raise form.error(
            f"{path.name} is not {form.article} {form.name} file, or it is damaged.", form.own, cause=str(cause)
        ) from cause
    text = metadata.get("card", "")
    card = _card(path, text, form)
    whole = metadata.get("card_sha256") == hashlib.sha256(text.encode()).hexdigest()
    if not whole or card.get("sha256") != digest(tensors):
        raise form.error(f"{path.name} is damaged: its contents are not what was saved.", form.again)
    return card, tensors


def _card(path: Path, text: str, form: Form) -> dict[str, Any]:
    if not text:
        raise form.error(
            f"{path.name} has no card: it is a safetensors file, but not {form.article} {form.name}.", form.choose
        )
    try:
        card = json.loads(text)
    except ValueError as cause:
        raise form.damaged_card(path) from cause
    if not isinstance(card, dict) or card.get("format") != form.version:
        found = card.get("format") if isinstance(card, dict) else None
        old = isinstance(found, int) and found < form.version
        raise form.error(
            f"{path.name} is of {form.name} format {found}; this Paintover reads format {form.version}.",
            form.again if old else form.update,
        )
    return card


def digest(tensors: dict[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes of all tensors, in the order of their names."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
