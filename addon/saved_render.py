"""A render engine for scenes whose passes are on disk: it renders nothing, it gives back what the shot's files hold.

So the artist's compositor finds its Render Layers and Cryptomatte as after a render, and a format with layers gets the
passes.
"""

import struct
from pathlib import Path
from typing import Any

import bpy

from . import exr, paths
from .backend.errors import ShotError

SHOT = "paintover_saved"  # custom property of a scene: where the files are
ORDER = "XYZWUVRGBA"  # of a pass's channels, by the last letters of their names

Passes = dict[str, dict[str, str]]


class SavedRender(bpy.types.RenderEngine):
    """Known to Blender only from ``use`` on until it is ``put_away``: it is not for artists to choose."""

    bl_idname = "PAINTOVER_SAVED"
    bl_label = "Paintover: Saved Passes"
    bl_use_postprocess = True
    is_registered: bool  # Blender's

    def update_render_passes(self, scene: Any, renderlayer: Any) -> None:  # type: ignore[override]  # it is never None
        for name, letters in passes_in(_file(scene)).get(renderlayer.name, {}).items():
            kind: Any = "VALUE" if len(letters) == 1 else "COLOR" if letters[0] in "Rr" else "VECTOR"
            self.register_pass(scene, renderlayer, name, len(letters), letters, kind)

    def render(self, depsgraph: Any) -> None:  # type: ignore[override]  # the stubs take it for the settings
        path = _file(depsgraph.scene)
        try:
            layers = passes_in(path)
            result: Any = self.begin_result(0, 0, *exr.size(path))
            for layer in result.layers:
                if layer.name in layers:
                    layer.load_from_file(str(path))
            self.end_result(result)
            whole: Any = self.get_result()
            for part in _parts(path):
                for name, text in part.mattes.items():
                    whole.stamp_data_add_field(name, text)
        except (ShotError, RuntimeError) as error:
            self.report({"ERROR"}, str(error))  # which fails the work


def passes_in(path: Path) -> Passes:
    """View layer -> pass -> the last letters of its channels, in order. Raises ShotError."""
    found: Passes = {}
    for part in _parts(path):
        for channel in part.channels:
            layer, _, rest = channel.rpartition(".")[0].rpartition(".")
            letters = found.setdefault(layer, {}).setdefault(rest, "")
            found[layer][rest] = "".join(sorted(letters + channel[-1], key=lambda letter: ORDER.find(letter.upper())))
    return found


def _parts(path: Path) -> list[exr.Part]:
    try:
        with path.open("rb") as file:
            return exr.parts(file)
    except (OSError, struct.error, ValueError, LookupError) as error:
        raise exr.unreadable(path, error) from error


def _file(scene: bpy.types.Scene) -> Path:
    return paths.frame_path(Path(scene[SHOT]["folder"]), scene[SHOT]["name"], scene.frame_current)


def use(scene: bpy.types.Scene, folder: Path, name: str) -> None:
    """``scene`` is to get its passes out of the shot ``name`` in ``folder``."""
    scene[SHOT] = {"folder": str(folder), "name": name}
    if not SavedRender.is_registered:
        bpy.utils.register_class(SavedRender)
    render: Any = scene.render  # the stubs know Blender's own engines
    render.engine = SavedRender.bl_idname


def put_away() -> None:
    """No scene uses it any more, and nothing renders."""
    if SavedRender.is_registered:
        bpy.utils.unregister_class(SavedRender)
