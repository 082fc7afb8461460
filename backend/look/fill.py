"""Paint for what a key frame hides: mirrored out of the nearest paint on what looks the same there.

Where something moves away, what it bares was never painted, and a small network only knows its colour, not the strokes.
Beside it there mostly is more of the same surface. Its paint is laid there in the key frame's own coordinates, so that
it is carried along the shot like all other paint and doesn't flicker.

That is right for strokes, which nobody can foretell, and wrong for lines that stand where the passes say. On the key
frame both can be tried: of independent strokes, one instead of another is off by the root of two times what their mean
is off, and a line in a wrong place by two times what no line is off.
"""

from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from ..machine import in_chunks, share_out
from ..motion import Track, places_of, sampled
from ..shot import SKY
from .carry import SAME_DEPTH, StyledFrame, fading, lay_under
from .guides import Frame

HOLE = 0.5  # of trust in what is carried: where there is less, something is missing
SHARE = 0.9  # of trust, at most: what was painted elsewhere is never as good
LEVELS = 12  # of lightness that count as different surfaces: in a shadow the paint of shadows is looked for
KINDS = 48  # surfaces that are filled in one frame, the largest
ENOUGH = 2  # times the hole: so much paint there must be for it, or a sliver of a line is spread over a wall
LEAST = 16  # pixels of a surface that are worth looking for paint
CELLS = 180  # in the height of a frame: as finely the nearest paint is looked for
TRIES = (1.0, 0.5, 0.25)  # how much of the mirrored way, until it ends on the same surface
STROKES, LINES = 1.5, 1.75  # error of borrowed paint over the network's: up to here all of it counts, from here nothing
SQUARES = 9  # in the height of a frame: a chessboard, where each colour is tried out on the other
SAMPLES = 4096  # pixels of a surface that it is tried out on
NOWHERE = -1e6

# Where the nearest paint is on a kind of surface, see ``_nearest``, its trust (0..1), and its pixels.
SurfacePaint: TypeAlias = tuple[Tensor, float, int]


