"""``effect.preview``: a first look at one frame, from the simulation alone, for a thumbnail that follows sliders."""

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from .. import images as pictures
from ..errors import UsageError
from ..images import ByteImage
from ..job import Job
from . import footage, mantaflow
from .coarse import Take, View, cells
from .controls import Value
from .frames import FPS, LONGEST, with_seed
from .panel import WATER
from .physics import number
from .projection import CHANNELS
from .request import animated, check_reach, size, source
from .resample import enlarged
from .shade import Shading, fading, shade
from .simulation import Effect
from .water import render as tiles
from .water.shade import shade as shade_water
from .water.simulation import Simulation as Water

CELLS = 10 * 1024
STEPS = 48  # frames that are simulated up to the one that is shown, however long that takes in the effect's time
SIZE = (192, 192)
WATER_CELLS = 128
FIRST_LOOK: Mapping[str, int] = {"explosion": 12}  # frames after the first, where nothing else is asked for


def preview(
    *,
    kind: str,
    out: Path,
    job: Job,
    frame: int | None = None,
    start: int | None = None,
    picture: object = None,
    seed: int | None = None,
    controls: object = None,
    emitter: object = None,
    baked: object = None,
) -> dict[str, Any]:
    """Write ``out``, an opaque PNG of ``frame``: as soft as the simulation is coarse. ``start``: the first frame.

    ``baked``: see ``mantaflow.opened``; its ``frame``, or its first, is shown instead of a simulation's.
    """
    started = time.process_time()
    controls = with_seed(controls, seed)
    shape = SIZE if picture is None else size(picture)
    whose = "Water" if kind in WATER else "What was baked" if baked is not None else ""
    if whose and emitter is not None:
        raise UsageError(f"{whose} takes no emitter.", parameter="emitter")
    if kind in WATER and baked is not None:
        raise UsageError("Water takes no vdb.", parameter="vdb")
    if baked is not None:
        frame, linear = _of_bake(kind, baked, frame, shape, controls, job)
    else:
        first = 1 if start is None else start
        if frame is None:
            frame = first + FIRST_LOOK.get(kind, 0)
        if not 0 <= frame - first <= LONGEST:
            raise UsageError(
                f"Frame {frame} cannot be shown: the effect begins at frame {first}.", "Choose a later frame."
            )
        if kind in WATER:
            linear = _water(kind, frame - first, shape, controls)
        else:
            linear = _volume(kind, frame, first, shape, controls, emitter, job)
    pictures.write_png(out, _displayed(linear))
    return {"preview": str(out), "frame": frame, "seconds": time.process_time() - started}


def _of_bake(
    kind: str, baked: object, frame: int | None, shape: tuple[int, int], controls: object, job: Job
) -> tuple[int, Tensor]:
    """The number of the frame, and scene-linear RGB (3, H, W) over the backdrop."""
    take = mantaflow.opened(baked, animated(kind, controls), 1, frame, FPS)
    ((_, view),) = take.shown(shape, shape[1], job)
    return take.start, _drawn(kind, view, take.values(0), shape)


def _volume(
    kind: str, frame: int, first: int, shape: tuple[int, int], controls: object, emitter: object, job: Job
) -> Tensor:
    """Scene-linear RGB (3, H, W) over the backdrop."""
    keyed = animated(kind, controls)
    values = keyed.values(frame)
    box = cells(*shape, CELLS)
    come = source(kind, emitter)
    check_reach(come, box)
    after = (frame - first) / FPS
    count, fps = _pace(number(keyed.values(first)["age"]) / number(values["time_scale"]), after)

    def moment(step: float) -> float:
        """The frame, counted from the first, that a step of this quicker run stands for."""
        return step / fps * FPS

    effect = Effect(kind, lambda step: keyed.values(first + moment(step)), lambda step: come.at(moment(step)))
    *_, (_, last) = Take(effect, count, fps).views(box, job)
    return _drawn(kind, last, values, shape)


def _drawn(kind: str, view: View, values: Mapping[str, Value], shape: tuple[int, int]) -> Tensor:
    """A coarse frame, made larger and shaded: scene-linear RGB (3, H, W) over the backdrop."""
    width, height = shape
    factor = 1
    while view.picture.shape[2] * factor < height:
        factor *= 2
    fine = enlarged(view.picture, factor)
    rgba = shade(fine, view.lit, Shading.of(kind, values), factor, number(values["size"]))
    rgba = rgba * fading(fine[0, CHANNELS.index("optical_depth")], kind)
    rgba = F.interpolate(rgba, (height, width), mode="bilinear", align_corners=False, antialias=True)[0]
    return rgba[:3] + footage.BACKDROP * (1 - rgba[3:])


def _pace(before: float, after: float) -> tuple[int, float]:
    """How many frames at how many a second lead through ``before`` and ``after`` the first frame, in seconds."""
    fps = min(FPS, STEPS / max(before + after, 1e-9))
    steps = math.ceil(after * fps)
    return steps + 1, steps / after if steps else fps


def _water(kind: str, frame: int, shape: tuple[int, int], controls: object) -> Tensor:
    width, height = shape
    water = tiles.asked(kind, controls)
    frames = max(1, round(water.loop_seconds * FPS))
    simulation = Water(water, WATER_CELLS, frames)
    ((_, surface),) = simulation.surfaces([frame % frames])
    rgb = shade_water(surface, water, simulation.grid)
    side = max(width, height)
    whole = F.interpolate(rgb[None], (side, side), mode="bilinear", align_corners=False, antialias=True)[0]
    return whole[:, :height, :width]


def _displayed(linear: Tensor) -> ByteImage:
    pixels: ByteImage = np.rint(footage.display(linear.permute(1, 2, 0).numpy()) * 255).astype(np.uint8)
    return pixels
