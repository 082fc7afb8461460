"""The small picture beside an effect's sliders, that follows them.

Drawing a panel tells what it would like to show; a moment later a timer asks the backend for it. One picture is under
way at most, and of several wishes only the last one is remembered. While other work runs none is asked for.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from .. import jobs, paths, pictures
from ..backend.errors import Cancelled, PaintoverError
from . import bakes, properties, request, silhouette

if TYPE_CHECKING:
    from bpy.types import Object, Scene

POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Wish:
    """A picture of the effect ``card`` of a scene, or with "" of its next one, as ``settings`` (JSON-able) have it."""

    scene: str
    card: str
    settings: dict[str, Any]

    @property
    def path(self) -> Path:
        name = paths.safe_name(f"card {self.card}" if self.card else f"next {self.scene}")
        return Path(bpy.app.tempdir) / "paintover_thumbnails" / f"{name}.png"


@dataclass
class State:
    """What is wanted, what the backend works on, and what went wrong with the last one."""

    wanted: Wish | None = None
    under_way: tuple[Wish, jobs.Ticket] | None = None
    failure: PaintoverError | None = None


state = State()
_answered: dict[Path, Wish] = {}  # also where the answer was an error


def icon(scene: "Scene", thing: "Object | None") -> int:
    """The icon of the effect, or of the next one; 0 while there is none. Asks for one that shows it as it is now."""
    settings = properties.of(scene if thing is None else thing)
    wish = Wish(scene.name, thing.name if thing is not None else "", request.thumbnail(settings))
    asked = state.under_way[0] if state.under_way else None
    if wish not in (_answered.get(wish.path), asked):
        state.wanted = wish
        if not bpy.app.background and not bpy.app.timers.is_registered(_tick):
            bpy.app.timers.register(_tick, first_interval=0.0)
    return pictures.icon(wish.path)


def step() -> bool:
    """Take in what has come, and ask for what is wanted. Never waits. False when nothing is left to do."""
    if state.under_way is not None and state.under_way[1].done:
        (wish, ticket), state.under_way = state.under_way, None
        try:
            ticket.result()
            state.failure = None
        except Cancelled:
            pass
        except PaintoverError as error:
            state.failure = error
        _answered[wish.path] = wish
        jobs.redraw()
    busy = jobs.session.running is not None or jobs.session.waited_for is not None
    if state.wanted is not None and state.under_way is None and not busy:
        wish, state.wanted = state.wanted, None
        try:
            state.under_way = wish, submit(wish)
        except PaintoverError as error:
            state.failure = error
            _answered[wish.path] = wish
            jobs.redraw()
    return state.wanted is not None or state.under_way is not None


def submit(wish: Wish) -> jobs.Ticket:
    """Ask the backend for a picture. Raises PaintoverError where it cannot be asked."""
    asked: dict[str, Any] = {**wish.settings, "out": str(wish.path)}
    emitter = _emitter(wish)
    if emitter is not None:
        asked["emitter"] = emitter
    return jobs.backend().submit("effect.preview", asked)


def _emitter(wish: Wish) -> dict[str, Any] | None:
    """The silhouette of the emitter as it is now; None where there is none, or it is not in the box."""
    thing: Object | None = bpy.data.objects.get(wish.card)
    settings = properties.of(thing) if thing is not None else None
    if settings is None or settings.emitter is None or settings.is_water:
        return None
    seen = request.outline(thing, settings.emitter, bpy.context.evaluated_depsgraph_get())
    if seen.empty:
        return None
    file = wish.path.with_name(f"{wish.path.stem}_emitter.png")
    bakes.write(file, silhouette.png(seen.mask))
    return request.emitter([file], [seen])


def _tick() -> float | None:
    return POLL_SECONDS if step() else None


def register() -> None:
    """Nothing to do: the timer starts when a panel wants a picture."""


def unregister() -> None:
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    if state.under_way is not None:
        state.under_way[1].cancel()
    state.wanted = state.under_way = state.failure = None
    _answered.clear()
