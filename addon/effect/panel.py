"""The panel of effects, in every place where Paintover's panels are. It draws, and decides nothing."""

from typing import TYPE_CHECKING

import bpy

from .. import status
from ..backend.effect.controls import ONCE
from ..drawing import draw_line
from . import bakes, layer, leftovers, properties, thumbnail

if TYPE_CHECKING:
    from bpy.types import Context, Object, Scene, UILayout

    Base = bpy.types.Panel
else:
    Base = object


MOVED = "The camera or the card has moved since: press Merge in Compositor."


class Effects(Base):
    bl_label = "Effects"

    def draw(self, context: "Context") -> None:
        thing = context.active_object if properties.is_effect(context.active_object) else None
        layout = self.layout
        settings = properties.of(context.scene if thing is None else thing)
        if thing is None:
            layout.prop(settings, "kind")
        else:
            layout.label(text=f"{thing.name}: {settings.kind}", icon="OUTLINER_OB_IMAGE")
        icon = thumbnail.icon(context.scene, thing)
        if icon:
            layout.template_icon(icon_value=icon, scale=8.0)
        failure = thumbnail.failure(context.scene, thing)
        if failure is not None:
            draw_line(layout, context, status.of_error(failure))
        _draw_settings(layout, settings)
        row = layout.row()
        row.scale_y = 1.3
        if thing is None:
            row.operator("paintover.effect_add", icon="ADD").kind = "NEXT"
            if not settings.is_water:
                layout.operator("paintover.effect_emit", icon="OUTLINER_OB_MESH")
                layout.operator("paintover.effect_refine", icon="MOD_FLUIDSIM")
        else:
            _draw_bake(layout, row, context, thing)
            layout.operator_menu_enum("paintover.effect_add", "kind", icon="ADD")
        _draw_leftovers(layout, context.scene)


def _draw_bake(layout: "UILayout", row: "UILayout", context: "Context", thing: "Object") -> None:
    row.operator("paintover.effect_bake", text="Bake Again" if _is_baked(thing) else "Bake", icon="RENDER_ANIMATION")
    layout.label(text=_told(thing))
    if _is_baked(thing):
        row = layout.row(align=True)
        row.operator("paintover.effect_flipbook", icon="IMAGE_REFERENCE")
        row.operator("paintover.effect_movie", icon="FILE_MOVIE")
    if not properties.of(thing).is_water:
        _draw_layer(layout, context, thing)


def _draw_leftovers(layout: "UILayout", scene: "Scene") -> None:
    for left in leftovers.find(scene):
        row = layout.row()
        row.label(text=f"{left.name}: its card is gone", icon="ERROR")
        row.operator("paintover.effect_leftovers_remove", text="Remove").name = left.name


def _draw_settings(layout: "UILayout", settings: properties.EffectSettings) -> None:
    column = layout.column()
    column.use_property_split = True
    for name in settings.sliders:
        column.prop(settings.controls, name)
    column.prop(settings, "seed")
    column.separator()
    if settings.is_water:
        column.prop(settings, "start")
        column.prop(settings, "side")
        return
    if not settings.refines:
        for name in ("start", "frames") if settings.kind == ONCE else ("start", "frames", "loop"):
            column.prop(settings, name)
    column.prop(settings, "pixels")
    if not settings.refines:
        column.prop(settings, "emitter")
    column.prop(settings, "domain")
    if settings.domain is None:
        column.prop(settings, "bake")
    if settings.refines:
        column.prop(settings, "view")


def _draw_layer(layout: "UILayout", context: "Context", thing: "Object") -> None:
    node = layer.find(context.scene, thing)
    row = layout.row(align=True)
    row.operator("paintover.effect_layer_insert", icon="NODE_COMPOSITING")
    if node is not None:
        row.operator("paintover.effect_layer_remove", text="", icon="X")
        column = layout.column()
        column.use_property_split = True
        for name in ("Strength", "Softness"):
            column.prop(node.inputs[name], "default_value", text=name)
    if layer.is_stale(context.scene, thing):
        draw_line(layout, context, status.Line(MOVED, "ERROR"))


def _is_baked(thing: "Object") -> bool:
    return bakes.baked(properties.folder_of(thing)) is not None


def _told(thing: "Object") -> str:
    there = bakes.baked(properties.folder_of(thing))
    if there is None:
        return "Not baked yet"
    first, last = there.frames
    return f"Baked: {status.frames_text(list(range(first, last + 1)))}"
