"""Water as frames, through the verb."""

import numpy as np
import pytest
from doing import do
from effect_frames import files, layer

from backend.effect.water.controls import create
from backend.errors import UsageError
from backend.images import Plane, read_exr, read_header, read_planes


def test_water_is_a_tile_with_layers(tmp_path):
    seconds = create("pool", {}).loop_seconds
    value = do("effect.render", kind="pool", out=tmp_path, size=32, frames=2, controls={"seed": 3})
    assert value["loop"] and value["metres"] == 4
    assert value["fps"] == pytest.approx(2 / seconds)  # the two are the whole loop
    assert files(tmp_path) == ["pool_0001.exr", "pool_0002.exr"]
    path = tmp_path / "pool_0001.exr"
    rgba = read_exr(path)
    assert rgba.shape == (32, 32, 4) and (rgba[..., 3] == 1).all() and rgba.min() >= 0
    normal, moved = layer(path, "normal"), layer(path, "displacement")
    assert np.linalg.norm(normal, axis=2) == pytest.approx(1, abs=2e-3)
    parts = read_header(path)
    planes = {name: Plane(0, (f"{name}.V",)) for name in ("height", "foam", "caustics")}
    single = read_planes(path, parts, planes)
    assert np.array_equal(single["height"][..., 0], moved[..., 1])
    assert single["caustics"].mean() == pytest.approx(1, rel=0.01)
    inside = np.abs(np.diff(rgba[..., 1], axis=1)).mean()
    assert np.abs(rgba[:, 0, 1] - rgba[:, -1, 1]).mean() < 2 * inside
    again = do("effect.render", kind="pool", out=tmp_path, size=32, frames=2, controls={"seed": 3})
    assert again["skipped"] == [1, 2]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"size": 33}, "even"),
        ({"size": [64, 32]}, "square"),
        ({"size": 0}, "0"),
        ({"frames": 0}, "0 frames"),
        ({"controls": {"light_depth": [[1, 2], [3, 4]]}}, "its Caustics Depth cannot have keys"),
        ({"controls": {"depth": float("nan")}}, "Depth"),
        ({"controls": {"dpth": 1}}, "dpth"),
        ({"emitter": {"shape": "disc"}}, "emitter"),
    ],
)
def test_water_refuses_bad_input(tmp_path, asked, words):
    with pytest.raises(UsageError) as told:
        do("effect.render", **{"kind": "pool", "size": 32, "out": tmp_path} | asked)
    assert words in str(told.value)
    assert files(tmp_path) == []
