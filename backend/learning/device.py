"""Which device and precision to compute with."""

import os

import torch


def best() -> torch.device:
    """The fastest device here: CUDA, Apple's MPS, or the CPU. ``PAINTOVER_DEVICE`` overrides it."""
    named = os.environ.get("PAINTOVER_DEVICE")
    if named:
        return torch.device(named)
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def describe(device: torch.device) -> str:
    """The device in words, for cards and panels."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type.upper()} ({torch.get_num_threads()} threads)"
