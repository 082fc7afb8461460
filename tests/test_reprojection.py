"""What was hidden on the way from a key frame is tied to it again: a card flies past a wall and the sky, exactly."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from backend.look.carry import Walk
from backend.look.guides import Motion
from backend.look.reprojection import Found, Reprojection, Seen

Floats = NDArray[np.float64]

WIDTH, HEIGHT, FOCAL = 120, 80, 100.0
MIDDLE = np.array([WIDTH / 2, HEIGHT / 2])[:, None]
END = 12
SKY, WALL, CARD, POST = 0, -1, 2, 3


def camera(number: int) -> tuple[Floats, Floats]:
    """The camera turns and walks: what takes the world's directions to its own, and where it stands."""
    turned = 0.006 * number
    turn = np.array([[np.cos(turned), 0, -np.sin(turned)], [0, 1, 0], [np.sin(turned), 0, np.cos(turned)]])
    return turn, np.array([[0.05 * number], [0.02 * number], [0.1 * number]])


def flies(number: int) -> Floats:
    return np.array([[-1.7 + 0.28 * number], [0], [0]])


def width(number: int, stretch: float) -> float:
    """Of the card: at the END as at first."""
    return 1 + stretch * float(np.sin(np.pi * number / END))


class Scene:
    """A frame of N pixels: ``name`` (N) of what each shows at a random point of it, ``place`` (2, N), and where in the
    world that is, ``point`` (3, N); of the sky only its direction. The card may ``stretch`` on the way, and passes
    behind a post; along the wall runs a ``belt`` of so many metres a frame.
    """

    def __init__(self, number: int, stretch: float = 0.0, belt: float = 0.0) -> None:
        self.number, self.stretch, self.belt = number, stretch, belt
        rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].reshape(2, -1)
        random = np.random.default_rng(number)
        self.place = np.stack([columns, rows]) + random.uniform(-0.5, 0.5, (2, columns.size))
        turn, stands = camera(number)
        rays = turn.T @ np.concatenate([(self.place - MIDDLE) / FOCAL, np.ones((1, columns.size))])
        post, card, wall = (stands + rays * (depth - stands[2]) / rays[2] for depth in (3, 5, 10))
        x, y, _ = np.abs(card - flies(number))
        shown = [np.abs(post[0] - 0.9) < 0.12, (x < width(number, stretch)) & (y < 1.5), wall[0] < 2 + wall[1]]
        self.name = np.select(shown, [POST, CARD, WALL], SKY)
        self.point = np.select(shown, [post, card, wall], rays)

    @property
    def on_belt(self) -> NDArray[np.bool_]:
        return (self.name == WALL) & (np.abs(self.point[1]) < 1)

    def place_in(self, number: int) -> Floats:
        """Where another frame has what this one shows: (2, N)."""
        turn, stands = camera(number)
        then = self.point - flies(self.number)
        then[0] *= width(number, self.stretch) / width(self.number, self.stretch)
        point = np.where(self.name == CARD, then + flies(number), self.point)
        point[0] += self.on_belt * self.belt * (number - self.number)
        across, down, depth = turn @ np.where(self.name == SKY, point, point - stands)
        return FOCAL * np.stack([across, down]) / depth + MIDDLE

    def motion(self, away: float) -> Motion:
        """``away``: where the world's origin is, so many metres from here."""
        position = np.where(self.name == SKY, 0, self.point + away).astype(np.float32)
        flow = [self.place_in(self.number + side) - self.place for side in (-1, 1)]
        return Motion(
            position.reshape(3, HEIGHT, WIDTH).transpose(1, 2, 0),
            self.name.reshape(HEIGHT, WIDTH).astype(np.int32),
            torch.from_numpy(np.concatenate(flow).astype(np.float32).reshape(4, HEIGHT, WIDTH)),
        )


