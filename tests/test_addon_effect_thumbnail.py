"""The thumbnail that follows the sliders, in a real window; and without one, step by step."""

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.usefixtures("own_backend")


def wishes(folder):
    """Many wishes, one after the other: how many pictures were under way at once, and which came last."""
    import shutil
    import time

    import bpy
    from paintover import jobs
    from paintover.effect import properties, thumbnail

    scene = bpy.context.scene
    settings = properties.of(scene)
    settings.kind, settings.pixels = "fire", (64, 96)
    settings.fire.age = 0.2
    made = []
    submit = thumbnail.submit

    def counted(wish):
        made.append(wish.settings["controls"]["temperature"])
        return submit(wish)

    thumbnail.submit = counted

    def settle():
        end = time.monotonic() + 120
        while thumbnail.step():
            assert time.monotonic() < end
            time.sleep(0.02)

    out = {"nothing": thumbnail.step()}
    for kelvins in (1200, 1400, 1600, 2600):
        settings.fire.temperature = kelvins
        thumbnail.icon(scene, None)
        thumbnail.step()
    settle()
    out["made"] = list(made)
    thumbnail.icon(scene, None)
    out["the same"] = [thumbnail.step(), len(made)]
    wish = thumbnail.Wish(scene.name, "", {})
    shutil.copy(wish.path, f"{folder}/first.png")
    settings.fire.temperature = 1000
    jobs.session.waited_for = "a bake"
    thumbnail.icon(scene, None)
    thumbnail.step()
    out["while it bakes"] = len(made)
    jobs.session.waited_for = None
    settle()
    settings.kind = "ocean"
    settings.ocean.loop_seconds = 0.5
    made.append(None)
    thumbnail.submit = submit
    thumbnail.icon(scene, None)
    settle()
    out["ocean"] = str(thumbnail.failure(scene, None) or "")
    shutil.copy(wish.path, f"{folder}/ocean.png")
    return out


def test_one_thumbnail_at_a_time_and_the_newest_wins(blender, tmp_path):
    out = blender(wishes, tmp_path)
    assert out["nothing"] is False
    assert out["made"] == [1200, 2600], "what was wished for in between was never made"
    assert out["the same"] == [False, 2]
    assert out["while it bakes"] == 2
    assert out["ocean"] == ""
    with Image.open(tmp_path / "first.png") as first, Image.open(tmp_path / "ocean.png") as ocean:
        assert first.size == (128, 192) and ocean.size == (192, 192)
        assert np.asarray(first).std() > 1 and np.asarray(ocean).std() > 1


def installed_late():
    """A wish while there is no backend, twice, and then once more while there is one: what was said, and asked."""
    import os
    import time

    import bpy
    from paintover.effect import properties, thumbnail

    scene = bpy.context.scene
    properties.of(scene).kind = "ocean"
    properties.of(scene).ocean.loop_seconds = 0.5
    python = os.environ.pop("PAINTOVER_PYTHON")
    out = []
    for _ in range(2):
        thumbnail.icon(scene, None)
        out.append(thumbnail.state.wanted is not None)
        thumbnail.step()
        out.append(str(thumbnail.failure(scene, None)))
    os.environ["PAINTOVER_PYTHON"] = python
    thumbnail.icon(scene, None)
    end = time.monotonic() + 120
    while thumbnail.step():
        assert time.monotonic() < end
        time.sleep(0.02)
    return [*out, str(thumbnail.failure(scene, None)), thumbnail.wish_of(scene, None).path.is_file()]


def test_the_thumbnail_comes_once_a_backend_is_installed(blender):
    none = "No backend is installed. Press Install Backend."
    assert blender(installed_late) == [True, none, False, none, "None", True], "asked once, and again"


def followed(picture):
    """A window whose sidebar shows the effects: the thumbnail comes, and follows a slider and a card."""
    import time

    import bpy
    from paintover.effect import properties, thumbnail
    from paintover.operators import effects

    area = next(area for area in bpy.context.screen.areas if area.type == "VIEW_3D")
    area.spaces.active.show_region_ui = True
    yield 1.0
    side = next(region for region in area.regions if region.type == "UI")
    side.active_panel_category = "Paintover"
    scene = bpy.context.scene
    settings = properties.of(scene)
    settings.kind = "fire"
    wish = thumbnail.Wish(scene.name, "", {})
    end = time.monotonic() + 120

    def changed(since):
        return wish.path.exists() and wish.path.stat().st_mtime_ns > since

    seen = []
    since = 0
    for kelvins in (1900, 1000):
        settings.fire.temperature = kelvins
        area.tag_redraw()
        while not changed(since) and time.monotonic() < end:
            yield 0.2
        seen.append(changed(since))
        yield 1.0
        since = wish.path.stat().st_mtime_ns if wish.path.exists() else 0
    seen.append(thumbnail.icon(scene, None) > 0)
    thing = effects.effect_add(scene, "smoke")
    wish = thumbnail.Wish(scene.name, thing.name, {})
    area.tag_redraw()
    while not changed(0) and time.monotonic() < end:
        yield 0.2
    seen.append(changed(0))
    yield 1.0
    bpy.ops.screen.screenshot(filepath=picture)
    return seen


def test_the_thumbnail_follows_in_a_window(blender, display, tmp_path):
    blender.use_window(display)
    assert blender(followed, tmp_path / "window.png") == [True, True, True, True]
    assert "Traceback" not in blender.output, blender.output
    assert "rna_uiItem" not in blender.output, blender.output  # what Blender says of properties that are not there
