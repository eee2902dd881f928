"""Buildings: each function draws one individual on a canvas; k decides its species, v its pose."""

from __future__ import annotations

import numpy as np

from .canvas import Canvas, Random, ball, box, dome, hsv, limb, mix, noise, palette, scatter


def arch(s: Canvas, k: Random, v: Random) -> None:
    """An arcade: stone arches on columns, dark within."""
    base, second, accent, dark = palette(k, 0.6)
    n, point, stones = int(k.integers(1, 4)), k.uniform(0, 0.5), k.uniform(9, 18)
    step = 1.9 / n
    wall = box(s.x, s.y, 0.95, 0.95)
    row = np.floor(s.y * 7)
    column = np.floor(s.x * 4 + 0.5 * (row % 2))
    joint = np.maximum(np.abs((s.y * 7) % 1 - 0.5), np.abs((s.x * 4 + 0.5 * (row % 2)) % 1 - 0.5)) > 0.44
    stone = mix(
        base,
        second,
        0.5 * scatter(row.astype(np.int64), column.astype(np.int64)) + 0.3 * noise(v, s.size, 20),
    )
    s.lay(wall, stone * np.where(joint, 0.6, 1.0)[..., None], dome(wall, 0.1) + 0.05 * ~joint)
    for i in range(n):
        cx = -0.95 + step * (i + 0.5) + v.uniform(-0.02, 0.02)
        r, top = step * 0.33, -0.25 + 0.2 * point
        x, y = np.abs(s.x - cx), s.y - top
        bow = np.where(y < 0, np.hypot(x + point * r, y) - r * (1 + point), x - r)
        a = np.arctan2(-y, x + point * r)
        wedge = np.sin(a * stones) * (y < 0) + np.sin(y * stones * 1.4) * (y >= 0)
        s.lay(
            bow - 0.13 * step - 0.03,
            mix(second, accent, 0.5 + 0.3 * np.sign(wedge)),
            0.16 + 0.02 * np.sign(wedge),
            0.4,
        )
        inside = np.maximum(bow, s.y - 0.97)
        s.lay(inside, mix(dark * 0.3, dark * 0.8 + accent * 0.1, s.y + 0.3), -0.2, 0.0)
        s.lay(box(x - r - 0.03, s.y - top, 0.09 * step + 0.05, 0.05), second * 1.1, 0.22, 0.4)
    s.lay(box(s.x, s.y + 0.88, 0.97, 0.08), second, 0.2, 0.4)


def pagoda(s: Canvas, k: Random, v: Random) -> None:
    base, second, accent, dark = palette(k, 0.1)
    floors, flare, wide = int(k.integers(3, 6)), k.uniform(0.1, 0.22), k.uniform(0.55, 0.7)
    tall = 1.55 / floors
    lean = v.uniform(-0.04, 0.04)
    s.lay(limb(s.x, s.y, (lean, -0.7), (lean * 1.5, -0.97), 0.03, 0.01), hsv(0.13, 0.7, 0.9), 0.05, 0.9)
    for i in range(floors):
        y0, half = 0.9 - tall * i, wide * (1 - 0.62 * i / floors)
        x = s.x - lean * i
        wall = box(x, s.y - y0 + tall * 0.45, half * 0.7, tall * 0.5)
        posts = np.abs(np.sin(x / half * 7.5)) < 0.35
        panel = mix(
            second,
            dark * 0.6,
            ((np.abs(np.sin(x / half * 7.5)) > 0.6) & (np.abs(s.y - y0 + tall * 0.28) < tall * 0.16)).astype(
                np.float32
            ),
        )
        s.lay(
            wall,
            mix(panel, base * 0.8, posts.astype(np.float32)),
            0.12 + 0.05 * np.cos(x / half * 1.5) + 0.05 * posts,
            0.2,
        )
        t = np.clip(np.abs(x) / (half + 0.22), 0, 1)
        top, bottom = y0 - tall * 0.98 + 0.62 * tall * t**0.8 - flare * t**4, y0 - tall * 0.5 - flare * t**3
        eaves = np.maximum(np.maximum(top - s.y, s.y - bottom), np.abs(x) - half - 0.22)
        tiles = np.cos(x / (0.35 + 0.65 * (s.y - y0 + tall)) * 40)
        s.lay(eaves, mix(base, accent, 0.3 + 0.3 * tiles), 0.2 + dome(eaves, 0.1) + 0.03 * tiles, 0.6)
        s.lay(np.maximum(eaves, bottom - s.y - 0.035), accent, 0.3, 0.7)


