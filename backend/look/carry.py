"""Pictures carried along the shot by the renderer's vectors: paintings from key frames, and the last output.

What is carried is an input of the generator, its history: display colours and how far to trust them, as (4, H, W).
"""

from dataclasses import dataclass
from functools import cached_property, reduce

import torch
import torch.nn.functional as F
from torch import Tensor

from ..machine import in_chunks
from ..motion import SLIP, RestPose, Track, at_ends, grid, inside, places_of, sampled
from ..shot import Shot
from .guides import Array, Frame, Motion

TRUST = 0.05  # display units: a pixel whose light changed by this much is hardly the same pixel to a painter
FORGOTTEN = 9 * TRUST  # nothing holds any more; and from there on floats would be so small that they are slow
FAINT = 1 / 255  # of trust: less does not show
OVERHANG = 1 / 180  # of the frame's height: half of how far strokes reach over the silhouette of what they depict
JUDGED = 480  # rows: with twice as many, every second one is judged, and so on
SAME_DEPTH = 1.05  # what lies at most so many times nearer than another surface may be the same one


def trust(before: Tensor, now: Tensor) -> Tensor:
    """How far what was painted over ``before`` still holds for ``now``: both (3, H, W) display colours, to (1, H, W).

    Motion vectors know where a surface went, not how its light changed: shadows, highlights, reflections and what is
    seen through glass move on their own, and there the vectors' answer is wrong.
    """
    away = (before - now).abs_()
    change = F.pad(torch.maximum(torch.maximum(away[:1], away[1:2]), away[2:]), (1, 1, 1, 1))
    rows = change[:, :-2] + change[:, 1:-1] + change[:, 2:]
    return fading((rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]).div_(9))


def fading(change: Tensor) -> Tensor:
    """Trust where light changed so much, 1 where it did not; in place."""
    return change.clamp_(max=FORGOTTEN).square_().mul_(-1 / TRUST**2).exp_()


def clear(track: Track, depth: Array) -> Tensor:
    """Where the key frame's strokes can belong to the surface that they lie on: (1, H, W), 1 or 0; ``depth`` is now's.

    Strokes overhang silhouettes. Where an object moved on and bares what it hid, the ground beside that still carries
    the edge of its paint, which stays behind as a ghost of its outline. So what lies beside newly bared ground, and
    not in front of it, is not clear.
    """
    near = _nearness(depth)
    bared = (1 - track.valid).mul_(inside(track.flow)).mul_(near)
    # What is one pixel wide is not ground but a silhouette itself: vectors are not anti-aliased.
    high, wide = torch.zeros_like(bared), torch.zeros_like(bared)
    torch.minimum(bared[:, :-1], bared[:, 1:], out=high[:, :-1])
    torch.minimum(high[..., :-1], high[..., 1:], out=wide[..., :-1])
    cells = Cells(near)
    return cells.joined(cells.split(near).gt_(SAME_DEPTH * cells.largest_around(wide)))


def clear_of_movers(track: Track, depth: Array) -> Tensor:
    """The same for the last output: from frame to frame little is bared, but every frame leaves a little paint there.

    What lies behind an edge that moves against it is not clear.
    """
    step = _stride(len(depth))
    near, flow = _nearness(depth[::step, ::step]), track.flow[:, ::step, ::step].contiguous()
    cells = Cells(near)
    most, least = cells.largest_around(flow) - SLIP, SLIP - cells.largest_around(-flow)
    along = cells.split(flow).numpy()  # numpy compares several times as fast as torch
    still = (along >= most.numpy()) & (along <= least.numpy())
    in_front = cells.split(near).numpy() >= (cells.largest_around(near) / SAME_DEPTH).numpy()
    return _for_all(cells.joined(torch.from_numpy(still[:1] & still[1:] | in_front)).float(), *depth.shape[:2])


