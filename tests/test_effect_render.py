"""Fire as frames, through the verb: whole, the same again, steady, in tiles and loops."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from doing import do
from effect_frames import LAYERS, SMALL, YOUNG, files, layer, same_frames
from effect_network import tiny

from backend.effect.coarse import cells
from backend.effect.detail import Detail, Model, resized
from backend.effect.model_file import EffectFile
from backend.errors import Cancelled, EffectError, OutputError, UsageError
from backend.images import read_exr
from backend.job import Job


@pytest.fixture(scope="module")
def lively(tmp_path_factory) -> Path:
    return tiny("fire", tmp_path_factory.mktemp("weights") / "lively.safetensors", lively=True)


def test_frames_have_layers_and_are_half_floats(burning):
    assert files(burning) == ["fire_0001.exr", "fire_0002.exr", "fire_0003.exr"]
    path = burning / "fire_0003.exr"
    rgba = read_exr(path)
    assert rgba.shape == (56, 40, 4)
    assert np.isfinite(rgba).all() and rgba.min() >= 0 and rgba[..., 3].max() <= 1
    assert rgba[40:, :, 0].max() > rgba[:20, :, 0].max()  # it burns below
    told = {name: layer(path, name) for name in LAYERS}
    hidden, glowing = 1 - np.exp(-told["density"][..., 0]), rgba[..., :3].max(2) > 0.5
    assert (rgba[..., 3] > hidden - 2e-3).all() and (rgba[..., 3] > hidden + 0.05)[glowing].any()
    assert told["temperature"].max() > 1000
    assert 0 < told["depth"].max() < 4
    vector = told["vector"]
    assert np.array_equal(vector[..., :2], vector[..., 2:])  # Blender's: where it was, and from where it goes to
    hot = told["temperature"][..., 0] > 800
    assert np.median(vector[..., 1][hot]) < 0  # it rises: with y upward, it was further down


def test_the_same_request_makes_the_same_bytes_and_nothing_twice(burning, tmp_path, fire):
    value = do("effect.render", kind="fire", out=tmp_path, weights=fire, **SMALL)
    assert len(value["written"]) == 3
    assert value["pattern"] == str(tmp_path / "fire_####.exr")
    same_frames(tmp_path, burning)
    again = do("effect.render", kind="fire", out=tmp_path, weights=fire, **SMALL)
    assert again["written"] == [] and again["skipped"] == [1, 2, 3]
    other = do("effect.render", kind="fire", out=tmp_path, weights=fire, **SMALL | {"controls": YOUNG | {"wind": 1}})
    assert len(other["written"]) == 3


class Stopping(Job):
    """Cancels itself after so many frames."""

    def __init__(self, after: int) -> None:
        super().__init__(self.told)
        self.after, self.frames = after, 0

    def told(self, report: dict[str, Any]) -> None:
        assert 0 <= report["fraction"] <= 1 and report["remaining"] >= 0
        self.frames += "path" in report
        if self.frames == self.after:
            self.cancel()


def test_a_cancelled_bake_leaves_whole_frames_and_goes_on_where_it_was(tmp_path, lively, monkeypatch):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    asked = SMALL | {"kind": "fire", "weights": lively, "frames": 5}
    do("effect.render", out=whole, **asked)
    with pytest.raises(Cancelled):
        do("effect.render", Stopping(3), out=stopped, **asked)
    left = [name for name in files(stopped) if not name.startswith(".")]
    assert 0 < len(left) < 5
    assert not [name for name in files(stopped) if ".part" in name]
    for name in left:
        assert (stopped / name).read_bytes() == (whole / name).read_bytes()
    monkeypatch.setattr(Detail, "draw", counted(Detail.draw))
    value = do("effect.render", out=stopped, **asked)
    assert len(value["written"]) == 5 - len(left) >= Counted.calls
    same_frames(stopped, whole)


def test_the_light_of_each_frame_is_told_also_after_a_stop(tmp_path, lively):
    keyed = YOUNG | {"smoke_colour": [0, 0, 0], "intensity": [[1, 1.0], [4, 0.0]]}
    asked = SMALL | {"kind": "fire", "weights": lively, "frames": 4, "controls": keyed}
    whole = do("effect.render", out=tmp_path / "whole", **asked)["brightness"]
    for told, path in zip(whole, sorted((tmp_path / "whole").glob("*.exr")), strict=True):
        luminance = read_exr(path)[..., :3] @ np.array([0.2126, 0.7152, 0.0722])  # black smoke: all of it is fire
        assert told == pytest.approx(luminance.mean(), rel=0.01, abs=1e-6)
    assert len(set(whole)) == 4 and max(whole) > 0
    with pytest.raises(Cancelled):
        do("effect.render", Stopping(2), out=tmp_path / "stopped", **asked)
    assert do("effect.render", out=tmp_path / "stopped", **asked)["brightness"] == whole
    assert do("effect.render", out=tmp_path / "stopped", **asked)["brightness"] == whole


def test_a_broken_frame_is_made_again(burning, tmp_path, fire):
    shutil.copytree(burning, tmp_path, dirs_exist_ok=True)
    (tmp_path / "fire_0002.exr").write_bytes((burning / "fire_0002.exr").read_bytes()[:2000])
    value = do("effect.render", kind="fire", out=tmp_path, weights=fire, **SMALL)
    assert value["skipped"] == [1, 3]
    same_frames(tmp_path, burning)


class Counted:
    calls = 0


def counted(function: Callable[..., Any]) -> Callable[..., Any]:
    Counted.calls = 0

    def call_it(*arguments: Any) -> Any:
        Counted.calls += 1
        return function(*arguments)

    return call_it


def test_tiles_show_no_seam(tmp_path, fire):
    model = Model.of(EffectFile.open(fire))
    coarse = torch.rand(1, 8, 40, 24) * torch.tensor([0.5, 0.5, 900, 1, 1, 1, 0.3, 0.1]).view(1, 8, 1, 1)
    whole, tiled = Detail(model, 3, (40, 24)), Detail(model, 3, (40, 24), tile=64)
    for _ in range(2):
        expected, found = whole.draw(coarse, 2.0), tiled.draw(coarse, 2.0)
        assert torch.allclose(whole.last, tiled.last, atol=1e-5)
        assert expected.shape == found.shape == (1, 8, 160, 96)


def test_what_would_be_stretched_is_drawn_in_between_and_goes_on_where_it_was(lively):
    model = Model.of(EffectFile.open(lively))
    coarse = [torch.rand(1, 8, 10, 6) * torch.tensor([0.5, 0.5, 900, 1, 1, 1, 0.3, 0.1]).view(1, 8, 1, 1)] * 3
    drawing, near = Detail(model, 3, (40, 24)), Detail(model, 3, (20, 12))
    drawn = [drawing.draw(picture, 2.0) for picture in coarse]
    assert drawn[0].shape == (1, 8, 160, 96)
    between = [near.draw(picture, 2.0) for picture in coarse][-1]
    kept = torch.nn.functional.avg_pool2d(drawn[-1][:, 0], 4).flatten()
    drawn_from, stretched = (
        torch.corrcoef(torch.stack((resized(picture, (40, 24))[:, 0].flatten(), kept)))[0, 1]
        for picture in (between, coarse[-1])
    )
    assert drawn_from > stretched + 0.05
    first, again = Detail(model, 3, (40, 24)), Detail(model, 3, (40, 24))
    first.draw(coarse[0], 2.0), first.draw(coarse[1], 2.0)
    again.skip(coarse[0], 2.0), again.skip(coarse[1], 2.0, first.last)
    assert torch.equal(again.draw(coarse[2], 2.0), drawn[2])


def test_averages_stay_within_what_plainly_shows():
    """A plume with a hot, near core whose edge thins out to nothing, in a picture alone and beside an empty one."""
    rows, columns = torch.meshgrid(torch.arange(24.0), torch.arange(16.0), indexing="ij")
    shown = torch.exp(-(((rows - 12) ** 2 + (columns - 8) ** 2) / 6))
    plume = torch.zeros(1, 8, 24, 16)
    plume[:, 1], plume[:, 2], plume[:, 3], plume[:, 4] = shown, 293 + 900 * shown, 2 - shown, 5 * shown - 2
    plume[:, 3, ::3] = 0  # what empty air may hold
    plain = shown + 1e-4 > 1e-3
    for size in ((96, 64), (12, 8)):
        found = resized(plume, size)
        for channel, scale in ((2, 1.0), (3, 1.0), (4, size[1] / 16)):
            values = plume[0, channel][plain] * scale
            assert values.min() <= found[0, channel].min() and found[0, channel].max() <= values.max()
        beside = resized(torch.cat((plume, torch.zeros_like(plume))), size)
        assert torch.equal(beside[:1], found) and not beside[1].any()


def test_a_loop_closes(tmp_path, lively, monkeypatch):
    monkeypatch.setattr(Detail, "draw", counted(Detail.draw))
    asked = {"size": 48, "controls": {"age": 0.2, "size": 0.5}, "frames": 12, "loop": True}
    do("effect.render", kind="fire", out=tmp_path, weights=lively, **asked)
    frames = [np.log1p(read_exr(path)) for path in sorted(tmp_path.glob("*.exr"))]
    steps = [np.abs(a - b).mean() for a, b in zip(frames, frames[1:] + frames[:1], strict=True)]
    assert len(frames) == 12
    assert Counted.calls > 12 + 8  # its last frames are drawn before its first, which then goes on from them
    assert steps[-1] <= 1.2 * max(steps[:-1])


def test_keys_are_followed_frame_by_frame(tmp_path, fire):
    keyed = YOUNG | {"intensity": [[1, 1.0], [3, 0.0]], "smoke_colour": [[1, [0, 0, 0]], [3, [1, 1, 1]]]}
    value = do("effect.render", kind="fire", out=tmp_path, weights=fire, **SMALL | {"controls": keyed})
    bright = value["brightness"]
    assert bright[0] > bright[1] > 100 * bright[2]
    assert read_exr(tmp_path / "fire_0003.exr")[..., 0].sum() > 0  # of the smoke, white by then


def test_boxes_have_the_shape_of_their_picture():
    assert cells(64, 96) == (32, 48, 32)
    z, y, x = cells(512, 512)
    assert x == y and z < y and 0.8 < x * y * z / 49152 < 1.2
    assert cells(512, 512, rows=32) == (22, 32, 32)


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"size": 0}, UsageError, "0 x 0"),
        ({"size": [512, 0]}, UsageError, "512 x 0"),
        ({"size": [512, 40.5]}, UsageError, "whole pixels"),
        ({"size": 100000}, UsageError, "100000"),
        ({"frames": 0}, UsageError, "0 frames"),
        ({"frames": 2, "loop": True}, UsageError, "loop"),
        ({"controls": {"wind": float("nan")}}, UsageError, "Wind"),
        ({"controls": {"wind": 1000}}, UsageError, "from 0 to 60"),
        ({"controls": {"wind": [[1, 3], [2, 1000]]}}, UsageError, "from 0 to 60"),
        ({"controls": {"wind": [[1, 3], [1, 4]]}}, UsageError, "Wind"),
        ({"controls": {"wind": []}}, UsageError, "Wind"),
        ({"controls": {"smoke_colour": 0.5}}, UsageError, "three numbers"),
        ({"controls": {"wnd": 1}}, UsageError, "wnd"),
        ({"controls": 5}, UsageError, "Controls"),
        ({"controls": {"seed": 1}, "seed": 2}, UsageError, "two seeds"),
        ({"emitter": {"shape": "cube"}}, UsageError, "cube"),
        ({"emitter": {"radius": 0}}, EffectError, "nothing can come out"),
        ({"emitter": {"radius": float("nan")}}, UsageError, "radius"),
        ({"emitter": {"position": [40, 0, 0]}}, EffectError, "emitter is empty"),
        ({"emitter": {"picture": "nowhere.png"}}, EffectError, "silhouette"),
        ({"kind": "custard"}, UsageError, "custard"),
        ({"kind": "explosion", "loop": True}, UsageError, "no explosion"),
        ({"kind": "smoke"}, EffectError, "fire"),
    ],
)
def test_bad_input_is_refused_in_words_and_leaves_nothing(tmp_path, fire, asked, error, words):
    with pytest.raises(error) as told:
        do("effect.render", **{"kind": "fire", "weights": fire, "out": tmp_path / "out"} | asked)
    assert words in str(told.value)
    assert not list((tmp_path / "out").glob("*"))


def test_a_folder_that_cannot_be_written_is_told_before_any_work(tmp_path, fire):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        do("effect.render", kind="fire", out=tmp_path / "file", weights=fire)
