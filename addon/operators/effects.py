"""Fire, smoke, explosions and water in the scene: added, baked, and merged with the render."""

# mypy: disable-error-code="valid-type"

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import EnumProperty, StringProperty

from .. import jobs, paths, preferences
from ..backend.errors import EffectError, PaintoverError, UsageError
from ..classes import register_all, unregister_all
from ..effect import adding, bakes, card, domain, fluid, layer, leftovers, material, properties, request
from ..effect.bakes import Baked
from ..effect.properties import KIND_ITEMS, folder_of
from ..shot import scene_named
from .base import DirectOperator, WorkOperator

if TYPE_CHECKING:
    from bpy.types import Context, Object, Scene, ViewLayer
    from mathutils import Vector

NEXT = "NEXT"  # of the kinds: the one that is set in the panel


def active_effect(thing: "Object | None") -> "Object":
    """The active object, if it is an effect. Raises UsageError."""
    if thing is None or not properties.is_effect(thing):
        raise UsageError("The active object is no effect.", "Select an effect's card, or add one.")
    return thing


def effect_add(
    scene: "Scene", kind: str = NEXT, emitter: "Object | None" = None, fluid: "Object | None" = None
) -> "Object":
    """A new effect as the scene's settings have it, at the 3D cursor, or around ``emitter``; not baked yet.

    ``fluid``: the domain of a simulation of one's own, which it shows, where that is.
    """
    chosen = properties.of(scene)
    if kind != NEXT:
        chosen.kind = kind
    if chosen.is_water and (emitter is not None or fluid is not None):
        raise UsageError("Water comes out of no object.", "Choose fire, smoke or an explosion.")
    view_layer = _view_layer(scene)
    view_layer.update()  # where the camera and the emitter are now
    place = scene.cursor.location.copy() if emitter is None else _foot(emitter)
    thing = card.add(scene, chosen.kind.title(), chosen.kind, place)
    settings = properties.of(thing)
    properties.copy(chosen, settings)
    settings.folder = properties.free_folder(thing.name, thing)
    if emitter is not None:
        settings.emitter = emitter
    if fluid is not None:
        settings.domain = fluid
    elif settings.refines:
        domain.choose(thing)
    card.shape(thing)
    material.give(thing)
    _make_active(view_layer, thing)
    return thing


def effect_add_work(
    scene: "Scene", kind: str = NEXT, emitter: "Object | None" = None, fluid: "Object | None" = None
) -> jobs.Work:
    """``effect_add``, and bake it. Where that is refused or cancelled nothing is left in the scene."""
    preferences.check_backend()
    jobs.check_free()
    before = adding.Before.of(scene, _view_layer(scene))
    thing = effect_add(scene, kind, emitter, fluid)
    take_back = partial(before.restore, thing.name)
    try:
        work = effect_bake_work(scene, thing)
    except PaintoverError:
        take_back()
        raise
    return replace(work, start=lambda: adding.Adding(work.start(), take_back))


def _view_layer(scene: "Scene") -> "ViewLayer":
    """The view layer that the artist sees, or the scene's first."""
    return bpy.context.view_layer if bpy.context.scene == scene else scene.view_layers[0]


def _foot(thing: "Object") -> "Vector":
    """The middle of the lower side of an object's bounds."""
    corners = [thing.matrix_world @ type(thing.location)(corner) for corner in thing.bound_box]
    middle = sum(corners[1:], corners[0]) / len(corners)
    middle.z = min(corner.z for corner in corners)
    return middle


def _make_active(view_layer: "ViewLayer", thing: "Object") -> None:
    view_layer.update()
    if thing.name not in view_layer.objects:  # its collection is excluded from this view layer
        return
    for other in view_layer.objects.selected:
        other.select_set(False, view_layer=view_layer)
    view_layer.objects.active = thing
    thing.select_set(True, view_layer=view_layer)


