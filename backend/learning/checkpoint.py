"""Exact resume: every tensor of a training state in one safetensors file, never a pickle."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from ..errors import LookError
from ..images import written_beside


def save(path: Path, state: dict[str, Any]) -> None:
    """Write nested dicts of tensors, numbers and strings; the file appears whole or not at all. ``OutputError``."""
    tensors: dict[str, Tensor] = {}
    plain = _split(state, "", tensors)
    data = to_bytes(tensors, {"state": json.dumps(plain)})
    with written_beside(path) as part:
        part.write_bytes(data)


def load(path: Path) -> dict[str, Any]:
    """What ``save`` wrote. ``LookError`` if the file is not such a checkpoint."""
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (safe_open is no dict)
            plain = json.loads((file.metadata() or {})["state"])
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise LookError(
            f"The training state {path} cannot be read ({error}).", "Train again from the start."
        ) from error
    joined = _join(plain, tensors)
    assert isinstance(joined, dict)
    return joined


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
    raise LookError("The training state is damaged.", "Train again from the start.")
