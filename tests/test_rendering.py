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
    from paintover.backend import errors
    from paintover.render_ticket import RenderTicket

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
        task = rendering.PassesTask(scene, [1, 2, 3])
        run = RenderTicket(task)
        seen = [[report["fraction"] for report in run.poll()], run.done]
        steps = 0
        while not run.done:
            steps += 1
            if case == "stopped" and len(task.paths) == 1:
                run.cancel()
            if case == "in the way" and len(task.paths) == 1 and not places.passes.is_file():
                places.passes.rename(places.folder / "moved")
                places.passes.write_text("in the way")
            yield 0.01
        code = None
        try:
            run.result()
        except errors.PaintoverError as error:
            code = error.code
        out[case] = [seen, steps > 0, [path.name for path in task.paths], code, state() == before]
    return out


def test_a_range_in_a_window(blender, display, tmp_path):
    blender.use_window(display)
    out = blender(render_in_window, tmp_path)
    names = [f"Scene_{frame:04d}.exr" for frame in (1, 2, 3)]
    assert out["whole"] == [[[0.0], False], True, names, None, True]
    seen, stayed_alive, written, code, restored = out["stopped"]
    assert seen == [[0.0], False] and stayed_alive and restored
    assert code == "cancelled" and written in (names[:1], names[:2])
    seen, stayed_alive, written, code, restored = out["in the way"]
    assert code in ("output", "shot") and restored and 1 <= len(written) < 3  # frame 2 was perhaps already kept
    assert not list(tmp_path.glob("artist_*"))
    assert not list((tmp_path / "paintover" / "Scene" / "moved").glob(".*"))


def save_meanwhile(folder):
    """What a file holds that is saved while passes render, and what whoever opens it gets."""
    import bpy
    from paintover import rendering

    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 64, 36
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene.frame_set(17)

    def state(of):
        render = of.render
        return [render.use_compositing, render.use_sequencer, of.view_layers[0].use_pass_vector, of.frame_current]

    out = {"before": state(scene)}

    def save(done, total):
        out["meanwhile"] = state(scene)
        bpy.ops.wm.save_as_mainfile(filepath=folder + "/meanwhile.blend", copy=True)
        out["after saving"] = state(scene)
        return False

    out["rendered"] = len(rendering.render_range(scene, 1, 2, save))
    out["after"] = state(scene)
    with bpy.data.libraries.load(folder + "/meanwhile.blend") as (there, wanted):
        wanted.scenes = there.scenes
    out["in the file"] = state(wanted.scenes[0])
    bpy.ops.wm.open_mainfile(filepath=folder + "/meanwhile.blend")
    out["opened"] = state(bpy.context.scene)
    return out


def test_a_file_that_is_saved_meanwhile_holds_the_artists_settings(blender, tmp_path):
    out = blender(save_meanwhile, tmp_path)
    assert out["before"] == [True, True, False, 17]
    assert out["meanwhile"] == out["after saving"] == [False, False, True, 1]
    assert out["rendered"] == 1
    assert out["in the file"][:2] == [True, True], "also where there is no Paintover"
    assert out["after"] == out["opened"] == out["before"]


def undo_meanwhile(folder):
    """What an undo does to the scene while its passes render, done by hand."""
    import bpy
    from paintover import rendering

    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 64, 36
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    layer = scene.view_layers[0]
    held = []

    def undo(done, total):
        held.append([layer.use_pass_vector, scene.render.use_compositing])
        layer.use_pass_vector, scene.render.use_compositing, scene.paintover.before = False, True, ""
        scene.frame_current = 17
        return True

    rendering.render_range(scene, 1, 3, undo)
    return [held, layer.use_pass_vector, scene.render.use_compositing, scene.frame_current]


def test_an_undo_meanwhile_takes_no_passes_from_the_frames_to_come(blender, tmp_path):
    assert blender(undo_meanwhile, tmp_path) == [[[True, False]] * 3, False, True, 17]


def render_what_is_missing(folder):
    """A shot of which one frame is there, and one is broken; then another .blend beside it, its scene called alike."""
    import bpy
    from paintover import paths
    from paintover.backend import errors
    from paintover.operators import passes

    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 64, 36
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    scene.frame_start, scene.frame_end = 1, 4
    places = paths.places(scene)
    places.passes.mkdir(parents=True)
    files = [paths.frame_path(places.passes, places.name, frame) for frame in range(1, 5)]

    def rendered(**how):
        return [int(path[-8:-4]) for path in passes.render_passes(scene, missing=True, **how)["written"]]

    out = [rendered(last=1)]
    files[2].touch()
    out.append(rendered())
    files[1].write_bytes(files[1].read_bytes()[:-9])
    bpy.ops.paintover.render_passes(missing=True)
    try:
        rendered()
    except errors.FrameRangeError as error:
        out.append(str(error))
    bpy.ops.wm.save_as_mainfile(filepath=folder + "/other.blend")
    return [*out, rendered(last=1), rendered(), [file.stat().st_size > 999 for file in files]]


def test_only_the_frames_that_are_missing(blender, tmp_path):
    first, rest, said, *others, whole = blender(render_what_is_missing, tmp_path)
    assert [first, rest] == [[1], [2, 3, 4]]
    assert said.startswith("Every frame from 1 to 4 has its passes.")
    assert others == [[1], [2, 3, 4]]
    assert all(whole)


