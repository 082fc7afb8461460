"""Rough paint: a first painted keyframe, laid down stroke by stroke as a gouache painter would, without a network.

Painterly rendering after Hertzmann 1998 ("Painterly rendering with curved brush strokes of multiple sizes"): coarse
brushes block in, finer ones go where the picture still differs from its subject. What the passes add: strokes run
along the form, and keep to the object, plane and depth that they started on.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import conv2d, pad

from . import images
from .brush import Canvas, Stroke
from .job import Job
from .shot import SKY, Shot

Array = NDArray[Any]
_LUMINANCE = np.array(images.LUMINANCE, np.float32)
GROUND_TONE = np.array([0.62, 0.45, 0.33], np.float32)  # the board is toned with a thin ochre before painting
BROKEN_COLOUR = np.array([0.018, -0.003, -0.016], np.float32)  # strokes lean to the warm or the cool side of a hue
CORNER = 0.62  # cosine: a surface that turns by more than about 50 degrees is another plane


@dataclass(frozen=True)
class Brush:
    """One pass over the picture. Lengths in pixels of a frame of 360 lines."""

    radius: float
    spacing: float
    length: float  # of a whole stroke, in radii
    error: float  # paint only where the canvas is further than this from the subject (0..1, mean over channels)
    opacity: float
    dryness: float


BRUSHES = (
    Brush(radius=17, spacing=10, length=5, error=0.0, opacity=1.0, dryness=0.0),
    Brush(radius=10, spacing=7, length=8, error=0.008, opacity=0.95, dryness=0.4),
    Brush(radius=5.5, spacing=5, length=7, error=0.04, opacity=0.92, dryness=0.5),
    Brush(radius=3.0, spacing=3.2, length=7, error=0.055, opacity=0.95, dryness=0.35),
    Brush(radius=1.5, spacing=2.0, length=8, error=0.085, opacity=0.95, dryness=0.15),
)


def rough_paint(shot: Shot, frame: int, seed: int = 0, job: Job | None = None) -> NDArray[np.uint8]:
    """A painting of one frame: HxWx4 uint8, opaque, display values as the shot's view shows them.

    Needs beauty, normal, position and depth; object outlines come from Cryptomatte where the frame has it. The same
    seed gives the same painting. Raises ``MissingPassError``, ``FrameRangeError``, ``ShotError``, ``Cancelled``.
    """
    job = job or Job()
    rng = np.random.default_rng(seed)
    job.progress(0.0, "Looking at the subject")
    subject = Subject.of(shot, frame)
    scale = min(subject.shown.shape[:2]) / 360
    canvas = Canvas(subject.shown * 0.55 + GROUND_TONE * 0.45)
    for number, brush in enumerate(BRUSHES):
        reference = palette_shift(smoothed(subject.shown, subject.edges(), 0.8 * brush.radius * scale), subject)
        strokes = list(_plan(subject, canvas, reference, brush, scale, rng))
        for count, (stroke, row, column) in enumerate(strokes):
            if count % 100 == 0:
                share = (number + count / len(strokes)) / (len(BRUSHES) + 1)
                job.progress(share, f"Painting with brush {number + 1} of {len(BRUSHES)}")
            canvas.lay(stroke, partial(subject.reach, row, column), rng)
    job.progress(len(BRUSHES) / (len(BRUSHES) + 1), "Setting accents")
    for stroke in _accents(subject, scale, rng):
        canvas.lay(stroke, _anywhere, rng)
    picture = _softened_along(canvas.lit(0.08), subject)
    opaque = np.full((*picture.shape[:2], 1), 255, np.uint8)
    return np.concatenate([(np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8), opaque], -1)


@dataclass(frozen=True)
class Subject:
    """What the painter looks at. All HxW or HxWxC."""

    shown: Array  # display values
    normal: Array
    position: Array
    depth: Array
    label: Array  # one number per object
    sky: Array
    flow: Array  # HxWx2, unit vectors (x, y) along the form; either sign

    @staticmethod
    def of(shot: Shot, frame: int) -> "Subject":
        names = ["beauty", "normal", "position", "depth"]
        if "object" in shot.passes(frame):
            names.append("object")
        passes = shot.read(frame, names)
        shown = shot.view.shown(passes["beauty"])
        depth = passes["depth"][..., 0]
        sky = depth > SKY
        ids = passes["object"][..., 0].view(np.int32) if "object" in passes else np.zeros(depth.shape, np.int32)
        label = np.where(sky, -1, np.unique(ids, return_inverse=True)[1].reshape(depth.shape))
        form = Subject(shown, passes["normal"], passes["position"], depth, label, sky, np.zeros((*depth.shape, 2)))
        return replace(form, flow=_flow(form))

    def reach(self, row: int, column: int, rows: slice, columns: slice) -> NDArray[np.bool_]:
        """Where a stroke from (row, column) may go: same object, same side of its corners, not behind or before it."""
        same: NDArray[np.bool_] = self.label[rows, columns] == self.label[row, column]
        if self.sky[row, column]:
            return same
        normal = self.normal[row, column]
        same &= self.normal[rows, columns] @ normal > CORNER
        # Distance from the tangent plane, so that a floor seen at a slant is one surface however deep it runs.
        off_plane = np.abs(self.position[rows, columns] @ normal - self.position[row, column] @ normal)
        same &= off_plane < 0.04 * self.depth[row, column]
        return same

    def edges(self) -> tuple[Array, Array]:
        """How much changes from each pixel to the next in x (HxW-1) and in y (H-1xW): 1 at an edge of the scene."""
        across, down = (np.abs(np.diff(self.shown, axis=axis)).sum(-1) for axis in (1, 0))
        for axis, change in ((1, across), (0, down)):
            change += np.diff(self.label, axis=axis) != 0
            change += 0.7 * np.linalg.norm(np.diff(self.normal, axis=axis), axis=-1)
        return across, down


def smoothed(image: Array, edges: tuple[Array, Array], sigma: float) -> Array:
    """``image`` (HxWxC) blurred by ``sigma`` pixels without crossing edges.

    Recursive domain transform filter, Gastal and Oliveira 2011, with 3 iterations.
    """
    result = image.astype(np.float32)
    spread = 2.0 * sigma  # pixels of path that one full edge is worth
    iterations = 3
    for iteration in range(iterations):
        share = sigma * np.sqrt(3) * 2 ** (iterations - iteration - 1) / np.sqrt(4**iterations - 1)
        for axis in (1, 0):
            weight = np.exp(-np.sqrt(2) / share * (1 + spread * edges[1 - axis] * 2.5))[..., None].astype(np.float32)
            lines, weight = np.moveaxis(result, axis, 0), np.moveaxis(weight, axis, 0)
            for i in range(1, len(lines)):
                lines[i] += weight[i - 1] * (lines[i - 1] - lines[i])
            for i in range(len(lines) - 2, -1, -1):
                lines[i] += weight[i] * (lines[i + 1] - lines[i])
    return result


def _flow(subject: Subject) -> Array:
    """The direction of strokes: along the form's own lines where it has them, else along the surface's tangent.

    Form lines are the directions in which normals and light change least (smoothed structure tensor); the tangent is
    level on walls and grounds. Both are averaged as doubled angles, for a direction has no sign.
    """
    height, width = subject.depth.shape
    scale = min(height, width) / 360
    features = np.concatenate([subject.normal * 0.6, (subject.shown @ _LUMINANCE)[..., None]], -1)
    edges = subject.edges()
    features = smoothed(features, edges, 2 * scale)
    dy, dx = np.gradient(features, axis=(0, 1))
    tensor = np.stack([(dx * dx).sum(-1), (dy * dy).sum(-1), (dx * dy).sum(-1)], -1) * scale**2
    tensor = _blurred(np.minimum(tensor, 0.05), 2.5 * scale)
    xx, yy, xy = np.moveaxis(tensor, -1, 0)
    # Doubled angle of the direction of least change; its length says how much stronger it is than its opposite.
    doubled = np.stack([yy - xx, -2 * xy], -1)
    strength = np.linalg.norm(doubled, axis=-1, keepdims=True)
    doubled = doubled / (strength + 4e-4) + 0.35 * _tangent(subject)
    doubled = smoothed(doubled, edges, 4 * scale)
    angle = 0.5 * np.arctan2(doubled[..., 1], doubled[..., 0])
    return np.stack([np.cos(angle), np.sin(angle)], -1)


def _tangent(subject: Subject) -> Array:
    """Doubled angle of the level direction on each surface as the camera sees it; a slow sweep over the sky."""
    height, width = subject.depth.shape
    normal = subject.normal
    level = np.stack([-normal[..., 1], normal[..., 0], np.zeros((height, width))], -1)
    # On level ground every direction is level: there the picture's horizontal is used.
    on_x, on_y = (_gentle_slope(subject.position, axis) for axis in (1, 0))
    a, b, c = ((p * q).sum(-1) for p, q in ((on_x, on_x), (on_x, on_y), (on_y, on_y)))
    u, v = (on_x * level).sum(-1), (on_y * level).sum(-1)
    x, y = c * u - b * v, a * v - b * u
    length = np.hypot(x, y) + 1e-12
    x, y = x / length, y / length
    steep = np.clip(np.hypot(normal[..., 0], normal[..., 1]) * 3 - 0.6, 0, 1)
    row, column = np.mgrid[0:height, 0:width] / height
    sweep = 0.35 * np.sin(3 * column + 2 * row) - 0.25
    doubled = np.stack([steep * (x * x - y * y) + 1 - steep, steep * 2 * x * y], -1)
    return np.where(subject.sky[..., None], np.stack([np.cos(2 * sweep), np.sin(2 * sweep)], -1), doubled)


def _gentle_slope(field: Array, axis: int) -> Array:
    """The smaller of the two one-sided differences: the slope within a surface, also beside its edge."""
    step = np.diff(field, axis=axis)
    margin = [(0, 0)] * field.ndim
    margin[axis] = (1, 0)
    before = np.pad(step, margin, "edge")
    margin[axis] = (0, 1)
    after = np.pad(step, margin, "edge")
    nearer = (before**2).sum(-1) < (after**2).sum(-1)
    return np.where(nearer[..., None], before, after)


def _blurred(image: Array, sigma: float) -> Array:
    reach = int(np.ceil(2.5 * sigma))
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = (kernel / kernel.sum()).float()
    planes = torch.from_numpy(np.ascontiguousarray(image, np.float32)).permute(2, 0, 1)[:, None]
    planes = conv2d(pad(planes, (reach, reach, 0, 0), "replicate"), kernel.view(1, 1, 1, -1))
    planes = conv2d(pad(planes, (0, 0, reach, reach), "replicate"), kernel.view(1, 1, -1, 1))
    return planes[:, 0].permute(1, 2, 0).numpy()


def palette_shift(shown: Array, subject: Subject) -> Array:
    """The subject in the painter's colours: warm lights, cool and richer shades, a little more contrast."""
    light = (shown @ _LUMINANCE)[..., None]
    rich = light + 1.3 * (shown - light)
    turn = np.clip((light - 0.45) * 2, -1, 1)
    warm = np.array([0.045, 0.012, -0.040], np.float32)
    tint = np.where(subject.sky[..., None], 0.0, 1.0) * turn * warm
    return np.asarray(np.clip(rich + tint + 0.05 * np.sin(np.pi * turn), 0, 1))


