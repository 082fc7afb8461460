"""What a Python that is started from inside Blender gets to see of its surroundings."""

import os
import subprocess
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1]  # holds the package `backend`
NO_WINDOW: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # on Windows a console would pop up

# These speak of Blender's own Python, or of the artist's: another Python would take the wrong libraries.
_FOREIGN = {"PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__"}


def plain() -> dict[str, str]:
    """Environment variables for any other Python. The working folder may hold modules of any name: none counts."""
    kept = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    return kept | {"PYTHONSAFEPATH": "1", "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}


def with_backend() -> dict[str, str]:
    """The same for a Python that shall run ``-m backend``; a crash in C code writes its traceback to stderr."""
    return plain() | {"PYTHONPATH": str(FOLDER), "PYTHONFAULTHANDLER": "1"}
