"""What this machine offers to the backend: libraries, device, threads."""

import importlib
import importlib.metadata
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

# What backend/requirements.txt installs, by the names under which Python imports it.
LIBRARIES = ("torch", "numpy", "OpenEXR", "PyOpenColorIO", "PIL", "safetensors")

CHUNK = 1 << 16  # pixels that one thread takes at a time: stays in its cache, and torch does not share it out again


def described() -> dict[str, Any]:
    """``torch`` (version, or None), ``device`` and ``threads``, without importing torch where that can be avoided."""
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return {"torch": None, "device": None, "threads": cores()}
    if version.endswith("+cpu") or shutil.which("nvidia-smi") is None:
        return {"torch": version, "device": f"CPU ({cores()} threads)", "threads": cores()}
    return loaded()


def loaded() -> dict[str, Any]:
    """The same, with every library really imported: raises ``ImportError`` where one does not work here."""
    for library in LIBRARIES:
        importlib.import_module(library)
    import torch

    from .learning import device

    return {"torch": torch.__version__, "device": device.describe(), "threads": torch.get_num_threads()}


def cores() -> int:
    """The cores that this process may use, which a farm's scheduler may have limited."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(cores(), thread_name_prefix="chunks")


def in_chunks(work: Callable[[slice], None], length: int) -> None:
    """Do ``work`` on every stretch of ``length`` pixels, on all cores."""
    chunks = [slice(begin, begin + CHUNK) for begin in range(0, length, CHUNK)]
    if len(chunks) < 2:
        for chunk in chunks:
            work(chunk)
    else:
        list(_threads().map(work, chunks))  # the list brings errors back