class Fill:
    """The paint of one key frame, as a source for what that frame hides."""

    def __init__(self, key: StyledFrame, frame: Frame, guess: Tensor) -> None:
        """``frame``: the key frame as rendered. ``guess`` (3, H, W): what the network makes of it without history."""
        depth = torch.from_numpy(frame.depth)[None, ..., 0]
        self.key, self.guess = key, guess
        self._framed = F.pad(_kinds(frame).view(frame.height, frame.width), (1, 1, 1, 1), value=-1)
        self.kinds = self._framed[1:-1, 1:-1]
        self.cell = max(1, round(depth.shape[1] / CELLS))
        near = depth.clamp_min(1e-6).reciprocal_()
        around, reach = 4 * self.cell + 1, 2 * self.cell  # strokes overhang as far as that
        columns = F.max_pool2d(near, (around, 1), 1, (reach, 0))
        behind = F.max_pool2d(columns, (1, around), 1, (0, reach)) > SAME_DEPTH * near
        self._usable = torch.where((key.known > 0.5)[0] & ~behind[0], self.kinds, -1)
        self.names = self._usable[self._usable >= 0].unique()
        middle = self.cell // 2
        self._cells = self._usable[middle :: self.cell, middle :: self.cell]
        self._known: dict[int, SurfacePaint] = {}

    def complete(self, history: Tensor, track: Track, now: Frame) -> None:
        """Fill the holes of ``history`` (4, H, W) of the frame ``now``, which ``track`` ties to the key frame."""
        if not len(self.names):
            return
        holes = places_of(history[3].flatten().numpy() < HOLE)
        which = torch.empty_like(holes)  # of the key frame's kinds of surface

        def look(chunk: slice) -> None:
            kind = _kinds(now, holes[chunk])
            place = torch.searchsorted(self.names, kind).clamp_(max=len(self.names) - 1)
            which[chunk] = torch.where(self.names.index_select(0, place) == kind, place, len(self.names))

        in_chunks(look, len(holes))
        counts = which.bincount(minlength=len(self.names) + 1)[:-1]
        layer, trust = torch.zeros(len(counts), dtype=torch.long), torch.zeros(len(counts) + 1)
        layers: list[Tensor] = []
        largest = counts.argsort(descending=True)[:KINDS]
        for place, (nearest, worth, pixels) in self._sources(largest[counts[largest] >= LEAST].tolist()):
            trust[place] = SHARE * worth * min(1.0, pixels / (ENOUGH * int(counts[place])))
            layer[place] = len(layers)
            layers.append(nearest)
        nearest = torch.cat([*layers, torch.empty(2, 0, self._cells.shape[1])], 1)

        def lay(chunk: slice) -> None:
            some = places_of(trust.index_select(0, which[chunk]).numpy() > 0) + chunk.start
            if len(some):
                place, pixels = which.index_select(0, some), holes.index_select(0, some)
                there = torch.stack([pixels % now.width, pixels // now.width]) + _of(track.flow, pixels)
                sources = nearest, layer.index_select(0, place), self.names.index_select(0, place)
                found, sure = self._borrowed(there, *sources, _of(now.display, pixels))
                lay_under(history.flatten(1), pixels, found, sure.mul_(trust.index_select(0, place)))

        in_chunks(lay, len(holes))

    def _sources(self, places: list[int]) -> list[tuple[int, SurfacePaint]]:
        """The paint of the kinds of surface at these ``places`` among the names, each with its place."""
        new = [place for place in places if place not in self._known]

        def look(share: slice) -> None:
            for place in new[share]:
                kind = int(self.names[place])
                pixels = int((self._usable == kind).sum())
                self._known[place] = self._paint(self._cells == kind), self._worth(kind), pixels

        share_out(look, [slice(at, at + 1) for at in range(len(new))])
        return [(place, self._known[place]) for place in places]

    def _paint(self, cells: Tensor) -> Tensor:
        return _nearest(cells) * self.cell + self.cell // 2

    def _worth(self, kind: int) -> float:
        """How much better strokes from elsewhere do than the network, tried out on the key frame itself."""
        rows, columns = torch.nonzero(self._usable == kind).unbind(1)
        if len(rows) < LEAST:
            return 0.0
        some = torch.linspace(0, len(rows) - 1, min(len(rows), SAMPLES)).long()
        rows, columns = rows[some], columns[some]
        square = max(1, self.kinds.shape[0] // SQUARES)
        colour = (rows // square + columns // square) % 2
        place = [torch.arange(size) * self.cell // square for size in self._cells.shape]
        board = (place[0][:, None] + place[1]) % 2
        theirs = own = 0.0
        for side in (0, 1):
            cells = (self._cells == kind) & (board != side)
            if not bool(cells.any()):
                return 0.0
            row, column = rows[colour == side], columns[colour == side]
            there, same = torch.stack([column, row]), torch.full_like(row, kind)
            found, sure = self._borrowed(there, self._paint(cells), same * 0, same, self._shown(row, column))
            true = self.key.picture[:, row, column]
            theirs += float(((found - true).abs() * sure).sum())
            own += float(((self.guess[:, row, column] - true).abs() * sure).sum())
        return min(max((LINES - theirs / max(own, 1e-6)) / (LINES - STROKES), 0.0), 1.0)

    def _shown(self, rows: Tensor, columns: Tensor) -> Tensor:
        return self.key.display[:, rows, columns]

    def _borrowed(
        self, there: Tensor, nearest: Tensor, layer: Tensor, kind: Tensor, display: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Paint (3, N) for what is at ``there`` (2, N; column, row) hidden in the key frame, and how sure that is (N).

        ``nearest``: see ``SurfacePaint``, one ``layer`` (N) below the other. ``kind`` (N): of which surface.
        ``display`` (3, N): what the render shows of it.
        """
        height, width = self.kinds.shape
        # Between cells the nearest point moves along evenly: then what is mirrored about it hangs together.
        cell = (there - self.cell // 2) / self.cell
        cell[1].clamp_(0, len(self._cells) - 1).add_(layer * len(self._cells))
        mirror = _sampled(nearest, cell)
        kinds = self._framed.flatten()  # with a border that is nothing's kind, so that nothing outside is the same
        source, away = mirror, mirror - there
        for share in reversed(TRIES):
            far = torch.add(mirror, away, alpha=share)
            column, row = far.round().int().clamp_(min=-1)
            pixel = row.clamp_(max=height).add_(1).mul_(width + 2).add_(column.clamp_(max=width)).add_(1)
            source = torch.where(kinds.index_select(0, pixel) == kind, far, source)
        found, shown = (_sampled(x, source) for x in (self.key.picture, self.key.display))
        sure = fading((shown - display).abs().amax(0))
        return found, sure if self.key.whole else sure.mul_(_sampled(self.key.known, source)[0])


def _of(picture: Tensor, pixels: Tensor) -> Tensor:
    """(C, N): the ``pixels`` (N), counted row by row, of a ``picture`` (C, H, W)."""
    return picture.flatten(1).index_select(1, pixels)


def _kinds(frame: Frame, pixels: Tensor | None = None) -> Tensor:
    """Numbers of some ``pixels`` (N), counted row by row, or of all (H * W): those of one object that are equally light
    show one kind of surface.
    """
    objects = frame.motion.objects
    planes = [frame.display, torch.from_numpy(frame.depth).permute(2, 0, 1)]
    planes += [] if objects is None else [torch.from_numpy(objects)[None]]
    display, depth, *name = (plane.flatten(1) if pixels is None else _of(plane, pixels) for plane in planes)
    level = (display.mean(0) * LEVELS).long().clamp_(0, LEVELS - 1)
    return ((name[0][0].long() & 0xFFFFFFFF if name else 0) * 2 + (depth[0] > SKY)) * LEVELS + level


def _sampled(image: Tensor, points: Tensor) -> Tensor:
    """``image`` (C, H, W) at ``points`` (2, N), columns and rows: (C, N), bilinear."""
    size = torch.tensor([image.shape[2] - 1, image.shape[1] - 1]).clamp_min(1)[:, None]
    return sampled(image, points / size * 2 - 1)


def _nearest(seeds: Tensor) -> Tensor:
    """(2, h, w): column and row of the nearest of the ``seeds`` (h, w).

    First in each column, exactly, then of the columns' by jump flooding (Rong and Tan 2006), which is wrong for a few
    in a thousand and takes a quarter of the time of flooding both ways.
    """
    height, width = seeds.shape
    column, row = torch.meshgrid(torch.arange(width), torch.arange(height), indexing="xy")
    own = torch.stack([column, row]).float()
    above = torch.where(seeds, own[1], NOWHERE).cummax(0).values
    below = torch.where(seeds, own[1], -NOWHERE).flip(0).cummin(0).values.flip(0)
    best = torch.stack([own[0], torch.where(own[1] - above < below - own[1], above, below)])
    distance = (best[1] - own[1]).square()
    step = 1 << (width - 1).bit_length() >> 1
    while step >= 1:
        spread = F.pad(best, (step, step), value=NOWHERE)
        for start in (0, 2 * step):
            other = spread[..., start : start + width]
            away = (other - own).square_().sum(0)
            best = torch.where(away < distance, other, best)
            distance = torch.minimum(away, distance)
        step //= 2
    return best
