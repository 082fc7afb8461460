"""Pictures in and out: EXR frames through OpenEXR, paintings and previews through Pillow."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import OpenEXR
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from .beside import write_whole
from .errors import PaintingError, ShotError
from .machine import CHUNK, cores

FloatImage = npt.NDArray[np.float32]
HalfImage = npt.NDArray[np.float16]
ByteImage = npt.NDArray[np.uint8]

HALF_MAX = 65504.0  # the largest number that half float holds
LUMINANCE = (0.2126, 0.7152, 0.0722)  # of scene-linear Rec. 709 colours (ITU-R BT.709-6, item 3.2)
_RECIPE, _FACT = "paintover:recipe", "paintover:fact:"

# OpenEXR packs and unpacks in the thread that asks, unless its pool (this process's, of this copy of the library) has
# threads. Half of the cores, since frames are read and written while torch paints with all of them; but one such thread
# would only make all that ask wait for each other. Eight at most is a guess: not measured where there are more cores.
OpenEXR.set_global_thread_count(min(cores() // 2, 8) if cores() > 3 else 0)


@dataclass(frozen=True)
class Part:
    """One part of an EXR, as its header tells. The windows are (left, top, right, bottom), ends included."""

    channels: tuple[str, ...]
    data: tuple[int, ...]
    display: tuple[int, ...]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the display window."""
        left, top, right, bottom = self.display
        return right - left + 1, bottom - top + 1


@dataclass(frozen=True)
class Plane:
    """Channels of one part that make one array, and their value where a cropped border render has no pixels."""

    part: int
    channels: tuple[str, ...]
    outside: float = 0.0


def write_exr(
    path: Path,
    rgba: FloatImage | HalfImage,
    layers: Mapping[str, npt.NDArray[Any]] | None = None,
    recipe: str = "",
    facts: Mapping[str, float] | None = None,
) -> None:
    """Write one frame: HxWx4 scene-linear premultiplied RGBA as half float, PIZ: smaller than ZIP, in half the time.

    ``layers`` are further layers by name, HxW or HxWxC with 1 to 4 channels, each stored as half if float16, else as
    32-bit float. Values beyond half's range are clipped to it. ``recipe`` and ``facts``, numbers about the frame, go
    into the header: see ``recipe`` and ``fact``.
    Raises OutputError; no half file is left.
    """
    height, width = rgba.shape[:2]
    half = as_half(rgba)
    channels = {channel: np.ascontiguousarray(half[..., index]) for index, channel in enumerate("RGBA")}
    for name, layer in (layers or {}).items():
        planes = layer.reshape(height, width, -1)
        suffixes = "V" if planes.shape[2] == 1 else "RGBA"[: planes.shape[2]]
        depth = np.float16 if layer.dtype == np.float16 else np.float32
        for index, suffix in enumerate(suffixes):
            channels[f"{name}.{suffix}"] = np.ascontiguousarray(planes[..., index], depth)
    header: dict[str, Any] = {"compression": OpenEXR.PIZ_COMPRESSION, "type": OpenEXR.scanlineimage}
    if recipe:
        header[_RECIPE] = recipe
    for name, value in (facts or {}).items():
        header[_FACT + name] = repr(value)
    data = io.BytesIO()  # and not the file: Python tells why a disk takes no more, OpenEXR does not
    OpenEXR.File(header, channels).write(data)
    write_whole(path, data.getvalue())


def as_half(pixels: npt.NDArray[Any]) -> HalfImage:
    """The values as a frame's file has them: rounded to half float, clipped to its range; half floats as they are."""
    from torch import from_numpy  # see _placed

    if pixels.dtype == np.float16:
        return pixels
    half: HalfImage = from_numpy(pixels).clamp(-HALF_MAX, HALF_MAX).half().numpy()
    return half


def as_float(pixels: npt.NDArray[Any]) -> FloatImage:
    """Half floats as float32; floats as they are. Numpy takes ten times as long."""
    from torch import from_numpy  # see _placed

    floats: FloatImage = from_numpy(pixels).float().numpy()
    return floats


