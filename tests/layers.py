"""Writes frames as Blender 4.5 does, for the shots that need no Blender."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray


def write_frame(
    path: Path, passes: Mapping[str, NDArray[Any]], letters: Mapping[str, str], layers: Sequence[str] = ("ViewLayer",)
) -> None:
    """One multilayer EXR in one part: ``passes`` (H, W, C) by Blender's names, their channels named by ``letters``; in
    each of the ``layers`` anew, less by one in each but the first.
    """
    height, width = next(iter(passes.values())).shape[:2]
    channels = [f"{layer}.{name}.{letter}" for layer in layers for name in passes for letter in letters[name]]
    spec = oiio.ImageSpec(width, height, len(channels), oiio.FLOAT)
    spec.channelnames = tuple(channels)
    output = oiio.ImageOutput.create(str(path))
    assert output.open(str(path), spec)
    picture = np.concatenate(list(passes.values()), -1)
    pictures = [picture - less for less in range(len(layers))]
    assert output.write_image(np.concatenate(pictures, -1).astype(np.float32))
    output.close()