def _stride(height: int) -> int:
    """In a frame so high, every how many pixels one is judged by what changes gently."""
    return max(1, height // JUDGED)


def _for_all(judged: Tensor, height: int, width: int) -> Tensor:
    """What was found for those that were judged, for all pixels of the frame: (1, H, W)."""
    step = _stride(height)
    return judged if step == 1 else F.interpolate(judged[None], scale_factor=float(step))[0, :, :height, :width]


def _nearness(depth: Array) -> Tensor:
    return torch.from_numpy(depth).permute(2, 0, 1).clamp_min(1e-6).reciprocal_()


class Cells:
    """A frame cut into square cells, as large as half of the reach of strokes, to compare pixels with what is around.

    Pictures are (C, H, W); in cells they are (C, rows of cells, rows of a cell, W).
    """

    def __init__(self, like: Tensor) -> None:
        self.height, self.width = like.shape[1:]
        self.side = max(2, round(self.height * OVERHANG))

    def split(self, values: Tensor) -> Tensor:
        """A picture in cells; where the last row of cells is not full, its last row of pixels is repeated."""
        more = -self.height % self.side
        if more:
            values = torch.cat([values, values[:, -1:].expand(-1, more, -1)], 1)
        cells: Tensor = values.unflatten(1, (-1, self.side))
        return cells

    def joined(self, values: Tensor) -> Tensor:
        """The picture that is in these cells."""
        return values.flatten(1, 2)[:, : self.height]

    def largest_around(self, values: Tensor) -> Tensor:
        """For each pixel the largest of a picture's values within reach: (C, rows of cells, 1, W), to be broadcast."""
        rows = F.pad(self.split(values).amax(2), (0, -self.width % self.side), value=-torch.inf)
        cells = rows.unflatten(2, (-1, self.side)).amax(3)
        reach = largest_within(cells, 2)
        return reach.repeat_interleave(self.side, 2)[:, :, None, : self.width]


def largest_within(values: Tensor, reach: int) -> Tensor:
    """For each pixel (..., H, W) the largest of the ``values`` within so many rows and columns; of a mask, whether it
    holds for any. In an eighth of ``max_pool2d``'s time.
    """
    for axis in (-2, -1):
        around, size = values.clone(), values.shape[axis]
        for away in range(1, min(reach + 1, size)):
            for there, here in ((0, away), (away, 0)):
                larger = around.narrow(axis, here, size - away)
                torch.maximum(larger, values.narrow(axis, there, size - away), out=larger)
        values = around
    return values


@dataclass(frozen=True)
class StyledFrame:
    """A frame of which a styled picture is known, because it was painted or made: its ``number``, the ``display``
    (3, H, W) of its render, the ``picture`` (3, H, W) in display colours, and where that is ``known`` (1, H, W).
    """

    number: int
    display: Tensor
    picture: Tensor
    known: Tensor

    @cached_property
    def whole(self) -> bool:
        """Whether it is known everywhere."""
        return bool(self.known.min() == 1)

    @classmethod
    def painted(cls, number: int, display: Tensor, painting: Tensor) -> "StyledFrame":
        """From ``painting`` (4, H, W), straight alpha: under thin paint the render shows, as the artist saw it."""
        colour, alpha = painting[:3], painting[3:]
        return cls(number, display, torch.lerp(display, colour, alpha), alpha)

    @classmethod
    def made(cls, number: int, display: Tensor, picture: Tensor) -> "StyledFrame":
        """An output: known everywhere."""
        return cls(number, display, picture, torch.ones_like(picture[:1]))

    def lay(self, history: Tensor | None, track: Track, sure: Tensor, now: Frame) -> Tensor:
        """``history`` (4, H, W) of the frame ``now``, in place, with the picture under what it knows, as far as that
        holds, and at most as far as ``sure`` (1, H, W), which is used up; or a new one that knows nothing else.
        ``track`` ties the frame to this one.

        By cubic interpolation: what is resampled again and again must not lose its fine strokes.
        """
        ends = grid(track.flow)
        trust = sure.mul_(self._trusted(ends, now)).mul_(track.valid)
        if not self.whole:
            trust.mul_(at_ends(self.known, ends))
        result = torch.zeros(4, now.height, now.width) if history is None else history
        places, told, trust = ends[0].permute(2, 0, 1).flatten(1), result.flatten(1), trust.flatten()
        pixels = places_of(trust.numpy() > FAINT)

        def work(chunk: slice) -> None:
            some = pixels[chunk]
            paint = sampled(self.picture, places.index_select(1, some), "bicubic").clamp_(0, 1)
            holds = trust.index_select(0, some)
            if history is None:
                told.index_copy_(1, some, torch.cat([paint, holds[None]]))
            else:
                lay_under(told, some, paint, holds)

        in_chunks(work, len(pixels))
        return result

    def _trusted(self, ends: Tensor, now: Frame) -> Tensor:
        """How far what was painted holds for the light of ``now``, whose pixels are at ``ends`` of this frame."""
        step = _stride(now.height)
        shown = now.display[:, ::step, ::step]
        return _for_all(trust(at_ends(self.display, ends[:, ::step, ::step]), shown), now.height, now.width)


@dataclass(frozen=True)
class Source:
    """What is carried to a frame: the styled ``frame``, the ``track`` to it, and its ``share`` among its equals."""

    share: float
    frame: StyledFrame
    track: Track


def history(paintings: list[Source], last: Source | None, now: Frame) -> Tensor:
    """The history of ``now``: what the paintings say of it and, where they say nothing, the last output."""
    return with_last(laid(paintings, now), last, now)


@dataclass(frozen=True)
class Laid:
    """Paintings as they lie on a frame: what they say of it, its ``history`` (4, H, W) but for the last output, and
    where it is ``clear`` (1, H, W) of strokes that are something else's.
    """

    history: Tensor
    clear: Tensor


def laid(paintings: list[Source], now: Frame) -> Laid:
    """The ``paintings`` on the frame ``now``."""
    if not paintings:
        return Laid(torch.zeros(4, now.height, now.width), torch.ones(1, now.height, now.width))
    clears = [clear(source.track, now.depth) for source in paintings]
    layers = [
        source.frame.lay(None, source.track, sure.clone(), now) for source, sure in zip(paintings, clears, strict=True)
    ]
    return Laid(_mixed([source.share for source in paintings], layers), reduce(torch.maximum, clears))


def with_last(paintings: Laid, last: Source | None, now: Frame) -> Tensor:
    """The history of ``now``, given the ``paintings`` on it, which are used up, and the last output."""
    if last is None:
        return paintings.history
    # The last output may have kept the stroke that is not wanted here.
    sure = clear_of_movers(last.track, now.depth).mul_(paintings.clear)
    wanted = sure.numpy()
    wanted *= paintings.history[3:].numpy() < 1 - FAINT
    return last.frame.lay(paintings.history, last.track, sure, now)


def lay_under(history: Tensor, pixels: Tensor, paint: Tensor, trust: Tensor) -> None:
    """Lay ``paint`` (3, N), trusted so far (N), under what ``history`` (4, H * W) knows of these ``pixels`` (N)."""
    before = history.index_select(1, pixels)
    rest = (1 - before[3]) * trust
    share = rest / (before[3] + rest).clamp_min(1e-6)
    after = torch.cat([torch.lerp(before[:3], paint, share), torch.maximum(before[3:], trust[None])])
    history.index_copy_(1, pixels, after)


def flows(before: int, vector_before: Tensor, now: int, vector_now: Tensor) -> tuple[Tensor, Tensor]:
    """The flow from frame ``now`` to its neighbour ``before``, and the neighbour's flow back."""
    if now > before:
        return vector_now[:2], vector_before[2:]
    return vector_now[2:], vector_before[:2]


def _mixed(shares: list[float], layers: list[Tensor]) -> Tensor:
    """Histories of equal standing, mixed by their shares and trust: (4, H, W)."""
    if len(layers) == 1:
        return layers[0]
    weights = [share * layer[3:] for share, layer in zip(shares, layers, strict=True)]
    colour = torch.stack([weight * layer[:3] for weight, layer in zip(weights, layers, strict=True)]).sum(0)
    best = torch.stack([layer[3:] for layer in layers]).amax(0)
    return torch.cat([colour / torch.stack(weights).sum(0).clamp_min(1e-6), best])


class Walk:
    """A walk from a key frame along the shot, one neighbouring frame after the other.

    ``number``: where it stands. ``track``: from there to the frame it started from. ``rest``: the rest pose there.
    ``step_back``: from there to the frame before, None at the start.
    """

    def __init__(self, start: int, motion: Motion, every: int = 1) -> None:
        """The rest pose is of every ``every``-th pixel of a row and of a column."""
        self.number, self.motion, self._every = start, motion, every
        self.rest = RestPose(*motion.surface(every), every)
        self.track = Track.identity(*motion.position.shape[:2])
        self.step_back: Track | None = None

    def step(self, number: int, motion: Motion) -> None:
        """Go on to the neighbouring frame ``number``."""
        there, back = flows(self.number, self.motion.vector, number, motion.vector)
        self.step_back, self.track = self.track.extended(there, back)
        some = slice(None), slice(None, None, self._every), slice(None, None, self._every)
        flow, valid = there[some] / self._every, self.step_back.valid[some].contiguous()
        self.rest = self.rest.step(*motion.surface(self._every), flow, valid)
        self.number, self.motion = number, motion

    def restart(self) -> None:
        """From here on ``track`` leads to this frame; the rest pose stays that of the first."""
        self.track = Track.identity(*self.motion.position.shape[:2])


def towards(shot: Shot, start: int, end: int) -> list[int]:
    """The frames after ``start`` up to ``end``, in either direction, as far as the shot has no gap and no cut."""
    present, forward = set(shot.frames), end > start
    row = []
    for number in range(start + 1, end + 1) if forward else range(start - 1, end - 1, -1):
        if number not in present or (number if forward else number + 1) in shot.cuts:
            break
        row.append(number)
    return row
