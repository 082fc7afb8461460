"""Effects as frames, previews and flipbooks: through the verbs and the command line."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from backend import cli
from backend.colour import View
from backend.effect.blackbody import LUMINANCE, glow
from backend.effect.coarse import cells
from backend.effect.detail import Detail, Model
from backend.effect.encoding import Encoding
from backend.effect.flipbook import straight
from backend.effect.generator import Config, EffectGenerator
from backend.effect.lighting import Lit, firelight, shadows
from backend.effect.model_file import EffectFile
from backend.effect.projection import CHANNELS
from backend.effect.shade import Shading, shade
from backend.errors import Cancelled, EffectError, OutputError, PaintoverError, UsageError
from backend.images import Plane, read_exr, read_header, read_planes, recipe
from backend.job import Job
from backend.service import VERBS, call

ROOT = Path(__file__).resolve().parents[1]
YOUNG = {"age": 0.2}
SMALL = {"size": [40, 56], "controls": YOUNG, "frames": 3}
LAYERS = {"depth": "V", "vector": "RGBA", "temperature": "V", "density": "V"}


def do(verb: str, job: Job | None = None, **params: Any) -> dict[str, Any]:
    told = {name: str(value) if isinstance(value, Path) else value for name, value in params.items()}
    return call(VERBS, verb, told, job or Job())


def tiny(kind: str, path: Path, lively: bool = False) -> Path:
    """The weights of a generator that was never trained, but adds a little detail of its own.

    A ``lively`` one adds much, and keeps most of what it added before.
    """
    torch.manual_seed(1)
    config = Config(len(CHANNELS), (4, 5), factor=4, noise=2, context=8, blocks=1, widths=(8, 8))
    network = EffectGenerator(config)
    if lively:
        with torch.no_grad():
            network.leave.weight *= 4
            network.leave.weight[-1], network.leave.bias[-1] = 0, 3
    card = {"kind": kind, "config": config.as_json(), "encoding": Encoding().as_json()}
    EffectFile(card, network.state_dict()).save(path)
    return path


@pytest.fixture(scope="module")
def fire(tmp_path_factory) -> Path:
    return tiny("fire", tmp_path_factory.mktemp("weights") / "fire.safetensors")


@pytest.fixture(scope="module")
def lively(tmp_path_factory) -> Path:
    return tiny("fire", tmp_path_factory.mktemp("weights") / "lively.safetensors", lively=True)


@pytest.fixture(scope="module")
def burning(tmp_path_factory, fire) -> Path:
    """Three rendered frames of fire."""
    folder = tmp_path_factory.mktemp("frames") / "fire"
    do("effect.render", kind="fire", out=folder, weights=fire, **SMALL)
    return folder


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def layer(path: Path, name: str) -> np.ndarray:
    parts = read_header(path)
    channels = tuple(f"{name}.{suffix}" for suffix in LAYERS.get(name, "RGB"))
    return read_planes(path, parts, {"it": Plane(0, channels)})["it"]


# --- colour and light


def test_the_colour_of_what_glows_follows_its_temperature():
    kelvins = torch.tensor([500.0, 1000.0, 1900.0, 3000.0, 6504.0, 9000.0])
    cold, red, flame, lamp, day, sky = glow(kelvins, 1900.0)
    assert cold.max() < 1e-3
    assert red[0] > 5 * red[1] > 5 * red[2]
    assert flame[0] > flame[1] > flame[2]
    assert (flame @ torch.tensor(LUMINANCE)).item() == pytest.approx(1, rel=0.02)
    assert lamp[0] > lamp[1] > lamp[2]
    assert (day / day.mean()).numpy() == pytest.approx(1, abs=0.06)  # D65 is nearly a black body of 6504 K
    assert sky[2] > sky[0]
    brightness = glow(torch.linspace(600, 4000, 80), 1900.0) @ torch.tensor(LUMINANCE)
    assert (brightness.diff() > 0).all()


def test_shadow_lies_on_the_far_side_and_firelight_falls_off():
    hiding = torch.zeros(1, 16, 16, 16)
    hiding[:, 6:10, 6:10, 6:10] = 1.0
    (reaching,) = shadows(hiding, ((-0.7, 0.7, 0.0),))[0]
    assert reaching[8, 15, 0] == pytest.approx(1)
    assert reaching[8, 2, 12] < 0.6 < reaching[8, 12, 2]  # below to the right, and above to the left
    shone = torch.zeros(1, 3, 16, 16, 16)
    shone[:, :, 8, 8, 2] = 1.0
    light = firelight(shone, hiding)[0, 0, 8, 8]
    assert light[3] > light[5] > light[9] > 0


def shaded(
    fine: torch.Tensor, light: float = 1.0, colour: tuple[float, float, float] = (0.5, 0.5, 0.5)
) -> torch.Tensor:
    height, width = fine.shape[2] // 4, fine.shape[3] // 4
    lights = torch.tensor([light, light, 0.0, 0.0, 0.0]).view(1, 5, 1, 1).expand(1, 5, height, width)
    lit = Lit(lights, torch.ones(1, 1, height, width))
    return shade(fine, lit, Shading("fire", colour, 1900.0), 4, 2.0)


def test_alpha_is_what_the_density_hides_and_smoke_takes_its_colour():
    fine = torch.zeros(1, 8, 16, 16)
    fine[:, 2] = 293.0
    assert shaded(fine).abs().max() == 0
    fine[:, 1] = 1.2
    rgba = shaded(fine, colour=(0.8, 0.4, 0.2))
    assert rgba[0, 3] == pytest.approx(1 - np.exp(-1.2), rel=1e-5)
    assert rgba[0, 0].mean() > rgba[0, 1].mean() > rgba[0, 2].mean() > 0
    assert shaded(fine, light=0.1)[0, :3].mean() < 0.4 * shaded(fine)[0, :3].mean()


def test_fire_adds_light_without_hiding():
    fine = torch.zeros(1, 8, 16, 16)
    fine[:, 0], fine[:, 2] = 1.0, 1800.0
    rgba = shaded(fine)
    assert rgba[0, 3].max() == 0 and rgba[0, 0].min() > 1
    assert shaded(2 * fine * torch.tensor([1, 1, 0.5, 1, 1, 1, 1, 1]).view(1, 8, 1, 1))[0, 0].mean() == pytest.approx(
        2 * rgba[0, 0].mean().item(), rel=1e-4
    )


def test_a_bump_is_lit_on_the_lamps_side():
    fine = torch.zeros(1, 8, 64, 64)
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    fine[:, 1], fine[:, 2] = 4.0, 293.0
    fine[:, 3] = 1.0 - 0.06 * torch.exp(-((x - 32) ** 2 + (y - 32) ** 2) / 8)
    lamp = shaded(fine)[0, 0]
    assert lamp[30, 30] > 1.05 * lamp[34, 34]


def test_bands_show_no_seam():
    fine = torch.rand(1, 8, 64, 24) * torch.tensor([0.5, 3.0, 1500, 2, 1, 1, 1, 1]).view(1, 8, 1, 1)
    lit = Lit(torch.rand(1, 5, 16, 6), torch.rand(1, 1, 16, 6))
    shading = Shading("explosion", (0.5, 0.5, 0.5), 2400.0)
    whole, banded = shade(fine, lit, shading, 4, 2.0), shade(fine, lit, shading, 4, 2.0, most=20 * 24)
    assert torch.allclose(whole, banded, rtol=1e-4, atol=1e-5)


# --- frames


def test_frames_have_layers_and_are_half_floats(burning):
    assert files(burning) == ["fire_0001.exr", "fire_0002.exr", "fire_0003.exr"]
    path = burning / "fire_0003.exr"
    rgba = read_exr(path)
    assert rgba.shape == (56, 40, 4)
    assert np.isfinite(rgba).all() and rgba.min() >= 0 and rgba[..., 3].max() <= 1
    assert rgba[40:, :, 0].max() > rgba[:20, :, 0].max()  # it burns below
    told = {name: layer(path, name) for name in LAYERS}
    assert np.allclose(1 - np.exp(-told["density"][..., 0]), rgba[..., 3], atol=2e-3)
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


def same_frames(folder: Path, other: Path) -> None:
    assert files(folder) == files(other)
    for name in files(folder):
        assert (folder / name).read_bytes() == (other / name).read_bytes()


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
    whole, tiled = Detail(model, 3), Detail(model, 3, tile=64)
    for _ in range(2):
        expected, found = whole.draw(coarse, 2.0), tiled.draw(coarse, 2.0)
        assert torch.allclose(whole.last, tiled.last, atol=1e-5)
        assert expected.shape == found.shape == (1, 8, 160, 96)


def test_a_loop_closes(tmp_path, lively, monkeypatch):
    monkeypatch.setattr(Detail, "draw", counted(Detail.draw))
    asked = {"size": 48, "controls": {"age": 0.2, "size": 0.5}, "frames": 12, "loop": True}
    do("effect.render", kind="fire", out=tmp_path, weights=lively, **asked)
    frames = [np.log1p(read_exr(path)) for path in sorted(tmp_path.glob("*.exr"))]
    steps = [np.abs(a - b).mean() for a, b in zip(frames, frames[1:] + frames[:1], strict=True)]
    assert len(frames) == 12
    assert Counted.calls > 12 + 8  # its last frames are drawn before its first, which then goes on from them
    assert steps[-1] <= 1.5 * np.median(steps[:-1])


def test_keys_are_followed_frame_by_frame(tmp_path, fire):
    keyed = YOUNG | {"intensity": [[1, 1.0], [3, 0.0]], "smoke_colour": [[1, [0, 0, 0]], [3, [1, 1, 1]]]}
    do("effect.render", kind="fire", out=tmp_path, weights=fire, **SMALL | {"controls": keyed})
    bright = [read_exr(path)[..., 0].sum() for path in sorted(tmp_path.glob("*.exr"))]
    assert bright[0] > bright[1] > bright[2]


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
        ({"weights": None}, EffectError, "fire"),
        ({"kind": "smoke"}, EffectError, "fire"),
    ],
)
def test_bad_input_is_refused_in_words_and_leaves_nothing(tmp_path, fire, asked, error, words):
    with pytest.raises(error) as told:
        do("effect.render", **{"kind": "fire", "weights": fire, "out": tmp_path / "out"} | asked)
    assert words in str(told.value)
    assert not list((tmp_path / "out").glob("*"))


def test_an_empty_silhouette_is_refused(tmp_path, fire):
    Image.new("L", (8, 8)).save(tmp_path / "black.png")
    Image.new("RGBA", (8, 8)).save(tmp_path / "clear.png")
    for name in ("black.png", "clear.png"):
        with pytest.raises(EffectError) as told:
            do("effect.render", kind="fire", weights=fire, out=tmp_path, emitter={"picture": str(tmp_path / name)})
        assert name in str(told.value)


# --- water


def test_water_is_a_tile_with_layers(tmp_path):
    value = do("effect.render", kind="pool", out=tmp_path, size=32, frames=2, controls={"seed": 3})
    assert value["loop"] and value["metres"] == 4
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
        ({"controls": {"depth": [[1, 2], [3, 4]]}}, "keys"),
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


# --- panel, preview


@pytest.mark.parametrize("kind", ["fire", "smoke", "explosion", "ocean", "river", "pool", "rain"])
def test_controls_are_a_table(kind):
    value = do("effect.controls", kind=kind)
    names = [control["name"] for control in value["controls"]]
    assert "seed" in names and len(set(names)) == len(names)
    for control in value["controls"]:
        assert control["label"] and control["meaning"] and control["low"] < control["high"]
    assert json.loads(json.dumps(value)) == value


@pytest.mark.parametrize(("kind", "frame"), [("fire", None), ("explosion", 10), ("rain", 3)])
def test_a_preview_is_a_picture_of_the_size_asked_for(tmp_path, kind, frame):
    out = tmp_path / "look.png"
    do("effect.preview", kind=kind, out=out, frame=frame, size=[48, 64])
    picture = np.asarray(Image.open(out))
    assert picture.shape == (64, 48, 3)
    assert picture.std() > 3
    if kind != "rain":
        assert picture[40:, ..., 0].max() > picture[:4, ..., 0].max()


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


# --- flipbook


def test_a_flipbook_lays_frames_out_row_by_row(burning, tmp_path):
    out = tmp_path / "fire.png"
    value = do("effect.flipbook", frames=burning, rows=2, columns=2, out=out, movie=tmp_path / "fire.webp")
    assert files(tmp_path) == ["fire.exr", "fire.json", "fire.png", "fire.webp", "fire_motion.png"]
    told = json.loads((tmp_path / "fire.json").read_text())
    assert told["frames"] == 3 and told["cell"] == [40, 56] and told["size"] == [80, 112]
    assert value["motion_scale"] == told["motion_scale"] > 0
    atlas = read_exr(tmp_path / "fire.exr")
    second = read_exr(burning / "fire_0002.exr")
    assert np.array_equal(atlas[:56, 40:], second)
    assert not atlas[56:, 40:].any()
    coded = np.asarray(Image.open(tmp_path / "fire_motion.png")).astype(float)[..., :2] / 255
    motion = (coded[:56, 40:] - 0.5) * 2 * told["motion_scale"] * [40, 56]
    vector = layer(burning / "fire_0002.exr", "vector")
    assert np.allclose(motion, np.stack([-vector[..., 2], vector[..., 3]], -1), atol=0.02 * told["motion_scale"] * 56)
    with Image.open(tmp_path / "fire.webp") as movie:
        assert movie.n_frames == 3


def test_a_flipbook_of_fewer_cells_takes_every_other_frame(burning, tmp_path):
    every = do("effect.flipbook", frames=burning, rows=1, columns=3, out=tmp_path / "a.png", fps=12)
    fewer = do("effect.flipbook", frames=burning, rows=1, columns=1, out=tmp_path / "b.png", fps=12, cell=20)
    assert (every["frames"], every["stride"], every["fps"]) == (3, 1, 12)
    assert (fewer["frames"], fewer["stride"], fewer["fps"]) == (1, 3, 4)
    assert fewer["cell"] == [20, 28] and fewer["motion_scale"] > every["motion_scale"]


def test_straight_alpha_shows_the_same_before_black():
    linear = np.array([[[0.2, 0.1, 0.05, 0.0], [4.0, 1.0, 0.1, 0.3], [0.1, 0.1, 0.1, 0.5], [0, 0, 0, 0]]], np.float32)
    shown = straight(linear).astype(float) / 255
    before_black = shown[..., :3] * shown[..., 3:]
    assert before_black[0, 0] == pytest.approx(View.standard().to_display(linear[..., :3])[0, 0], abs=0.02)
    assert shown[0, 2, 3] == pytest.approx(0.5, abs=0.01)
    assert shown[0, 2, 0] == pytest.approx(
        float(View.standard().to_display(np.full((1, 1, 3), 0.2, np.float32))[0, 0, 0]), abs=0.01
    )
    assert not shown[0, 3].any()


def test_flipbooks_refuse_what_they_cannot_be(burning, tmp_path):
    for wrong, error in (
        ({"frames": tmp_path}, EffectError),
        ({"rows": 0}, UsageError),
        ({"out": tmp_path / "fire.jpg"}, UsageError),
        ({"cell": 400}, UsageError),
        ({"movie": tmp_path / "fire.mp4"}, UsageError),
        ({"rows": 1, "columns": 1000, "frames": burning}, None),
    ):
        asked = {"frames": burning, "rows": 2, "columns": 2, "out": tmp_path / "fire.png"} | wrong
        with pytest.raises(error or PaintoverError):
            do("effect.flipbook", **asked)
        assert files(tmp_path) == []


# --- command line


def test_the_command_line_renders_with_keys(tmp_path, fire, capsys):
    arguments = ["effect", "render", "fire", "--out", tmp_path, "--weights", fire, "--size", "40x56", "--frames", "2"]
    turned = [
        "--set",
        "age=0.2",
        "--set",
        "smoke_colour=0.1,0.2,0.3",
        "--key",
        "wind=1:0",
        "--key",
        "wind=2:3",
        "--seed",
        "7",
    ]
    assert cli.main([*map(str, arguments), *turned, "--json"]) == cli.DONE
    *progress, result = map(json.loads, capsys.readouterr().out.splitlines())
    assert result["value"]["size"] == [40, 56] and len(result["value"]["written"]) == 2
    assert progress[-1]["report"]["rate"] > 0 and progress[-1]["report"]["remaining"] == 0
    keyed = {"age": 0.2, "smoke_colour": [0.1, 0.2, 0.3], "wind": [[1, 0], [2, 3]]}
    do("effect.render", kind="fire", out=tmp_path / "b", weights=fire, size=[40, 56], frames=2, seed=7, controls=keyed)
    assert recipe(tmp_path / "fire_0001.exr") == recipe(tmp_path / "b/fire_0001.exr")
    assert (
        cli.main(
            ["effect", "flipbook", str(tmp_path), "--rows", "1", "--columns", "2", "--out", str(tmp_path / "f.exr")]
        )
        == cli.DONE
    )


@pytest.mark.parametrize("wrong", [["--set", "wind"], ["--key", "wind=3"], ["--set", "wind=a"], ["--size", "ax3"]])
def test_the_command_line_refuses_wrong_options(tmp_path, wrong):
    with pytest.raises(SystemExit) as told:
        cli.main(["effect", "render", "fire", "--out", str(tmp_path), *wrong])
    assert told.value.code == cli.WRONG_USAGE


def test_a_control_is_set_or_keyed_not_both(tmp_path):
    for pair in (["--set", "wind=1", "--key", "wind=1:2"], ["--set", "wind=1", "--set", "wind=2"]):
        with pytest.raises(SystemExit):
            cli.main(["effect", "render", "fire", "--out", str(tmp_path), *pair])


def test_missing_weights_end_the_program_with_words(tmp_path):
    weights = ["--weights", str(tmp_path / "none.safetensors")]
    command = [sys.executable, "-m", "backend", "effect", "render", "fire", "--out", str(tmp_path / "out"), *weights]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == cli.FAILED
    assert "none.safetensors" in told.stderr and "Traceback" not in told.stderr
    assert files(tmp_path / "out") == []


def test_a_folder_that_cannot_be_written_is_told_before_any_work(tmp_path, fire):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        do("effect.render", kind="fire", out=tmp_path / "file", weights=fire)


def test_boxes_have_the_shape_of_their_picture():
    assert cells(64, 96) == (32, 48, 32)
    z, y, x = cells(512, 512)
    assert x == y and z < y and 0.8 < x * y * z / 49152 < 1.2
    assert cells(512, 512, rows=32) == (22, 32, 32)
