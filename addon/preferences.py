"""Which Python the backend runs in: the extension's preferences."""

# mypy: disable-error-code="valid-type"

import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.props import EnumProperty, StringProperty

from .backend.errors import BackendMissingError

if TYPE_CHECKING:
    from bpy.types import Context

ENVIRONMENT_VARIABLE = "PAINTOVER_PYTHON"

BACKENDS = (
    ("OWN", "Own Environment", "A Python environment that Paintover installs and keeps for itself"),
    ("PYTHON", "Existing Python", "A Python of yours that has the backend's packages"),
    ("IN_PROCESS", "Inside Blender", "Blender's own Python, where it has PyTorch. Blender may stutter while it works"),
)


class PaintoverPreferences(bpy.types.AddonPreferences):
    bl_idname = __package__ or "addon"

    backend: EnumProperty(name="Backend", description="Where PyTorch runs", items=BACKENDS, default="OWN")
    python: StringProperty(
        name="Python",
        description="The Python executable that has the backend's packages",
        subtype="FILE_PATH",
    )
    base_python: StringProperty(
        name="Base Python",
        description="The Python that the environment is made with. Empty: Blender's own",
        subtype="FILE_PATH",
    )
    index: StringProperty(
        name="Package Index",
        description="Where to look for packages besides what pip is set up to use",
    )

    def draw(self, context: "Context") -> None:
        from . import status  # late: all of them ask what is chosen here
        from .drawing import draw_session
        from .operators.backend import InstallBackend

        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "backend")
        if self.backend == "PYTHON":
            layout.prop(self, "python")
        elif self.backend == "OWN":
            layout.prop(self, "base_python")
            layout.prop(self, "index")
            if status.backend().action != InstallBackend.bl_idname:  # else the line about it offers that
                layout.operator(InstallBackend.bl_idname, icon="IMPORT")
        draw_session(layout, context)


class WrongChoiceError(BackendMissingError):
    """The preferences name nothing that the backend could run in."""

    action = "paintover.show_preferences"


@dataclass(frozen=True)
class BackendChoice:
    """The preferences as plain values: ``kind`` is one of ``BACKENDS``, empty paths are None."""

    kind: str = "OWN"
    python: Path | None = None
    base_python: Path | None = None
    index: str = ""


def _path(text: str) -> Path | None:
    return Path(bpy.path.abspath(text)) if text else None


def _preferences() -> PaintoverPreferences | None:
    addons = bpy.context.preferences.addons
    name = __package__ or "addon"
    chosen = addons[name].preferences if name in addons else None
    return chosen if isinstance(chosen, PaintoverPreferences) else None


def choice() -> BackendChoice:
    """What the artist chose; the defaults where the extension was registered without being enabled.

    ``PAINTOVER_PYTHON`` in the environment names an existing Python for this run: render machines have no preferences.
    """
    if ENVIRONMENT_VARIABLE in os.environ:
        return BackendChoice("PYTHON", Path(os.environ[ENVIRONMENT_VARIABLE]))
    chosen = _preferences()
    if chosen is None:
        return BackendChoice()
    return BackendChoice(chosen.backend, _path(chosen.python), _path(chosen.base_python), chosen.index)


def choose_own_environment() -> None:
    """Let the backend run in the environment that has just been installed, whatever was chosen before."""
    chosen = _preferences()
    if chosen is not None:
        chosen.backend = "OWN"


def data_folder() -> Path:
    """The folder that the extension owns here, made if need be: its log and, but on Windows, its environment."""
    package = __package__ or "addon"
    if package.startswith("bl_ext."):
        folder = Path(bpy.utils.extension_path_user(package))
    else:
        folder = Path(bpy.utils.user_resource("DATAFILES", path="paintover"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def environment() -> Path:
    """The virtual environment that Install Backend makes: on Windows, which allows 260 letters with all folders and
    where some of torch's files have names of 170, near the top of what is the artist's own.
    """
    if sys.platform == "win32" and "LOCALAPPDATA" in os.environ:
        return Path(os.environ["LOCALAPPDATA"]) / "Paintover" / "{}.{}".format(*bpy.app.version)
    return data_folder() / "environment"


def own_python() -> Path | None:
    """The Python of the extension's own environment, if that is installed."""
    from .client.install import find_python  # late: the client is not needed to register

    return find_python(environment())


def log_file() -> Path:
    return data_folder() / "backend.log"


def base_python() -> Path:
    return choice().base_python or Path(sys.executable)


def check_backend() -> None:
    """Raise ``BackendMissingError`` if the chosen backend cannot be started."""
    chosen = choice()
    if chosen.kind == "IN_PROCESS":
        if importlib.util.find_spec("torch") is None:
            raise WrongChoiceError("Blender's Python has no PyTorch.", "Choose another backend in the preferences.")
    elif chosen.kind == "PYTHON":
        if chosen.python is None:
            raise WrongChoiceError("No Python is named.", "Name one in Paintover's preferences.")
        if not chosen.python.is_file():
            raise WrongChoiceError(f"There is no Python at {chosen.python}.", "Name another one in the preferences.")
    elif own_python() is None:
        raise BackendMissingError("No backend is installed.", "Press Install Backend.")


def backend_python() -> Path:
    """The Python that the backend runs in, when it is a process. Raises ``BackendMissingError``."""
    check_backend()
    return choice().python if choice().kind == "PYTHON" else own_python()


def register() -> None:
    bpy.utils.register_class(PaintoverPreferences)


def unregister() -> None:
    bpy.utils.unregister_class(PaintoverPreferences)
