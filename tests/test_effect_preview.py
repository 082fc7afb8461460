"""What the panel shows of an effect before it is baked: its controls and its thumbnail."""

import json
from typing import Any

import numpy as np
import pytest
from doing import do
from effect_frames import files
from PIL import Image

from backend.errors import UsageError


@pytest.mark.parametrize("kind", ["fire", "smoke", "explosion", "ocean", "river", "pool", "rain"])
def test_controls_are_a_table(kind):
    value = do("effect.controls", kind=kind)
    names = [control["name"] for control in value["controls"]]
    assert "seed" in names and len(set(names)) == len(names)
    for control in value["controls"]:
        assert control["label"] and control["meaning"] and control["low"] < control["high"]
    assert json.loads(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("kind", "frame", "size"),
    [("fire", None, (48, 64)), ("explosion", 10, (48, 64)), ("rain", 3, (48, 64)), ("fire", None, (1024, 1024))],
)
def test_a_preview_is_a_picture_of_the_size_asked_for(tmp_path, kind, frame, size):
    out = tmp_path / "look.png"
    do("effect.preview", kind=kind, out=out, frame=frame, size=list(size))
    picture = np.asarray(Image.open(out))
    assert picture.shape == (size[1], size[0], 3)
    assert picture.std() > 3
    if kind != "rain":
        assert picture[size[1] * 5 // 8 :, ..., 0].max() > picture[: size[1] // 16, ..., 0].max()


def test_a_preview_follows_the_controls(tmp_path):
    def shown(**controls: Any) -> np.ndarray:
        do("effect.preview", kind="fire", out=tmp_path / "look.png", size=48, controls=controls)
        return np.asarray(Image.open(tmp_path / "look.png")).astype(float)

    still, windy, dim = shown(), shown(wind=2.0), shown(intensity=0.2)
    assert windy[:, 30:, 0].sum() > still[:, 30:, 0].sum()
    assert dim[..., 0].sum() < still[..., 0].sum()
    with pytest.raises(UsageError):
        do("effect.preview", kind="fire", out=tmp_path / "no.png", frame=-3)
    assert files(tmp_path) == ["look.png"]
