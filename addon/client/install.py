"""Install Backend: a virtual environment that the extension owns, which may be deleted, and nothing anywhere else.

It is made beside its place and moved there when it is whole, so there is always the old one, the new one or none.
"""

import contextlib
import os
import queue
import re
import shutil
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from ..backend.errors import BackendMissingError, OutputError
from ..backend.job import Job
from ..backend.params import Params
from ..backend.pins import torch_without_cuda
from .environment import FOLDER, NO_WINDOW, plain, with_backend
from .in_process import InProcessBackend
from .ticket import Ticket

REQUIREMENTS = FOLDER / "backend" / "requirements.txt"
LOADS = ("-m", "backend", "info", "--json", "--load")  # what a Python must be able to run to be a backend
ASK_BASE = """
import importlib.util as found, sys
print(*sys.version_info[:2], int(all(map(found.find_spec, ["venv", "ensurepip"]))))
"""
OLDEST = (3, 11)
RAW_PROGRESS = (24, 1)  # the first pip that tells its bytes line by line
SLICE = 0.25  # seconds between looks at the cancel
KEPT_LINES = 40
MEGABYTE = 1_000_000


def python_of(environment: Path) -> Path:
    """The executable of a virtual environment."""
    return environment / "Scripts" / "python.exe" if os.name == "nt" else environment / "bin" / "python"


def find_python(target: Path) -> Path | None:
    """The Python of the environment that ``Installer`` made in ``target``, or None if there is none that is whole."""
    python = python_of(target)
    return python if python.is_file() else None


