"""Render Passes in a window: Blender goes on meanwhile, and all is as before afterwards."""

import os
import shutil
import subprocess
import threading
import time

import pytest


def render_in_window(folder):
    """A range to its end, one that is stopped, one whose second frame cannot be kept."""
    import bpy
    from paintover import paths, rendering

    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 64, 36
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    scene.render.filepath = folder + "/artist_"
    layer = scene.view_layers[0]
    places = paths.places(scene)
    scene.frame_set(17)

    def state():
        render, view = scene.render, bpy.context.preferences.view
        handlers = [len(getattr(bpy.app.handlers, name)) for name in ("render_complete", "render_cancel", "load_pre")]
        switches = [render.use_compositing, render.use_sequencer, layer.use_pass_vector, view.render_display_type]
        return [render.image_settings.file_format, scene.frame_current, len(bpy.context.window_manager.windows)] + (
            switches + handlers
        )

    before = state()
    out = {}
    for case in ("whole", "stopped", "in the way"):
        run = rendering.RangeRender(scene, 1, 3)
        run.start()
        seen = [run.done, run.fraction]
        steps = 0
        while not run.done:
            steps += 1
            if case == "stopped" and len(run.paths) == 1:
                run.cancel()
            if case == "in the way" and len(run.paths) == 1 and not places.passes.is_file():
                places.passes.rename(places.folder / "moved")
                places.passes.write_text("in the way")
            yield 0.01
        code = run.error.code if run.error else None
        out[case] = [seen, steps > 0, [path.name for path in run.paths], code, state() == before]
    return out


def test_a_range_in_a_window(blender, display, tmp_path):
    blender.use_window(display)
    out = blender(render_in_window, tmp_path)
    names = [f"Scene_{frame:04d}.exr" for frame in (1, 2, 3)]
    assert out["whole"] == [[False, 0], True, names, None, True]
    seen, stayed_alive, written, code, restored = out["stopped"]
    assert seen == [False, 0] and stayed_alive and restored
    assert code == "cancelled" and written in (names[:1], names[:2])
    seen, stayed_alive, written, code, restored = out["in the way"]
    assert code == "output" and restored and 1 <= len(written) < 3
    assert not list(tmp_path.glob("artist_*"))
    assert not list((tmp_path / "paintover" / "Scene" / "moved").glob(".*"))


def render_for_long(folder):
    """A render that nobody waits for; the file ``rendering`` says when it is under way."""
    import time
    from pathlib import Path

    import bpy
    from paintover import paths, rendering

    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 640, 360
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.use_adaptive_sampling = 65536, False, False
    heard = []
    for name in ("render_post", "render_cancel", "render_complete"):
        getattr(bpy.app.handlers, name).append(lambda *_, name=name: heard.append(name))
    run = rendering.RangeRender(scene, 1, 3)
    run.start()
    yield 1
    Path(folder, "rendering").touch()
    end = time.monotonic() + 120
    while not run.done and time.monotonic() < end:
        yield 0.1
    left = sorted(path.name for path in paths.places(scene).passes.iterdir())
    return [run.error.code, run.paths, heard, left, scene.render.use_compositing]


def press_escape(display, flag, stop):
    """Press Esc in Blender's window once ``flag`` is there, again and again until ``stop``."""
    environment = os.environ | {"DISPLAY": display}
    while not stop.is_set():
        if flag.exists():
            found = subprocess.run(
                ["xdotool", "search", "--class", "blender"],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            for window in found.stdout.split():
                subprocess.run(["xdotool", "windowfocus", window, "key", "Escape"], env=environment, check=False)
        time.sleep(0.5)


def test_esc_keeps_no_torn_frame(blender, display, tmp_path):
    if shutil.which("xdotool") is None:
        pytest.skip("no xdotool: install it (apt install xdotool) to test the keyboard")
    blender.use_window(display)
    stop = threading.Event()
    presser = threading.Thread(target=press_escape, args=(display, tmp_path / "rendering", stop))
    presser.start()
    try:
        code, written, heard, left, compositing = blender(render_for_long, tmp_path)
    finally:
        stop.set()
        presser.join()
    assert code == "cancelled"
    assert heard == ["render_post", "render_cancel"], "Blender says post for a still that was broken off"
    assert written == [] and left == ["shot.json"]
    assert compositing
