"""What is made, or moves: each function draws one individual on a canvas; k decides its species, v its pose."""

from __future__ import annotations

import numpy as np

from .canvas import Canvas, Random, ball, box, curve, dome, hsv, mix, noise, palette, polygon, tube


def spiral(s: Canvas, k: Random, v: Random) -> None:
    base, second, accent, _dark = palette(k, 0.2)
    arms, turns, hand, log = int(k.integers(1, 5)), k.uniform(2, 4), v.choice([-1, 1]), k.random() < 0.5
    d, a = np.hypot(s.x, s.y), np.arctan2(s.y, s.x)
    radius = np.log(d + 0.06) * 0.6 if log else d
    wave = np.cos(2 * np.pi * turns * radius * 1.3 + hand * arms * a + v.uniform(0, 6))
    disc = ball(s.x, s.y, 0.95)
    s.lay(
        disc,
        mix(mix(base, second, 0.5 + wave), accent, np.clip(1 - 3 * np.abs(wave), 0, 1) * 0.6),
        dome(disc, 0.25) + 0.07 * wave,
        0.7,
    )


def mandala(s: Canvas, k: Random, v: Random) -> None:
    base, second, accent, dark = palette(k, 0.1)
    n, rings, turn = int(k.integers(5, 13)), int(k.integers(3, 6)), v.uniform(0, 6)
    kinds = k.integers(0, 3, rings)
    d, a = np.hypot(s.x, s.y), np.arctan2(s.y, s.x) + turn
    disc = ball(s.x, s.y, 0.95)
    s.lay(disc, dark, dome(disc, 0.1), 0.5)
    colours = [base, second, accent]
    for i in range(rings):
        mid, half = 0.9 * (rings - i - 0.5) / rings, 0.45 / rings
        spoke = np.cos(a * n * (2 if kinds[i] == 1 else 1) + np.pi * i)
        petal = [
            np.abs(d - mid) - half * (0.35 + 0.6 * spoke),
            np.hypot((d - mid) * 1.2, (1 - spoke) * half * 1.3) - half * 0.7,
            np.abs(d - mid - 0.4 * half * spoke) - half * 0.35,
        ][kinds[i]]
        s.lay(petal, colours[i % 3], dome(petal, 0.05) + 0.05, 0.6, emboss=True)
    s.lay(ball(s.x, s.y, 0.1), accent, dome(ball(s.x, s.y, 0.1), 0.1), 0.8, emboss=True)


def web(s: Canvas, k: Random, v: Random) -> None:
    base, second, _, dark = palette(k, 0.2)
    spokes, rings, sag = int(k.integers(8, 16)), k.uniform(6, 11), k.uniform(0.1, 0.3)
    cx, cy = v.uniform(-0.2, 0.2, 2)
    x, y = s.x - cx, s.y - cy
    d, a = np.hypot(x, y), np.arctan2(y, x) + 0.12 * noise(v, s.size, 3)
    disc = ball(s.x, s.y, 0.96)
    s.lay(disc, mix(dark * 0.6, base * 0.5, d), 0.02, 0.2)
    spoke = np.abs(np.sin(a * spokes / 2)) * d * 2 / spokes
    ring = np.abs(((d * (1 - sag * np.abs(np.sin(a * spokes / 2))) * rings) % 1) - 0.5) / rings
    thread = np.maximum(np.minimum(spoke - 0.014, ring - 0.012), disc)
    s.lay(thread, mix(second * 1.2, (1, 1, 1), 0.6), dome(thread, 0.03) + 0.06, 0.9, emboss=True)
    drops = np.maximum(np.hypot(ring, np.abs((a * spokes * 1.5) % 1 - 0.5) * d * 0.3) - 0.022, disc)
    s.lay(drops, (0.9, 0.95, 1.0), dome(drops, 0.03) + 0.05, 1.0, emboss=True)


