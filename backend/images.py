"""Pictures in and out: EXR frames through OpenImageIO, paintings and previews through Pillow.

A file appears under its final name only when it is whole: it is written beside, then renamed.
"""

import errno
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import OpenImageIO as oiio
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from .beside import part_of, sweep
from .errors import OutputError, PaintingError, ShotError

FloatImage = npt.NDArray[np.float32]
ByteImage = npt.NDArray[np.uint8]

HALF_MAX = 65504.0  # the largest number that half float holds
_RECIPE = "paintover:recipe"
_STRIP = 64  # rows read at a time: a multiple of what any EXR compression packs together


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """Give a path to write to, and rename it to ``path`` when the block ends well; otherwise nothing is left.

    Creates the folder. Raises OutputError for what the operating system refuses.
    """
    temporary = part_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise _output_error(path, error) from error
    finally:
        if temporary.exists():
            temporary.unlink()


def _output_error(path: Path, error: OSError) -> OutputError:
    message = f"{path.name} cannot be written to {path.parent}: {error.strerror or error}."
    remedy = "Choose another output folder."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        message = f"{path.name} cannot be written: the disk that holds {path.parent} is full."
        remedy = "Make room on it, or choose another output folder. What was finished is kept."
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        message = f"{path.name} cannot be written: {path.parent} is read-only."
        remedy = "Choose another output folder, or allow writing to this one."
    return OutputError(message, remedy, path=str(path))


def write_exr(
    path: Path, rgba: FloatImage, layers: Mapping[str, npt.NDArray[Any]] | None = None, recipe: str = ""
) -> None:
    """Write one frame: HxWx4 scene-linear premultiplied RGBA as half float, ZIP.

    ``layers`` are further layers by name, HxW or HxWxC with 1 to 4 channels, each stored as half if float16, else as
    32-bit float. Values beyond half's range are clipped to it. ``recipe`` goes into the header: see ``recipe``.
    Raises OutputError; no half file is left.
    """
    height, width = rgba.shape[:2]
    planes: list[npt.NDArray[Any]] = [rgba]
    names, formats = ["R", "G", "B", "A"], [oiio.HALF] * 4
    for name, layer in (layers or {}).items():
        plane = layer.reshape(height, width, -1)
        planes.append(plane)
        suffixes = "V" if plane.shape[2] == 1 else "RGBA"[: plane.shape[2]]
        names += [f"{name}.{suffix}" for suffix in suffixes]
        formats += [oiio.HALF if plane.dtype == np.float16 else oiio.FLOAT] * plane.shape[2]

    pixels = np.concatenate([plane.astype(np.float32, copy=False) for plane in planes], axis=2)
    np.clip(pixels[..., :4], -HALF_MAX, HALF_MAX, out=pixels[..., :4])
    spec = oiio.ImageSpec(width, height, len(names), oiio.FLOAT)
    spec.channelnames = tuple(names)
    spec.channelformats = tuple(oiio.TypeDesc(format_) for format_ in formats)
    spec.attribute("compression", "zip")
    spec.attribute("DateTime", "1970:01:01 00:00:00")  # else the time of writing: same in, same bytes out
    if recipe:
        spec.attribute(_RECIPE, recipe)
    with written_beside(path) as temporary:
        output = oiio.ImageOutput.create(str(temporary))
        done = output.open(str(temporary), spec) and output.write_image(pixels)
        reason = output.geterror()
        if not output.close() or not done or not _ends_well(temporary):
            with temporary.open("ab") as file:  # OpenImageIO keeps to itself why: the system tells
                file.write(bytes(1 << 20))
            raise OSError(reason or "the file was cut short")


def _ends_well(path: Path) -> bool:
    """Whether the last row can be read: a disk that fills up while the file is closed is not told otherwise."""
    try:
        with opened(path) as source:
            spec = source.spec_dimensions(0, 0)
            last = spec.y + spec.height - 1
            return source.read_scanlines(0, 0, last, last + 1, spec.z, 0, 1, oiio.FLOAT) is not None
    except ShotError:
        return False


def recipe(path: Path) -> str:
    """What ``write_exr`` was told that this frame is made by; "" for any other file, broken ones too."""
    try:
        with opened(path) as source:
            return str(source.spec(0, 0).getattribute(_RECIPE) or "")
    except ShotError:
        return ""


def read_exr(path: Path) -> FloatImage:
    """Read a frame as float32 HxWx4 scene-linear premultiplied RGBA; alpha is 1 where the file has none.

    Raises ShotError for a missing or broken file.
    """
    with opened(path) as source:
        names = list(source.spec(0, 0).channelnames)
        wanted = [names.index(channel) for channel in "RGBA" if channel in names]
        if len(wanted) < 3:
            raise ShotError(
                f"{path.name} has no RGB channels.", "Choose an EXR file with a picture in it.", path=str(path)
            )
        (pixels,) = read_planes(source, path, 0, [wanted])
    if len(wanted) == 4:
        return pixels
    return np.concatenate([pixels, np.ones_like(pixels[..., :1])], axis=2)


@contextmanager
def opened(path: Path) -> Iterator[oiio.ImageInput]:
    """An EXR open for reading. Raises ShotError where it is missing or broken."""
    source = oiio.ImageInput.open(str(path))
    if source is None:
        reason = oiio.geterror()
        if not path.exists():
            raise ShotError(f"There is no {path.name} in {path.parent}.", "Render this frame.", path=str(path))
        raise broken(path, reason)
    try:
        yield source
    finally:
        source.close()


