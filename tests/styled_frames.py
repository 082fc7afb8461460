"""Styled frames as the backend writes them, without a backend."""

import numpy as np
import OpenImageIO as oiio

WIDTH, HEIGHT = 64, 36
STYLED = (2, 3, 5)  # 4 is missing


def read(path) -> np.ndarray:
    """HxWx4 float32, the first four channels of the first part."""
    image = oiio.ImageInput.open(str(path))
    assert image, path
    return image.read_image(0, 0, 0, 4, oiio.FLOAT)


def paint(folder, frame) -> np.ndarray:
    """A styled frame, as the backend writes it: half floats, premultiplied, a hole, a highlight, a dark corner."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    pixels = np.stack([columns / WIDTH, rows / HEIGHT, np.full_like(rows, frame / 10), np.ones_like(rows)], axis=-1)
    pixels[:6, :6, :3] = 7.5
    pixels[-6:, :6, :3] = 0.0005
    pixels[10:20, 10:20] *= 0.5
    pixels[20:24, 10:20] = 0
    folder.mkdir(exist_ok=True)
    image = oiio.ImageOutput.create(str(folder / "x.exr"))
    image.open(str(folder / f"Scene_{frame:04d}.exr"), oiio.ImageSpec(WIDTH, HEIGHT, 4, oiio.HALF))
    image.write_image(pixels)
    image.close()
    return pixels.astype(np.float16).astype(np.float32)
