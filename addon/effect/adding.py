"""Adding an effect changes several things at once: where its first bake is cancelled, all of them are taken back."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import bpy

from .. import jobs
from ..backend.errors import Cancelled
from . import card, properties

if TYPE_CHECKING:
    from bpy.types import Object, Scene, ViewLayer


@dataclass(frozen=True)
class Before:
    """How the scene was, by name: Blender may undo before it is asked for."""

    scene: str
    view_layer: str
    kind: str
    loop: bool
    active: str
    selected: tuple[str, ...]

    @classmethod
    def of(cls, scene: "Scene", view_layer: "ViewLayer") -> "Before":
        """As it is now."""
        chosen, active = properties.of(scene), view_layer.objects.active
        selected: list[Object] = list(view_layer.objects.selected)
        names = tuple(thing.name for thing in selected)
        return cls(scene.name, view_layer.name, chosen.kind, chosen.loop, active.name if active else "", names)

    def restore(self, name: str) -> None:
        """Take out the effect ``name``, that shows nothing yet, with its frames. What is no longer there stays away."""
        scene: Scene | None = bpy.data.scenes.get(self.scene)
        thing: Object | None = bpy.data.objects.get(name)
        view_layer = scene.view_layers.get(self.view_layer) if scene is not None else None
        if view_layer is None or not properties.is_effect(thing) or properties.of(thing).shown:
            return
        chosen, things = properties.of(scene), view_layer.objects
        was_active = things.active == thing
        shutil.rmtree(properties.folder_of(thing), ignore_errors=True)
        card.discard(thing)
        chosen.kind = self.kind
        chosen.loop = self.loop  # which goes by the kind
        if was_active:
            things.active = things.get(self.active)
            for other in [things[name] for name in self.selected if name in things]:
                other.select_set(True, view_layer=view_layer)


class Adding:
    """The ticket of an effect's first bake. ``take_back`` is called where that was cancelled."""

    def __init__(self, ticket: jobs.Ticket, take_back: Callable[[], None]) -> None:
        self._ticket, self._take_back = ticket, take_back

    @property
    def done(self) -> bool:
        return self._ticket.done

    def poll(self) -> list[jobs.Report]:
        return self._ticket.poll()

    def result(self) -> jobs.Report:
        with self._taken_back():
            return self._ticket.result()

    def cancel(self) -> None:
        self._ticket.cancel()

    def stop(self) -> None:
        self._ticket.stop()

    def wait(self, *, on_progress: jobs.Sink | None = None) -> jobs.Report:
        with self._taken_back():
            return self._ticket.wait(on_progress=on_progress)

    @contextmanager
    def _taken_back(self) -> Iterator[None]:
        try:
            yield
        except Cancelled:
            self._take_back()
            raise
