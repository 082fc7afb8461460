"""What the flow carries from frame to frame: detail and noise."""

from itertools import pairwise

import pytest
import torch
from effect_network import TINY, pictures
from torch import Tensor

from backend.effect import carry
from backend.effect.carry import CarriedNoise, carried, nothing_before
from backend.effect.detail import as_much
from backend.effect.encoding import Encoding
from backend.effect.generator import EffectGenerator
from backend.effect.resample import blurred, carried_by, enlarged, unwoven
from backend.effect.sequence import Sequence


def test_enlarging_keeps_sums_and_does_not_overshoot() -> None:
    step = torch.zeros(1, 1, 8, 8)
    step[..., 4:] = 1
    wide = enlarged(step, 8)
    assert float(wide.min()) == 0 and float(wide.max()) == 1
    assert float(wide.mean()) == pytest.approx(0.5)
    row = wide[0, 0, 32]
    assert float((row[2:] - 2 * row[1:-1] + row[:-2]).abs().max()) < 0.03  # no crease


def test_a_weave_is_taken_away_and_the_rest_is_kept() -> None:
    random = torch.Generator().manual_seed(3)
    ramp = torch.linspace(0, 5, 64).expand(1, 1, 64, 64)
    weave = torch.randn(1, 1, 8, 8, generator=random).repeat(1, 1, 8, 8)
    detail = torch.randn(1, 1, 64, 64, generator=random)
    all_of_it = torch.ones(1, 1, 8, 8)
    inside = (..., slice(16, 48), slice(16, 48))
    assert torch.allclose(unwoven(ramp, 8, all_of_it)[inside], ramp[inside], atol=1e-4)
    assert float(unwoven(weave, 8, all_of_it)[inside].std()) < 0.05
    assert float(unwoven(detail, 8, all_of_it)[inside].std()) > 0.9
    assert torch.equal(unwoven(weave, 8, 0 * all_of_it), weave)


def test_light_is_neither_made_nor_lost() -> None:
    coarse, fine = pictures(1), pictures(1, 48, 32)
    truth = coarse[:, :1].mean()
    dull = fine.clone()
    dull[:, :1] = enlarged(coarse[:, :1], 8) * torch.rand(1, 1, 48, 32) * 3
    assert abs(float(dull[:, :1].mean() / truth) - 1) > 0.2
    kept = as_much(dull.clone(), coarse, 8)
    assert float(kept[:, :1].mean()) == pytest.approx(float(truth), rel=0.05)
    assert torch.equal(kept[:, 2:], dull[:, 2:])


def test_specks_beyond_the_edge_of_smoke_are_taken_away() -> None:
    coarse, fine = torch.zeros(1, 8, 6, 4), torch.zeros(1, 8, 48, 32)
    coarse[:, 1, :, :2], fine[:, 1, :, :16] = 1.0, 1.0
    coarse[:, 1, :, 3] = 1e-3
    fine[:, 1, ::8, 28:30] = 0.5
    kept = as_much(fine.clone(), coarse, 8)
    assert kept[:, 1, :, 24:].max() < 0.15
    assert torch.allclose(kept[:, 1, :, :12], fine[:, 1, :, :12])


def test_blurring_is_each_pictures_own_and_keeps_sums() -> None:
    dots = torch.zeros(3, 2, 21, 21)
    dots[..., 10, 10] = 1
    soft = blurred(dots, torch.tensor([0.0, 1.0, 2.0]))
    assert torch.equal(soft[0], dots[0])
    assert torch.allclose(soft.sum((2, 3)), torch.ones(3, 2))
    away = (torch.arange(21) - 10.0).square()
    spread = (soft.sum(2) * away).sum(2).sqrt()  # the standard deviation along a row
    assert torch.allclose(spread[1:], torch.tensor([[1.0], [2.0]]).expand(2, 2), rtol=0.05)


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


def test_noise_is_renewed_where_it_is_sheared(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a shear flow the noise's own coordinates are drawn out without end; what is seen does not become streaks."""
    monkeypatch.setattr(carry, "LIFE", 1000)  # and not because of its age
    noise = CarriedNoise(1, [1], torch.device("cpu"))
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
    coarse = Encoding().encode(pictures(1, cells, 8), 2.0)
    sequence.draw(coarse, Encoding().motion(pictures(1, cells, 8), 4))
    given = sequence.inputs(coarse, torch.zeros(1, 2, cells, 8))
    whole = network(*given)
    rows = (network.margin // 4 + 2) * 4
    top = network(*(part[:, :, : rows if part is not given[0] else rows // 4] for part in given))
    assert torch.allclose(top[:, :, :8], whole[:, :, :8], atol=1e-5)
