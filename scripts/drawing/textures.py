"""What has no outline: each function fills the whole canvas; k decides the species, v the individual."""

from __future__ import annotations

import numpy as np

from .canvas import Array, Canvas, Random, hairs, mix, noise, palette, rows, scatter, voronoi


def fill(s: Canvas, colour: Array, relief: Array | float, gloss: float) -> None:
    s.lay(np.full_like(s.x, -9), colour, relief, gloss)


def fur(s: Canvas, k: Random, v: Random) -> None:
    base, second, _, dark = palette(k, 0.7)
    length, curl, patchy = int(k.integers(9, 18)), k.uniform(0.8, 2.5), k.uniform(2, 6)
    strands = hairs(v, curl * noise(v, s.size, 3) + v.uniform(0, 6), length)
    fill(
        s, mix(mix(base, second, noise(v, s.size, patchy)), dark, 0.25 - 0.5 * strands), 0.05 * strands, 0.35
    )


def scales(s: Canvas, k: Random, v: Random) -> None:
    base, second, accent, dark = palette(k, 0.15)
    n, keel = k.uniform(8, 16), k.uniform(0, 0.06)
    x, y = s.x + 0.06 * noise(v, s.size, 3), s.y + 0.06 * noise(v, s.size, 3)
    height, colour = np.full_like(x, -1), np.zeros((s.size, s.size, 3), np.float32)
    for shift in (0, 1):  # each row overlaps the one below
        u, w, row, column = rows(x, y + shift * 2 / n, n)
        w = w + shift
        d = np.hypot(u * 1.05, (w + 0.1) * 0.8)
        level = np.where(d < 0.62, 0.35 - 0.35 * w - d * d * 0.3, -1)
        tone = mix(
            mix(base, second, scatter(row - shift, column)), accent, np.clip(2 * noise(v, s.size, 3), 0, 0.8)
        )
        tone = mix(tone, dark, np.clip(d * 7 - 3.4, 0, 1))
        above = level > height
        colour, height = (
            np.where(above[..., None], tone, colour),
            np.where(above, level - keel * np.abs(u) * 6, height),
        )
    fill(s, colour, 0.22 * np.clip(height, -0.3, 1), 0.8)


def plumage(s: Canvas, k: Random, v: Random) -> None:
    """Overlapping small feathers, each with a rib and a coloured tip."""
    base, second, accent, dark = palette(k, 0.25)
    n, tip = k.uniform(5, 9), k.uniform(0.2, 0.45)
    x, y = s.x + 0.1 * noise(v, s.size, 2), s.y + 0.1 * noise(v, s.size, 2)
    height, colour = np.full_like(x, -1), np.zeros((s.size, s.size, 3), np.float32)
    for shift in (0, 1):
        u, w, row, column = rows(x, y + shift * 2 / n, n)
        w = w + shift
        d = np.hypot(u * 1.1, (w + 0.1) * 0.75)
        level = np.where(d < 0.6, 0.4 - 0.4 * w, -1)
        barb = np.sin((np.abs(u) * 1.2 + w) * 34)
        tone = (
            mix(mix(base, second, scatter(row - shift, column) * 0.7), accent, np.clip((d - tip) * 9, 0, 1))
            * (0.85 + 0.15 * barb)[..., None]
        )
        tone = mix(
            tone,
            dark,
            np.maximum(np.clip(1 - np.abs(u) * 16, 0, 1) * (w < 0.35), np.clip(d * 12 - 6.6, 0, 1)),
        )
        above = level > height
        colour, height = (
            np.where(above[..., None], tone, colour),
            np.where(above, level + 0.03 * barb, height),
        )
    fill(s, colour, 0.16 * np.clip(height, -0.2, 1), 0.35)


