"""A canvas of colour, height and gloss on which shapes are laid, then lit: arrays [S, S], y down, -1..1 across.

A shape is a signed distance: negative inside, in the units of the canvas. Heights make the light: a drawing with
relief looks solid, and a network that learns from it dreams solid things.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Random = np.random.Generator
SIZE = 128


class Canvas:
    """x, y: coordinates. px: side of a pixel. rgb, alpha, height, gloss: what has been laid so far."""

    def __init__(self, size: int = SIZE) -> None:
        axis = (np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1
        self.size, self.px = size, 2 / size
        self.x, self.y = (plane.astype(np.float32) for plane in np.meshgrid(axis, axis))
        self.rgb = np.zeros((size, size, 3), np.float32)
        self.alpha, self.height, self.gloss = (np.zeros((size, size), np.float32) for _ in range(3))

    def at(
        self, cx: float, cy: float, angle: float = 0.0, sx: float = 1.0, sy: float | None = None
    ) -> tuple[Array, Array]:
        """The canvas seen from (cx, cy), turned by `angle` radians clockwise and in units of (sx, sy)."""
        x, y, c, s = self.x - cx, self.y - cy, np.cos(angle), np.sin(angle)
        return ((x * c + y * s) / sx).astype(np.float32), ((y * c - x * s) / (sy or sx)).astype(np.float32)

    def lay(
        self,
        shape: Array,
        colour: Array | Sequence[float],
        relief: Array | float = 0.0,
        gloss: float = 0.25,
        emboss: bool = False,
        soft: float = 1.0,
    ) -> Array:
        """Covers the inside of `shape` with `colour` [3] or [S, S, 3], `relief` high; returns its mask 0..1.

        An embossed shape keeps what lies below as its ground; others stand in its place. Nothing is painted
        over twice at the edge: `soft` is the width of the edge in pixels.
        """
        mask = np.clip(0.5 - shape / (soft * self.px), 0, 1).astype(np.float32)
        self.rgb += mask[..., None] * (np.asarray(colour, np.float32) - self.rgb)
        self.height += mask * (relief if emboss else relief - self.height)
        self.gloss += mask * (gloss - self.gloss)
        self.alpha += mask - self.alpha * mask
        return mask

    def lit(self, light: Sequence[float] = (-0.5, -0.7, 0.75)) -> NDArray[np.uint8]:
        """The picture [S, S, 4], 8-bit RGBA, under a lamp in direction `light` (x, y, towards us)."""
        height = cv2.GaussianBlur(self.height, (0, 0), 0.8)
        dy, dx = np.gradient(height, self.px)
        normal = np.stack([-dx, -dy, np.ones_like(dx)], -1) / np.sqrt(dx**2 + dy**2 + 1)[..., None]
        lamp = np.asarray(light, np.float32) / np.linalg.norm(light)
        halfway = lamp + np.float32([0, 0, 1])
        halfway /= np.linalg.norm(halfway)
        shade = 0.42 + 0.72 * np.clip(normal @ lamp, 0, 1)
        shade *= 1 - 0.75 * np.clip(
            3 * (cv2.GaussianBlur(height, (0, 0), 4) - height), 0, 0.6
        )  # hollows are dark
        shine = self.gloss * np.clip(normal @ halfway, 0, 1) ** 28
        rgb = np.clip(self.rgb * shade[..., None] + shine[..., None], 0, 1)
        return (np.dstack([rgb, self.alpha]) * 255 + 0.5).astype(np.uint8)


def ball(x: Array, y: Array, a: float, b: float | None = None) -> Array:
    """The signed distance (near enough) of an ellipse of radii a, b."""
    b = b or a
    return ((np.hypot(x / a, y / b) - 1) * min(a, b)).astype(np.float32)


def box(x: Array, y: Array, a: float, b: float, corner: float = 0.0) -> Array:
    """A rectangle of half sides a, b with rounded corners."""
    u, v = np.abs(x) - a + corner, np.abs(y) - b + corner
    return np.hypot(np.maximum(u, 0), np.maximum(v, 0)) + np.minimum(np.maximum(u, v), 0) - corner


def limb(x: Array, y: Array, start: Sequence[float], end: Sequence[float], r0: float, r1: float) -> Array:
    """A capsule from `start` to `end`, its radius going from r0 to r1."""
    (ax, ay), (bx, by) = start, end
    dx, dy = bx - ax, by - ay
    t = np.clip(((x - ax) * dx + (y - ay) * dy) / max(dx * dx + dy * dy, 1e-6), 0, 1)
    return np.hypot(x - ax - t * dx, y - ay - t * dy) - (r0 + (r1 - r0) * t)


def tube(x: Array, y: Array, points: Array, radii: Array | float) -> tuple[Array, Array, Array]:
    """A tube along `points` [N, 2]: distance, place along it 0..1, and place across it -1..1."""
    radii = np.broadcast_to(np.asarray(radii, np.float32), (len(points),))
    best = np.full(x.shape, 9.0, np.float32)
    along, across = np.zeros_like(x), np.zeros_like(x)
    for i in range(len(points) - 1):
        (ax, ay), (dx, dy) = points[i], points[i + 1] - points[i]
        t = np.clip(((x - ax) * dx + (y - ay) * dy) / max(dx * dx + dy * dy, 1e-6), 0, 1)
        ox, oy = x - ax - t * dx, y - ay - t * dy
        radius = radii[i] + (radii[i + 1] - radii[i]) * t
        distance = np.hypot(ox, oy) - radius
        nearer = distance < best
        best = np.where(nearer, distance, best)
        along = np.where(nearer, (i + t) / (len(points) - 1), along)
        side = (ox * dy - oy * dx) / max(np.hypot(dx, dy), 1e-6) / np.maximum(radius, 1e-3)
        across = np.where(nearer, side, across)
    return best.astype(np.float32), along.astype(np.float32), across.astype(np.float32)


def polygon(canvas: Canvas, points: Array) -> Array:
    """The signed distance of a filled outline [N, 2]."""
    n = canvas.size * 2
    mask = np.zeros((n, n), np.uint8)
    cv2.fillPoly(mask, [np.round((points + 1) / 2 * n * 16).astype(np.int32)], 255, shift=4)
    distance = cv2.distanceTransform(255 - mask, cv2.DIST_L2, 3) - cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    return cv2.resize(distance, (canvas.size, canvas.size), interpolation=cv2.INTER_AREA) * (2 / n)


def dome(shape: Array, r: float) -> Array:
    """A rounded edge of radius r: height 0 at the rim of `shape`, r from r inwards."""
    inside = np.clip(-shape / r, 0, 1)
    return r * np.sqrt(inside * (2 - inside))


def noise(rng: Random, size: int, cells: float, octaves: int = 1) -> Array:
    """Smooth noise [size, size], about -1..1, `cells` bumps across; each further octave half as large."""
    total = np.zeros((size, size), np.float32)
    for octave in range(octaves):
        n = max(2, min(size, round(cells * 2**octave)))
        coarse = rng.standard_normal((n + 2, n + 2)).astype(np.float32)
        total += cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC) * 0.5**octave
    return total * 0.6


def hairs(rng: Random, direction: Array, length: int = 9) -> Array:
    """Fine noise combed along `direction` (radians): line integral convolution, about -1..1."""
    size = direction.shape[0]
    dx, dy = np.cos(direction).astype(np.float32), np.sin(direction).astype(np.float32)
    grain = rng.standard_normal(direction.shape).astype(np.float32)
    ys, xs = np.mgrid[:size, :size].astype(np.float32)
    total = np.zeros_like(grain)
    for _ in range(length):
        total += cv2.remap(grain, xs, ys, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        xs, ys = xs + dx, ys + dy
    return np.clip(total / np.sqrt(length) * 0.9, -2, 2)


def voronoi(x: Array, y: Array, sites: Array) -> tuple[Array, Array, NDArray[np.int64]]:
    """Distances to the nearest and second nearest of `sites` [N, 2], and which is nearest."""
    first = np.full(x.shape, 9.0, np.float32)
    second, which = first.copy(), np.zeros(x.shape, np.int64)
    for i, (cx, cy) in enumerate(sites):
        d = np.hypot(x - cx, y - cy)
        nearer = d < first
        second = np.where(nearer, first, np.minimum(second, d))
        which, first = np.where(nearer, i, which), np.where(nearer, d, first)
    return first, second, which


def rows(x: Array, y: Array, n: float) -> tuple[Array, Array, NDArray[np.int64], NDArray[np.int64]]:
    """Offset rows of n cells across: place in the cell (-.5..0.5 each way), its row and column."""
    v = y * n / 2
    row = np.floor(v)
    u = x * n / 2 + 0.5 * (row % 2)
    column = np.floor(u)
    return u - column - 0.5, v - row - 0.5, row.astype(np.int64), column.astype(np.int64)


def scatter(*cell: NDArray[np.int64]) -> Array:
    """A fixed random number 0..1 for every cell."""
    value = sum(c * f for c, f in zip(cell, (12.9898, 78.233, 37.719), strict=False))
    return (np.abs(np.sin(value) * 43758.5453) % 1).astype(np.float32)


def mix(a: Array | Sequence[float], b: Array | Sequence[float], t: Array | float) -> Array:
    """From colour a (t = 0) to colour b (t = 1), pixel by pixel."""
    a, b = np.asarray(a, np.float32), np.asarray(b, np.float32)
    t = np.clip(np.asarray(t, np.float32), 0, 1)[..., None]
    return a + (b - a) * t


def hsv(hue: float, saturation: float, value: float) -> Array:
    """RGB 0..1 of a hue in turns."""
    f = (np.array([5, 3, 1]) + hue * 6) % 6
    return (value - value * saturation * np.clip(np.minimum(f, 4 - f), 0, 1)).astype(np.float32)


def palette(k: Random, earthy: float = 0.35) -> list[Array]:
    """Base, second, accent and dark of a species; `earthy` is the share of species in fur and wood colours."""
    if k.random() < earthy:
        hue = k.uniform(0.03, 0.13)
        base = hsv(hue, k.uniform(0.25, 0.7), k.uniform(0.35, 0.8))
        second = hsv(hue + k.uniform(-0.03, 0.03), k.uniform(0.1, 0.5), k.uniform(0.6, 0.95))
    else:
        hue = k.random()
        base = hsv(hue, k.uniform(0.45, 0.85), k.uniform(0.4, 0.85))
        second = hsv(hue + k.choice([0.08, -0.1, 0.33, 0.5]), k.uniform(0.3, 0.8), k.uniform(0.5, 0.95))
    accent = hsv(hue + k.uniform(0.3, 0.7), k.uniform(0.6, 0.9), k.uniform(0.6, 0.95))
    return [base, second, accent, base * 0.3]


def eyeball(
    s: Canvas, cx: float, cy: float, r: float, iris: Array, pupil: float = 0.45, slit: float = 1.0,
    gaze: Sequence[float] = (0, 0), white: Sequence[float] = (0.93, 0.9, 0.85), share: float = 0.7,
) -> Array:  # fmt: skip
    """A glossy eye of radius r; `share` is how much of it the iris fills, `slit` the pupil's width to its height."""
    x, y = s.at(cx, cy, 0, r)
    whole = ball(x, y, 1) * r
    s.lay(whole - 0.12 * r, (0.08, 0.05, 0.05), 0.02 * r, emboss=True)
    s.lay(whole, white, dome(whole, r * 0.9) * 0.5, 0.8, emboss=True)
    u, v = x - gaze[0] * (1 - share), y - gaze[1] * (1 - share)
    angle, d = np.arctan2(v, u), np.hypot(u, v) / share
    streaks = 0.78 + 0.22 * np.sin(angle * 17 + 3 * np.sin(angle * 5)) + 0.35 * (d - 0.5)
    inside = np.maximum(whole, ball(u, v, share) * r)
    s.lay(
        inside,
        mix(iris * 0.25, mix(iris, np.sqrt(iris), 0.5) * streaks[..., None], (1 - d) * 7),
        gloss=0.9,
        emboss=True,
    )
    s.lay(
        np.maximum(whole, ball(u, v, share * pupil * slit, share * pupil) * r),
        (0.02, 0.02, 0.03),
        gloss=0.9,
        emboss=True,
    )
    s.lay(ball(x + 0.28, y + 0.34, 0.2) * r, (1.6, 1.6, 1.6), emboss=True)
    s.lay(ball(x - 0.3, y - 0.36, 0.1) * r, (1.1, 1.1, 1.15), emboss=True)
    return whole


def curve(points: Sequence[Sequence[float]], n: int = 24) -> Array:
    """A smooth line [n, 2] through the given points (Catmull-Rom)."""
    p = np.asarray(points, np.float32)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    at = np.linspace(0, len(p) - 3 - 1e-4, n)
    i, t = at.astype(int), (at % 1)[:, None]
    a, b, c, d = p[i], p[i + 1], p[i + 2], p[i + 3]
    return (
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    ).astype(np.float32)
