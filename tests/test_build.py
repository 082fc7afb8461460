"""build.py, through its command line and its functions. No test here installs anything."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import build

ROOT = Path(__file__).resolve().parents[1]


def run(*words: str, **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, ROOT / "build.py", *words], capture_output=True, text=True, env=os.environ | env, check=False
    )


@pytest.mark.parametrize("words", [(), ("fly",), ("setup", "now"), ("package", "--fast")])
def test_wrong_words_are_usage_errors(words: tuple[str, ...]) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert "usage" in done.stderr and "Traceback" not in done.stderr


def test_an_older_python_gets_as_far_as_being_told() -> None:
    """No newer syntax, and no type that only a newer one can work out."""
    tree = ast.parse((ROOT / "build.py").read_text(encoding="utf-8"), feature_version=(3, 8))
    first = next(node for node in tree.body if isinstance(node, ast.ImportFrom))
    assert first.module == "__future__" and first.names[0].name == "annotations"


def test_help_names_every_verb() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert all(verb in done.stdout for verb in build.VERBS)


def test_a_wrong_blender_is_named() -> None:
    done = run("package", BLENDER="no-such-blender")
    assert done.returncode == 1
    assert "no-such-blender" in done.stderr and "Traceback" not in done.stderr


def test_requirements_are_the_backends_and_the_groups() -> None:
    own, all_of_them = build.requirements(), build.requirements("blender", "test")
    assert any(line.startswith("torch==") for line in own)
    assert not any("#" in line or not line.strip() for line in own)
    assert set(own) < set(all_of_them)
    assert any(line.startswith("bpy==") for line in all_of_them)


def test_every_bpy_wheel_is_pinned_for_its_python() -> None:
    wheels = [line for line in build.requirements("blender") if line.startswith("bpy==")]
    for (major, minor), blender in build.WHEELS.items():
        fitting = [line for line in wheels if f"python_version == '{major}.{minor}'" in line]
        assert len(fitting) == 1 and fitting[0].startswith(f"bpy=={blender}.")


def test_a_stamped_environment_is_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[object, ...]] = []
    monkeypatch.setattr(build, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(build, "STAMP", tmp_path / ".venv" / "stamp.txt")
    monkeypatch.setattr(build, "call", lambda *command, **_: calls.append(command) or 0)
    monkeypatch.setattr(build.venv, "create", lambda folder, **_: _copy_of_this_python(folder))
    build.set_up("test")
    installs = [command for command in calls if "--dry-run" not in command]
    assert len(installs) == 1 and any("pytest==" in str(word) for word in installs[0])
    calls.clear()
    build.set_up("test")
    assert calls == []  # nothing is asked of pip the second time
    build.set_up("test", "bench")
    assert any("pyoidn" in str(word) for command in calls for word in command)
    calls.clear()
    stamp = build.STAMP.read_text(encoding="utf-8")
    build.STAMP.write_text(stamp.replace("torch==", "torch==0.0.1+was-"), encoding="utf-8")
    build.set_up("test")
    assert calls  # another pin: pip is asked again


def _copy_of_this_python(folder: Path) -> None:
    python = folder / build.python().relative_to(build.VENV)
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)


def test_torch_without_cuda_only_where_pip_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build.shutil, "which", lambda name: None)
    monkeypatch.setattr(build.sys, "platform", "linux")
    monkeypatch.setattr(build, "pip_takes", lambda requirement: True)
    assert build.without_cuda(["torch==2.13.0", "numpy<3"]) == ["torch==2.13.0+cpu", "numpy<3"]
    monkeypatch.setattr(build, "pip_takes", lambda requirement: False)
    assert build.without_cuda(["torch==2.13.0", "numpy<3"]) == ["torch==2.13.0", "numpy<3"]
    monkeypatch.setattr(build.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    assert build.without_cuda(["torch==2.13.0"]) == ["torch==2.13.0"]


QUICK = """
import pytest

def test_one(): pass

@pytest.mark.skip(reason="no moon tonight")
def test_two(): pass

def test_three(): assert False, "too" + " long" * 1000
"""


def test_closing_lines_of_ci_are_pytests_own(tmp_path: Path) -> None:
    """What the test runner said last is what build.py says last, and each failure by its name alone."""
    quick = tmp_path / "test_one.py"
    quick.write_text(QUICK)
    done = run("test", "--rootdir", str(tmp_path), str(quick), "-p", "no:cacheprovider")
    assert done.returncode == 1
    last = done.stdout.rstrip().splitlines()[-6:]
    assert "1 failed, 1 passed, 1 skipped" in last[-1]
    assert any("no moon tonight" in line for line in last)
    assert any(line.startswith("Blenders:") for line in last)
    assert any(line.startswith("FAILED ") and line.endswith("::test_three") for line in last)
