"""Whether results will have a place, asked before the work that makes them. Standard library only."""

import shutil
import tempfile
from pathlib import Path

from .errors import OutputError


def check_room(folder: Path, size: int = 0) -> None:
    """Raise ``OutputError`` before any work is done whose result, of ``size`` bytes, could not be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free
    except OSError as error:
        raise OutputError(
            f"Nothing can be written to {folder}: {error.strerror}.",
            "Check that the disk has room and that you may write there, or choose another folder.",
            path=str(folder),
        ) from error
    if free < size:
        raise OutputError(
            f"The disk that holds {folder} is nearly full: {free / 1e6:.1f} MB are free, {size / 1e6:.0f} are needed.",
            "Make room on it, or choose another folder.",
            path=str(folder),
        )


def check_file(path: Path, size: int = 0) -> None:
    """The same for a file."""
    if path.is_dir():
        raise OutputError(f"{path} is a folder.", "Name a file in it, or another one.", path=str(path))
    check_room(path.parent, size)
