"""Files that appear whole or not at all."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import OutputError


def output_error(path: Path, error: OSError) -> OutputError:
    """The error that says why ``path`` cannot be written, and what to do."""
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return OutputError(
            f"{path.parent} is read-only.", "Choose another output folder, or change its permissions.", path=str(path)
        )
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(
            f"The disk is full: {path} could not be written.",
            "Free some space; frames already written are kept.",
            path=str(path),
        )
    return OutputError(
        f"{path} cannot be written ({error.strerror or error}).", "Choose another output folder.", path=str(path)
    )


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to; on leaving it takes the final name, on an error nothing remains.

    Makes the folder. The extension is kept, since writers choose the format by it. ``OSError`` becomes ``OutputError``.
    """
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        os.replace(part, path)
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        part.unlink(missing_ok=True)
