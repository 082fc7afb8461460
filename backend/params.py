"""What a verb was asked to do, checked before any work begins. Standard library only."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import UsageError


class Params:
    """The parameters of one request. Each getter raises ``UsageError`` in clear words; None counts as not given.

    Call ``finish`` after the last getter: it refuses what nobody asked for, so that a misspelt name is not ignored.
    """

    def __init__(self, verb: str, values: Mapping[str, Any]) -> None:
        self._verb = verb
        self._values = values
        self._known: set[str] = set()

    def has(self, name: str) -> bool:
        self._known.add(name)
        return self._values.get(name) is not None

    def path(self, name: str) -> Path:
        return Path(self._text(name, "a path"))

    def optional_path(self, name: str) -> Path | None:
        return self.path(name) if self.has(name) else None

    def paths(self, name: str) -> list[Path]:
        items = self._required(name)
        if not isinstance(items, list) or not items or not all(isinstance(item, str) and item for item in items):
            raise self._wrong(name, "a list of files, with at least one in it")
        return [Path(item) for item in items]

    def path_pairs(self, name: str) -> dict[Path, Path]:
        """Files by file, such as paintings by the image that they were painted over."""
        return {Path(key): value for key, value in self._files(name).items()}

    def paths_by_frame(self, name: str) -> dict[int, Path]:
        """Files by frame number; in JSON a number that is a key is text."""
        try:
            return {int(key): value for key, value in self._files(name).items()}
        except ValueError as error:
            raise self._wrong(name, "frame numbers with a file for each") from error

    def text(self, name: str) -> str:
        return self._text(name, "a name")

    def optional_text(self, name: str) -> str | None:
        return self.text(name) if self.has(name) else None

    def integer(self, name: str, minimum: int | None = None) -> int:
        value = self._required(name)
        if not isinstance(value, int) or isinstance(value, bool) or (minimum is not None and value < minimum):
            raise self._wrong(name, "a whole number" + (f" of at least {minimum}" if minimum is not None else ""))
        return value

    def optional_integer(self, name: str, minimum: int | None = None) -> int | None:
        return self.integer(name, minimum) if self.has(name) else None

    def optional_positive(self, name: str) -> float | None:
        if not self.has(name):
            return None
        value = self._values[name]
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < float("inf"):
            raise self._wrong(name, "a number above 0")
        return float(value)

    def switch(self, name: str) -> bool:
        """True or false; not given means false."""
        if not self.has(name):
            return False
        if not isinstance(self._values[name], bool):
            raise self._wrong(name, "true or false")
        return bool(self._values[name])

    def frames(self, name: str) -> list[int]:
        """Frame numbers; not given means none."""
        if not self.has(name):
            return []
        items = self._values[name]
        if not isinstance(items, list) or not all(isinstance(item, int) for item in items):
            raise self._wrong(name, "a list of frame numbers")
        return items

    def frame_range(self, name: str) -> tuple[int, int] | None:
        """First and last frame, both included; not given means all."""
        frames = self.frames(name)
        if not frames:
            return None
        if len(frames) != 2 or frames[0] > frames[1]:
            raise self._wrong(name, "a first and a last frame, in this order")
        return frames[0], frames[1]

    def anything(self, name: str) -> Any:
        """What was given, for a verb that knows more about it than its type; None if not given."""
        return self._values[name] if self.has(name) else None

    def finish(self) -> None:
        unknown = sorted(name for name in set(self._values) - self._known if self._values[name] is not None)
        if unknown:
            raise UsageError(
                f"{self._verb} does not know {', '.join(unknown)}.",
                f"It knows {', '.join(sorted(self._known))}.",
                unknown=unknown,
            )

    def _required(self, name: str) -> Any:
        if not self.has(name):
            raise UsageError(f"{self._verb} needs {name}.", parameter=name)
        return self._values[name]

    def _text(self, name: str, wanted: str) -> str:
        value = self._required(name)
        if not isinstance(value, str) or not value:
            raise self._wrong(name, wanted)
        return value

    def _files(self, name: str) -> dict[str, Path]:
        items = self._required(name)
        if (
            not isinstance(items, dict)
            or not items
            or not all(isinstance(item, str) and item for pair in items.items() for item in pair)
        ):
            raise self._wrong(name, "at least one painting, each with what it is painted over")
        return {key: Path(value) for key, value in items.items()}

    def _wrong(self, name: str, wanted: str) -> UsageError:
        return UsageError(f"{self._verb}: {name} must be {wanted}, not {self._values[name]!r:.80}.", parameter=name)
