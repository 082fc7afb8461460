"""Install Backend, with real environments and a real pip, from packages that lie in a folder: no network."""

import functools
import http.server
import json
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from addon.backend import errors
from addon.backend.job import Job
from addon.client import Installer
from addon.client.install import REQUIREMENTS, find_python, python_of

BASE = Path(sys.executable)
PROOF = ("-c", "import brushes")
SOON = 300.0


def make_wheel(folder: Path, name: str, version: str) -> None:
    """The smallest package that pip takes: one module with a version in it."""
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", f"VERSION = {version!r}\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture
def shelf(tmp_path, monkeypatch) -> Iterator[Path]:
    """A folder with packages, and lists of what to install from it."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    for name, version in [("brushes", "1.0"), ("brushes", "2.0"), ("palette", "1.0")]:
        make_wheel(shelf, name, version)
    # The first list comes by the network, as it does for an artist; the others from the folder.
    serving = functools.partial(http.server.SimpleHTTPRequestHandler, directory=shelf)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serving) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        for name, place, wanted in [
            ("first", f"http://127.0.0.1:{server.server_port}/", "brushes==1.0\npalette"),
            ("second", shelf.as_posix(), "brushes==2.0"),
            ("wrong", shelf.as_posix(), "brushes==3.0"),
        ]:
            (shelf / f"{name}.txt").write_text(f"# why\n--no-index\n--find-links {place}\n{wanted}\n")
        yield shelf
        server.shutdown()


def installer(shelf: Path, wanted: str, base: Path = BASE, **options) -> Installer:
    place = shelf.parent / "extension" / "environment"
    return Installer(place, base, requirements=shelf / f"{wanted}.txt", **{"proof": PROOF, **options})


def beside(shelf: Path) -> set[str]:
    """What lies in the extension's folder."""
    return {path.name for path in (shelf.parent / "extension").iterdir()}


def brushes(shelf: Path) -> str:
    python = find_python(shelf.parent / "extension" / "environment")
    assert python is not None
    code = "import brushes; print(brushes.VERSION)"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_install_then_another_then_a_failure_then_a_cancel(shelf):
    """One environment's life. At any moment there is a whole one: a failed or cancelled upgrade leaves the old."""
    reports = []
    value = installer(shelf, "first").start().wait(SOON, reports.append)
    assert Path(value["python"]) == find_python(shelf.parent / "extension" / "environment")
    fractions = [report["fraction"] for report in reports]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    said = " ".join(report["message"] for report in reports)
    for words in ("Making a Python environment", "Looking for brushes", "Downloading brushes-1.0", "Unpacking"):
        assert words in said
    assert brushes(shelf) == "1.0"

    installer(shelf, "second").start().wait(SOON)
    assert brushes(shelf) == "2.0"

    with pytest.raises(errors.BackendMissingError, match=r"brushes==3\.0") as caught:
        installer(shelf, "wrong").start().wait(SOON)
    assert "press Install Backend again" in caught.value.remedy
    assert brushes(shelf) == "2.0"

    ticket = installer(shelf, "first").start()
    cancelled_at = []

    def cancel_when_asking(report):
        cancelled_at.append(report["message"])
        if report["fraction"] >= 0.05:
            ticket.cancel()

    with pytest.raises(errors.Cancelled):
        ticket.wait(SOON, cancel_when_asking)
    assert brushes(shelf) == "2.0"
    assert beside(shelf) == {"environment", "environment.log"}


def test_a_failed_first_install_leaves_nothing(shelf):
    with pytest.raises(errors.BackendMissingError, match=r"brushes==3\.0"):
        installer(shelf, "wrong").run(Job())
    assert find_python(shelf.parent / "extension" / "environment") is None
    assert beside(shelf) == {"environment.log"}


def test_an_environment_that_does_not_work_is_not_taken(shelf):
    with pytest.raises(errors.BackendMissingError, match="No module named 'easel'"):
        installer(shelf, "first", proof=("-c", "import easel")).run(Job())
    assert beside(shelf) == {"environment.log"}


def test_an_install_that_was_cut_off_is_swept_away(shelf):
    """Blender was killed between the two renames: the old environment is there again, even if this one fails."""
    place = shelf.parent / "extension"
    python_of(place / "environment.old").parent.mkdir(parents=True)
    python_of(place / "environment.old").write_text("")
    (place / "environment.new").mkdir()
    with pytest.raises(errors.BackendMissingError, match="There is no Python"):
        installer(shelf, "first", base=place / "no" / "python").run(Job())
    assert find_python(place / "environment") is not None
    assert beside(shelf) == {"environment", "environment.log"}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("Blender 5.2.2", "is no Python"),
        ("3 9 1", r"is Python 3\.9; the backend needs 3\.11 or newer"),
        ("3 14 0", r"lacks the parts of Python .*python3\.14-venv"),  # Debian's Blender runs on such a one
    ],
)
def test_a_base_python_that_will_not_do(shelf, tmp_path, answer, words):
    base = tmp_path / "base_python"
    base.write_text(f"#!/bin/sh\necho {answer}\n")
    base.chmod(0o755)
    with pytest.raises(errors.BackendMissingError, match=words):
        installer(shelf, "first", base=base).run(Job())


def test_a_place_that_cannot_be_written(shelf):
    (shelf.parent / "extension").write_text("a file where a folder is wanted")
    with pytest.raises(errors.OutputError, match="cannot be installed"):
        installer(shelf, "first").run(Job())


def test_cancel_ends_the_programs_too(shelf, tmp_path):
    """A base Python that hangs, with a child of its own: neither outlives the cancel."""
    hanging = tmp_path / "hanging_python"
    pids = tmp_path / "pids"
    hanging.write_text(f"#!/bin/sh\nsleep 600 &\necho $$ $! > {pids}.part\nmv {pids}.part {pids}\nwait\n")
    hanging.chmod(0o755)
    ticket = installer(shelf, "first", base=hanging).start()
    while not pids.exists():
        with pytest.raises(TimeoutError):
            ticket.wait(0.1)
    ticket.cancel()
    with pytest.raises(errors.Cancelled):
        ticket.wait(SOON)
    for pid in pids.read_text().split():
        state = Path(f"/proc/{pid}/stat")
        assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"


def test_what_install_installs_is_what_the_project_declares():
    """One list: the add-on's, which travels in the zip, is the file that pyproject.toml names."""
    import tomllib

    root = Path(__file__).resolve().parents[1]
    project = tomllib.loads((root / "pyproject.toml").read_text())
    (named,) = project["tool"]["setuptools"]["dynamic"]["dependencies"]["file"]
    assert (root / named).resolve() == REQUIREMENTS.resolve()
    assert "dependencies" not in project["project"]
    pins = [line for line in REQUIREMENTS.read_text().splitlines() if line and not line.startswith("#")]
    assert json.dumps(pins).count("torch==") == 1
