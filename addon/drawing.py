"""How every panel draws words that may be longer than it is wide, and lines of state."""

import textwrap
from typing import TYPE_CHECKING

from . import status

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import IconItems
    from bpy.types import Context, UILayout

LETTER = 7.0  # pixels, about, of one letter at a scale of 1


def words(layout: "UILayout", context: "Context", text: str, icon: "IconItems" = "NONE") -> None:
    """Draw ``text`` on as many lines as the region needs."""
    scale = context.preferences.system.ui_scale
    width = max(20, int((context.region.width / scale - 60) / LETTER))
    column = layout.column(align=True)
    column.scale_y = 0.8
    for index, part in enumerate(textwrap.wrap(text, width)):
        column.label(text=part, icon=icon if index == 0 else ("BLANK1" if icon != "NONE" else "NONE"))


def draw_line(layout: "UILayout", context: "Context", line: status.Line) -> None:
    """Draw a line of state, with its remedy as a button where there is one."""
    words(layout, context, line.text, line.icon)
    if line.remedy:
        words(layout, context, line.remedy, "BLANK1")
    if line.action:
        layout.operator(line.action)
