"""A look applied to a shot, through its verb: what is made, kept, made again, and said."""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slide
from doing import do

from backend import images
from backend.errors import Cancelled, UsageError
from backend.job import Job
from backend.shot import Shot


def styled(path: Path) -> np.ndarray[Any, np.dtype[np.float32]]:
    return Shot.open(path.parent).view.to_display(np.ascontiguousarray(images.read_exr(path)[..., :3]))


def check_same(whole: Path, other: Path) -> None:
    """Every frame of the one folder, of which there are some, is in the other to the byte."""
    frames = list(whole.iterdir())
    assert frames
    for path in frames:
        assert path.read_bytes() == (other / path.name).read_bytes(), path.name


def test_a_look_makes_every_frame_look_like_the_painting(sliding: Path, sliding_look: Path, tmp_path: Path) -> None:
    shot = Shot.open(sliding / "shot")
    result = do("look.apply", shot=shot.folder, look=sliding_look, out=tmp_path)
    assert [Path(path).name for path in result["written"]] == [shot.path(frame).name for frame in shot.frames]
    for frame in shot.frames:
        truth = slide.painted(frame)[..., :3] / 255.0
        error = np.abs(styled(tmp_path / shot.path(frame).name) - truth).mean()
        render = shot.view.to_display(np.ascontiguousarray(shot.read(frame, ["beauty"])["beauty"][..., :3]))
        assert error < 0.25 * np.abs(render - truth).mean(), f"frame {frame}"


def test_the_painted_frame_is_kept_nearly_as_it_was_painted(sliding: Path, sliding_look: Path, tmp_path: Path) -> None:
    do("look.apply", shot=sliding / "shot", look=sliding_look, out=tmp_path, frames=[2, 2])
    assert np.abs(styled(tmp_path / "slide_0002.exr") - slide.painted(2)[..., :3] / 255.0).mean() < 0.02


def test_a_stopped_batch_goes_on_and_ends_with_the_same_bytes(
    sliding: Path, sliding_look: Path, tmp_path: Path
) -> None:
    do("look.apply", shot=sliding / "shot", look=sliding_look, out=tmp_path / "whole")

    class Stopped(Job):
        def progress(self, fraction: float, message: str, **numbers: Any) -> None:
            super().progress(fraction, message, **numbers)
            if fraction > 0.4:
                self.cancel()

    with pytest.raises(Cancelled):
        do("look.apply", Stopped(), shot=sliding / "shot", look=sliding_look, out=tmp_path / "parts")
    made = sorted(path.name for path in (tmp_path / "parts").iterdir())
    assert 0 < len(made) < 6
    (tmp_path / "parts" / made[0]).write_bytes(b"not a frame")
    rest = do("look.apply", shot=sliding / "shot", look=sliding_look, out=tmp_path / "parts")
    assert len(rest["skipped"]) == len(made) - 1
    check_same(tmp_path / "whole", tmp_path / "parts")


