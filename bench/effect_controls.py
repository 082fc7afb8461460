"""Whether each control moves what it names, and leaves the rest: sweeps from low to high, measured on frames.

Rank correlation is Spearman's, between the control and the quantity that it names, averaged over seeds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from backend import images
from backend.effect import movie
from backend.effect.controls import CONTROLS
from backend.effect.panel import WATER, described
from backend.images import LUMINANCE

from .effect_seams import Array, frames_of, read_layers
from .kept import Facts

LAYERS = {"vector": "RGBA", "temperature": "V", "density": "V"}
SEEDS = (1, 2, 3)


@dataclass(frozen=True)
class Sweep:
    """A control from low to high. ``moves``: the quantity that it names; ``rises``: with it, or against it.

    ``base``: of the other controls. ``leaves``: quantities that shall stay, and by what share they may change from end
    to end.
    """

    control: str
    values: tuple[float, ...]
    moves: str
    rises: bool = True
    base: Mapping[str, object] = field(default_factory=dict)
    leaves: Mapping[str, float] = field(default_factory=dict)

    def controls(self, kind: str, value: float) -> dict[str, object]:
        """All controls of one run; of a colour, a grey."""
        colour = kind in CONTROLS and isinstance(CONTROLS[kind][self.control].default, tuple)
        return {**self.base, self.control: [value] * 3 if colour else value}


def _of_gas(
    lights: bool, early: dict[str, object], ages: tuple[float, ...], stirred: str, late: Mapping[str, object]
) -> tuple[Sweep, ...]:
    """What fire, smoke and explosions have in common. ``early``: controls of a moment at which it still grows;
    ``late``: of one from which on it moves as the air does; ``stirred``: what turbulence moves.
    """
    motion = {"speed": 0.15, "density": 0.15, "height": 0.15}
    return (
        Sweep("size", (0.5, 1.0, 2.0, 4.0, 8.0, 16.0), "speed", False, {"turbulence": 0.5}),
        Sweep("buoyancy", (0.0, 0.5, 1.0, 2.0, 3.0, 4.0), "rise", base=early),
        Sweep("wind", (0.0, 0.5, 1.0, 1.5, 2.0, 3.0), "drift"),
        Sweep("wind_direction", (0.0, 36.0, 72.0, 108.0, 144.0, 180.0), "drift", False, {"wind": 2.0}),
        Sweep("turbulence", (0.0, 0.5, 1.0, 2.0, 3.0, 4.0), stirred, base=late),
        Sweep("swirl", (0.0, 0.5, 1.0, 2.0, 3.0, 4.0), "aside", base={"turbulence": 0.2}),
        Sweep("smoke", (0.1, 0.3, 0.6, 1.0, 2.0, 4.0), "density", leaves={"speed": 0.5}),  # smoke has weight
        Sweep("smoke_colour", (0.0, 0.2, 0.4, 0.6, 0.8, 1.0), "scattered", leaves={"brightness": 0.01, **motion}),
        Sweep("dissipation", (0.0, 0.25, 0.5, 1.0, 2.0, 4.0), "density", False),
        Sweep("age", ages, "height", leaves={}),
        Sweep("time_scale", (0.25, 0.5, 1.0, 1.5, 2.0, 3.0), "speed", base=early),
        *((Sweep("intensity", (0.25, 0.5, 1.0, 2.0, 3.0, 4.0), "brightness", leaves=motion),) if lights else ()),
    )


_BURST: dict[str, object] = {"age": 0.6}
_BLACK: dict[str, object] = {"smoke_colour": [0.0, 0.0, 0.0]}  # so that all light is the fire's own
_STEADY = {"speed": 0.15, "height": 0.15}
_QUARTER = (0.0, 18.0, 36.0, 54.0, 72.0, 90.0)  # degrees
_SURFACE = {"waves": 0.01, "slope": 0.01, "change": 0.01}
SWEEPS: Mapping[str, tuple[Sweep, ...]] = {
    "fire": (
        *_of_gas(True, {}, (0.1, 0.15, 0.2, 0.3, 0.4, 0.5), "unrest", {}),
        Sweep("fuel", (0.2, 0.5, 1.0, 1.5, 2.0, 3.0), "flame_height", base=_BLACK),
        Sweep("temperature", (1200.0, 1500.0, 1900.0, 2400.0, 3000.0, 4000.0), "blue", base=_BLACK, leaves=_STEADY),
    ),
    "smoke": (
        *_of_gas(False, {}, (0.5, 1.0, 1.5, 2.0, 3.0, 4.0), "unrest", {}),
        Sweep("intensity", (0.25, 0.5, 1.0, 2.0, 3.0, 4.0), "rise"),
        Sweep("fuel", (0.0, 0.3, 0.6, 1.0, 1.5, 2.0), "brightness", base={"temperature": 1900.0}),
    ),
    "explosion": (
        # All its motion changes, and most of it is the burst's own at first.
        *_of_gas(True, _BURST, (0.1, 0.2, 0.4, 0.8, 1.2, 2.0), "stir", {"age": 1.2}),
        Sweep("fuel", (0.2, 0.5, 1.0, 1.5, 2.0, 3.0), "cover", base=_BURST),
        Sweep("temperature", (1400.0, 1800.0, 2400.0, 3000.0, 4000.0), "blue", base=_BLACK, leaves=_STEADY),
    ),
    "ocean": (
        Sweep("wind_speed", (3.0, 5.0, 8.0, 11.0, 15.0, 20.0), "waves"),
        Sweep("fetch", (300.0, 1e3, 3e3, 1e4, 3e4, 1e5), "waves", base={"swell": 0.0}),
        Sweep("swell", (0.0, 0.5, 1.0, 2.0, 4.0, 6.0), "waves"),
        Sweep("swell_length", (8.0, 16.0, 24.0, 32.0, 64.0), "fineness", False, {"swell": 2.0, "wind_speed": 1.0}),
        Sweep("choppiness", (0.0, 0.4, 0.8, 1.2, 1.6, 2.0), "sideways", leaves={"waves": 0.01}),
        Sweep("foam", (0.0, 0.5, 1.0, 2.0, 4.0, 8.0), "foam", leaves={"waves": 0.01, "slope": 0.01}),
        Sweep("foam_life", (0.5, 1.0, 2.0, 4.0, 8.0), "foam_change", False, leaves={"waves": 0.01, "slope": 0.01}),
        Sweep("depth", (0.5, 1.0, 2.0, 5.0, 20.0), "change", base={"swell": 1.0, "wind_speed": 1.0}),
        Sweep("scale", (16.0, 32.0, 64.0, 128.0, 256.0), "fineness", base={"swell": 0.0}),
        Sweep("wind_direction", _QUARTER, "bearing", base={"swell": 0.0}, leaves={"waves": 0.2}),
        Sweep("swell_direction", _QUARTER, "bearing", base={"swell": 2.0, "wind_speed": 1.0}, leaves={"waves": 0.1}),
        Sweep("time_scale", (0.25, 0.5, 1.0, 1.5, 2.0, 3.0), "change", leaves={"waves": 0.1, "slope": 0.1}),
    ),
    "river": (
        Sweep("flow_speed", (0.3, 0.6, 1.2, 2.0, 3.0), "travel"),
        Sweep("turbulence", (0.0, 0.2, 0.4, 0.6, 0.8, 1.0), "slope"),
        Sweep("foam", (0.0, 0.5, 1.0, 2.0, 4.0, 8.0), "foam", leaves={"waves": 0.01, "slope": 0.01}),
        Sweep("flow_direction", _QUARTER, "climb", base={"scale": 1.0, "flow_speed": 2.0}, leaves={"waves": 0.1}),
    ),
    "pool": (
        Sweep("swell", (0.0, 0.02, 0.04, 0.06, 0.08, 0.1), "waves"),
        Sweep("swell_length", (0.2, 0.4, 0.8, 1.6, 3.2), "fineness", False),
        Sweep("wind_speed", (0.0, 1.0, 2.0, 4.0, 6.0, 8.0), "slope"),
        Sweep("sun_elevation", (15.0, 30.0, 45.0, 60.0, 75.0, 90.0), "brightness", leaves=_SURFACE),
        Sweep("light_depth", (0.05, 0.1, 0.2, 0.4, 0.8), "gathered", leaves=_SURFACE),
    ),
    "rain": (
        Sweep("rain_rate", (5.0, 20.0, 60.0, 200.0, 600.0), "slope"),
        Sweep("drop_size", (2.0, 3.0, 4.0, 5.0, 6.0, 8.0), "waves"),
    ),
}


def sweeps(kind: str, weights: Path | None, frames: int, size: int, most: int, sheet: Path) -> Facts:
    """Every sweep of ``kind``, of at most so many values each.

    ``sheet``: where to show three values of each control.
    """
    found: Facts = {}
    rows = []
    for sweep in SWEEPS[kind]:
        values = thinned(sweep.values, most)
        runs, shown = [], []
        for value in values:
            measured = []
            for seed in SEEDS:
                asked = {"controls": sweep.controls(kind, value), "seed": seed, "frames": frames, "size": size}
                paths, told = frames_of(kind, weights, f"controls-{kind}", **asked)
                measured.append(water_quantities(paths) if kind in WATER else quantities(paths, told["brightness"]))
                if seed == SEEDS[0]:
                    shown.append(images.read_exr(paths[len(paths) // 2]))  # while explosions burn
            runs.append({name: float(np.mean([one[name] for one in measured])) for name in measured[0]})
        found[sweep.control] = judged(sweep, values, runs)
        rows.append(np.concatenate([shown[0], shown[len(shown) // 2], shown[-1]], 1))
    sheet.parent.mkdir(parents=True, exist_ok=True)
    movie.picture(np.concatenate(rows, 0)).save(sheet)
    known = [control["name"] for control in described(kind)["controls"]]
    return {"sweeps": found, "not_swept": [name for name in known if name not in found]}


def thinned(values: Sequence[float], most: int) -> list[float]:
    """At most so many of them, the first and the last among them."""
    if len(values) <= most:
        return list(values)
    return [values[round(place)] for place in np.linspace(0, len(values) - 1, most)]


def judged(sweep: Sweep, values: Sequence[float], runs: Sequence[Mapping[str, float]]) -> Facts:
    moved = [run[sweep.moves] for run in runs]
    correlation = rank_correlation(values, moved) * (1 if sweep.rises else -1)
    slope = float(np.polyfit(values, moved, 1)[0])
    changes = {name: change([run[name] for run in runs]) for name in runs[0] if name != sweep.moves}
    return {
        "values": list(values),
        "moves": sweep.moves,
        "means": moved,
        "rank_correlation": correlation,
        "slope": slope,
        "changes_of_others": changes,
        "leaves": {
            name: {"change": changes[name], "bound": bound, "within": changes[name] <= bound}
            for name, bound in sweep.leaves.items()
        },
    }


def change(values: Sequence[float]) -> float:
    """How far values lie apart, as a share of the largest."""
    most = max(abs(value) for value in values)
    return (max(values) - min(values)) / most if most > 0 else 0.0


def rank_correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Spearman's: 1 where one rises whenever the other does. Equal values share their rank; 0 where one is constant."""
    ranks = [_ranks(np.asarray(values, np.float64)) for values in (a, b)]
    if min(rank.std() for rank in ranks) == 0:
        return 0.0
    return float(np.corrcoef(*ranks)[0, 1])


