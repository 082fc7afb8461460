"""Files that appear under their final name only when they are whole: written beside, then renamed.

A killed writer leaves its hidden file behind. The file's name says whose it is, so that it is removed as soon as it is
known to be nobody's, also in a folder that several machines write to. Standard library only: both sides write so.
"""

import errno
import functools
import os
import re
import sys
import time
from contextlib import suppress
from pathlib import Path

from .errors import OutputError

_HIDDEN = re.compile(r"\..+\.(?P<host>[0-9a-f]{8})-(?P<process>[0-9]+)-[0-9a-f]{8}\.part(\.[^.]+)?")
_ABANDONED = 24 * 3600.0  # seconds after which no file is work any more, whoever began it and whatever clock he has

_PATIENCE = 2.0  # seconds

_swept: set[Path] = set()


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that appears when all of it is there; otherwise nothing is left.

    Creates the folder. Raises OutputError for what the operating system refuses.
    """
    temporary = part_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent)
        temporary.write_bytes(data)
        put(temporary, path)
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        with suppress(OSError):  # as a rule it is not there any more
            temporary.unlink()


def put(whole: Path, path: Path) -> None:
    """Give a file that is ``whole`` its final name, in place of what is there. Raises OSError.

    On Windows nothing can take the place of a file that somebody has open, a viewer or a virus scanner: as a rule that
    lasts for a moment, and is waited for.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            os.replace(whole, path)
            return
        except PermissionError:
            if sys.platform != "win32" or time.monotonic() > deadline:
                raise
        time.sleep(_PATIENCE / 40)


def output_error(path: Path, error: OSError) -> OutputError:
    """What the operating system refused, in an artist's words."""
    message = f"{path.name} cannot be written to {path.parent}: {error.strerror or error}."
    remedy = "Choose another output folder."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        message = f"{path.name} cannot be written: the disk that holds {path.parent} is full."
        remedy = "Make room on it, or choose another output folder. What was finished is kept."
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        message = f"{path.name} cannot be written: {path.parent} is read-only."
        remedy = "Choose another output folder, or allow writing to this one."
    return OutputError(message, remedy, path=str(path))


def part_of(path: Path) -> Path:
    """A hidden name beside ``path`` to write to, with the same suffix; no other writer has it."""
    return path.with_name(f".{path.stem}.{_host()}-{os.getpid()}-{os.urandom(4).hex()}.part{path.suffix}")


def state_of(weights: Path) -> Path:
    """Where the training state of a file of weights lies, from which training can go on."""
    return weights.with_name(weights.name + ".state")


def sweep(folder: Path) -> None:
    """Remove what killed writers left in ``folder``. Each process looks once: whoever dies later has a successor.

    A process of this machine is asked for; of another machine's only the age of the file is known.
    """
    if folder in _swept:
        return
    _swept.add(folder)
    for left in folder.glob(".*.part*"):
        match = _HIDDEN.fullmatch(left.name)
        if match is None:
            continue
        here = match["host"] == _host()
        try:
            if (here and not _is_alive(int(match["process"]))) or time.time() - left.stat().st_mtime > _ABANDONED:
                left.unlink()
        except OSError:
            continue  # finished or removed meanwhile, or not ours to remove


@functools.cache
def _host() -> str:
    """The machine, and of its processes those that this one sees: each container has numbers of its own."""
    import hashlib  # late: Blender's start would wait for them
    import socket
    import uuid

    try:
        seen = os.readlink("/proc/self/ns/pid")
    except OSError:  # not Linux
        seen = ""
    return hashlib.sha256(f"{socket.gethostname()} {uuid.getnode()} {seen}".encode()).hexdigest()[:8]


def _is_alive(process: int) -> bool:
    if sys.platform == "win32":  # os.kill would end it there
        import ctypes

        kernel = ctypes.windll.kernel32
        handle = kernel.OpenProcess(0x100000, False, process)  # SYNCHRONIZE
        if not handle:
            return False
        running = kernel.WaitForSingleObject(handle, 0) == 0x102  # WAIT_TIMEOUT
        kernel.CloseHandle(handle)
        return bool(running)
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True
