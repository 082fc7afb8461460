"""What the backend is asked for: an effect's settings, its keys frame by frame, and the outline of its emitter."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ..backend import beside
from ..backend.effect.frames import baked_files, deep
from ..backend.errors import EffectError
from ..render_ticket import check_idle
from . import fluid, properties
from .properties import EffectSettings, Value

if TYPE_CHECKING:
    from bpy.types import Depsgraph, Object, Scene

    from .silhouette import Silhouette

ROWS = 192  # of a silhouette: several for each cell of the coarse simulation
THUMBNAIL = 192  # pixels of the longer side
HEAD = 64  # bytes of an OpenVDB file in which is a number that no other file has
THINNEST = 0.03  # heights of the box that a silhouette goes in depth at least


@dataclass
class _Seen:
    """What was gathered on the way through the frames."""

    values: list[dict[str, Value]] = field(default_factory=list)
    outlines: "list[Silhouette]" = field(default_factory=list)


def thumbnail(settings: EffectSettings) -> dict[str, Any]:
    """The parameters of a preview of the effect as it is now, but for ``out`` and what it comes out of."""
    width, height = settings.shape
    longer = max(width, height)
    size = [max(32, round(THUMBNAIL * side / longer)) for side in (width, height)]
    return {"kind": settings.kind, "size": size, "seed": settings.seed, "controls": settings.now()}


def bake(scene: "Scene", thing: "Object", folder: Path) -> dict[str, Any]:
    """The parameters of a render of the effect ``thing``, but for ``out``.

    Silhouettes of its emitter are written into ``folder``. The scene goes through the effect's frames where keys or the
    emitter want it, and comes back. Raises EffectError for an emitter that is not in the box, OutputError.
    """
    settings = properties.of(thing)
    width, height = settings.shape
    asked: dict[str, Any] = {
        "kind": settings.kind,
        "size": [width, height],
        "seed": settings.seed,
        "start": settings.start,
        "fps": scene.render.fps / scene.render.fps_base,
    }
    if settings.is_water:
        asked["textures"] = True
    else:
        asked |= {"frames": settings.frames, "loop": settings.repeats}
    source = None if settings.is_water or settings.refines else settings.emitter
    seen = _gathered(scene, thing, source)
    asked["controls"] = _keyed(seen.values, settings.start)
    if settings.refines:
        asked["controls"] |= fluid.pace(settings)
        asked["vdb"] = fluid.asked(settings)
    if source is not None:
        asked["emitter"] = _written(seen.outlines, folder, source.name, settings.start)
    return asked


def digest(asked: dict[str, Any]) -> str:
    """Of all that a request says. Of files what is in them counts, not where they are."""
    import hashlib  # late: Blender's start would wait for it

    emitter, bake = dict(asked.get("emitter", {})), dict(asked.get("vdb", {}))
    pictures, cache = emitter.pop("picture", []), bake.pop("folder", None)
    found = hashlib.sha256(repr(sorted({**asked, "emitter": emitter, "vdb": bake}.items())).encode())
    for file in pictures:
        found.update(Path(file).read_bytes())
    for frame, path in sorted(baked_files(Path(cache)).items()) if cache else ():
        if 0 <= frame - asked["start"] < asked["frames"]:
            with path.open("rb") as data:
                found.update(data.read(HEAD))
            found.update(str(path.stat().st_size).encode())
    return found.hexdigest()


def outline(thing: "Object", source: "Object", depsgraph: "Depsgraph") -> "Silhouette":
    """The emitter as the effect's box sees it in the current frame. Raises EffectError for what has no surface."""
    import numpy as np  # late: Blender's start would wait for it

    from . import silhouette

    evaluated = source.evaluated_get(depsgraph)
    try:
        mesh = evaluated.to_mesh()
    except RuntimeError as error:
        raise EffectError(
            f"{source.name} has no surface that anything could come out of.", "Choose a mesh as emitter."
        ) from error
    try:
        mesh.calc_loop_triangles()
        points = np.empty(len(mesh.vertices) * 3)
        mesh.vertices.foreach_get("co", points)
        triangles = np.empty(len(mesh.loop_triangles) * 3, np.int32)
        mesh.loop_triangles.foreach_get("vertices", triangles)
    finally:
        evaluated.to_mesh_clear()
    width, height = properties.of(thing).shape
    place = thing.evaluated_get(depsgraph).matrix_world
    matrix = np.array(place.inverted_safe() @ evaluated.matrix_world)
    local = points.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]
    return silhouette.draw(local, triangles.reshape(-1, 3), width / height, deep(width, height), ROWS)


def _gathered(scene: "Scene", thing: "Object", source: "Object | None") -> _Seen:
    settings = properties.of(thing)
    seen = _Seen()
    if source is None and not _is_keyed(thing):
        seen.values.append(settings.now())
        return seen
    check_idle()
    before = scene.frame_current, scene.frame_subframe
    view_layer = bpy.context.view_layer if bpy.context.scene == scene else scene.view_layers[0]
    try:
        for frame in range(settings.start, settings.start + settings.frames):
            scene.frame_set(frame)
            seen.values.append(settings.now())
            if source is not None:
                view_layer.update()  # one that no window has shown yet knows nothing
                seen.outlines.append(outline(thing, source, view_layer.depsgraph))
    finally:
        scene.frame_set(before[0], subframe=before[1])
    return seen


def _is_keyed(thing: "Object") -> bool:
    """Whether keys, strips or drivers may change the controls from frame to frame."""
    data = thing.animation_data
    if data is None:
        return False
    driven = any(curve.data_path.startswith("paintover_effect") for curve in data.drivers)
    return driven or data.action is not None or bool(data.nla_tracks)


def _keyed(values: list[dict[str, Value]], start: int) -> dict[str, Any]:
    """A value for each control, or one for each frame where they differ."""
    found: dict[str, Any] = {}
    for name, first in values[0].items():
        if all(moment[name] == first for moment in values):
            found[name] = _json(first)
        else:
            found[name] = [[frame, _json(moment[name])] for frame, moment in enumerate(values, start)]
    return found


def _json(value: Value) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _written(outlines: "list[Silhouette]", folder: Path, name: str, start: int) -> dict[str, Any]:
    """Write a picture for each frame, some may be empty; gives the emitter as the backend takes it."""
    if all(seen.empty for seen in outlines):
        raise EffectError(
            f"No part of {name} lies in the effect's box.",
            "Move or enlarge the effect so that it is in it, or choose another emitter.",
        )
    files = [folder / f"emitter_{frame:04}.png" for frame in range(start, start + len(outlines))]
    for file, seen in zip(files, outlines, strict=True):
        beside.write_whole(file, seen.png())
    return emitter(files, outlines)


def emitter(files: list[Path], outlines: "list[Silhouette]") -> dict[str, Any]:
    """Silhouettes as the backend takes them: ``files`` of ``outlines``, not all of which are empty."""
    there = [seen for seen in outlines if not seen.empty]
    front, back = max(seen.front for seen in there), min(seen.back for seen in there)
    return {
        "picture": [str(file) for file in files],
        "position": [0.0, 0.0, (front + back) / 2],
        "thickness": max(front - back, THINNEST),
    }
