"""Pictures as the networks see them: every channel about -1..1 and 0 where there is nothing, and exactly back again.

What has a size or a time is first told in the effect's own measure, so that a candle and a burning house look alike:
lengths in heights of the box, times in tau = sqrt(height / g), motion in heights of the picture a frame. Then a map
that is linear near zero and logarithmic above, as light and density want it. Since nothing is 0, a convolution's zero
padding is empty air.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .physics import AMBIENT, GRAVITY
from .projection import CHANNELS

MEASURES = ("none", "height", "tau", "rows")
PERCENTILE = 0.999  # of a training set's values: what becomes 1
SAMPLES = 2_000_000
FAINT = 0.02  # light and density together: a pixel with less has no say in how far averages go
LEAST = 1e-3  # a channel in which nothing happens is not blown up


@dataclass(frozen=True)
class Channel:
    """How one channel is told: asinh((x - rest) / soft) / asinh((most - rest) / soft), with x in its ``measure``.

    ``rest``: what an empty pixel holds. ``most`` becomes 1. ``soft``: where linear turns to logarithmic. ``signed``:
    it may go below rest. ``mean``: it is an average over what the pixel shows, and means nothing where it shows little.
    ``shown``: its encoded value says how much a pixel shows.
    """

    name: str
    soft: float
    most: float
    rest: float = 0.0
    measure: str = "none"
    signed: bool = False
    mean: bool = False
    shown: bool = False

    def __post_init__(self) -> None:
        if self.measure not in MEASURES or self.soft <= 0 or self.most <= self.rest:
            raise ValueError(f"not a channel: {self}")

    @property
    def span(self) -> float:
        """What asinh makes of ``most``."""
        return math.asinh((self.most - self.rest) / self.soft)


# Light and density are seen in ratios: a 50th of the most is still plain to see. Heat and depth are nearly linear.
VOLUME = (
    Channel("emission", 0.02, 1.0, shown=True),
    Channel("optical_depth", 0.05, 1.0, shown=True),
    Channel("temperature", 2000.0, AMBIENT + 2000.0, rest=AMBIENT, mean=True),
    Channel("depth", 1.0, 1.0, measure="height", mean=True),
    Channel("velocity_x", 0.015, 0.05, measure="rows", signed=True, mean=True),
    Channel("velocity_y", 0.015, 0.05, measure="rows", signed=True, mean=True),
    Channel("age", 0.3, 1.0, measure="tau", mean=True),
    Channel("fuel", 0.05, 1.0),
)
assert tuple(channel.name for channel in VOLUME) == CHANNELS
"""Fire, smoke and explosion, before ``Encoding.fitted`` has seen how far their values go."""

PRESENCE = 12.0  # how fast a pixel that shows something counts as showing something, see ``Encoding.seen``


@dataclass(frozen=True)
class Encoding:
    """The channels of a kind of picture, in their order."""

    channels: tuple[Channel, ...] = VOLUME

    def encode(self, pictures: Tensor, height: float) -> Tensor:
        """Whole pictures (..., C, H, W) as ``projection`` makes them to what networks see.

        ``height``: of the box, in metres.
        """
        rest, soft, span, measure = self._columns(pictures, height)
        return ((pictures - rest) / (soft * measure)).asinh() / span

    def decode(self, encoded: Tensor, height: float) -> Tensor:
        """The inverse of ``encode``."""
        rest, soft, span, measure = self._columns(encoded, height)
        return (encoded * span).sinh() * (soft * measure) + rest

    def motion(self, pictures: Tensor, magnify: float) -> Tensor:
        """Of pictures (..., C, h, w) as projected, the flow (..., 2, h, w): pixels of the fine picture a frame."""
        across, down = (self.index(name) for name in ("velocity_x", "velocity_y"))
        return pictures[..., [across, down], :, :] * magnify

    def index(self, name: str) -> int:
        return [channel.name for channel in self.channels].index(name)

    def shown(self, encoded: Tensor) -> Tensor:
        """(..., 1, H, W), 0..1: how far each pixel of encoded pictures shows anything at all."""
        amount = encoded[..., [i for i, channel in enumerate(self.channels) if channel.shown], :, :].sum(-3, True)
        return -torch.expm1(-PRESENCE * amount.clamp(min=0))

    def seen(self, encoded: Tensor) -> Tensor:
        """Encoded pictures as judges see them: averages fade to nothing where there is little to average.

        A pixel of one ten-thousandth of smoke has a temperature, a depth and a velocity, but nobody can see them.
        """
        mean = torch.tensor([channel.mean for channel in self.channels], device=encoded.device)
        return torch.where(mean[:, None, None], encoded * self.shown(encoded), encoded)

    def gathered(self, encoded: Tensor, factor: int) -> Tensor:
        """How much light and density each coarse pixel of fine pictures (N, C, H, W) holds, (N, S, h, w), encoded.

        Sums are taken of what the numbers stand for: a bright spot counts as much as the glow that it came from.
        """
        chosen = [number for number, channel in enumerate(self.channels) if channel.shown]
        span, soft = encoded.new_tensor([(self.channels[n].span, self.channels[n].soft) for n in chosen]).T[
            ..., None, None
        ]
        amount = F.avg_pool2d((encoded[:, chosen] * span).sinh() * soft, factor)
        told: Tensor = (amount / soft).asinh() / span
        return told

    def mirrored(self, encoded: Tensor) -> Tensor:
        """Left and right exchanged."""
        sign = encoded.new_tensor([-1.0 if channel.name == "velocity_x" else 1.0 for channel in self.channels])
        return encoded.flip(-1) * sign[:, None, None]

    def fitted(self, pictures: Sequence[tuple[Tensor, float]]) -> "Encoding":
        """The same with every ``most`` and ``soft`` as these (pictures, height) have them."""
        channels = []
        shown = [number for number, channel in enumerate(self.channels) if channel.shown]
        for number, channel in enumerate(self.channels):
            values = []
            for picture, height in pictures:
                value = (picture[..., number, :, :].float() - channel.rest) / _measure(channel.measure, height, picture)
                held = picture[..., shown, :, :].float().sum(-3) > FAINT if channel.mean else value.abs() > LEAST
                values.append(value[held].abs())
            every = torch.cat(values)
            every = every[:: max(1, len(every) // SAMPLES)]
            most = float(every.sort()[0][int(PERCENTILE * (len(every) - 1))]) if len(every) else LEAST
            share = max(most, LEAST) / (channel.most - channel.rest)
            channels.append(replace(channel, soft=channel.soft * share, most=channel.rest + max(most, LEAST)))
        return Encoding(tuple(channels))

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(channel) for channel in self.channels]

    @classmethod
    def from_json(cls, data: Sequence[Mapping[str, Any]]) -> "Encoding":
        """What ``as_json`` told. Raises ``TypeError`` or ``ValueError`` for anything else."""
        return cls(tuple(Channel(**channel) for channel in data))

    def _columns(self, like: Tensor, height: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        rows = [(c.rest, c.soft, c.span, _measure(c.measure, height, like)) for c in self.channels]
        rest, soft, span, measure = like.new_tensor(rows).T[..., None, None].unbind(0)
        return rest, soft, span, measure


def _measure(name: str, height: float, picture: Tensor) -> float:
    return {"none": 1.0, "height": height, "tau": math.sqrt(height / GRAVITY), "rows": picture.shape[-2]}[name]
