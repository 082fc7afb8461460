"""The extension's zip: what is in it, that it is the same every time, and that Blender accepts it."""

import ast
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import build

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("dist") / "paintover.zip"
    build.write_extension(target)
    return target


def test_same_files_same_bytes(package: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.zip"
    build.write_extension(again)
    assert again.read_bytes() == package.read_bytes()
    assert list(tmp_path.iterdir()) == [again]


def test_add_on_and_backend_are_in_it_and_nothing_else(package: Path) -> None:
    with zipfile.ZipFile(package) as archive:
        names = set(archive.namelist())
        assert archive.testzip() is None
    for needed in ("blender_manifest.toml", "__init__.py", "LICENSE", "backend/service.py", "backend/requirements.txt"):
        assert needed in names
    assert not [name for name in names if "pycache" in name or name.endswith((".pyc", ".pth", ".look", ".exr"))]
    assert not [name for name in names if name.split("/")[0] in ("tests", "bench", "demo", "torch", "addon")]
    tracked = set(
        subprocess.run(
            ["git", "ls-files", "addon", "backend"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.splitlines()
    )
    if os.environ.get("CI"):  # a clone holds only what is committed; an engineer's folder may hold more
        assert {f"addon/{name}" for name in names if not name.startswith("backend/")} - {"addon/LICENSE"} <= tracked


def test_the_backend_is_a_folder_not_a_link(package: Path) -> None:
    with zipfile.ZipFile(package) as archive:
        entry = archive.getinfo("backend/__init__.py")
        assert (entry.external_attr >> 16) & 0o170000 == 0o100000
        assert archive.read("backend/service.py") == (ROOT / "backend/service.py").read_bytes()


def test_versions_agree() -> None:
    manifest = tomllib.loads((ROOT / "addon/blender_manifest.toml").read_text(encoding="utf-8"))
    assert manifest["version"] == build.project()["project"]["version"]


def test_permissions_are_stated(package: Path) -> None:
    with zipfile.ZipFile(package) as archive:
        manifest = tomllib.loads(archive.read("blender_manifest.toml").decode())
    assert set(manifest["permissions"]) == {"files", "network"}
    assert manifest["license"] == ["SPDX:GPL-3.0-or-later"]


def test_every_relative_import_finds_its_file(package: Path) -> None:
    """What the zip's modules import from one another is in the zip."""
    with zipfile.ZipFile(package) as archive:
        names = set(archive.namelist())
        for name in sorted(name for name in names if name.endswith(".py")):
            for node in ast.walk(ast.parse(archive.read(name))):
                if isinstance(node, ast.ImportFrom) and node.level:
                    above = name.split("/")[: -node.level]
                    base = "/".join([*above, *(node.module or "").split(".")]).strip("/")
                    found = {f"{base}.py", f"{base}/__init__.py".lstrip("/")} & names
                    assert found, f"{name} imports {'.' * node.level}{node.module or ''}"


def test_unpacked_backend_answers(package: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(package) as archive:
        archive.extractall(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "backend", "info", "--json"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert build.project()["project"]["version"] in done.stdout


def test_blender_accepts_it(package: Path, tmp_path: Path) -> None:
    blender = build.find_blender()
    if blender is None:
        pytest.skip("no real Blender: name one with BLENDER, or put it on the PATH")
    done = subprocess.run(
        [blender, "--command", "extension", "validate", package],
        capture_output=True, text=True, env=os.environ | {"BLENDER_USER_RESOURCES": str(tmp_path)}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
