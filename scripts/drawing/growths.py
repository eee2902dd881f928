"""What grows: each function draws one individual on a canvas; k decides its species, v its pose."""

from __future__ import annotations

import numpy as np

from .canvas import Canvas, Random, ball, curve, dome, hairs, hsv, limb, mix, noise, palette, tube


def leaf(s: Canvas, k: Random, v: Random) -> None:
    base, second, accent, _dark = palette(k, 0.1)
    if k.random() < 0.5:
        base = hsv(k.uniform(0.2, 0.42), 0.7, k.uniform(0.4, 0.75))
    wide, lobes, depth, bend = (
        k.uniform(0.3, 0.6),
        k.uniform(3, 10),
        k.uniform(0, 0.12),
        v.uniform(-0.25, 0.25),
    )
    x = s.x - bend * (s.y**2 - 0.3)
    t = np.clip((s.y + 0.9) / 1.6, 0, 1)
    width = wide * np.abs(np.sin(np.pi * t**0.7)) ** 0.8 + depth * np.abs(np.sin(t * np.pi * lobes)) * (
        t < 0.98
    )
    shape = np.maximum(np.abs(x) - width, np.maximum(-s.y - 0.92, s.y - 0.72)) * 0.8
    side = np.abs(x) + (s.y * 0.9)
    vein = np.clip(1 - 5 * np.abs(((side * 4.5) % 1) - 0.5), 0, 1) * np.clip(np.abs(x) * 20, 0, 1)
    rib = np.clip(1 - np.abs(x) * 22, 0, 1)
    s.lay(limb(s.x, s.y, (bend * 0.2, 0.65), (bend * 0.5, 0.97), 0.04, 0.03), base * 0.6, 0.06)
    colour = mix(
        mix(base, second, np.abs(x) / wide * 0.8), accent * 0.5 + second * 0.5, np.maximum(vein * 0.6, rib)
    )
    s.lay(
        shape,
        colour * (0.95 + 0.08 * noise(v, s.size, 12))[..., None],
        dome(shape, 0.12) - 0.03 * vein + 0.06 * rib + 0.08 * np.abs(x),
        0.5,
    )


def flower(s: Canvas, k: Random, v: Random) -> None:
    base, second, accent, dark = palette(k, 0.0)
    n, layers, slim, heart = (
        int(k.integers(5, 13)),
        int(k.integers(1, 4)),
        k.uniform(0.14, 0.3),
        k.uniform(0.16, 0.3),
    )
    turn, tilt = v.uniform(0, 6), v.uniform(0.75, 1.0)
    for layer in range(layers):
        reach = 0.92 - 0.2 * layer
        for i in range(n):
            a = turn + 2 * np.pi * (i + 0.5 * layer) / n + v.uniform(-0.08, 0.08)
            x, y = s.at(0.5 * reach * np.cos(a), 0.5 * reach * np.sin(a) * tilt, a)
            petal = ball(x, y, 0.48 * reach, slim)
            streak = 0.5 + 0.5 * np.sin(y * 70)
            colour = mix(mix(second, base, x * 1.4 / reach + 0.5), dark, streak * 0.25 * (x < 0.2))
            s.lay(petal, colour, dome(petal, slim) * 0.6 + 0.05 * layer, 0.35)
    x, y = s.at(0, 0, 0, 1, tilt)
    u = np.sin(np.arctan2(y, x) * 13 + np.hypot(x, y) * 60) * np.sin(
        np.arctan2(y, x) * 8 - np.hypot(x, y) * 70
    )
    centre = ball(x, y, heart)
    s.lay(centre, mix(accent, dark, u), dome(centre, heart) * 0.7 + 0.25 + 0.05 * u, 0.4)


