"""What is written on command lines and read in panels."""

import argparse
from pathlib import Path

import pytest

from backend.arguments import frame_range, painted_frame
from backend.words import clock, either, pace


@pytest.mark.parametrize(
    ("text", "frames"), [("5", (5, 5)), ("3-8", (3, 8)), ("-5", (-5, -5)), ("-5-3", (-5, 3)), ("-5--3", (-5, -3))]
)
def test_frame_ranges(text: str, frames: tuple[int, int]) -> None:
    assert frame_range(text) == frames


@pytest.mark.parametrize("text", ["", "x", "9-2", "1-", "-", "1-2-3", "1.5"])
def test_what_is_no_frame_range(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="no frame range"):
        frame_range(text)


def test_painted_frames() -> None:
    assert painted_frame("5=a=b.png") == (5, Path.cwd() / "a=b.png")
    assert painted_frame("-5=/a.png") == (-5, Path("/a.png").absolute())
    for text in ("a.png", "5=", "=a.png", "x=a.png"):
        with pytest.raises(argparse.ArgumentTypeError, match="no painted frame"):
            painted_frame(text)


def test_lists() -> None:
    assert [either(names) for names in ("a", "ab", "abc")] == ["a", "a or b", "a, b or c"]


def test_times() -> None:
    assert [clock(seconds) for seconds in (-1, 0, 75, 3600, 7322.4)] == ["0:00", "0:00", "1:15", "1:00:00", "2:02:02"]
    assert pace({"rate": 0.123, "remaining": 75}) == ["0.12/s", "1:15 left"]
    assert pace({"rate": 12.3, "remaining": None}) == ["12/s"]
