"""Effects from the command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from doing import do
from effect_frames import files

from backend import cli, errors
from backend.images import recipe

ROOT = Path(__file__).resolve().parents[1]


def test_the_command_line_renders_with_keys(tmp_path, fire, capsys):
    arguments = ["effect", "render", "fire", "--out", tmp_path, "--weights", fire, "--size", "40x56", "--frames", "2"]
    turned = [
        "--set",
        "age=0.2",
        "--set",
        "smoke_colour=0.1,0.2,0.3",
        "--key",
        "wind=1:0",
        "--key",
        "wind=2:3",
        "--seed",
        "7",
    ]
    assert cli.main([*map(str, arguments), *turned, "--json"]) == errors.DONE
    *progress, result = map(json.loads, capsys.readouterr().out.splitlines())
    assert result["value"]["size"] == [40, 56] and len(result["value"]["written"]) == 2
    assert progress[-1]["report"]["rate"] > 0 and progress[-1]["report"]["remaining"] == 0
    keyed = {"age": 0.2, "smoke_colour": [0.1, 0.2, 0.3], "wind": [[1, 0], [2, 3]]}
    do("effect.render", kind="fire", out=tmp_path / "b", weights=fire, size=[40, 56], frames=2, seed=7, controls=keyed)
    assert recipe(tmp_path / "fire_0001.exr") == recipe(tmp_path / "b/fire_0001.exr")
    assert (
        cli.main(
            ["effect", "flipbook", str(tmp_path), "--rows", "1", "--columns", "2", "--out", str(tmp_path / "f.exr")]
        )
        == errors.DONE
    )
    assert cli.main(["effect", "movie", str(tmp_path), "--out", str(tmp_path / "f.webp"), "--width", "20"]) == cli.DONE


@pytest.mark.parametrize("wrong", [["--set", "wind"], ["--key", "wind=3"], ["--set", "wind=a"], ["--size", "ax3"]])
def test_the_command_line_refuses_wrong_options(tmp_path, wrong):
    with pytest.raises(SystemExit) as told:
        cli.main(["effect", "render", "fire", "--out", str(tmp_path), *wrong])
    assert told.value.code == errors.WRONG_USAGE


def test_a_control_is_set_or_keyed_not_both(tmp_path):
    for pair in (["--set", "wind=1", "--key", "wind=1:2"], ["--set", "wind=1", "--set", "wind=2"]):
        with pytest.raises(SystemExit):
            cli.main(["effect", "render", "fire", "--out", str(tmp_path), *pair])


def test_missing_weights_end_the_program_with_words(tmp_path):
    weights = ["--weights", str(tmp_path / "none.safetensors")]
    command = [sys.executable, "-m", "backend", "effect", "render", "fire", "--out", str(tmp_path / "out"), *weights]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == errors.FAILED
    assert "none.safetensors" in told.stderr and "Traceback" not in told.stderr
    assert files(tmp_path / "out") == []
