"""Sets up, tests, demonstrates, measures and packages Paintover. Needs nothing but Python 3.11 or later.

    python3 build.py setup                          make .venv, or bring it up to date
    python3 build.py test [PYTEST ARGUMENT ...]     lint, types, tests
    python3 build.py demo [--blend FILE ...]        paint one frame of a shot, get the shot
    python3 build.py bench look [--json FILE]       Paintover beside the alternatives
    python3 build.py bench effects [--json FILE]    effects: quality, speed, memory, seams, controls
    python3 build.py package                        dist/paintover-VERSION.zip, to be installed in Blender

A real Blender, for the tests that need one, is named by the environment variable BLENDER or found on the PATH.
"""

from __future__ import annotations  # a Python that is too old must come as far as ``main``, which says so

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "paintover-requirements.txt"
WHEELS = {(3, 11): "4.5", (3, 13): "5.2"}  # which Blender the bpy wheel of this Python is
LEFT_OUT = {"__pycache__", ".DS_Store"}
EPOCH = (1980, 1, 1, 0, 0, 0)  # zip files know no earlier time


class BuildError(Exception):
    """Something that the person at the terminal can put right."""


def project() -> dict[str, Any]:
    """What pyproject.toml says."""
    import tomllib  # Python 3.11: main() has said so by now

    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def requirements(*groups: str) -> list[str]:
    """Pinned requirements: the backend's own, and those of the named dependency groups."""
    lines = (ROOT / "backend" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    backend = [line for line in lines if line and not line.startswith("#")]
    return [*backend, *(line for group in groups for line in project()["dependency-groups"][group])]


def python() -> Path:
    """The virtual environment's Python."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def find_blender() -> Path | None:
    """A real Blender: the one that BLENDER names, else the one on the PATH. Raises ``BuildError`` for a wrong name."""
    named = os.environ.get("BLENDER")
    if named:
        found = shutil.which(named) or shutil.which(str(ROOT / named))
        if found is None:
            raise BuildError(f"BLENDER names {named}, but no program is there.")
    else:
        found = shutil.which("blender")
    # Not where a link leads: Snap's program goes by the name that it is called by.
    return Path(os.path.abspath(found)) if found else None


def call(*command: str | Path, **options: Any) -> int:
    """Run a program in the repository's root, or where ``cwd`` says, and give its exit code."""
    return subprocess.call([str(part) for part in command], **{"cwd": ROOT} | options)


def run_module(name: str, *words: str) -> int:
    """Run one of our modules where the person stands: the files that they name are named from there."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return call(python(), "-m", name, *words, cwd=None, env=os.environ | {"PYTHONPATH": path})


def pip_takes(requirement: str) -> bool:
    """Whether pip can get this requirement from where it looks."""
    probe = ("-m", "pip", "install", "--quiet", "--dry-run", "--no-deps", requirement)
    return call(python(), *probe, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0


def without_cuda(wanted: list[str]) -> list[str]:
    """The same list with a torch for processors only, where there is no NVIDIA card and pip can get one."""
    from backend.pins import torch_without_cuda  # see project()

    smaller = torch_without_cuda(wanted)
    if smaller is None:
        return wanted
    if not pip_takes(smaller):
        print("pip finds no torch without CUDA here: taking the standard one.", flush=True)
        return wanted
    return [smaller if line.startswith("torch==") else line for line in wanted]


def set_up(*groups: str) -> float:
    """Make the virtual environment hold all that ``groups`` need; gives the seconds that it took."""
    started = time.monotonic()
    version = f"# Python {sys.version_info.major}.{sys.version_info.minor}"
    stamp = STAMP.read_text(encoding="utf-8").splitlines() if STAMP.exists() else []
    wanted = requirements(*groups)
    if stamp[:1] == [version] and set(wanted) <= set(stamp) and python().exists():
        return time.monotonic() - started
    made_for = ""
    if python().exists():
        asked = subprocess.run([str(python()), "-c", "import sys, pip; print('# Python %d.%d' % sys.version_info[:2])"],
                               capture_output=True, text=True, check=False)  # fmt: skip
        made_for = asked.stdout.strip()
    if made_for != version:  # or it has no pip: without python3-venv Debian makes half of one
        print(f"Making {VENV.name} for Python {version.removeprefix('# Python ')} ...", flush=True)
        venv.create(VENV, with_pip=True, clear=True)
        stamp = []
    print("Installing the pinned packages (a few hundred megabytes the first time) ...", flush=True)
    if call(python(), "-m", "pip", "install", "-qq", "--disable-pip-version-check", *without_cuda(wanted)):
        raise BuildError("pip could not install the packages: see its message above.")
    declared = set(requirements(*project()["dependency-groups"]))
    kept = [line for line in stamp[1:] if line in declared and line not in wanted]
    STAMP.write_text("\n".join([version, *wanted, *kept]) + "\n", encoding="utf-8")
    return time.monotonic() - started


def setup(_: argparse.Namespace) -> int:
    """Make .venv, or bring it up to date."""
    print(f"{VENV.name} is ready ({set_up('blender', 'test'):.0f} s).")
    return 0


def blenders() -> str:
    """Which Blenders the tests can use, in words."""
    wheel = WHEELS.get(sys.version_info[:2])
    parts = [
        f"bpy wheel {wheel}" if wheel else f"no bpy wheel for Python {sys.version_info.major}.{sys.version_info.minor}"
    ]
    real = find_blender()
    if real is None:
        parts.append("no real Blender (name one with BLENDER)")
    else:
        told = subprocess.run([str(real), "--version"], capture_output=True, text=True, check=False).stdout
        parts.append(f"real {told.splitlines()[0] if told else 'Blender that does not answer'}")
    return ", ".join(parts)


def relayed(*command: str | Path, env: dict[str, str]) -> tuple[int, list[str]]:
    """Run a program, show what it prints as it prints it, and give its exit code and lines."""
    lines: list[str] = []
    with subprocess.Popen([str(part) for part in command], cwd=ROOT, env=env, text=True, errors="replace",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:  # fmt: skip
        assert child.stdout is not None
        for line in child.stdout:
            print(line, end="", flush=True)
            lines.append(line.rstrip())
    return child.returncode, lines


def test(arguments: argparse.Namespace) -> int:
    """Lint, types and tests; the closing lines say what ran, what was skipped, and on which Blenders."""
    set_up("blender", "test")
    used = blenders()  # starts a Blender that installs itself on first use, before any test waits for it
    real = find_blender()
    env = os.environ | ({"BLENDER": str(real)} if real else {})
    checks: dict[str, int] = {}
    for name, command in (
        ("ruff check", ["ruff", "check"]),
        ("ruff format", ["ruff", "format", "--check"]),
        ("mypy", ["mypy"]),
    ):
        print(f"\n== {name}", flush=True)
        checks[name] = call(python(), "-m", *command)
    print("\n== pytest", flush=True)
    failed, lines = relayed(python(), "-m", "pytest", "-rfEs", "--durations=15", *arguments.rest, env=env)
    print("\n== what ran")
    for name, code in checks.items():
        print(f"{name}: {'ok' if code == 0 else 'FAILED'}")
    print(f"Blenders: {used}")
    for line in lines:
        if line.startswith(("FAILED ", "ERROR ")):
            print(line.partition(" - ")[0])
    skipped = [line for line in lines if line.startswith("SKIPPED")]
    for line in skipped:
        print(line)
    print(f"skipped: {len(skipped) or 'nothing'}")
    print(next((line for line in reversed(lines) if line.startswith("=") and " in " in line), "pytest did not finish"))
    return int(bool(failed or any(checks.values())))


def demo(arguments: argparse.Namespace) -> int:
    """Run the demo in the virtual environment."""
    if sys.version_info[:2] not in WHEELS:
        raise BuildError(
            "The demo renders with Blender's wheel, which exists for Python 3.11 and 3.13: run it with one."
        )
    seconds = set_up("blender")
    return run_module("demo.run", "--setup-seconds", f"{seconds:.1f}", *arguments.rest)


def bench(arguments: argparse.Namespace) -> int:
    """Run a benchmark in the virtual environment."""
    set_up("blender", "bench")
    return run_module("bench", *arguments.rest)


def extension_files() -> dict[str, Path]:
    """Name in the extension -> file. ``addon/backend`` is a link: the backend's files stand in its place."""
    files: dict[str, Path] = {"LICENSE": ROOT / "LICENSE"}
    for folder, prefix in ((ROOT / "addon", ""), (ROOT / "backend", "backend/")):
        for path in folder.rglob("*"):
            inside = path.relative_to(folder)
            if path.is_file() and not (LEFT_OUT & set(inside.parts)) and path.suffix != ".pyc":
                files[prefix + inside.as_posix()] = path
    files.pop("backend", None)  # where the link was checked out as a text file
    return dict(sorted((name, path) for name, path in files.items()))


def write_extension(target: Path) -> None:
    """Write the extension's zip: the same files give the same bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_suffix(".part")
    with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, path in extension_files().items():
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            archive.writestr(entry, path.read_bytes())
    beside.replace(target)


def package(_: argparse.Namespace) -> int:
    """Write dist/paintover-VERSION.zip and let Blender check it."""
    import tomllib  # see project()

    version = project()["project"]["version"]
    manifest = tomllib.loads((ROOT / "addon/blender_manifest.toml").read_text(encoding="utf-8"))
    if manifest["version"] != version:
        raise BuildError(f"addon/blender_manifest.toml says version {manifest['version']}, pyproject.toml {version}.")
    target = ROOT / "dist" / f"paintover-{version}.zip"
    write_extension(target)
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    print(f"{target.relative_to(ROOT)}: {target.stat().st_size / 1e6:.2f} MB, SHA-256 {digest}")
    blender = find_blender()
    if blender is None:
        print("Not checked by Blender: name one with BLENDER, or put it on the PATH.")
        return 0
    with tempfile.TemporaryDirectory() as profile:
        return call(blender, "--command", "extension", "validate", target,
                    env=os.environ | {"BLENDER_USER_RESOURCES": profile})  # fmt: skip


VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "setup": setup, "test": test, "demo": demo, "bench": bench, "package": package,
}  # fmt: skip


def main(words: Sequence[str]) -> int:
    """Run one verb; gives the exit code: 0 done, 1 failed, 2 wrong usage, 130 cancelled."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this file is the first that people run, on whatever Python
        print(f"Paintover needs Python 3.11 or later; this is {sys.version.split()[0]}.", file=sys.stderr)
        return 1
    parser = argparse.ArgumentParser("build.py", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("verb", choices=VERBS)
    parser.add_argument("rest", nargs=argparse.REMAINDER, help="handed on to test, demo and bench")
    arguments = parser.parse_args(words)
    if arguments.rest and arguments.verb in ("setup", "package"):
        parser.error(f"{arguments.verb} takes no further words")
    try:
        return VERBS[arguments.verb](arguments)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
