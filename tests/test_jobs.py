"""Work that is followed in windows: which of them live, who presses Esc, what is said of it in the next file."""

import os
import subprocess
import sys
from pathlib import Path

from processes import processes_of

TESTS = Path(__file__).resolve().parent


def windows_closed(tests):
    """Work that is begun in a second window, which closes; the last window's file is replaced by another."""
    import sys

    sys.path.insert(0, tests)
    import bpy
    from paintover import jobs
    from patience import Patient, patient, work_operator

    tickets = []
    work_operator(patient(tickets))
    manager = bpy.context.window_manager
    first = manager.windows[0]

    def begin(window):
        with bpy.context.temp_override(window=window):
            bpy.ops.paintover.be_patient("INVOKE_DEFAULT")

    out = {}
    for ending in (Patient.finish, Patient.fail):
        with bpy.context.temp_override(window=first):
            bpy.ops.wm.window_new()
        second = manager.windows[-1]
        begin(second)
        yield 0.5
        with bpy.context.temp_override(window=second):
            bpy.ops.wm.window_close()
        yield 1.0
        seen = [len(manager.windows), tickets[-1].ended, jobs.session.running is not None]
        ending(tickets[-1])
        yield 1.0
        failure = str(jobs.session.failure or "")
        out[ending.__name__] = [*seen, jobs.session.running is None, jobs.session.notice, failure]

    begin(first)
    yield 0.5
    bpy.ops.wm.read_homefile(app_template="")
    out["load"] = [tickets[-1].ended, jobs.session.running is None, jobs.session.notice, str(jobs.session.failure)]
    return out


def file_replaced(tests):
    """Work that is not about the file goes on when another is opened, in a window."""
    import sys

    sys.path.insert(0, tests)
    import bpy
    from paintover import jobs
    from patience import patient, work_operator

    tickets = []
    work_operator(patient(tickets), of_file=False)
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.paintover.be_patient("INVOKE_DEFAULT")
    yield 0.5
    bpy.ops.wm.read_homefile(app_template="")
    yield 1.0
    out = [tickets[-1].ended, jobs.session.running is not None, jobs.session.notice]
    tickets[-1].finish()
    yield 1.0
    return [*out, jobs.session.running is None, jobs.session.notice]


def test_work_outlives_its_window_but_not_its_file(blender, display):
    blender.use_window(display)
    out = blender(windows_closed, TESTS)
    assert out["finish"] == [1, "", True, True, "Be Patient: done", ""]
    assert out["fail"] == [1, "", True, True, "", "The work failed."]
    assert out["load"] == ["cancel", True, "Be Patient was given up: another file was opened", "None"]
    assert "Traceback" not in blender.output, blender.output


def test_work_that_is_not_about_the_file_outlives_it(blender, display):
    blender.use_window(display)
    assert blender(file_replaced, TESTS) == ["", True, "", True, "Be Patient: done"]
    assert "Traceback" not in blender.output, blender.output


def escaped(tests):
    """Esc while an animation plays, then when it stands still: in work that has a best so far, and in other work."""
    import sys

    sys.path.insert(0, tests)
    import bpy
    from patience import patient, work_operator

    window = bpy.context.window_manager.windows[0]
    out = {}
    for value in ("PRESS", "RELEASE"):  # of the splash screen
        window.event_simulate("ESC", value, x=300, y=300)
        yield 0.5
    for stoppable in (True, False):
        tickets = []
        work_operator(patient(tickets), stoppable=stoppable)
        with bpy.context.temp_override(window=window):
            bpy.ops.paintover.be_patient("INVOKE_DEFAULT")
            bpy.ops.screen.animation_play()
        yield 0.5
        seen = [window.screen.is_animation_playing]
        for _ in range(2):
            window.event_simulate("ESC", "PRESS", x=300, y=300)
            yield 0.5
            seen += [window.screen.is_animation_playing, tickets[-1].ended]
            window.event_simulate("ESC", "RELEASE", x=300, y=300)
            yield 0.5
        out[str(stoppable)] = seen
    return out


def test_esc_means_the_animation_that_plays_and_then_the_best_so_far(blender, display):
    blender.use_window(display)
    blender.command.insert(1, "--enable-event-simulate")
    out = blender(escaped, TESTS)
    assert out["True"] == [True, False, "", False, "stop"]
    assert out["False"] == [True, False, "", False, "cancel"]


