"""The published few-shot patch network, as a baseline: Texler et al. 2020, "Interactive Video Stylization Using
Few-Shot Patch-Based Training", with the settings that its authors published (their configuration reference_P).

A generator from the displayed frame (three channels, -1..1) to the painted frame: 7x7 convolution to 32 channels, two
strided ones to 64 and 128, seven residual blocks, nearest-neighbour upsampling with skips, two smoothing layers, tanh.
Patches of 32, batches of 40, Adam at 4e-4; 4 x L1 + 6 x VGG features + 0.5 x least-squares adversarial.

One thing differs: the VGG weights at hand are the normalised VGG-19 (activations of mean 1), their input 0..1. Without
the shared data the feature term is left out, and the report says so.
"""

import time

import numpy as np
import torch
from torch import Tensor, nn

from . import features

PATCH, BATCH, RATE, DECAY = 32, 40, 4e-4, 1e-5
L1_WEIGHT, FEATURE_WEIGHT, ADVERSARIAL_WEIGHT = 4.0, 6.0, 0.5
WIDTHS = (32, 64, 128, 128, 64)
BLOCKS = 7
DISCRIMINATOR_WIDTH = 12


def _conv(inputs: int, outputs: int, size: int, stride: int = 1, slope: float = 0.2) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, size // 2), nn.BatchNorm2d(outputs), nn.LeakyReLU(slope)
    )


def _up(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Upsample(scale_factor=2), nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class Block(nn.Module):
    """One residual block, activation first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        first, second = (nn.Conv2d(width, width, 3, 1, 1) for _ in range(2))
        self.layers = nn.Sequential(nn.ReLU(), first, nn.BatchNorm2d(width), nn.ReLU(), second)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class Generator(nn.Module):
    """Nx3xHxW in -1..1 to the same; H and W multiples of 4."""

    def __init__(self) -> None:
        super().__init__()
        full, half, quarter, up, last = WIDTHS
        self.first = _conv(3, full, 7)
        self.down1 = _conv(full, half, 3, 2)
        self.down2 = _conv(half, quarter, 3, 2)
        self.blocks = nn.Sequential(*(Block(quarter) for _ in range(BLOCKS)))
        self.up2 = _up(2 * quarter, up)
        self.up1 = _up(up + half, up)
        self.merge = nn.Sequential(nn.Conv2d(full + up + 3, last, 7, 1, 3), nn.ReLU())
        self.smooth = nn.Sequential(
            nn.Conv2d(last, last, 3, 1, 1), nn.ReLU(), nn.BatchNorm2d(last), nn.Conv2d(last, last, 3, 1, 1), nn.ReLU()
        )
        self.last = nn.Sequential(nn.Conv2d(last, 3, 1), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        full = self.first(x)
        half = self.down1(full)
        quarter = self.down2(half)
        deep = self.up2(torch.cat((self.blocks(quarter), quarter), 1))
        deep = self.up1(torch.cat((deep, half), 1))
        return self.last(self.smooth(self.merge(torch.cat((deep, full, x), 1))))


def discriminator() -> nn.Sequential:
    """A patch discriminator with instance norm: 12, 24 and 48 channels."""
    w = DISCRIMINATOR_WIDTH
    return nn.Sequential(
        nn.Conv2d(3, w, 4, 2, 1), nn.LeakyReLU(0.2),
        nn.Conv2d(w, 2 * w, 4, 2, 1), nn.InstanceNorm2d(2 * w), nn.LeakyReLU(0.2),
        nn.Conv2d(2 * w, 4 * w, 4, 1, 1), nn.InstanceNorm2d(4 * w), nn.LeakyReLU(0.2),
        nn.Conv2d(4 * w, 1, 4, 1, 1),
    )  # fmt: skip


class Training:
    """Learns to turn ``shown`` into ``painted`` (HxWx3, 0..1); may be stopped at any moment and gone on with.

    ``steps`` and ``seconds`` tell how far it has come.
    """

    def __init__(self, shown: np.ndarray, painted: np.ndarray, seed: int = 0, batch: int = BATCH) -> None:
        torch.manual_seed(seed)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.generator, self.judge = Generator().to(device), discriminator().to(device)
        self.steps, self.seconds = 0, 0.0
        self._source, self._target = (_planes(image).to(device) for image in (shown, painted))
        settings = {"lr": RATE, "betas": (0.9, 0.999), "weight_decay": DECAY}
        self._optimiser, self._judge_optimiser = (
            torch.optim.Adam(net.parameters(), **settings) for net in (self.generator, self.judge)
        )
        self._with_features = features.available(features.VGG)
        self._rng, self._batch = np.random.default_rng(seed), batch

    def until(self, seconds: float | None = None, steps: int | None = None) -> Generator:
        """Go on until it has learned for so many seconds or steps in all. Gives the generator, ready for use."""
        self.generator.train()
        started = time.perf_counter() - self.seconds
        while (seconds is None or self.seconds < seconds) and (steps is None or self.steps < steps):
            self._step()
            self.seconds = time.perf_counter() - started
        return self.generator.eval()

    def _step(self) -> None:
        height, width = self._source.shape[1:]
        corners = self._rng.integers(0, (height - PATCH + 1, width - PATCH + 1), (self._batch, 2))
        windows = [np.s_[:, row : row + PATCH, column : column + PATCH] for row, column in corners]
        given, wanted = (torch.stack([image[window] for window in windows]) for image in (self._source, self._target))

        made = self.generator(given)
        on_made, on_true = self.judge(made.detach()), self.judge(wanted)
        self._judge_optimiser.zero_grad()
        (on_made.square().mean() + (on_true - 1).square().mean()).backward()
        self._judge_optimiser.step()

        loss = L1_WEIGHT * (made - wanted).abs().mean() + ADVERSARIAL_WEIGHT * (self.judge(made) - 1).square().mean()
        if self._with_features:
            loss = loss + FEATURE_WEIGHT * _feature_loss(made, wanted)
        self._optimiser.zero_grad()
        loss.backward()
        self._optimiser.step()
        self.steps += 1


def _feature_loss(made: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared difference over all features of the three layers together."""
    with torch.no_grad():
        true = features.vgg_features((wanted + 1) / 2)
    pairs = list(zip(features.vgg_features((made + 1) / 2), true, strict=True))
    total = sum(a.numel() for a, _ in pairs)
    return torch.stack([(a - b).square().sum() for a, b in pairs]).sum() / total


def apply(generator: Generator, shown: np.ndarray) -> np.ndarray:
    """The stylised frame, HxWx3 in 0..1."""
    height, width = shown.shape[:2]
    planes = _planes(shown)[None].to(next(generator.parameters()).device)
    planes = nn.functional.pad(planes, (0, -width % 4, 0, -height % 4), mode="replicate")
    with torch.inference_mode():
        made = generator(planes)[0, :, :height, :width]
    return ((made.clamp(-1, 1) + 1) / 2).permute(1, 2, 0).cpu().numpy()


def _planes(image: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image, np.float32)).permute(2, 0, 1) * 2 - 1
