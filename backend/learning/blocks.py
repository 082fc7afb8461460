"""Network blocks. No normalisation over the picture: statistics taken per frame flicker and show tile seams."""

import math
from functools import cache
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2
LEAK = 0.02
Network = TypeVar("Network", bound=nn.Module)


def channels_last(network: Network) -> Network:
    """The same network with its weights laid out as processors convolve fastest."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub forgot it
    return network


def leaky_sigmoid(x: Tensor) -> Tensor:
    """A sigmoid whose gradient is nowhere less than LEAK: one that was driven into its corner would never come back."""
    y = torch.sigmoid(x)
    return y + LEAK * (x - x.detach()) if x.requires_grad else y


def plus(x: Tensor, y: Tensor) -> Tensor:
    """``x + y``; in the place of ``x``, which nobody may need any more, where nothing is learned: no new memory."""
    return x + y if x.requires_grad else x.add_(y)


def pointwise(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A 1x1 convolution of ``x`` (N, C, H, W) by ``weight`` (M, C): for a few channels several times faster so."""
    flat = weight @ x.flatten(2)
    result: Tensor = (flat if bias is None else flat.add_(bias[:, None])).unflatten(2, x.shape[2:])
    return result


def shuffled(x: Tensor) -> Tensor:
    """``F.pixel_shuffle(x, 2)`` of (N, 4 C, H, W): with the channels last, as they are convolved, four times faster."""
    pair = {torch.bfloat16: torch.int32, torch.float32: torch.int64}.get(x.dtype)
    if x.requires_grad or pair is None or not x.is_contiguous(memory_format=torch.channels_last):
        return F.pixel_shuffle(x, 2)
    count, channels, height, width = x.shape
    pairs = x.permute(0, 2, 3, 1).view(pair)  # neighbours in a row are neighbours in memory: moved as one
    rows = pairs.unflatten(3, (-1, 2)).permute(0, 3, 1, 4, 2).contiguous()
    result: Tensor = rows.view(x.dtype).view(count, channels // 4, 2 * height, 2 * width)
    return result


def doubled(x: Tensor) -> Tensor:
    """``x`` (N, C, H, W) at twice the size, bilinear, its border repeated.

    Processors that convolve bfloat16 do so in half the time, to the same numbers: the weights are products of 1/4 and
    3/4.
    """
    if x.requires_grad or x.dtype != torch.bfloat16:
        larger: Tensor = F.interpolate(x.float(), scale_factor=2, mode="bilinear").to(x.dtype)
        return larger
    return F.conv_transpose2d(F.pad(x, (1, 1, 1, 1), "replicate"), _tents(x.shape[1], x.device), stride=2, padding=3)


@cache
def _tents(channels: int, device: torch.device) -> Tensor:
    """The weights of a transposed convolution that doubles each of the ``channels`` by itself."""
    tent = torch.tensor([0.25, 0.75, 0.75, 0.25])
    weights = torch.eye(channels)[..., None, None] * tent[:, None] * tent
    return weights.to(device, torch.bfloat16, memory_format=torch.channels_last)


def convolution(
    inputs: int, outputs: int, kernel: int = 3, stride: int = 1, gain: float = 1.0, padding: int | None = None
) -> nn.Conv2d:
    """A convolution that keeps the size (but for ``stride``), He-initialised for the leaky ReLU, times ``gain``."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2 if padding is None else padding)
    nn.init.kaiming_normal_(layer.weight, SLOPE)
    layer.weight.data.mul_(gain)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


@torch.no_grad()
def limit_weights(network: nn.Module) -> None:
    """Scale down every convolution whose weights have a larger norm than He initialisation gives them.

    A max-norm constraint (Srivastava et al. 2014, section 5.1), for after each update. Without it a network with
    neither normalisation nor weight decay may grow until its sigmoids are at their ends, where nothing is learned.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            limit = math.sqrt(2 / (1 + SLOPE**2) * layer.out_channels)
            layer.weight.mul_((limit / layer.weight.norm().clamp_min(1e-12)).clamp_max(1))


def pixel_norm(x: Tensor) -> Tensor:
    """Each pixel's channels scaled to a mean square of one (Karras et al. 2018, section 4.2).

    Nothing is taken from other pixels, so it neither flickers nor shows tile seams; and however weights grow, what
    comes of them stays bounded.
    """
    length: Tensor = torch.linalg.vector_norm(x, dim=1, keepdim=True)  # in half the time of a mean of squares
    return x * (length.square() / x.shape[1] + 1e-2).rsqrt().to(x.dtype)  # autocast takes lengths in float32


class ResidualBlock(nn.Module):
    """x + conv(act(conv(act(norm(x))))), the last convolution near zero at first: a deep stack starts as identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = convolution(channels, channels)
        self.second = convolution(channels, channels, gain=0.1)

    def forward(self, x: Tensor) -> Tensor:
        hidden: Tensor = self.first(F.leaky_relu(pixel_norm(x), SLOPE, inplace=True))
        hidden = self.second(F.leaky_relu(hidden, SLOPE, inplace=True))
        return plus(hidden, x)


def parameter_count(network: nn.Module) -> int:
    """How many numbers it learns."""
    return sum(p.numel() for p in network.parameters())
