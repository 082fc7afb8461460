"""An effect's frames as a picture that moves."""

import shutil

import numpy as np
import pytest
from doing import do
from effect_frames import files
from PIL import Image

from backend.effect.movie import durations
from backend.errors import Cancelled, EffectError, OutputError, ShotError, UsageError
from backend.images import read_exr, write_exr
from backend.job import Job


@pytest.mark.parametrize("ending", ["webp", "gif", "png"])
def test_a_movie_shows_every_frame(burning, tmp_path, ending):
    out = tmp_path / f"fire.{ending}"
    value = do("effect.movie", frames=burning, out=out, fps=12, width=20)
    assert (value["frames"], value["size"], value["fps"]) == (3, [20, 28], 12)
    assert files(tmp_path) == [out.name]
    with Image.open(out) as movie:
        assert movie.n_frames == 3 and movie.size == (20, 28) and movie.is_animated
        movie.seek(2)
        last = np.asarray(movie.convert("RGB")).astype(float)
    assert movie.info["duration"] == pytest.approx(1000 / 12, abs=4)
    light = read_exr(burning / "fire_0003.exr")[..., :3].sum(2).reshape(28, 2, 20, 2).mean((1, 3))
    assert np.corrcoef(last.sum(2).ravel(), light.ravel())[0, 1] > 0.8


def test_movies_refuse_what_they_cannot_be(burning, tmp_path):
    for wrong, error in (
        ({"frames": tmp_path}, EffectError),
        ({"name": "smoke"}, EffectError),
        ({"out": tmp_path / "fire.mp4"}, UsageError),
        ({"width": 400}, UsageError),
        ({"width": 0}, UsageError),
    ):
        with pytest.raises(error):
            do("effect.movie", **{"frames": burning, "out": tmp_path / "fire.webp"} | wrong)
    assert files(tmp_path) == []


@pytest.mark.parametrize("fps", [12, 24, 30, 60])
def test_movies_keep_pace(fps):
    for unit in (1, 10):
        times = durations(fps, fps, unit)
        assert sum(times) == 1000 and max(times) - min(times) <= unit


def test_what_is_too_fast_for_a_gif_is_thinned_out(burning, tmp_path):
    value = do("effect.movie", frames=burning, out=tmp_path / "fire.gif", fps=60, width=20)
    assert (value["frames"], value["fps"]) == (2, 30)
    with Image.open(tmp_path / "fire.gif") as movie:
        shown = []
        for frame in range(movie.n_frames):
            movie.seek(frame)
            shown.append(movie.info["duration"])
    assert shown == [30, 40]
    with pytest.raises(OutputError, match=r"fire\.gif cannot be written"):
        do("effect.movie", frames=burning, out=tmp_path / "fire.gif", fps=0.001, width=20)


def test_a_broken_frame_is_no_other_renders(burning, tmp_path):
    frames = shutil.copytree(burning, tmp_path / "frames")
    (frames / "fire_0001.exr").write_bytes(b"")
    with pytest.raises(ShotError, match=r"fire_0001\.exr is broken"):
        do("effect.movie", frames=frames, out=tmp_path / "fire.png")


def test_frames_of_two_renders_are_not_mixed(burning, tmp_path):
    frames = shutil.copytree(burning, tmp_path / "frames")
    last = frames / "fire_0003.exr"
    write_exr(last, read_exr(last), recipe="another")
    for asked in ({"verb": "effect.movie"}, {"verb": "effect.flipbook", "rows": 2, "columns": 2}):
        with pytest.raises(EffectError, match=r"fire_0003\.exr was made by another render"):
            do(frames=frames, out=tmp_path / "fire.png", **asked)


@pytest.mark.parametrize("asked", [{"verb": "effect.movie"}, {"verb": "effect.flipbook", "rows": 2, "columns": 2}])
def test_what_is_cancelled_leaves_nothing(burning, tmp_path, asked):
    job = Job(lambda report: job.cancel())
    with pytest.raises(Cancelled):
        do(job=job, frames=burning, out=tmp_path / "fire.png", **asked)
    assert files(tmp_path) == []


def test_of_several_effects_in_a_folder_one_is_named(burning, tmp_path):
    shutil.copytree(burning, tmp_path / "both")
    for file in burning.glob("*.exr"):
        shutil.copy(file, tmp_path / "both" / file.name.replace("fire", "fire_normal"))
    with pytest.raises(EffectError, match="frames of fire, fire_normal"):
        do("effect.movie", frames=tmp_path / "both", out=tmp_path / "fire.webp")
    assert do("effect.movie", frames=tmp_path / "both", out=tmp_path / "fire.webp", name="fire")["frames"] == 3
