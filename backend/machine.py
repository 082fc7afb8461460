"""What this machine offers to the backend: libraries, device, threads."""

import contextlib
import ctypes
import importlib
import importlib.metadata
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Barrier
from typing import Any, TypeVar

# What backend/requirements.txt installs, by the names under which Python imports it.
LIBRARIES = ("torch", "numpy", "OpenEXR", "PyOpenColorIO", "PIL", "safetensors")

# Of glibc's malloc.h: M_ARENA_MAX, one heap; M_MMAP_MAX, nothing beside it; M_TRIM_THRESHOLD, bytes that it keeps.
_HEAP = {-8: 1, -4: 0, -1: 1 << 28}
CHUNK = 1 << 16  # pixels that one thread takes at a time: stays in its cache

Item = TypeVar("Item")


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


def one_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same ``items``, each of which is made while the one before is used: in another thread, one at a time."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item


def one_heap() -> None:
    """Have all threads that are to come share the first one's heap, where the C library is glibc.

    It would give each a heap of its own, but none in which pictures fit: it would ask the system for each, and give it
    back, and clearing that memory takes longer than many a step on a picture. What the next ones need is kept, too.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        for parameter, value in _HEAP.items():
            mallopt(parameter, value)


def in_long_turns() -> None:
    """Let the threads to come, where they are more than cores, take longer turns, if the system knows such.

    Each begins its turn with a cache full of another's pictures. They also give way to Blender's window sooner.
    """
    if hasattr(os, "SCHED_BATCH"):
        with contextlib.suppress(OSError):  # a sandbox may forbid it: then they take short ones
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def numpy_alone() -> None:
    """Have numpy multiply matrices in the thread that asks for it. Only before numpy is imported.

    Its own threads are for those that have no others: asked by several at once they wait for each other, ten times as
    long as the product takes.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def cores() -> int:
    """The cores that this process may use, which a farm's scheduler may have limited."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def _threads() -> ThreadPoolExecutor:
    """As many as there are cores, each of which does all of its work by itself.

    Torch would share out every step of each among all cores, and threads that wait for each other's shares wait most
    of the time. It keeps its setting for each thread, and for all that begin later: so it is put back.
    """
    import torch

    count, elsewhere = cores(), torch.get_num_threads()
    pool = ThreadPoolExecutor(count, thread_name_prefix="shares")
    all_there = Barrier(count)

    def begin(_: int) -> None:
        torch.get_num_threads()  # asked for the first time, a thread takes what was set before
        torch.set_num_threads(1)
        all_there.wait()

    list(pool.map(begin, range(count)))
    torch.set_num_threads(elsewhere)
    return pool


def share_out(work: Callable[[slice], None], shares: list[slice]) -> None:
    """Do ``work`` on each of the ``shares``, on all cores. Not to be called from within such work."""
    left = iter(shares)

    def take(_: int) -> None:
        for share in left:
            work(share)

    if len(shares) < 2:
        take(0)
    else:  # each thread is asked once: to be told of every share that is done would take longer than many a share
        list(_threads().map(take, range(min(cores(), len(shares)))))  # the list brings errors back


def in_chunks(work: Callable[[slice], None], length: int) -> None:
    """Do ``work`` on every stretch of ``length`` pixels, on all cores."""
    share_out(work, [slice(begin, begin + CHUNK) for begin in range(0, length, CHUNK)])
