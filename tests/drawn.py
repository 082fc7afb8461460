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


def drawn(panel: Any, context: Any) -> dict[str, Any]:
    """What ``panel`` draws now: the lists of a ``Layout``."""
    layout = Layout()
    panel.draw(SimpleNamespace(layout=layout), context)
    return vars(layout)