def _plan(
    subject: Subject, canvas: Canvas, reference: Array, brush: Brush, scale: float, rng: np.random.Generator
) -> Iterator[tuple[Stroke, int, int]]:
    """The strokes of one brush, each with the (row, column) where it starts, in painting order."""
    height, width = subject.depth.shape
    radius, spacing = brush.radius * scale, max(brush.spacing * scale, 1)
    y, x = (grid.ravel() for grid in np.mgrid[0.5 * spacing : height : spacing, 0.5 * spacing : width : spacing])
    x, y = (side + rng.uniform(-0.5, 0.5, len(side)) * spacing for side in (x, y))
    starts = np.stack([np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)], 1)
    row, column = starts[:, 1].astype(int), starts[:, 0].astype(int)
    error = _blurred(np.abs(canvas.colour - reference).mean(-1, keepdims=True), 0.5 * radius)[..., 0]
    wanted = error[row, column] >= brush.error
    starts = rng.permutation(starts[wanted])
    lines, ends = _trace(subject, reference, starts, radius, brush.length / 2, rng)
    for line, (first, last), start in zip(lines, ends, starts, strict=True):
        r, c = int(start[1]), int(start[0])
        vary = rng.normal(0, 0.016) + rng.normal(0, 0.5 + 0.5 * (radius > 4 * scale)) * BROKEN_COLOUR
        yield (
            Stroke(
                line[first : last + 1], radius * rng.uniform(0.75, 1.15), np.clip(reference[r, c] + vary, 0, 1),
                brush.opacity, brush.dryness * rng.uniform(0.6, 1.2),
            ),
            r,
            c,
        )  # fmt: skip