def mushroom(s: Canvas, k: Random, v: Random) -> None:
    base, second, _accent, dark = palette(k, 0.45)
    wide, flat, spots, lean = (
        k.uniform(0.6, 0.9),
        k.uniform(0.35, 0.7),
        int(k.integers(0, 12)),
        v.uniform(-0.2, 0.2),
    )
    cream = hsv(0.1, k.uniform(0.1, 0.3), 0.9)
    stem = limb(s.x, s.y, (0, 0.85), (lean, -0.05), 0.18, 0.13)
    s.lay(stem, cream * (0.9 + 0.1 * hairs(v, 0 * s.x + 1.5, 7))[..., None], dome(stem, 0.15))
    gills = ball(s.x - lean, s.y + 0.02, wide * 0.94, 0.15)
    s.lay(gills, mix(cream, dark, 0.5 + 0.5 * np.sin(np.arctan2(s.y + 0.5, s.x - lean) * 60)), 0.02)
    cap = np.maximum(
        ball(s.x - lean, s.y + 0.05, wide, flat + 0.2), s.y + 0.03 - 0.12 * np.abs(s.x - lean) ** 2
    )
    s.lay(cap, mix(base, second, np.abs(s.x - lean) / wide - s.y * 0.4 - 0.4), dome(cap, 0.45), 0.9)
    for _ in range(spots):
        a, r = v.uniform(-np.pi, 0), v.uniform(0.1, 0.8)
        x, y = s.at(lean + wide * r * np.cos(a), -0.1 + (flat + 0.1) * r * np.sin(a), 0, 1, 0.75)
        spot = np.maximum(ball(x, y, v.uniform(0.05, 0.11)), cap + 0.05)
        s.lay(spot, cream, 0.05, 0.3, emboss=True)


def tree(s: Canvas, k: Random, v: Random) -> None:
    base, second, _accent, _dark = palette(k, 0.1)
    bark, tall, spread, puff = (
        hsv(0.07, 0.5, k.uniform(0.25, 0.55)),
        k.uniform(0.3, 0.6),
        k.uniform(0.5, 0.9),
        k.uniform(0.16, 0.28),
    )
    trunk = np.minimum(
        limb(s.x, s.y, (0, 0.95), (0.05, 0.3 - tall * 0.4), 0.17, 0.1), ball(s.x, s.y - 0.95, 0.3, 0.1)
    )
    tips = []
    for i in range(6):
        a = -np.pi * (0.1 + 0.8 * i / 5) + v.uniform(-0.15, 0.15)
        tip = (spread * 0.75 * np.cos(a), -0.25 + 0.55 * np.sin(a))
        trunk = np.minimum(
            trunk,
            tube(s.x, s.y, curve([(0.03, 0.35), (0.3 * np.cos(a), 0.05), tip], 8), np.linspace(0.1, 0.03, 8))[
                0
            ],
        )
        tips += [tip, (tip[0] * 0.6, tip[1] * 0.8 - 0.1)]
    s.lay(trunk, bark * (0.9 + 0.25 * hairs(v, 0 * s.x + 1.5, 8))[..., None], dome(trunk, 0.12), 0.1)
    for cx, cy in sorted(tips, key=lambda tip: -tip[1]):
        x, y = s.at(cx + v.uniform(-0.06, 0.06), cy)
        crown = ball(x, y, puff * 1.15, puff) + 0.04 * noise(v, s.size, 22)
        light = np.clip(0.5 - y / puff * 0.5, 0, 1) + 0.4 * noise(v, s.size, 30)
        s.lay(
            crown,
            mix(base * 0.5, mix(base, second, k.random()), light),
            dome(crown, puff) * 0.8 + 0.03 * noise(v, s.size, 30),
            0.15,
        )


def coral(s: Canvas, k: Random, v: Random) -> None:
    base, second, _accent, _dark = palette(k, 0.0)
    fat, fork, knobs = k.uniform(0.07, 0.12), k.uniform(0.35, 0.65), k.uniform(20, 34)
    shape = np.full_like(s.x, 9)
    stack = [((0.0, 0.92), -np.pi / 2, 0.48, fat * 1.3, 0)]
    while stack:
        (px, py), a, length, r, depth = stack.pop()
        a += v.uniform(-0.2, 0.2)
        end = (px + length * np.cos(a), py + length * np.sin(a))
        shape = np.minimum(shape, limb(s.x, s.y, (px, py), end, r, r * 0.8))
        if depth < 3:
            stack += [(end, a + side * fork, length * 0.76, r * 0.82, depth + 1) for side in (-1, 1)]
    bump = noise(v, s.size, knobs)
    s.lay(
        shape,
        mix(mix(base, second, -s.y * 0.7 + 0.2), (1, 0.95, 0.9), np.clip(1 + shape * 16, 0, 1) * 0.5),
        dome(shape, fat) + 0.03 * bump,
        0.6,
    )


