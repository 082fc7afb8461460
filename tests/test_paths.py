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
    monkeypatch.setattr(paths, "_PAUSE", 0.0)
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
    monkeypatch.setattr(paths, "_PAUSE", 0.0)
    put(folder, 3, 400)
    assert paths.frame_times(folder, "Shot") == {3: 400.0, 12: 100.0}
    paths.frame_path(folder, "Shot", 3).unlink()
    assert paths.frame_times(folder, "Shot") == {12: 100.0}


def test_a_disk_that_does_not_tell_of_changes_is_asked_again(tmp_path, monkeypatch):
    """As exFAT under Windows: a folder keeps the time of its making."""
    monkeypatch.setattr(paths, "_PAUSE", 0.0)
    monkeypatch.setattr(paths, "_HOLDS", 0.0)
    for frame in (1, 2):
        put(tmp_path, frame, 100)
        os.utime(tmp_path, (time.time() - 60, time.time() - 60))
        assert list(paths.frame_times(tmp_path, "Shot")) == list(range(1, frame + 1))


def test_a_slow_disk_is_left_alone_for_longer_than_it_was_read(tmp_path, monkeypatch):
    put(tmp_path, 1, 100)
    read, frames_in = [], paths.frames_in

    def slowly(*where):
        read.append(where)
        time.sleep(0.5)
        return frames_in(*where)

    monkeypatch.setattr(paths, "frames_in", slowly)
    assert list(paths.frame_times(tmp_path, "Shot")) == [1]
    put(tmp_path, 2, 100)
    assert list(paths.frame_times(tmp_path, "Shot")) == [1] and len(read) == 1
