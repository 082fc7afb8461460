"""The command line, as a program that somebody starts: what it prints, what it leaves, its exit codes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ball import write_shot

from backend.images import read_painting

ROOT = Path(__file__).resolve().parents[1]
COMMAND = [sys.executable, "-m", "backend"]


def backend(*arguments: object, **options) -> subprocess.CompletedProcess:
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300, check=False, **options)


def done(*arguments: object) -> dict:
    """The value of a command that ends well."""
    told = backend(*arguments, "--json")
    assert told.returncode == 0, told.stderr + told.stdout
    return lines(told.stdout)[-1]["value"]


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def shot(tmp_path_factory) -> Path:
    return write_shot(tmp_path_factory.mktemp("shots") / "small", frames=3, width=96, height=64)


@pytest.fixture(scope="module")
def large_shot(tmp_path_factory) -> Path:
    """Large enough that nothing done to it is over at once."""
    return write_shot(tmp_path_factory.mktemp("shots") / "large", frames=1, width=1280, height=720)


def test_info_is_told_and_loads_no_torch():
    told = backend("info", "--json")
    assert told.returncode == 0
    (line,) = lines(told.stdout)
    assert line["type"] == "result"
    assert set(line["value"]) == {"version", "protocol", "python", "executable", "torch", "device", "threads"}
    assert backend("info").stdout.startswith("version: ")
    script = "import sys; from backend.cli import main; main(['info']); assert 'torch' not in sys.modules"
    if line["value"]["device"].startswith("CPU"):
        subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    assert done("info", "--load")["torch"] == line["value"]["torch"]


def test_shot_check(shot):
    value = done("shot", "check", shot)
    assert (value["name"], value["frames"], value["width"], value["height"]) == ("ball", [1, 2, 3], 96, 64)
    assert value["missing"] == []


def test_look_paint(shot, tmp_path):
    told = backend("look", "paint", shot, "--frame", 2, "--out", tmp_path / "a.png", "--json")
    assert told.returncode == 0, told.stderr
    *reports, result = lines(told.stdout)
    assert result == {"type": "result", "value": {"painting": str(tmp_path / "a.png")}}
    assert reports and all(report["type"] == "progress" for report in reports)
    fractions = [report["report"]["fraction"] for report in reports]
    assert fractions == sorted(fractions)
    assert read_painting(tmp_path / "a.png").shape == (64, 96, 4)


def test_progress_for_people_has_time_left(shot, tmp_path):
    told = backend("look", "paint", shot, "--frame", 1, "--out", tmp_path / "a.png")
    assert told.returncode == 0
    assert "%" in told.stderr
    assert told.stdout == f"painting: {tmp_path / 'a.png'}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "usage"),
        (["paint"], "invalid choice"),
        (["look", "train", "SHOT"], "--out"),
        (["look", "train", "SHOT", "--out", "a.look"], "look.train needs paint"),
        (["look", "train", "--out", "a.look"], "look.train needs shot"),
        (["look", "train", "SHOT", "--out", "a.look", "--paint", "5"], "--paint wants FRAME=IMAGE, not 5"),
        (["look", "train", "SHOT", "--out", "a.look", "--paint", "five=a.png"], "paint must be frame numbers"),
        (["look", "train", "SHOT", "--out", "a.look", "--seconds", "1", "--steps", "1"], "not allowed with"),
        (["look", "train", "SHOT", "--out", "a.look", "--paint", "1=a.png", "--seconds", "-3"], "a number above 0"),
        (["look", "apply", "SHOT", "--look", "a.look", "--out", "d", "--frames", "x"], "x is no frame range"),
        (["look", "apply", "SHOT", "--look", "a.look", "--out", "d", "--frames", "9-2"], "9-2 is no frame range"),
        (["look", "apply", "--look", "a.look", "--out", "d"], "look.apply needs shot"),
    ],
)
def test_wrong_usage_is_2(shot, arguments, words):
    told = backend(*[shot if part == "SHOT" else part for part in arguments])
    assert told.returncode == 2
    assert words in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["shot", "check", "no/such/folder"], "shot", "There is no folder"),
        (["look", "paint", "SHOT", "--frame", "99", "--out", "a.png"], "frame-range", "99"),
        (["look", "paint", "SHOT", "--frame", "1", "--out", "/proc/none/a.png"], "output", "/proc/none"),
    ],
)
def test_failure_is_1_and_no_traceback(shot, arguments, code, words):
    arguments = [shot if part == "SHOT" else part for part in arguments]
    told = backend(*arguments)
    assert told.returncode == 1
    assert words in told.stderr
    assert "Traceback" not in told.stderr
    line = lines(backend(*arguments, "--json").stdout)[-1]
    assert (line["type"], line["error"]["code"]) == ("error", code)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_is_130_and_leaves_nothing(large_shot, tmp_path, number):
    out = tmp_path / "out" / "a.png"
    arguments = ["look", "paint", str(large_shot), "--frame", "1", "--out", str(out), "--json"]
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert json.loads(process.stdout.readline())["type"] == "progress"
        process.send_signal(number)
        rest, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert lines(rest)[-1]["error"]["code"] == "cancelled"
    assert "Traceback" not in said
    assert not out.exists()
    assert not out.parent.exists() or list(out.parent.iterdir()) == []


def test_training_from_the_command_line(shot, tmp_path):
    """Paint, train, apply; Ctrl-C in a second training leaves the first one's look alone, and says so."""
    painting, look, styled = tmp_path / "a.png", tmp_path / "my.look", tmp_path / "styled"
    assert backend("look", "paint", shot, "--frame", 2, "--out", painting).returncode == 0
    training = ["look", "train", shot, "--paint", f"2={painting}", "--out", look, "--json"]
    *reports, result = lines(backend(*training, "--steps", 2).stdout)
    assert result["value"]["steps"] == 2
    assert {"step", "loss", "rate", "remaining"} <= set(reports[-1]["report"])

    kept = look.read_bytes()
    with subprocess.Popen(
        [*COMMAND, *map(str, training)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT
    ) as process:
        while "step" not in json.loads(process.stdout.readline())["report"]:
            pass
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "my.look is as it was before" in lines(rest)[-1]["error"]["message"]
    assert look.read_bytes() == kept

    applying = ["look", "apply", shot, "--look", look, "--out", styled]
    written = done(*applying, "--frames", "2-3")["written"]
    assert [Path(path).name for path in written] == ["ball_0002.exr", "ball_0003.exr"]
    assert done(*applying)["skipped"] == [2, 3]


def test_images_instead_of_a_shot(shot, tmp_path):
    done("look", "paint", shot, "--frame", 2, "--out", tmp_path / "a.png")
    look = tmp_path / "my.look"
    done("look", "train", "--image", f"{tmp_path / 'a.png'}={tmp_path / 'a.png'}", "--out", look, "--steps", 1)
    value = done("look", "apply", "--image", tmp_path / "a.png", "--look", look, "--out", tmp_path / "styled")
    assert value["written"] == [str(tmp_path / "styled" / "a.png")]


def test_works_from_any_folder_and_through_the_add_on(tmp_path):
    """The zip holds the backend inside the add-on: the same command works from there."""
    for holder in (ROOT, ROOT / "addon"):
        told = subprocess.run(
            [*COMMAND, "info", "--json"],
            capture_output=True,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(holder)},
            check=True,
        )
        assert lines(told.stdout.decode())[0]["value"]["protocol"] == 1
