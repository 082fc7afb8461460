"""What moves with the flow from frame to frame: the last output, and noise that sticks to the gas."""

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from .encoding import Encoding
from .resample import carried_by, enlarged, stayed_inside

LIFE = 16.0  # frames that a layer of noise lasts
LAYERS = 2
TEXTURE = 512  # pixels after which a layer of noise repeats itself
FINEST = 0.7  # pixels: sigma of the finest noise; the next is twice as coarse, and so on
EMPTY = 1e-3  # of what a pixel can show: with less of it, a velocity hardly counts beside its neighbours'
AGREE = 0.15  # encoded: how much a coarse picture may differ from the carried one before and be trusted by half


def enlarged_flow(flow: Tensor, coarse: Tensor, encoding: Encoding, factor: int) -> Tensor:
    """The flow (N, 2, H, W) of the fine picture from that at coarse pixels, (N, 2, h, w), both in fine pixels.

    Weighted by what the encoded ``coarse`` pictures (N, C, h, w) show: else the gas along its edges would take the
    speed of half itself and half nothing.
    """
    weight = encoding.shown(coarse) + EMPTY
    parts = enlarged(torch.cat((flow * weight, weight), 1), factor)
    return parts[:, :2] / parts[:, 2:]


def carried(fine: Tensor, before: Tensor, now: Tensor, flow: Tensor, encoding: Encoding) -> Tensor:
    """What the generator takes as ``previous``, (N, C + 1, H, W), from its last output ``fine`` (N, C, H, W).

    ``before``, ``now``: the coarse pictures (N, C, h, w) then and now, ``flow`` (N, 2, h, w) from then to now, in fine
    pixels. What moves along is the detail, by which the output differs from the enlarged coarse picture. The last
    channel says how far to trust it: where it comes from inside the picture, and where the coarse pictures agree.
    """
    factor = fine.shape[2] // now.shape[2]
    wide = enlarged_flow(flow, now, encoding, factor)
    error = (carried_by(before, flow / factor) - now).abs().mean(1, keepdim=True)
    trust = stayed_inside(wide) * enlarged(torch.exp2(-error / AGREE), factor)
    return torch.cat((carried_by(fine - enlarged(before, factor), wide), trust), 1)


def nothing_before(coarse: Tensor, factor: int) -> Tensor:
    """``previous`` of a first frame, for coarse pictures (N, C, h, w)."""
    count, channels, height, width = coarse.shape
    return coarse.new_zeros(count, channels + 1, height * factor, width * factor)


