"""The near shore of the demo's lake: rows of grass, with stones and flowers, painted on a canvas [3, h, w]."""

from __future__ import annotations

import numpy as np

from pipeline.scene.canvas import Canvas, Colour, mix
from pipeline.scene.noise import fractal, smoothstep

ROWS = 26
PETALS: list[Colour] = [(226, 120, 96), (232, 196, 110), (206, 150, 196), (236, 218, 190)]


def meadow(canvas: Canvas, shore: float, sun: float, seed: int) -> None:
    """Rows from the shore (a height) toward us, each taller than the last; the sun stands over x = `sun`."""
    for row in range(ROWS):
        near = row / (ROWS - 1)
        foot, tall = shore + 0.022 + 0.46 * near**1.6, 0.014 + 0.075 * near
        # Each row reaches under the lowest dip of the next; the last covers whatever is left of the plate.
        bottom = foot + 0.02 + 0.08 * near if row < ROWS - 1 else np.inf
        band = canvas.rows(foot - 1.6 * tall, bottom)
        if band.pixels.size == 0:
            continue
        grass(band, foot, tall, sun, (seed, 200 + 10 * row))
        if row in (1, 4, 9):
            stones(band, foot, tall, (seed, 205 + 10 * row))
        if row % 2:
            flowers(band, foot, tall, (seed, 207 + 10 * row))


def grass(canvas: Canvas, foot: float, tall: float, sun: float, seed: tuple[int, int]) -> None:
    """Blades standing at `foot`, mostly lower than `tall`: a spiky line, drawn out upward and bent by the wind."""
    x = canvas.x
    field, number = seed
    ground = foot + 0.25 * tall * fractal(x, 0, cell=12 * tall, finest=tall, seed=(field, 100))
    wind = fractal(x, 0, cell=6 * tall, finest=tall, seed=(field, number + 1))
    above = ground - canvas.y
    bent = x - (0.18 + 0.12 * wind) * above - 2 * np.square(above)
    blades = fractal(bent, 0.08 * above, cell=0.32 * tall, finest=canvas.finest, seed=seed, gain=0.8)
    tops = tall * np.clip(0.52 + 0.30 * blades + 0.12 * wind, 0.05, 1.8)
    height = np.clip(above / tall, -0.5, 1.2)
    sunlight = np.exp(-np.square((x - sun) / 0.7))
    lit = np.clip(0.20 + (0.42 + 0.22 * sunlight) * height + 0.14 * blades, 0, 1)
    withered = smoothstep(0.0, 1.6, fractal(x / tall, foot / tall, cell=20, finest=2, seed=(field, 101)))
    colour = mix(mix((34, 50, 46), (166, 164, 82), lit), mix((58, 48, 54), (214, 154, 104), lit), withered)
    canvas.lay(colour, smoothstep(-0.08 * tall, 0.08 * tall, tops - above))


def stones(canvas: Canvas, foot: float, tall: float, seed: tuple[int, int]) -> None:
    """Boulders here and there along a row, lit from the right."""
    rng = np.random.default_rng(seed)
    for place in rng.uniform(-1.6, 1.6, 7):
        broad = tall * rng.uniform(0.6, 1.7)
        spot = canvas.columns(place - 1.5 * broad, place + 1.5 * broad)
        if spot.pixels.size == 0:
            continue
        rough = fractal(spot.x, spot.y, cell=tall, finest=spot.finest, seed=seed, gain=0.65)
        right, up = (spot.x - place) / broad, (foot - spot.y) / (0.62 * broad)
        inside = 1 - np.hypot(right, up) - 0.07 * rough
        lit = np.clip(0.36 + 0.34 * right + 0.30 * up + 0.16 * rough, 0, 1)
        edge = 1.2 * spot.finest / broad
        spot.lay(mix((54, 52, 68), (236, 190, 152), lit), smoothstep(-edge, edge, inside) * (up > -0.6))


def flowers(canvas: Canvas, foot: float, tall: float, seed: tuple[int, int]) -> None:
    """Small heads among the tips of a row of grass, in a few drifts."""
    rng = np.random.default_rng(seed)
    drifts = rng.uniform(-1.4, 1.4, 4)
    for _ in range(45):
        place = float(rng.choice(drifts) + 0.12 * rng.standard_normal())
        middle, size = foot - tall * rng.uniform(0.35, 1.05), tall * rng.uniform(0.045, 0.10)
        petals = PETALS[rng.integers(len(PETALS))]
        spot = canvas.columns(place - 2 * size, place + 2 * size)
        away = np.hypot(spot.x - place, 1.25 * (spot.y - middle))
        spot.lay(petals, 0.9 * smoothstep(-0.7 * spot.finest, 0.7 * spot.finest, size - away))
