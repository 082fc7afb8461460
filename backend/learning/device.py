"""Which device networks learn and run on: a CUDA card where there is one, else the processor.

Passes, paintings and what is carried stay in the processor's memory; a network's inputs are moved to its device.
``CUDA_VISIBLE_DEVICES`` chooses among cards, or hides them.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch

from ..errors import BackendError

log = logging.getLogger("paintover")


@cache
def chosen() -> torch.device:
    """A card is tried out first: there are cards too old or too new for the kernels that torch brings.

    Raises ``BackendError`` while another program has it to itself.
    """
    if torch.cuda.is_available():
        try:
            torch.ones(1, device="cuda").add_(1).cpu()
            return torch.device("cuda")
        except (RuntimeError, AssertionError) as error:  # the latter of a torch without CUDA
            if "out of memory" in str(error) or "busy" in str(error):  # that passes
                raise BackendError(
                    "The graphics card is taken by another program.",
                    "Close that, or set CUDA_VISIBLE_DEVICES to nothing, so that the processor works instead.",
                    cause=str(error),
                ) from error
            log.warning("the graphics card cannot be used, the processor works instead: %s", error)
    return torch.device("cpu")


def describe() -> str:
    """The chosen device in words, for cards and for the panel."""
    try:
        device = chosen()
    except BackendError:
        return "CUDA (taken by another program)"
    if device.type == "cuda":
        return f"CUDA ({torch.cuda.get_device_name()})"
    return f"CPU ({torch.get_num_threads()} threads)"


def convolving() -> torch.dtype:
    """What convolutions that only run, and don't learn, are quickest in on the chosen device without harm."""
    quick = torch.cpu.get_capabilities()
    known = quick.get("avx512_bf16") or quick.get("amx_bf16")
    return torch.bfloat16 if known and chosen().type == "cpu" else torch.float32


@contextmanager
def sharing(others: bool) -> Iterator[None]:
    """Work in few threads while ``others`` work beside this one: what begins meanwhile does the same.

    Where all share out each step among all cores, they wait for each other most of the time.
    """
    threads = torch.get_num_threads()
    if others:
        torch.set_num_threads(max(1, threads // 3))
    try:
        yield
    finally:
        torch.set_num_threads(threads)
