"""``effect.flipbook``: the frames of an effect in one atlas, with motion vectors for frame blending.

As game engines take them: frame 0 at the upper left, row after row. NAME.exr holds scene-linear premultiplied RGBA and,
in its layer ``vector``, the motion; NAME.png display colours with straight alpha; NAME_motion.png the motion;
NAME.json says it all. Motion leads from this frame to the next, R to the right and G downward: (R - 0.5) * 2 *
motion_scale is in widths of a cell, and with G in its heights. To blend by a share s, look up this frame s times the
motion back, and the next one (1 - s) times its own ahead.
"""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from .. import images as pictures
from ..beside import write_whole
from ..errors import EffectError, UsageError
from ..images import ByteImage, FloatImage
from ..job import Job
from . import footage
from . import movie as movies

MOST = 16384  # pixels of an atlas's side: what graphics cards take
_LEAST_MOTION = 1e-3  # cells: a still picture has a scale too


def flipbook(
    *,
    folder: Path,
    out: Path,
    rows: int,
    columns: int,
    cell: int | None,
    movie: Path | None,
    job: Job,
    fps: float,
    name: str | None = None,
) -> dict[str, Any]:
    """Write the atlas beside ``out``, whose suffix is .exr, .png or .json.

    ``cell``: width of a frame in it, in pixels. ``fps``: of the frames. ``movie``: also a preview that moves. ``name``:
    of the effect, where the folder holds several. Where there are twice as many frames as cells, or more, every second
    one is taken, or fewer; what then is too many is left out, and cells without a frame stay empty. Raises
    ``EffectError`` where there are no frames, ``UsageError`` for what no atlas can be.
    """
    if out.suffix.lower() not in (".png", ".exr", ".json"):
        raise UsageError(f"A flipbook is a .png and an .exr, not {out.name}.", "Name one of them: both are written.")
    if movie is not None:
        movies.check(movie)
    started = time.monotonic()
    found = footage.files_of(folder, name, out)
    stride = max(1, len(found) // (rows * columns))
    files, rate = found[::stride][: rows * columns], fps / stride
    names = {suffix: out.with_name(out.stem + suffix) for suffix in (".exr", ".png", "_motion.png", ".json")}
    if movie is not None and movie.resolve() in (path.resolve() for path in names.values()):
        raise UsageError(f"{movie.name} is the atlas itself.", "Give the moving preview another name.")
    first = footage.cell(files[0], cell)
    height, width = first.rgba.shape[:2]
    if width * columns > MOST or height * rows > MOST:
        raise UsageError(
            f"An atlas of {width * columns} x {height * rows} pixels is too large for graphics cards.",
            f"Choose smaller cells, or fewer: {MOST} pixels a side at most.",
        )
    rgba, motion = (np.zeros((rows * height, columns * width, channels), np.float32) for channels in (4, 2))
    shown = []
    for count, file in enumerate(files):
        item = footage.cell(file, cell) if count else first
        if item.rgba.shape[:2] != (height, width):
            raise EffectError(f"{file.name} is of another size than {files[0].name}.", "Render the effect again.")
        top, left = count // columns * height, count % columns * width
        rgba[top : top + height, left : left + width] = item.rgba
        motion[top : top + height, left : left + width] = stride * item.motion
        if movie is not None:
            shown.append(movies.picture(item.rgba))
        pace = (count + 1) / max(time.monotonic() - started, 1e-9)
        job.progress(0.8 * (count + 1) / len(files), f"Read {file.name}", rate=pace)
    scale = max(float(np.abs(motion).max()), _LEAST_MOTION)
    coded = (0.5 + 0.5 * motion / scale).astype(np.float32)
    told = {
        "rows": rows,
        "columns": columns,
        "frames": len(files),
        "stride": stride,
        "fps": rate,
        "cell": [width, height],
        "size": [width * columns, height * rows],
        "order": "left to right, top to bottom",
        "colour": {"png": "sRGB, straight alpha", "exr": "scene-linear Rec. 709, premultiplied alpha"},
        "motion": "(RG - 0.5) * 2 * motion_scale, in cells, right and down, from this frame to the next",
        "motion_scale": scale,
        "files": {"exr": names[".exr"].name, "png": names[".png"].name, "motion": names["_motion.png"].name},
    }
    job.check()
    pictures.write_exr(names[".exr"], rgba, {"vector": coded.astype(np.float16)})
    pictures.write_png(names[".png"], straight(rgba))
    blue = np.concatenate([coded, np.zeros_like(coded[..., :1])], 2)
    pictures.write_png(names["_motion.png"], np.rint(blue * 255).astype(np.uint8))
    if movie is not None:
        movies.write(movie, shown, rate, job)
    # The last: it says that all the others are there.
    write_whole(names[".json"], (json.dumps(told, indent=1) + "\n").encode())
    return told | {"files": {kind: str(path) for kind, path in names.items()}, "movie": movie and str(movie)}


def straight(rgba: FloatImage) -> ByteImage:
    """Display colours with straight alpha, 8 bits, of (H, W, 4) scene-linear premultiplied ones.

    Fire gives more light than it hides, which straight alpha cannot tell. So what shines more brightly than its alpha
    allows hides as much as it shines: before black it looks the same.
    """
    alpha = np.clip(rgba[..., 3:], 0, 1)
    most = np.minimum(rgba[..., :3], alpha)  # that alpha allows
    lit = footage.display(np.divide(most, alpha, out=np.zeros_like(most), where=alpha > 1e-4))
    shining = footage.display(rgba[..., :3] - most)
    covered = 1 - (1 - alpha) * (1 - shining.max(2, keepdims=True))
    colour = np.divide(lit * alpha + shining, covered, out=np.zeros_like(lit), where=covered > 1e-4)
    both = np.concatenate([np.clip(colour, 0, 1), covered], 2)
    found: ByteImage = np.rint(both * 255).astype(np.uint8)
    return found