def gear(s: Canvas, k: Random, v: Random) -> None:
    base, second, _accent, dark = palette(k, 0.5)
    teeth, depth, holes, hub = (
        int(k.integers(8, 16)),
        k.uniform(0.1, 0.2),
        int(k.integers(3, 7)),
        k.uniform(0.12, 0.22),
    )
    d, a = np.hypot(s.x, s.y), np.arctan2(s.y, s.x) + v.uniform(0, 6)
    tooth = np.clip(np.cos(a * teeth) * 2.5, -1, 1)
    rim = np.maximum(d - 0.85 - depth * 0.5 * tooth, 0.6 - d)
    spoke = np.maximum(np.abs(np.sin(a * holes / 2)) * d * 2 / holes - 0.07, d - 0.65)
    plate = np.minimum(np.minimum(rim, spoke), d - hub - 0.1)
    plate = np.maximum(plate, 0.08 - d)
    rust = np.clip(noise(v, s.size, 7, 3), 0, 1)
    groove = np.clip(1 - 20 * np.abs(d - 0.72), 0, 1)
    s.lay(
        plate,
        mix(mix(base, second, 0.3 + 0.2 * tooth), dark + 0.1, rust * 0.6 + 0.5 * groove),
        dome(plate, 0.06) - 0.03 * groove,
        0.9,
    )


def wheel(s: Canvas, k: Random, v: Random) -> None:
    base, second, accent, dark = palette(k, 0.4)
    spokes, fat, hub = int(k.integers(6, 18)), k.uniform(0.1, 0.2), k.uniform(0.1, 0.18)
    d, a = np.hypot(s.x, s.y), np.arctan2(s.y, s.x) + v.uniform(0, 6)
    s.lay(d - 0.8, dark * 0.4, 0.0, 0.1)
    bar = np.maximum(np.abs(np.sin(a * spokes / 2)) * d * 2 / spokes - 0.03, d - 0.85)
    s.lay(bar, second, dome(bar, 0.03) + 0.05, 0.8)
    tyre = np.abs(d - 0.95 + fat) - fat
    tread = np.sin(a * 60) * (d > 0.95 - fat)
    s.lay(tyre, mix(dark + 0.05, base * 0.5, 0.5 + 0.5 * tread), dome(tyre, fat) + 0.02 * tread, 0.4)
    rim = np.abs(d - 0.93 + 2 * fat) - 0.045
    s.lay(rim, base, dome(rim, 0.04) + 0.1, 0.9)
    s.lay(d - hub, accent, dome(d - hub, hub) + 0.1, 0.9)


def car(s: Canvas, k: Random, v: Random) -> None:
    base, second, _accent, dark = palette(k, 0.05)
    roof, nose, boot, high = (
        k.uniform(-0.55, -0.35),
        k.uniform(0.4, 0.65),
        k.uniform(-0.7, -0.5),
        k.uniform(-0.05, 0.08),
    )
    cabin = polygon(
        s,
        curve(
            [
                (boot, high),
                (boot + 0.25, roof),
                (0.15, roof),
                (nose - 0.05, high),
                (0.0, high + 0.1),
                (boot, high),
            ],
            24,
        ),
    )
    s.lay(cabin, base * 0.8, dome(cabin, 0.15), 0.9)
    glass = np.maximum(cabin + 0.07, -np.minimum(0.9, np.abs(s.x + 0.05) - 0.035))
    s.lay(
        glass, mix((0.75, 0.88, 0.95), (0.15, 0.2, 0.28), s.y * 3 + 1.3 + 0.3 * s.x), 0.02, 1.0, emboss=True
    )
    body = np.minimum(box(s.x, s.y - 0.18, 0.92, 0.2, 0.14), box(s.x - 0.1, s.y - 0.12, 0.75, 0.2, 0.12))
    s.lay(body, mix(base * 1.1, base * 0.6, s.y * 3 - 0.2), dome(body, 0.18), 1.0)
    s.lay(box(s.x, s.y - 0.2, 0.88, 0.02), second, 0.03, 0.9, emboss=True)
    s.lay(box(s.x + 0.1, s.y - 0.08, 0.06, 0.015), dark, 0.03, 0.8, emboss=True)
    lamp = ball(s.x - 0.84, s.y - 0.12, 0.08, 0.09)
    s.lay(lamp, (1.0, 0.95, 0.7), dome(lamp, 0.08), 1.0, emboss=True)
    s.lay(box(s.x + 0.87, s.y - 0.12, 0.04, 0.07), (0.85, 0.1, 0.08), 0.03, 0.9, emboss=True)
    for cx in (-0.52, 0.52):
        d = np.hypot(s.x - cx, s.y - 0.38)
        a = np.arctan2(s.y - 0.38, s.x - cx) + v.uniform(0, 3)
        s.lay(d - 0.27, dark * 0.3, 0.02)
        s.lay(d - 0.23, (0.1, 0.1, 0.11), dome(d - 0.23, 0.1), 0.4)
        s.lay(
            d - 0.13, mix((0.8, 0.8, 0.82), (0.3, 0.3, 0.33), np.cos(a * 5)), dome(d - 0.13, 0.06) + 0.1, 1.0
        )


