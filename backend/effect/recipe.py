"""What a training set is made of: a few numbers and ranges in a TOML file, and what a seed draws from them."""

import hashlib
import json
import math
import random
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import UsageError
from . import controls as tables
from .emitter import SHAPES, Emitter, Shape
from .physics import GRAVITY, number
from .simulation import Effect

Range: TypeAlias = tuple[float, float]
RECIPES = resources.files(__package__) / "recipes"
MOVABLE = ("fuel", "buoyancy", "wind", "wind_direction", "turbulence", "swirl", "temperature")
WIDE = 10.0  # ranges that span more than such a factor are drawn evenly in the logarithm


@dataclass(frozen=True)
class Sources:
    """What emitters there are. ``shapes``: by name. Ranges in heights of the box: ``radius``, ``thickness``, ``aside``
    (from the middle, any way), ``up`` (above the floor), ``travel`` (how far it moves to and fro while the sim lasts).
    """

    shapes: tuple[Shape, ...] = ("disc",)
    radius: Range = (0.1, 0.2)
    thickness: Range = (0.05, 0.1)
    aside: Range = (0.0, 0.0)
    up: Range = (0.02, 0.05)
    travel: Range = (0.0, 0.0)


@dataclass(frozen=True)
class Recipe:
    """A training set of one kind.

    ``sims``: how many, ``batch`` at a time. ``cells``: Z, Y, X of the truth; ``factors``: by what the coarse inputs are
    coarser. ``views``: sides from which each sim is seen, up to 4. ``frames`` at ``fps`` are kept of each. ``enlarge``:
    what comes before them is simulated in cells so many times as large. ``controls``: a range each; those not named
    keep their defaults. age is in tau, wind in heights per tau, dissipation per tau, so that they mean as much for a
    small effect as for a large one. ``moving``: in what share of the sims the controls change while it lasts.
    """

    kind: str
    sims: int
    batch: int
    cells: tuple[int, int, int]
    factors: tuple[int, ...]
    views: int
    frames: int
    fps: float
    enlarge: int
    controls: Mapping[str, Range]
    emitter: Sources = field(default_factory=Sources)
    moving: float = 0.3

    def __post_init__(self) -> None:
        """Raise ``UsageError`` for what cannot be simulated."""
        for number_of in ("sims", "batch", "frames", "enlarge"):
            _check(getattr(self, number_of) >= 1, f"{number_of} must be at least 1")
        _check(self.kind in tables.VOLUMES, f"kind must be one of {', '.join(tables.VOLUMES)}, not {self.kind}")
        _check(len(self.cells) == 3 and self.cells[0] == self.cells[2], "cells must be three, the first like the last")
        _check(1 <= self.views <= 4, "views must be 1 to 4")
        _check(self.fps > 0, "fps must be above 0")
        parts = (*self.factors, self.enlarge)
        whole = all(part > 0 and size % part == 0 for part in parts for size in self.cells)
        _check(whole, f"factors and enlarge, {parts}, must divide the cells")
        _check(all(shape in SHAPES for shape in self.emitter.shapes), f"shapes must be among {', '.join(SHAPES)}")
        known = tables.table(self.kind)
        for name, span in self.controls.items():
            _check(name in known and name not in ("seed", "smoke_colour"), f"there is no control {name} to draw")
            _check(len(span) == 2 and span[0] <= span[1], f"{name} must be a range, low before high")

    @classmethod
    def read(cls, source: str) -> "Recipe":
        """The recipe of this name (``fire-cpu``), or in this .toml file. Raises ``UsageError``."""
        file = Path(source) if source.endswith(".toml") else RECIPES / f"{source}.toml"
        try:
            data = tomllib.loads(file.read_text(encoding="utf-8"))
            data |= {name: tuple(data[name]) for name in ("cells", "factors")}
            sources = {name: tuple(value) for name, value in data.pop("emitter", {}).items()}
            spans = {name: tuple(value) for name, value in data.pop("controls").items()}
            return cls(**data, controls=spans, emitter=Sources(**sources))
        except OSError as error:
            names = sorted(item.name.removesuffix(".toml") for item in RECIPES.iterdir() if item.name.endswith(".toml"))
            simulated = ", ".join(name for name in names if not name.startswith("train-"))
            remedy = f"There are {simulated}; or name a .toml file."
            raise UsageError(f"There is no recipe {source}.", remedy) from error
        except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
            raise UsageError(f"The recipe {source} is wrong: {error}.", "Compare it with those in recipes.") from error

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def hash(self) -> str:
        """Of everything that a sim depends on besides its seed and number."""
        told = {name: value for name, value in self.as_json().items() if name != "sims"}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def draw(self, seed: int, index: int) -> tuple[Effect, dict[str, Any]]:
        """The sim of that number, and its facts for the record. The same for the same seed and number, everywhere."""
        source = random.Random(f"{self.kind}/{seed}/{index}")
        first, other = self._controls(source), self._controls(source)
        moves = source.random() < self.moving
        last = first | {name: other[name] for name in MOVABLE if name in other} if moves else first
        first["seed"] = last["seed"] = source.getrandbits(30)
        emitter, travel = self._emitter(source), source.uniform(*self.emitter.travel)
        heading = source.uniform(0, 2 * math.pi)

        def values(frame: float) -> dict[str, object]:
            share = frame / self.frames
            return {name: start + share * (last[name] - start) for name, start in first.items()}

        def moved(frame: float) -> Emitter:
            way = travel / 2 * math.sin(2 * math.pi * frame / self.frames)
            x, y, z = emitter.position
            return replace(emitter, position=(x + way * math.cos(heading), y, z + way * math.sin(heading)))

        told = {"shape": emitter.shape, "position": emitter.position, "radius": emitter.radius, "travel": travel}
        effect = Effect(self.kind, values, moved if travel else lambda frame: emitter)
        return effect, {"first": first, "last": last, "emitter": told}

    def _controls(self, source: random.Random) -> dict[str, float]:
        """A draw of every control, in the artist's units."""
        defaults = {name: item.default for name, item in tables.table(self.kind).items()}
        drawn = {name: number(value) for name, value in defaults.items() if not isinstance(value, tuple)}
        drawn |= {name: _between(source, span) for name, span in self.controls.items()}
        tau = math.sqrt(drawn["size"] / GRAVITY)
        for name, unit in (("age", tau), ("wind", drawn["size"] / tau), ("dissipation", 1 / tau)):
            if name in self.controls:
                drawn[name] = min(drawn[name] * unit, tables.table(self.kind)[name].high)
        return drawn

    def _emitter(self, source: random.Random) -> Emitter:
        ways, shape = self.emitter, source.choice(self.emitter.shapes)
        aside, angle = _between(source, ways.aside), source.uniform(0, 2 * math.pi)
        position = (aside * math.cos(angle), source.uniform(*ways.up), aside * math.sin(angle))
        radius, thickness = _between(source, ways.radius), _between(source, ways.thickness)
        turn, own = source.uniform(0, math.pi), source.getrandbits(30)
        picture = _blot(own, self.cells, radius, position) if shape == "picture" else None
        return Emitter(shape, position, radius, thickness, turn, picture=picture)


def _between(source: random.Random, span: Range) -> float:
    low, high = span
    if low > 0 and high >= WIDE * low:
        return math.exp(source.uniform(math.log(low), math.log(high)))
    return source.uniform(low, high)


def _blot(seed: int, cells: tuple[int, int, int], radius: float, position: tuple[float, float, float]) -> Tensor:
    """A silhouette (Y, X) as a mesh might have: smooth noise, cut off, and kept to a circle where the emitter is."""
    _, height, width = cells
    noise = torch.randn(1, 1, 6, 6, generator=torch.Generator().manual_seed(seed))
    noise = F.interpolate(noise, (height, width), mode="bicubic", align_corners=False)[0, 0]
    y, x = torch.meshgrid(
        (height - 0.5 - torch.arange(height)) / height - position[1] - radius,
        (torch.arange(width) + 0.5 - width / 2) / height - position[0],
        indexing="ij",
    )
    inside = 1 - torch.hypot(x, y) / radius
    return ((3 * inside).clamp(max=1) + 0.5 * noise).clamp(0, 1) * (inside > 0)


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise UsageError(f"The recipe is wrong: {message}.")
