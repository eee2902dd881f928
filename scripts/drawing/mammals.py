"""Heads of mammals: each function draws one individual on a canvas; k decides its species, v its pose."""

from __future__ import annotations

import numpy as np

from .canvas import (
    Array,
    Canvas,
    Random,
    ball,
    curve,
    dome,
    eyeball,
    hairs,
    hsv,
    mix,
    noise,
    palette,
    polygon,
    tube,
)
from .faces import Head, fur_of


def muzzle(s: Canvas, see: Head, v: Random, colour: Array, size: float, nose: Array, tongue: bool) -> None:
    """A snout with a wet nose, a mouth, and perhaps a tongue."""
    cx, cy, _ = see(0, 0.42, 1.0)
    x, y = s.at(cx, cy, 0, size)
    snout = ball(x, y, 1, 0.85) * size
    s.lay(
        snout,
        colour * (0.92 + 0.1 * hairs(v, np.arctan2(y, x), 5))[..., None],
        dome(snout, size) * 0.7,
        emboss=True,
    )
    if tongue:
        s.lay(ball(x - 0.1, y - 0.95, 0.33, 0.55) * size, (0.9, 0.35, 0.4), 0.05, 0.5, emboss=True)
    for side in (-1, 1):
        smile = curve([(0, 0), (0, 0.3), (side * 0.3, 0.58), (side * 0.62, 0.4)], 12)
        s.lay(tube(x, y, smile, 0.06)[0] * size, colour * 0.15, -0.03, emboss=True)
    snub = np.maximum(ball(x, y + 0.4, 0.46, 0.33), -ball(x, y + 1.1, 0.3)) * size
    s.lay(snub, nose, dome(snub, 0.12), 0.9, emboss=True)
    for side in (-1, 1):
        s.lay(ball(x - side * 0.2, y + 0.34, 0.1, 0.07) * size, nose * 0.2, emboss=True)


def dog(s: Canvas, k: Random, v: Random) -> None:
    base, second, _, dark = palette(k, 0.75)
    flop, size, patch, tongue = k.random() < 0.6, k.uniform(0.36, 0.5), k.integers(0, 3), k.random() < 0.5
    iris, see = hsv(k.choice([0.07, 0.08, 0.57]), 0.7, 0.6), Head(v)
    for side in (-1, 1):
        ax, ay, narrow = see(side * 0.85, -0.45, 0.85)
        tip = (side * 0.92, 0.35 + v.uniform(-0.1, 0.15)) if flop else (ax + side * 0.12, -0.95)
        ear = polygon(
            s,
            curve(
                [
                    (ax - 0.28 * narrow, ay - 0.1),
                    tip,
                    (ax + 0.26 * narrow, ay + 0.25),
                    (ax - 0.28 * narrow, ay - 0.1),
                ],
                20,
            ),
        )
        s.lay(ear, base * (0.55 + 0.1 * hairs(v, s.x * 0 + 1.4, 7))[..., None], dome(ear, 0.15))
    skull = np.minimum(ball(s.x, s.y + 0.15, 0.66, 0.68), ball(s.x - see.yaw * 0.4, s.y - 0.35, 0.5, 0.5))
    blaze = (
        np.clip(1.5 - np.abs(s.x - see.yaw * 0.7) * 7, 0, 1)
        if patch == 1
        else np.clip(noise(v, s.size, 3) * 3, 0, 1) * (patch == 2)
    )
    s.lay(skull, fur_of(s, v, base, second, blaze, (see.yaw * 0.8, 0.1)), dome(skull, 0.5))
    for side in (-1, 1):
        cx, cy, narrow = see(side * 0.48, -0.2)
        eyeball(s, cx, cy, 0.155 * (0.5 + 0.5 * narrow), iris, 0.6, gaze=(see.yaw * 0.5, 0.1), share=0.9)
    muzzle(s, see, v, second, size, dark * 0.5 + 0.03, tongue)


def cat(s: Canvas, k: Random, v: Random) -> None:
    base, second, _, dark = palette(k, 0.6)
    iris, stripes, mane = (
        hsv(k.choice([0.12, 0.2, 0.3, 0.52, 0.6]), 0.85, 0.9),
        k.choice([0, 9, 14]),
        k.random() < 0.25,
    )
    see = Head(v, 0.4)
    if mane:
        x, y = s.at(0, 0)
        ruff = ball(x, y, 0.96) + 0.05 * np.sin(np.arctan2(y, x) * 19 + v.uniform(0, 6))
        s.lay(ruff, fur_of(s, v, base * 0.55, second * 0.6, noise(v, s.size, 6), (0, 0)), dome(ruff, 0.3))
    for side in (-1, 1):
        ax, ay, narrow = see(side * 0.6, -0.5, 0.75)
        for scale, colour in ((1.0, base * 0.8), (0.6, np.array([0.85, 0.55, 0.5], np.float32))):
            outline = np.array([[-0.3, 0.3], [0.3, 0.3], [side * 0.22, -0.42]]) * scale * (narrow, 1) + (
                ax,
                ay - 0.05,
            )
            ear = polygon(s, outline)
            s.lay(ear, colour, dome(ear, 0.1), emboss=scale < 1)
    skull = np.minimum(ball(s.x, s.y + 0.02, 0.7, 0.6), ball(s.x, s.y - 0.25, 0.62, 0.45))
    tabby = (
        np.clip(2 * np.sin(np.abs(s.x - see.yaw * 0.6) * stripes - s.y * 6) * (s.y < -0.05), 0, 1)
        if stripes
        else 0.0
    )
    s.lay(skull, fur_of(s, v, base, dark + 0.1, tabby, (see.yaw * 0.8, 0.15)), dome(skull, 0.5))
    for side in (-1, 1):
        cx, cy, narrow = see(side * 0.5, -0.12)
        eyeball(
            s,
            cx,
            cy,
            0.2 * (0.5 + 0.5 * narrow),
            iris,
            v.uniform(0.6, 0.8),
            v.uniform(0.2, 0.6),
            (see.yaw * 0.4, 0),
            share=0.95,
        )
    muzzle(s, see, v, second, 0.26, np.array([0.85, 0.45, 0.45], np.float32), False)
    cx, cy, _ = see(0, 0.45)
    for side in (-1, 1):
        for tilt in (-0.12, 0.02, 0.16):
            whisker = curve(
                [(cx + side * 0.15, cy), (cx + side * 0.5, cy + tilt), (cx + side * 0.85, cy + tilt * 2.2)], 6
            )
            s.lay(tube(s.x, s.y, whisker, 0.008)[0], (0.95, 0.95, 0.9), 0.1, emboss=True)


