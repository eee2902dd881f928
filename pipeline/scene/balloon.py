"""What drifts in front of the demo: a hot-air balloon. A canvas [4, h, w] and a seed in, cut out on it.

The unit is the scene's; the middle of the balloon, basket and all, is at (0, 0).
"""

from __future__ import annotations

import numpy as np

from pipeline.scene.canvas import Canvas, Colour, mix, planes
from pipeline.scene.noise import Field, fractal, smoothstep

HALF = complex(0.275, 0.375)
"""Half its width and half its height, with a little room around."""

CROWN, MOUTH = -0.36, 0.205
"""Top and bottom of the envelope."""

WIDEST = 0.265
GORES = 20
"""Strips of cloth all the way round: half of them face us."""

CLOTH: list[Colour] = [(206, 66, 58), (238, 214, 172), (222, 150, 62), (44, 104, 122)]
BELT: tuple[Colour, Colour] = (52, 56, 100), (240, 206, 140)
BELT_HEIGHT = 0.47
"""From crown (0) to mouth (1)."""

SHADE: Colour = (0.36, 0.34, 0.46)
"""What the unlit cloth keeps of each colour."""


def balloon(canvas: Canvas, seed: int) -> None:
    """Draw the balloon and its basket on a canvas."""
    basket(canvas, seed)
    envelope(canvas.rows(CROWN - 0.02, MOUTH + 0.02), seed)


def outline(y: Field) -> Field:
    """Half the envelope's width at each height: half an ellipse, then a taper to the mouth."""
    v = np.clip((y - CROWN) / (MOUTH - CROWN), 0, 1)
    shoulder = 0.43
    dome = np.sqrt(np.clip(1 - np.square(1 - v / shoulder), 0, 1))
    taper = 0.15 + 0.85 * np.cos(np.pi / 2 * np.clip((v - shoulder) / (1 - shoulder), 0, 1))
    half: Field = (WIDEST * np.where(v < shoulder, dome, taper)).astype(np.float32)
    return half


def envelope(canvas: Canvas, seed: int) -> None:
    """Draw the balloon's stripes and band on a canvas."""
    x, y = canvas.x, canvas.y
    half = np.maximum(outline(y), 1e-4)
    slope = (outline(y + 1e-3) - outline(y - 1e-3)) / 2e-3
    v = (y - CROWN) / (MOUTH - CROWN)
    longitude = np.arcsin(np.clip(x / half, -1, 1))
    gore = (longitude / (2 * np.pi) * GORES + 0.27) % GORES
    within = 2 * (gore % 1) - 1

    colours = np.array(CLOTH, np.float32)[gore.astype(int) % len(CLOTH)].transpose(2, 0, 1)
    along = v - BELT_HEIGHT
    belt = smoothstep(0.085, 0.078, np.abs(along))
    teeth = smoothstep(-0.007, 0.007, along - 0.048 * (1 - 2 * np.abs(within)))
    colours = mix(colours, mix(BELT[1], BELT[0], teeth), belt)

    # Each gore bulges between its seams, so it carries its own small light and shade.
    bulged = longitude + 0.28 * within * np.cos(longitude)
    lean = 1 / np.hypot(1, slope)
    facing = lean * (0.62 * np.sin(bulged) + 0.66 * np.cos(bulged)) + 0.42 * slope * lean
    folds = fractal(3 * longitude, 0.7 * v, cell=0.5, finest=8 * canvas.finest, seed=(seed, 300))
    weave = fractal(x, y, cell=0.02, finest=canvas.finest, seed=(seed, 301), gain=0.8)
    lit = smoothstep(-0.75, 1.1, facing + 0.06 * folds + 0.05 * weave)
    seams = np.exp(-np.square((1 - np.abs(within)) / 0.07)) + 0.6 * np.exp(
        -np.square((v * 13 % 1 - 0.5) / 0.035)
    )
    colours = mix(planes(SHADE) * colours, colours, lit - 0.25 * seams)
    colours = mix(colours, (255, 214, 150), 0.30 * smoothstep(0.45, 1.05, facing))
    colours = mix(colours, (255, 190, 110), 0.55 * smoothstep(0.80, 1.0, v) * np.cos(longitude))

    distance = (half - np.abs(x)) / np.hypot(1, slope)
    distance = np.minimum(distance, np.minimum(y - CROWN, MOUTH - y))
    canvas.lay(colours, edge(distance, canvas))


def basket(canvas: Canvas, seed: int) -> None:
    """Ropes from the mouth, a rim, and wicker."""
    x, y = canvas.x, canvas.y
    top, bottom, half = 0.265, 0.345, 0.055
    down = np.clip((y - MOUTH) / (top - MOUTH), 0, 1)
    for side in (-1.0, -0.36, 0.36, 1.0):
        rope = side * (0.036 + (half - 0.040) * down)
        taut = np.minimum(0.0028 - np.abs(x - rope), np.minimum(y - MOUTH + 0.03, top - y))
        canvas.lay((92, 66, 58), edge(taut, canvas))

    inset = half - 0.06 * (y - top)
    wicker = np.sin(x * 560) * np.sin(y * 620 + np.pi * (np.floor(x * 560 / np.pi) % 2))
    rough = fractal(x, y, cell=0.03, finest=canvas.finest, seed=(seed, 310), gain=0.7)
    lit = np.clip(0.42 + 5.5 * x + 0.20 * wicker + 0.08 * rough, 0, 1)
    body = np.minimum(inset - np.abs(x), np.minimum(y - top, bottom - y))
    canvas.lay(mix((74, 48, 44), (222, 160, 98), lit), edge(body, canvas))
    rim = np.minimum(half + 0.006 - np.abs(x), 0.008 - np.abs(y - top))
    canvas.lay(mix((58, 36, 36), (180, 110, 76), np.clip(0.5 + 7 * x, 0, 1)), edge(rim, canvas))


def edge(inside: Field, canvas: Canvas) -> Field:
    """Coverage 0..1 from the distance to an outline, positive inside; one pixel of the view wide."""
    soft = 0.4 * canvas.finest
    return smoothstep(-soft, soft, inside)
