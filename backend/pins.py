"""How torch is installed: build.py and the add-on's Install Backend both ask here. Standard library only."""

import shutil
import sys
from collections.abc import Iterable


def torch_without_cuda(requirements: Iterable[str]) -> str | None:
    """The torch that the lines ``requirements`` pin, in its much smaller build for processors. None where there is a
    card to use, and on a Mac, whose torch has no other build.
    """
    if sys.platform == "darwin" or shutil.which("nvidia-smi"):
        return None
    return next((f"{line.strip()}+cpu" for line in requirements if line.startswith("torch==")), None)
