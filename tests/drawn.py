"""What a panel draws, without a window: a layout that writes down what it is told."""

from types import SimpleNamespace
from typing import Any


class Layout:
    """Takes what Blender's takes. ``labels``: the words; ``buttons``: [operator, its text, its properties]."""

    def __init__(self) -> None:
        self.labels: list[str] = []
        self.buttons: list[list[Any]] = []
        self.sliders: list[str] = []

    def label(self, text: str = "", **_: Any) -> None:
        self.labels.append(text)

    def operator(self, name: str, text: str = "", **_: Any) -> SimpleNamespace:
        told = SimpleNamespace()
        self.buttons.append([name, text, vars(told)])
        return told

    def operator_menu_enum(self, name: str, attribute: str, **_: Any) -> None:
        self.buttons.append([name, "", {attribute: "any"}])

    def prop(self, _owner: Any, name: str, **_: Any) -> None:
        self.sliders.append(name)

    def row(self, **_: Any) -> "Layout":
        return self

    column = box = row

    def separator(self, **_: Any) -> None:
        pass

    template_icon = separator


def drawn(panel: Any, editor: str, region: str) -> Layout:
    """What ``panel`` draws now in an editor of the first window, were it 400 pixels wide."""
    import bpy

    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == editor)
    layout = Layout()
    with bpy.context.temp_override(window=window, area=area, region=next(r for r in area.regions if r.type == region)):
        known = {name: getattr(bpy.context, name, None) for name in ("scene", "object", "active_object")}
        scale = SimpleNamespace(system=SimpleNamespace(ui_scale=1.0))  # Blender without a window has none
        context = SimpleNamespace(**known, region=SimpleNamespace(width=400), preferences=scale)
        panel.draw(SimpleNamespace(layout=layout), context)
    return layout
