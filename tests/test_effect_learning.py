"""What effects learn with: encoding, generator, what the flow carries, the training step, and the verb effect.train."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor

from backend.cli import main
from backend.effect.carry import CarriedNoise, carried, nothing_before
from backend.effect.encoding import Encoding
from backend.effect.examples import Clip, read
from backend.effect.generator import Config, EffectGenerator, multiplications, parameter_count
from backend.effect.model import EffectModel
from backend.effect.model_file import EffectFile
from backend.effect.plan import Plan
from backend.effect.projection import CHANNELS
from backend.effect.resample import carried_by, enlarged
from backend.effect.sequence import Sequence
from backend.effect.sheet import portrait
from backend.errors import EffectError, PaintoverError, UsageError
from backend.job import Job
from backend.service import VERBS, call
from bench import effect_quality as effects

TINY = Config(8, (4, 5), factor=4, noise=2, context=8, blocks=1, widths=(8, 4))
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


def pictures(count: int = 2, height: int = 6, width: int = 4) -> Tensor:
    """Pictures as a projection may give them: positive but for the velocities, temperatures from the air's on."""
    random = torch.Generator().manual_seed(1)
    values = torch.rand(count, 8, height, width, generator=random)
    values[:, CHANNELS.index("temperature")] = 293 + 2500 * values[:, CHANNELS.index("temperature")]
    values[:, 4:6] = 20 * values[:, 4:6] - 10
    return values


# Encoding


@pytest.mark.parametrize("height", [0.5, 60.0])
def test_decoding_undoes_encoding(height: float) -> None:
    given = pictures()
    encoding = Encoding().fitted([(given, height, 8.0)])
    back = encoding.decode(encoding.encode(given, height, 8), height, 8)
    assert torch.allclose(back, given, rtol=1e-5, atol=1e-5)


def test_nothing_is_zero_and_the_most_is_about_one() -> None:
    given, empty = pictures(8), torch.zeros(1, 8, 2, 2)
    empty[:, CHANNELS.index("temperature")] = 293
    encoding = Encoding().fitted([(given, 2.0, 1.0)])
    assert not encoding.encode(empty, 2.0).any()
    highest = encoding.encode(given, 2.0).abs().amax((0, 2, 3))
    assert bool(((highest > 0.95) & (highest < 1.2)).all()), highest


def test_size_and_resolution_do_not_show() -> None:
    """A fire of twice the height looks the same twice as deep, sqrt(2) times as old; coarse motion is fine motion."""
    small, large = pictures(), pictures()
    large[:, CHANNELS.index("depth")] *= 2
    large[:, CHANNELS.index("age")] *= 2**0.5
    assert torch.allclose(Encoding().encode(large, 4.0), Encoding().encode(small, 2.0), atol=1e-6)
    coarse = pictures()
    coarse[:, 4:6] /= 8
    assert torch.allclose(Encoding().encode(coarse, 2.0, 8), Encoding().encode(small, 2.0), atol=1e-6)
    assert torch.allclose(Encoding().motion(coarse, 8), small[:, 4:6])


def test_averages_over_next_to_nothing_are_not_seen() -> None:
    encoding, faint = Encoding(), pictures()
    faint[:, :2] = 1e-7
    seen = encoding.seen(encoding.encode(faint, 1.0))
    assert float(seen[:, 2:7].abs().max()) < 1e-3
    assert torch.equal(encoding.seen(seen)[:, 7], seen[:, 7])  # fuel is no average


def test_what_a_coarse_pixel_holds_is_what_its_fine_ones_hold() -> None:
    """Sums of light, not of how light is told: half a pixel at 1 is a pixel at a half, whatever the curve."""
    encoding, fine = Encoding(), torch.zeros(1, 8, 8, 8)
    fine[:, 0, :, ::2] = 1
    coarse = F.avg_pool2d(fine, 4)
    gathered = encoding.gathered(encoding.encode(fine, 1.0), 4)
    assert torch.allclose(gathered, encoding.encode(coarse, 1.0)[:, :2], atol=1e-6)