def anemone(s: Canvas, k: Random, v: Random) -> None:
    base, second, accent, dark = palette(k, 0.0)
    n, tip, curl = int(k.integers(18, 30)), k.uniform(0.03, 0.07), k.uniform(-0.8, 0.8)
    for ring, reach in ((0, 0.92), (1, 0.62)):
        for i in range(n - 6 * ring):
            a = 2 * np.pi * i / (n - 6 * ring) + v.uniform(-0.1, 0.1)
            b = a + curl * v.uniform(0.5, 1)
            r = reach * v.uniform(0.85, 1)
            line = curve(
                [
                    (0.2 * np.cos(a), 0.2 * np.sin(a)),
                    (0.6 * r * np.cos(a), 0.6 * r * np.sin(a)),
                    (r * np.cos((a + b) / 2), r * np.sin((a + b) / 2)),
                ],
                6,
            )
            shape, along, _ = tube(s.x, s.y, line, np.linspace(0.06, tip, 6))
            s.lay(shape, mix(base, second, along * 1.2), dome(shape, 0.06) + 0.1 * ring, 0.6)
            s.lay(
                ball(s.x - line[-1, 0], s.y - line[-1, 1], tip * 1.25),
                accent,
                dome(ball(s.x - line[-1, 0], s.y - line[-1, 1], tip * 1.25), tip) + 0.1 * ring,
                0.8,
            )
    mouth = ball(s.x, s.y, 0.22)
    s.lay(mouth, mix(dark, accent, np.hypot(s.x, s.y) * 4), 0.1 + 0.15 * np.hypot(s.x, s.y) * 4, 0.6)


def feather(s: Canvas, k: Random, v: Random) -> None:
    base, second, accent, _dark = palette(k, 0.3)
    wide, bands, kind, bend = k.uniform(0.22, 0.36), k.uniform(8, 20), k.integers(0, 3), v.uniform(-0.3, 0.3)
    x = s.x - bend * (s.y**2 - 0.4)
    t = np.clip((s.y + 0.95) / 1.5, 0, 1)
    barbs = np.abs(x) + s.y
    split = 0.05 * np.clip(noise(v, s.size, 5) - 0.5, 0, 1) * 8 * np.sin(barbs * 9)
    shape = (
        np.maximum(
            np.abs(x) - wide * np.abs(np.sin(np.pi * t**0.8)) ** 0.6 + np.abs(split),
            np.maximum(-s.y - 0.95, s.y - 0.56),
        )
        * 0.8
    )
    marks = [
        np.clip(2 * np.sin(barbs * bands), 0, 1),
        t**2 * 1.3,
        np.clip(3 - np.hypot(x * 2, s.y + 0.45) * 10, 0, 1),
    ][kind]
    comb = np.sin(barbs * 85)
    s.lay(
        shape,
        mix(mix(base, accent, marks), second, np.abs(x) * 1.5) * (0.87 + 0.13 * comb)[..., None],
        dome(shape, 0.15) + 0.012 * comb,
        0.5,
    )
    quill = np.maximum(np.abs(x) - 0.02 - 0.015 * t, np.maximum(-s.y - 0.85, s.y - 0.97))
    s.lay(quill, (0.9, 0.87, 0.78), dome(quill, 0.03) + 0.12, 0.5)


def shell(s: Canvas, k: Random, v: Random) -> None:
    """A scallop: a ribbed fan."""
    base, second, accent, _dark = palette(k, 0.3)
    ribs, rings, opening = k.uniform(9, 20), k.uniform(10, 30), k.uniform(0.95, 1.3)
    x, y = s.at(0, 0.72, v.uniform(-0.1, 0.1))
    d, a = np.hypot(x, y), np.arctan2(x, -y)
    rib = np.cos(a * ribs)
    s.lay(np.maximum(np.abs(x) - 0.3, np.abs(y + 0.02) - 0.14), base * 0.7, 0.1, 0.5)
    fan = np.maximum(d - 1.5 - 0.05 * rib + 0.25 * np.abs(a), (np.abs(a) - opening) * np.maximum(d, 0.05))
    growth = np.sin(d**1.5 * rings + noise(v, s.size, 3))
    s.lay(
        fan,
        mix(mix(base, second, 0.5 + 0.5 * growth), accent, 0.4 - 0.4 * rib) * (0.85 + 0.15 * rib)[..., None],
        dome(fan, 0.3) + 0.05 * rib + 0.012 * growth,
        0.8,
    )


