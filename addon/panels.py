"""The panels, in the Render properties and the sidebars of the Image Editor and, for effects, the 3D viewport.

They draw, and decide nothing.
"""

from typing import TYPE_CHECKING, Any

import bpy

from . import compositor, pictures, properties, status
from .classes import register_all, unregister_all
from .drawing import draw_line, draw_session
from .effect.panel import Effects
from .operators.keyframes import painting_file

if TYPE_CHECKING:
    from bpy.types import Context, UILayout

    Base = bpy.types.Panel
else:
    Base = object


class Main(Base):
    bl_label = "Paintover"

    def draw(self, context: "Context") -> None:
        for line in status.unsaved():
            draw_line(self.layout, context, line)
        draw_session(self.layout, context)


class Passes(Base):
    bl_label = "Passes"

    def draw(self, context: "Context") -> None:
        layout = self.layout
        layout.use_property_split = True
        settings = properties.of(context.scene)
        layout.prop(settings, "save_passes")
        for line in [*status.needed_passes(context.scene), *status.another_shot(context.scene)]:
            draw_line(layout, context, line)
        draw_frames(layout, settings)
        row = layout.row(align=True)
        row.operator("paintover.render_passes", icon="RENDER_ANIMATION").missing = False
        row.operator("paintover.render_passes", text="Only Missing").missing = True
        draw_line(layout, context, status.rendered(context.scene))


def draw_frames(layout: "UILayout", settings: properties.ShotSettings) -> None:
    column = layout.column()
    column.prop(settings, "range")
    if settings.range == "RANGE":
        both = column.column(align=True)
        both.prop(settings, "frame_start")
        both.prop(settings, "frame_end")


class PaintedFrameList(bpy.types.UIList):
    bl_idname = "PAINTOVER_UL_painted_frames"

    def draw_item(  # Blender's signature
        self,
        _context: "Context",
        layout: "UILayout",
        _data: properties.ShotSettings,
        item: properties.PaintedKeyframe,
        _icon: int,
        _active_data: properties.ShotSettings,
        _active_property: str,
        _index: int = 0,
        _flag: int = 0,
    ) -> None:
        path = painting_file(item)
        line = status.painting(path)
        picture = pictures.icon(path)
        row = layout.split(factor=0.3)
        if picture:
            row.label(text=f"{item.frame}", icon_value=picture)
        else:
            row.label(text=f"{item.frame}", icon="IMAGE_DATA")
        row.label(text=line.text, icon=line.icon)


class PaintedFrames(Base):
    bl_label = "Painted Frames"

    def draw(self, context: "Context") -> None:
        layout = self.layout
        settings = properties.of(context.scene)
        for line in status.view(context.scene):
            draw_line(layout, context, line)
        row = layout.row()
        row.template_list(PaintedFrameList.bl_idname, "", settings, "keyframes", settings, "keyframe_index", rows=3)
        column = row.column(align=True)
        column.operator("paintover.keyframe_add", text="", icon="ADD")
        column.operator("paintover.keyframe_remove", text="", icon="REMOVE")
        column.separator()
        column.operator("paintover.keyframe_reload", text="", icon="FILE_REFRESH")
        column.operator("paintover.keyframe_show", text="", icon="HIDE_OFF")
        if 0 <= settings.keyframe_index < len(settings.keyframes):
            keyframe = settings.keyframes[settings.keyframe_index]
            picture = pictures.icon(painting_file(keyframe))
            if picture:
                layout.template_icon(icon_value=picture, scale=7.0)
            row = layout.row(align=True)
            row.prop(keyframe, "painting", text="")
            row.operator("wm.path_open", text="", icon="FILEBROWSER").filepath = str(painting_file(keyframe).parent)
        row = layout.row(align=True)
        row.operator("paintover.keyframe_rough_paint", icon="BRUSH_DATA")
        row.operator("paintover.keyframe_suggest", icon="VIEWZOOM")


class Train(Base):
    bl_label = "Train"

    def draw(self, context: "Context") -> None:
        layout = self.layout
        layout.use_property_split = True
        settings = properties.of(context.scene)
        layout.prop(settings, "look", placeholder="Beside the passes")
        layout.prop(settings, "seconds")
        layout.prop(settings, "seed")
        row = layout.row(align=True)
        row.scale_y = 1.3
        row.operator("paintover.train_look", icon="PLAY")
        row.operator("paintover.continue_look", text="Continue", icon="FRAME_NEXT")
        draw_line(layout, context, status.look(context.scene))


class Apply(Base):
    bl_label = "Apply"

    def draw(self, context: "Context") -> None:
        layout = self.layout
        layout.use_property_split = True
        settings = properties.of(context.scene)
        layout.prop(settings, "stylise")
        draw_frames(layout, settings)
        row = layout.row()
        row.scale_y = 1.3
        row.operator("paintover.apply_look", icon="SHADERFX")
        draw_line(layout, context, status.styled(context.scene))
        layout.operator("paintover.show_styled", icon="IMAGE_DATA")


class Compositor(Base):
    bl_label = "Compositor"

    def draw(self, context: "Context") -> None:
        layout = self.layout
        node = compositor.find(context.scene)
        row = layout.row(align=True)
        row.operator("paintover.compositor_insert", icon="NODE_COMPOSITING")
        if node is not None:
            row.operator("paintover.compositor_remove", text="", icon="X")
            column = layout.column()
            column.use_property_split = True
            for socket in node.inputs:
                if not socket.is_linked and socket.type == "VALUE":
                    column.prop(socket, "default_value", text=socket.name)
        layout.operator("paintover.final_frames", icon="OUTPUT")
        for line in status.final(context.scene):
            draw_line(layout, context, line)


class Textures(Base):
    bl_label = "Textures"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: "Context") -> None:
        layout = self.layout
        layout.operator("paintover.styled_as_texture", icon="TEXTURE")
        column = layout.column()
        column.use_property_split = True
        settings = properties.of(context.scene)
        column.prop(settings, "texture_painting")
        column.prop(settings, "texture_look", placeholder="Beside the passes")
        row = layout.row(align=True)
        row.operator("paintover.texture_look_train", icon="PLAY")
        row.operator("paintover.texture_look_apply", icon="SHADERFX")


PARTS = (Passes, PaintedFrames, Train, Apply, Compositor, Textures, Effects)
VIEWPORT = {"bl_space_type": "VIEW_3D", "bl_region_type": "UI", "bl_category": "Paintover"}
PLACES = {
    "RENDER": {"bl_space_type": "PROPERTIES", "bl_region_type": "WINDOW", "bl_context": "render"},
    "IMAGE": {"bl_space_type": "IMAGE_EDITOR", "bl_region_type": "UI", "bl_category": "Paintover"},
}


def _panels() -> tuple[type[bpy.types.Panel], ...]:
    """Each part once for each place where it is drawn; parts lie inside the main panel. In the viewport are effects."""
    found: list[type[bpy.types.Panel]] = []
    for place, where, parts in (*((*item, PARTS) for item in PLACES.items()), ("VIEW3D", VIEWPORT, (Effects,))):
        main = f"{place}_PT_paintover"
        found.append(type(main, (Main, bpy.types.Panel), {**where, "bl_idname": main}))
        for part in parts:
            name = f"{main}_{part.__name__.lower()}"
            found.append(type(name, (part, bpy.types.Panel), {**where, "bl_idname": name, "bl_parent_id": main}))
    return tuple(found)


CLASSES: tuple[type[Any], ...] = (PaintedFrameList, *_panels())


def register() -> None:
    register_all(CLASSES)


def unregister() -> None:
    unregister_all(CLASSES)
