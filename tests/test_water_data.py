"""Water to learn from: pairs of fine and coarse, as recipes tell."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open

from backend.effect.water.controls import KINDS
from backend.effect.water.dataset import pairs, simulate
from backend.effect.water.grid import half_spectrum
from backend.effect.water.recipe import load
from backend.errors import Cancelled, UsageError
from backend.job import Job

TINY = """
fine = 64
coarse = 16
simulations = 2
takes = 2
length = 3
rate = 12
[ocean]
loop_seconds = [1, 2]
wind_speed = [8, 20]
wind_direction = [-180, 180]
[river]
loop_seconds = [1, 2]
[pool]
loop_seconds = [1, 2]
[rain]
loop_seconds = [1, 2]
"""


@pytest.fixture
def tiny(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return load(str(path))


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_lie_on_each_other(kind, tiny):
    first, again, other = (list(pairs(kind, seed, tiny)) for seed in (3, 3, 4))
    assert [take.fine.shape for take in first] == [(3, 7, 64, 64)] * 2
    for take, twin, stranger in zip(first, again, other, strict=True):
        assert torch.equal(take.fine, twin.fine) and torch.equal(take.coarse, twin.coarse)
        assert not torch.equal(take.fine, stranger.fine)
        fine, coarse = (half_spectrum(side[:, 0]) for side in (take.fine, take.coarse))
        torch.testing.assert_close(coarse[:, :5, :5], fine[:, :5, :5], atol=1e-6, rtol=1e-3)
    assert first[0].water != other[0].water


def test_simulating_writes_whole_files_and_goes_on(tmp_path, tiny):
    out = tmp_path / "set"
    paths = simulate("ocean", tiny, 7, out, Job())
    assert [path.name for path in paths] == ["ocean-000007.safetensors", "ocean-000008.safetensors"]
    with safe_open(paths[1], "pt") as file:
        assert file.get_tensor("fine").shape == (2, 3, 7, 64, 64)
        assert file.get_tensor("coarse").dtype == torch.float16
        card = json.loads(file.metadata()["card"])
    assert card["kind"] == "ocean" and card["seed"] == 8 and 8 <= card["controls"]["wind_speed"] <= 20
    before = [path.read_bytes() for path in paths]
    paths[0].write_bytes(before[0][:1000])
    stamp = paths[1].stat().st_mtime_ns
    assert simulate("ocean", tiny, 7, out, Job()) == paths
    assert [path.read_bytes() for path in paths] == before
    assert paths[1].stat().st_mtime_ns == stamp
    simulate("ocean", replace(tiny, takes=1), 7, out, Job())
    assert paths[1].read_bytes() != before[1]


def test_a_cancelled_simulation_leaves_nothing_half_done(tmp_path, tiny):
    job = Job()
    job.cancel()
    with pytest.raises(Cancelled):
        simulate("pool", tiny, 0, tmp_path / "set", job)
    assert not list(tmp_path.glob("set/*"))


@pytest.mark.parametrize("name", ["water-cpu", "water-gpu"])
def test_the_recipes_can_be_read(name):
    recipe = load(name)
    random = np.random.default_rng(0)
    for kind in KINDS:
        waters = {recipe.draw(kind, random) for _ in range(5)}
        assert len(waters) == 5
        assert all(recipe.frames(water) > recipe.length for water in waters)


@pytest.mark.parametrize(
    "wrong, said",
    [
        ("fine = 64", "ocean"),
        (TINY.replace("coarse = 16", ""), "coarse"),
        (TINY.replace("fine = 64", "fine = 60"), "multiple"),
        (TINY.replace("[8, 20]", "[8, 200]"), "wind_speed"),
        (TINY.replace("[8, 20]", "[20, 8]"), "no range"),
        (TINY.replace("wind_speed", "windspeed"), "windspeed"),
        (TINY + "[lava]\n", "lava"),
        ("fine = = 3", "not a recipe"),
    ],
)
def test_a_wrong_recipe_says_what_is_wrong(tmp_path, wrong, said):
    path = tmp_path / "wrong.toml"
    path.write_text(wrong)
    with pytest.raises(UsageError, match=said):
        load(str(path))


def test_an_unknown_recipe_names_the_known_ones():
    with pytest.raises(UsageError, match="water-cpu, water-gpu"):
        load("water-cray")
