"""Baked effects as flipbooks and movies: by operator and by function, in a window and without one."""

import json
import shutil
from pathlib import Path

import pytest
from effect_frames import files
from PIL import Image

pytestmark = pytest.mark.usefixtures("own_backend")


@pytest.fixture
def baked(burning, tmp_path) -> Path:
    """A folder for a .blend, beside which a fire of three frames is baked."""
    folder = tmp_path / "paintover" / "effects" / "Fire"
    shutil.copytree(burning, folder)
    note = {"digest": "x", "kind": "fire", "frames": [1, 3], "brightness": [0.0] * 3}
    (folder / "bake.json").write_text(json.dumps(note))
    shutil.copy(folder / "fire_0001.exr", folder / "fire_normal_0001.exr")  # as water has
    return tmp_path


def exported(folder):
    """A flipbook and a movie by operator and by function, and what is refused."""
    from pathlib import Path

    import bpy
    from paintover import jobs
    from paintover.effect import properties
    from paintover.operators import effects, exports

    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    scene.render.fps = 12
    out = {}
    ops = bpy.ops.paintover

    def refused(name, operator, **asked):
        try:
            operator(**asked)
        except RuntimeError:
            out[name] = [jobs.session.failure.code, str(jobs.session.failure)]

    place = Path(folder) / "out"
    refused("no effect", ops.effect_flipbook, filepath=str(place / "a.png"))
    thing = effects.effect_add(scene, "fire")
    refused("not baked", ops.effect_movie, filepath=str(place / "a.webp"))
    properties.of(thing).folder = "Fire"
    refused("no file", ops.effect_flipbook)
    refused("no file in the background", lambda: ops.effect_flipbook("INVOKE_DEFAULT"))
    refused("ending", ops.effect_movie, filepath=str(place / "a.mp4"))
    refused("too wide", ops.effect_flipbook, filepath=str(place / "a.png"), cell=400)
    refused("among frames", ops.effect_flipbook, filepath=str(effects.folder_of(thing) / "fire_0004.exr"))
    out["left"] = sorted(path.name for path in place.glob("**/*"))
    assert ops.effect_flipbook(filepath="//out/operator", rows=1, columns=2, cell=20) == {"FINISHED"}
    exports.effect_flipbook(scene, thing, place / "function.png", 1, 2, 20)
    assert ops.effect_movie(filepath="//out/operator", width=20) == {"FINISHED"}
    exports.effect_movie(scene, thing, place / "function.webp", 20)
    return out


def test_a_baked_effect_is_exported(blender, baked):
    out = blender(exported, baked)
    assert out["no effect"][0] == "usage" and "no effect" in out["no effect"][1]
    assert out["not baked"] == ["effect", "Fire is not baked yet. Press Bake."]
    assert out["no file"] == out["no file in the background"]
    assert out["no file"] == ["usage", "Export Flipbook needs a file to write. Name one."]
    assert out["ending"][0] == "usage" and "a.mp4" in out["ending"][1]
    assert out["too wide"][0] == "usage" and "400" in out["too wide"][1]
    assert out["among frames"][0] == "usage" and "fire_0004" in out["among frames"][1]
    assert out["left"] == []
    place = baked / "out"
    names = sorted(
        f"{way}{rest}" for way in ("function", "operator") for rest in (".exr", ".json", ".png", ".webp", "_motion.png")
    )
    assert files(place) == names
    for rest in (".exr", ".png", "_motion.png", ".webp"):
        assert (place / f"operator{rest}").read_bytes() == (place / f"function{rest}").read_bytes()
    told = json.loads((place / "operator.json").read_text())
    assert [told["rows"], told["columns"], told["cell"], told["fps"]] == [1, 2, [20, 28], 12]
    with Image.open(place / "operator.webp") as movie:
        assert movie.n_frames == 3 and movie.size == (20, 28)


def asked_for(folder):
    """A window in which the operator asks for a file, and lives on while that is made; a second one is cancelled."""
    import time
    from pathlib import Path

    import bpy
    from paintover import jobs
    from paintover.effect import properties
    from paintover.operators import effects

    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    manager = bpy.context.window_manager
    window = manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    inside = {"window": window, "area": area, "region": next(part for part in area.regions if part.type == "WINDOW")}
    with bpy.context.temp_override(**inside):
        thing = effects.effect_add(bpy.context.scene, "fire")
        properties.of(thing).folder = "Fire"
        bpy.ops.paintover.effect_flipbook("INVOKE_DEFAULT", rows=2, columns=2)
    drawn = []
    handler = bpy.types.SpaceFileBrowser.draw_handler_add(lambda: drawn.append(True), (), "WINDOW", "POST_PIXEL")
    end = time.monotonic() + 120
    while not drawn and time.monotonic() < end:  # Blender dies of one that is used before
        yield 0.1
    bpy.types.SpaceFileBrowser.draw_handler_remove(handler, "WINDOW")
    browsers = [
        (other, area) for other in manager.windows for area in other.screen.areas if area.type == "FILE_BROWSER"
    ]
    ((browser, area),) = browsers
    name = area.spaces.active.params.filename
    submit = jobs.start
    titles = []
    jobs.start = lambda work: (titles.append(work.title), submit(work))
    with bpy.context.temp_override(window=browser, area=area):
        bpy.ops.file.execute()
    while not titles and time.monotonic() < end:
        yield 0.1
    seen = [name, *titles]
    while jobs.session.running is not None and time.monotonic() < end:
        yield 0.1
    seen += [str(jobs.session.failure or ""), jobs.session.notice, (Path(folder) / name).is_file()]
    with bpy.context.temp_override(**inside):
        bpy.ops.paintover.effect_movie("INVOKE_DEFAULT", filepath=folder + "/movie.webp")
    seen.append(jobs.session.running is not None)
    jobs.cancel()
    while jobs.session.running is not None and time.monotonic() < end:
        yield 0.1
    seen += [jobs.session.notice, (Path(folder) / "movie.webp").is_file()]
    return seen


def test_a_window_asks_for_the_file_and_lives_on(blender, display, baked):
    blender.use_window(display)
    title = "Export Flipbook of Fire"
    told = blender(asked_for, baked)
    assert told == ["Fire_flipbook.png", title, "", f"{title}: done", True, True, "Cancelled", False]
    assert "Traceback" not in blender.output, blender.output
