"""Where frames lie, and what panels know of them."""

import os
import time

from addon import paths


def put(folder, frame, second):
    hidden = folder / ".hidden"
    hidden.touch()
    os.utime(hidden, (second, second))
    hidden.rename(paths.frame_path(folder, "Shot", frame))


def test_panels_read_a_folder_again_when_it_has_changed(tmp_path, monkeypatch):
    folder = tmp_path / "styled"
    assert paths.frame_times(folder, "Shot") == {}
    folder.mkdir()
    assert paths.frame_times(folder, "Shot") == {}
    put(folder, 12, 100)
    put(folder, 3, 200)
    (folder / "Other_0001.exr").touch()
    assert list(paths.frame_times(folder, "Shot").items()) == [(3, 200.0), (12, 100.0)]
    put(folder, 3, 300)  # at once, perhaps within a tick of the disk's clock
    assert paths.frame_times(folder, "Shot") == {3: 300.0, 12: 100.0}

    os.utime(folder, (time.time() - 60, time.time() - 60))
    assert paths.frame_times(folder, "Shot") == {3: 300.0, 12: 100.0}
    read = []
    monkeypatch.setattr(paths, "frames_in", lambda *where: read.append(where) or [])
    assert paths.frame_times(folder, "Shot") == {3: 300.0, 12: 100.0} and not read, "it has not changed"
    monkeypatch.undo()
    put(folder, 3, 400)
    assert paths.frame_times(folder, "Shot") == {3: 400.0, 12: 100.0}
    paths.frame_path(folder, "Shot", 3).unlink()
    assert paths.frame_times(folder, "Shot") == {12: 100.0}
