"""The picture is the same whole, in tiles and in strips."""

from pathlib import Path

import pytest
import slide
import torch
from torch import Tensor

from backend.look import generator, guides
from backend.look.generator import CELL, SPARSE, Config, LookGenerator
from backend.look.guides import thinned
from backend.look.model import padded, sparse
from backend.look.tiles import See, paint
from backend.shot import Shot


@pytest.mark.parametrize("size", [(64, 64), (96, 160), (37, 91), (250, 333)])
def test_tiles_have_no_seam(size: tuple[int, int]) -> None:
    torch.manual_seed(1)
    network = LookGenerator(Config(5)).eval()
    guide, position, history = (torch.rand(channels, *size) for channels in (5, 4, 4))
    see = windows(guide, sparse(position))
    whole = paint(network, history, see)
    assert whole.shape == (3, *size)
    assert (paint(network, history, see, tile=64) - whole).abs().max() < 1e-4
    with torch.inference_mode():
        guides, known = (padded(part)[None] for part in (guide, history))
        where = padded(sparse(position), CELL // SPARSE)[None]
        assert (network(guides, where, known)[0, :, : size[0], : size[1]] - whole).abs().max() < 1e-4


def windows(guide: Tensor, position: Tensor) -> See:
    def see(rows: slice, columns: slice) -> tuple[Tensor, Tensor]:
        return guide[:, rows, columns], position[:, thinned(rows, SPARSE), thinned(columns, SPARSE)]

    return see


def test_positions_of_a_window_are_those_of_the_frame(tmp_path: Path) -> None:
    shot = Shot.open(slide.write_shot(tmp_path / "odd", frames=1, width=91, height=37))
    frame = guides.read(shot, 1, shot.view, None)
    rows, columns = slice(8, 37), slice(16, 90)
    some = frame.positions(frame.motion.surface(SPARSE)[0], rows, columns, SPARSE)
    assert torch.equal(some, sparse(frame.positions(frame.motion.position)[:, rows, columns]))


def test_strips_show_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    network = LookGenerator(Config(5)).eval()
    guide, history = (torch.rand(channels, 250, 90) for channels in (5, 4))
    position = torch.rand(4, 125, 45)
    whole = paint(network, history, windows(guide, position))
    monkeypatch.setattr(generator, "LOOKED_AT", 1000)
    monkeypatch.setattr(generator, "PAINTED", 2500)
    assert (paint(network, history, windows(guide, position)) - whole).abs().max() < 1e-5


def test_coarse_convolutions_are_not_seen() -> None:
    torch.manual_seed(0)
    network = LookGenerator(Config(13)).eval()
    guide, history = torch.rand(13, 96, 200) * 2 - 1, torch.rand(4, 96, 200)
    position = torch.cat([torch.randn(3, 48, 100) * 100, torch.ones(1, 48, 100)])
    fine = paint(network, history, windows(guide, position))
    coarse = paint(network.convolving_in(torch.bfloat16), history, windows(guide, position))
    assert 0 < (fine - coarse).square().mean() < 1e-5  # 50 dB
