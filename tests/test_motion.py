"""Motion: tracks and rest poses against a shot whose motion is known exactly."""

from pathlib import Path

import numpy as np
import pytest
import slide
import torch

from backend.look import guides
from backend.look.carry import Source, StyledFrame, Walk, history, towards
from backend.shot import Shot


@pytest.fixture(scope="module")
def shot(tmp_path_factory: pytest.TempPathFactory) -> Shot:
    return Shot.open(slide.write_shot(tmp_path_factory.mktemp("motion") / "slide"))


def walked(shot: Shot, start: int, end: int, every: int = 1) -> Walk:
    walk = Walk(start, guides.read_motion(shot, start), every)
    for number in towards(shot, start, end):
        walk.step(number, guides.read_motion(shot, number))
    return walk


@pytest.mark.parametrize(("start", "end"), [(1, 5), (5, 1), (3, 4)])
def test_a_track_leads_to_the_same_surface(shot: Shot, start: int, end: int) -> None:
    walk = walked(shot, start, end)
    on_card = slide.card(end, shot.width, shot.height)
    valid = walk.track.valid[0].numpy() > 0
    flow = walk.track.flow.numpy()
    assert np.allclose(flow[0][on_card & valid], slide.SPEED * (start - end), atol=1e-4)
    assert np.allclose(flow[:, ~on_card & valid], 0, atol=1e-4)


def test_what_was_hidden_is_not_valid(shot: Shot) -> None:
    walk = walked(shot, 1, 5)
    valid = walk.track.valid[0].numpy() > 0
    uncovered = slide.card(1, shot.width, shot.height) & ~slide.card(5, shot.width, shot.height)
    assert not valid[uncovered].any()
    assert valid.mean() > 0.8


@pytest.mark.parametrize("every", [1, 2, 3])
@pytest.mark.parametrize(("start", "end"), [(1, 6), (6, 2)])
def test_rest_coordinates_stick_to_moving_objects(shot: Shot, start: int, end: int, every: int) -> None:
    walk = walked(shot, start, end, every)
    truth = slide.rest(end, shot.width, shot.height)
    truth[..., 0] += slide.SPEED * start * slide.PIXEL * slide.card(end, shot.width, shot.height)
    assert np.abs(walk.rest.rest - truth[::every, ::every]).max() < 0.02 * slide.PIXEL


def test_a_gap_in_the_shot_ends_the_way(tmp_path: Path) -> None:
    folder = slide.write_shot(tmp_path / "gap")
    (folder / "slide_0004.exr").unlink()
    shot = Shot.open(folder)
    assert towards(shot, 1, 6) == [2, 3]
    assert towards(shot, 6, 1) == [5]


def test_paint_that_overhangs_an_edge_is_not_left_behind(shot: Shot) -> None:
    """Beside the card the wall carries the edge of the card's paint: not where the card has gone from, nor for long."""
    key, now = guides.read(shot, 1, shot.view, None), guides.read(shot, 5, shot.view, None)
    walk = walked(shot, 1, 5)
    painted = StyledFrame.painted(1, key.display, torch.cat([key.display, torch.ones_like(key.alpha)]))
    trusted = history([Source(1.0, painted, walk.track)], None, now)[3] > 0.9
    before, after = slide.card(1, shot.width, shot.height), slide.card(5, shot.width, shot.height)
    left, row = int(before.nonzero()[1].min()), shot.height // 2
    assert not trusted[row, left - 3 : left].any()
    assert trusted[row, : left - 8].all() and trusted[row, after[row].nonzero()[0][1:-1]].all()

    # The last output is beside every edge that moves, on both sides of the card, as paint that may not be the wall's.
    assert walk.step_back is not None
    last = StyledFrame.made(4, guides.read_display(shot, 4), guides.read_display(shot, 4))
    trusted = history([], Source(1.0, last, walk.step_back), now)[3] > 0.9
    left, right = (int(end) for end in (after[row].nonzero()[0].min(), after[row].nonzero()[0].max()))
    assert not trusted[row, left - 3 : left].any() and not trusted[row, right + 1 : right + 4].any()
    assert trusted[row, : left - 12].all() and trusted[row, left + 1 : right].all()
