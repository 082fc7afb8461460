"""What one could do without training a network: a guided lookup, and a colour transfer."""

import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[np.float32]
CHUNK = 1024  # pixels looked up at a time

# How much each group of guides counts, once it is scaled to unit deviation over the painted frame.
WEIGHTS = {"albedo": 1.0, "light": 1.0, "normal": 1.0, "position": 1.5, "around": 0.7, "sky": 10.0}


def guides(passes: dict[str, Array], shown: Array) -> dict[str, Array]:
    """Groups of guides, each HxWxC: what a pixel is, how it is lit, where it is, and its surroundings' luminance."""
    light = np.asarray(shown @ np.array([0.2126, 0.7152, 0.0722], np.float32))
    planes = torch.from_numpy(light)[None, None]
    around = []
    for reach in (1, 3, 7):
        mean = torch.nn.functional.avg_pool2d(planes, 2 * reach + 1, 1, reach, count_include_pad=False)
        around.append((planes - mean)[0, 0].numpy())
    sky = passes["depth"] > 1e9
    return {
        "albedo": passes["albedo"],
        "light": light[..., None],
        "normal": passes["normal"],
        "position": np.where(sky, 0, passes["position"]).astype(np.float32),
        "around": np.stack(around, -1),
        "sky": sky.astype(np.float32),
    }


def lookup(key: dict[str, Array], frame: dict[str, Array]) -> NDArray[np.int64]:
    """For each pixel of ``frame`` the index of the key frame's pixel that is nearest in guide space.

    ``key`` and ``frame`` are ``guides`` of two frames; the result is HxW, into the key frame's flattened pixels.
    Every second pixel of every second row of the key frame is searched, then the best one's neighbourhood.
    """
    there, here = (
        torch.from_numpy(
            np.concatenate(
                [side[name] * np.float32(weight / max(key[name].std(), 0.05)) for name, weight in WEIGHTS.items()], -1
            )
        )
        for side in (key, frame)
    )
    coarse = there[::2, ::2].flatten(0, 1)
    half = 0.5 * coarse.square().sum(1)
    found = torch.cat(
        [torch.addmm(half, part, coarse.T, alpha=-1).argmin(1) for part in here.flatten(0, 1).split(CHUNK)]
    )
    columns = there[::2, ::2].shape[1]
    row, column = 2 * (found // columns), 2 * (found % columns)
    best, least = torch.zeros_like(found), torch.full(found.shape, torch.inf)
    height, width = there.shape[:2]
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            index = (row + down).clamp(0, height - 1) * width + (column + right).clamp(0, width - 1)
            gap = (there.flatten(0, 1)[index] - here.flatten(0, 1)).square().sum(1)
            best, least = torch.where(gap < least, index, best), torch.minimum(gap, least)
    return np.asarray(best.numpy().reshape(here.shape[:2]))


def colour_transfer(key: Array, painted: Array, frame: Array) -> Array:
    """Reinhard et al. 2001: means and deviations in l-alpha-beta, as they go from the key frame to its painting."""
    source, target, picture = (_to_lab(image) for image in (key, painted, frame))
    ratio = target.std((0, 1)) / np.maximum(source.std((0, 1)), 1e-6)
    return np.clip(_from_lab((picture - source.mean((0, 1))) * ratio + target.mean((0, 1))), 0, 1)


_RGB_TO_LMS = np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
_LMS_TO_LAB = np.diag([3**-0.5, 6**-0.5, 2**-0.5]) @ np.array([[1, 1, 1], [1, 1, -2], [1, -1, 0]])


def _to_lab(image: Array) -> Array:
    return np.log10(np.maximum(image @ _RGB_TO_LMS.T, 1 / 255)) @ _LMS_TO_LAB.T


def _from_lab(lab: Array) -> Array:
    return (10 ** (lab @ np.linalg.inv(_LMS_TO_LAB).T) @ np.linalg.inv(_RGB_TO_LMS).T).astype(np.float32)
