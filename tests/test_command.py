"""``blender shot.blend --command paintover VERB ...``, with the built zip in a real Blender."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest
import real_blender
from ball import write_shot

from addon.client import SubprocessBackend

TESTS = Path(__file__).resolve().parent
BUILD = f"import sys; sys.path.insert(0, {str(TESTS)!r}); import tiny; from pathlib import Path; tiny.build(Path(%r))"


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """A render machine: a real Blender with the extension, and no window."""
    return real_blender.installed(tmp_path_factory.mktemp("machine"))


@pytest.fixture(scope="module")
def blend(machine, tmp_path_factory):
    """A saved .blend, nothing of it rendered: each test works on a copy."""
    blend = tmp_path_factory.mktemp("blend") / "shot.blend"
    done = machine.script(BUILD % str(blend))
    assert done.returncode == 0, done.stdout + done.stderr
    return blend


@pytest.fixture
def shot(blend, tmp_path):
    """A .blend in a folder of its own, that nobody has touched for a minute."""
    copy = tmp_path / "shot" / "shot.blend"
    copy.parent.mkdir()
    copy.write_bytes(blend.read_bytes())
    os.utime(copy, (time.time() - 60, time.time() - 60))
    return copy


@pytest.fixture(scope="module")
def look(tmp_path_factory):
    """A look that was hardly trained at all, on another shot."""
    folder = tmp_path_factory.mktemp("look")
    shot, painting, look = str(write_shot(folder / "shot", 2, 64, 36)), str(folder / "painted.png"), folder / "my.look"
    backend = SubprocessBackend(Path(sys.executable), folder / "log")
    try:
        backend.submit("look.paint", {"shot": shot, "frame": 1, "out": painting}).wait(300)
        backend.submit("look.train", {"shot": shot, "paint": {"1": painting}, "out": str(look), "steps": 1}).wait(300)
    finally:
        backend.close()
    return look


def final_frames(blend):
    return {path.name: path.stat().st_mtime_ns for path in sorted((blend.parent / "final").glob("*"))}


def test_a_shot_from_the_command_line(machine, shot):
    scene = shot.parent / "paintover" / "Scene"
    done = machine.paintover(shot, "passes", "--frames", "1-3")
    assert done.returncode == 0, done.stderr
    assert "3 frames rendered, 0 kept" in done.stdout
    assert sorted(path.name for path in (scene / "passes").glob("*.exr")) == [f"Scene_000{n}.exr" for n in (1, 2, 3)]

    done = machine.paintover(shot, "paint", "--frame", "2")
    assert done.returncode == 0, done.stderr
    painting = scene / "paint" / "Scene_0002_rough.png"
    assert str(painting) in done.stdout and painting.is_file()
    assert "Rough Paint: " in done.stdout  # progress

    done = machine.paintover(shot, "train", "--paint", f"2={painting}", "--seconds", "1")
    assert done.returncode == 0, done.stderr
    look = scene / "Scene.look"
    assert look.is_file() and str(look) in done.stdout

    done = machine.paintover(shot, "suggest")
    assert done.returncode == 0 and "Paint frame " in done.stdout, done.stderr

    assert time.time() - shot.stat().st_mtime > 30, "the .blend itself is as it was"


def test_all_at_once_keeps_what_is_there_and_newer_than_the_blend(machine, shot, look):
    passes = shot.parent / "paintover" / "Scene" / "passes"
    done = machine.paintover(shot, "passes", "--frames", "1-3")
    assert done.returncode == 0, done.stderr
    os.utime(passes / "Scene_0003.exr", (0, 0))  # older than the .blend
    kept = (passes / "Scene_0002.exr").stat().st_mtime_ns
    done = machine.paintover(shot, "render", "--look", look, "--frames", "2-4")
    assert done.returncode == 0, done.stderr
    assert "2 frames rendered, 1 kept" in done.stdout
    assert "3 frames styled" in done.stdout and "3 final frames" in done.stdout
    assert (passes / "Scene_0002.exr").stat().st_mtime_ns == kept
    assert list(final_frames(shot)) == [f"frame_000{n}.png" for n in (2, 3, 4)]


def test_no_place_for_final_frames_is_said_before_hours_of_rendering(machine, shot, look):
    (shot.parent / "final").touch()  # a file where the folder should be: that stops root too
    done = machine.paintover(shot, "render", "--look", look)
    assert done.returncode == 1 and f"Nothing can be written to {shot.parent / 'final'}" in done.stderr, done.stderr
    assert not (shot.parent / "paintover").exists(), "nothing was rendered"


CURVES = """
import bpy
bpy.context.scene.view_settings.use_curve_mapping = True
bpy.ops.wm.save_mainfile()
"""


def test_a_look_that_cannot_be_given_is_said_before_hours_of_rendering(machine, shot, look, tmp_path, monkeypatch):
    def refused(look):
        done = machine.paintover(shot, "render", "--look", look)
        assert done.returncode == 1, done.stdout + done.stderr
        return done.stderr

    broken = tmp_path / "broken.look"
    broken.write_bytes(look.read_bytes()[:-1] + bytes([look.read_bytes()[-1] ^ 1]))
    assert "broken.look" in refused(broken)
    with monkeypatch.context() as patch:
        patch.setattr(type(machine), "environment", {**machine.environment, "PAINTOVER_PYTHON": "/nowhere/python"})
        assert "/nowhere/python" in refused(look)
    done = machine.script(CURVES, shot)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Use Curves" in refused(look)
    assert not (shot.parent / "paintover").exists(), "nothing was rendered"


@pytest.mark.parametrize("to_all", [False, True])
def test_the_end_of_a_farms_job_is_a_cancel(machine, shot, look, to_all):
    """SIGTERM, to Blender or to it and all that it started, in the middle of a job of the backend."""
    scene = shot.parent / "paintover" / "Scene"
    assert machine.paintover(shot, "passes", "--frames", "1").returncode == 0
    assert machine.paintover(shot, "paint", "--frame", "1").returncode == 0
    painting = scene / "paint" / "Scene_0001_rough.png"
    words = ["--command", "paintover", "train", "--paint", f"1={painting}", "--seconds", "120"]
    with machine.started(shot, *words) as process:
        said = next((line for line in process.stdout if "step" in line), "")
        assert said, process.stderr.read()
        if to_all:
            os.killpg(process.pid, signal.SIGTERM)
        else:
            process.terminate()
        said += process.communicate(timeout=60)[1]
    assert process.returncode == 130 and "Training was cancelled" in said, said
    assert not (scene / "Scene.look").exists()


def cancelled_between_jobs(folder):
    """SIGTERM while Blender looks for what is to be done, and nothing runs that could be cancelled."""
    import os
    import signal

    import bpy
    from paintover import command_line, shot_card

    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    own_frames = shot_card.own_frames

    def meanwhile(scene):
        os.kill(os.getpid(), signal.SIGTERM)
        return own_frames(scene)

    shot_card.own_frames = meanwhile
    return command_line.main(["passes"])


def test_a_cancel_between_two_jobs_is_heard(blender, tmp_path):
    assert blender(cancelled_between_jobs, tmp_path) == 130
    assert not (tmp_path / "paintover").exists(), "nothing was rendered"


def test_two_blends_that_share_a_folder(machine, shot):
    assert not machine.paintover(shot, "passes", "--frames", "1").stderr
    other = shot.with_name("other.blend")
    other.write_bytes(shot.read_bytes())
    done = machine.paintover(other, "passes", "--frames", "1")
    assert done.returncode == 0 and "1 frames rendered" in done.stdout, done.stderr
    assert "The passes here are of shot.blend: rendering replaces them" in done.stderr


def taken_meanwhile(folder):
    """Another Blender renders its scene of this name beside this one's."""
    import bpy
    from paintover import capture, command_line, paths

    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 64, 36
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 1, False
    card = paths.places(scene).passes / "shot.json"
    capture.on_end(lambda _name: card.write_text(card.read_text("utf-8").replace("shot.blend", "b.blend"), "utf-8"))
    return command_line.main(["passes", "--frames", "1-2"])


