"""An effect is learned: the training step, its resume, its recipes, and the verb."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from effect_network import pictures

from backend.cli import main
from backend.effect.detail import Detail, Model
from backend.effect.encoding import Encoding
from backend.effect.examples import Clip, read
from backend.effect.model import EffectModel
from backend.effect.model_file import EffectFile
from backend.effect.plan import Plan
from backend.errors import EffectError, PaintoverError, UsageError
from backend.job import Job
from backend.service import VERBS, call

PLAN: dict[str, Any] = {
    "seconds": 60.0, "factor": 4, "noise": 2, "context": 16, "blocks": 1, "widths": [8, 8], "judge_width": 8,
    "batch": 2, "patch": 6, "tries": 2, "unroll": 3, "warm": 1, "hold": 2, "rate": 3e-3, "judge_rate": 1e-3,
    "l1": 5.0, "amount": 5.0, "features": 1.0, "adversarial": 0.5, "motion": 0.5, "penalty": 1.0, "lazy": 4,
    "soften": 0.5, "decay": 0.9, "precision": "fp32",
}  # fmt: skip

RECIPE = """
kind = "fire"
sims = 2
batch = 2
cells = [24, 24, 24]
factors = [4]
views = 1
frames = 5
fps = 24.0
enlarge = 1
[controls]
age = [1.0, 1.0]
"""


def plan(**changes: Any) -> Plan:
    return Plan(**PLAN | {"widths": tuple(PLAN["widths"])} | changes)


@pytest.fixture(scope="session")
def sims(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two small fires, as effect.simulate makes them."""
    folder = tmp_path_factory.mktemp("sims")
    recipe = folder / "tiny.toml"
    recipe.write_text(RECIPE)
    call(VERBS, "effect.simulate", {"kind": "fire", "out": str(folder), "recipe": str(recipe)}, Job())
    return folder


@pytest.fixture
def training(tmp_path: Path) -> Path:
    """A training recipe for them."""
    file = tmp_path / "training.toml"
    file.write_text("\n".join(f"{name} = {json.dumps(value)}" for name, value in PLAN.items()))
    return file


def model(sims: Path, seed: int = 0, **changes: Any) -> EffectModel:
    clips = read(sims, "fire", 4, 2, torch.device("cpu"), Job())
    return EffectModel(plan(**changes), clips.encoding, clips.learned, seed)


def test_a_batch_is_learned(sims: Path) -> None:
    trained = model(sims, l1=10.0)
    batch = trained.patches.draw(2, torch.Generator().manual_seed(0))
    trained.patches.draw = lambda *_: batch  # type: ignore[method-assign]  # the same one again and again
    losses = []
    for _ in range(40):
        trained.step(0.1)
        losses.append(trained.log["l1"])
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])
    assert all(name in trained.log for name in ("frames", "motion", "features", "judge", "balance/motion"))
    assert all(abs(value) < 100 for value in trained.log.values())


def test_without_judges_it_is_the_same_network(sims: Path) -> None:
    trained = model(sims, adversarial=0.0, motion=0.0, features=0.0)
    trained.step(0.0)
    assert set(trained.log) == {"l1", "amount", "balance/l1", "balance/amount"}
    assert trained.generator.config == model(sims).generator.config


