"""What a look's network is shown of a frame: the passes, encoded alike for training and for use."""

from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..colour import View
from ..images import LUMINANCE, ByteImage, unpremultiplied, woven
from ..machine import in_chunks
from ..motion import Names
from ..shot import SKY, Shot

Array: TypeAlias = NDArray[np.float32]

PASSES = ("beauty", "albedo", "normal", "depth", "position", "vector")
OPTIONAL = ("object",)
CHANNELS = 13  # display beauty 3, its alpha 1, albedo 3, normal 3, depth 1, sky 1, light 1
ENDLESS = 1e4  # the footprint of the sky, which lies nowhere: so large that it silences the waves
ALL = slice(None)
COLOUR_CHANNELS = 3  # a look of colour alone sees display colours


@dataclass(frozen=True)
class Encoding:
    """The scales by which passes become numbers near one: measured on the key frames, kept in the card.

    ``depth``: metres, the key frames' median. ``pixel``: metres, a pixel's size at that depth. ``centre``: metres,
    the median world position, subtracted before positions become waves.
    """

    depth: float
    pixel: float
    centre: tuple[float, float, float]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Encoding":
        return cls(float(data["depth"]), float(data["pixel"]), tuple(data["centre"]))

    @classmethod
    def measured(cls, depth: Array, position: Array) -> "Encoding":
        """From a key frame's ``depth`` (H, W, 1) and ``position`` (H, W, 3)."""
        seen = depth[..., 0] < SKY
        if not seen.any():
            return cls(1.0, 1.0, (0.0, 0.0, 0.0))
        median = float(np.median(depth[..., 0][seen]))
        step = np.linalg.norm(np.diff(position, axis=1), axis=-1)
        both = seen[:, 1:] & seen[:, :-1]
        # Neighbours on one surface seen at a slant lie further apart than a pixel is large: the lower quartile is fair.
        relative = (step / np.maximum(depth[:, 1:, 0], 1e-6))[both]
        pixel = median * float(np.quantile(relative, 0.25)) if relative.size else median / 1000
        centre = np.median(position[seen], axis=0)
        return cls(median, max(pixel, 1e-9), (float(centre[0]), float(centre[1]), float(centre[2])))


@dataclass(frozen=True)
class Motion:
    """What motion needs of a frame: ``position`` (H, W, 3) metres, ``objects`` (H, W) names as numbers or None, and
    ``vector`` (4, H, W) pixels, to the previous frame and to the next.
    """

    position: Array
    objects: Names | None
    vector: Tensor

    def surface(self, every: int) -> tuple[Array, Names | None]:
        """Position and objects of every ``every``-th pixel of a row and of a column."""
        objects = None if self.objects is None else np.ascontiguousarray(self.objects[::every, ::every])
        return woven(list(np.moveaxis(self.position[::every, ::every], 2, 0))), objects


@dataclass(frozen=True)
class Frame:
    """One frame's passes.

    ``display``: (3, H, W), what the artist sees, 0..1. ``alpha``: (1, H, W), coverage of the render, 0..1. ``light``:
    (1, H, W), see ``_light``. ``albedo`` and ``normal``: (H, W, 3). ``depth``: (H, W, 1) metres.
    """

    number: int
    encoding: Encoding
    display: Tensor
    alpha: Tensor
    light: Tensor
    albedo: Array
    normal: Array
    depth: Array
    motion: Motion

    @property
    def height(self) -> int:
        return self.display.shape[1]

    @property
    def width(self) -> int:
        return self.display.shape[2]

    def guides(self, rows: slice = ALL, columns: slice = ALL) -> Tensor:
        """(CHANNELS, H, W), or a window of it: encoded when it is needed, since all of it is several times a frame."""
        window = slice(None), rows, columns
        display, depth = self.display[window], planes(self.depth)[window]
        result = torch.empty(CHANNELS, *display.shape[1:])
        torch.mul(display, 2, out=result[:3]).sub_(1)
        result[3:4] = self.alpha[window]
        torch.clamp(planes(self.albedo)[window], 0, 1, out=result[4:7]).sqrt_().mul_(2).sub_(1)
        result[7:10] = planes(self.normal)[window]
        torch.clamp(depth, 1e-6, SKY, out=result[10:11]).div_(self.encoding.depth).log2_().div_(4).clamp_(-1, 1)
        torch.gt(depth, SKY, out=result[11:12])
        result[12:] = self.light[window]
        return result

    def positions(self, rest: Array, rows: slice = ALL, columns: slice = ALL, every: int = 1) -> Tensor:
        """Position inputs (4, h, w) of every ``every``-th pixel of a row and of a column, or those in a window of the
        frame that begins at one: ``rest`` position, of just these pixels (h, w, 3; metres), and footprint, both in
        pixels at the median depth.
        """
        window = slice(None), *(thinned(part, every) for part in (rows, columns))
        where, depth = planes(rest)[window], planes(self.depth)[:, ::every, ::every][window]
        result = torch.empty(4, *depth.shape[1:])
        for axis, centre in enumerate(self.encoding.centre):
            torch.sub(where[axis], centre, out=result[axis]).div_(self.encoding.pixel)
        torch.div(depth, self.encoding.depth, out=result[3:]).clamp_(max=ENDLESS)
        return result