def test_what_another_blend_put_there_meanwhile_is_not_taken_for_its_own(blender, tmp_path):
    assert blender(taken_meanwhile, tmp_path) == 1
    assert "frames 1 to 2" in blender.output and "another .blend's" in blender.output


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["render", "--look", "nowhere.look"], 1, "There is no look at"),
        (["train"], 1, "No frame is painted yet"),
        (["apply", "--frames", "80-90"], 1, "80 and 90"),
        (["passes", "--frames=-5--1"], 1, "no frames below 0"),
        (["render"], 2, "--look"),
        (["passes", "--frames", "4-2"], 2, "no frame range"),
        (["train", "--seconds", "0"], 2, "no whole number"),
        (["dance"], 2, "dance"),
        ([], 2, "VERB"),
        (["--help"], 0, "render"),
    ],
)
def test_exit_code_and_words_tell_the_truth(machine, shot, words, code, said):
    frame = shot.parent / "paintover" / "Scene" / "passes" / "Scene_0001.exr"
    frame.parent.mkdir(parents=True)
    frame.touch()
    done = machine.paintover(shot, *words)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stdout + done.stderr


def test_without_a_blend_nothing_is_rendered_into_the_void(machine):
    done = machine.run("--command", "paintover", "passes", timeout=300)
    assert done.returncode == 2 and "No .blend is open" in done.stderr, done.stdout + done.stderr


