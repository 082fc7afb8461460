"""The small picture beside an effect's sliders, that follows them.

Drawing a panel tells what it would like to show; a moment later a timer asks the backend for it. One picture is under
way at most, and of several wishes only the last one is remembered. While other work runs none is asked for.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from .. import jobs, paths, pictures, preferences
from ..backend import beside
from ..backend.errors import BackendMissingError, Cancelled, PaintoverError
from . import fluid, properties, request

if TYPE_CHECKING:
    from bpy.types import Object, Scene

    from .properties import EffectSettings

POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Wish:
    """A picture of the effect ``card`` of a scene, or with "" of its next one, as ``settings`` (JSON-able) have it.

    ``source``: what tells an artist's own simulation from others. ``backend``: the one that is asked; None: there is
    none, and once there is, the wish is another one.
    """

    scene: str
    card: str
    settings: dict[str, Any]
    source: tuple[str, ...] = ()
    backend: preferences.BackendChoice | None = None

    @property
    def path(self) -> Path:
        name = paths.safe_name(f"card {self.card}" if self.card else f"next {self.scene}")
        return Path(bpy.app.tempdir) / "paintover_thumbnails" / f"{name}.png"


@dataclass
class State:
    """What is wanted, what the backend works on, and by picture what was answered last, and what went wrong there."""

    wanted: Wish | None = None
    under_way: tuple[Wish, jobs.Ticket] | None = None
    answered: dict[Path, Wish] = field(default_factory=dict)
    failures: dict[Path, PaintoverError] = field(default_factory=dict)

    def answer(self, wish: Wish, failure: PaintoverError | None) -> None:
        self.answered[wish.path] = wish
        if failure is None:
            self.failures.pop(wish.path, None)
        else:
            self.failures[wish.path] = failure
        jobs.redraw()


state = State()


def wish_of(scene: "Scene", thing: "Object | None") -> Wish:
    """A picture of the effect, or of the next one, as it is now."""
    settings = properties.of(scene if thing is None else thing)
    source = fluid.stamp(settings) if settings.refines else ()
    card = thing.name if thing is not None else ""
    return Wish(scene.name, card, request.thumbnail(settings), source, _backend())


def _backend() -> preferences.BackendChoice | None:
    try:
        preferences.check_backend()
    except BackendMissingError:
        return None
    return preferences.choice()


def failure(scene: "Scene", thing: "Object | None") -> PaintoverError | None:
    """What went wrong with its last picture."""
    return state.failures.get(wish_of(scene, thing).path)


def icon(scene: "Scene", thing: "Object | None") -> int:
    """The icon of the effect, or of the next one; 0 while there is none. Asks for one that shows it as it is now."""
    wish = wish_of(scene, thing)
    asked = state.under_way[0] if state.under_way else None
    if wish not in (state.answered.get(wish.path), asked):
        state.wanted = wish
        if not bpy.app.background and not bpy.app.timers.is_registered(_tick):
            bpy.app.timers.register(_tick, first_interval=0.0)
    return pictures.icon(wish.path)


def step() -> bool:
    """Take in what has come, and ask for what is wanted. Never waits. False when nothing is left to do."""
    if state.under_way is not None and state.under_way[1].done:
        (wish, ticket), state.under_way = state.under_way, None
        failure: PaintoverError | None = None
        try:
            ticket.result()
        except Cancelled:
            failure = state.failures.get(wish.path)
        except PaintoverError as error:
            failure = error
        state.answer(wish, failure)
    busy = jobs.session.running is not None or jobs.session.waited_for is not None
    if state.wanted is not None and state.under_way is None and not busy:
        wish, state.wanted = state.wanted, None
        try:
            state.under_way = wish, submit(wish)
        except PaintoverError as error:
            state.answer(wish, error)
    return state.wanted is not None or state.under_way is not None


def submit(wish: Wish) -> jobs.Ticket:
    """Ask the backend for a picture. Raises PaintoverError where it cannot be asked."""
    asked: dict[str, Any] = {**wish.settings, "out": str(wish.path), **_source(wish)}
    return jobs.backend().submit("effect.preview", asked)


def _source(wish: Wish) -> dict[str, Any]:
    """What the effect comes out of as it is now. Raises PaintoverError where that cannot be used."""
    thing: Object | None = bpy.data.objects.get(wish.card)
    owner = thing if thing is not None else bpy.data.scenes.get(wish.scene)
    if owner is None:  # removed meanwhile
        return {}
    settings = properties.of(owner)
    if settings.is_water:
        return {}
    if settings.refines:
        frames = list(fluid.files(settings))
        return {"vdb": fluid.asked(settings), "frame": frames[len(frames) // 2]}
    return {} if thing is None else _emitter(wish, thing, settings)


def _emitter(wish: Wish, thing: "Object", settings: "EffectSettings") -> dict[str, Any]:
    """The silhouette of the emitter; nothing where there is none, or it is not in the box."""
    if settings.emitter is None:
        return {}
    seen = request.outline(thing, settings.emitter, bpy.context.evaluated_depsgraph_get())
    if seen.empty:
        return {}
    file = wish.path.with_name(f"{wish.path.stem}_emitter.png")
    beside.write_whole(file, seen.png())
    return {"emitter": request.emitter([file], [seen])}


def _tick() -> float | None:
    return POLL_SECONDS if step() else None


def register() -> None:
    """Nothing to do: the timer starts when a panel wants a picture."""


def unregister() -> None:
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    if state.under_way is not None:
        state.under_way[1].cancel()
    state.wanted = state.under_way = None
    state.answered.clear()
    state.failures.clear()