class CarriedNoise:
    """Noise (N, Z, H, W), mean 0 and variance 1, that moves with the flow; channel z is as coarse as 2^z pixels.

    Layers of a texture whose coordinates are carried (Neyret 2003, "Advected textures"): each begins anew after
    ``LIFE`` frames, when it cannot be seen, while the other is at its strongest; where the flow has sheared a layer it
    gives way sooner. With a ``period`` in frames and a flow that repeats with it, the noise repeats too, from ``LIFE``
    frames on.
    """

    def __init__(
        self,
        channels: int,
        seeds: list[int],
        device: torch.device,
        period: int | None = None,
        first: int = 0,
    ) -> None:
        """For as many pictures as ``seeds``. ``first``: the number of the first frame."""
        self.frame = first
        self.lives = None if period is None else max(1, round(period / LIFE))
        self.life = LIFE if period is None or self.lives is None else period / self.lives
        self._seeds, self._device = seeds, device
        self._texture = _texture(channels, device)
        self._shift: list[Tensor | None] = [None] * LAYERS

    def step(self, flow: Tensor, factor: int) -> Tensor:
        """The noise of the next frame, into which ``flow`` (N, 2, h, w) leads, in pixels of (N, Z, factor h, factor w).

        The layers' coordinates are kept at the flow's own size: they are as smooth as the flow.
        """
        total = power = torch.zeros((), device=self._device)
        for layer in range(LAYERS):
            age = self.frame / self.life + layer / LAYERS
            generation = math.floor(age + 1e-9)
            shift, young = self._shift[layer], age - generation < 1 / self.life - 1e-9
            if shift is None or young:
                shift = torch.zeros_like(flow)
            else:
                shift = _carried_from_edge(shift, flow / factor) - flow
            self._shift[layer] = shift
            weight = math.sin(math.pi * (age - generation)) * _unsheared(shift / factor) + 1e-4
            wide = enlarged(torch.cat((shift, weight), 1), factor)
            total = total + wide[:, 2:] * self._sampled(wide[:, :2], layer, generation)
            power = power + wide[:, 2:].square()
        self.frame += 1
        return total * power.rsqrt()

    def _sampled(self, shift: Tensor, layer: int, generation: int) -> Tensor:
        number = generation if self.lives is None else generation % self.lives
        random = [torch.Generator().manual_seed(seed * 1_000_003 + number * LAYERS + layer) for seed in self._seeds]
        offset = torch.stack([torch.randint(TEXTURE, (2,), generator=source) for source in random])
        height, width = shift.shape[2:]
        start = offset.to(shift.dtype).to(self._device)[:, :, None, None] + 0.5
        column = torch.arange(width, device=self._device, dtype=shift.dtype)
        row = torch.arange(height, device=self._device, dtype=shift.dtype)[:, None]
        place = torch.stack((shift[:, 0] + column + start[:, 0], shift[:, 1] + row + start[:, 1]), 3)
        # The texture has its first row and column once more at the end, so that it can be sampled all around.
        grid = torch.remainder(place, TEXTURE) * (2 / TEXTURE) - 1
        texture = self._texture.expand(len(shift), -1, -1, -1)
        return F.grid_sample(texture, grid, padding_mode="border", align_corners=True)


def _carried_from_edge(shift: Tensor, flow: Tensor) -> Tensor:
    """(N, 2, h, w) carried, but what comes from outside is as at the edge."""
    height, width = flow.shape[2:]
    room = torch.tensor([width, height], device=flow.device, dtype=flow.dtype)[:, None, None]
    column = torch.arange(width, device=flow.device, dtype=flow.dtype).expand(height, width)
    row = torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None].expand(height, width)
    here = torch.stack((column, row))
    return carried_by(shift, here - torch.minimum((here - flow).clamp(min=0), room - 1))


def _unsheared(shift: Tensor) -> Tensor:
    """(N, 1, H, W), 0..1: how far a layer's coordinates keep shapes and sizes there."""
    across = F.pad(shift, (1, 1, 0, 0), "replicate")
    down = F.pad(shift, (0, 0, 1, 1), "replicate")
    by_x = (across[..., 2:] - across[..., :-2]) * 0.5
    by_y = (down[..., 2:, :] - down[..., :-2, :]) * 0.5
    xx, yx, xy, yy = by_x[:, :1] + 1, by_x[:, 1:], by_y[:, :1], by_y[:, 1:] + 1
    area = (xx * yy - xy * yx).abs().clamp(min=1e-2)
    shape = (xx.square() + yx.square() + xy.square() + yy.square()) / (2 * area)  # 1 for a turned and scaled square
    return 1 / (1 + (shape - 1).square() + area.log().square())


@lru_cache
@torch.inference_mode(False)
def _texture(channels: int, device: torch.device) -> Tensor:
    """(1, Z, TEXTURE + 1, TEXTURE + 1): smooth noise that repeats, of variance 1; the same always."""
    white = torch.randn(channels, TEXTURE, TEXTURE, generator=torch.Generator().manual_seed(7))
    rows = torch.fft.fftfreq(TEXTURE)[:, None]
    columns = torch.fft.rfftfreq(TEXTURE)
    sigma = FINEST * 2.0 ** torch.arange(channels).view(-1, 1, 1)
    filter_ = torch.exp(-2 * (math.pi * sigma).square() * (rows.square() + columns.square()))
    filter_[:, 0, 0] = 0
    smooth = torch.fft.irfft2(torch.fft.rfft2(white) * filter_, s=(TEXTURE, TEXTURE))
    smooth /= smooth.std((1, 2), keepdim=True)
    return F.pad(smooth[None], (0, 1, 0, 1), "circular").to(device)
