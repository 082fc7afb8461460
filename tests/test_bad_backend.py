"""A backend that is not there, or not ours: what the artist reads in Blender, and the button beside it."""

import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent


def asked(tests, folder):
    """The line about the backend; what a button says that needs it; and what the panel says afterwards."""
    import sys
    from dataclasses import astuple
    from pathlib import Path

    sys.path.insert(0, tests)
    import bpy
    import tiny
    from paintover import paths, status

    scene = tiny.build(Path(folder) / "shot.blend")
    places = paths.places(scene)
    places.passes.mkdir(parents=True)
    paths.frame_path(places.passes, places.name, 1).touch()
    before = astuple(status.backend())
    try:
        bpy.ops.paintover.keyframe_suggest()
    except RuntimeError as error:
        return [before, str(error), [astuple(line) for line in status.failures()]]
    return None


def program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("way", ["none", "gone", "no Python", "another protocol"])
def test_the_artist_reads_what_is_wrong_and_has_a_button(blender, tmp_path, monkeypatch, way):
    monkeypatch.delenv("PAINTOVER_PYTHON", raising=False)
    foreign = f"#!/bin/sh\nexec '{sys.executable}' '{TESTS / 'peers' / 'broken.py'}' foreign\n"
    python, words, remedy = {
        "none": (None, "No backend is installed", "Press Install Backend"),
        "gone": (tmp_path / "nowhere", "There is no Python at", "Name another one"),
        "no Python": (program(tmp_path / "snake", "#!/bin/sh\nexit 3\n"), "cannot run the backend", "Install the"),
        "another protocol": (
            program(tmp_path / "foreign", foreign),
            "version 9.9 and speaks protocol 2, this add-on speaks protocol 1",
            "Install the backend that belongs to this add-on",
        ),
    }[way]
    if python:
        monkeypatch.setenv("PAINTOVER_PYTHON", str(python))
    button = "show_preferences" if way == "gone" else "install_backend"
    line, said, panel = blender(asked, TESTS, tmp_path)
    assert words in said and remedy in said and "Traceback" not in said
    (failure,) = panel
    assert words in failure[0] and remedy in failure[2] and failure[3] == f"paintover.{button}"
    if way in ("none", "gone"):  # known without starting anything
        assert line == failure
    else:
        assert line[0] == "Backend is ready"
