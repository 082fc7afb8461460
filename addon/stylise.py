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


@dataclass
class Frame:
    scene: str
    number: int
    ticket: jobs.Ticket


@dataclass
class Count:
    """Frames of the render that goes on, or went on last."""

    asked: int = 0
    done: int = 0
    failed: int = 0
    shown: bool = True  # the images that show styled frames have been read again


count = Count()
_announced: "queue.SimpleQueue[tuple[str, int]]" = queue.SimpleQueue()
_under_way: list[Frame] = []


def _note(scene_name: str, frame: int, _path: Path) -> None:
    _announced.put((scene_name, frame))
    if bpy.app.background:
        step()


def submit(scene: "Scene", frame: int) -> jobs.Ticket:
    """Ask the backend to stylise one frame. Raises ``PaintoverError`` where it cannot be asked."""
    return jobs.backend().submit("look.apply", apply_params(scene, frame, frame))


def step() -> None:
    """Hand announced frames to the backend, and take in what is done. Never waits, never raises into a render."""
    while not _announced.empty():
        name, frame = _announced.get()
        if name not in bpy.data.scenes or not properties.of(bpy.data.scenes[name]).stylise:
            continue
        try:
            _under_way.append(Frame(name, frame, submit(bpy.data.scenes[name], frame)))
        except PaintoverError as error:
            _fail(frame, error)
        count.asked += 1
    for styled in [frame for frame in _under_way if frame.ticket.done]:
        _under_way.remove(styled)
        _take_in(styled)


def _take_in(styled: Frame) -> None:
    try:
        styled.ticket.result()
    except PaintoverError as error:
        _fail(styled.number, error)
    else:
        count.done += 1
        if bpy.app.background:
            print(f"Paintover: styled frame {styled.number}", flush=True)


def _fail(frame: int, error: PaintoverError) -> None:
    count.failed += 1
    jobs.note_failure(error)
    print(f"Paintover: frame {frame} was not stylised. {error}", file=sys.stderr, flush=True)


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
def _on_start(_scene: "Scene", _depsgraph: object = None) -> None:
    if not _under_way:  # Render Passes is one render after the other
        count.asked = count.done = count.failed = 0


@persistent  # type: ignore[untyped-decorator]
def _on_end(_scene: "Scene", _depsgraph: object = None) -> None:
    if bpy.app.background:
        finish()


_LISTENERS = (("render_init", _on_start), ("render_complete", _on_end), ("render_cancel", _on_end))


def register() -> None:
    capture.on_frame(_note)
    handlers.listen(_LISTENERS)
    if not bpy.app.background:
        bpy.app.timers.register(_tick, first_interval=POLL_SECONDS, persistent=True)


def unregister() -> None:
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    handlers.leave(_LISTENERS)
    capture.off_frame(_note)
    for styled in _under_way:
        styled.ticket.cancel()
    _under_way.clear()