def tentacle(s: Canvas, k: Random, v: Random) -> None:
    base, second, accent, dark = palette(k, 0.1)
    turns, fat, rows_ = k.uniform(1.1, 1.9), k.uniform(0.2, 0.28), k.uniform(50, 90)
    hand = v.choice([-1, 1])
    t = np.linspace(0, 1, 40)
    a = t * turns * 2 * np.pi + v.uniform(-0.3, 0.3)
    r = 0.72 * (1 - t) ** 0.9
    line = np.stack([hand * (r * np.cos(a) - 0.05), -r * np.sin(a) - 0.1], 1)
    line = np.concatenate([[[line[0, 0] - hand * 0.1, 0.97]], line]).astype(np.float32)
    shape, along, across = tube(s.x, s.y, line, np.linspace(fat, 0.04, 41))
    across = across * hand
    under = np.clip(4 * (-across - 0.05), 0, 1)
    ring = np.clip(1 - np.hypot(((along * rows_ / 2) % 1 - 0.5) * 2, (across + 0.5) * 2.2), 0, 1) ** 0.5
    blotch = np.clip(3 * noise(v, s.size, 12), 0, 1)
    skin = mix(mix(base, dark, blotch * 0.5), second, under)
    s.lay(
        shape,
        mix(skin, mix(second * 1.2, accent * 0.6, (ring > 0.75).astype(np.float32)), ring * 1.5),
        dome(shape, fat) + 0.09 * ring * (ring < 0.75),
        0.85,
    )


def peacock(s: Canvas, k: Random, v: Random) -> None:
    """The eye of a peacock's feather."""
    base, second, accent, dark = palette(k, 0.05)
    rings, slim = int(k.integers(3, 6)), k.uniform(0.6, 0.85)
    colours = [base, second, accent, hsv(k.random(), 0.8, 0.8), hsv(k.random(), 0.7, 0.9)]
    s.lay(limb(s.x, s.y, (0, 0.3), (v.uniform(-0.15, 0.15), 0.98), 0.035, 0.03), second * 0.7, 0.05)
    a = np.arctan2(s.y - 0.1, s.x)
    fray = 0.06 * np.sin(a * 47 + 2 * noise(v, s.size, 6)) * np.clip(0.6 - np.sin(a), 0, 1)
    comb = 0.85 + 0.15 * np.sin(a * 70)
    for i in range(rings):
        r = 0.92 * (1 - i / (rings + 0.6))
        shape = ball(s.x, s.y - 0.1 * i / rings, r * slim, r) + fray * (1 - i / rings)
        s.lay(shape, colours[i] * comb[..., None], dome(shape, 0.12) + 0.04 * i, 0.6)
    pupil = np.minimum(ball(s.x - 0.07, s.y - 0.08, 0.13, 0.16), ball(s.x + 0.07, s.y - 0.08, 0.13, 0.16))
    s.lay(pupil, dark * 0.5 + (0, 0, 0.12), dome(pupil, 0.12) + 0.3, 0.9)


def cactus(s: Canvas, k: Random, v: Random) -> None:
    base, _second, accent, _dark = palette(k, 0.0)
    base = hsv(k.uniform(0.2, 0.48), k.uniform(0.4, 0.8), k.uniform(0.35, 0.7))
    ribs, fat = k.uniform(18, 34), k.uniform(0.2, 0.34)
    arms = [curve([(0, 0.95), (0, 0.2), (v.uniform(-0.05, 0.05), -0.6)], 10)]
    for side in (-1, 1)[: int(k.integers(1, 3))]:
        y0 = v.uniform(-0.1, 0.45)
        arms.append(
            curve(
                [(0, y0), (side * 0.5, y0), (side * 0.62, y0 - 0.2), (side * 0.62, y0 - v.uniform(0.4, 0.7))],
                14,
            )
        )
    for i, line in enumerate(arms[::-1]):
        r = fat if i == len(arms) - 1 else fat * 0.6
        shape, along, across = tube(s.x, s.y, line, r)
        rib = np.cos(np.arcsin(np.clip(across, -1, 1)) * ribs / 4)
        spine = np.clip(6 * np.sin(along * 60) - 4.8, 0, 1) * (rib > 0.6)
        s.lay(
            shape,
            mix(mix(base * 0.6, base, 0.5 + 0.5 * rib), (0.95, 0.9, 0.75), spine),
            dome(shape, r) + 0.05 * rib,
            0.4,
        )
        if k.random() < 0.6:
            cx, cy = line[-1] + (0, -r * 0.9)
            d, a = np.hypot(s.x - cx, s.y - cy), np.arctan2(s.y - cy, s.x - cx)
            bloom = d - 0.13 * (1 + 0.35 * np.cos(a * 6))
            s.lay(bloom, mix((1.0, 0.9, 0.4), accent, d * 9), dome(bloom, 0.08) + 0.15, 0.4)