def effect_bake_work(scene: "Scene", thing: "Object", weights: Path | None = None) -> jobs.Work:
    """Make the effect's frames, and let its card and light show them. Goes on where an earlier run ended.

    ``weights``: a file of one's own training.
    """
    settings = properties.of(active_effect(thing))
    if properties.sharers(thing):  # it was duplicated
        if layer.find(scene, thing) is not None:
            thing.hide_render = False  # only the other one is merged
        settings.folder = properties.free_folder(thing.name, thing)
    if settings.refines:
        domain.take_in(thing)
    folder = folder_of(thing)
    asked = request.bake(scene, thing, folder / bakes.EMITTER)
    if weights is not None:
        asked["weights"] = str(weights)
    digest = request.digest(asked)
    out = bakes.place(folder, digest)
    names, before = (scene.name, thing.name), bakes.baked(folder)

    def finish(value: jobs.Report) -> None:
        numbers = [int(Path(file).stem.rpartition("_")[2]) for file in value["written"]] + value["skipped"]
        frames = min(numbers), max(numbers)
        baked = Baked(digest, asked["kind"], frames, tuple(value.get("brightness", ())))
        bakes.settle(folder, out, baked)
        place = folder
        if paths.is_temporary(folder) and bpy.data.filepath:  # the .blend was saved meanwhile
            place = folder_of(_effect_named(names[1]))
            bakes.fetch(folder, place, before)
        written = [str(place / Path(file).name) for file in value["written"]]  # where they are now
        value.update(folder=str(place), pattern=str(place / Path(value["pattern"]).name), written=written)
        _take_in(scene_named(names[0]), _effect_named(names[1]), place, baked, asked, value)

    return jobs.request(f"Bake {thing.name}", "effect.render", {**asked, "out": str(out)}, finish)


def _effect_named(name: str) -> "Object":
    """The effect, found again after time has passed."""
    if name not in bpy.data.objects:
        raise EffectError(f"The effect {name} is no longer there.", "Its frames are kept.")
    return bpy.data.objects[name]


def _take_in(
    scene: "Scene", thing: "Object", folder: Path, baked: Baked, asked: dict[str, Any], value: jobs.Report
) -> None:
    """Let all that stands for the effect show what was baked into ``folder``."""
    settings = properties.of(thing)
    settings.shown = baked.digest
    if settings.refines:
        _, height, depth = value["box"]
        settings.controls.size, settings.depth = height, depth / height  # type: ignore[attr-defined]
    card.shape(thing)
    material.show(thing, folder, baked)
    if baked.brightness:
        first, last = baked.frames
        size = asked["controls"].get("size", properties.size(thing))
        count = last - first + 1
        card.light(scene, thing, baked, [height for _, height in size] if isinstance(size, list) else [size] * count)


def effect_bake(
    scene: "Scene", thing: "Object", on_progress: jobs.Sink | None = None, weights: Path | None = None
) -> jobs.Report:
    """Bake and wait: the backend's answer, with ``written`` and ``skipped``."""
    return jobs.run(effect_bake_work(scene, thing, weights), on_progress)


def effect_layer_insert(scene: "Scene", thing: "Object") -> bpy.types.Node:
    """Merge the effect with the render, in the scene's compositor; a second time, renew it there."""
    node: bpy.types.Node = layer.insert(scene, active_effect(thing))
    return node


def effect_layer_remove(scene: "Scene", thing: "Object") -> None:
    """Take the effect out of the compositor again. Raises ``UsageError`` if it is not there."""
    if not layer.remove(scene, active_effect(thing)):
        raise UsageError(f"{thing.name} is not in this scene's compositor.")


def effect_leftovers_remove(scene: "Scene", name: str = "") -> list[str]:
    """Remove the nodes and lights of effects whose cards are gone, or only what has this name; gives their names.

    Raises ``UsageError`` if there are none.
    """
    names = leftovers.remove(scene, name)
    if not names:
        raise UsageError(f"Nothing is left of effects whose cards are gone{f', named {name}' if name else ''}.")
    return names