def broken(path: Path, reason: str) -> ShotError:
    return ShotError(
        f"{path.name} is broken or not whole ({reason.splitlines()[-1] if reason else 'no reason given'}).",
        "Render this frame again.",
        path=str(path),
    )


def read_planes(
    source: oiio.ImageInput, path: Path, part: int, planes: Sequence[Sequence[int]], outside: Sequence[float] = ()
) -> list[FloatImage]:
    """Cut one part of an EXR into float32 HxWxC arrays, one for each list of channel numbers.

    The file is read once, strip by strip. The data window is placed in the display window; pixels that the file does
    not have (a cropped border render) are ``outside``, one value a plane, else 0. Raises ShotError.
    """
    spec = source.spec_dimensions(part, 0)
    begin = min(min(plane) for plane in planes)
    end = max(max(plane) for plane in planes) + 1
    left, top = spec.x - spec.full_x, spec.y - spec.full_y
    x0, x1 = max(left, 0), min(left + spec.width, spec.full_width)
    full = (left, top, spec.width, spec.height) == (0, 0, spec.full_width, spec.full_height)
    fills = outside or [0.0] * len(planes)
    frames = [
        np.empty((spec.full_height, spec.full_width, len(plane)), np.float32)
        if full
        else np.full((spec.full_height, spec.full_width, len(plane)), fill, np.float32)
        for plane, fill in zip(planes, fills, strict=True)
    ]
    rows = spec.height if spec.tile_width else _STRIP
    for row in range(0, spec.height, rows):
        count = min(rows, spec.height - row)
        strip = _read_strip(source, path, part, spec, row, count, begin, end)
        y0, y1 = max(top + row, 0), min(top + row + count, spec.full_height)
        if x0 >= x1 or y0 >= y1:
            continue
        inside = strip[y0 - top - row : y1 - top - row, x0 - left : x1 - left]
        for frame, plane in zip(frames, planes, strict=True):
            for channel, index in enumerate(plane):
                frame[y0:y1, x0:x1, channel] = inside[..., index - begin]
    return frames


def _read_strip(
    source: oiio.ImageInput, path: Path, part: int, spec: oiio.ImageSpec, row: int, count: int, begin: int, end: int
) -> FloatImage:
    if spec.tile_width:
        pixels = source.read_image(part, 0, begin, end, oiio.FLOAT)
    else:
        first = spec.y + row
        pixels = source.read_scanlines(part, 0, first, first + count, spec.z, begin, end, oiio.FLOAT)
    if pixels is None:
        raise broken(path, source.geterror())
    strip: FloatImage = pixels.reshape(count, spec.width, end - begin)
    return strip


def is_whole(path: Path) -> bool:
    """Whether the frame is there and every pixel of it can be read."""
    if not path.is_file():
        return False
    try:
        read_exr(path)
    except ShotError:
        return False
    return True


def write_png(path: Path, pixels: ByteImage) -> None:
    """Write HxW, HxWx3 or HxWx4 display values as PNG, atomically. Raises OutputError."""
    data = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(data, "PNG")
    with written_beside(path) as temporary:
        temporary.write_bytes(data.getvalue())


def read_painting(path: Path, size: tuple[int, int] | None = None) -> ByteImage:
    """Read a painting in any colour mode as uint8 HxWx4: sRGB display values, straight alpha.

    An embedded ICC profile is converted to sRGB. ``size`` (width, height) is what it must have. Raises PaintingError.
    """
    try:
        with Image.open(path) as image:
            image.load()
            rgba = _as_srgb(ImageOps.exif_transpose(image))
    except FileNotFoundError as error:
        raise PaintingError(f"There is no painting {path}.", "Choose the file again.", path=str(path)) from error
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
        raise PaintingError(
            f"{path.name} cannot be read as a picture ({error}).", "Save it again, as PNG.", path=str(path)
        ) from error
    if size is not None and rgba.size != size:
        raise PaintingError(
            f"{path.name} is {rgba.width} x {rgba.height} pixels, but the shot's frames are {size[0]} x {size[1]}.",
            "Paint over the rendered frame at its own size, without cropping or scaling it.",
            path=str(path),
            painting=list(rgba.size),
            frame=list(size),
        )
    pixels = np.array(rgba)
    if not pixels[..., 3].any():
        raise PaintingError(f"{path.name} is transparent everywhere.", "Paint something in it.", path=str(path))
    return pixels


def _as_srgb(image: Image.Image) -> Image.Image:
    """Any Pillow mode as RGBA in sRGB."""
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bit(image)
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    if image.mode not in ("RGB", "L", "CMYK", "LAB"):
        image = image.convert("L") if image.mode in ("1", "LA", "La") else image.convert("RGBA").convert("RGB")
    if image.mode == "LAB":
        image = _converted(image, ImageCms.createProfile("LAB"))
    elif profile:
        try:
            image = _converted(image, ImageCms.ImageCmsProfile(io.BytesIO(profile)))
        except (ImageCms.PyCMSError, OSError):
            image = image.convert("RGB")  # a profile for another mode, or a broken one: the numbers as they are
    rgba = image.convert("RGB").convert("RGBA")
    if alpha is not None:
        rgba.putalpha(alpha)
    return rgba


def _converted(image: Image.Image, profile: Any) -> Image.Image:
    converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert converted is not None  # that is for work in place
    return converted


def _eight_bit(image: Image.Image) -> Image.Image:
    """A grey picture of 16 or 32 bits a pixel as 8 bits: integers span 0..65535, floats 0..1."""
    values = np.asarray(image, np.float64)
    scale = 255.0 if image.mode == "F" else 255.0 / 65535.0
    return Image.fromarray(np.clip(np.rint(values * scale), 0, 255).astype(np.uint8))