def test_resume_is_exact(sims: Path) -> None:
    straight, first = model(sims), model(sims)
    for progress in (0.0, 0.2, 0.4, 0.6):
        straight.step(progress)
    for progress in (0.0, 0.2):
        first.step(progress)
    second = model(sims, seed=9)
    second.restore(first.state())
    for progress in (0.4, 0.6):
        second.step(progress)
    assert second.steps == 4
    for ours, theirs in zip(second.average.network.parameters(), straight.average.network.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_it_begins_from_other_weights(sims: Path, training: Path, tmp_path: Path) -> None:
    """What was learned is there after no time at all; the card says from what."""
    first, second, other = (tmp_path / f"{name}.safetensors" for name in ("first", "second", "other"))
    request = {"kind": "fire", "data": str(sims), "recipe": str(training), "steps": 1}
    call(VERBS, "effect.train", request | {"out": str(first), "steps": 12}, Job())
    call(VERBS, "effect.train", request | {"out": str(second), "begin": str(first), "seed": 5}, Job())
    call(VERBS, "effect.train", request | {"out": str(other), "seed": 5}, Job())
    began, ended, anew = (EffectFile.open(path) for path in (first, second, other))
    assert ended.card["training"]["begun_from"] == {"kind": "fire", "sha256": began.card["sha256"]}
    assert anew.card["training"]["begun_from"] is None

    def apart(effect: EffectFile) -> float:
        return sum(
            float((effect.weights[name].float() - tensor.float()).abs().sum()) for name, tensor in began.weights.items()
        )

    assert apart(ended) < apart(anew) / 4


def test_it_begins_from_no_network_of_another_shape(sims: Path, training: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    request = {"kind": "fire", "data": str(sims), "steps": 1}
    call(VERBS, "effect.train", request | {"out": str(first), "recipe": str(training)}, Job())
    wider = tmp_path / "wider.toml"
    wider.write_text(training.read_text().replace("context = 16", "context = 24"))
    with pytest.raises(EffectError, match="another shape"):
        call(VERBS, "effect.train", request | {"out": str(second), "recipe": str(wider), "begin": str(first)}, Job())
    assert not second.exists()


def test_mirrored_patches_mirror_the_motion(sims: Path) -> None:
    clips = read(sims, "fire", 4, 2, torch.device("cpu"), Job())
    clip: Clip = clips.learned[0]
    assert len(clips.held) == len(clips.learned) == 1
    patches = model(sims).patches
    random = torch.Generator().manual_seed(0)
    drawn = [patches.draw(1, random) for _ in range(8)]
    speed = Encoding(clips.encoding.channels).index("velocity_x")
    for batch in drawn:  # the coarse picture's own velocity and the flow have one sign
        assert float((batch.coarse[:, :, speed] * batch.flow[:, :, 0]).min()) >= -1e-6
    assert float(clip.content.max()) > 0.5


def test_the_verb_writes_weights_that_open(sims: Path, training: Path, tmp_path: Path) -> None:
    out, preview = tmp_path / "fire.safetensors", tmp_path / "sheet.png"
    request = {"kind": "fire", "data": str(sims), "out": str(out), "recipe": str(training), "preview": str(preview)}
    result = call(VERBS, "effect.train", request | {"steps": 2}, Job())
    assert result["steps"] == 2 and result["bytes"] == out.stat().st_size < 8e6 and preview.is_file()
    effect = EffectFile.open(out)
    assert effect.kind == "fire" and {tensor.dtype for tensor in effect.weights.values()} == {torch.float16}
    assert effect.card["training"]["data"]["held_out"] == 1 and effect.card["scores"]["held_out"]
    fine = Detail(Model.of(effect), 0, (6, 4)).draw(pictures(1), 2.0)
    assert fine.shape == (1, 8, 24, 16) and bool(fine.isfinite().all())

    again = call(VERBS, "effect.train", request | {"steps": 1, "resume": True}, Job())
    assert again["steps"] == 3 and EffectFile.open(out).card["training"]["resumed_from_step"] == 2


@pytest.mark.parametrize(
    ("change", "error", "why"),
    [
        ({"kind": "tea"}, UsageError, "no effect tea"),
        ({"kind": "smoke"}, EffectError, "no simulations of smoke"),
        ({"recipe": "fast"}, UsageError, "no training recipe fast"),
        ({"recipe": "cpu"}, EffectError, "no coarse pictures of factor 8"),
        ({"resume": True}, EffectError, "no training state"),
        ({"steps": 1, "seconds": 1.0}, UsageError, "not both"),
    ],
)
def test_what_cannot_be_trained(
    sims: Path, training: Path, tmp_path: Path, change: dict[str, Any], error: type[PaintoverError], why: str
) -> None:
    out = tmp_path / "out.safetensors"
    request = {"kind": "fire", "data": str(sims), "out": str(out), "recipe": str(training)}
    with pytest.raises(error, match=why):
        call(VERBS, "effect.train", request | change, Job())
    assert not out.exists()


@pytest.mark.parametrize("name", ["cpu", "gpu"])
def test_the_recipes_hold(name: str) -> None:
    found = Plan.read(name)
    assert found.judged and found.as_json()["factor"] == 8


def test_a_wrong_plan_is_refused() -> None:
    with pytest.raises(UsageError, match="unroll"):
        plan(unroll=2)
    with pytest.raises(UsageError, match="precision"):
        plan(precision="fp8")


def test_the_command_line_reaches_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["effect", "train", "fire", "--data", str(tmp_path), "--out", str(tmp_path / "x"), "--steps", "1"]
    assert main(words) == 1
    assert "no simulations of fire" in capsys.readouterr().err