def recipe(path: Path) -> str:
    """What ``write_exr`` was told that this frame is made by; "" for any other file, broken ones too."""
    try:
        with _opened(path, header_only=True) as (file, _):
            return str(file.header().get(_RECIPE, ""))
    except ShotError:
        return ""


def fact(path: Path, name: str) -> float:
    """A number that ``write_exr`` was told of this frame. Raises ShotError where it was not, or the file is broken."""
    with _opened(path, header_only=True) as (file, _):
        try:
            return float(file.header()[_FACT + name])
        except (KeyError, ValueError) as error:
            raise _broken(path, f"its {name} is not told") from error


def read_exr(path: Path) -> FloatImage:
    """Read a frame as float32 HxWx4 scene-linear premultiplied RGBA; alpha is 1 where the file has none.

    Raises ShotError for a missing or broken file.
    """
    parts = read_header(path)
    channels = tuple(channel for channel in "RGBA" if channel in parts[0].channels)
    if len(channels) < 3:
        raise ShotError(f"{path.name} has no RGB channels.", "Choose an EXR file with a picture in it.", path=str(path))
    pixels = read_planes(path, parts, {"beauty": Plane(0, channels)})["beauty"]
    if len(channels) == 4:
        return pixels
    return np.concatenate([pixels, np.ones_like(pixels[..., :1])], axis=2)


def read_header(path: Path) -> list[Part]:
    """What the parts of an EXR are. Raises ShotError for a missing or broken file."""
    with _opened(path, header_only=True) as (_, parts):
        return parts


def read_planes(
    path: Path, parts: list[Part], planes: Mapping[str, Plane], mend: Callable[[str, FloatImage], None] | None = None
) -> dict[str, FloatImage]:
    """Read channels as float32 HxWxC arrays, the data window placed in the display window. In memory each channel lies
    by itself, as in the file: to weave them takes as long as to convert them.

    ``parts`` is what ``read_header`` found. No two planes share a channel. ``mend`` may change some pixels (C, N) of a
    plane as soon as they are there, while they are in the processor's cache. Raises ShotError unless every pixel of
    the file can be read.
    """
    with _opened(path) as (file, read):
        if read != parts:  # OpenEXR leaves out a part that it cannot read to its end, and prints why
            raise _broken(path, "not all of its pixels can be read")
        found = {
            (plane.part, channel): file.parts[plane.part].channels[channel].pixels
            for plane in planes.values()
            for channel in plane.channels
        }
    # The channels that nobody wants are let go of here, and the others as soon as their plane is there.
    result: dict[str, FloatImage] = {}
    for name, plane in planes.items():
        channels = [found.pop((plane.part, channel)) for channel in plane.channels]
        result[name] = _placed(parts[plane.part], plane, channels, partial(mend, name) if mend else None)
    return result


