"""What a model was trained on."""

import torch


def describe() -> str:
    """The device in words, for cards. Looks are small: they learn and run on the processor."""
    return f"CPU ({torch.get_num_threads()} threads)"