def _ranks(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.array([(values < value).sum() + (values == value).sum() / 2 for value in values])


def quantities(paths: Sequence[Path], brightness: Sequence[float]) -> dict[str, float]:
    """What is measured on frames of fire, smoke or an explosion, on average.

    ``brightness``: of the light given off; ``scattered``: of the rest. ``height``, ``flame_height``: share of the
    picture below which 95 % of what shows, or of the light, lies. ``cover``: share of it that shows something.
    ``drift``, ``rise``, ``speed``: pixels a frame to the right, upward, and of either, of all that is dense; ``aside``:
    how far it goes to the sides against up and down, as gas does that curls. ``stir``: how much its motion changes, rms
    in pixels a frame; ``unrest``: the same against its speed: turbulence intensity. ``blue``: against red.
    """
    weights = np.array(LUMINANCE)
    rows, motions, weighted = [], [], []
    for path, given in zip(paths, brightness, strict=True):
        rgba, layers = images.read_exr(path), read_layers(path, LAYERS)
        light = rgba[..., :3] @ weights
        shown = rgba[..., 3] + light / (1 + light)
        hidden = -np.expm1(-layers["density"][..., 0])
        weight = hidden / max(float(hidden.sum()), 1e-9)
        right, up = -layers["vector"][..., 0], -layers["vector"][..., 1]
        motions.append(layers["vector"][..., :2])
        weighted.append(hidden)
        rows.append(
            {
                "brightness": given,
                "scattered": float(light.mean()) - given,
                "density": float(layers["density"].mean()),
                "height": reach(shown),
                "flame_height": reach(light),
                "cover": float((shown > 0.05).mean()),
                "drift": float((weight * right).sum()),
                "rise": float((weight * up).sum()),
                "speed": float((weight * np.hypot(right, up)).sum()),
                "aside": float((weight * np.abs(right)).sum() / max(float((weight * np.abs(up)).sum()), 1e-9)),
                "blue": float(rgba[..., 2].sum() / max(float(rgba[..., 0].sum()), 1e-9)),
            }
        )
    there = np.mean(weighted, 0)
    stir = float(np.sqrt((np.var(motions, 0).sum(2) * there).sum() / max(float(there.sum()), 1e-9)))
    found = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    return found | {"stir": stir, "unrest": stir / max(found["speed"], 1e-9)}


def reach(amount: Array) -> float:
    """Up to what share of a picture's height 95 % of it lies, from below."""
    by_row = amount.sum(1)[::-1].cumsum()
    return float(np.searchsorted(by_row, 0.95 * by_row[-1]) + 1) / len(by_row) if by_row[-1] > 0 else 0.0


def water_quantities(paths: Sequence[Path]) -> dict[str, float]:
    """What is measured on tiles of water, on average.

    ``waves``: height, rms in m. ``slope``: rms. ``sideways``: displacement, rms in m. ``foam``: its mean. ``fineness``:
    mean frequency of the waves, cycles to a tile. ``change``: of the height from frame to frame, against its rms.
    ``foam_change``: the same of the foam, against its mean. ``travel``: by how far the water moves on, pixels a frame,
    and ``climb``: how far up the tile. ``bearing``: how far waves run up and down the tile and
    not across, 0..1. ``brightness``: of the picture. ``gathered``: how much light on the floor differs, rms.
    """
    rows: list[dict[str, float]] = []
    steps: list[tuple[float, float]] = []
    before: tuple[Array, Array] | None = None
    for path in paths:
        layers = read_layers(
            path, {"height": "V", "normal": "RGB", "foam": "V", "displacement": "RGB", "caustics": "V"}
        )
        height = layers["height"][..., 0].astype(np.float64)
        waves = float(height.std())
        power = np.abs(np.fft.fft2(height - height.mean())) ** 2
        upright, across = np.meshgrid(*[np.abs(np.fft.fftfreq(side)) * side for side in height.shape], indexing="ij")
        normal = layers["normal"]
        foam = layers["foam"][..., 0].astype(np.float64)
        rows.append(
            {
                "waves": waves,
                "slope": float(np.sqrt(((normal[..., ::2] / np.maximum(normal[..., 1:2], 1e-3)) ** 2).mean())),
                "sideways": float(np.sqrt((layers["displacement"][..., ::2] ** 2).mean())),
                "foam": float(foam.mean()),
                "fineness": float((power * np.hypot(upright, across)).sum() / max(power.sum(), 1e-12)),
                "bearing": float((power * upright).sum() / max((power * (upright + across)).sum(), 1e-12)),
                "brightness": float(images.read_exr(path)[..., :3].mean()),
                "gathered": float(layers["caustics"].std()),
            }
        )
        if before is not None:
            rows[-1]["change"] = float(np.abs(height - before[0]).mean() / max(waves, 1e-9))
            rows[-1]["foam_change"] = float(np.abs(foam - before[1]).mean() / max(foam.mean(), 1e-9))
            steps.append(moved(before[0], height))
        before = height, foam
    found = {name: float(np.mean([row[name] for row in rows if name in row])) for name in rows[-1]}
    right, up = np.transpose(steps)
    return found | {"travel": float(np.median(np.hypot(right, up))), "climb": float(np.median(up))}


def moved(before: Array, now: Array) -> tuple[float, float]:
    """By how many pixels a tile moved to the right and up, found where it correlates best with itself."""
    spectra = [np.fft.fft2(picture - picture.mean()) for picture in (before, now)]
    alike = np.fft.ifft2(spectra[1] * spectra[0].conj()).real
    steps = np.unravel_index(int(alike.argmax()), alike.shape)
    found = []
    for axis, (step, side) in enumerate(zip(steps, alike.shape, strict=True)):
        low, peak, high = (np.roll(alike, 1 - step, axis).take(line, axis).max() for line in range(3))
        part = 0.5 * (low - high) / min(low - 2 * peak + high, -1e-12)  # the top of the parabola through the three
        found.append((step + part + side / 2) % side - side / 2)
    down, right = found
    return right, -down


def line(found: Facts) -> str:
    beyond = [name for name, told in found["leaves"].items() if not told["within"]]
    return f"{found['moves']:<13} rank correlation {found['rank_correlation']:5.2f}" + (
        f"  moves {', '.join(beyond)} beyond its bound" if beyond else ""
    )
