"""Looks of colour alone, through their verbs: learned from images and applied to others."""

from pathlib import Path

import numpy as np
import pytest
import slide
from doing import do
from PIL import ExifTags, Image

from backend import images
from backend.errors import LookMismatchError, PaintingError, UsageError
from backend.look.examples import gather_images


def test_no_image_is_lost_to_another_of_its_name(tmp_path: Path) -> None:
    pixels = slide.painted(2)[:16, :16]
    for name in ("a/wood.png", "b/wood.png", "b/faint.png"):
        images.write_png(tmp_path / name, pixels if "wood" in name else pixels // np.uint8([1, 1, 1, 3]))
    wood, look = tmp_path / "a" / "wood.png", tmp_path / "wood.look"
    with pytest.raises(PaintingError):
        do("look.train", images={str(wood): tmp_path / "b" / "faint.png"}, out=look, steps=1)
    do("look.train", images={str(wood): wood}, out=look, steps=1)
    for sources, out in (([wood, tmp_path / "b" / "wood.png"], tmp_path / "out"), ([wood], tmp_path / "a")):
        with pytest.raises(UsageError):
            do("look.apply", images=sources, look=look, out=out)
    assert (images.read_painting(wood) == pixels).all()


@pytest.mark.parametrize("width", [24, 16])
@pytest.mark.parametrize("turned", [True, False])
def test_a_texture_and_its_painting_are_turned_alike(width: int, turned: bool, tmp_path: Path) -> None:
    """A paint program turns a camera's picture upright, Blender does not; where both fit, their colours tell."""
    pixels = slide.painted(2)[:16, :width, :3]
    on_its_side = Image.Exif()
    on_its_side[ExifTags.Base.Orientation] = 6
    Image.fromarray(pixels).save(tmp_path / "source.png", exif=on_its_side)
    faint = 64 + pixels // 2
    images.write_png(tmp_path / "painted.png", np.rot90(faint, -1) if turned else faint)
    (example,) = gather_images({tmp_path / "source.png": tmp_path / "painted.png"})
    assert (example.guides / 4 + 0.5 - example.target).abs().max() < 0.01
    images.write_png(tmp_path / "painted.png", faint[:12, :12])
    with pytest.raises(PaintingError, match="12 x 12"):
        gather_images({tmp_path / "source.png": tmp_path / "painted.png"})


def test_a_texture_is_taken_as_blender_takes_it(tmp_path: Path) -> None:
    """Not turned, whatever a camera wrote beside the pixels, and its alpha may hold anything, or nothing."""
    wood, look = tmp_path / "wood.png", tmp_path / "wood.look"
    images.write_png(wood, slide.painted(2)[:16, :24])
    do("look.train", images={str(wood): wood}, out=look, steps=1)
    packed = Image.new("RGBA", (24, 16), (200, 100, 50, 0))
    on_its_side = Image.Exif()
    on_its_side[ExifTags.Base.Orientation] = 6
    packed.save(tmp_path / "packed.png", exif=on_its_side)
    (written,) = do("look.apply", images=[tmp_path / "packed.png"], look=look, out=tmp_path / "out")["written"]
    made = images.read_picture(Path(written))
    assert made.shape == (16, 24, 4)
    assert not made[..., 3].any()
    assert made[..., :3].any()


def test_colour_alone_for_textures_and_tiles_stay_tiles(tmp_path: Path) -> None:
    y, x = np.mgrid[0:64, 0:64] * (2 * np.pi / 64)
    waves = np.stack([np.sin(2 * x + y), np.cos(x - 3 * y), np.cos(4 * x)], -1)
    source = ((0.5 + 0.4 * waves) * 255).astype(np.uint8)
    opaque = np.full((64, 64, 1), 255, np.uint8)
    images.write_png(tmp_path / "source.png", np.concatenate([source, opaque], 2))
    images.write_png(tmp_path / "painted.png", np.concatenate([255 - source, opaque], 2))
    look = tmp_path / "colour.look"
    do("look.train", images={str(tmp_path / "source.png"): tmp_path / "painted.png"}, out=look, steps=60)
    assert do("look.card", look=look)["family"] == "colour"
    (written,) = do("look.apply", images=[tmp_path / "source.png"], look=look, out=tmp_path / "out")["written"]
    made = images.read_painting(Path(written))[..., :3].astype(float)
    assert np.abs(made - (255.0 - source)).mean() < 20
    inside = np.abs(np.diff(made, axis=1)).mean()
    assert np.abs(made[:, 0] - made[:, -1]).mean() < 1.5 * inside
    with pytest.raises(LookMismatchError):
        do("look.apply", shot=slide.write_shot(tmp_path / "shot", 2), look=look, out=tmp_path / "no")
