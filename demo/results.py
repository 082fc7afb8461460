"""What the demo shows and measures: contact sheet and colour error."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from addon.backend import images
from addon.backend.shot import SKY, Shot

Bytes = NDArray[np.uint8]

INK, PAPER, GREY = (32, 30, 28), (247, 244, 238), (150, 144, 136)
COLUMNS, MARGIN, CAPTION = 4, 12, 26


def eight_bit(display: images.FloatImage) -> Bytes:
    """Display values 0..1 as Blender rounds them into a picture's bytes."""
    result: Bytes = np.rint(display * 255).astype(np.uint8)
    return result


def displayed(shot: Shot, frame: int) -> Bytes:
    """The render of one frame as the scene's view shows it, HxWx3."""
    beauty = shot.read(frame, ["beauty"])["beauty"]
    return eight_bit(shot.view.shown(beauty))


def background(shot: Shot, frame: int) -> float:
    """The share of a frame's pixels that show nothing but the world, 0 to 1."""
    depth = shot.read(frame, ["depth"])["depth"]
    return float((depth > SKY).mean())


def colour_error(wanted: Bytes, final: Path, counted: NDArray[np.bool_] | None = None) -> dict[str, float]:
    """How far Blender's final frame is from the 8-bit display values that were wanted: 99.9th percentile, and most.

    Pixels that the final frame shows only in part (alpha below 1) are not compared, nor those outside ``counted``,
    a mask HxW.
    """
    with Image.open(final) as picture:
        shown = np.asarray(picture.convert("RGBA"))
    solid = shown[..., 3] == 255
    off = np.abs(shown[..., :3].astype(int) - wanted[..., :3].astype(int))[
        solid if counted is None else solid & counted
    ]
    return {"p999": float(np.percentile(off, 99.9)), "max": float(off.max())} if off.size else {"p999": 0.0, "max": 0.0}


def display_of(painting: Bytes) -> NDArray[np.float32]:
    """HxWx3 display colours, 0..1."""
    return np.ascontiguousarray(painting[..., :3], np.float32) / np.float32(255)


def styled_display(shot: Shot, styled: Path) -> Bytes:
    """A styled frame's values as the scene's view should show them, HxWx3."""
    return eight_bit(shot.view.shown(images.read_exr(styled)))


def write_as_styled(shot: Shot, painting: Bytes, target: Path) -> None:
    """Write a painting as if the look had made exactly it."""
    stored, _ = shot.view.from_display(display_of(painting))
    images.write_exr(target, np.concatenate([stored, np.ones_like(stored[..., :1])], axis=-1))


def columns(frames: Sequence[int], keyframes: Sequence[int]) -> list[int]:
    """The frames that the sheet shows: the painted ones, and others spread evenly over the shot."""
    count = min(len(frames), max(COLUMNS, len(keyframes)))
    chosen = {frames[round(i * (len(frames) - 1) / max(1, count - 1))] for i in range(count)}
    for key in keyframes:
        if key not in chosen:
            chosen.discard(min(chosen - set(keyframes), key=lambda frame: abs(frame - key)))
            chosen.add(key)
    return sorted(chosen)


def opened(file: Path | None) -> Image.Image | None:
    """A picture's colours; none of no file."""
    if file is None:
        return None
    with Image.open(file) as picture:
        return picture.convert("RGB")


def contact_sheet(
    shot: Shot, paintings: Mapping[int, Path], finals: Mapping[str, Mapping[int, Path]], target: Path, title: str
) -> None:
    """Rows: what was rendered, what was painted, and, by name, what came out."""
    shown = columns(sorted(*{tuple(frames) for frames in finals.values()}), sorted(paintings))
    names = ["render", "painted", *finals]
    scale = min(1.0, 480 / shot.width)
    wide, high = round(shot.width * scale), round(shot.height * scale)
    left = 92
    sheet = Image.new(
        "RGB",
        (left + len(shown) * (wide + MARGIN), 52 + CAPTION + len(names) * (high + MARGIN)),
        PAPER,
    )
    draw = ImageDraw.Draw(sheet)
    large, small = ImageFont.load_default(22), ImageFont.load_default(15)
    draw.text((MARGIN, MARGIN), title, INK, large)
    for column, frame in enumerate(shown):
        x = left + column * (wide + MARGIN)
        draw.text((x, 50), f"frame {frame}", GREY, small)
        files = [paintings.get(frame), *(frames[frame] for frames in finals.values())]
        row = [Image.fromarray(displayed(shot, frame)), *map(opened, files)]
        for line, picture in enumerate(row):
            y = 52 + CAPTION + line * (high + MARGIN)
            if picture is None:
                draw.rectangle((x, y, x + wide - 1, y + high - 1), outline=(222, 216, 206))
            else:
                sheet.paste(picture.resize((wide, high), Image.Resampling.LANCZOS), (x, y))
    for line, word in enumerate(names):
        draw.text((MARGIN, 52 + CAPTION + line * (high + MARGIN) + high / 2 - 9), word, INK, small)
    sheet.save(target)