def undo_afterwards(folder):
    """Undo to what was remembered while passes rendered, and while final frames were written."""
    import bpy
    from paintover import final, paths, rendering
    from paintover.render_ticket import RenderTicket

    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    name = scene.name
    scene.render.resolution_x, scene.render.resolution_y = 64, 36
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    scene.render.filepath = folder + "/final/"
    scene.frame_set(17)
    places = paths.places(scene)
    window = bpy.context.window_manager.windows[0]

    def state():
        there = bpy.data.scenes[name]
        render = there.render
        settings = [render.use_compositing, render.use_sequencer, there.view_layers[0].use_pass_vector]
        return [*settings, there.frame_current, len(bpy.data.scenes)]

    def edit(text):
        with bpy.context.temp_override(window=window):
            bpy.ops.ed.undo_push(message=text)

    out = {"before": state()}
    for case, task in (
        ("passes", lambda: rendering.PassesTask(bpy.data.scenes[name], [1, 2, 3])),
        ("final", lambda: final.FinalTask(bpy.data.scenes[name], places.passes, places.name, [1, 2, 3])),
    ):
        edit("before")
        run = RenderTicket(task())
        run.poll()
        edit("meanwhile")
        out[f"{case}, meanwhile"] = state()
        while not run.done:
            yield 0.01
        run.result()
        edit("afterwards")
        with bpy.context.temp_override(window=window):
            bpy.ops.ed.undo()
        yield 0.01
        out[case] = state()
    return out


def test_undo_brings_no_passing_settings_back(blender, display, tmp_path):
    blender.use_window(display)
    out = blender(undo_afterwards, tmp_path)
    assert out["before"] == out["passes"] == out["final"] == [True, True, False, 17, 1]
    assert out["passes, meanwhile"] == [False, False, True, 1, 1]
    assert out["final, meanwhile"] == [True, True, False, 17, 2]


def write_final(folder, movie, window):
    """Final frames to their end, and stopped after the second: what was told, and where Blender worked."""
    import threading
    from pathlib import Path

    import bpy
    from paintover import final, paths, rendering
    from paintover.backend import errors
    from paintover.render_ticket import RenderTicket

    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 64, 36
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    places = paths.places(scene)
    rendering.render_range(scene, 1, 5)
    if not movie:
        paths.frame_path(places.passes, places.name, 4).unlink()
    images = scene.render.image_settings
    if bpy.app.version >= (5, 0, 0):
        images.media_type = "VIDEO" if movie else "IMAGE"
    images.file_format = "FFMPEG" if movie else "PNG"
    threads = []
    bpy.app.handlers.render_write.append(
        lambda *_: threads.append(threading.current_thread() is threading.main_thread())
    )
    frames = paths.frames_in(places.passes, places.name)
    out = {}
    for case in ("whole", "stopped"):
        scene.render.filepath = f"{folder}/{case}/"
        task = final.FinalTask(scene, places.passes, places.name, frames)
        run = RenderTicket(task)
        told = []

        def tell(report, run=run, told=told, stopping=case == "stopped"):
            told.append(report["fraction"])
            if stopping and len(told) == 2:
                run.cancel()

        code = None
        try:
            if window:
                task.on_frame = lambda tell=tell, task=task: tell(task.report())
                run.poll()
                while not run.done:
                    yield 0.01
                run.result()
            else:
                run.wait(on_progress=tell)
        except errors.PaintoverError as error:
            code = error.code
        files = sorted(Path(folder, case).iterdir())
        lengths = [bpy.data.movieclips.load(str(path)).frame_duration for path in files] if movie else []
        out[case] = [told, [path.name for path in files], lengths, code]
    out["left"] = [len(bpy.data.scenes), len(bpy.data.node_groups), scene.frame_current]
    return [out, threads]


def expected_of_final(movie):
    if movie:
        return [[0.2, 0.4, 0.6, 0.8, 1.0], [5]], [[0.2, 0.4], [2]]
    return [[0.25, 0.5, 0.75, 1.0], ["0001.png", "0002.png", "0003.png", "0005.png"]], [
        [0.25, 0.5],
        ["0001.png", "0002.png"],
    ]


@pytest.mark.parametrize("movie", [False, True])
@pytest.mark.parametrize("window", [False, True])
def test_final_frames_tell_how_far_they_are_and_can_be_stopped(request, blender, tmp_path, movie, window):
    if window:
        blender.use_window(request.getfixturevalue("display"))
    out, threads = blender(write_final, tmp_path, movie, window)
    whole, stopped = expected_of_final(movie)
    for case, wanted, code in (("whole", whole, None), ("stopped", stopped, "cancelled")):
        told, names, lengths, said = out[case]
        assert [told, lengths if movie else names] == wanted, case
        assert said == code
    assert out["left"] == [1, 0, 1]
    assert set(threads) == {not window}, "in a window, Blender renders beside it"


def render_for_long(folder):
    """A render that nobody waits for; the file ``rendering`` says when it is under way."""
    import time
    from pathlib import Path

    import bpy
    from paintover import paths, rendering
    from paintover.backend import errors
    from paintover.render_ticket import RenderTicket

    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 640, 360
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.use_adaptive_sampling = 65536, False, False
    heard = []
    for name in ("render_post", "render_cancel", "render_complete"):
        getattr(bpy.app.handlers, name).append(lambda *_, name=name: heard.append(name))
    task = rendering.PassesTask(scene, [1, 2, 3])
    run = RenderTicket(task)
    run.poll()
    yield 1
    Path(folder, "rendering").touch()
    end = time.monotonic() + 120
    while not run.done and time.monotonic() < end:
        yield 0.1
    left = sorted(path.name for path in paths.places(scene).passes.iterdir())
    try:
        run.result()
    except errors.Cancelled as error:
        return [error.code, task.paths, heard, left, scene.render.use_compositing]


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