def castle(s: Canvas, k: Random, v: Random) -> None:
    """Towers with pointed roofs and lit windows."""
    base, second, accent, dark = palette(k, 0.5)
    roof, n, lamp = mix(accent, base, 0.2), int(k.integers(2, 5)), hsv(0.12, 0.6, 1.0)
    order = v.permutation(n)
    for j in order:
        cx = (j - (n - 1) / 2) * 1.4 / n
        half, top = (
            0.62 / n + 0.05,
            -0.2 - 0.3 * scatter(np.array([int(j) + 3 * n])).item() + v.uniform(-0.08, 0.08),
        )
        x = s.x - cx
        row = np.floor(s.y * 11)
        bricks = scatter(row.astype(np.int64), np.floor(x * 11 + 0.5 * (row % 2)).astype(np.int64))
        wall = box(x, s.y - (0.95 + top) / 2, half, (0.95 - top) / 2)
        round_ = np.sqrt(np.clip(1 - (x / half) ** 2, 0, 1)) * half
        s.lay(wall, mix(base, second, 0.6 * bricks), round_ + 0.02 * bricks, 0.15)
        for i, y0 in enumerate(np.arange(top + 0.2, 0.8, 0.3)):
            window = np.minimum(box(x, s.y - y0, half * 0.25, 0.07), ball(x, s.y - y0 + 0.07, half * 0.25))
            s.lay(window - 0.02, dark, -0.02, emboss=True)
            s.lay(window, lamp if (i + j) % 2 else dark * 0.6, 0.0, 0.5, emboss=True)
        cone = np.maximum(np.abs(x) - (half + 0.08) * (s.y - top + 0.55) / 0.55, s.y - top) * 0.8
        s.lay(
            cone,
            roof * (0.85 + 0.15 * np.sin(s.y * 60))[..., None],
            np.clip(half - np.abs(x), 0, 1) * 1.2 + 0.1,
            0.6,
        )
        s.lay(
            np.minimum(
                limb(s.x, s.y, (cx, top - 0.5), (cx, top - 0.68), 0.012, 0.008),
                ball(x, s.y - top + 0.52, 0.03),
            ),
            accent,
            0.2,
            0.8,
        )


def bridge(s: Canvas, k: Random, v: Random) -> None:
    base, second, accent, _dark = palette(k, 0.4)
    spans, high, hang = int(k.integers(1, 4)), k.uniform(-0.1, 0.15), k.random() < 0.4
    step, arc = 1.96 / spans, v.uniform(0.0, 0.12)
    deck = s.y - high + arc * np.cos(s.x * 1.5)
    if hang:
        for i in range(spans + 1):
            post = box(s.x + 0.98 - step * i, s.y - 0.05, 0.06, 0.9)
            s.lay(post, base, dome(post, 0.06) + 0.1, 0.4)
        u = (s.x + 0.98) % step / step * 2 - 1
        cable = high - 0.1 - 0.65 * u**2
        lines = np.maximum(
            np.minimum(
                np.abs(s.y - cable) - 0.025,
                np.maximum(np.abs((s.x * 12) % 1 - 0.5) / 12 - 0.01, np.maximum(cable - s.y, deck)),
            ),
            np.abs(s.x) - 0.98,
        )
        s.lay(lines, second, 0.1, 0.7)
        s.lay(np.maximum(np.abs(deck) - 0.07, np.abs(s.x) - 0.98), base * 0.8, 0.15, 0.5)
        return
    u = np.abs((s.x + 0.98) % step - step / 2)
    hole = np.hypot(u / (step * 0.4), np.maximum(0.95 - s.y, 0) / (0.95 - high - 0.18)) - 1
    wall = np.maximum(np.maximum(-deck, -hole * 0.4), np.maximum(np.abs(s.x) - 0.98, s.y - 0.95))
    row = np.floor(s.y * 10)
    stones = scatter(row.astype(np.int64), np.floor(s.x * 8 + 0.5 * (row % 2)).astype(np.int64))
    s.lay(wall, mix(base, second, 0.7 * stones), dome(wall, 0.08) + 0.04 * stones, 0.2)
    rail = np.maximum(np.abs(deck + 0.08) - 0.09, np.abs(s.x) - 0.98)
    s.lay(rail, mix(second, accent, np.cos(s.x * 40)), 0.18 + 0.03 * np.cos(s.x * 40), 0.3)
    s.lay(np.maximum(np.abs(hole) * 0.35 - 0.035, wall - 0.03), accent * 0.8, 0.14, 0.3)