def _trace(
    subject: Subject, reference: Array, starts: Array, radius: float, half_length: float, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Follow the flow from every start at once, both ways. Lines NxPx2, and the first and last point of each."""
    height, width = subject.depth.shape
    step = max(0.7 * radius, 1.0)
    steps = max(round(half_length * radius / step), 1)
    lines = np.repeat(starts[:, None], 2 * steps + 1, 1)
    ends = np.full((len(starts), 2), steps)
    at = starts.astype(int)
    label, colour = subject.label[at[:, 1], at[:, 0]], reference[at[:, 1], at[:, 0]]
    normal = subject.normal[at[:, 1], at[:, 0]]
    tilt = rng.normal(0, 0.10, len(starts))  # no hand is quite steady
    for side, sign in ((0, -1), (1, 1)):
        point, alive = starts.copy(), np.ones(len(starts), bool)
        heading = sign * subject.flow[at[:, 1], at[:, 0]]
        for count in range(1, steps + 1):
            place = point.astype(int)
            flow = subject.flow[place[:, 1], place[:, 0]]
            flow = flow * np.where((flow * heading).sum(1) < 0, -1, 1)[:, None]
            heading = 0.6 * flow + 0.4 * heading
            heading /= np.linalg.norm(heading, axis=1, keepdims=True) + 1e-9
            turned = heading + tilt[:, None] * np.stack([-heading[:, 1], heading[:, 0]], 1) * sign
            following = point + step * turned
            inside = (following >= 0).all(1) & (following[:, 0] < width) & (following[:, 1] < height)
            place = np.where(inside[:, None], following, point).astype(int)
            there = place[:, 1], place[:, 0]
            near = np.abs(reference[there] - colour).mean(1) < 0.045 + 0.004 * radius
            facing = ((subject.normal[there] * normal).sum(1) > CORNER) | subject.sky[there]
            alive &= inside & near & facing & (subject.label[there] == label)
            point = np.where(alive[:, None], following, point)
            index = steps + sign * count
            lines[:, index] = point
            ends[alive, side] = index
    short = ends[:, 0] == ends[:, 1]  # nowhere to go: a dab
    lines[short, steps] -= 0.3 * radius * subject.flow[at[short, 1], at[short, 0]]
    lines[short, steps + 1] = starts[short] + 0.3 * radius * subject.flow[at[short, 1], at[short, 0]]
    ends[short, 1] = steps + 1
    return lines, ends


def _anywhere(rows: slice, columns: slice) -> NDArray[np.bool_]:
    """Accents sit on the edges themselves: nothing is masked off for them."""
    return np.ones((rows.stop - rows.start, columns.stop - columns.start), bool)


def _accents(subject: Subject, scale: float, rng: np.random.Generator) -> Iterator[Stroke]:
    """The last touches: broken darks behind silhouettes and in creases, and a few loaded lights."""
    light = subject.shown @ _LUMINANCE
    around = _blurred(light[..., None], 7 * scale)[..., 0]
    reference = palette_shift(subject.shown, subject)
    darks = np.argwhere(_behind(subject) & (light < 0.6))
    lights = np.argwhere((light - around > 0.10) & (light > 0.5) & ~subject.sky)
    for places, share, radius, dark in ((darks, 0.10, 0.8, True), (lights, 0.05, 1.4, False)):
        chosen = places[rng.random(len(places)) < share / scale]
        if not len(chosen):
            continue
        starts = chosen[:, ::-1].astype(np.float64)
        lines, ends = _trace(subject, reference, starts, radius * scale, 10 if dark else 2.5, rng)
        for line, (first, last), (row, column) in zip(lines, ends, chosen, strict=True):
            colour = reference[row, column]
            colour = colour * (0.50, 0.45, 0.55) if dark else 1 - (1 - colour) * (0.45, 0.50, 0.62)
            thick = radius * scale * rng.uniform(0.6, 1.2)
            yield Stroke(line[first : last + 1], thick, colour, 0.5 if dark else 0.8, 0.3)


def _behind(subject: Subject) -> NDArray[np.bool_]:
    """Pixels that lie right behind another thing's silhouette, or in a fold of their own surface."""
    found = np.zeros(subject.depth.shape, bool)
    inner = np.pad(~found[1:-1, 1:-1], 1)  # what np.roll brings in from the other side of the frame is no neighbour
    for axis in (0, 1):
        for forward in (True, False):
            other = [np.roll(a, -1 if forward else 1, axis) for a in (subject.depth, subject.label, subject.normal)]
            behind = (other[1] != subject.label) & (subject.depth > 1.005 * other[0])
            fold = (other[1] == subject.label) & ((other[2] * subject.normal).sum(-1) < 0.6)
            found |= (behind | fold) & inner
    return found & ~subject.sky


def _softened_along(picture: Array, subject: Subject) -> Array:
    """Anti-alias the cut edges of strokes: object outlines are averaged a little along themselves, never across."""
    edge = np.zeros(subject.depth.shape, bool)
    for axis in (0, 1):
        change = np.diff(subject.label, axis=axis) != 0
        edge |= np.pad(change, [(0, int(axis == 0)), (0, int(axis == 1))])
        edge |= np.pad(change, [(int(axis == 0), 0), (int(axis == 1), 0)])
    row, column = np.nonzero(edge)
    direction = subject.flow[row, column]
    total, weights = np.zeros((len(row), 3)), 0.0
    for offset, weight in ((-2, 1.0), (-1, 2.0), (0, 3.0), (1, 2.0), (2, 1.0)):
        total += weight * _sample(picture, column + offset * direction[:, 0], row + offset * direction[:, 1])
        weights += weight
    result = picture.copy()
    result[row, column] = total / weights
    return result


def _sample(picture: Array, x: Array, y: Array) -> Array:
    """Bilinear values (Nx3) at the points, clamped to the frame."""
    height, width = picture.shape[:2]
    x, y = np.clip(x, 0, width - 1.001), np.clip(y, 0, height - 1.001)
    column, row = x.astype(int), y.astype(int)
    u, v = (x - column)[:, None], (y - row)[:, None]
    upper = picture[row, column] * (1 - u) + picture[row, column + 1] * u
    lower = picture[row + 1, column] * (1 - u) + picture[row + 1, column + 1] * u
    return np.asarray(upper * (1 - v) + lower * v)
