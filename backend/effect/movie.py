"""``effect.movie``: the frames of an effect as a picture that moves, to look at and to show."""

import io
import math
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..beside import write_whole
from ..errors import OutputError, UsageError
from ..images import FloatImage
from ..job import Job
from . import footage

FORMATS = {".webp": "WEBP", ".gif": "GIF", ".png": "PNG"}
FASTEST = 50.0  # frames a second of a GIF: it counts in hundredths, and programs take 0.01 s for a mistake
READING = 0.6  # of the time; the rest goes into packing


def movie(
    *, folder: Path, out: Path, width: int | None, job: Job, fps: float, name: str | None = None
) -> dict[str, Any]:
    """Write ``out``, which repeats for ever. ``width``: in pixels, the frames' own without. ``name``: of the effect.

    Raises ``EffectError`` where there are no frames, or frames of several renders, ``UsageError`` for a file that is no
    such movie's or a ``width`` beyond the frames' own.
    """
    check(out)
    started = time.monotonic()
    files = footage.files_of(folder, name, out)
    shown = []
    for count, file in enumerate(files, 1):
        shown.append(picture(footage.cell(file, width).rgba))
        pace = count / max(time.monotonic() - started, 1e-9)
        job.progress(READING * count / len(files), f"Read {file.name}", rate=pace)
    count, fps = write(out, shown, fps, job)
    return {"movie": str(out), "frames": count, "fps": fps, "size": list(shown[0].size)}


def check(out: Path) -> None:
    """Raise ``UsageError`` for a file that is no movie's."""
    if out.suffix.lower() not in FORMATS:
        raise UsageError(f"A moving preview is {', '.join(FORMATS)}, not {out.name}.", "Give the file such an ending.")


def picture(rgba: FloatImage) -> Image.Image:
    """A frame (h, w, 4), scene-linear and premultiplied, before a dark backdrop."""
    linear = rgba[..., :3] + footage.BACKDROP * (1 - rgba[..., 3:])
    return Image.fromarray(np.rint(footage.display(linear) * 255).astype(np.uint8))


def durations(count: int, fps: float, unit: int) -> list[int]:
    """Of each frame, in ms and whole ``unit`` ms: together they keep pace."""
    ends = [round(number * 1000 / fps / unit) * unit for number in range(count + 1)]
    return [end - begin for begin, end in pairwise(ends)]


def write(path: Path, shown: list[Image.Image], fps: float, job: Job) -> tuple[int, float]:
    """What ``picture`` gave for each frame. How many there are in the file, and at how many a second: some formats
    cannot have as many.
    """
    job.check()
    gif = path.suffix.lower() == ".gif"
    stride = max(1, math.ceil(fps / (FASTEST if gif else 1000)))
    shown, fps = shown[::stride], fps / stride
    data = io.BytesIO()
    options: dict[str, Any] = {"quality": 80} if path.suffix.lower() == ".webp" else {}
    try:
        shown[0].save(
            data,
            FORMATS[path.suffix.lower()],
            save_all=True,
            append_images=shown[1:],
            duration=durations(len(shown), fps, 10 if gif else 1),
            loop=0,
            **options,
        )
    except (OSError, KeyError, OverflowError) as error:  # the last for a frame that is to stand for too long
        raise OutputError(f"{path.name} cannot be written here ({error}).", "Choose .png for the preview.") from error
    job.check()
    write_whole(path, data.getvalue())
    return len(shown), fps