def walked(
    mended: bool, stretch: float = 0.0, belt: float = 0.0, away: float = 0.0
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Which pixels of the last frame have a track (N) to the first, and their flow (2, N)."""
    walk = Walk(0, Scene(0, stretch, belt).motion(away))
    first = Reprojection(walk)
    for number in range(1, END + 1):
        walk.step(number, Scene(number, stretch, belt).motion(away))
        if mended:
            first.mend(walk)
    return walk.track.valid.numpy().ravel() > 0, walk.track.flow.flatten(1).numpy()


@pytest.mark.parametrize("name", [SKY, WALL, CARD])
def test_what_was_hidden_on_the_way_is_found_again(name: int) -> None:
    first, last = Scene(0), Scene(END)
    there = last.place_in(0)
    column, row = there.round().astype(int)
    inside = (column > 0) & (column < WIDTH - 1) & (row > 0) & (row < HEIGHT - 1) & (last.name == name)
    around = np.zeros((9, inside.size), int)
    names = first.name.reshape(HEIGHT, WIDTH)
    steps = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    around[:, inside] = [names[row[inside] + down, column[inside] + right] for down, right in steps]
    whole = F.max_pool2d(torch.from_numpy(last.name != name).reshape(1, HEIGHT, WIDTH).float(), 3, 1, 1).numpy() == 0
    shown, hidden = inside & (around == name).all(0) & whole.ravel(), inside & (around != name).all(0)

    lost = shown & ~walked(mended=False)[0]
    assert lost.sum() > 50
    valid, flow = walked(mended=True)
    off = np.linalg.norm(flow - (there - last.place), axis=0)
    assert valid[shown].mean() > 0.97 and np.median(off[lost]) < 0.1 and np.quantile(off[valid & shown], 0.99) < 0.5
    assert not valid[hidden].any()
    assert name != WALL or (hidden.sum() > 50 and np.median(off[hidden]) < 0.1)


def test_far_from_the_worlds_origin_paint_is_found_as_exactly() -> None:
    """A pixel of the wall is 0.1 m wide here: so many of them away as 6 km are where it is 3 mm, as in large frames."""
    last = Scene(END)
    (valid, flow), (without, _) = walked(mended=True, away=2e5), walked(mended=False, away=2e5)
    found = valid & ~without & (last.name == WALL)
    off = np.linalg.norm(flow - (last.place_in(0) - last.place), axis=0)
    assert found.sum() > 300 and np.median(off[found]) < 0.1


def test_what_changed_its_shape_meanwhile_is_left_alone() -> None:
    """When it is as it was at first, all of its paint would leap back into place at once."""
    card = Scene(END, 0.4).name == CARD
    (with_it, _), (without, _) = (walked(mended, stretch=0.4) for mended in (True, False))
    assert card.sum() > 500 and np.array_equal(with_it[card], without[card])


def test_what_slides_along_itself_is_not_what_was_there() -> None:
    """The belt is of one object with the wall, and lies where the wall would: but it was another piece of it."""
    moving = Scene(END, belt=0.1).on_belt
    (with_it, _), (without, _) = (walked(mended, belt=0.1) for mended in (True, False))
    assert moving.sum() > 300 and (with_it & ~without)[moving].mean() < 0.02
    assert (with_it & ~without)[~moving].sum() > 100


def seen(depth: Floats) -> Seen:
    """What the first camera sees of one object, at a ``depth`` (H, W)."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    rays = np.stack([(columns - MIDDLE[0]) / FOCAL, (rows - MIDDLE[1]) / FOCAL, np.ones_like(depth)])
    position = (rays * depth).astype(np.float32)
    motion = Motion(position.transpose(1, 2, 0), np.full(depth.shape, WALL, np.int32), torch.empty(0))
    return Seen(Walk(0, motion))


def shown(frame: Seen, column: int, depth: float, eye: float) -> bool:
    """Whether it shows what is in its row 30 there, seen from that depth."""
    place = np.array([[column + 0.4], [30.4]])
    position = np.concatenate([(place - MIDDLE) / FOCAL, [[1]]]) * depth
    (answer,) = frame.shows(Found(place, position, np.array([[0], [0], [eye]])), np.array([WALL]))
    return bool(answer)


def test_the_other_side_is_not_what_was_painted() -> None:
    leaning = seen(np.tile(np.linspace(9, 11, HEIGHT)[:, None], (1, WIDTH)))
    depth = float(np.interp(30.4, range(HEIGHT), np.linspace(9, 11, HEIGHT)))
    assert shown(leaning, 50, depth, eye=0) and shown(leaning, 50, depth, eye=5)
    assert not shown(leaning, 50, depth, eye=40) and not shown(leaning, 50, depth + 1, eye=0)


def test_at_an_edge_only_what_is_nearer_is_shown() -> None:
    step = seen(np.tile(np.where(np.arange(WIDTH) < 60, 5.0, 10.0), (HEIGHT, 1)))
    assert shown(step, 80, 10, eye=0) and shown(step, 40, 5, eye=0)
    assert not shown(step, 59, 10, eye=0)


def test_a_surface_behind_the_first_camera_harms_nothing() -> None:
    """The camera steps back: the floor it stood on comes into view, of one object with the wall."""

    def frame(number: int) -> Motion:
        rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].reshape(2, -1)
        rays = np.concatenate([(np.stack([columns, rows]) - MIDDLE) / FOCAL, np.ones((1, columns.size))])
        stands = np.array([[0.0], [0.0], [-0.5 * min(number, 6)]])
        reach = np.minimum((6 - stands[2]) / rays[2], 0.35 / np.maximum(rays[1], 1e-9))
        point = stands + rays * reach
        flow = []
        for other in (number - 1, number + 1):
            then = point - np.array([[0.0], [0.0], [-0.5 * min(max(other, 0), 6)]])
            flow.append(FOCAL * then[:2] / then[2] + MIDDLE - np.stack([columns, rows]))
        position, vector = (
            part.astype(np.float32).reshape(-1, HEIGHT, WIDTH) for part in (point, np.concatenate(flow))
        )
        names = np.full((HEIGHT, WIDTH), WALL, np.int32)
        return Motion(position.transpose(1, 2, 0), names, torch.from_numpy(vector))

    walk = Walk(0, frame(0))
    first = Reprojection(walk)
    for number in range(1, 30):
        walk.step(number, frame(number))
        first.mend(walk)
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    point = frame(29).position.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        there = FOCAL * point[..., :2] / point[..., 2:] + MIDDLE[:, 0]
    off = np.linalg.norm(walk.track.flow.permute(1, 2, 0).numpy() - (there - np.stack([columns, rows], -1)), axis=-1)
    valid = walk.track.valid[0].numpy() > 0
    assert (
        (point[..., 2] < 0).any() and valid.mean() > 0.1 and off[valid].max() < 3
    )  # near the floor flows are far from even