def honeycomb(s: Canvas, k: Random, v: Random) -> None:
    base, second, accent, dark = palette(k, 0.3)
    n, filled = k.uniform(6, 12), k.random()
    a = v.uniform(-0.3, 0.3)
    x, y = s.at(0, 0, a)
    best, row, column = np.full_like(x, 9), np.zeros(x.shape, np.int64), np.zeros(x.shape, np.int64)
    edge = np.full_like(x, 9)
    for odd in (0, 1):  # a hexagonal lattice is two rectangular ones
        u, w = x * n / 2 + 0.5 * odd, y * n / 2 / np.sqrt(3) + 0.5 * odd
        i, j = np.round(u), np.round(w)
        p, q = np.abs(u - i), np.abs((w - j) * np.sqrt(3))
        d = np.maximum(p, p * 0.5 + q * np.sqrt(3) / 2)
        row, column = (
            np.where(d < best, j * 2 + odd, row).astype(np.int64),
            np.where(d < best, i, column).astype(np.int64),
        )
        edge, best = np.where(d < best, d, edge), np.minimum(best, d)
    wall = np.clip((edge - 0.36) * 14, 0, 1)
    honey = scatter(row, column) < filled
    inside = mix(np.where(honey[..., None], accent, dark), second, 0.3 * noise(v, s.size, 6))
    fill(
        s,
        mix(inside, mix(base, second, edge), wall),
        0.1 * wall + np.where(honey, 0.06 * (1 - edge * 2), -0.08 * (1 - edge * 2)),
        0.8,
    )


def waves(s: Canvas, k: Random, v: Random) -> None:
    base, second, _accent, dark = palette(k, 0.0)
    n, steep = k.uniform(5, 9), k.uniform(0.5, 1.0)
    height, colour = np.zeros_like(s.x), np.tile(dark, (s.size, s.size, 1))
    for i in range(int(n * 1.3) + 1):
        y0 = -1.05 + 2.2 * i / n + 0.06 * noise(v, s.size, 3)
        crest = y0 - 0.13 * steep * np.abs(np.sin(s.x * v.uniform(3, 5) + v.uniform(0, 6))) ** 0.7
        depth = (s.y - crest) * n / 2
        tone = mix(mix(second, base, depth * 1.5), dark, depth * 0.9 - 0.2)
        tone = mix(tone, (0.95, 0.97, 1.0), np.clip(1 - depth * 9 + 0.8 * noise(v, s.size, 26), 0, 1))
        below = np.clip(depth * 20, 0, 1)
        colour, height = (
            mix(colour, tone, below),
            height + below * (0.14 * np.exp(-np.clip(depth, 0, 9) * 2) - height),
        )
    fill(s, colour, height, 0.8)


def brick(s: Canvas, k: Random, v: Random) -> None:
    base, second, accent, dark = palette(k, 0.5)
    n, long, mortar = k.uniform(7, 13), k.uniform(1.6, 2.6), mix(second, (0.7, 0.7, 0.65), k.random())
    x, y = s.x + 0.015 * noise(v, s.size, 10), s.y + 0.015 * noise(v, s.size, 10)
    row = np.floor(y * n / 2)
    u = x * n / 2 / long + 0.5 * (row % 2)
    column = np.floor(u)
    edge = np.minimum((0.5 - np.abs(u - column - 0.5)) * long, 0.5 - np.abs(y * n / 2 - row - 0.5))
    clay = mix(
        mix(base, accent * 0.7, 0.7 * scatter(row.astype(np.int64), column.astype(np.int64))),
        dark,
        0.3 * noise(v, s.size, 24, 2),
    )
    face = np.clip((edge - 0.06) * 9, 0, 1)
    fill(s, mix(mortar * 0.8, clay, face), 0.09 * face + 0.02 * noise(v, s.size, 30), 0.2)