def test_no_backend_is_said(machine, shot, monkeypatch):
    done = machine.paintover(shot, "passes", "--frames", "1")
    assert done.returncode == 0, done.stderr
    monkeypatch.setattr(type(machine), "environment", {**machine.environment, "PAINTOVER_PYTHON": "/nowhere/python"})
    done = machine.paintover(shot, "paint", "--frame", "1")
    assert done.returncode == 1
    assert "/nowhere/python" in done.stderr


def stylised(tests, folder, look, by_passes=False):
    """What ``blender -b -a`` does, with Stylise While Rendering on."""
    import sys
    import time
    from pathlib import Path

    sys.path.insert(0, tests)
    import bpy
    import tiny
    from paintover import paths, rendering, stylise
    from paintover.operators import apply, keyframes, passes, train

    Path(folder).mkdir()
    scene = tiny.build(Path(folder) / "shot.blend")
    passes.enable_passes(scene)
    places = paths.places(scene)
    if not look:  # frame 3 is painted, and comes again after 1 and 2
        (painted,) = rendering.render_range(scene, 3, 3)
        scene.frame_set(3)
        keyframes.keyframe_rough_paint(scene)
        scene.paintover.seconds = 1
        train.train_look(scene)
        painted.unlink()

        def take_long(scene, _depsgraph):
            while scene.frame_current == 3 and stylise.count.done < 2:
                stylise.step()
                time.sleep(0.02)

        bpy.app.handlers.render_pre.append(take_long)
    scene.paintover.stylise = True
    scene.paintover.look = str(look)
    if by_passes:
        passes.render_passes(scene)
    else:
        bpy.ops.render.render(animation=True)
    left = apply.apply_look(scene, "ALL")["written"] if stylise.count.done else []
    return [paths.frames_in(places.styled, places.name), stylise.count.asked, stylise.count.done, left]


def test_stylise_while_rendering_ends_with_every_frame_styled(blender, look, tmp_path, monkeypatch):
    monkeypatch.setenv("PAINTOVER_PYTHON", sys.executable)
    assert blender(stylised, TESTS, tmp_path / "b", look) == [[1, 2, 3, 4], 4, 4, []]

    for by_passes in (False, True):
        folder = tmp_path / f"painted{by_passes}"
        assert blender(stylised, TESTS, folder, "", by_passes) == [[1, 2, 3, 4], 4, 4, []]
        styled = [blender.output.count(f"styled frame {number}") for number in (1, 2, 3, 4)]
        assert styled == [2, 2, 1, 1], "the first two came before the painted one"

    monkeypatch.setenv("PAINTOVER_PYTHON", "/nowhere/python")  # the render goes on, and says what it could not do
    assert blender(stylised, TESTS, tmp_path / "c", look) == [[], 4, 0, []]
    assert blender.output.count("was not stylised") == 4 and "/nowhere/python" in blender.output


FARM = """
import bpy
settings = bpy.context.scene.paintover
settings.stylise, settings.look = True, %r
bpy.ops.wm.save_mainfile()
"""


def test_a_farm_that_knows_nothing_of_paintover(machine, shot, look):
    """``blender -b shot.blend -a``, word for word: the .blend alone says that every frame is to be stylised."""
    done = machine.script(FARM % str(look), shot)
    assert done.returncode == 0, done.stdout + done.stderr

    done = machine.run("-b", shot, "-a", timeout=300)
    assert done.returncode == 0 and "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
    frames = [f"Scene_000{number}.exr" for number in (1, 2, 3, 4)]
    for folder in ("passes", "styled"):
        found = sorted(path.name for path in (shot.parent / "paintover" / "Scene" / folder).glob("*.exr"))
        assert found == frames, folder
    assert len(final_frames(shot)) == 4
    order = [done.stdout.index(f"styled frame {number}") for number in (1, 2, 3, 4)]
    assert order == sorted(order)
