"""A look learned from painted frames, and the frame to paint next, through their verbs."""

from pathlib import Path
from typing import Any

import pytest
import slide
import torch
from doing import do

from backend import images
from backend.errors import Cancelled
from backend.job import Job
from backend.look import guides
from backend.look.file import LookFile
from backend.shot import Shot


def test_same_seed_same_bytes(sliding: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        do("look.train", shot=sliding / "shot", paint={"2": sliding / "2.png"}, out=tmp_path / f"{name}.look", steps=5)
    first, second = (LookFile.open(tmp_path / f"{name}.look") for name in ("a", "b"))
    assert all(torch.equal(first.weights[name], second.weights[name]) for name in first.weights)


def test_training_goes_on_exactly_where_it_was(sliding: Path, tmp_path: Path) -> None:
    shared = {"shot": sliding / "shot", "paint": {"2": sliding / "2.png"}, "out": tmp_path / "a.look"}
    do("look.train", **shared, steps=4)
    again = do("look.train", **shared, steps=4, resume=True)
    assert again["steps"] == 8
    assert LookFile.open(tmp_path / "a.look").card["training"]["resumed_from_step"] == 4


def test_stop_keeps_the_best_so_far_and_cancel_keeps_what_was(sliding: Path, tmp_path: Path) -> None:
    shared = {"shot": sliding / "shot", "paint": {"2": sliding / "2.png"}, "out": tmp_path / "a.look"}

    class Ended(Job):
        def __init__(self, how: str) -> None:
            super().__init__()
            self.how = how

        def progress(self, fraction: float, message: str, **numbers: Any) -> None:
            super().progress(fraction, message, **numbers)
            if numbers.get("step"):
                getattr(self, self.how)()

    stopped = do("look.train", Ended("stop"), **shared, seconds=600)
    assert stopped["stopped"]
    before = (tmp_path / "a.look").read_bytes()
    with pytest.raises(Cancelled):
        do("look.train", Ended("cancel"), **shared, seconds=600)
    assert (tmp_path / "a.look").read_bytes() == before


def test_what_went_on_and_was_stopped_is_no_worse(sliding: Path, tmp_path: Path) -> None:
    shared = {"shot": sliding / "shot", "paint": {"2": sliding / "2.png"}, "out": tmp_path / "a.look"}
    before = do("look.train", **shared, steps=120)["scores"]

    class Stopped(Job):
        def progress(self, fraction: float, message: str, **numbers: Any) -> None:
            super().progress(fraction, message, **numbers)
            if numbers.get("step", 0) > 10:
                self.stop()

    after = do("look.train", Stopped(), **shared, seconds=600, resume=True)
    assert after["stopped"] and after["steps"] > 130 and after["scores"]["psnr_painted"] >= before["psnr_painted"]


def test_preview_and_progress(sliding: Path, tmp_path: Path) -> None:
    reports: list[dict[str, Any]] = []
    preview = tmp_path / "preview.png"
    paint_ = {"2": sliding / "2.png"}
    do("look.train", Job(reports.append), shot=sliding / "shot", paint=paint_, out=tmp_path / "a.look", steps=6,
       preview=preview)  # fmt: skip
    training = [report for report in reports if "step" in report]
    assert training
    assert all({"loss", "rate", "remaining", "preview"} <= set(report) for report in training)
    assert images.read_painting(preview).shape[2] == 4
    nowhere = preview / "preview.png"  # a training is worth more than its picture
    do("look.train", shot=sliding / "shot", paint=paint_, out=tmp_path / "b.look", steps=2, preview=nowhere)
    assert LookFile.open(tmp_path / "b.look").card["training"]["steps"] == 2


def test_a_painting_that_is_just_the_render_is_named(sliding: Path, tmp_path: Path) -> None:
    shot = Shot.open(sliding / "shot")
    images.write_png(tmp_path / "bare.png", guides.in_bytes(guides.read_display(shot, 4)))
    images.write_png(tmp_path / "painted.png", slide.painted(2))
    paint = {"2": str(tmp_path / "painted.png"), "4": str(tmp_path / "bare.png")}
    trained = do("look.train", shot=shot.folder, paint=paint, out=tmp_path / "a.look", steps=1)
    assert trained["unpainted"] == [4]


def test_unpainted_areas_are_not_learned_from(sliding: Path, tmp_path: Path) -> None:
    """Garbage under transparent paint changes nothing."""
    weights = []
    for name, garbage in (("a", 0), ("b", 255)):
        pixels = slide.painted(2)
        pixels[:, :40] = (garbage, garbage, garbage, 0)
        images.write_png(tmp_path / f"{name}.png", pixels)
        do("look.train", shot=sliding / "shot", paint={"2": tmp_path / f"{name}.png"}, out=tmp_path / f"{name}.look",
           steps=4)  # fmt: skip
        weights.append(LookFile.open(tmp_path / f"{name}.look").weights)
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_suggest_names_the_frame_least_like_the_painted(sliding: Path) -> None:
    result = do("look.suggest", shot=sliding / "shot", painted=[1])
    assert result["coverage"]["1"] == pytest.approx(1, abs=1e-3)
    assert result["frame"] == int(min(result["coverage"], key=result["coverage"].__getitem__))
    assert do("look.suggest", shot=sliding / "shot", painted=[])["frame"] in range(1, 7)


def test_a_painting_may_be_painted_on_while_a_look_learns_from_it(sliding: Path, tmp_path: Path) -> None:
    images.write_png(tmp_path / "2.png", slide.painted(2))

    class Overwritten(Job):
        def progress(self, fraction: float, message: str, **numbers: Any) -> None:
            super().progress(fraction, message, **numbers)
            if "step" in numbers:
                (tmp_path / "2.png").write_text("half a picture")

    out = tmp_path / "a.look"
    do("look.train", Overwritten(), shot=sliding / "shot", paint={"2": tmp_path / "2.png"}, out=out, steps=2)
    assert (LookFile.open(out).paintings[2] == slide.painted(2)).all()