def monkey(s: Canvas, k: Random, v: Random) -> None:
    base, second, accent, dark = palette(k, 0.7)
    skin = mix(accent, second, k.random())
    see = Head(v, 0.45)
    for side in (-1, 1):
        cx, cy, _ = see(side * 1.2, -0.02, 0.82)
        for r, colour in ((0.26, base * 0.8), (0.16, skin * 0.8)):
            s.lay(ball(s.x - cx, s.y - cy, r), colour, dome(ball(s.x - cx, s.y - cy, r), 0.1), emboss=r < 0.2)
    skull = np.minimum(ball(s.x, s.y + 0.15, 0.72, 0.75), ball(s.x, s.y - 0.4, 0.55, 0.5)) + 0.02 * noise(
        v, s.size, 24
    )
    s.lay(skull, fur_of(s, v, base, dark, noise(v, s.size, 4), (0, 0)), dome(skull, 0.4))
    cx, cy, _ = see(0, 0.2, 0.7)
    face = np.minimum(ball(s.x - cx, s.y - cy + 0.3, 0.52, 0.34), ball(s.x - cx, s.y - cy - 0.15, 0.42, 0.46))
    s.lay(face, skin, dome(face, 0.3) * 0.6, emboss=True)
    for side in (-1, 1):
        ex, ey, narrow = see(side * 0.33, -0.14)
        s.lay(ball(s.x - ex, s.y - ey, 0.2, 0.17), skin * 0.55, -0.03, emboss=True)
        eyeball(
            s, ex, ey, 0.13 * (0.5 + 0.5 * narrow), hsv(0.07, 0.8, 0.5), 0.5, gaze=(see.yaw, 0), share=0.8
        )
    mx, my, _ = see(0, 0.5, 0.9)
    lips = ball(s.x - mx, s.y - my, 0.36, 0.27)
    s.lay(lips, mix(skin, second, 0.4), dome(lips, 0.25) * 0.8, emboss=True)
    for side in (-1, 1):
        s.lay(ball(s.x - mx - side * 0.08, s.y - my + 0.2, 0.055, 0.04), dark * 0.4, emboss=True)
    smile = curve([(mx - 0.25, my), (mx, my + 0.08 + v.uniform(-0.04, 0.08)), (mx + 0.25, my)], 10)
    s.lay(tube(s.x, s.y, smile, 0.025)[0], dark * 0.5, -0.03, emboss=True)


def bear(s: Canvas, k: Random, v: Random) -> None:
    """A round, shaggy head: bears and pandas."""
    base, second, _, dark = palette(k, 0.7)
    panda, see = k.random() < 0.35, Head(v)
    coat = np.array([0.92, 0.9, 0.86], np.float32) if panda else base
    for side in (-1, 1):
        cx, cy, _ = see(side * 0.9, -0.75, 0.85)
        for r, colour in ((0.27, dark if panda else base * 0.8), (0.16, second * 0.6)):
            s.lay(
                ball(s.x - cx, s.y - cy, r), colour, dome(ball(s.x - cx, s.y - cy, r), 0.12), emboss=r < 0.2
            )
    skull = ball(s.x, s.y - 0.05, 0.85, 0.78) + 0.025 * noise(v, s.size, 26)
    s.lay(skull, fur_of(s, v, coat, coat * 0.6, noise(v, s.size, 5), (see.yaw * 0.6, 0.2)), dome(skull, 0.6))
    for side in (-1, 1):
        cx, cy, narrow = see(side * 0.42, -0.15)
        if panda:
            s.lay(
                ball(*s.at(cx, cy + 0.03, side * 0.6, 0.17 * narrow + 0.03, 0.25), 1) * 0.2, dark, emboss=True
            )
        eyeball(
            s, cx, cy, 0.12 * (0.5 + 0.5 * narrow), hsv(0.07, 0.8, 0.4), 0.6, gaze=(see.yaw, 0), share=0.95
        )
    muzzle(s, see, v, second, 0.36, dark * 0.4 + 0.03, False)