def marbling(s: Canvas, k: Random, v: Random) -> None:
    base, second, accent, dark = palette(k, 0.15)
    folds, fine = k.uniform(2, 5), k.uniform(2.5, 4.5)
    field = folds * (noise(v, s.size, fine, 2) + 0.4 * s.x)
    band = field % 1
    tones = mix(mix(base, second, np.clip(band * 4 - 1, 0, 1)), accent, np.clip(band * 8 - 6, 0, 1))
    line = np.clip(1 - 9 * np.minimum(band, 1 - band), 0, 1)
    fill(s, mix(tones, dark, line), 0.06 * np.sin(field * 2 * np.pi), 0.7)


def cells(s: Canvas, k: Random, v: Random) -> None:
    base, second, accent, dark = palette(k, 0.1)
    n, nucleus = int(k.integers(20, 50)), k.random() < 0.7
    sites = v.uniform(-1.1, 1.1, (n, 2)).astype(np.float32)
    first, second_, which = voronoi(s.x, s.y, sites)
    edge = second_ - first
    wall = np.clip(1 - edge * 14, 0, 1)
    body = mix(mix(base, second, scatter(which)), accent, np.clip(0.6 - first * 5, 0, 0.7))
    if nucleus:
        body = mix(body, dark, np.clip((0.06 - first) * 40, 0, 1))
    fill(s, mix(body, mix(second, (1, 1, 1), 0.4), wall * 0.8), 0.16 * np.sqrt(np.clip(edge * 3, 0, 1)), 0.8)


def tiles(s: Canvas, k: Random, v: Random) -> None:
    """Glazed tiles, every one with the same ornament."""
    base, second, accent, dark = palette(k, 0.1)
    n, fold, kind = k.uniform(3, 6), int(k.choice([4, 6, 8])), k.integers(0, 3)
    x, y = s.at(v.uniform(-0.3, 0.3), v.uniform(-0.3, 0.3), v.choice([0, np.pi / 4]))
    u, w = (x * n / 2) % 1 - 0.5, (y * n / 2) % 1 - 0.5
    d, a = np.hypot(u, w), np.arctan2(w, u)
    star = (
        d
        - [
            0.28 + 0.12 * np.cos(a * fold),
            0.33 - 0.1 * np.abs(np.sin(a * fold / 2)),
            0.25 + 0.15 * np.abs(np.cos(a * 2)),
        ][kind]
    )
    edge = 0.5 - np.maximum(np.abs(u), np.abs(w))
    glaze = mix(
        mix(accent, base, np.clip(star * 25, 0, 1)), second, np.clip(1 - np.abs(star - 0.06) * 40, 0, 1)
    )
    glaze = mix(glaze, second * 0.8, np.clip((0.11 - d) * 30, 0, 1))
    face = np.clip(edge * 18, 0, 1)
    fill(
        s,
        mix(dark, glaze * (0.92 + 0.1 * noise(v, s.size, 5))[..., None], face),
        0.08 * face - 0.04 * np.clip(star * 20, -1, 1),
        0.9,
    )


def bark(s: Canvas, k: Random, v: Random) -> None:
    """Grain and knots of wood."""
    base, second, _, dark = palette(k, 0.75)
    fine, knots = k.uniform(5, 11), int(k.integers(0, 4))
    x = s.x + 0.1 * noise(v, s.size, 3)
    for _ in range(knots):
        cx, cy = v.uniform(-0.8, 0.8, 2)
        d = np.hypot((s.x - cx) * 1.4, (s.y - cy) * 0.7)
        x = x + 0.3 * np.sign(s.x - cx) * np.exp(-d * 7)
    grain = np.sin(x * fine * 4 + noise(v, s.size, 3)) + 0.5 * np.sin(x * fine * 9 + 2 * noise(v, s.size, 4))
    strands = hairs(v, np.pi / 2 + 0.3 * noise(v, s.size, 3), 14)
    fill(
        s,
        mix(mix(base, second, 0.4 + 0.3 * grain), dark, 0.2 - 0.3 * strands - 0.2 * grain),
        0.06 * grain + 0.03 * strands,
        0.15,
    )
