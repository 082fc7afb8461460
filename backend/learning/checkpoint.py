"""Exact resume: every tensor of a training state in one safetensors file, never a pickle."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from ..beside import write_whole
from ..errors import PaintoverError
from .adversarial import Adversarial

ANEW = "Train anew, from the start."


def save(path: Path, state: dict[str, Any]) -> None:
    """Write nested dicts of tensors, numbers and strings; the file appears whole or not at all. ``OutputError``."""
    tensors: dict[str, Tensor] = {}
    plain = _split(state, "", tensors)
    data = to_bytes(tensors, {"state": json.dumps(plain)})
    write_whole(path, data)


def resume(model: Adversarial[Any], path: Path, error: type[PaintoverError]) -> None:
    """Let ``model`` go on exactly where ``path`` was saved. Raises an ``error`` that says why it cannot."""
    if not path.is_file():
        raise error(f"There is no training state {path.name} to go on from.", ANEW)
    try:
        with safe_open(path, "pt") as file:
            # Copies: Adam would go on with views of the file, and Windows replaces no file that is mapped.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 (it is no dict)
            plain = json.loads((file.metadata() or {})["state"])
        model.restore(_join(plain, tensors))
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as cause:
        raise error(
            f"The training state {path.name} is damaged, or is that of another training or version.",
            ANEW,
            cause=str(cause),
        ) from cause


def _split(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        tensors[name] = value.detach().contiguous()
        return {"tensor": name}
    if isinstance(value, dict):
        return {"items": [[key, _split(item, f"{name}/{key}", tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return {"list": [_split(item, f"{name}/{index}", tensors) for index, item in enumerate(value)]}
    return {"value": value}


def _join(value: Any, tensors: dict[str, Tensor]) -> Any:
    match value:
        case {"tensor": name}:
            return tensors[name]
        case {"items": pairs}:
            return {key: _join(item, tensors) for key, item in pairs}
        case {"list": items}:
            return [_join(item, tensors) for item in items]
        case {"value": plain}:
            return plain
    raise ValueError("not a training state")
