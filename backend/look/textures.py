"""Apply a look of colour alone to images: textures that tile go on tiling."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .. import images as pictures
from ..errors import LookMismatchError, UsageError
from ..job import Job
from . import guides
from .file import LookFile
from .generator import LookGenerator
from .model import sparse
from .tiles import paint


def apply_images(*, images: Iterable[Path], look: Path, out: Path, job: Job) -> dict[str, Any]:
    """Style images with a look of colour alone, into PNGs of the same names in ``out``. Tileable stays tileable.

    Raises ``UsageError`` where a result would take the place of another, or of an image that is read,
    ``LookMismatchError`` for a look that was trained on passes, and what opening the look, reading images
    (``PaintingError``) and writing them (``OutputError``) raise.
    """
    file = LookFile.open(look)
    if file.card["family"] != "colour":
        raise LookMismatchError(
            "This look is guided by a render's passes, which an image does not have.",
            "Train a look on a painted image for this, or apply it to a shot.",
        )
    network = file.painter()
    margin = network.margin
    sources = list(images)
    targets = _targets(sources, out)
    for done, (source, target) in enumerate(zip(sources, targets, strict=True)):
        job.progress(done / len(sources), source.name)
        pixels = pictures.read_picture(source, upright=False)
        colour = guides.planes(pixels[..., :3]) / 255 * 2 - 1
        tall, wide = colour.shape[1:]
        edge = (_repeats(colour.transpose(1, 2)), _repeats(colour))
        surrounded = _surrounded(colour, edge, margin)
        painted = _painted(network, surrounded)[:, margin : margin + tall, margin : margin + wide]
        styled = (painted.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
        pictures.write_png(target, np.concatenate([styled, pixels[..., 3:]], 2))
    return {"written": [str(target) for target in targets]}


def _painted(network: LookGenerator, colour: Tensor) -> Tensor:
    """A picture (3, H, W), given as its display colours from -1 to 1, in the look's: nothing is carried to it."""
    nothing = torch.zeros(4, *colour.shape[1:])
    return paint(network, nothing, lambda rows, columns: (colour[:, rows, columns], sparse(nothing[:, rows, columns])))


def _targets(sources: list[Path], out: Path) -> list[Path]:
    """Where the results go: NAME.png, or NAME.EXTENSION.png where images differ by their extension alone."""
    stems = [source.stem for source in sources]
    targets = [out / f"{source.name if stems.count(source.stem) > 1 else source.stem}.png" for source in sources]
    taken = {source.resolve() for source in sources}
    for target in targets:
        if targets.count(target) > 1:
            raise UsageError(
                f"Several of the images would become {target.name}.", "Style them one by one, into different folders."
            )
        if target.resolve() in taken:
            raise UsageError(f"{target} is one of the images: it would be lost.", "Choose another output folder.")
    return targets


def _repeats(picture: Tensor) -> bool:
    """Whether (C, H, W) goes on at its left edge where it ends at the right: the jump is like any between columns."""
    jump = (picture[:, :, 0] - picture[:, :, -1]).abs().mean()
    return bool(jump <= 1.5 * (picture[:, :, 1:] - picture[:, :, :-1]).abs().mean() + 1e-3)


def _surrounded(picture: Tensor, repeats: tuple[bool, bool], margin: int) -> Tensor:
    """(C, H, W) with ``margin`` pixels around: what the repetition shows there, or the edge drawn out."""
    around = picture
    for axis, again in zip((1, 2), repeats, strict=True):
        size = picture.shape[axis]
        index = torch.arange(-margin, size + margin)
        index = index % size if again else index.clamp(0, size - 1)
        around = around.index_select(axis, index)
    return around
