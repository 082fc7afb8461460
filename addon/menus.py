"""Render > Paintover: every operator in one menu. Blender's search (F3) finds what stands in a menu, and only that."""

from typing import TYPE_CHECKING, Any

import bpy

from .classes import register_all, unregister_all

if TYPE_CHECKING:
    from bpy.types import Context

GROUPS = (
    ("enable_passes", "render_passes"),
    ("keyframe_add", "keyframe_remove", "keyframe_reload", "keyframe_show"),
    ("keyframe_rough_paint", "keyframe_suggest"),
    ("train_look", "continue_look"),
    ("apply_look", "show_styled"),
    ("compositor_insert", "compositor_remove", "final_frames"),
    ("effect_add", "effect_emit", "effect_refine", "effect_bake", "effect_layer_insert", "effect_layer_remove"),
    ("effect_leftovers_remove", "effect_flipbook", "effect_movie"),
    ("styled_as_texture", "texture_look_train", "texture_look_apply"),
    ("stop_job", "cancel_job", "install_backend"),
)


class PaintoverMenu(bpy.types.Menu):
    bl_idname = "RENDER_MT_paintover"
    bl_label = "Paintover"

    def draw(self, _context: "Context") -> None:
        for index, group in enumerate(GROUPS):
            if index:
                self.layout.separator()
            for name in group:
                self.layout.operator(f"paintover.{name}")


CLASSES = (PaintoverMenu,)


def draw_in_render_menu(menu: Any, _context: "Context") -> None:
    menu.layout.separator()
    menu.layout.menu(PaintoverMenu.bl_idname)


def register() -> None:
    register_all(CLASSES)
    bpy.types.TOPBAR_MT_render.append(draw_in_render_menu)  # type: ignore[arg-type]  # the stubs forget the menu


def unregister() -> None:
    bpy.types.TOPBAR_MT_render.remove(draw_in_render_menu)  # type: ignore[arg-type]
    unregister_all(CLASSES)
