"""What all families of models share: losses with known values, the loop's promises, exact resume."""

from pathlib import Path
from typing import Any

import pytest
import torch

from backend.errors import BackendError, Cancelled, LookError
from backend.job import Job
from backend.learning import checkpoint, device, losses, strict
from backend.learning.augment import symmetry
from backend.learning.blocks import doubled, shuffled
from backend.learning.discriminators import PatchDiscriminator
from backend.learning.ema import Average
from backend.learning.loop import Budget, fit
from backend.look.generator import Config, LookGenerator
from backend.look.model import Example, LookModel, sparse

FORM = strict.Form("look", "a", 1, LookError, "", "", "", "")


def example(painted: bool = True) -> Example:
    random = torch.Generator().manual_seed(3)
    guides, position = (torch.rand(channels, 48, 56, generator=random) for channels in (5, 4))
    return Example(guides, position, guides[:3].flip(0), torch.ones(1, 48, 56), painted)


def test_relativistic_loss_is_log_2_between_equals_and_falls_with_the_lead() -> None:
    scores = torch.randn(8, 1, 4, 4)
    assert float(losses.relativistic(scores, scores)) == pytest.approx(0.6931, abs=1e-4)
    assert losses.relativistic(scores + 1, scores) < losses.relativistic(scores, scores)


def test_gradient_penalty_of_a_linear_judge() -> None:
    pictures = torch.rand(2, 3, 4, 4, requires_grad=True)
    assert float(losses.gradient_penalty(3 * pictures, pictures).detach()) == pytest.approx(9 / 2)
    assert float(losses.gradient_penalty(3 * pictures.sum((1, 2, 3)), pictures).detach()) == pytest.approx(9 * 48 / 2)


def test_masked_l1_sees_only_what_is_known() -> None:
    output, target = torch.zeros(1, 3, 2, 2), torch.ones(1, 3, 2, 2)
    known = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
    target[..., 1, 1] = 100
    assert float(losses.masked_l1(output, target, known)) == pytest.approx(1, abs=1e-4)


def test_feature_matching_is_nothing_for_equals_and_blind_where_nothing_is_known() -> None:
    judge = PatchDiscriminator()
    picture, other = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64)
    ours, theirs = judge(picture)[1], judge(other)[1]
    assert float(losses.feature_matching(ours, ours, torch.ones(1, 1, 64, 64)).detach()) == 0
    assert float(losses.feature_matching(ours, theirs, torch.ones(1, 1, 64, 64)).detach()) > 0.1
    assert float(losses.feature_matching(ours, theirs, torch.zeros(1, 1, 64, 64)).detach()) == 0


def test_symmetries_are_the_eight_of_a_square() -> None:
    random = torch.Generator().manual_seed(0)
    picture = torch.arange(9.0).view(1, 1, 3, 3)
    seen = {tuple(symmetry(picture, random).flatten().tolist()) for _ in range(200)}
    assert len(seen) == 8


def test_the_average_follows() -> None:
    source = torch.nn.Linear(2, 2)
    average = Average(source, 0.9)
    with torch.no_grad():
        source.weight.add_(1)
    for _ in range(200):
        average.update(source)
    assert torch.allclose(average.network.weight, source.weight, atol=1e-3)


