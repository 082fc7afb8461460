"""The real backend killed in real work: what the artist hears, what stays on the disk, how the same again ends.

``SURVIVAL_KILLS`` sets how often each kind of work is killed.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest
from ball import write_shot

from addon.backend import errors
from addon.client import InProcessBackend, SubprocessBackend, Ticket
from backend.images import is_whole
from backend.look.file import LookFile

KILLS = int(os.environ.get("SURVIVAL_KILLS", "3"))
SOON = 300.0
AT_ONCE = 2.0  # seconds within which the artist hears of it
FRAMES = 8


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A shot, a painting of its middle frame and a look that was trained on it."""
    place = tmp_path_factory.mktemp("survival")
    write_shot(place / "shot", FRAMES, 96, 64)
    backend = SubprocessBackend(Path(sys.executable), place / "log")
    shot, painting = str(place / "shot"), str(place / "painting.png")
    backend.submit("look.paint", {"shot": shot, "frame": 4, "out": painting}).wait(SOON)
    params = {"shot": shot, "paint": {"4": painting}, "out": str(place / "first.look"), "steps": 2}
    backend.submit("look.train", params).wait(SOON)
    backend.close()
    return place


@pytest.fixture
def backend(tmp_path):
    backend = SubprocessBackend(Path(sys.executable), tmp_path / "log")
    yield backend
    backend.close()


def kill(backend: SubprocessBackend, ticket: Ticket, after: float) -> float | None:
    """Kill the backend ``after`` seconds from the ticket's first report, and give the seconds until that was heard.

    None if the job was done by then, or its answer on the way.
    """
    while not ticket.done and not ticket.poll():
        time.sleep(0.005)
    time.sleep(after)
    if ticket.done:
        return None
    os.kill(backend.pid, signal.SIGKILL)
    killed = time.monotonic()
    try:
        ticket.wait(SOON)
        return None
    except errors.BackendDiedError as died:
        heard = time.monotonic() - killed
        assert "SIGKILL" in died.message
    assert heard < AT_ONCE
    return heard


def report(capsys, what: str, heard: list[float]) -> None:
    with capsys.disabled():
        slowest = f"{max(heard) * 1000:.0f} ms" if heard else "none in time"
        print(f"\n{what} killed {len(heard)} times; heard after at most {slowest}")


def test_both_kinds_of_backend_make_the_same_bytes(place, backend, tmp_path):
    frames, weights = [], []
    for name, kind in (("process", backend), ("thread", InProcessBackend())):
        folder, look = tmp_path / name, tmp_path / f"{name}.look"
        params = {"shot": str(place / "shot"), "paint": {"4": str(place / "painting.png")}, "out": str(look)}
        kind.submit("look.train", {**params, "steps": 2, "seed": 7}).wait(SOON)
        weights.append(LookFile.open(look).card["sha256"])
        params = {"shot": str(place / "shot"), "look": str(place / "first.look"), "out": str(folder), "frames": [3, 5]}
        kind.submit("look.apply", params).wait(SOON)
        frames.append([path.read_bytes() for path in sorted(folder.iterdir())])
        kind.close()
    assert len(frames[0]) == 3
    assert frames[0] == frames[1]
    assert weights[0] == weights[1]


def test_training_is_killed(place, backend, tmp_path, capsys):
    """The look that was there stays whole and as it was; afterwards the same training ends well."""
    look = tmp_path / "my.look"
    look.write_bytes((place / "first.look").read_bytes())
    before = look.read_bytes()
    params = {"shot": str(place / "shot"), "paint": {"4": str(place / "painting.png")}, "out": str(look), "seed": 2}
    chance = random.Random(3)
    heard = []
    for _ in range(KILLS):
        heard.append(kill(backend, backend.submit("look.train", {**params, "seconds": 600}), chance.uniform(0, 1)))
        assert look.read_bytes() == before
    report(capsys, "training", heard)
    assert backend.submit("look.train", {**params, "steps": 2}).wait(SOON)["steps"] == 2
    assert look.read_bytes() != before
    LookFile.open(look)


def frames(folder: Path) -> list[Path]:
    """What lies there under a frame's final name. A killed writer leaves a hidden part, which its successor sweeps."""
    return [path for path in folder.glob("*.exr") if not path.name.startswith(".")]


def test_a_batch_is_killed(place, backend, tmp_path, capsys):
    """No frame is lost or broken, and what the same command makes of the rest is what one run would have made."""
    params = {"shot": str(place / "shot"), "look": str(place / "first.look")}
    undisturbed, folder = tmp_path / "undisturbed", tmp_path / "styled"
    whole = backend.submit("look.apply", {**params, "out": str(undisturbed)})
    while not whole.poll():
        time.sleep(0.005)
    started = time.monotonic()
    whole.wait(SOON)
    lasted = time.monotonic() - started
    chance = random.Random(5)
    heard = []
    for _ in range(20 * KILLS):
        after = chance.uniform(0, 0.8 * lasted)
        seconds = kill(backend, backend.submit("look.apply", {**params, "out": str(folder)}), after)
        if seconds is None:  # the batch was done: once more from the start
            for path in frames(folder):
                path.unlink()
            continue
        heard.append(seconds)
        assert all(is_whole(path) for path in frames(folder))
        if len(heard) == KILLS:
            break
    assert len(heard) == KILLS, "the batch was always done before it could be killed"
    report(capsys, "a batch", heard)
    value = backend.submit("look.apply", {**params, "out": str(folder)}).wait(SOON)
    assert len(value["written"]) + len(value["skipped"]) == FRAMES
    assert {path.name for path in frames(folder)} == {path.name for path in frames(undisturbed)}
    assert [path for path in frames(folder) if path.read_bytes() != (undisturbed / path.name).read_bytes()] == []
