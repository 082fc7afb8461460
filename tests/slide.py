"""A small shot with exact passes that needs no Blender: a patterned card that slides over a patterned wall."""

from pathlib import Path

import numpy as np
from layers import write_frame
from numpy.typing import NDArray

LAYERS = {
    "Combined": "RGBA",
    "DiffCol": "RGB",
    "Normal": "XYZ",
    "Depth": "Z",
    "Position": "XYZ",
    "Vector": "XYZW",
    "CryptoObject00": "rgba",
}
SPEED = 2  # pixels that the card moves to the right from frame to frame
PIXEL = 0.05  # metres
SIZE = (96, 64)


def card(frame: int, width: int, height: int) -> NDArray[np.bool_]:
    """Where the card is."""
    y, x = np.mgrid[0:height, 0:width]
    left = width // 4 + SPEED * frame
    return (x >= left) & (x < left + width // 3) & (y >= height // 4) & (y < height * 3 // 4)


def rest(frame: int, width: int, height: int) -> NDArray[np.float32]:
    """(H, W, 3) metres: coordinates that stick to card and wall, as they are in frame 0."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    on_card = card(frame, width, height)
    return np.stack([(x - SPEED * frame * on_card) * PIXEL, np.where(on_card, -1, 0), -y * PIXEL], -1)


def pattern(where: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W, 3) colours in 0.1..0.9 that belong to a place."""
    waves = [np.sin(where[..., 0] * 5 + k) * np.cos(where[..., 2] * 4 - k) for k in range(3)]
    return (0.5 + 0.4 * np.stack(waves, -1)).astype(np.float32)


def write_shot(folder: Path, frames: int = 6, width: int = SIZE[0], height: int = SIZE[1], leave_out: str = "") -> Path:
    """Frames 1 to ``frames``, with the passes as Blender 4.5 names them, but for the layer ``leave_out``."""
    folder.mkdir(parents=True)
    for frame in range(1, frames + 1):
        where, on_card = rest(frame, width, height), card(frame, width, height)
        colour = pattern(where)
        world = where + np.array([SPEED * frame * PIXEL, 0, 0]) * on_card[..., None]
        names = np.where(on_card, 2.0, 1.0)
        passes = {
            "Combined": np.concatenate([colour, np.ones_like(colour[..., :1])], -1),
            "DiffCol": colour,
            "Normal": np.broadcast_to([0.0, -1.0, 0.0], colour.shape),
            "Depth": np.where(on_card, 9.0, 10.0)[..., None],
            "Position": world,
            # As Blender writes it: toward the previous frame, then, with the sign turned round, toward the next.
            "Vector": np.stack([np.where(on_card, side, 0) for side in (-SPEED, 0, -SPEED, 0)], -1),
            "CryptoObject00": np.stack([names, names * 0 + 1, names * 0, names * 0], -1),
        }
        passes.pop(leave_out, None)
        write_frame(folder / f"slide_{frame:04d}.exr", passes, LAYERS)
    return folder


def painted(frame: int) -> NDArray[np.uint8]:
    """(H, W, 4) of the frame's size: a painter has turned the pattern's colours round."""
    colour = 1 - pattern(rest(frame, *SIZE))[..., ::-1]
    return np.concatenate([(colour * 255).round(), np.full((SIZE[1], SIZE[0], 1), 255)], 2).astype(np.uint8)
