"""The borders between the rooms of the house, read from the imports of every file."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BLENDER = {"bpy", "bmesh", "mathutils", "gpu", "bpy_extras", "bpy_types", "blf", "idprop", "addon_utils"}
TORCH = {"torch"}
STANDARD_ONLY = (
    *("beside", "errors", "job", "protocol", "params", "passes", "pins", "words", "arguments", "room"),
    *("serve", "cli", "service", "machine", "__main__", "__init__"),
)
# Service and machine import the heavy libraries late, inside the verbs that use them.


@dataclass(frozen=True)
class Import:
    """One name that a file imports. ``level``: dots before it. ``late``: inside a function."""

    file: Path
    line: int
    module: str
    level: int
    late: bool

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line} imports {'.' * self.level}{self.module}"


def imports(files: list[Path]) -> Iterator[Import]:
    for file in files:
        yield from _walk(file, ast.parse(file.read_text(encoding="utf-8")), late=False)


def _walk(file: Path, node: ast.AST, late: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue  # seen by the type checker only
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(file, child.lineno, alias.name, 0, late)
        elif isinstance(child, ast.ImportFrom):
            yield Import(file, child.lineno, child.module or "", child.level, late)
        else:
            yield from _walk(file, child, late or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef))


def files(folder: str) -> list[Path]:
    """The Python files of a room; addon/backend is a link to another one."""
    found = [file for file in (ROOT / folder).rglob("*.py") if "addon/backend" not in file.as_posix()]
    assert found, folder
    return sorted(found)


def breaches(found: Iterator[Import], allowed) -> list[str]:
    return [str(item) for item in found if not allowed(item)]


def test_backend_and_client_know_nothing_of_blender():
    assert not breaches(imports(files("backend") + files("addon/client")), lambda item: item.top not in BLENDER)


def test_the_add_on_never_loads_torch_or_the_backends_libraries():
    """At load it needs nothing but Blender and the standard library; NumPy only where pixels are (blender/start.py)."""
    at_load = sys.stdlib_module_names | BLENDER
    pixels = {ROOT / "addon" / "exr_picture.py", ROOT / "addon" / "effect" / "silhouette.py"}

    def allowed(item: Import) -> bool:
        return item.level > 0 or item.late or item.top in at_load or (item.top == "numpy" and item.file in pixels)

    assert not breaches(imports(files("addon")), lambda item: item.top not in TORCH)
    assert not breaches(imports(files("addon")), allowed)


def test_the_add_on_has_no_bpy_in_its_front_door():
    """``addon.client`` must be importable where there is no Blender."""
    front = [ROOT / "addon" / "__init__.py"]
    assert not breaches(imports(front), lambda item: item.late or item.top not in BLENDER)


def test_the_add_on_reaches_its_own_only_relatively():
    """Blender installs it as bl_ext.SOMETHING.paintover: an absolute import would miss it, or hit somebody else."""
    own = {"addon", "backend", "bench", "demo", "tests", "build"}
    assert not breaches(imports(files("addon")), lambda item: item.level > 0 or item.top not in own)
    assert not breaches(imports(files("backend")), lambda item: item.level > 0 or item.top not in own)


def test_what_both_sides_share_is_standard_library_only():
    shared = [ROOT / "backend" / f"{name}.py" for name in STANDARD_ONLY]
    libraries = sys.stdlib_module_names

    def allowed(item: Import) -> bool:
        return item.late or item.level > 0 or item.top in libraries

    assert not breaches(imports(shared), allowed)
    neighbours = {*STANDARD_ONLY, ""}
    assert not breaches(imports(shared), lambda item: item.late or not item.level or item.top in neighbours)


def test_nothing_is_ever_unpickled():
    unsafe = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal"}
    assert not breaches(imports(files("backend") + files("addon")), lambda item: item.top not in unsafe)


def test_losses_never_step():
    """Only the one training step calls ``backward``."""
    callers = {
        file.relative_to(ROOT).as_posix()
        for file in files("backend")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "backward"
    }
    assert callers == {"backend/learning/adversarial.py"}


def test_no_module_of_the_add_on_hides_one_of_pythons():
    """The backend's PYTHONPATH is the add-on's folder."""
    names = {path.stem for path in (ROOT / "addon").iterdir()}
    assert not names & sys.stdlib_module_names


@pytest.mark.parametrize(
    "module", ["addon.client", "addon.backend.service", "backend.serve", "backend.cli", "backend.effect.controls"]
)
def test_what_the_window_imports_is_light(module):
    """The same in a real interpreter: nothing heavy comes along by a way that reading imports does not show."""
    code = f"import sys, {module}; print([m for m in ('torch', 'numpy', 'OpenEXR', 'bpy') if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
