"""Stylise while rendering: Blender renders frame N + 1 while the backend stylises frame N.

A frame of passes that is on disk may be announced by Blender's render thread, so it is only noted there. In a window a
timer hands it to the backend; without one, where no timer runs, the next handler does, and the end of the render waits
until all is done.
"""

import queue
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
from bpy.app.handlers import persistent

from . import capture, handlers, jobs, paths, properties
from .backend.errors import PaintoverError
from .operators.apply import apply_params, show_new_frames

if TYPE_CHECKING:
    from bpy.types import Scene

POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Frames:
    """Rendered frames of a scene, first and last; ``again``, when the frames that they draw on are all there."""

    scene: str
    first: int
    last: int
    again: bool = False


@dataclass
class Count:
    """Frames of the render that goes on, or went on last."""

    asked: int = 0
    done: int = 0
    failed: int = 0
    shown: bool = True  # the images that show styled frames have been read again


count = Count()
_announced: "queue.SimpleQueue[Frames]" = queue.SimpleQueue()
_rendered: dict[str, set[int]] = {}  # frames by scene, of the render that goes on
_under_way: list[tuple[Frames, jobs.Ticket]] = []


def _note(scene_name: str, frame: int, _path: Path) -> None:
    _rendered.setdefault(scene_name, set()).add(frame)
    _announced.put(Frames(scene_name, frame, frame))
    if bpy.app.background:
        step()


def submit(scene: "Scene", first: int, last: int) -> jobs.Ticket:
    """Ask the backend to stylise frames. Raises ``PaintoverError`` where it cannot be asked."""
    return jobs.backend().submit("look.apply", apply_params(scene, first, last))


def step() -> None:
    """Hand announced frames to the backend, and take in what is done. Never waits, never raises into a render."""
    while not _announced.empty():
        frames = _announced.get()
        if frames.scene not in bpy.data.scenes or not properties.of(bpy.data.scenes[frames.scene]).stylise:
            continue
        count.asked += not frames.again
        try:
            _under_way.append((frames, submit(bpy.data.scenes[frames.scene], frames.first, frames.last)))
        except PaintoverError as error:
            _fail(frames, error)
    for styled in [(frames, ticket) for frames, ticket in _under_way if ticket.done]:
        _under_way.remove(styled)
        _take_in(*styled)
    jobs.session.again = [ticket for frames, ticket in _under_way if frames.again]


def _take_in(frames: Frames, ticket: jobs.Ticket) -> None:
    try:
        written = ticket.result()["written"]
    except PaintoverError as error:
        _fail(frames, error)
        return
    if not frames.again:
        count.done += 1
    elif written:
        count.shown = False
    if bpy.app.background:
        for path in written:
            print(f"Paintover: styled frame {int(Path(path).stem.rpartition('_')[2])}", flush=True)


def _fail(frames: Frames, error: PaintoverError) -> None:
    count.failed += not frames.again
    jobs.note_failure(error)
    which = f"frames {frames.first} to {frames.last} were" if frames.again else f"frame {frames.first} was"
    print(f"Paintover: {which} not stylised. {error}", file=sys.stderr, flush=True)


def complete(scene_name: str) -> None:
    """All frames of a render have been announced. Those that came before the painted one knew nothing of its paint, and
    are made again; all others are left alone.
    """
    frames = sorted(_rendered.pop(scene_name, ()))
    nothing_works = count.failed and not count.done
    if len(frames) > 1 and not nothing_works:
        for first, last in paths.runs(frames):
            _announced.put(Frames(scene_name, first, last, again=True))
    if bpy.app.background:
        finish()


def finish() -> None:
    """Wait until every announced frame is stylised, or has failed."""
    step()
    while _under_way:
        time.sleep(0.02)
        step()


def _tick() -> float:
    done, failed = count.done, count.failed
    step()
    if count.done != done:
        count.shown = False
    if (count.done, count.failed) != (done, failed):
        jobs.redraw()
    if not count.shown and not bpy.app.is_job_running("RENDER"):  # a render may be reading the images
        count.shown = True
        for scene in bpy.data.scenes:
            if paths.frames_in(paths.places(scene).styled, paths.places(scene).name):
                show_new_frames(scene)
    return POLL_SECONDS


@persistent  # type: ignore[untyped-decorator]
def _on_start(scene: "Scene", _depsgraph: object = None) -> None:
    if capture.is_wanted(scene) and scene.name in _rendered:  # Render Passes is one render after the other
        return
    _rendered.pop(scene.name, None)
    if all(frames.again for frames, _ in _under_way):
        count.asked = count.done = count.failed = 0


@persistent  # type: ignore[untyped-decorator]
def _on_complete(scene: "Scene", _depsgraph: object = None) -> None:
    if not capture.is_wanted(scene):
        complete(scene.name)


@persistent  # type: ignore[untyped-decorator]
def _on_cancel(scene: "Scene", _depsgraph: object = None) -> None:
    _rendered.pop(scene.name, None)
    if bpy.app.background:
        finish()


@persistent  # type: ignore[untyped-decorator]
def _on_load(*_: object) -> None:
    """What was rendered in another file is forgotten: its scenes may have the names of this one's."""
    _rendered.clear()
    while not _announced.empty():
        _announced.get()


_LISTENERS = (
    ("render_init", _on_start),
    ("render_complete", _on_complete),
    ("render_cancel", _on_cancel),
    ("load_post", _on_load),
)


def register() -> None:
    capture.on_frame(_note)
    capture.on_end(complete)
    handlers.listen(_LISTENERS)
    if not bpy.app.background:
        bpy.app.timers.register(_tick, first_interval=POLL_SECONDS, persistent=True)


def unregister() -> None:
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    handlers.leave(_LISTENERS)
    capture.off_frame(_note)
    capture.off_end(complete)
    for _, ticket in _under_way:
        ticket.cancel()
    _under_way.clear()
    jobs.session.again.clear()
    _on_load()