class EffectAdd(WorkOperator, bpy.types.Operator):
    bl_idname = "paintover.effect_add"
    bl_label = "Add Effect"
    bl_description = "Put fire, smoke, an explosion or water at the 3D cursor, facing the camera, and bake it"
    bl_options = {"UNDO"}

    kind: EnumProperty(
        name="Kind",
        description="What to add",
        items=[(NEXT, "As Set", "What the panel names"), *KIND_ITEMS],
        default=NEXT,
    )

    def work(self, context: "Context") -> jobs.Work:
        return effect_add_work(context.scene, self.kind)


class EffectEmit(WorkOperator, bpy.types.Operator):
    bl_idname = "paintover.effect_emit"
    bl_label = "Emit from Object"
    bl_description = "Let the effect come out of the active object, as it moves, and bake it"
    bl_options = {"UNDO"}

    def work(self, context: "Context") -> jobs.Work:
        if context.active_object is None or properties.is_effect(context.active_object):
            raise UsageError("No object is active that it could come out of.", "Select a mesh.")
        return effect_add_work(context.scene, emitter=context.active_object)


class EffectRefine(WorkOperator, bpy.types.Operator):
    bl_idname = "paintover.effect_refine"
    bl_label = "Refine Fluid Simulation"
    bl_description = "Show the bake of the active fluid domain, coarse as it may be, as a fine effect in its place"
    bl_options = {"UNDO"}

    def work(self, context: "Context") -> jobs.Work:
        if context.active_object is None:
            raise UsageError("No object is active.", "Select the domain of a fluid simulation.")
        fluid.files_of(context.active_object)
        return effect_add_work(context.scene, fluid=context.active_object)


class EffectBake(WorkOperator, bpy.types.Operator):
    bl_idname = "paintover.effect_bake"
    bl_label = "Bake Effect"
    bl_description = "Make the frames of the active effect anew, in the place of those that are there"
    bl_options = {"UNDO"}

    def work(self, context: "Context") -> jobs.Work:
        return effect_bake_work(context.scene, active_effect(context.active_object))


class EffectLayerInsert(DirectOperator, bpy.types.Operator):
    bl_idname = "paintover.effect_layer_insert"
    bl_label = "Merge in Compositor"
    bl_description = "Merge the active effect with the render by depth, where its card stands, or renew it there"
    bl_options = {"REGISTER", "UNDO"}

    def perform(self, context: "Context") -> str:
        return f"{effect_layer_insert(context.scene, context.active_object).name} is in the compositor."


class EffectLayerRemove(DirectOperator, bpy.types.Operator):
    bl_idname = "paintover.effect_layer_remove"
    bl_label = "Remove Effect from Compositor"
    bl_description = "Take the active effect out of the compositor: its card renders again"
    bl_options = {"REGISTER", "UNDO"}

    def perform(self, context: "Context") -> str:
        effect_layer_remove(context.scene, context.active_object)
        return f"{context.active_object.name} is out of the compositor."


class EffectLeftoversRemove(DirectOperator, bpy.types.Operator):
    bl_idname = "paintover.effect_leftovers_remove"
    bl_label = "Remove Leftovers"
    bl_description = "Take out the compositor nodes and the lights of effects whose cards were deleted"
    bl_options = {"REGISTER", "UNDO"}

    name: StringProperty(name="Name", description="Of the node or light. None: all of them", options={"SKIP_SAVE"})

    def perform(self, context: "Context") -> str:
        return f"{', '.join(effect_leftovers_remove(context.scene, self.name))}: removed."


CLASSES = (EffectAdd, EffectEmit, EffectRefine, EffectBake, EffectLayerInsert, EffectLayerRemove, EffectLeftoversRemove)


def register() -> None:
    register_all(CLASSES)


def unregister() -> None:
    unregister_all(CLASSES)
