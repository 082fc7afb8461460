"""Motion: tracks and rest poses against a shot whose motion is known exactly."""

from pathlib import Path

import numpy as np
import pytest
import slide
import torch
from numpy.typing import NDArray

from backend.look import guides
from backend.look.carry import Source, StyledFrame, Walk, history, towards
from backend.motion import RestPose, agreement, warp
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


@pytest.mark.parametrize("every", [1, 2])
def test_rest_coordinates_stick_to_what_bends(every: int) -> None:
    """A disc that bends ever more as it glides over a wall: no rigid motion explains it, and nothing of the wall may
    come into what is carried along its edge, frame after frame.
    """
    some = slice(None, None, every), slice(None, None, every)
    start, disc = bending(0)
    rest = RestPose(start[some], disc[some], every)
    for number in range(1, 21):
        before = disc
        position, disc = bending(number)
        there, back = gliding(disc, -GLIDE), gliding(before, GLIDE)
        valid = agreement(there, warp(back, there))
        rest = rest.step(position[some], disc[some], there[:, *some] / every, valid[:, *some])
    truth, _ = bending(20, as_of=0)
    off = np.linalg.norm((rest.rest - truth[some])[disc[some] == 1], axis=-1)
    assert np.median(off) < 0.5
    assert (off > 3).mean() < 0.21  # along the edge alone


GLIDE = 1.5  # pixels from frame to frame


def bending(number: int, as_of: int | None = None) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Positions (H, W, 3), in pixels, of what frame ``number`` shows, as they are then or were ``as_of`` another frame,
    and where the disc is: 1, else 0.
    """
    when = number if as_of is None else as_of
    row, column = np.mgrid[0:128, 0:192].astype(np.float32)
    x, z = column - 50 - GLIDE * number, 64 - row
    disc = x**2 + z**2 < 30**2
    on_disc = np.stack([x + GLIDE * when, 0.003 * when * x**2, z], -1)
    wall = np.stack([column - 50, np.full_like(x, 60), z], -1)
    return np.where(disc[..., None], on_disc, wall).astype(np.float32), disc.astype(np.int32)


def gliding(disc: NDArray[np.int32], speed: float) -> torch.Tensor:
    """The flow (2, H, W) of frames in which the disc moves sideways."""
    return torch.from_numpy(np.stack([speed * disc, 0 * disc])).float()


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
