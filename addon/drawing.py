"""What panels and preferences draw alike: words longer than the panel is wide, lines of state, and what is going on."""

import textwrap
from typing import TYPE_CHECKING

from . import jobs, pictures, status

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


def draw_session(layout: "UILayout", context: "Context") -> None:
    """Draw what is not of a scene: the backend, what was said last, and what is running."""
    draw_line(layout, context, status.backend())
    for line in status.failures():
        row = layout.box().row()
        draw_line(row.column(), context, line)
        row.operator("paintover.dismiss_message", text="", icon="X", emboss=False)
    if jobs.session.notice:
        row = layout.row()
        words(row.column(), context, jobs.session.notice, "INFO")
        row.operator("paintover.dismiss_message", text="", icon="X", emboss=False)
    _draw_job(layout, context)


def _draw_job(layout: "UILayout", context: "Context") -> None:
    """What is running: its progress, its numbers, its picture, and how to end it."""
    running = jobs.session.running
    if running is None:
        return
    box = layout.box()
    report = running.report
    box.progress(
        text=f"{running.ending or running.work.title}  {report.get('fraction', 0.0):.0%}",
        factor=report.get("fraction", 0.0),
    )
    if report.get("message"):
        words(box, context, report["message"])
    numbers = jobs.facts(report)
    if numbers:
        words(box, context, "   ".join(numbers))
    preview = jobs.preview()
    icon = pictures.icon(preview) if preview else 0
    if icon:
        box.template_icon(icon_value=icon, scale=8.0)
    column = box.column(align=True)
    if running.work.stoppable:
        column.operator("paintover.stop_job", icon="CHECKMARK")
    column.operator("paintover.cancel_job", icon="X")
