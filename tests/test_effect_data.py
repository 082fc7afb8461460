"""Pictures of volumes, and the training sets that are made of them."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from backend.effect.controls import VOLUMES
from backend.effect.dataset import card, simulate
from backend.effect.projection import CHANNELS, UNITS, Optics, Volume, project
from backend.effect.recipe import RECIPES, Recipe
from backend.errors import Cancelled, UsageError
from backend.job import Job

ROOT = Path(__file__).resolve().parents[1]
COMMAND = [sys.executable, "-m", "backend", "effect", "simulate"]
TINY = """
kind = "fire"
sims = 2
batch = 1
cells = [16, 24, 16]
factors = [4, 8]
views = 2
frames = 3
fps = 24.0
enlarge = 2
[controls]
size = [1.0, 4.0]
wind = [0.0, 0.5]
age = [1.0, 1.5]
[emitter]
shapes = ["ring", "picture"]
travel = [0.1, 0.2]
"""


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    file = tmp_path / "tiny.toml"
    file.write_text(TINY, "utf-8")
    return str(file)


def channel(pictures: torch.Tensor, name: str) -> torch.Tensor:
    return pictures[..., CHANNELS.index(name), :, :]


def box(**fields) -> Volume:
    """An empty box, 4 x 8 x 6 cells and 2 m high, whose gas is seen with round numbers."""
    scalars, velocity = torch.zeros(1, 5, 4, 8, 6), torch.zeros(1, 3, 4, 8, 6)
    numbers = {"glow": 8.0, "ember": 0.0, "extinction": 80.0, "veil": 0.0, "hottest": 1000.0, "height": 2.0}
    optics = Optics(**{name: torch.tensor([value]) for name, value in (numbers | {"ambient": 300.0} | fields).items()})
    return Volume(scalars, velocity, optics)


def test_nothing_shows_nothing():
    picture = project(box())[0]
    assert picture.shape == (8, 8, 6) and len(UNITS) == 8
    assert torch.equal(channel(picture, "temperature"), torch.full((8, 6), 300.0))
    assert not picture[torch.arange(8) != CHANNELS.index("temperature")].any()


def test_what_is_in_front_hides_what_is_behind():
    volume = box()
    volume.scalars[0, 2, 1, 0, 2] = 1.0  # fuel, at the floor, third column
    volume.scalars[0, 0, 1, 0, 2] = 1000.0
    open_fire = project(volume)[0]
    assert channel(open_fire, "emission")[7, 2] == pytest.approx(1.0)
    assert channel(open_fire, "temperature")[7, 2] == pytest.approx(1300, rel=1e-3)
    assert channel(open_fire, "depth")[7, 2] == pytest.approx(2.5 * 0.25, rel=1e-3)
    volume.scalars[0, 1, 2, 0, 2] = 0.2  # smoke before it: optical depth 2
    volume.scalars[0, 1, 0, 0, 2] = 0.7  # and behind it
    hidden = project(volume)[0]
    assert channel(hidden, "emission")[7, 2] == pytest.approx(0.1353, rel=1e-3)
    assert channel(hidden, "optical_depth")[7, 2] == pytest.approx(9.0)
    assert channel(hidden, "depth")[7, 2] < channel(open_fire, "depth")[7, 2]
    assert channel(hidden, "emission").count_nonzero() == 1

    thick = box(veil=16.0)
    thick.scalars[0, 2, 1, 0, 2], thick.scalars[0, 0, 1, 0, 2] = 1.0, 1000.0
    assert channel(project(thick)[0], "emission")[7, 2] == pytest.approx(0.3679, rel=1e-3)  # its own half of depth 2


def test_velocity_is_in_pixels_to_the_right_and_downward():
    volume = box()
    volume.scalars[:, 1] = 1.0
    volume.velocity[:, 0], volume.velocity[:, 1] = 3.0, 2.0
    assert channel(project(volume), "velocity_x").mean() == pytest.approx(3, rel=1e-2)
    assert channel(project(volume), "velocity_y").mean() == pytest.approx(-2, rel=1e-2)
    small = project(volume.coarser(2))
    assert small.shape == (1, 8, 4, 3)
    assert channel(small, "velocity_x").mean() == pytest.approx(1.5, rel=1e-2)
    assert channel(small, "optical_depth").mean() == pytest.approx(
        float(channel(project(volume), "optical_depth").mean())
    )
    with pytest.raises(ValueError, match="divide"):
        volume.coarser(3)


def test_turning_shows_the_other_sides():
    torch.manual_seed(0)
    volume = box()
    volume = Volume(torch.rand(1, 5, 4, 8, 4), torch.randn(1, 3, 4, 8, 4), volume.optics)
    there = volume.turned(1).turned(1).turned(1).turned(1)
    assert torch.equal(there.scalars, volume.scalars) and torch.equal(there.velocity, volume.velocity)
    again = volume.turned(1).turned(2)
    assert torch.equal(again.velocity, volume.turned(3).velocity)
    right = box()
    right.scalars[0, 1, :, :, 5] = 1.0  # a wall on the right that moves to the right
    right.velocity[:, 0] = 1.0
    turned = right.turned(1)
    assert turned.scalars[0, 1, 0].all() and not turned.scalars[0, 1, 1:].any()  # is at the back, and goes there
    assert (turned.velocity[:, 2] == -1).all() and not turned.velocity[:, 0].any()


@pytest.mark.parametrize("kind", VOLUMES)
@pytest.mark.parametrize("size", ["cpu", "gpu"])
def test_recipes_are_sound(kind, size):
    plan = Recipe.read(f"{kind}-{size}")
    assert plan.kind == kind and min(plan.cells) >= 96
    assert plan.sims >= (40 if size == "cpu" else 200)
    assert set(plan.factors) == {4, 8}
    for number in range(20):
        effect, facts = plan.draw(7, number)
        for frame in (0, plan.frames):
            effect.values(frame)
            effect.source(frame)
        assert plan.draw(7, number)[1] == facts
        assert json.loads(json.dumps(facts))["emitter"]["shape"] in plan.emitter.shapes


def test_recipes_refuse_what_makes_no_sense(tmp_path):
    for change in (
        'kind = "snow"',
        "cells = [16, 20, 16]",
        "cells = [16, 24, 8]",
        "frames = 0",
        "views = 5",
        "size = 1",
    ):
        name = change.split(" ")[0]
        lines = [change if line.startswith(f"{name} =") else line for line in TINY.splitlines()]
        file = tmp_path / "wrong.toml"
        file.write_text("\n".join(lines), "utf-8")
        with pytest.raises(UsageError, match="recipe"):
            Recipe.read(str(file))
    with pytest.raises(UsageError, match="no recipe fire-huge"):
        Recipe.read("fire-huge")
    assert {item.name for item in RECIPES.iterdir()} >= {"fire-cpu.toml", "smoke-gpu.toml"}


def test_a_set_is_made_kept_and_made_again_where_it_is_broken(recipe, tmp_path):
    out = tmp_path / "out"
    reports: list[dict] = []
    value = simulate("fire", out, Job(reports.append), recipe, seed=5)
    files = value["written"]
    assert [file.name for file in files] == ["fire_0000.safetensors", "fire_0001.safetensors"]
    assert sorted(out.iterdir()) == files and value["skipped"] == []
    assert [report["fraction"] for report in reports] == sorted(report["fraction"] for report in reports)
    assert reports[-1]["fraction"] == 1

    tensors = load_file(files[0])
    assert set(tensors) == {f"{name}/{view}" for name in ("truth", "coarse4", "coarse8") for view in (0, 1)}
    truth = tensors["truth/1"]
    assert truth.shape == (3, 8, 24, 16) and truth.dtype == torch.float16
    assert channel(truth, "emission").max() > 0.05
    assert not torch.equal(truth, tensors["truth/0"])
    for factor in (4, 8):  # optical depth is a sum, so it is the same on both ways down: the pair is aligned
        small = channel(tensors[f"coarse{factor}/1"], "optical_depth").float()
        same = F.avg_pool2d(channel(truth, "optical_depth").float(), factor)
        assert small.max() > 0.02
        assert torch.allclose(small, same, rtol=5e-3, atol=2e-3)
    told = card(files[0])
    assert told["channels"] == list(CHANNELS) and told["seed"] == 5 and told["first"]["size"] >= 1

    bytes_before = files[1].read_bytes()
    files[1].write_bytes(bytes_before[:-100])
    again = simulate("fire", out, Job(), recipe, seed=5)
    assert again["written"] == files[1:] and again["skipped"] == files[:1]
    assert files[1].read_bytes() == bytes_before
    assert simulate("fire", out, Job(), recipe, seed=6, sims=1)["written"] == files[:1]


def test_cancelled_in_the_middle(recipe, tmp_path):
    """The sim that is whole stays, of the other there is nothing."""
    out = tmp_path / "out"

    def cancel(report: dict) -> None:
        if report["fraction"] > 0.5:
            job.cancel()

    job = Job(cancel)
    with pytest.raises(Cancelled):
        simulate("fire", out, job, recipe)
    assert [file.name for file in out.iterdir()] == ["fire_0000.safetensors"]


def test_the_kind_is_the_recipes(recipe, tmp_path):
    with pytest.raises(UsageError, match="makes fire"):
        simulate("smoke", tmp_path / "out", Job(), recipe)


def test_from_the_command_line(recipe, tmp_path):
    out = tmp_path / "out"
    arguments = [*COMMAND, "fire", "--out", str(out), "--recipe", recipe, "--json"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        while json.loads(process.stdout.readline())["report"]["fraction"] <= 0.5:
            pass
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate(timeout=120)
    assert process.returncode == 130 and "Traceback" not in said
    assert "goes on where it was" in json.loads(rest.splitlines()[-1])["error"]["remedy"]
    told = subprocess.run(arguments, capture_output=True, text=True, cwd=ROOT, check=True)
    value = json.loads(told.stdout.splitlines()[-1])["value"]
    assert [Path(file).name for file in value["skipped"]] == ["fire_0000.safetensors"]
    assert [Path(file).name for file in value["written"]] == ["fire_0001.safetensors"]
    assert subprocess.run([*COMMAND, "snow", "--out", str(out)], capture_output=True, cwd=ROOT).returncode == 2
