"""``effect.flipbook``: the frames of an effect in one atlas, with motion vectors for frame blending.

As game engines take them: frame 0 at the upper left, row after row. NAME.exr holds scene-linear premultiplied RGBA and,
in its layer ``vector``, the motion; NAME.png display colours with straight alpha; NAME_motion.png the motion;
NAME.json says it all. Motion leads from this frame to the next, R to the right and G downward: (R - 0.5) * 2 *
motion_scale is in widths of a cell, and with G in its heights. To blend by a share s, look up this frame s times the
motion back, and the next one (1 - s) times its own ahead.
"""

import io
import json
import math
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from .. import images as pictures
from ..colour import View
from ..errors import EffectError, OutputError, UsageError
from ..images import ByteImage, FloatImage, Plane, written_beside
from ..job import Job
from .frames import FPS

MOST = 16384  # pixels of an atlas's side: what graphics cards take
MOVIES = {".webp": "WEBP", ".gif": "GIF", ".png": "PNG"}
MOVIE_BACKDROP = 0.03  # scene-linear
_FRAME = re.compile(r"(.+)_(-?\d+)\.exr")
_LEAST_MOTION = 1e-3  # cells: a still picture has a scale too


@dataclass(frozen=True)
class Cell:
    """One frame: ``rgba`` (h, w, 4) scene-linear premultiplied, ``motion`` (h, w, 2) in cells, right and down."""

    rgba: FloatImage
    motion: FloatImage