def thinned(window: slice, every: int) -> slice:
    """Where a ``window`` of a row or column that begins at an ``every``-th pixel is among those."""
    start, stop = window.start, window.stop
    return slice(start and start // every, stop and -(-stop // every))


def planes(image: NDArray[Any]) -> Tensor:
    """(H, W, C) array as a (C, H, W) tensor of float32 that looks at the same memory, if the array is float32."""
    return torch.from_numpy(image.astype(np.float32, copy=False)).permute(2, 0, 1)


def object_names(identifiers: Array) -> Names:
    """Cryptomatte's (H, W, 1) float identifiers as (H, W) integers: their bits, since some are denormal or NaN."""
    return np.ascontiguousarray(identifiers[..., 0], np.float32).view(np.int32)


def read_motion(shot: Shot, number: int) -> Motion:
    """Only what motion needs of a frame."""
    names = ["position", "vector"] + (["object"] if "object" in shot.passes(number) else [])
    return _motion(shot.read(number, names))


def _motion(passes: dict[str, Array]) -> Motion:
    objects = object_names(passes["object"]) if "object" in passes else None
    return Motion(passes["position"], objects, planes(passes["vector"]))


def read_display(shot: Shot, number: int, view: View | None = None) -> Tensor:
    """Only what the artist sees of a frame, in the shot's view or another: (3, H, W) in 0..1."""
    return planes((view or shot.view).shown(shot.read(number, ["beauty"])["beauty"]))


def in_bytes(display: Tensor) -> ByteImage:
    """Display colours (3, H, W) in 0..1 as a picture of bytes (H, W, 3)."""
    return (display.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()


def read(shot: Shot, number: int, view: View, encoding: Encoding | None) -> Frame:
    """A frame of the shot, to be encoded. With no ``encoding`` it is measured on this frame."""
    names = [*PASSES, *(name for name in OPTIONAL if name in shot.passes(number))]
    passes = shot.read(number, names)
    beauty, albedo, depth = (passes[name] for name in ("beauty", "albedo", "depth"))
    height, width = depth.shape[:2]
    display, alpha, light = (torch.empty(channels, height, width) for channels in (3, 1, 1))
    rgba, own = beauty.reshape(-1, 4), planes(albedo).flatten(1)

    def work(chunk: slice) -> None:
        colour = unpremultiplied(rgba[chunk])
        view.to_display(colour[:, :3], display.flatten(1)[:, chunk].T.numpy())
        torch.clamp(torch.from_numpy(rgba[chunk, 3]), 0, 1, out=alpha.flatten()[chunk])
        light.flatten()[chunk] = _light(torch.from_numpy(colour).T[:3], own[:, chunk])

    in_chunks(work, height * width)
    encoding = encoding or Encoding.measured(depth, passes["position"])
    return Frame(number, encoding, display, alpha, light, albedo, passes["normal"], depth, _motion(passes))


def _light(colour: Tensor, albedo: Tensor) -> Tensor:
    """How much light falls on each pixel (N), whatever the surface's own colour (3, N each): in stops, -6..6 mapped to
    -1..1.
    """
    light = _luminance(colour).div_(_luminance(albedo).add_(0.01))
    return light.clamp_(1 / 64, 64).log2_().div_(6)


def _luminance(linear: Tensor) -> Tensor:
    """Of linear Rec. 709 colours (3, N): (N)."""
    (red, green, blue), weights = linear, LUMINANCE
    result: Tensor = (red * weights[0]).add_(green, alpha=weights[1]).add_(blue, alpha=weights[2])
    return result
