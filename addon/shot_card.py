"""``shot.json``: what the frames of a shot do not say themselves, and whose they are."""

import json
import math
import os
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import bpy

from . import compat, exr, passes, paths
from .backend import beside

SHOT_FORMAT = 1


def view_info(scene: bpy.types.Scene) -> dict[str, Any]:
    """How the scene shows its pixels: the "view" part of shot.json.

    ``curves``: the view is more than the configuration knows, curves or a white balance.
    """
    view = scene.view_settings
    config = os.environ.get("OCIO") or os.path.join(
        bpy.utils.system_resource("DATAFILES", path="colormanagement"),  # type: ignore[attr-defined]
        "config.ocio",
    )
    return {
        "config": config,
        "display": scene.display_settings.display_device,
        "view": view.view_transform,
        "look": view.look,
        "exposure": view.exposure,
        "gamma": view.gamma,
        "curves": view.use_curve_mapping or view.use_white_balance,
        "space": compat.working_space(),
    }


def read(folder: Path) -> dict[str, Any]:
    """``shot.json`` in ``folder``, see ``write``; empty where there is none that can be read."""
    try:
        card = json.loads((folder / "shot.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return card if isinstance(card, dict) else {}


def another_blend(folder: Path) -> str:
    """The name of another .blend, where the frames in ``folder`` were rendered from that last; else ""."""
    blend = str(read(folder).get("blend", ""))
    return "" if blend == Path(bpy.data.filepath).name else blend


def left_behind(scene: bpy.types.Scene) -> str:
    """The name of a shot of this .blend beside ``scene``'s that belongs to none of its scenes; "" if there is none.

    Shots lie in folders of their scenes' names, and are not found any more where a scene was renamed.
    """
    here = paths.places(scene).folder.parent
    names = {paths.safe_name(other.name) for other in bpy.data.scenes}
    for folder in sorted(here.iterdir()) if bpy.data.filepath and here.is_dir() else ():
        known = folder.name in names or not (folder / "passes").is_dir()
        if not known and not another_blend(folder / "passes") and paths.frames_in(folder / "passes", folder.name):
            return folder.name
    return ""


def own_frames(scene: bpy.types.Scene) -> dict[int, float]:
    """The frames whose passes are on disk, whole, and rendered from this .blend, and when they were, as time.time().

    Files in one folder share what scenes of one name have.
    """
    places = paths.places(scene)
    if another_blend(places.passes):
        return {}
    since = float(read(places.passes).get("since", 0.0))
    rendered = paths.frames_in(places.passes, places.name)
    files = {frame: paths.frame_path(places.passes, places.name, frame) for frame in rendered}
    times = {frame: paths.changed_at(path) for frame, path in files.items() if exr.is_whole(path)}
    return {frame: time for frame, time in times.items() if time >= since}


def foreign_frames(scene: bpy.types.Scene, frames: Iterable[int]) -> list[int]:
    """Those of the ``frames`` on disk that were rendered from another .blend."""
    places = paths.places(scene)
    since = math.inf if another_blend(places.passes) else float(read(places.passes).get("since", 0.0))
    times = {frame: paths.changed_at(paths.frame_path(places.passes, places.name, frame)) for frame in frames}
    return sorted(frame for frame, time in times.items() if 0 < time < since)


def write(scene: bpy.types.Scene, folder: Path, frame: Path) -> Path:
    """``shot.json`` in ``folder``: what the frames do not say themselves. Raises OutputError.

    ``frame``: a file that has just been rendered. Where those before it are another .blend's, "since" tells them apart.
    """
    before = read(folder)
    card = {
        "format": SHOT_FORMAT,
        "name": paths.places(scene).name,
        "blend": Path(bpy.data.filepath).name,
        "since": frame.stat().st_mtime if another_blend(folder) else before.get("since", 0.0),
        "blender": bpy.app.version_string.split()[0],
        "engine": scene.render.engine,
        "fps": scene.render.fps / scene.render.fps_base,
        "motion_blur": scene.render.use_motion_blur,
        "view_layer": passes.main_layer(scene).name,
        "view": view_info(scene),
        "cuts": _cuts(scene),
    }
    path = folder / "shot.json"
    if card != before:
        _write(card, path)
    return path


def _cuts(scene: bpy.types.Scene) -> list[int]:
    """The frames from which on a timeline marker shows the scene through another camera."""
    cameras = [marker for marker in scene.timeline_markers if marker.camera and not marker.camera.hide_render]
    markers = sorted(cameras, key=lambda marker: marker.frame)
    return [marker.frame for before, marker in pairwise(markers) if marker.camera != before.camera]


def show_as_now(scene: bpy.types.Scene, folder: Path) -> None:
    """Let ``shot.json`` in ``folder`` tell how the scene is shown now: its colour management may be another than when
    it was rendered, and so may the place of Blender's own configuration, on another machine. Raises OutputError.
    """
    card, view = read(folder), view_info(scene)
    if card and card.get("view") != view:
        _write(card | {"view": view}, folder / "shot.json")


def _write(card: dict[str, Any], path: Path) -> None:
    beside.write_whole(path, (json.dumps(card, indent=2) + "\n").encode())
