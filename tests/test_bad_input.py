"""What cannot be used is refused in the artist's words, before anything is lost: a case for each kind of bad input.

Bad backends (none installed, another protocol version) are in test_bad_backend.py and test_client.py.
"""

import json
import re
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import slide
import torch
from doing import do
from PIL import Image
from safetensors.torch import load_file, save_file

from backend import images
from backend.errors import LookError, OutputError, PaintoverError
from backend.look.file import LookFile

Asked = tuple[str, dict[str, Any]]


def contents(place: Path) -> dict[str, bytes]:
    return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}


@pytest.fixture
def place(sliding: Path, sliding_look: Path, tmp_path: Path) -> Path:
    """A shot of the test's own, with a painting of frame 2, and a look that is in use."""
    place = tmp_path / "place"
    shutil.copytree(sliding / "shot", place / "shot")
    shutil.copy(sliding / "2.png", place)
    shutil.copy(sliding_look, place / "a.look")
    return place


def training(place: Path, **other: Any) -> Asked:
    asked = {"shot": place / "shot", "paint": {"2": place / "2.png"}, "out": place / "a.look", "steps": 1}
    return "look.train", asked | other


def applying(place: Path, **other: Any) -> Asked:
    return "look.apply", {"shot": place / "shot", "look": place / "a.look", "out": place / "out"} | other


# Each of these spoils something, and gives the place back.


def missing_pass(place: Path) -> Path:
    shutil.rmtree(place / "shot")
    slide.write_shot(place / "shot", leave_out="Position")
    return place


def blurred(place: Path) -> Path:
    card = {"format": 1, "name": "slide", "motion_blur": True}
    (place / "shot" / "shot.json").write_text(json.dumps(card))
    return place


def cropped(place: Path) -> Path:
    images.write_png(place / "2.png", slide.painted(2)[:10, :10])
    return place


def transparent(place: Path) -> Path:
    images.write_png(place / "2.png", slide.painted(2) * 0)
    return place


def no_picture(place: Path) -> Path:
    (place / "2.png").write_text("not a picture")
    return place


def half_a_picture(place: Path) -> Path:
    (place / "2.png").write_bytes((place / "2.png").read_bytes()[:2000])
    return place


