"""What a look learns from: the painted frames, and frames to which the painting was carried."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import PaintingError, UsageError
from ..images import ByteImage, read_painting, read_picture
from ..job import Job
from ..motion import RestPose
from ..shot import Shot
from . import guides
from .carry import Source, StyledFrame, Walk, history, towards
from .guides import Encoding, Frame
from .model import Example, padded

REACH = 48  # frames: further than this from a key frame little of its painting is left to be seen
OTHERS = 6  # frames besides the key frames to learn from
LEAST = 16  # painted pixels: of fewer there are no colours to speak of
ROUNDED = 8  # levels of 255: further off is no paint program's rounding
MEMORY = 1.5e9  # bytes that all examples together may take


def read_paintings(shot: Shot, paint: Mapping[int, Path]) -> dict[int, ByteImage]:
    """Paintings by frame, as ``read_painting`` gives them: read once, for the artist may go on painting meanwhile.

    ``UsageError`` without paintings, ``FrameRangeError`` outside the shot, ``PaintingError`` if nothing is painted.
    """
    if not paint:
        raise UsageError("No frame is painted yet.", "Add a keyframe, paint over it and train again.")
    paintings = {}
    for number in sorted(paint):
        shot.select(number, number)
        paintings[number] = _painted(paint[number], (shot.width, shot.height), frame=number)
    return paintings


def _painted(path: Path, size: tuple[int, int], **details: int) -> ByteImage:
    """A painting of that size (width, height) with something to learn from. ``PaintingError``."""
    pixels = read_painting(path, size)
    if np.count_nonzero(pixels[..., 3] > 127) < LEAST:
        raise PaintingError(
            f"The painting {path.name} is as good as empty: nearly every pixel is transparent.",
            "Paint on it, save it and reload.",
            path=str(path),
            **details,
        )
    return pixels


def is_unpainted(painting: ByteImage, render: ByteImage) -> bool:
    """Whether a painting (H, W, 4) is just the ``render`` (H, W, 3) that it is to be painted over."""
    away = np.abs(painting[..., :3].astype(np.int16) - render).max(-1)
    return np.count_nonzero((away > ROUNDED) & (painting[..., 3] > 127)) < LEAST


def spread(shot: Shot, keys: list[int]) -> list[int]:
    """Frames besides ``keys`` to learn from: evenly spread over what lies within REACH of a key frame."""
    near = [f for f in shot.frames if f not in keys and min(abs(f - key) for key in keys) <= REACH]
    budget = MEMORY / (shot.width * shot.height * 4 * (guides.CHANNELS + 8)) - len(keys)
    count = max(1, min(OTHERS, int(budget), len(near)))
    picks = np.linspace(0, len(near) - 1, count + 2)[1:-1] if len(near) > count else np.arange(len(near))
    return sorted({near[round(float(pick))] for pick in picks}) if near else []


def gather(shot: Shot, paintings: Mapping[int, ByteImage], job: Job) -> tuple[list[Example], Encoding]:
    """Examples from every key frame, and from frames around them with the painting carried there.

    Memory: within MEMORY bytes where the key frames and one frame more leave room (three of 4K: 2 GB), and as much
    again in the model.
    """
    keys = sorted(paintings)
    first = guides.read(shot, keys[0], shot.view, None)
    frames: dict[int, Frame] = {keys[0]: first}
    others = spread(shot, keys)
    wanted = sorted({*keys, *others})
    for done, number in enumerate(wanted):
        job.progress(0.0, f"Reading frame {number}", remaining=None, done=done / len(wanted))
        if number not in frames:
            frames[number] = guides.read(shot, number, shot.view, first.encoding)

    rests = _rest_poses(shot, keys[0], wanted, job)
    examples = []
    for key in keys:
        frame = frames[key]
        source = StyledFrame.painted(key, frame.display, guides.planes(paintings[key]) / 255)
        examples.append(_example(frame, rests.get(key), source.picture, source.known, painted=True))
        mine = [number for number in others if key == min(keys, key=lambda k: (abs(k - number), k))]
        for number, carried in _carry(shot, source, frames, mine, job).items():
            examples.append(_example(frames[number], rests.get(number), carried[:3], carried[3:], painted=False))
    return examples, first.encoding


def gather_images(images: Mapping[Path, Path]) -> list[Example]:
    """Examples from images and their paintings, of equal size: colour alone, no passes. ``PaintingError``."""
    examples = []
    for source, painted in images.items():
        before, after = (guides.planes(pixels) / 255 for pixels in _pair(source, painted))
        nowhere = torch.zeros(4, *before.shape[1:])
        examples.append(
            Example(padded(before[:3] * 2 - 1), padded(nowhere), padded(after[:3]), padded(after[3:]), painted=True)
        )
    return examples


def _pair(source: Path, painted: Path) -> tuple[ByteImage, ByteImage]:
    """A picture and its painting, turned alike: paint programs turn a picture as its EXIF says, Blender does not."""
    painting = read_picture(painted)
    upright, plain = (read_picture(source, upright) for upright in (True, False))
    fitting = [pixels for pixels in (upright, plain) if pixels.shape == painting.shape]
    pixels = min(fitting, key=lambda pixels: _difference(pixels, painting)) if fitting else upright
    return pixels, _painted(painted, (pixels.shape[1], pixels.shape[0]))


def _difference(pixels: ByteImage, painting: ByteImage) -> int:
    """How far the ``painting`` (H, W, 4), where there is paint, is from ``pixels`` (H, W, 4)."""
    away = np.abs(pixels[..., :3].astype(np.int16) - painting[..., :3])
    return int(away[painting[..., 3] > 127].sum(dtype=np.int64))


def _rest_poses(shot: Shot, start: int, wanted: list[int], job: Job) -> dict[int, RestPose]:
    """Rest poses, as of frame ``start``, of the ``wanted`` frames that an unbroken row of frames leads to."""
    rests = {}
    for end in (wanted[0], wanted[-1]):
        walk = Walk(start, guides.read_motion(shot, start))
        rests[start] = walk.rest
        for number in towards(shot, start, end):
            job.check()
            walk.step(number, guides.read_motion(shot, number))
            if number in wanted:
                rests[number] = walk.rest
    return rests


def _carry(
    shot: Shot, key: StyledFrame, frames: Mapping[int, Frame], targets: list[int], job: Job
) -> dict[int, Tensor]:
    """The painting of ``key`` as it lies on each of the ``targets``: histories (4, H, W) by frame."""
    carried = {}
    for side in (min, max):
        end = side([key.number, *targets])
        walk = Walk(key.number, guides.read_motion(shot, key.number))
        for number in towards(shot, key.number, end):
            job.check()
            walk.step(number, guides.read_motion(shot, number))
            if number in targets:
                carried[number] = history([Source(1.0, key, walk.track)], None, frames[number])
    for number in targets:  # beyond a gap or a cut: nothing is carried there, but its passes still teach
        if number not in carried:
            empty = frames[number]
            carried[number] = torch.zeros(4, empty.height, empty.width)
    return carried


def _example(frame: Frame, rest: RestPose | None, target: Tensor, known: Tensor, painted: bool) -> Example:
    where = frame.positions(rest.rest if rest else frame.motion.position)
    return Example(padded(frame.guides()), padded(where), padded(target), padded(known), painted)