def flipbook(
    *,
    folder: Path,
    out: Path,
    rows: int,
    columns: int,
    cell: int | None,
    movie: Path | None,
    job: Job,
    fps: float = FPS,
) -> dict[str, Any]:
    """Write the atlas beside ``out``, whose suffix is .exr, .png or .json.

    ``cell``: width of a frame in it, in pixels. ``fps``: of the frames. ``movie``: also a preview that moves. Where
    there are twice as many frames as cells, or more, every second one is taken, or fewer; what then is too many is left
    out, and cells without a frame stay empty. Raises ``EffectError`` where there are no frames, ``UsageError`` for what
    no atlas can be.
    """
    if out.suffix.lower() not in (".png", ".exr", ".json"):
        raise UsageError(f"A flipbook is a .png and an .exr, not {out.name}.", "Name one of them: both are written.")
    if movie is not None and movie.suffix.lower() not in MOVIES:
        raise UsageError(f"A moving preview is {', '.join(MOVIES)}, not {movie.name}.")
    started = time.monotonic()
    found = _frames(folder)
    stride = max(1, len(found) // (rows * columns))
    files, rate = found[::stride][: rows * columns], fps / stride
    cells = []
    for count, file in enumerate(files, 1):
        cells.append(_cell(file, cell))
        height, width = cells[0].rgba.shape[:2]
        if cells[-1].rgba.shape[:2] != (height, width):
            raise EffectError(f"{file.name} is of another size than {files[0].name}.", "Render the effect again.")
        if width * columns > MOST or height * rows > MOST:
            raise UsageError(
                f"An atlas of {width * columns} x {height * rows} pixels is too large for graphics cards.",
                f"Choose smaller cells, or fewer: {MOST} pixels a side at most.",
            )
        pace = count / max(time.monotonic() - started, 1e-9)
        job.progress(0.8 * count / len(files), f"Read {file.name}", rate=pace)
    rgba = _laid([item.rgba for item in cells], rows, columns)
    motion = stride * _laid([item.motion for item in cells], rows, columns)
    scale = max(float(np.abs(motion).max()), _LEAST_MOTION)
    coded = (0.5 + 0.5 * motion / scale).astype(np.float32)
    names = {suffix: out.with_name(out.stem + suffix) for suffix in (".exr", ".png", "_motion.png", ".json")}
    told = {
        "rows": rows,
        "columns": columns,
        "frames": len(cells),
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
        _write_movie(movie, cells, rate)
    with written_beside(names[".json"]) as part:  # the last: it says that all the others are there
        part.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return told | {"files": {kind: str(path) for kind, path in names.items()}, "movie": movie and str(movie)}


def straight(rgba: FloatImage) -> ByteImage:
    """Display colours with straight alpha, 8 bits, of (H, W, 4) scene-linear premultiplied ones.

    Fire adds light and hides little, which straight alpha cannot tell. So what shines more brightly than its alpha
    allows hides as much as it shines: before black it looks the same.
    """
    alpha = np.clip(rgba[..., 3:], 0, 1)
    most = np.minimum(rgba[..., :3], alpha)  # that alpha allows
    lit = _display(np.divide(most, alpha, out=np.zeros_like(most), where=alpha > 1e-4))
    shining = _display(rgba[..., :3] - most)
    covered = 1 - (1 - alpha) * (1 - shining.max(2, keepdims=True))
    colour = np.divide(lit * alpha + shining, covered, out=np.zeros_like(lit), where=covered > 1e-4)
    both = np.concatenate([np.clip(colour, 0, 1), covered], 2)
    found: ByteImage = np.rint(both * 255).astype(np.uint8)
    return found


def _display(linear: FloatImage) -> FloatImage:
    found: FloatImage = np.clip(View.standard().to_display(np.ascontiguousarray(linear)), 0, 1)
    return found


def _frames(folder: Path) -> list[Path]:
    """The numbered EXRs in a folder, of one effect, in order."""
    found = {path: match for path in folder.glob("*.exr") if (match := _FRAME.fullmatch(path.name))}
    names = {match[1] for match in found.values()}
    if not found:
        raise EffectError(f"There are no frames in {folder}.", "Render the effect into it first.", path=str(folder))
    if len(names) > 1:
        raise EffectError(
            f"There are frames of {', '.join(sorted(names))} in {folder}.", "Keep each effect in a folder of its own."
        )
    return sorted(found, key=lambda path: int(found[path][2]))


def _cell(file: Path, width: int | None) -> Cell:
    """A frame, made smaller if asked to. Raises ``ShotError`` where it is broken."""
    parts = pictures.read_header(file)
    planes = {"rgba": Plane(0, tuple("RGBA"))}
    moving = ("vector.B", "vector.A")
    if set(moving) <= set(parts[0].channels):
        planes["vector"] = Plane(0, moving)
    read = pictures.read_planes(file, parts, planes)
    rgba = read["rgba"]
    rows, columns = rgba.shape[:2]
    motion = np.zeros((rows, columns, 2), np.float32)
    if "vector" in read:  # Blender's: from where it goes to, with y upward
        motion = read["vector"] * np.array([-1.0 / columns, 1.0 / rows], np.float32)
    if width is None or width == columns:
        return Cell(rgba, motion)
    if width > columns:
        raise UsageError(f"Cells of {width} pixels are wider than the frames, which have {columns}.")
    size = (max(1, round(rows * width / columns)), width)
    return Cell(_smaller(rgba, size), _smaller(motion, size))


def _smaller(picture: FloatImage, size: tuple[int, int]) -> FloatImage:
    planes = torch.from_numpy(picture).permute(2, 0, 1)[None]
    found: FloatImage = F.interpolate(planes, size, mode="area")[0].permute(1, 2, 0).contiguous().numpy()
    return found


def _laid(cells: list[FloatImage], rows: int, columns: int) -> FloatImage:
    height, width, channels = cells[0].shape
    atlas = np.zeros((rows * height, columns * width, channels), np.float32)
    for number, cell in enumerate(cells):
        top, left = number // columns * height, number % columns * width
        atlas[top : top + height, left : left + width] = cell
    return atlas


def _write_movie(path: Path, cells: list[Cell], fps: float) -> None:
    """A preview that moves and repeats, before a dark backdrop."""
    shown = []
    for cell in cells:
        linear = cell.rgba[..., :3] + MOVIE_BACKDROP * (1 - cell.rgba[..., 3:])
        shown.append(Image.fromarray(np.rint(_display(linear) * 255).astype(np.uint8)))
    data = io.BytesIO()
    options: dict[str, Any] = {"quality": 80} if path.suffix.lower() == ".webp" else {}
    try:
        shown[0].save(
            data,
            MOVIES[path.suffix.lower()],
            save_all=True,
            append_images=shown[1:],
            duration=math.floor(1000 / fps),
            loop=0,
            **options,
        )
    except (OSError, KeyError) as error:
        raise OutputError(f"{path.name} cannot be written here ({error}).", "Choose .png for the preview.") from error
    with written_beside(path) as part:
        part.write_bytes(data.getvalue())
