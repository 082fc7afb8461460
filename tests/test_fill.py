"""What a key frame hides is filled with its own paint, where strokes can't be foretold, against an exact shot."""

import numpy as np
import pytest
import slide
import torch
from torch import Tensor

from backend.look import guides
from backend.look.carry import Source, StyledFrame, Walk, history, towards
from backend.look.fill import HOLE, SHARE, Fill
from backend.shot import Shot

KEY = 1


@pytest.fixture(scope="module")
def shot(tmp_path_factory: pytest.TempPathFactory) -> Shot:
    """Wall and card are of one colour each: each is one kind of surface."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slide, "pattern", lambda where: np.repeat(0.5 + 0.2 * where[..., 1:2], 3, -1))
        return Shot.open(slide.write_shot(tmp_path_factory.mktemp("fill") / "slide"))


def strokes(shot: Shot) -> Tensor:
    """(3, H, W): grey grain about a bluish grey, that nothing in the passes foretells."""
    grain = torch.rand(shot.height, shot.width, generator=torch.Generator().manual_seed(0))
    return torch.stack([0.2 + 0.5 * grain, 0.2 + 0.5 * grain, 0.4 + 0.5 * grain])


def filled(shot: Shot, number: int, picture: Tensor, guess: Tensor) -> tuple[Tensor, Tensor]:
    """History (4, H, W) of the frame ``number`` before and after: frame 1 was painted as ``picture``."""
    key, now = (guides.read(shot, frame, shot.view, None) for frame in (KEY, number))
    walk = Walk(KEY, guides.read_motion(shot, KEY))
    for step in towards(shot, KEY, number):
        walk.step(step, guides.read_motion(shot, step))
    painted = StyledFrame.painted(KEY, key.display, torch.cat([picture, torch.ones_like(picture[:1])]))
    before = history([Source(1.0, painted, walk.track)], None, now)
    after = before.clone()
    Fill(painted, key, guess).complete(after, walk.track, now)
    return before, after


def bared(shot: Shot, number: int) -> Tensor:
    """(H, W): wall behind the card in the key frame, that the frame ``number`` shows."""
    before, after = (torch.from_numpy(slide.card(frame, shot.width, shot.height)) for frame in (KEY, number))
    return before & ~after


def test_what_was_hidden_gets_strokes_like_those_beside_it(shot: Shot) -> None:
    picture = strokes(shot)
    flat = picture.mean((1, 2), keepdim=True).expand_as(picture)
    before, after = filled(shot, 5, picture, flat)
    hole = bared(shot, 5)
    assert (before[3][hole] < HOLE).all()
    got = after[:, hole & (after[3] > HOLE)]
    assert got.shape[1] > 0.7 * int(hole.sum())
    assert (got[3] <= SHARE).all()
    assert ((got[2] - got[0] - 0.2).abs() < 1e-4).all()  # paint, whole pixels of it: no blends of other colours
    assert got[0].std() > 0.7 * picture[0].std()
    assert torch.equal(after[:, before[3] >= HOLE], before[:, before[3] >= HOLE])


def test_the_fill_stays_where_it_was_laid(shot: Shot) -> None:
    picture = strokes(shot)
    flat = picture.mean((1, 2), keepdim=True).expand_as(picture)
    early, late = (filled(shot, number, picture, flat)[1] for number in (4, 5))
    hole = bared(shot, 4) & bared(shot, 5)
    both = hole & (early[3] > HOLE) & (late[3] > HOLE)
    assert int(both.sum()) > 0.5 * int(hole.sum())
    assert (early[:3, both] - late[:3, both]).abs().max() < 1e-4


def test_where_the_network_foretells_the_paint_nothing_is_filled(shot: Shot) -> None:
    picture = strokes(shot)
    before, after = filled(shot, 5, picture, picture + 0.01)
    assert torch.equal(before, after)
