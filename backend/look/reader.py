"""The frames of a shot as a run through it needs them, and what can be done ahead of it."""

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

from ..shot import Shot
from . import guides
from .guides import Encoding, Frame, Motion

Stamp: TypeAlias = tuple[int, int, int]


def stamp(path: Path) -> Stamp:
    """What changes with a file: inode, size, time. A time alone may be that of the file before, or be carried over."""
    facts = path.stat()
    return facts.st_ino, facts.st_size, facts.st_mtime_ns


class Reader:
    """Reads frames of ``shot``, encoded by ``encoding``, keeps the last one, and remembers which files it has seen.

    ``ahead``: while a frame is at work, read the one that is wanted next.
    """

    def __init__(self, shot: Shot, encoding: Encoding, ahead: bool) -> None:
        self._shot, self._encoding = shot, encoding
        self._expected: set[int] = set()
        self._seen: dict[int, Stamp] = {}
        self._frame: Frame | None = None
        self._thread = ThreadPoolExecutor(1) if ahead else None
        self._coming: tuple[int, Future[Frame]] | None = None

    def expect(self, shot: Shot, numbers: list[int]) -> None:
        """All of the frames ``numbers`` will be asked for; ``shot`` may have grown since the last time."""
        self._shot, self._expected, self._coming = shot, set(numbers), None

    def saw(self, number: int) -> None:
        """Remember the frame's file as it is: what is kept was, or will be, computed from it."""
        self._seen.setdefault(number, stamp(self._shot.path(number)))

    def seen(self, number: int) -> Stamp:
        """What the frame's file was when it was looked at first, before it was read."""
        return self._seen[number]

    def holds(self, shot: Shot) -> bool:
        """Whether every frame that was read is still the same file in ``shot``."""
        present = set(shot.frames)
        return all(number in present and stamp(shot.path(number)) == seen for number, seen in self._seen.items())

    def frame(self, number: int, onward: int = 0) -> Frame:
        """All that is known of a frame; ``onward`` from there, in steps, the next one is wanted, if it is expected.

        Raises what ``Shot.read`` raises.
        """
        kept, coming = self._frame, self._coming
        if kept is None or kept.number != number:
            kept = self._frame = self._coming = None  # it is let go of before the next one comes
        if self._thread and onward and not self._coming and number + onward in self._expected:
            self._coming = number + onward, self._thread.submit(self.aside, number + onward)
        if kept is None:
            kept = self._frame = coming[1].result() if coming and coming[0] == number else self.aside(number)
        return kept

    def aside(self, number: int) -> Frame:
        """A frame that is not the next one on the way, for any thread."""
        self.saw(number)
        return guides.read(self._shot, number, self._shot.view, self._encoding)

    def motion(self, number: int, onward: int) -> Motion:
        """What a walk needs of a frame, and next of that ``onward``; of one that is expected, all is read at once.

        With 0 it is a walk that is taken again later: it needs no more, and what was read ahead is kept.
        """
        if (onward and number in self._expected) or (self._frame is not None and self._frame.number == number):
            return self.frame(number, onward).motion
        self.saw(number)
        return guides.read_motion(self._shot, number)
