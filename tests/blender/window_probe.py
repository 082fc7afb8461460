"""Runs inside a Blender with its window: lays the window out, and tells the test what is going on.

``WINDOW_PROBE`` names a file that is written anew many times a second: one JSON object. ``hover`` is the operator of
the button under the real mouse. The test presses real buttons. What it cannot press, it asks for with a file
beside that one: ``python`` (a path: name this Python in the preferences).
"""

import json
import os
from pathlib import Path

import bpy

STATE = Path(os.environ["WINDOW_PROBE"])
MODULE = "bl_ext.user_default.paintover"
beats = 0


def image_editor():
    window = bpy.context.window_manager.windows[0]
    area = max(window.screen.areas, key=lambda area: area.width * area.height if area.type in BIG else 0)
    return window, area


BIG = {"VIEW_3D", "IMAGE_EDITOR"}


def lay_out() -> None:
    _, area = image_editor()
    area.type = "IMAGE_EDITOR"
    area.spaces.active.show_region_ui = True


def region(kind: str):
    return next(region for region in image_editor()[1].regions if region.type == kind)


def open_tab() -> "float | None":
    try:
        region("UI").active_panel_category = "Paintover"
    except AttributeError:  # the sidebar has not been drawn yet
        return 0.2
    return None


def hovered() -> str:
    window, area = image_editor()
    with bpy.context.temp_override(window=window, area=area, region=region("UI")):
        if not bpy.ops.ui.copy_python_command_button.poll():
            return ""
        bpy.ops.ui.copy_python_command_button()
    return bpy.context.window_manager.clipboard


def picture() -> list[int]:
    """Left, bottom, right, top of the shown image, in pixels of the window."""
    main = region("WINDOW")
    left, bottom = main.view2d.view_to_region(0, 0, clip=False)
    right, top = main.view2d.view_to_region(1, 1, clip=False)
    return [main.x + left, main.y + bottom, main.x + right, main.y + top]


def tell() -> float:
    global beats
    beats += 1
    from importlib import import_module

    jobs, compositor = import_module(f"{MODULE}.jobs"), import_module(f"{MODULE}.compositor")
    scene = bpy.context.window_manager.windows[0].scene
    named = STATE.with_name("python")
    if named.exists():
        chosen = bpy.context.preferences.addons[MODULE].preferences
        chosen.backend, chosen.python = "PYTHON", named.read_text()
        named.unlink()
    session, side = jobs.session, region("UI")
    window, area = image_editor()
    shown = area.spaces.active.image
    state = {
        "beats": beats,
        "window": [window.width, window.height],
        "side": [side.x, side.y, side.width, side.height],
        "hover": hovered(),
        "running": session.running.work.title if session.running else "",
        "report": session.running.report if session.running else {},
        "failure": str(session.failure or ""),
        "notice": session.notice,
        "frame": scene.frame_current,
        "painted": [keyframe.frame for keyframe in scene.paintover.keyframes],
        "in_compositor": compositor.find(scene) is not None,
        "tab": side.active_panel_category,
        "shown": shown.name if shown else "",
        "picture": picture(),
        "backend": getattr(session.backend, "pid", None),
    }
    beside = STATE.with_suffix(".part")
    beside.write_text(json.dumps(state))
    beside.replace(STATE)
    return 0.02


bpy.context.preferences.view.show_splash = False
bpy.context.preferences.view.use_save_prompt = False
bpy.app.timers.register(lay_out, first_interval=1.0)
bpy.app.timers.register(open_tab, first_interval=2.0)
bpy.app.timers.register(tell, first_interval=3.0, persistent=True)