def said_in_turn(tests, folder):
    """What the panel says where a script begins something while something runs; then of an error, and another file."""
    import sys

    sys.path.insert(0, tests)
    import bpy
    from paintover import capture, jobs, status
    from paintover.backend.errors import ShotError
    from patience import Patient, patient

    bpy.ops.wm.save_as_mainfile(filepath=folder + "/shot.blend")
    tickets = []
    work = jobs.Work("Be Patient", patient(tickets))
    jobs.start(work)
    try:
        jobs.start(work)
    except jobs.BusyError as error:
        jobs.note_failure(error)
    grey = [not operator.poll() for operator in (bpy.ops.paintover.train_look, bpy.ops.paintover.enable_passes)]
    try:
        bpy.ops.paintover.train_look()
    except RuntimeError as error:
        grey.append("Be Patient is still running. Wait for it, or cancel it." in str(error))

    def said():
        return [line.text for line in status.failures()] + [jobs.session.notice]

    out = [said()]
    Patient.finish(tickets[0])
    assert not jobs.poll()
    grey.append(not bpy.ops.paintover.train_look.poll())
    out.append(said())
    jobs.session.notice = "Be Patient: done"
    jobs.note_failure(ShotError("It is broken."))
    capture.last_error = ShotError("It was not kept.")
    out.append(said())
    bpy.ops.wm.open_mainfile(filepath=folder + "/shot.blend")
    return [*out, said(), grey]


def test_what_is_said_is_of_now(blender, tmp_path):
    *said, grey = blender(said_in_turn, TESTS, tmp_path)
    assert grey == [
        True,
        False,
        True,
        False,
    ]  # while it runs what is work too, and why; not what is not; not afterwards
    assert said == [["Be Patient is still running.", ""], [""], ["It is broken.", "It was not kept.", ""], [""]]


def drawn_preferences(tests):
    """Which words and which buttons the preferences show while the backend is installed, and after that failed."""
    import sys
    from types import SimpleNamespace
    from unittest.mock import MagicMock

    sys.path.insert(0, tests)
    from paintover import jobs
    from paintover.backend.errors import BackendMissingError
    from paintover.preferences import PaintoverPreferences
    from patience import patient

    scale = SimpleNamespace(system=SimpleNamespace(ui_scale=1.0))
    context = SimpleNamespace(preferences=scale, region=SimpleNamespace(width=2000))

    def drawn():
        layout = MagicMock()
        for part in ("row", "column", "box"):
            getattr(layout, part).return_value = layout
        PaintoverPreferences.draw(SimpleNamespace(layout=layout, backend="OWN"), context)
        buttons = [call.args[0].removeprefix("paintover.") for call in layout.operator.call_args_list]
        words = [call.kwargs["text"] for call in (*layout.label.call_args_list, *layout.progress.call_args_list)]
        return [buttons, words]

    jobs.start(jobs.Work("Install Backend", patient([])))
    out = [drawn()]
    jobs.abandon()
    jobs.note_failure(BackendMissingError("It could not be installed.", "Try again."))
    return [*out, drawn()]


def test_the_preferences_tell_of_an_install(blender, monkeypatch):
    monkeypatch.delenv("PAINTOVER_PYTHON", raising=False)
    missing = ["No backend is installed.", "Press Install Backend."]
    running, failed = blender(drawn_preferences, TESTS)
    assert running == [["install_backend", "cancel_job"], [*missing, "Install Backend  0%"]]
    buttons, words = failed
    assert words == [*missing, "It could not be installed.", "Try again."]
    assert buttons == ["install_backend", "install_backend", "dismiss_message"]


def where_the_environment_lies():
    import os
    import sys

    from paintover import preferences

    usually = preferences.environment()
    sys.platform, os.environ["LOCALAPPDATA"] = "win32", "/local"
    return [usually.parent == preferences.data_folder(), str(preferences.environment())]


def test_on_windows_the_environment_lies_where_long_names_fit(blender):
    inside, short = blender(where_the_environment_lies)
    assert inside
    assert short in ("/local/Paintover/4.5", "/local/Paintover/5.2")


QUIT = """
import sys
sys.path[:0] = {paths!r}
import bpy, paintover
paintover.register()
from paintover import jobs
from patience import work_operator

work_operator(lambda: jobs.backend().submit("learn", {{}}))

def begin():
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.paintover.be_patient("INVOKE_DEFAULT")
    bpy.app.timers.register(leave, first_interval=0.5)

def leave():
    if jobs.session.running.ticket.poll():
        print("working", flush=True)
        sys.stdin.readline()
        bpy.ops.wm.quit_blender()
    return 0.1

bpy.app.timers.register(begin, first_interval=0.5)
"""


def test_quitting_ends_the_work_of_a_window(blender, display, tmp_path):
    blender.use_window(display)
    worker = tmp_path / "worker"
    worker.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{TESTS / 'peers' / 'worker.py'}'\n")
    worker.chmod(0o755)
    script = tmp_path / "quit.py"
    script.write_text(QUIT.format(paths=[str(blender.folder), str(TESTS)]))
    profile = blender.folder / "profile"
    own = {"BLENDER_USER_RESOURCES": str(profile), "PAINTOVER_PYTHON": str(worker), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [*blender.command, str(script)],
        env=os.environ | blender.environment | own,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as program:
        while "working" not in (line := program.stdout.readline()):
            assert line, "it ended before it worked"
        assert any("worker.py" in command for command in processes_of(profile))  # the test can see
        said, _ = program.communicate("\n", timeout=60)
    assert program.returncode == 0 and "Traceback" not in said, said
    assert processes_of(profile) == []