def _placed(
    part: Part, plane: Plane, channels: list[npt.NDArray[Any]], mend: Callable[[FloatImage], None] | None
) -> FloatImage:
    """The plane's ``channels`` in the part's display window."""
    from torch import from_numpy  # who reads headers alone has no use for it, and does not wait

    width, height = part.size
    left, top = part.data[0] - part.display[0], part.data[1] - part.display[1]
    right, bottom = part.data[2] - part.display[0] + 1, part.data[3] - part.display[1] + 1
    whole = part.data == part.display
    as_it_lies = whole and len(channels) == 1  # no copy
    frame = as_float(channels[0])[None] if as_it_lies else np.empty((len(channels), height, width), np.float32)
    x0, x1 = max(left, 0), min(right, width)
    for first, end in pairwise([*range(0, height, max(1, CHUNK // width)), height]):
        block = frame[:, first:end]
        y0, y1 = max(top, first), min(bottom, end)
        if not whole:
            block[:] = plane.outside
        if x0 < x1 and y0 < y1 and not as_it_lies:
            for row, pixels in zip(from_numpy(block), channels, strict=True):
                some = pixels[y0 - top : y1 - top, x0 - left : x1 - left]
                row[y0 - first : y1 - first, x0:x1] = from_numpy(some)
        if mend:
            mend(block.reshape(len(channels), -1))
    return frame.transpose(1, 2, 0)


@contextmanager
def _opened(path: Path, header_only: bool = False) -> Iterator[tuple[OpenEXR.File, list[Part]]]:
    """An EXR with all its pixels, or with none, and its parts. Raises ShotError where it is missing or broken."""
    if not path.exists():
        raise ShotError(f"There is no {path.name} in {path.parent}.", "Render this frame.", path=str(path))
    try:
        file = OpenEXR.File(str(path), separate_channels=True, header_only=header_only)
        parts = [_described(part) for part in file.parts]
    except (RuntimeError, ValueError, MemoryError) as error:  # ValueError: a text that is no UTF-8, for one
        raise _broken(path, str(error)) from error
    with file:
        yield file, parts


def _described(part: OpenEXR.Part) -> Part:
    """A part without the channels that make no picture: deep and subsampled ones."""
    flat = part.type() in (OpenEXR.scanlineimage, OpenEXR.tiledimage)
    channels = [channel for channel in part.header["channels"] if (channel.xSampling, channel.ySampling) == (1, 1)]
    return Part(
        tuple(channel.name for channel in channels) if flat else (),
        tuple(int(value) for corner in part.header["dataWindow"] for value in corner),
        tuple(int(value) for corner in part.header["displayWindow"] for value in corner),
    )


def _broken(path: Path, reason: str) -> ShotError:
    return ShotError(f"{path.name} is broken or not whole ({reason}).", "Render this frame again.", path=str(path))


def woven(planes: Sequence[npt.NDArray[Any]]) -> FloatImage:
    """Planes HxW as one HxWxC picture, its channels side by side in memory: numpy is three times as fast as torch."""
    picture = np.empty((*planes[0].shape, len(planes)), np.float32)
    for channel, plane in enumerate(planes):
        picture[..., channel] = plane
    return picture


def unpremultiplied(rgba: FloatImage) -> FloatImage:
    """Premultiplied (..., 4), as EXR files have them, with straight alpha: the painter sees the colour itself. Without
    alpha, (..., 3), all is opaque.
    """
    if rgba.shape[-1] == 3 or rgba[..., 3].min() == 1:
        return rgba
    result = rgba.copy("K")
    result[..., :3] /= np.clip(rgba[..., 3:], 1e-4, 1)
    return result


def premultiplied(rgba: FloatImage) -> FloatImage:
    """(..., 4) of straight alpha as EXR files have them; (..., 3) as they are."""
    if rgba.shape[-1] == 3 or rgba[..., 3].min() == 1:
        return rgba
    result = rgba.copy("K")
    result[..., :3] *= rgba[..., 3:]
    return result


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
    write_whole(path, data.getvalue())


def read_painting(path: Path, size: tuple[int, int] | None = None) -> ByteImage:
    """``read_picture`` of one that has something on it, of ``size`` (width, height). Raises PaintingError."""
    pixels = read_picture(path)
    height, width = pixels.shape[:2]
    if size is not None and (width, height) != size:
        raise PaintingError(
            f"{path.name} is {width} x {height} pixels, but the shot's frames are {size[0]} x {size[1]}.",
            "Paint over the rendered frame at its own size, without cropping or scaling it.",
            path=str(path),
            painting=[width, height],
            frame=list(size),
        )
    if not pixels[..., 3].any():
        raise PaintingError(f"{path.name} is transparent everywhere.", "Paint something in it.", path=str(path))
    return pixels


def read_picture(path: Path, upright: bool = True) -> ByteImage:
    """Read a picture in any colour mode as uint8 HxWx4: sRGB display values, straight alpha.

    An embedded ICC profile is converted to sRGB. ``upright``: turned as its EXIF says, which paint programs do and
    Blender doesn't. Raises PaintingError.
    """
    try:
        with Image.open(path) as image:
            image.load()
            return np.array(_as_srgb(ImageOps.exif_transpose(image) if upright else image))
    except FileNotFoundError as error:
        raise PaintingError(f"There is no painting {path}.", "Choose the file again.", path=str(path)) from error
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
        raise PaintingError(
            f"{path.name} cannot be read as a picture ({error}).", "Save it again, as PNG.", path=str(path)
        ) from error


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