@pytest.mark.parametrize("blocks", [0, 2, 3])
def test_the_margin_covers_what_the_network_sees(blocks: int) -> None:
    """A change of one pixel is felt no further than the margin away, so tiles that overlap by it cannot differ."""
    torch.manual_seed(0)
    network = LookGenerator(Config(5, blocks=blocks))
    side = 4 * network.margin
    guides, position, history = (torch.rand(1, channels, side, side) for channels in (5, 4, 4))
    inputs = guides, sparse(position), history
    before = network(*inputs)
    guides[..., side // 2, side // 2] += 10
    felt = (network(*inputs) - before).abs().amax((0, 1)).nonzero() - side // 2
    assert 8 < int(felt.abs().max()) <= network.margin


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_the_quick_shuffle_is_a_pixel_shuffle(kind: torch.dtype, layout: torch.memory_format) -> None:
    x = torch.randn(2, 12, 5, 7).to(kind, memory_format=layout)
    assert torch.equal(shuffled(x), torch.nn.functional.pixel_shuffle(x, 2))


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_the_quick_way_to_twice_the_size_is_bilinear(layout: torch.memory_format) -> None:
    x = torch.randn(2, 12, 5, 7).to(torch.bfloat16, memory_format=layout)
    exact = torch.nn.functional.interpolate(x.double(), scale_factor=2, mode="bilinear")
    assert torch.allclose(doubled(x).double(), exact, rtol=2**-8, atol=1e-6)
    assert torch.allclose(doubled(x.float()).double(), exact, rtol=1e-5, atol=1e-6)


def test_a_card_that_cannot_work_leaves_it_to_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a graphics card that works")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device.chosen.__wrapped__() == torch.device("cpu")


def test_a_card_that_is_taken_is_not_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(*_: object, **__: object) -> torch.Tensor:
        raise RuntimeError("CUDA error: out of memory")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", taken)
    with pytest.raises(BackendError, match="taken by another program"):
        device.chosen.__wrapped__()


def test_a_resumed_training_equals_one_that_never_stopped(tmp_path: Path) -> None:
    config, examples = Config(5), [example(), example(painted=False)]
    straight, first, second = (LookModel(config, examples, seed=7) for _ in range(3))
    for step in range(12):
        straight.step(step / 20)
    for step in range(5):
        first.step(step / 20)
    checkpoint.save(tmp_path / "state", first.state())
    checkpoint.resume(second, tmp_path / "state", LookError)
    for step in range(5, 12):
        second.step(step / 20)
    ours, theirs = straight.state(), second.state()
    for network in ("generator", "judges", "average"):
        assert all(torch.equal(ours[network][name], theirs[network][name]) for name in ours[network]), network


def test_going_on_with_new_colours_can_reach_them() -> None:
    grey, red = example(), example()
    grey.target[:] = torch.linspace(0.2, 0.8, 56)
    red.target[:] = torch.tensor([0.9, 0.1, 0.1])[:, None, None]
    before, after = LookModel(Config(5), [grey], seed=0), LookModel(Config(5), [grey, red], seed=0)
    after.restore(before.state())
    for step in range(150):
        after.step(step / 150)
    made = after.generator(red.guides[None], sparse(red.position)[None], torch.zeros(1, 4, 48, 56))
    assert float((made[:, 0] - made[:, 1]).detach().max()) > 0.3


def test_what_is_no_training_state_of_its_own_is_refused(tmp_path: Path) -> None:
    model = LookModel(Config(5), [example()], seed=0)
    whole, other, pickle = (tmp_path / name for name in ("whole", "other", "pickle"))
    checkpoint.save(whole, model.state())
    torch.save(model.state(), pickle)
    checkpoint.save(other, LookModel(Config(5, blocks=1), [example()], seed=0).state())
    (tmp_path / "cut").write_bytes(whole.read_bytes()[:-100])
    strict.save(tmp_path / "weights", {}, {"a": torch.ones(1)}, FORM)
    for name in ("nowhere", "other", "pickle", "cut", "weights"):
        with pytest.raises(LookError, match=f"training state {name}") as told:
            checkpoint.resume(model, tmp_path / name, LookError)
        assert told.value.remedy


def test_one_batch_can_be_learned_by_heart() -> None:
    model = LookModel(Config(5), [example()], seed=0)
    model.step(0.0)
    before = model.log["l1"]
    for step in range(200):
        model.step(step / 200)
    assert model.log["l1"] < before / 3


class Counting:
    def __init__(self) -> None:
        self.progress: list[float] = []

    def step(self, progress: float) -> float:
        self.progress.append(progress)
        return 1.0


def test_the_loop_keeps_to_its_steps() -> None:
    model = Counting()
    outcome = fit(model, Budget(steps=10), Job())
    assert (outcome.steps, outcome.stopped) == (10, False)
    assert model.progress == [step / 10 for step in range(10)]


def test_the_loop_ends_when_it_is_stopped_and_when_it_is_cancelled() -> None:
    job = Job()
    outcome = fit(Counting(), Budget(seconds=60), job, lambda: job.stop() or "")
    assert (outcome.steps, outcome.stopped) == (1, True)
    for end in (Job.stop, Job.cancel):  # before the first step there is no best so far
        job = Job()
        end(job)
        with pytest.raises(Cancelled):
            fit(Counting(), Budget(seconds=60), job)


@pytest.mark.parametrize("budget", [{}, {"seconds": 1.0, "steps": 1}])
def test_a_budget_is_one_of_two(budget: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="seconds or"):
        Budget(**budget)


def test_the_same_weights_are_the_same_bytes(tmp_path: Path) -> None:
    tensors = {"b": torch.ones(3, dtype=torch.float16), "a": torch.zeros(2, 2)}
    files = [tmp_path / f"{number}.look" for number in range(12)]
    for file in files:
        strict.save(file, {"licence": "größer"}, tensors, FORM)
    assert len({file.read_bytes() for file in files}) == 1
    card, found = strict.load(files[0], FORM)
    assert card["licence"] == "größer" and all(torch.equal(found[name], tensors[name]) for name in tensors)
