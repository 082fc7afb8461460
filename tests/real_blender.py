"""A real Blender with the built extension in a profile of its own."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import build


@dataclass(frozen=True)
class RealBlender:
    """A program and a profile. The backend runs in the Python that runs the tests."""

    program: Path
    profile: Path

    @property
    def environment(self) -> dict[str, str]:
        own = {"BLENDER_USER_RESOURCES": str(self.profile), "HOME": str(self.profile)}
        return os.environ | own | {"PAINTOVER_PYTHON": sys.executable}

    def run(self, *arguments: str | Path, **options) -> "subprocess.CompletedProcess[str]":
        """Run Blender with ``arguments`` and wait for its end."""
        command = [str(self.program), *map(str, arguments)]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, **options)

    def started(self, *arguments: str | Path) -> "subprocess.Popen[str]":
        """Blender with ``arguments``, in a session of its own."""
        command = [str(self.program), *map(str, arguments)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, env=self.environment, start_new_session=True, **pipes)

    def script(self, text: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        """Run a Python script without a window, with the extension on; an exception ends it with exit code 1."""
        return self.run("-b", *arguments, "--python-exit-code", "1", "--python-expr", text)

    def paintover(self, blend: Path, *words: str | Path) -> "subprocess.CompletedProcess[str]":
        """Run a verb of ours on a .blend; no person ever sees a traceback."""
        done = self.run(blend, "--command", "paintover", *words, timeout=300)
        assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
        return done


def find() -> Path:
    """The program that build.py finds. Skips where there is none; a wrong name in BLENDER fails."""
    found = build.find_blender()
    if found is None:
        pytest.skip("no real Blender: name one with BLENDER, or put it on the PATH")
    return found


def installed(folder: Path) -> RealBlender:
    """The built zip, installed from the command line into a clean profile. Skips where there is no real Blender."""
    program = find()
    package = folder / "paintover.zip"
    build.write_extension(package)
    blender = RealBlender(program, folder / "profile")
    blender.profile.mkdir()
    done = blender.run("--command", "extension", "install-file", "-r", "user_default", "-e", package)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Exception" not in done.stdout + done.stderr, done.stdout + done.stderr
    return blender
