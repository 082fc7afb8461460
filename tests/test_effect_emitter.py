"""What an effect comes out of: silhouettes, still and moving."""

from pathlib import Path

import numpy as np
import pytest
from doing import do
from effect_frames import SMALL
from PIL import Image

from backend.errors import EffectError
from backend.images import read_exr


def test_a_silhouette_is_an_emitter(tmp_path, fire):
    mask = Image.new("RGBA", (32, 32))
    mask.paste((255, 255, 255, 255), (2, 24, 10, 32))
    mask.save(tmp_path / "mask.png")
    value = {"picture": str(tmp_path / "mask.png")}
    do("effect.render", kind="fire", out=tmp_path / "out", weights=fire, emitter=value, **SMALL | {"frames": 1})
    red = read_exr(tmp_path / "out/fire_0001.exr")[..., 0]
    assert red[:, :20].sum() > 3 * red[:, 20:].sum()


def silhouette(path: Path, left: int | None) -> Path:
    """Something opaque ``left`` pixels from the left, or nothing."""
    mask = Image.new("RGBA", (640, 640))
    if left is not None:
        mask.paste((255, 255, 255, 255), (left, 480, left + 160, 640))
    path.parent.mkdir(exist_ok=True)
    mask.save(path)
    return path


def test_a_folder_of_silhouettes_is_an_emitter_that_moves(tmp_path, fire):
    folder = tmp_path / "masks"
    for frame, left in enumerate((40, None, 440), 8):  # mask_10 comes after mask_9
        silhouette(folder / f"mask_{frame}.png", left)
    asked = {"kind": "fire", "weights": fire, **SMALL}
    do("effect.render", out=tmp_path / "out", emitter={"picture": str(folder)}, **asked)
    red = [read_exr(path)[..., 0] for path in sorted((tmp_path / "out").glob("*.exr"))]
    assert red[1][:, :20].sum() > 10 * red[1][:, 20:].sum()
    assert red[2][:, 20:].sum() > red[1][:, 20:].sum() + 0.01
    named = [str(folder / f"mask_{frame}.png") for frame in (8, 9, 10)]
    do("effect.render", out=tmp_path / "same", emitter={"picture": named}, **asked)
    for frame in ("fire_0001.exr", "fire_0003.exr"):
        assert np.array_equal(read_exr(tmp_path / "out" / frame), read_exr(tmp_path / "same" / frame))


@pytest.mark.parametrize("lefts", [(), (None, None)])
def test_a_folder_without_a_silhouette_is_refused(tmp_path, fire, lefts):
    folder = tmp_path / "masks"
    folder.mkdir()
    for frame, left in enumerate(lefts):
        silhouette(folder / f"mask_{frame}.png", left)
    with pytest.raises(EffectError, match=r"no silhouette|empty"):
        do("effect.render", kind="fire", weights=fire, out=tmp_path / "out", emitter={"picture": str(folder)}, **SMALL)


def test_an_empty_silhouette_is_refused(tmp_path, fire):
    Image.new("L", (8, 8)).save(tmp_path / "black.png")
    Image.new("RGBA", (8, 8)).save(tmp_path / "clear.png")
    for name in ("black.png", "clear.png"):
        with pytest.raises(EffectError) as told:
            do("effect.render", kind="fire", weights=fire, out=tmp_path, emitter={"picture": str(tmp_path / name)})
        assert name in str(told.value)