# Generator


def inputs(config: Config, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(2)
    full = (config.factor * height, config.factor * width)
    return (
        torch.rand(1, config.channels, height, width, generator=random),
        torch.randn(1, config.noise, *full, generator=random),
        torch.rand(1, config.channels + 1, *full, generator=random),
    )


@pytest.mark.parametrize("config", [TINY, Config(8, (4, 5), 8, 2, 8, 2, (8, 4, 4)), Config(3, (), 4, 1, 8, 3, (4, 4))])
def test_the_margin_covers_what_the_network_sees(config: Config) -> None:
    """A change of any input is felt no further than the margin away, so tiles that overlap by it cannot differ."""
    torch.manual_seed(0)
    network = EffectGenerator(config)
    cells = 2 * network.margin // config.factor + 2
    for number, scale in ((0, config.factor), (1, 1), (2, 1)):
        given = inputs(config, cells, cells)
        before = network(*given)
        place = cells * config.factor // 2
        given[number][..., place // scale, place // scale] += 10
        felt = (network(*given) - before).abs().amax((0, 1)).nonzero()
        reach = max(int(place - felt.min()), int(felt.max() - (place + scale - 1)))
        assert config.factor < reach <= network.margin, number


def test_nothing_comes_of_nothing() -> None:
    """Whatever noise there is: where the coarse picture is empty, and beside, the fine one is empty."""
    torch.manual_seed(0)
    network = EffectGenerator(TINY)
    coarse, noise, previous = inputs(TINY, 8, 8)
    coarse[..., :4] = 0
    fine = network(coarse, noise, previous)
    assert not fine[..., : 2 * TINY.factor].any()
    assert fine[..., 4 * TINY.factor :].any()


def test_only_signed_channels_go_below_zero() -> None:
    torch.manual_seed(0)
    network = EffectGenerator(TINY)
    with torch.no_grad():
        network.leave.weight.mul_(100)
        fine = network(*inputs(TINY, 8, 8))
    lowest = fine.amin((0, 2, 3))
    assert bool((lowest[[4, 5]] < 0).all()) and bool((lowest[[0, 1, 2, 3, 6, 7]] == 0).all())
    assert float(fine.abs().max()) <= 1.5


def test_its_work_is_what_was_planned() -> None:
    """64 frames of 512x512 in 15 s leave some 10 GFLOP a frame. Counted here by hooks, layer by layer."""
    config = Config(8, (4, 5))
    network, total = EffectGenerator(config).eval(), 0

    def count(layer: torch.nn.Conv2d, given: Any, out: Tensor) -> None:
        nonlocal total
        total += out[0].numel() * layer.weight[0].numel()

    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_hook(count)
    with torch.inference_mode():
        network(*inputs(config, 4, 4))
    assert total / 32**2 == pytest.approx(sum(multiplications(config).values()))
    assert 2 * total / 32**2 * 512**2 < 10e9
    assert 2 * parameter_count(network) < 8e6  # bytes of the weights


@pytest.mark.parametrize("wrong", [{"factor": 3}, {"widths": (8,)}, {"channels": 0}, {"signed": (9,)}])
def test_no_network_of_nonsense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a network"):
        Config(**{"channels": 8, "signed": (4, 5)} | wrong)


# What the flow carries


def test_enlarging_keeps_sums_and_does_not_overshoot() -> None:
    step = torch.zeros(1, 1, 8, 8)
    step[..., 4:] = 1
    wide = enlarged(step, 8)
    assert float(wide.min()) == 0 and float(wide.max()) == 1
    assert float(wide.mean()) == pytest.approx(0.5)
    row = wide[0, 0, 32]
    assert float((row[2:] - 2 * row[1:-1] + row[:-2]).abs().max()) < 0.03  # no crease


def test_what_is_carried_goes_along() -> None:
    picture = torch.rand(1, 3, 16, 16)
    flow = torch.zeros(1, 2, 16, 16)
    flow[:, 0], flow[:, 1] = 2, -1  # to the right, and up
    moved = carried_by(picture, flow)
    assert torch.allclose(moved[..., :-1, 2:], picture[..., 1:, :-2], atol=1e-5)


def test_detail_is_carried_and_trusted_where_the_coarse_pictures_agree() -> None:
    encoding = Encoding()
    now = torch.zeros(1, 8, 12, 12)
    now[..., 4:8, 4:8] = 0.5
    before = now.roll(-1, 3)  # a coarse pixel further left
    detail = torch.rand(1, 8, 48, 48)
    flow = torch.zeros(1, 2, 12, 12)
    flow[:, 0] = 4
    result = carried(enlarged(before, 4) + detail, before, now, flow, encoding)
    assert result.shape == nothing_before(now, 4).shape
    assert torch.allclose(result[:, :-1, :, 4:], detail[..., :-4], atol=1e-4)
    assert float(result[:, -1, :, 8:].min()) == pytest.approx(1, abs=1e-4)
    assert not result[:, -1, :, :3].any()  # came from outside
    wrong = carried(enlarged(now, 4) + detail, now, now, flow, encoding)
    assert float(wrong[0, -1, 24, 17]) < 0.6  # the flow leads beside the gas


def correlation(a: Tensor, b: Tensor) -> float:
    return float((a * b).mean() / (a.square().mean() * b.square().mean()).sqrt())


def test_noise_sticks_to_the_flow() -> None:
    noise = CarriedNoise(3, [1], torch.device("cpu"))
    flow = torch.zeros(1, 2, 16, 16)
    flow[:, 0], flow[:, 1] = 3, -2
    frames = [noise.step(flow, 4) for _ in range(24)]
    assert frames[0].shape == (1, 3, 64, 64)
    for before, after in pairwise(frames):
        assert correlation(after[..., :-2, 3:], before[..., 2:, :-3]) > 0.9
        assert abs(correlation(after, before)) < 0.8
    assert abs(correlation(frames[0], frames[23])) < 0.2  # and is renewed
    assert float(torch.cat(frames).std()) == pytest.approx(1, abs=0.15)


def test_noise_is_renewed_where_it_is_sheared() -> None:
    """In a shear flow the noise's own coordinates are drawn out without end; what is seen does not become streaks."""
    noise = CarriedNoise(1, [1], torch.device("cpu"), life=1000)
    flow = torch.zeros(1, 2, 16, 16)
    flow[:, 0] = torch.linspace(-6, 6, 16)[:, None]
    for _ in range(40):
        frame = noise.step(flow, 4)
    steps = [float(frame.diff(dim=dim).square().mean()) for dim in (2, 3)]
    assert float(frame.std()) == pytest.approx(1, abs=0.35)
    assert steps[0] > 0.05 and steps[1] > 0.05


def test_noise_loops() -> None:
    period = 20
    noise = CarriedNoise(2, [1], torch.device("cpu"), period=period)
    random = torch.Generator().manual_seed(0)
    flows = [enlarged(torch.randn(1, 2, 4, 4, generator=random), 4) for _ in range(period)]
    frames = [noise.step(flows[frame % period], 4) for frame in range(3 * period)]
    for frame in range(period, 2 * period):
        assert torch.allclose(frames[frame], frames[frame + period], atol=1e-4)
    assert abs(correlation(frames[period], frames[period + period // 2])) < 0.5


def test_noise_is_its_seeds() -> None:
    flow = torch.zeros(2, 2, 8, 8)
    both = CarriedNoise(2, [4, 5], torch.device("cpu")).step(flow, 4)
    alone = CarriedNoise(2, [5], torch.device("cpu")).step(flow[:1], 4)
    assert torch.equal(both[1], alone[0])
    assert abs(correlation(both[0], both[1])) < 0.3


def test_a_sequence_is_the_same_in_tiles() -> None:
    """Tiles of the generator's inputs, with its margin around, give the picture that it draws at once."""
    torch.manual_seed(0)
    network = EffectGenerator(TINY).eval().requires_grad_(False)
    sequence = Sequence(network, Encoding(), [3])
    cells = network.margin // 4 + 6
    sequence.step(pictures(1, cells, 8), 2.0)
    given = sequence.inputs(Encoding().encode(pictures(1, cells, 8), 2.0, 4), torch.zeros(1, 2, cells, 8))
    whole = network(*given)
    rows = (network.margin // 4 + 2) * 4
    top = network(*(part[:, :, : rows if part is not given[0] else rows // 4] for part in given))
    assert torch.allclose(top[:, :, :8], whole[:, :, :8], atol=1e-5)


# Training


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
    fine = Sequence(effect.generator(), effect.encoding(), [0]).step(pictures(1), 2.0)
    assert fine.shape == (1, 8, 24, 16) and bool(fine.isfinite().all())

    again = call(VERBS, "effect.train", request | {"steps": 1, "resume": True}, Job())
    assert again["steps"] == 3 and EffectFile.open(out).card["training"]["resumed_from_step"] == 2


def test_the_file_is_strict(tmp_path: Path) -> None:
    network = EffectGenerator(TINY)
    card = {"kind": "fire", "config": TINY.as_json(), "encoding": Encoding().as_json()}
    file = tmp_path / "fire.safetensors"

    def refused(why: str) -> None:
        with pytest.raises(EffectError, match=why) as caught:
            EffectFile.open(file)
        assert caught.value.remedy

    refused("no trained effect")
    file.write_bytes(b"nonsense")
    refused("not an effect file")
    EffectFile(card, network.state_dict()).save(file)
    EffectFile.open(file)
    whole = file.read_bytes()
    file.write_bytes(whole[:-2] + b"\x11\x22")
    refused("damaged")
    file.write_bytes(whole[:100])
    refused("damaged")
    save_file(load_file(_written(file, whole)), file)  # weights without their card
    refused("has no card")
    EffectFile(card, {name: tensor for name, tensor in network.state_dict().items() if "head" not in name}).save(file)
    refused("do not fit")
    EffectFile(card | {"config": TINY.as_json() | {"context": 9}}, network.state_dict()).save(file)
    refused("do not fit")
    EffectFile(card | {"encoding": Encoding().as_json()[:3]}, network.state_dict()).save(file)
    refused("do not fit")


def _written(file: Path, data: bytes) -> Path:
    file.write_bytes(data)
    return file


def test_missing_weights_are_said_to_be_missing() -> None:
    with pytest.raises(EffectError, match="no trained effect"):
        EffectFile.shipped("no-such-kind")


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


def test_the_bench_knows_better_from_worse() -> None:
    random = torch.Generator().manual_seed(0)
    coarsest = torch.rand(12, 8, 16, 16, generator=random)
    fine = (enlarged(coarsest, 4) + 0.2 * torch.randn(12, 8, 64, 64, generator=random)).clamp(min=0)
    fine[:, 4:6] = 0  # nothing moves
    clips = [
        Clip(F.avg_pool2d(part, 4).half(), part.half(), torch.zeros(6, 2, 16, 16), torch.ones(6, 16, 16))
        for part in fine.chunk(2)
    ]

    def judged(method: effects.Method) -> list[effects.Frames]:
        return [[portrait(frame, Encoding()) for frame in method(clip)[1:]] for clip in clips]

    truths, soft = judged(effects.truth), judged(effects.bicubic)
    best, worse = (effects.scores(side, truths, clips, Encoding()) for side in (truths, soft))
    for name in ("patch_swd", "log_spectrum_error", "temporal_spectrum_error"):
        assert best[name] == 0 < worse[name], name
    assert best["coverage"] == 1 and worse["coverage"] < 1
    assert worse["warp_error"] < best["warp_error"]  # what is smooth is steady
    assert effects.line("ours", worse)
