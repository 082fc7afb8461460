"""The network that adds detail: what it sees, keeps to, and costs."""

from typing import Any

import pytest
import torch
from effect_network import TINY
from torch import Tensor

from backend.effect.generator import Config, EffectGenerator, multiplications
from backend.learning.blocks import parameter_count


def inputs(config: Config, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(2)
    full = (config.factor * height, config.factor * width)
    return (
        torch.rand(1, config.channels, height, width, generator=random),
        torch.randn(1, config.noise, *full, generator=random),
        torch.rand(1, config.channels + 1, *full, generator=random),
    )


@pytest.mark.parametrize(
    "config", [TINY, Config(8, (4, 5), (0, 1), 8, 2, 8, 2, (8, 4, 4)), Config(3, (), (0,), 4, 1, 8, 3, (4, 4))]
)
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
    config = Config(8, (4, 5), (0, 1))
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


@pytest.mark.parametrize("wrong", [{"factor": 3}, {"widths": (8,)}, {"channels": 0}, {"signed": (9,)}, {"shown": ()}])
def test_no_network_of_nonsense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a network"):
        Config(**{"channels": 8, "signed": (4, 5), "shown": (0, 1)} | wrong)