def truncated(place: Path) -> Path:
    frame = place / "shot" / "slide_0003.exr"
    frame.write_bytes(frame.read_bytes()[: frame.stat().st_size // 2])
    return place


def of_images(place: Path) -> Path:
    do("look.train", images={str(place / "2.png"): place / "2.png"}, out=place / "a.look", steps=1)
    return place


def of_other_passes(place: Path) -> Path:
    look = LookFile.open(place / "a.look")
    replace(look, card=look.card | {"passes": ["beauty", "uv"]}).save(place / "a.look")
    return place


@dataclass(frozen=True)
class Case:
    """What is asked for, the error's code, and what the artist reads: words of the message, and of the remedy."""

    asked: Callable[[Path], Asked]
    code: str
    message: str
    remedy: str


CASES = {
    "a missing pass, to learn": Case(
        lambda place: training(missing_pass(place)), "missing-pass", "lacks the pass Position", "Passes > Data > Pos"
    ),
    "a missing pass": Case(
        lambda place: applying(missing_pass(place)), "missing-pass", "lacks the pass Position", "Passes > Data > Pos"
    ),
    "motion blur, to learn": Case(
        lambda place: training(blurred(place)), "motion-blur", "rendered with motion blur", "Switch Motion Blur off"
    ),
    "motion blur": Case(
        lambda place: applying(blurred(place)), "motion-blur", "rendered with motion blur", "Switch Motion Blur off"
    ),
    "another size": Case(
        lambda place: training(cropped(place)), "painting", r"2\.png is 10 x 10 .* 96 x 64", "at its own size"
    ),
    "nothing painted": Case(lambda place: training(transparent(place)), "painting", "2", "aint"),
    "no picture": Case(lambda place: training(no_picture(place)), "painting", r"2\.png cannot be read", "as PNG"),
    "half a picture": Case(
        lambda place: training(half_a_picture(place)), "painting", r"2\.png cannot be read", "as PNG"
    ),
    "no painting": Case(lambda place: training(place, paint={}), "usage", "at least one painting", ""),
    "a truncated frame, to learn": Case(
        lambda place: training(truncated(place)), "shot", r"slide_0003\.exr is broken", "Render this frame again"
    ),
    "a truncated frame": Case(
        lambda place: applying(truncated(place)), "shot", r"slide_0003\.exr is broken", "Render this frame again"
    ),
    "a look of images": Case(
        lambda place: applying(of_images(place)), "look-mismatch", "by colour alone", "on a painted frame"
    ),
    "a look for images": Case(
        lambda place: ("look.apply", {"images": [place / "2.png"], "look": place / "a.look", "out": place / "out"}),
        "look-mismatch",
        "passes, which an image does not have",
        "on a painted image",
    ),
    "a look of other passes": Case(
        lambda place: applying(of_other_passes(place)), "look-mismatch", "needs the passes beauty, uv", "again"
    ),
    "frames outside": Case(
        lambda place: applying(place, frames=[5, 30]), "frame-range", "Frames 5 to 30 .* 1 to 6", "that are in the shot"
    ),
    "frames turned round": Case(lambda place: applying(place, frames=[4, 2]), "usage", "in this order", ""),
    "a painted frame outside": Case(
        lambda place: training(place, paint={"9": place / "2.png"}),
        "frame-range",
        "Frame 9 was .* 1 to 6",
        "in the shot",
    ),
    "no look": Case(
        lambda place: applying(place, look=place / "nowhere.look"),
        "look",
        r"no look at .*nowhere\.look",
        "Train a look",
    ),
    "a file for a folder": Case(
        lambda place: applying(place, out=place / "2.png"), "output", "Nothing can be written", "another folder"
    ),
    "a folder for a file": Case(
        lambda place: training(place, out=place / "shot"), "output", "shot is a folder", "Name a file"
    ),
    "a file in the way": Case(
        lambda place: training(place, out=place / "2.png" / "a.look"), "output", "Nothing can be written", "may write"
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_refused_and_nothing_is_lost(place: Path, name: str) -> None:
    case = CASES[name]
    verb, asked = case.asked(place)
    before = contents(place)
    with pytest.raises(PaintoverError) as told:
        do(verb, **asked)
    assert told.value.code == case.code
    assert re.search(case.message, told.value.message), told.value.message
    assert re.search(case.remedy, told.value.remedy), told.value.remedy
    after = contents(place)
    assert {name: after.pop(name) for name in before} == before
    assert all(images.is_whole(place / made) for made in after), after.keys()  # frames before a broken one are kept


def test_a_broken_frame_costs_no_other(place: Path) -> None:
    frame = place / "shot" / "slide_0005.exr"
    whole = frame.read_bytes()
    frame.write_bytes(whole[: len(whole) // 2])
    verb, asked = applying(place)
    with pytest.raises(PaintoverError, match="0005"):
        do(verb, **asked)
    assert sorted(path.name for path in (place / "out").iterdir()) == [f"slide_000{n}.exr" for n in (2, 3, 4)]
    frame.write_bytes(whole)
    assert do(verb, **asked)["skipped"] == [2, 3, 4]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "LAB", "YCbCr", "F"])
def test_a_painting_of_any_colour_mode_is_learned_from(place: Path, mode: str) -> None:
    """Paint programs save what they like: nobody is sent back for it. What becomes of it is in test_images.py."""
    picture = Image.fromarray(slide.painted(2)).convert("L" if mode == "F" else "RGBA" if "A" in mode[1:] else "RGB")
    picture.convert(mode).save(place / "2.tif")
    verb, asked = training(place, paint={"2": place / "2.tif"})
    do(verb, **asked)
    assert LookFile.open(place / "a.look").paintings[2].shape == (64, 96, 4)


# Look files


def flipped(look: Path, at: int) -> None:
    data = bytearray(look.read_bytes())
    data[at] ^= 1
    look.write_bytes(data)


def digit_flipped(look: Path) -> None:
    data = look.read_bytes()
    flipped(look, data.index(b"0.", data.index(b"pixel")) + 2)


def without_a_tensor(look: Path) -> None:
    whole = LookFile.open(look)
    some = {name: tensor for name, tensor in whole.weights.items() if name != "leave.bias"}
    replace(whole, weights=some).save(look)


def of_version(look: Path, version: int) -> None:
    card = LookFile.open(look).card
    save_file(load_file(look), look, {"card": json.dumps(card | {"format": version})})


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a flipped byte": (lambda look: flipped(look, -100), "is damaged"),
    "a flipped byte at the start": (lambda look: flipped(look, 3), "is not a look file, or it is damaged"),
    "a flipped byte in the header": (lambda look: flipped(look, 40), "damaged"),
    "a flipped digit in the card": (digit_flipped, "is damaged"),
    "cut": (lambda look: look.write_bytes(look.read_bytes()[: look.stat().st_size // 2]), "or it is damaged"),
    "empty": (lambda look: look.write_bytes(b""), "is not a look file"),
    "a pickle": (lambda look: torch.save({"weights": torch.ones(3)}, look), "is not a look file"),
    "without a tensor": (without_a_tensor, "do not fit its card"),
    "of a newer version": (lambda look: of_version(look, 99), "format 99; this Paintover reads format"),
    "of an older version": (lambda look: of_version(look, 1), "format 1; this Paintover reads format"),
    "without a card": (lambda look: save_file(load_file(look), look), "has no card"),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_look_is_refused_in_plain_words(place: Path, how: str) -> None:
    spoil, words = DAMAGE[how]
    spoil(place / "a.look")
    before = contents(place)
    verb, asked = applying(place)
    with pytest.raises(LookError, match=words) as told:
        do(verb, **asked)
    assert told.value.remedy
    assert contents(place) == before


# Full and read-only folders


def test_no_room_for_a_look_is_told_and_leaves_what_was(place: Path) -> None:
    """The disk fills up while it is learned."""
    before = contents(place)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    verb, asked = training(place)
    try:
        with pytest.raises(OutputError, match=r"a\.look cannot be written"):
            do(verb, **asked)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert contents(place) == before


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own that holds 96 kB. Only root can make one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", disk], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("no disk can be mounted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_keeps_what_was_done_and_the_same_again_ends(place: Path, disk: Path) -> None:
    verb, asked = applying(place, out=disk / "out")
    with pytest.raises(OutputError, match=r"slide_000\d\.exr cannot be written: the disk .* is full") as told:
        do(verb, **asked)
    assert "Make room" in told.value.remedy
    made = sorted((disk / "out").iterdir())
    assert 0 < len(made) < 6 and all(images.is_whole(path) for path in made)
    subprocess.run(["mount", "-o", "remount,size=10M", disk], check=True)
    assert len(do(verb, **asked)["skipped"]) == len(made)
    assert len(list((disk / "out").iterdir())) == 6


def test_a_disk_that_is_too_small_for_a_look_is_told_before_it_is_learned(place: Path, disk: Path) -> None:
    """Minutes of training would be lost."""
    verb, asked = training(place, out=disk / "a.look", seconds=600, steps=None)
    with pytest.raises(OutputError, match=r"nearly full: 0\.1 MB are free, 50 are needed") as told:
        do(verb, **asked)
    assert "Make room" in told.value.remedy and not list(disk.iterdir())


def test_a_read_only_disk_is_told_before_any_work(place: Path, disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    for verb, asked in (
        training(place, out=disk / "a.look", seconds=600, steps=None),
        applying(place, out=disk),
        ("look.paint", {"shot": place / "shot", "frame": 2, "out": disk / "2.png"}),
    ):
        with pytest.raises(OutputError, match=r"Nothing can be written .*Read-only") as told:
            do(verb, **asked)
        assert "you may write there" in told.value.remedy
