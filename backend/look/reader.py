"""The frames of a shot as a run through it needs them: the present one is kept, the next one is read ahead."""

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

from ..shot import Shot
from . import guides
from .guides import Encoding, Frame, Motion

READ_AHEAD = 4_000_000  # pixels of a frame up to which the next is read while this one is painted

Stamp: TypeAlias = tuple[int, int, int]


def stamp(path: Path) -> Stamp:
    """What changes with a file: inode, size, time. A time alone may be that of the file before, or be carried over."""
    facts = path.stat()
    return facts.st_ino, facts.st_size, facts.st_mtime_ns


class Reader:
    """Reads frames of ``shot``, encoded by ``encoding``, and remembers which files it has seen.

    ``frame`` and ``motion`` are for one thread; the frame ahead is read in another.
    """

    def __init__(self, shot: Shot, encoding: Encoding) -> None:
        self._shot, self._encoding = shot, encoding
        self._expected: set[int] = set()
        self._seen: dict[int, Stamp] = {}
        self._frame: Frame | None = None
        self._thread = ThreadPoolExecutor(1)
        self._ahead: tuple[int, Future[Frame]] | None = None

    def expect(self, shot: Shot, numbers: list[int]) -> None:
        """All of the frames ``numbers`` will be asked for; ``shot`` may have grown since the last time."""
        self._shot, self._expected = shot, set(numbers)

    def saw(self, number: int) -> None:
        """Remember the frame's file as it is: what is kept was, or will be, computed from it."""
        self._seen.setdefault(number, stamp(self._shot.path(number)))

    def holds(self, shot: Shot) -> bool:
        """Whether every frame that was read is still the same file in ``shot``."""
        present = set(shot.frames)
        return all(number in present and stamp(shot.path(number)) == seen for number, seen in self._seen.items())

    def frame(self, number: int) -> Frame:
        """All that is known of a frame. Raises what ``Shot.read`` raises."""
        if self._frame is None or self._frame.number != number:
            direction = 1 if self._frame is None or number > self._frame.number else -1
            ahead, self._ahead = self._ahead, None
            self._frame = ahead[1].result() if ahead and ahead[0] == number else self._read(number)
            following = number + direction
            if following in self._expected and self._frame.height * self._frame.width <= READ_AHEAD:
                self._ahead = following, self._thread.submit(self._read, following)
        return self._frame

    def aside(self, number: int) -> Frame:
        """A frame that is not the next one on the way."""
        return self._frame if self._frame and self._frame.number == number else self._read(number)

    def motion(self, number: int) -> Motion:
        """What a walk needs of a frame; of one that is expected, all is read at once."""
        if number in self._expected:
            return self.frame(number).motion
        self.saw(number)
        return guides.read_motion(self._shot, number)

    def _read(self, number: int) -> Frame:
        self.saw(number)
        return guides.read(self._shot, number, self._shot.view, self._encoding)[0]
