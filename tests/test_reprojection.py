"""What was hidden on the way from a key frame is tied to it again: a card flies past a wall and the sky, exactly."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from backend.look.carry import Walk
from backend.look.guides import Motion
from backend.look.reprojection import Reprojection

Floats = NDArray[np.float64]

WIDTH, HEIGHT, FOCAL = 120, 80, 100.0
MIDDLE = np.array([WIDTH / 2, HEIGHT / 2])[:, None]
END = 12
SKY, WALL, CARD = 0, 1, 2


def camera(number: int) -> tuple[Floats, Floats]:
    """The camera turns and walks: what takes the world's directions to its own, and where it stands."""
    turned = 0.006 * number
    turn = np.array([[np.cos(turned), 0, -np.sin(turned)], [0, 1, 0], [np.sin(turned), 0, np.cos(turned)]])
    return turn, np.array([[0.05 * number], [0.02 * number], [0.1 * number]])


def flies(number: int) -> Floats:
    return np.array([[-2.2 + 0.55 * number], [0], [0]])


def stretched(number: int, stretch: float) -> float:
    """How wide the card is: at the END as at first."""
    return 1 + stretch * float(np.sin(np.pi * number / END))


class Scene:
    """A frame of N pixels: ``name`` (N) of what each shows at a random point of it, ``place`` (2, N), and where in the
    world that is, ``point`` (3, N); of the sky only its direction. The card may ``stretch`` on the way.
    """

    def __init__(self, number: int, stretch: float = 0.0) -> None:
        self.number, self.stretch = number, stretch
        rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].reshape(2, -1)
        random = np.random.default_rng(number)
        self.place = np.stack([columns, rows]) + random.uniform(-0.5, 0.5, (2, columns.size))
        turn, stands = camera(number)
        rays = turn.T @ np.concatenate([(self.place - MIDDLE) / FOCAL, np.ones((1, columns.size))])
        card, wall = (stands + rays * (depth - stands[2]) / rays[2] for depth in (5, 10))
        x, y, _ = np.abs(card - flies(number))
        self.name = np.where(wall[0] < 2 + wall[1], WALL, SKY)
        self.name = np.where((x < stretched(number, stretch)) & (y < 1.5), CARD, self.name)
        self.point = np.select([self.name == CARD, self.name == WALL], [card, wall], rays)

    def place_in(self, number: int) -> Floats:
        """Where another frame has what this one shows: (2, N)."""
        turn, stands = camera(number)
        then = self.point - flies(self.number)
        then[0] *= stretched(number, self.stretch) / stretched(self.number, self.stretch)
        point = np.where(self.name == CARD, then + flies(number), self.point)
        across, down, depth = turn @ np.where(self.name == SKY, point, point - stands)
        return FOCAL * np.stack([across, down]) / depth + MIDDLE

    def motion(self) -> Motion:
        position = np.where(self.name == SKY, 0, self.point).astype(np.float32)
        flow = [self.place_in(self.number + side) - self.place for side in (-1, 1)]
        return Motion(
            position.reshape(3, HEIGHT, WIDTH).transpose(1, 2, 0),
            self.name.reshape(HEIGHT, WIDTH).astype(np.int32),
            torch.from_numpy(np.concatenate(flow).astype(np.float32).reshape(4, HEIGHT, WIDTH)),
        )


def walked(mended: bool, stretch: float = 0.0) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Which pixels of the last frame have a track (N) to the first, and their flow (2, N)."""
    walk = Walk(0, Scene(0, stretch).motion())
    first = Reprojection(walk)
    for number in range(1, END + 1):
        walk.step(number, Scene(number, stretch).motion())
        if mended:
            first.mend(walk)
    return walk.track.valid.numpy().ravel() > 0, walk.track.flow.flatten(1).numpy()


@pytest.mark.parametrize("name", [SKY, WALL])
def test_what_was_hidden_on_the_way_is_found_again(name: int) -> None:
    first, last = Scene(0), Scene(END)
    there = last.place_in(0)
    column, row = there.round().astype(int)
    inside = (column > 0) & (column < WIDTH - 1) & (row > 0) & (row < HEIGHT - 1)
    shown = np.zeros_like(inside)
    names = first.name.reshape(HEIGHT, WIDTH)
    around = [names[row[inside] + down, column[inside] + right] == name for down in (-1, 0, 1) for right in (-1, 0, 1)]
    shown[inside] = np.all(around, 0)
    shown &= last.name == name
    hidden = inside & (last.name == name)
    hidden[inside] &= np.all([names[row[inside], column[inside] + right] == CARD for right in (-1, 0, 1)], 0)

    lost = shown & ~walked(mended=False)[0]
    assert lost.sum() > 0.05 * shown.sum()
    valid, flow = walked(mended=True)
    off = np.linalg.norm(flow - (there - last.place), axis=0)
    assert valid[shown].mean() > 0.98 and np.median(off[lost]) < 0.1 and off[valid & shown].max() < 0.5
    assert not valid[hidden].any()
    assert name == SKY or (hidden.sum() > 50 and np.median(off[hidden]) < 0.1)


def test_what_changed_its_shape_meanwhile_is_left_alone() -> None:
    """When it is as it was at first, all of its paint would leap back into place at once."""
    card = Scene(END, 0.4).name == CARD
    assert np.array_equal(walked(mended=True, stretch=0.4)[0][card], walked(mended=False, stretch=0.4)[0][card])