def knot(s: Canvas, k: Random, v: Random) -> None:
    base, _second, accent, _dark = palette(k, 0.2)
    p, q = [(2, 3), (2, 5), (3, 4), (3, 5), (2, 7)][k.integers(0, 5)]
    fat, bands, t = k.uniform(0.08, 0.13), k.uniform(3, 9), np.linspace(0, 2 * np.pi, 121)
    r = 0.58 + 0.27 * np.cos(q * t)
    a = p * t + v.uniform(0, 6)
    x, y, z = r * np.cos(a), r * np.sin(a) * v.uniform(0.8, 1), np.sin(q * t)
    for i in np.argsort((z[:-4:4] + z[4::4]) / 2):
        j = slice(4 * i, 4 * i + 5)
        shape, along, across = tube(s.x, s.y, np.stack([x[j], y[j]], 1).astype(np.float32), fat)
        shape = np.maximum(shape, -(s.x * 0 + 1))
        colour = mix(base, accent, 0.5 + 0.5 * np.sin((i + along) / 30 * 2 * np.pi * bands + across * 2))
        s.lay(shape, colour, dome(shape, fat) * 1.3 + 0.12 * (z[4 * i] + 1), 0.9)


def flame(s: Canvas, k: Random, v: Random) -> None:
    hue = k.choice([0.02, 0.05, 0.08, k.random()])
    layers = [
        hsv(hue, 0.95, 0.75),
        hsv(hue + 0.04, 0.95, 0.95),
        hsv(hue + 0.09, 0.75, 1.0),
        hsv(hue + 0.13, 0.3, 1.0),
    ]
    tongues, slim = int(k.integers(2, 5)), k.uniform(0.28, 0.42)
    swirl = noise(v, s.size, 3, 2)
    x = s.x + 0.22 * swirl * np.clip(0.9 - s.y, 0, 1.4)
    for i, colour in enumerate(layers):
        shape = np.full_like(s.x, 9)
        for j in range(tongues):
            cx, top = (j - (tongues - 1) / 2) * 0.9 / tongues, v.uniform(0.5, 1.0) * (1 - 0.22 * i)
            t = np.clip((0.85 - s.y) / (0.85 + top), 0, 1)
            shape = np.minimum(
                shape,
                (
                    np.abs(x - cx * (1 - 0.3 * t))
                    - slim * (1 - 0.22 * i) * np.sqrt(t * 4 + 0.04) * (1 - t) ** 0.8
                )
                * 0.8,
            )
        shape = np.maximum(shape, s.y - 0.88 + 0.06 * i)
        s.lay(shape, colour * 1.15, dome(shape, 0.15) * 0.5 + 0.04 * i, 0.2, soft=3)


def bubbles(s: Canvas, k: Random, v: Random) -> None:
    base, second, accent, _dark = palette(k, 0.0)
    n, biggest = int(k.integers(5, 14)), k.uniform(0.3, 0.5)
    for i in range(n):
        r = biggest * v.uniform(0.3, 1) * (1 - 0.5 * i / n)
        cx, cy = v.uniform(-0.9 + r, 0.9 - r, 2)
        x, y = s.at(cx, cy, 0, r)
        d = np.hypot(x, y)
        film = mix(
            mix(base * 0.5, second, d**2),
            mix(accent, base, 0.5 + 0.5 * np.sin(np.arctan2(y, x) * 2 + d * 7)),
            d**3,
        )
        s.lay(ball(x, y, 1) * r, film, dome(ball(x, y, 1) * r, r) * 0.9, 1.0)
        s.lay(np.maximum(np.abs(d - 0.78) - 0.06, (x + y) * 0.8 + 0.5) * r, (1.4, 1.4, 1.4), emboss=True)
        s.lay(ball(x - 0.35, y - 0.4, 0.14) * r, (1.1, 1.1, 1.1), emboss=True)