class Installer:
    """Makes the environment ``target`` with ``base_python`` and installs what ``requirements`` pins.

    ``index``: an additional package index, "" for none. ``proof``: what the new Python must be able to run before it
    takes its place.
    """

    def __init__(
        self,
        target: Path,
        base_python: Path,
        index: str = "",
        *,
        requirements: Path = REQUIREMENTS,
        proof: Sequence[str] = LOADS,
    ) -> None:
        self._target = target
        self._base_python = base_python
        self._index = index
        self._requirements = requirements
        self._proof = proof
        self._new = target.with_name(target.name + ".new")
        self._old = target.with_name(target.name + ".old")
        self.log = target.with_name(target.name + ".log")

    def start(self) -> Ticket:
        """Install in a thread. The ticket's value is ``{"python": path}``."""

        def install(params: Params, job: Job) -> dict[str, Any]:
            params.finish()
            return self.run(job)

        thread = InProcessBackend({"backend.install": install})
        ticket = thread.submit("backend.install", {})
        thread.finish()
        return ticket

    def run(self, job: Job) -> dict[str, Any]:
        """Install here and now. Raises ``BackendMissingError`` if it fails, ``Cancelled``, or ``OutputError``."""
        try:
            self._target.parent.mkdir(parents=True, exist_ok=True)
            with open(self.log, "w", encoding="utf-8") as log:
                self._sweep()
                try:
                    self._make(job, log)
                    self._swap()
                finally:
                    with contextlib.suppress(OSError):  # held by who runs in it: the next installation sweeps first
                        self._sweep()
        except OSError as error:
            raise OutputError(
                f"The backend cannot be installed in {self._target}: {error.strerror or error}.",
                "Make room there, or close what uses that folder, and press Install Backend again.",
            ) from error
        job.progress(1.0, "Backend installed")
        return {"python": python_of(self._target)}

    def _make(self, job: Job, log: IO[str]) -> None:
        python = python_of(self._new)
        job.progress(0.0, "Making a Python environment")
        answer = re.search(r"(\d+) (\d+) ([01])$", "\n".join(_run(job, log, [self._base_python, "-c", ASK_BASE])))
        if answer is None:
            raise BackendMissingError(f"{self._base_python} is no Python.", "Name another base Python.")
        major, minor, able = map(int, answer.groups())
        if (major, minor) < OLDEST:
            raise BackendMissingError(
                f"{self._base_python} is Python {major}.{minor}; the backend needs 3.11 or newer.",
                "Name another base Python in the preferences.",
            )
        if not able:  # Linux distributions split it off
            raise BackendMissingError(
                f"{self._base_python} lacks the parts of Python that make environments (venv, ensurepip).",
                f"Install your system's package python{major}.{minor}-venv, or name another base Python in the "
                "preferences.",
            )
        _run(job, log, [self._base_python, "-m", "venv", self._new])
        job.progress(0.05, "Asking for packages")
        progress = _PipProgress(job)
        _run(job, log, [python, *self._pip_install(job, log, python)], progress.line)
        job.progress(0.97, "Loading PyTorch for the first time")
        _run(job, log, [python, *self._proof], environment=with_backend())

    def _pip_install(self, job: Job, log: IO[str], python: Path) -> list[str]:
        pip = ["-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
        if self._index:
            pip += ["--extra-index-url", self._index]
        told = _run(job, log, [python, "-m", "pip", "--version"])[-1]
        number = re.search(r"pip (\d+)\.(\d+)", told)
        raw = number is not None and (int(number[1]), int(number[2])) >= RAW_PROGRESS
        wanted = ["--requirement", str(self._requirements)]
        pins = self._requirements.read_text(encoding="utf-8").splitlines()
        if (torch := torch_without_cuda(pins)) is not None:
            probe = [*pip, "--dry-run", "--no-deps", torch]
            with contextlib.suppress(BackendMissingError):  # not to be had here: the standard one then
                _run(job, log, [python, *probe])
                wanted.append(torch)
        return [*pip, "--progress-bar", "raw" if raw else "off", *wanted]

    def _swap(self) -> None:
        if self._target.exists():
            self._target.rename(self._old)
        try:
            self._new.rename(self._target)
        except OSError:
            if self._old.exists():
                self._old.rename(self._target)
            raise

    def _sweep(self) -> None:
        """Remove what an installation, this one or one that was cut off, left beside the place."""
        if self._old.exists() and not self._target.exists():
            self._old.rename(self._target)  # cut off between the two renames
        for folder in (self._new, self._old):
            if folder.exists():
                shutil.rmtree(folder)


class _PipProgress:
    """Progress reports from what pip prints. How much there is to download is only known package by package."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._package = ""
        self._left = 1.0  # of the way to the end of all downloads: each package goes a tenth of it
        self._part = 0.0  # of the current package

    def line(self, text: str) -> None:
        if match := re.match(r"\s*Downloading (\S+)(.*)", text):
            self._next_package()
            self._package = _short(match[1])
            self._tell(f"Downloading {self._package}{match[2]}")
        elif match := re.match(r"Progress (\d+) of (\d+)", text):
            done, total = int(match[1]), max(int(match[2]), 1)
            self._part = done / total
            self._tell(f"Downloading {self._package}, {done // MEGABYTE} of {total // MEGABYTE} MB")
        elif match := re.match(r"\s*(?:Collecting|Processing) (\S+)", text):
            self._next_package()
            self._tell(f"Looking for {_short(match[1])}")
        elif text.startswith("Installing collected packages"):
            self._job.progress(0.85, "Unpacking the packages")

    def _next_package(self) -> None:
        if self._package:
            self._left *= 0.9
        self._package, self._part = "", 0.0

    def _tell(self, message: str) -> None:
        self._job.progress(0.05 + 0.75 * (1 - self._left * (1 - 0.1 * self._part)), message)


def _short(place: str) -> str:
    """``https://.../torch-2.13.0-cp311-....whl`` as ``torch-2.13.0``."""
    return "-".join(place.rpartition("/")[2].split("-")[:2])


def _run(
    job: Job,
    log: IO[str],
    command: Sequence[str | Path],
    on_line: Callable[[str], None] = lambda text: None,
    environment: dict[str, str] | None = None,
) -> list[str]:
    """Run a program to its end and return its last lines. Raises ``BackendMissingError`` if it fails."""
    kept: deque[str] = deque(maxlen=KEPT_LINES)
    try:
        with _program(command, environment or plain()) as (process, lines):
            while (text := _next(job, lines)) is not None:
                log.write(f"{text}\n")
                kept.append(text)
                on_line(text)
            code = process.wait()
    except FileNotFoundError as error:
        raise BackendMissingError(
            f"There is no Python at {command[0]}.", "Name another base Python in the preferences."
        ) from error
    if code != 0:
        reasons = [line.removeprefix("ERROR: ") for line in kept if line.startswith("ERROR: ")] or list(kept)[-2:]
        # Some of torch's files have names of 170 letters, and Windows by itself allows 260 with all their folders.
        windows = " Windows must allow long paths (its setting LongPathsEnabled)." if os.name == "nt" else ""
        raise BackendMissingError(
            f"The backend could not be installed: {' '.join(reasons) or f'exit code {code}'}",
            "Check the network, the room on the disk and the package index in the preferences, then press Install "
            f"Backend again.{windows} All that was said: {log.name}",
            exit_code=code,
            log=log.name,
        )
    return list(kept)


def _next(job: Job, lines: "queue.SimpleQueue[str | None]") -> str | None:
    while True:
        job.check()
        with contextlib.suppress(queue.Empty):
            return lines.get(timeout=SLICE)


@contextlib.contextmanager
def _program(
    command: Sequence[str | Path], environment: dict[str, str]
) -> "Iterator[tuple[subprocess.Popen[str], queue.SimpleQueue[str | None]]]":
    """A program and the lines that it prints, None after the last. It is gone when the block is left."""
    process = subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=environment,
        creationflags=NO_WINDOW,
        start_new_session=True,  # so that it can be ended together with the programs that it starts
    )
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        assert process.stdout is not None
        with process.stdout as pipe:
            for line in pipe:
                lines.put(line.rstrip())
        lines.put(None)

    reader = threading.Thread(target=read, name="paintover-install", daemon=True)
    reader.start()
    try:
        yield process, lines
    finally:
        if process.poll() is None:
            _end(process)
        process.wait()
        reader.join()


def _end(process: "subprocess.Popen[str]") -> None:
    if os.name == "nt":
        process.kill()
    else:
        with contextlib.suppress(ProcessLookupError):  # it ended by itself meanwhile
            os.killpg(process.pid, signal.SIGKILL)
