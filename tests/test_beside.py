"""What a killed writer leaves goes as soon as it is known to be nobody's, and nothing else goes."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backend import beside
from backend.beside import write_whole
from backend.errors import OutputError

ROOT = Path(__file__).resolve().parents[1]
WRITER = """
import sys, time
from pathlib import Path
from backend.beside import part_of
part_of(Path(sys.argv[1])).write_bytes(b"half")
print("begun", flush=True)
time.sleep(600)
"""


@pytest.fixture
def writer(tmp_path):
    """A process that is in the middle of writing a frame."""
    command = [sys.executable, "-c", WRITER, str(tmp_path / "frame_0001.exr")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "begun\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.fixture(autouse=True)
def anew(monkeypatch):
    """As in a process that has looked at no folder yet."""
    monkeypatch.setattr(beside, "_swept", set())


def write_another(folder: Path) -> list[Path]:
    """Write a frame that nobody was writing. Gives the hidden files that are still there afterwards."""
    write_whole(folder / "frame_0002.exr", b"whole")
    assert (folder / "frame_0002.exr").read_bytes() == b"whole"
    return [path for path in folder.iterdir() if path.name.startswith(".")]


def test_a_killed_writers_file_goes_with_the_next_frame_whichever_it_is(writer, tmp_path):
    assert len(write_another(tmp_path)) == 1, "it is being written"
    writer.kill()
    writer.wait()
    assert len(write_another(tmp_path)) == 1, "this process has looked already"
    beside._swept.clear()
    assert write_another(tmp_path) == []


def test_another_machines_file_stays_until_it_is_a_day_old(writer, tmp_path):
    (own,) = (path for path in tmp_path.iterdir() if path.name.startswith("."))
    writer.kill()
    writer.wait()
    name = own.name.split(".")
    name[2] = "0123abcd" + name[2][8:]
    foreign = own.rename(own.with_name(".".join(name)))
    assert write_another(tmp_path) == [foreign]
    beside._swept.clear()
    os.utime(foreign, (0, time.time() - 2 * 24 * 3600))
    assert write_another(tmp_path) == []


def test_an_artists_own_hidden_files_are_left_alone(tmp_path):
    names = [".frame_0001.part.exr", ".notes.part", ".a.12345678-1.part.exr", ".x.1234abcd-0-1234abcd.part.b.c"]
    for name in names:
        (tmp_path / name).write_text("mine")
        os.utime(tmp_path / name, (0, 0))
    assert {path.name for path in write_another(tmp_path)} == set(names)


def test_a_frames_hidden_name_is_its_own_and_keeps_the_suffix(tmp_path):
    one, two = beside.part_of(tmp_path / "a_0001.exr"), beside.part_of(tmp_path / "a_0001.exr")
    assert one != two and one.suffix == two.suffix == ".exr" and one.name.startswith(".")


def test_what_somebody_has_open_on_windows_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, replace, tries = tmp_path / "frame.exr", os.replace, []
    path.write_bytes(b"old")

    def busy(source: Path, target: Path) -> None:
        tries.append(target)
        if len(tries) < 3:
            raise PermissionError(13, "in use")
        replace(source, target)

    monkeypatch.setattr(os, "replace", busy)
    with pytest.raises(OutputError):
        write_whole(path, b"new")
    assert len(tries) == 1 and path.read_bytes() == b"old"
    monkeypatch.setattr(sys, "platform", "win32")
    tries.clear()
    write_whole(path, b"new")
    assert len(tries) == 3 and path.read_bytes() == b"new"