def test_no_frame_is_read_twice_but_where_the_way_turns(
    sliding: Path, sliding_look: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []

    def noted(shot: Shot, number: int, names: Sequence[str]) -> dict[str, images.FloatImage]:
        read.append(number)
        return whole(shot, number, names)

    whole = Shot.read
    monkeypatch.setattr(Shot, "read", noted)
    do("look.apply", shot=sliding / "shot", look=sliding_look, out=tmp_path / "from 2 on", frames=[2, 6])
    assert sorted(read) == [2, 3, 4, 5, 6]
    read.clear()
    do("look.apply", shot=sliding / "shot", look=sliding_look, out=tmp_path / "all")
    assert sorted(read) == [1, 2, 2, 2, 3, 4, 5, 6]  # on from the painted frame, and back from it and its picture


def test_frame_by_frame_equals_the_whole_range(sliding: Path, sliding_look: Path, tmp_path: Path) -> None:
    """As it is done while Blender renders."""
    do("look.apply", shot=sliding / "shot", look=sliding_look, out=tmp_path / "whole", frames=[2, 6])
    for frame in range(2, 7):
        do("look.apply", shot=sliding / "shot", look=sliding_look, out=tmp_path / "single", frames=[frame, frame])
    check_same(tmp_path / "whole", tmp_path / "single")


def test_a_frame_is_made_again_when_its_render_or_look_is_newer(
    sliding: Path, sliding_look: Path, tmp_path: Path
) -> None:
    shot = shutil.copytree(sliding / "shot", tmp_path / "shot")
    do("look.apply", shot=shot, look=sliding_look, out=tmp_path / "out")
    (shot / "slide_0003.exr").touch()
    os.utime(shot / "slide_0005.exr", (0, 0))  # rendered elsewhere long ago, and brought here just now
    assert [Path(p).name for p in do("look.apply", shot=shot, look=sliding_look, out=tmp_path / "out")["written"]] == [
        "slide_0003.exr",
        "slide_0005.exr",
    ]


def test_the_renders_are_not_painted_over(sliding: Path, sliding_look: Path, tmp_path: Path) -> None:
    shot = shutil.copytree(sliding / "shot", tmp_path / "shot")
    before = {path.name: path.read_bytes() for path in shot.iterdir()}
    with pytest.raises(UsageError, match="own frames"):
        do("look.apply", shot=shot, look=sliding_look, out=tmp_path / "out" / ".." / "shot")
    assert {path.name: path.read_bytes() for path in shot.iterdir()} == before


def test_paint_that_lies_only_beside_something_nearer_is_no_harm(sliding: Path, tmp_path: Path) -> None:
    """What strokes of the card may overhang is laid nowhere else: here that is all the paint there is."""
    painting = slide.painted(2)
    card = slide.card(2, *slide.SIZE)
    painting[..., 3] = np.where(~card & (np.roll(card, 1, 1) | np.roll(card, -1, 1)), 255, 0)
    images.write_png(tmp_path / "2.png", painting)
    look = tmp_path / "thin.look"
    do("look.train", shot=sliding / "shot", paint={"2": tmp_path / "2.png"}, out=look, steps=2)
    assert len(do("look.apply", shot=sliding / "shot", look=look, out=tmp_path / "out")["written"]) == 6


def test_another_look_makes_the_frames_again_though_they_are_newer(
    sliding: Path, sliding_look: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.look"
    do("look.train", shot=sliding / "shot", paint={"2": sliding / "2.png"}, out=other, steps=2)
    do("look.apply", shot=sliding / "shot", look=sliding_look, out=tmp_path / "out")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    do("look.apply", shot=sliding / "shot", look=other, out=tmp_path / "out")
    assert len(do("look.apply", shot=sliding / "shot", look=sliding_look, out=tmp_path / "out")["written"]) == 6
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_a_frame_rendered_again_is_read_again(sliding: Path, sliding_look: Path, tmp_path: Path) -> None:
    """The same backend styles the same frame twice, as when an artist presses F12 again."""
    shot = shutil.copytree(sliding / "shot", tmp_path / "shot")
    do("look.apply", shot=shot, look=sliding_look, out=tmp_path / "out", frames=[4, 4])
    shutil.copy(shot / "slide_0006.exr", shot / "slide_0004.exr")
    do("look.apply", shot=shot, look=sliding_look, out=tmp_path / "out", frames=[4, 4])
    do("look.apply", shot=shot, look=sliding_look, out=tmp_path / "fresh", frames=[4, 4])
    names = [tmp_path / kind / "slide_0004.exr" for kind in ("out", "fresh")]
    assert names[0].read_bytes() == names[1].read_bytes()


def test_a_painted_frame_that_is_rendered_later_is_painted(sliding: Path, sliding_look: Path, tmp_path: Path) -> None:
    shot = slide.write_shot(tmp_path / "shot", 1)
    for frame in range(1, 4):
        shutil.copy(sliding / "shot" / f"slide_{frame:04d}.exr", shot)
        do("look.apply", shot=shot, look=sliding_look, out=tmp_path / "out", frames=[frame, frame])
    assert np.abs(styled(tmp_path / "out" / "slide_0002.exr") - slide.painted(2)[..., :3] / 255.0).mean() < 0.02
    # And what was styled before it came gets its paint too.
    assert [Path(p).name for p in do("look.apply", shot=shot, look=sliding_look, out=tmp_path / "out")["written"]] == [
        "slide_0001.exr"
    ]
    do("look.apply", shot=shot, look=sliding_look, out=tmp_path / "whole")
    check_same(tmp_path / "whole", tmp_path / "out")


def test_paint_holds_where_the_render_is_still_what_was_painted_over(
    sliding: Path, sliding_look: Path, tmp_path: Path
) -> None:
    """The card was moved after painting: where it was there is no ghost of it, and where it is it is painted."""
    shot = shutil.copytree(sliding / "shot", tmp_path / "shot")
    shutil.copy(shot / "slide_0005.exr", shot / "slide_0002.exr")
    assert do("look.apply", shot=shot, look=sliding_look, out=tmp_path / "out", frames=[2, 2])["dropped"] == []
    truth, ghost = (slide.painted(frame)[..., :3] / 255.0 for frame in (5, 2))
    made, moved = styled(tmp_path / "out" / "slide_0002.exr"), np.abs(truth - ghost).max(-1) > 0.2
    assert moved.mean() > 0.02
    assert np.abs(made - truth)[moved].mean() < 0.4 * np.abs(ghost - truth)[moved].mean()
    assert np.abs(made - truth)[~moved].mean() < 0.03


def test_paint_is_kept_as_it_was_painted_when_the_exposure_changes(
    sliding: Path, sliding_look: Path, tmp_path: Path
) -> None:
    shot = shutil.copytree(sliding / "shot", tmp_path / "shot")
    view = {"view": {"exposure": 0.5}}
    (shot / "shot.json").write_text(json.dumps({"format": 1, "name": "slide"} | view), encoding="utf-8")
    assert do("look.apply", shot=shot, look=sliding_look, out=tmp_path / "out", frames=[2, 2])["dropped"] == []
    shown = Shot.open(shot).view.to_display(images.read_exr(tmp_path / "out" / "slide_0002.exr"))[..., :3]
    assert np.abs(shown - slide.painted(2)[..., :3] / 255.0).mean() < 0.02


def test_paintings_that_do_not_fit_the_shot_are_named(sliding_look: Path, tmp_path: Path) -> None:
    shot = slide.write_shot(tmp_path / "shot", 3, width=48, height=32)
    assert do("look.apply", shot=shot, look=sliding_look, out=tmp_path / "out")["dropped"] == [2]


def test_a_painted_frame_that_is_rendered_again_is_painted_again_with_all_that_draw_on_it(
    sliding: Path, sliding_look: Path, tmp_path: Path
) -> None:
    shot = shutil.copytree(sliding / "shot", tmp_path / "shot")
    do("look.apply", shot=shot, look=sliding_look, out=tmp_path / "out")
    (shot / "slide_0002.exr").touch()
    assert len(do("look.apply", shot=shot, look=sliding_look, out=tmp_path / "out")["written"]) == 6


def test_a_frame_that_was_tried_alone_is_made_again_with_the_others(
    sliding: Path, sliding_look: Path, tmp_path: Path
) -> None:
    asked = {"shot": sliding / "shot", "look": sliding_look}
    do("look.apply", **asked, out=tmp_path / "whole")
    do("look.apply", **asked, out=tmp_path / "out", frames=[4, 4])
    assert do("look.apply", **asked, out=tmp_path / "out", frames=[4, 5])["skipped"] == [4]
    assert do("look.apply", **asked, out=tmp_path / "out")["skipped"] == [5]
    assert do("look.apply", **asked, out=tmp_path / "out")["written"] == []
    names = [tmp_path / kind / "slide_0004.exr" for kind in ("out", "whole")]
    assert names[0].read_bytes() == names[1].read_bytes()


def test_frames_beyond_a_gap_are_named(sliding: Path, sliding_look: Path, tmp_path: Path) -> None:
    shot = shutil.copytree(sliding / "shot", tmp_path / "shot")
    gone = (shot / "slide_0004.exr").rename(tmp_path / "slide_0004.exr")
    asked = {"shot": shot, "look": sliding_look, "out": tmp_path / "out"}
    assert do("look.apply", **asked, frames=[5, 6])["unreached"] == [5, 6]
    assert do("look.apply", **asked, frames=[1, 3])["unreached"] == []
    gone.rename(shot / gone.name)
    again = do("look.apply", **asked)
    assert again["unreached"] == [] and len(again["written"]) == 3


def test_no_paint_goes_over_a_cut_to_another_camera(sliding: Path, sliding_look: Path, tmp_path: Path) -> None:
    shot = shutil.copytree(sliding / "shot", tmp_path / "shot")
    asked = {"shot": shot, "look": sliding_look}
    assert do("look.apply", **asked, out=tmp_path / "one")["unreached"] == []
    (shot / "shot.json").write_text(json.dumps({"format": 1, "name": "slide", "cuts": [4]}), encoding="utf-8")
    assert do("look.apply", **asked, out=tmp_path / "two")["unreached"] == [4, 5, 6]
    (shot / "slide_0003.exr").unlink()
    do("look.apply", **asked, out=tmp_path / "gap")
    for frame in (1, 2, 4, 5, 6):
        one, two, gap = ((tmp_path / out / f"slide_{frame:04d}.exr") for out in ("one", "two", "gap"))
        assert (styled(one) == styled(two)).all() == (frame < 4), frame
        assert (styled(two) == styled(gap)).all(), frame


@pytest.fixture(scope="module")
def crossing_look(sliding: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of two painted frames."""
    look = tmp_path_factory.mktemp("crossing") / "two.look"
    paint_ = {"2": sliding / "2.png", "5": sliding / "5.png"}
    do("look.train", shot=sliding / "shot", paint=paint_, out=look, steps=30)
    return look


def test_frames_that_close_the_way_between_two_paintings_show_both(
    sliding: Path, crossing_look: Path, tmp_path: Path
) -> None:
    """They come one by one, when the painted ones have been there for long."""
    shot = slide.write_shot(tmp_path / "shot", 1)
    for frame in (2, 5, 3, 4):
        shutil.copy2(sliding / "shot" / f"slide_{frame:04d}.exr", shot)
        do("look.apply", shot=shot, look=crossing_look, out=tmp_path / "out", frames=[frame, frame])
    for kind in ("out", "whole"):
        do("look.apply", shot=shot, look=crossing_look, out=tmp_path / kind)
    check_same(tmp_path / "whole", tmp_path / "out")


@pytest.mark.parametrize("missing", [4, 2])
def test_frame_by_frame_equals_the_whole_across_a_gap_and_without_a_painting(
    sliding: Path, sliding_look: Path, tmp_path: Path, missing: int
) -> None:
    shot = shutil.copytree(sliding / "shot", tmp_path / "shot")
    (shot / f"slide_{missing:04d}.exr").unlink()
    do("look.apply", shot=shot, look=sliding_look, out=tmp_path / "whole")
    for frame in (frame for frame in (2, 3, 1, 4, 5, 6) if frame != missing):
        do("look.apply", shot=shot, look=sliding_look, out=tmp_path / "single", frames=[frame, frame])
    assert {path.name for path in (tmp_path / "whole").iterdir()} == {path.name for path in shot.iterdir()}
    check_same(tmp_path / "whole", tmp_path / "single")


def test_paint_is_there_again_when_something_has_passed(tmp_path: Path) -> None:
    """The card slides over wall that was painted, and on: a look that has learned nothing shows what is kept."""
    shot, painting, look = slide.write_shot(tmp_path / "shot", frames=30), tmp_path / "1.png", tmp_path / "a.look"
    images.write_png(painting, slide.painted(1))
    do("look.train", shot=shot, paint={"1": painting}, out=look, steps=1)
    do("look.apply", shot=shot, look=look, out=tmp_path / "out")
    passed = np.all([~slide.card(frame, *slide.SIZE) for frame in (1, 30)], 0) & slide.card(15, *slide.SIZE)
    passed[:, :-8] &= passed[:, 8:]  # not beside the card, whose paint may overhang
    passed[:, 8:] &= passed[:, :-8]
    assert passed.sum() > 100
    off = np.abs(styled(tmp_path / "out" / "slide_0030.exr") * 255 - slide.painted(1)[..., :3])
    assert np.median(off[passed]) < 2


def test_two_paintings_cross_fade(sliding: Path, crossing_look: Path, tmp_path: Path) -> None:
    do("look.apply", shot=sliding / "shot", look=crossing_look, out=tmp_path / "out", frames=[1, 3])
    do("look.apply", shot=sliding / "shot", look=crossing_look, out=tmp_path / "out")
    for frame in (2, 3, 4, 5):
        error = np.abs(styled(tmp_path / "out" / f"slide_{frame:04d}.exr") - slide.painted(frame)[..., :3] / 255.0)
        assert np.median(error) < 0.02
    assert all(path.suffix == ".exr" for path in (tmp_path / "out").iterdir())  # what waited on the disk has no name


def test_what_one_painting_leaves_open_the_next_one_paints(sliding: Path, tmp_path: Path) -> None:
    """On the painted frame itself too, where the next painting does not fade in yet."""
    shutil.copy2(sliding / "5.png", tmp_path / "5.png")
    pixels = slide.painted(2).copy()
    pixels[:, :40, 3] = 0
    images.write_png(tmp_path / "2.png", pixels)
    paint_ = {"2": tmp_path / "2.png", "5": tmp_path / "5.png"}
    do("look.train", shot=sliding / "shot", paint=paint_, out=tmp_path / "two.look", steps=30)
    do("look.apply", shot=sliding / "shot", look=tmp_path / "two.look", out=tmp_path / "out")
    for frame in (2, 3):
        error = np.abs(styled(tmp_path / "out" / f"slide_{frame:04d}.exr") - slide.painted(frame)[..., :3] / 255.0)
        assert np.median(error[:, :40]) < 0.05
