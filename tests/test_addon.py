"""The add-on comes and goes without a trace, and quickly. Inside each Blender that is there."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import processes_of

TESTS = Path(__file__).resolve().parent


def cycles(tests, times):
    import sys

    sys.path.insert(0, tests)
    import paintover
    from paintover import command
    from traces import traces

    registered = traces()
    paintover.unregister()
    before = traces()
    for _ in range(times):
        paintover.register()
        now = traces()
        assert now == registered, {name: [now[name], registered[name]] for name in now if now[name] != registered[name]}
        assert len(command._registered) == 1
        paintover.unregister()
        assert command._registered == []
    after = traces()
    changed = [name for name in before if before[name] != registered[name]]
    return [changed, {name: [before[name], after[name]] for name in before if before[name] != after[name]}]


def test_registering_twenty_times_leaves_nothing_behind(blender):
    changed, left = blender(cycles, TESTS, 20)
    assert left == {}
    assert {"classes", "operators", "handlers", "properties", "previews"} <= set(changed)  # the test can see


def worked(tests, picture):
    """A backend that was started, and a picture that was shown, go when the add-on goes."""
    import sys
    from pathlib import Path

    sys.path.insert(0, tests)
    import bpy
    import paintover
    from paintover import jobs, pictures
    from traces import traces

    paintover.unregister()
    before = traces()
    paintover.register()
    image = bpy.data.images.new("painted", 8, 4)
    image.filepath_raw = picture
    image.file_format = "PNG"
    image.save()
    bpy.data.images.remove(image)
    assert pictures.icon(Path(picture)) == 0  # not read while drawing
    pictures._read_waiting()
    shown = tuple(pictures._icons[picture].image_size)
    version = jobs.backend().submit("info", {}).wait(60)["protocol"]
    assert jobs.session.backend.alive
    paintover.unregister()
    assert jobs.session.backend is None
    after = traces()
    return [list(shown), version, {name: [before[name], after[name]] for name in before if before[name] != after[name]}]


def test_work_leaves_nothing_behind_either(blender, tmp_path, monkeypatch):
    monkeypatch.setenv("PAINTOVER_PYTHON", sys.executable)
    assert blender(worked, TESTS, tmp_path / "painted.png") == [[8, 4], 1, {}]


QUIT = """
import os, signal, sys, time
sys.path.insert(0, {staged!r})
import bpy, paintover
paintover.register()
from paintover import jobs
ticket = jobs.backend().submit("learn", {{}})
while not ticket.poll():
    time.sleep(0.01)
print("working", flush=True)
{ending}
"""
ENDINGS = {
    "the script ends": ("", 0),
    "the artist quits": ("bpy.ops.wm.quit_blender()", 0),
    "the program leaves at once": ("os._exit(3)", 3),
    "the program is killed": ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
}


@pytest.mark.parametrize("how", ENDINGS)
def test_quitting_leaves_no_process_however_it_comes_while_a_look_is_learned(blender, tmp_path, how):
    ending, code = ENDINGS[how]
    if blender.kind == "bpy" and not code:
        pytest.skip("the bpy wheel crashes or hangs on its way out, whoever has registered something")
    worker = tmp_path / "worker"
    worker.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{TESTS / 'peers' / 'worker.py'}'\n")
    worker.chmod(0o755)
    script = tmp_path / "quit.py"
    script.write_text(QUIT.format(staged=str(blender.folder), ending=ending))
    profile = blender.folder / "profile"
    own = {"BLENDER_USER_RESOURCES": str(profile), "PAINTOVER_PYTHON": str(worker), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [*blender.command, str(script)],
        env=os.environ | own,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as program:
        while "working" not in (line := program.stdout.readline()):
            assert line, "it ended before it worked"
        assert any("worker.py" in command for command in processes_of(profile))  # the test can see
        said = program.stdout.read()
    assert program.returncode == code, said
    end = time.monotonic() + 5
    while (left := processes_of(profile)) and time.monotonic() < end:
        time.sleep(0.05)
    assert left == []


def descriptions():
    import bpy

    found = {}
    for name in dir(bpy.ops.paintover):
        kind = getattr(bpy.ops.paintover, name).get_rna_type()
        found[name] = [
            kind.name,
            kind.description,
            sorted(getattr(getattr(bpy.types, kind.identifier), "bl_options", ())),
        ]
    return found


def in_menu():
    from paintover.menus import GROUPS

    return sorted(name for group in GROUPS for name in group)


def test_every_operator_says_what_it_does_and_stands_in_the_menu_where_f3_finds_it(blender):
    found = blender(descriptions)
    # The little cross beside a message, work whose window was closed, remedies.
    unseen = {"dismiss_message", "follow_job", "show_preferences", "show_network"}
    for name, (label, description, options) in found.items():
        assert label and label[0].isupper() and len(description) > 20, name
        assert ("INTERNAL" in options) == (name in unseen)
    assert blender(in_menu) == sorted(set(found) - unseen)


def remedies():
    from paintover.backend.errors import PaintoverError

    kinds = [PaintoverError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return sorted({kind.action.removeprefix("paintover.") for kind in kinds if kind.action})


def test_every_remedy_is_an_operator(blender):
    actions = set(blender(remedies))
    assert {"install_backend", "show_network"} < actions <= set(blender(descriptions))


def test_the_start_loads_nothing_heavy(blender_script):
    blender_script("start.py", TESTS.parent)


def test_the_client_needs_neither_blender_nor_torch():
    code = "import sys, addon.client; assert not {'bpy', 'torch'} & set(sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=TESTS.parent, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
