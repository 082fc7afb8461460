"""Published networks from the shared data, as plain functions: VGG-19 to train baselines with, SqueezeNet to measure.

What is trained on one network is measured on another. Where the shared data is missing, ``available`` says so.
"""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .shots import SHARED

FOLDER = SHARED / "features"
VGG = FOLDER / "vgg19norm_relu123_enc_dec_fp16.npz"
SQUEEZENET = FOLDER / "squeezenet_v1.1_fp16.npz"


def available(path: Path) -> bool:
    return path.exists()


@lru_cache
def _weights(path: Path, device: torch.device) -> dict[str, Tensor]:
    with np.load(path, allow_pickle=False) as stored:
        return {name: torch.from_numpy(stored[name].astype(np.float32)).to(device) for name in stored.files}


def vgg_features(image: Tensor) -> list[Tensor]:
    """conv1_1, relu1_2 and conv2_1 of the normalised VGG-19, for Nx3xHxW in 0..1."""
    w = _weights(VGG, image.device)

    def conv(x: Tensor, index: int) -> Tensor:
        x = F.pad(x, (1, 1, 1, 1), mode="reflect")
        return F.conv2d(x, w[f"enc3.{index}.weight"], w[f"enc3.{index}.bias"])

    x = F.conv2d(image, w["enc3.0.weight"], w["enc3.0.bias"])
    first = conv(x, 2)
    second = F.relu(conv(F.relu(first), 5))
    return [first, second, conv(F.max_pool2d(second, 2, ceil_mode=True), 9)]


def squeezenet_distance(images: list[np.ndarray], truths: list[np.ndarray]) -> float:
    """How differently SqueezeNet 1.1 sees two sets of frames (HxWx3, 0..1), frame by frame; 0 for equal ones.

    Mean over its eight fire modules of the squared distance between the features at each place, each scaled to unit
    length over its channels. No weights are learned on top, so this is no LPIPS and its numbers are not LPIPS numbers.
    """
    distances = []
    with torch.inference_mode():
        for image, truth in zip(images, truths, strict=True):
            for ours, theirs in zip(_squeezenet(image), _squeezenet(truth), strict=True):
                ours, theirs = F.normalize(ours, dim=1), F.normalize(theirs, dim=1)
                distances.append(float((ours - theirs).square().sum(1).mean()))
    return float(np.mean(distances))


def _squeezenet(image: np.ndarray) -> list[Tensor]:
    w = _weights(SQUEEZENET, torch.device("cpu"))
    mean = torch.tensor([104.0, 117.0, 123.0]).view(1, 3, 1, 1)
    x = torch.from_numpy(np.ascontiguousarray(image[..., 2::-1], np.float32)).permute(2, 0, 1)[None] * 255 - mean

    def conv(name: str, x: Tensor, **options: int) -> Tensor:
        return F.relu(F.conv2d(x, w[f"{name}.w"], w[f"{name}.b"], **options))

    pool: Callable[[Tensor], Tensor] = lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True)  # noqa: E731
    x = pool(conv("conv1", x, stride=2))
    found = []
    for number in range(2, 10):
        if number in (4, 6):
            x = pool(x)
        x = conv(f"fire{number}/squeeze1x1", x)
        x = torch.cat((conv(f"fire{number}/expand1x1", x), conv(f"fire{number}/expand3x3", x, padding=1)), 1)
        found.append(x)
    return found
