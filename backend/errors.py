"""Every error that Paintover reports, each with a stable code. Standard library only: both sides share it.

A message says what is wrong and where; a remedy says what the artist can do about it. ``action`` names an operator
of the add-on that does it, so that a panel can draw the remedy as a button. A program that ends by an error ends with
its exit code.
"""

from typing import Any, ClassVar

DONE, FAILED, WRONG_USAGE, CANCELLED = 0, 1, 2, 130  # exit codes


class PaintoverError(Exception):
    """Something that the artist has to know of.

    ``message``: what is wrong, where. ``remedy``: what to do. ``action``: an operator's bl_idname, or "".
    ``details``: JSON-able facts (paths, frames, numbers) for scripts.
    """

    code: ClassVar[str] = "error"
    action: ClassVar[str] = ""
    exit_code: ClassVar[int] = FAILED

    def __init__(self, message: str, remedy: str = "", **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.details = details

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()

    def as_json(self) -> dict[str, Any]:
        """The form that travels: ``from_json`` gives the same error back."""
        return {"code": self.code, "message": self.message, "remedy": self.remedy, "details": self.details}


class UsageError(PaintoverError):
    """The request itself is wrong: an unknown verb, a missing or nonsensical parameter."""

    code = "usage"
    exit_code = WRONG_USAGE


class ShotError(PaintoverError):
    """The shot cannot be read: no folder, no frames, a broken EXR, frames of different sizes."""

    code = "shot"
    action = "paintover.render_passes"


class MissingPassError(ShotError):
    """A pass that is needed is not in the frame, or holds nothing."""

    code = "missing-pass"
    action = "paintover.enable_passes"


class MotionBlurError(ShotError):
    """Motion blur was on: Blender leaves the Vector pass empty then."""

    code = "motion-blur"
    action = "paintover.enable_passes"


class FrameRangeError(ShotError):
    """The frames asked for are not in the shot."""

    code = "frame-range"


class PaintingError(PaintoverError):
    """A painting cannot be used: unreadable, of another size, empty."""

    code = "painting"
    action = "paintover.keyframe_reload"


class LookError(PaintoverError):
    """A look file cannot be used: damaged, of another version, not a look file."""

    code = "look"


class LookMismatchError(LookError):
    """A look that was trained on other inputs than this shot or image has."""

    code = "look-mismatch"


class EffectError(PaintoverError):
    """An effect cannot be made or learned: weights that are missing or damaged, no simulations to learn from."""

    code = "effect"


class ColourError(PaintoverError):
    """The view transform is unknown here, or cannot be inverted."""

    code = "colour"


class OutputError(PaintoverError):
    """A result cannot be written: read-only folder, full disk."""

    code = "output"


class Cancelled(PaintoverError):  # noqa: N818 (it is no error)
    """The artist cancelled. Not a failure."""

    code = "cancelled"
    exit_code = CANCELLED


class BackendError(PaintoverError):
    """The backend itself failed. The traceback is in its log."""

    code = "backend"


class BackendMissingError(BackendError):
    """No backend is installed, or the named Python cannot run it."""

    code = "backend-missing"
    action = "paintover.install_backend"


class BackendDiedError(BackendError):
    """The backend process ended while a job was waiting for it."""

    code = "backend-died"


class ProtocolError(BackendError):
    """The other side speaks another protocol version, or nonsense."""

    code = "protocol"
    action = "paintover.install_backend"


def _subclasses(cls: type[PaintoverError]) -> list[type[PaintoverError]]:
    return [cls, *(found for child in cls.__subclasses__() for found in _subclasses(child))]


BY_CODE: dict[str, type[PaintoverError]] = {cls.code: cls for cls in _subclasses(PaintoverError)}


def from_json(data: dict[str, Any]) -> PaintoverError:
    """The error that ``as_json`` described; an unknown code becomes a plain ``BackendError``."""
    cls = BY_CODE.get(data["code"], BackendError)
    return cls(data["message"], data.get("remedy", ""), **data.get("details", {}))
