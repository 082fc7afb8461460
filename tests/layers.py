"""Writes frames as Blender 4.5 does, for the shots that need no Blender."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray


def write_frame(path: Path, passes: Mapping[str, NDArray[Any]], letters: Mapping[str, str]) -> None:
    """One multilayer EXR in one part: ``passes`` (H, W, C) by Blender's names, their channels named by ``letters``."""
    height, width = next(iter(passes.values())).shape[:2]
    channels = [f"ViewLayer.{name}.{letter}" for name in passes for letter in letters[name]]
    spec = oiio.ImageSpec(width, height, len(channels), oiio.FLOAT)
    spec.channelnames = tuple(channels)
    output = oiio.ImageOutput.create(str(path))
    assert output.open(str(path), spec)
    assert output.write_image(np.concatenate(list(passes.values()), -1).astype(np.float32))
    output.close()
