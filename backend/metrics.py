"""How good a result is, in numbers that need no published weights.

Images are float arrays HxWx3 (or HxWxC) of display values in [0, 1]. Lower is better for everything but ``psnr`` and
``density_coverage``.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import avg_pool2d, conv2d, interpolate, leaky_relu

from . import images, motion
from .shot import Shot

Image = NDArray[np.floating[Any]]

STILL = (0.1 / 255) ** 2  # a render whose warp error is less stands still
SLIP = 0.75  # pixels: what is a little off counts as seen, for the eye sees it too
# Karras et al. 2018, section 5: 7x7 patches, 128 per image and level, 4 x 128 projections, down to 16 pixels.
# They draw them from 16384 images; a shot has a few large frames, so 8192 are drawn from each.
SWD_PATCH = 7
SWD_PATCHES = 8192
SWD_REPEATS = 4
SWD_PROJECTIONS = 128
SWD_SMALLEST = 16
FEATURES = (32, 64)  # channels of the random network
TEXTURE = 32  # pixels of a picture over which its features are averaged
NEIGHBOURS = 5  # Naeem et al. 2020, section 4
SAMPLES = 2048
SEED = 0  # same in, same out
EMPTY = 1e-3  # deviation in a patch in which nothing is to be seen


def psnr(image: Image, truth: Image) -> float:
    """Peak signal-to-noise ratio in dB, over all channels. Infinite for equal images. Raises ``ValueError`` when the
    shapes differ.
    """
    if image.shape != truth.shape:
        raise ValueError(f"Images of different shapes: {image.shape} and {truth.shape}.")
    mean = float(((image.astype(np.float64) - truth) ** 2).mean())
    return float("inf") if mean == 0 else -10 * float(np.log10(mean))


def patch_swd(images_: Sequence[Image], truths: Sequence[Image]) -> dict[str, float]:
    """Sliced Wasserstein distance x 1000 between the patches of two sets of images, per Laplacian-pyramid level.

    Karras et al. 2018, "Progressive growing of GANs", section 5 and appendix: a level holds one octave of detail;
    the distance says how much the local textures differ there, wherever they stand in the picture. The keys are the
    level's height in pixels, finest first, and ``mean``. One thing differs: both sides are normalised by the true
    images' mean and deviation of each channel, not each by its own, so that wrong colours and contrast count.
    """
    generator = torch.Generator().manual_seed(SEED)
    results: dict[str, float] = {}
    for ours, theirs in zip(_pyramid(images_), _pyramid(truths), strict=True):
        height, width = theirs.shape[2:]
        count = min(SWD_PATCHES, (height - SWD_PATCH + 1) * (width - SWD_PATCH + 1))
        rows = torch.randint(height - SWD_PATCH + 1, (len(theirs), count), generator=generator)
        columns = torch.randint(width - SWD_PATCH + 1, (len(theirs), count), generator=generator)
        mean = theirs.mean((0, 2, 3), keepdim=True)
        deviation = theirs.std((0, 2, 3), keepdim=True).clamp_min(1e-4)
        a, b = (_patches((side - mean) / deviation, rows, columns) for side in (ours, theirs))
        results[str(height)] = 1000 * _sliced_distance(a, b, generator)
    results["mean"] = float(np.mean(list(results.values())))
    return results


def _pyramid(pictures: Sequence[Image]) -> list[torch.Tensor]:
    """Laplacian pyramid, finest level first and the low-pass rest last; each level NxCxHxW."""
    level = torch.from_numpy(np.stack(pictures).astype(np.float32)).permute(0, 3, 1, 2)
    levels = []
    while min(level.shape[2:]) // 2 >= SWD_SMALLEST:
        smaller = avg_pool2d(level, 2)
        levels.append(level - interpolate(smaller, size=level.shape[2:], mode="bilinear", align_corners=False))
        level = smaller
    return [*levels, level]


def _patches(level: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """The patches with their upper left corners at ``rows``, ``columns`` (each N x count), one flat row each."""
    n, count = rows.shape
    offsets = torch.arange(SWD_PATCH)
    index = torch.arange(n).view(n, 1, 1, 1)
    patches = level.permute(0, 2, 3, 1)[
        index, rows.view(n, count, 1, 1) + offsets.view(-1, 1), columns.view(n, count, 1, 1) + offsets
    ]
    return patches.reshape(n * count, -1)


def _sliced_distance(a: torch.Tensor, b: torch.Tensor, generator: torch.Generator) -> float:
    """Mean over random directions of the 1D Wasserstein-1 distance of the two projected point sets."""
    distances = []
    for _ in range(SWD_REPEATS):
        directions = torch.randn(a.shape[1], SWD_PROJECTIONS, generator=generator)
        directions /= directions.norm(dim=0)
        distances.append(float(((a @ directions).sort(0)[0] - (b @ directions).sort(0)[0]).abs().mean()))
    return float(np.mean(distances))


def log_spectrum_error(image: Image, truth: Image) -> float:
    """Mean absolute difference of the radial power spectra, in dB: too smooth, too noisy and checkerboards all show.

    The radial profile is that of Durall et al. 2020, "Watch your up-convolution"; taken on luminance under a Hann
    window, out to the shorter side's Nyquist frequency.
    """
    return float(np.abs(_radial_spectrum(image) - _radial_spectrum(truth)).mean())


def _radial_spectrum(image: Image) -> NDArray[np.float64]:
    luminance = image[..., :3].astype(np.float64) @ images.LUMINANCE
    height, width = luminance.shape
    window = np.outer(np.hanning(height), np.hanning(width))
    power = np.abs(np.fft.fft2((luminance - luminance.mean()) * window)) ** 2 / window.size
    rings = min(height, width) // 2
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None]) * 2 * rings
    ring = np.minimum(radius.round().astype(int), rings)
    profile = np.bincount(ring.ravel(), power.ravel()) / np.bincount(ring.ravel())
    # Below 1e-7 is under the rounding of an 8-bit picture: no eye and no metric should tell such spectra apart.
    return np.asarray(10 * np.log10(np.maximum(profile[1:rings], 1e-7)))


def density_coverage(images_: Sequence[Image], truths: Sequence[Image]) -> tuple[float, float]:
    """Density and coverage of the local textures of two sets of images, with the features of a random network.

    Naeem et al. 2020, "Reliable fidelity and diversity metrics for generative models", equations 3 and 4; their section
    5.4 finds that a network which has learned nothing serves for pictures that published ones have never seen. Density:
    how near ours are to true ones, about 1 for the truth itself (and more where ours crowd where most truths are).
    Coverage: what share of the true ones has one of ours nearby, at most 1. A sample is a patch of some 36 pixels, told
    by the mean and deviation of each feature in it: the features themselves would put what is blurred, in the middle
    of all textures, near to each of them. Patches in which nothing is to be seen do not count. Higher is better.
    (0, 0) where one side holds next to nothing. Pictures are at least 34 pixels high and wide.
    """
    generator = torch.Generator().manual_seed(SEED)
    layers = [
        torch.randn(after, before, 4, 4, generator=generator) * (2 / (16 * before)) ** 0.5
        for before, after in zip((truths[0].shape[2], *FEATURES), FEATURES, strict=False)
    ]
    ours, theirs = (_texture_features(side, layers, generator) for side in (images_, truths))
    if len(ours) <= NEIGHBOURS or len(theirs) <= NEIGHBOURS:
        return 0.0, 0.0
    reach = torch.cdist(theirs, theirs).kthvalue(NEIGHBOURS + 1, 1).values  # the first is the patch itself
    within = torch.cdist(theirs, ours) < reach[:, None]
    return float(within.float().sum(0).mean()) / NEIGHBOURS, float(within.any(1).float().mean())


def _texture_features(
    pictures: Sequence[Image], layers: list[torch.Tensor], generator: torch.Generator
) -> torch.Tensor:
    """Statistics (N, F) of at most SAMPLES random patches that are not empty."""
    x = torch.from_numpy(np.stack(pictures).astype(np.float32)).permute(0, 3, 1, 2)
    parts, window = [], TEXTURE
    for layer in layers:
        x, window = leaky_relu(conv2d(x, layer, stride=2, padding=1), 0.2), window // 2
        mean, square = (avg_pool2d(values, window, window // 2) for values in (x, x.square()))
        parts += [mean, (square - mean.square()).clamp(min=0).sqrt()]
    height, width = (min(part.shape[axis] for part in parts) for axis in (2, 3))
    table = torch.cat([part[..., :height, :width] for part in parts], 1).permute(0, 2, 3, 1).flatten(0, 2)
    found = table[table[:, FEATURES[0] : 2 * FEATURES[0]].mean(1) > EMPTY]
    return found[torch.randperm(len(found), generator=generator)[:SAMPLES]]


def temporal_spectrum_error(frames: Sequence[Image], truths: Sequence[Image]) -> float:
    """Mean absolute difference, in dB, of how much two sequences change at each rate: flicker and sluggishness show.

    For each rate the power of that Fourier coefficient in time under a Hann window, averaged over pixels and channels;
    the constant part is left out. Raises ``ValueError`` for fewer than 4 frames.
    """
    if len(frames) < 4:
        raise ValueError("A temporal spectrum needs at least 4 frames.")
    ours, theirs = (_temporal_spectrum(np.stack(side)) for side in (frames, truths))
    return float(np.abs(ours - theirs).mean())


def _temporal_spectrum(frames: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    centred = frames.astype(np.float64) - frames.mean(0)
    window = np.hanning(len(frames) + 2)[1:-1, None, None, None]
    power = np.abs(np.fft.rfft(centred * window, axis=0)) ** 2 / len(frames)
    return np.asarray(10 * np.log10(np.maximum(power.mean((1, 2, 3))[1:], 1e-10)))


def warp_error(image: Image, previous: Image, vector: Image, previous_vector: Image) -> float:
    """Mean squared difference between a frame and the frame before carried to it, where the same surface is seen.

    Lai et al. 2018, "Learning blind video temporal consistency", with the renderer's vectors in the place of an
    estimated flow, and ``motion.agreement`` as the mask: going back by this frame's vectors and forth again by the
    frame before's must end where it began. Vectors are HxWx4, as ``Shot.read`` gives them. 0 when nothing is seen
    in both frames.
    """
    back, forth = _planes(vector[..., :2]), _planes(previous_vector[..., 2:4])
    seen = motion.agreement(back, motion.warp(forth, back), SLIP)
    if not seen.any():
        return 0.0
    squared = (_planes(image) - motion.warp(_planes(previous), back)) ** 2
    return float((squared * seen).sum() / (seen.sum() * len(squared)))


def _planes(image: Image) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1), np.float32))


def warp_ratio(shot: Shot, styled_folder: str | Path, frames: Sequence[int] | None = None) -> float:
    """Masked warp error of the styled frames over that of the shot's own render, both as the view shows them.

    ``styled_folder`` holds frames of the shot's own file names. Every two frames that follow each other in ``frames``
    (default: all) count; 1 means as steady as the render. Raises ``ValueError`` where there is no such pair or the
    render hardly changes: then the ratio would only tell how still it stands.
    """
    chosen = shot.frames if frames is None else sorted(frames)
    ours = theirs = 0.0
    pairs = 0
    before: tuple[int, Image, Image, Image] | None = None
    for frame in chosen:
        passes = shot.read(frame, ["beauty", "vector"])
        styled = images.read_exr(Path(styled_folder) / shot.path(frame).name)
        shown = shot.view.shown(styled)
        render = shot.view.shown(passes["beauty"])
        vector = passes["vector"]
        if before is not None and before[0] == frame - 1 and frame not in shot.cuts:
            ours += warp_error(shown, before[1], vector, before[3])
            theirs += warp_error(render, before[2], vector, before[3])
            pairs += 1
        before = (frame, shown, render, vector)
    if theirs <= STILL * pairs:
        raise ValueError("The frames hold no pair, or the render hardly changes: there is no warp ratio.")
    return ours / theirs


def loop_seam(frames: Sequence[Image]) -> float:
    """How much a loop jumps where it closes: mean |first - last| over the median mean |frame - next frame|.

    About 1 for a loop whose last frame leads into its first. Raises ``ValueError`` for fewer than 3 frames and for
    frames that do not move.
    """
    if len(frames) < 3:
        raise ValueError("A loop has at least 3 frames.")
    steps = [float(np.abs(a - b).mean()) for a, b in pairwise(frames)]
    median = float(np.median(steps))
    if median == 0:
        raise ValueError("The frames do not move: there is no seam to measure.")
    return float(np.abs(frames[0] - frames[-1]).mean()) / median
