"""The demo's background: a mountain lake at dusk. A canvas [3, h, w] and a seed in, painted back to front.

The unit is the height of the view: its top edge is y = 0, its bottom edge y = 1, its middle x = 0.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike

from pipeline.scene.canvas import Canvas, Colour, Planes, mix
from pipeline.scene.meadow import meadow
from pipeline.scene.noise import Field, fractal, moved, smoothstep

WATERLINE = 0.600
SHORE = 0.735
SUN = (0.42, 0.47)
GOLD: Colour = (250, 214, 150)

SKY: list[tuple[float, Colour]] = [
    (-0.30, (40, 62, 112)),
    (0.00, (56, 84, 136)),
    (0.18, (100, 116, 160)),
    (0.34, (176, 144, 160)),
    (0.46, (226, 168, 136)),
    (0.56, (238, 192, 136)),
]
"""Height and colour, from overhead to the horizon."""


def landscape(canvas: Canvas, seed: int) -> None:
    """Draw sky, mountains, lake and shore on a canvas."""
    sky = canvas.rows(-np.inf, WATERLINE)
    heavens(sky, seed)
    clouds(sky, seed)
    mountains(canvas, seed)
    lake(canvas, seed)
    meadow(canvas, SHORE, SUN[0], seed)


def heavens(canvas: Canvas, seed: int) -> None:
    """Draw the sky on a canvas."""
    x, y = canvas.x, canvas.y
    drift = 0.02 * fractal(x, 3 * y, cell=0.8, finest=0.05, seed=(seed, 10))
    heights, colours = zip(*SKY, strict=True)
    for plane, values in zip(canvas.pixels, zip(*colours, strict=True), strict=True):
        plane[:] = np.interp(y + drift, heights, values)
    canvas.lay(GOLD, 0.75 * np.exp(-4.0 * np.hypot((x - SUN[0]) / 1.3, (y - SUN[1]) / 0.8)))


def clouds(canvas: Canvas, seed: int) -> None:
    """Two decks in perspective, the upper one thin and the lower one broken, lit from where the sun sets."""
    x, y = canvas.x, canvas.y
    far = 1 / (0.30 + np.maximum(WATERLINE - y, 0))
    near_sun = 0.35 * np.exp(-3 * np.abs(x - SUN[0]))
    decks: list[tuple[float, float, float, float, Colour, Colour]] = [
        # height, size, thinnest and thickest to show, shade, light
        (0.0, 0.55, 0.1, 1.9, (150, 132, 164), (240, 190, 160)),
        (4.0, 0.95, 0.0, 1.3, (98, 92, 136), (244, 180, 140)),
    ]
    for deck, (height, size, thin, thick, shade, light) in enumerate(decks):
        across, along = x * far, 2.2 * far + height
        swirl = fractal(across, along, cell=size, finest=4 * canvas.finest, seed=(seed, 21 + 3 * deck))
        across, along = across + 0.16 * swirl, along + 0.05 * swirl
        cloud = fractal(across, along, cell=size, finest=canvas.finest, seed=(seed, 20 + 3 * deck), gain=0.55)
        sunward = moved(cloud, 0.018 / canvas.pitch, 0.014 / canvas.pitch)
        lit = smoothstep(-0.9, 1.1, cloud - sunward + near_sun)
        canvas.lay(mix(shade, light, lit), 0.92 * smoothstep(thin, thick, cloud))


def mountains(canvas: Canvas, seed: int) -> None:
    """Ranges from far to near, the far one in snow and with the most air in front, and firs at their feet."""
    ranges: list[tuple[float, float, float, Colour, Colour, float]] = [
        # crest, height, width of a peak, shade, light, air
        (0.400, 0.075, 0.62, (92, 92, 142), (226, 164, 150), 0.45),
        (0.475, 0.050, 0.40, (66, 80, 116), (198, 142, 124), 0.25),
        (0.535, 0.030, 0.30, (46, 70, 84), (150, 126, 92), 0.10),
    ]
    for number, (crest, height, peak, shade, light, air) in enumerate(ranges):
        band = canvas.rows(crest - 3.5 * height, WATERLINE + 0.004)
        x, y = band.x, band.y
        ridge = fractal(x, 0, cell=peak, finest=band.finest, seed=(seed, 40 + number), gain=0.45)
        depth = y - crest + height * (1.1 - 1.5 * np.abs(ridge))
        relief = gullies(band, depth, peak, (seed, 50 + number))
        rock = fractal(x, 1.6 * y, cell=0.05, finest=band.finest, seed=(seed, 60 + number), gain=0.7)
        lit = np.clip(0.42 + 0.9 * relief + 0.10 * rock, 0, 1)
        slope = mix(shade, light, lit)
        if number == 0:
            snow = smoothstep(0.2, 0.9, 1.3 - 14 * depth + 0.5 * rock + 1.2 * relief)
            slope = mix(slope, mix((150, 146, 186), (244, 206, 186), lit), snow)
        haze = air * np.clip((y - crest + height) / (WATERLINE - crest), 0, 1) ** 1.5
        edge = 0.6 * band.finest
        band.lay(mix(slope, (226, 178, 156), haze), smoothstep(-edge, edge, depth))
    forest(canvas.rows(0.50, WATERLINE + 0.004), seed)


def gullies(canvas: Canvas, depth: ArrayLike, peak: float, seed: tuple[int, int]) -> Field:
    """How far a slope turns to the sun, about -1..1: creases that run downhill, seen in light from the right."""
    field, number = seed
    wander = fractal(canvas.x, depth, cell=peak / 4, finest=4 * canvas.finest, seed=(field, number + 20))
    across, down = canvas.x + 0.03 * peak * wander, 0.35 * np.asarray(depth)
    height = -np.abs(fractal(across, down, cell=peak / 6, finest=canvas.finest, seed=seed, gain=0.62))
    apart = 0.006 / canvas.pitch
    return moved(height, -apart, 0) - moved(height, apart, 0)


def forest(canvas: Canvas, seed: int) -> None:
    """Firs along the far shore, three lines of them, one to a cell."""
    x, y = canvas.x, canvas.y
    cell, count = 0.018, 4096
    lines: list[tuple[float, float, Colour, Colour]] = [
        # foot, tallest, shade, light
        (0.592, 0.050, (58, 76, 84), (114, 110, 92)),
        (0.597, 0.042, (44, 64, 66), (100, 98, 74)),
        (0.601, 0.036, (36, 54, 50), (92, 88, 58)),
    ]
    for number, (foot, tallest, shade, light) in enumerate(lines):
        rng = np.random.default_rng((seed, 90 + number))
        talls, places = rng.uniform(0.35, 1, count), rng.uniform(0.3, 0.7, count)
        grove = np.clip(
            0.75 + 0.4 * fractal(x, 0, cell=0.35, finest=0.05, seed=(seed, 95 + number)), 0.15, 1.3
        )
        cover = np.zeros(canvas.pixels.shape[1:], np.float32)
        for neighbour in (-1, 0, 1):
            fir = np.floor(x / cell).astype(int) + neighbour
            tall = (tallest * talls[fir % count] * grove).astype(np.float32)
            below = y - foot + tall
            boughs = 0.19 * (0.75 + 0.35 * (7 * below / tall % 1))
            aside = np.abs(x - (fir + places[fir % count]).astype(np.float32) * cell)
            cover = np.maximum(
                cover, np.clip(0.5 + (below * boughs - aside) / canvas.finest, 0, 1) * (below > 0)
            )
        needles = fractal(x, y, cell=0.012, finest=canvas.finest, seed=(seed, 98 + number), gain=0.7)
        canvas.lay(mix(shade, light, smoothstep(0.0, 1.8, needles)), cover)


def lake(canvas: Canvas, seed: int) -> None:
    """The land and the sky above it, mirrored in a swell that widens toward us, and the sun's path on it."""
    water = canvas.rows(WATERLINE, SHORE + 0.06)
    x, y = water.x, water.y
    below = y - WATERLINE
    far = 1 / (below + 0.035)
    swell = fractal(0.5 * x * far, 3.2 * far, cell=1.0, finest=12 * water.finest, seed=(seed, 70), gain=0.6)
    away = (0.25 * below + 0.001) * swell
    water.pixels[:] = 0.86 * mirrored(canvas, x + 0.1 * below * swell, WATERLINE - below - away)
    water.lay((46, 78, 96), 0.45 * smoothstep(0, SHORE + 0.06 - WATERLINE, below))
    path = np.exp(-np.square((x - SUN[0]) / (0.10 + 1.2 * below)))
    water.lay(GOLD, 0.7 * path * smoothstep(0.9, 2.0, swell))
    water.lay((238, 196, 160), 0.55 * np.exp(-np.square(below / 0.004 - 1)))


def mirrored(canvas: Canvas, x: Field, y: Field) -> Planes:
    """[3, h, w]: what is painted at the points (x, y), reflected at the canvas's edges."""
    across, down = (x - canvas.left) / canvas.pitch, (y - canvas.top) / canvas.pitch
    across, down = across.astype(np.float32), down.astype(np.float32)
    return np.stack(
        [
            cv2.remap(plane, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
            for plane in canvas.pixels
        ]
    )
