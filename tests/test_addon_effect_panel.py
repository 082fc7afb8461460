"""The panel of effects: what it shows of a card, and what it says where something is left, copied or moved."""

from pathlib import Path

TESTS = Path(__file__).resolve().parent


def in_render_properties(tests, out):
    """A window whose Properties editor shows the render's: what the panel draws there, and what its buttons say."""
    import sys

    sys.path.insert(0, tests)
    import bpy
    from drawn import drawn
    from paintover.effect.panel import Effects
    from paintover.operators import effects

    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "PROPERTIES")
    area.spaces.active.context = "RENDER"
    effects.effect_add(bpy.context.scene, "smoke")
    yield 1.0
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        found = [drawn(Effects, bpy.context)["labels"]]
        buttons = {"effect_layer_insert": {}, "effect_flipbook": {"filepath": out}, "effect_emit": {}}
        for name, told in (buttons | {"styled_as_texture": {}}).items():
            try:
                getattr(bpy.ops.paintover, name)(**told)
            except RuntimeError as error:
                found.append(str(error).partition(": ")[2].strip())
    return found


def test_render_properties_know_the_active_card(blender, display, tmp_path):
    blender.use_window(display)
    labels, merge, flipbook, emit, texture = blender(in_render_properties, TESTS, tmp_path / "out.png")
    assert labels[0] == "Smoke: smoke" and labels[-1] == "Not baked yet"
    assert merge == flipbook == "Smoke is not baked yet. Press Bake."
    assert "Select a mesh" in emit and "No object" not in texture
