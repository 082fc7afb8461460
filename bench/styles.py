"""Drawing styles with a known answer: functions of the passes alone, so every frame has its one true drawing.

    toon         cel ramps: four tones of each surface's own colour, cool in the shade, warm in the light
    hatch        pen and ink: cross-hatching that sticks to the objects, its density following the tone
    comic        clear line: brown-black outlines of varying weight over flat colours and one flat shadow
    watercolour  glazes with dark wet edges, paper left white in the lights, pigment that settles on the objects

A drawing sees the render only through its ``Ground``. What must stick to objects is computed from rest coordinates
(see ``bench.scenes.keep_rest_coordinates``); without them the world position serves, right wherever nothing moves.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import avg_pool2d, max_pool2d

from backend.colour import View

from .texture import smoothstep, solid_noise

Array = NDArray[np.float32]
PASSES = ("beauty", "albedo", "normal", "depth", "position", "object")
SKY = 1e9
LUMINANCE = np.float32([0.2126, 0.7152, 0.0722])


@dataclass(frozen=True)
class Ground:
    """What a drawing is made of; all HxW or HxWx3 float32. ``unit``: pixels that are one pixel of a 360-line frame."""

    shown: Array  # the render as the view shows it
    flat: Array  # each surface's own colour, as the view shows it in plain light
    tone: Array  # how lit it is, 0..1: about 0.3 in open shade, 0.7 in the sun
    normal: Array
    depth: Array
    rest: Array  # metres, stuck to each object
    names: NDArray[np.int32]  # one number per object
    sky: NDArray[np.bool_]
    unit: float

    @staticmethod
    def of(passes: dict[str, Array], view: View, rest: Array | None = None) -> "Ground":
        """From ``Shot.read(frame, PASSES)`` and the rest coordinates, if known."""
        beauty = np.ascontiguousarray(passes["beauty"][..., :3])
        albedo = np.ascontiguousarray(passes["albedo"])
        lit, own = beauty @ LUMINANCE, albedo @ LUMINANCE
        shown = view.to_display(beauty)
        # Metal, glass, light sources and sky have no diffuse colour: they are drawn by what they show.
        diffuse = smoothstep(0.01, 0.04, own)
        light = 2.0**view.exposure * (diffuse * lit / np.maximum(own, 0.01) + (1 - diffuse) * 1.5 * lit)
        tone = light / (light + 0.5)
        flat = diffuse[..., None] * view.to_display(albedo) + (1 - diffuse[..., None]) * shown
        names = np.ascontiguousarray(passes["object"][..., 0]).view(np.int32)
        depth = passes["depth"][..., 0]
        at = (passes["position"] if rest is None else rest).astype(np.float32)
        return Ground(shown, flat, tone, passes["normal"], depth, at, names, depth > SKY, len(depth) / 360)


def draw(style: str, ground: Ground) -> Array:
    """The drawing in ``style`` (a key of ``STYLES``), HxWx3 display values 0..1."""
    return np.clip(STYLES[style](ground), 0, 1).astype(np.float32)


def toon(g: Ground) -> Array:
    """Four tones with narrow soft steps; the shade turns to violet, the lights to cream."""
    colour = saturated(g.flat, 1.35)
    steps = [smoothstep(t - 0.012, t + 0.012, g.tone)[..., None] for t in (0.28, 0.46, 0.64)]
    ramp = [
        colour * (0.34, 0.28, 0.50),
        colour * (0.62, 0.56, 0.74),
        colour * (0.90, 0.88, 0.88),
        1 - (1 - colour) * (0.62, 0.68, 0.80),
    ]
    picture = ramp[0]
    for step, tint in zip(steps, ramp[1:], strict=True):
        picture = picture + step * (tint - picture)
    facing = np.abs(view_facing(g))
    rim = smoothstep(0.30, 0.22, facing) * smoothstep(0.44, 0.48, g.tone)
    picture = picture + (0.35 * rim)[..., None] * (np.float32([1.0, 0.97, 0.86]) - picture)
    return over_sky(g, picture, lambda shown: saturated(shown, 1.3))


def hatch(g: Ground) -> Array:
    """Four layers of pen strokes, each from one tone down, over cream paper; contours hold the forms."""
    paper, ink = np.float32([0.965, 0.94, 0.87]), np.float32([0.13, 0.11, 0.16])
    wave = solid_noise(g.rest * 1.7, 3) - 0.5
    tone = g.tone * (0.55 + 0.45 * (g.flat @ LUMINANCE)) + 0.05 * wave
    tone = np.where(g.sky, 1.0, tone)
    white = np.ones_like(tone)
    layers = (
        ((0.62, 0.35, 0.70), 0.66),
        ((-0.40, 0.80, 0.45), 0.48),
        ((0.75, -0.55, 0.36), 0.33),
        ((0.1, 0.3, 0.95), 0.2),
    )
    for number, (direction, limit) in enumerate(layers):
        depth = smoothstep(limit, limit - 0.26, tone)  # strokes swell as the tone falls below the layer's
        white *= 1 - strokes_along(g, np.float32(direction), number, depth)
    white *= 1 - 0.9 * outline(g, silhouette=1.5, crease=0.8)
    wash = 0.20 * smoothstep(0.9, 0.1, tone)[..., None]
    base = paper * (1 - wash) + wash * g.flat
    return ink + white[..., None] * (base - ink)


def comic(g: Ground) -> Array:
    """Flat colour, one shadow tone with a hard edge, outlines: heavy around objects, light on creases."""
    colour = saturated(posterised(g.flat, 10), 1.2) ** 0.85
    shadow = smoothstep(0.47, 0.44, g.tone)[..., None]
    picture = colour * (1 - shadow * (1 - np.float32([0.62, 0.64, 0.80])))
    picture = over_sky(g, picture, lambda shown: posterised(shown, 10))
    line = outline(g, silhouette=1.9, crease=0.9)[..., None]
    return picture + line * (np.float32([0.14, 0.08, 0.07]) - picture)


def watercolour(g: Ground) -> Array:
    """Three transparent glazes whose borders dry dark, over granulating pigment (after Bousseau et al. 2006)."""
    paper = np.float32([0.985, 0.975, 0.95])
    low, high = solid_noise(g.rest * 0.9, 11, octaves=3), octave_noise(g, 7.0, 12)
    tone = np.where(g.sky, g.tone + 0.05, g.tone) + 0.16 * (low - 0.5) + 0.05 * (high - 0.5)
    pigment = 0.34 * np.ones_like(tone)
    for limit, strength in ((0.72, 0.34), (0.52, 0.50), (0.34, 0.70)):
        inside = (limit - tone) / 0.30
        glaze = smoothstep(0.0, 0.04, inside)
        rim = np.exp(-np.square(np.maximum(inside, 0) / 0.08)) * glaze
        pigment = pigment + strength * (0.7 * glaze + 0.3 * smoothstep(0, 1, inside) + 0.5 * rim)
    apart = distance(boundary(g), 6 * g.unit) / g.unit
    pigment = pigment * (1 + 0.7 * np.exp(-np.square(apart / 1.6)))  # paint pools where it stops
    pigment = pigment * (1 + 1.1 * (low - 0.5) + 0.5 * (high - 0.5))
    colour = np.clip(saturated(g.flat, 1.35), 0.05, 0.96)
    return paper * colour ** np.maximum(1.3 * pigment, 0)[..., None]


STYLES: dict[str, Callable[[Ground], Array]] = {
    "toon": toon,
    "hatch": hatch,
    "comic": comic,
    "watercolour": watercolour,
}


def saturated(colour: Array, amount: float) -> Array:
    grey = (colour @ LUMINANCE)[..., None]
    return np.clip(grey + amount * (colour - grey), 0, 1)


def posterised(colour: Array, steps: int) -> Array:
    """Flat areas: the luminance in steps, the hue kept."""
    grey = (colour @ LUMINANCE)[..., None]
    return np.clip(colour * (np.round(grey * steps) + 0.3) / steps / np.maximum(grey, 0.02), 0, 1)


def over_sky(g: Ground, picture: Array, sky: Callable[[Array], Array]) -> Array:
    return np.where(g.sky[..., None], sky(g.shown), picture)


def view_facing(g: Ground) -> Array:
    """How much each surface faces the eye, from the normals alone: 1 head-on, 0 at the contour of a round form.

    The eye's direction is not among the passes; a rim is where depth falls away fastest for its distance.
    """
    fall = np.hypot(*steepest(g, g.depth)) / np.maximum(g.depth, 1e-3) * (len(g.depth) * 1.4)
    return np.where(g.sky, 1, 1 / np.sqrt(1 + fall**2))


def steepest(g: Ground, field: Array) -> tuple[Array, Array]:
    """The gentler of the two one-sided differences, per axis: the slope within a surface, also next to its edge."""
    slopes = []
    for axis in (1, 0):
        step = np.diff(field, axis=axis)
        pad = [(0, 0)] * field.ndim
        pad[axis] = (1, 0)
        before = np.pad(step, pad, "edge")
        pad[axis] = (0, 1)
        after = np.pad(step, pad, "edge")
        slopes.append(np.where(np.abs(before) < np.abs(after), before, after))
    return slopes[0], slopes[1]


def boundary(g: Ground) -> NDArray[np.bool_]:
    """Where one object ends, or a surface jumps in depth."""
    edge = np.zeros(g.depth.shape, bool)
    near = np.minimum(g.depth, 1e4)
    slope = steepest(g, near)
    for axis, along in ((1, slope[0]), (0, slope[1])):
        jump = np.abs(np.diff(near, axis=axis))
        here: list[Any] = [slice(None), slice(None)]
        here[axis] = slice(0, -1)
        at = tuple(here)
        expected = np.maximum(np.abs(along[at]) * 3, 0.03 * near[at])
        edge[at] |= (np.diff(g.names, axis=axis) != 0) | (jump > expected)
    return edge


def folds(g: Ground) -> NDArray[np.bool_]:
    """Where a surface folds by more than 30 degrees."""
    fold = np.zeros(g.depth.shape, bool)
    fold[:, :-1] |= (g.normal[:, 1:] * g.normal[:, :-1]).sum(-1) < 0.866
    fold[:-1] |= (g.normal[1:] * g.normal[:-1]).sum(-1) < 0.866
    return fold & ~g.sky


def distance(mask: NDArray[np.bool_], reach: float) -> Array:
    """Euclidean distance in pixels to the mask, up to ``reach``."""
    steps = int(np.ceil(reach))
    squared = torch.where(torch.from_numpy(mask), 0.0, float(reach**2))[None, None]
    for axis in (2, 3):
        best = squared
        for step in range(1, steps + 1):
            size = [1, 1]
            size[axis - 2] = 2 * step + 1
            pad = (step, 0) if axis == 2 else (0, step)
            # The nearest value within +-step costs at least step^2: a lower bound that is exact at its own step.
            best = torch.minimum(best, -max_pool2d(-squared, tuple(size), 1, pad) + float(step**2))
        squared = best
    return squared[0, 0].clamp_max(reach**2).sqrt().numpy()


def outline(g: Ground, silhouette: float, crease: float) -> Array:
    """Pen lines 0..1: widths in pixels of a 360-line frame. Nearer things get heavier lines; pressure varies."""
    pressure = 0.7 + 0.6 * solid_noise(g.rest * 2.5, 5)
    median = float(np.median(g.depth[~g.sky])) if not g.sky.all() else 1.0
    near = np.clip((median / np.maximum(g.depth, 1e-3)) ** 0.6, 0.6, 1.5)
    line = np.zeros(g.depth.shape, np.float32)
    for mask, width in ((boundary(g), silhouette), (folds(g), crease)):
        half = 0.5 * width * g.unit * pressure * near * smoothstep(0.75, 0.25, density(mask, int(3 * g.unit)))
        line = np.maximum(line, smoothstep(0.5, -0.5, distance(mask, 3 * g.unit) - half))
    return line


def density(mask: NDArray[np.bool_], reach: int) -> Array:
    """The share of the pixels around each that are in the mask: where it is high, a draughtsman leaves lines out."""
    lines = torch.from_numpy(mask.astype(np.float32))[None, None]
    return avg_pool2d(lines, 2 * reach + 1, 1, reach, count_include_pad=False)[0, 0].numpy()


def strokes_along(g: Ground, direction: Array, seed: int, swell: Array) -> Array:
    """One layer of hatching 0..1: planes of constant rest coordinate cut the surface, like contour strokes.

    Lines stay about three pixels (of 360 lines) apart however near or slanted the surface is: they come in octaves,
    each twice as dense as the one before, and the finer ones fade in (tonal art maps, Praun et al. 2001).
    """
    hand = 0.04 * (solid_noise(g.rest * 3.0, 20 + seed) - 0.5)
    along = (g.rest @ (direction / np.linalg.norm(direction)) + hand).astype(np.float32)
    footprint = np.maximum(np.hypot(*steepest(g, along)), 1e-6)  # metres along the direction per pixel
    octave = -np.log2(footprint * 3.6 * g.unit)
    coarse, ink = np.floor(octave), np.zeros_like(along)
    broken = solid_noise(g.rest * 6.0, 30 + seed)
    for level, present in ((coarse, 1.0), (coarse + 1, octave - coarse)):
        phase = along * np.exp2(level)
        pixels = np.abs(phase - np.round(phase)) / (footprint * np.exp2(level))
        half = g.unit * (0.25 + 0.75 * swell) * (0.7 + 0.6 * broken) * present
        ink = np.maximum(ink, smoothstep(0.5, -0.5, pixels - half) * np.minimum(1, 2.5 * swell * present))
    return np.where(g.sky | (footprint < 1e-5), 0, ink)


def octave_noise(g: Ground, size: float, seed: int) -> Array:
    """Solid noise on the rest coordinates whose grain is about ``size`` pixels of a 360-line frame everywhere."""
    footprint = sum(np.hypot(*steepest(g, g.rest[..., axis])) ** 2 for axis in range(3)) ** 0.5
    octave = -np.log2(np.maximum(footprint, 1e-6) * size * g.unit)
    coarse = np.floor(octave)
    share = smoothstep(0, 1, octave - coarse)
    fine = solid_noise(g.rest * np.exp2(coarse + 1)[..., None], seed)
    return (1 - share) * solid_noise(g.rest * np.exp2(coarse)[..., None], seed) + share * fine
