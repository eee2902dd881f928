"""Animals without a spine: each function draws one individual on a canvas; k decides its species, v its pose."""

from __future__ import annotations

import numpy as np

from .canvas import (
    Canvas,
    Random,
    ball,
    curve,
    dome,
    eyeball,
    hairs,
    hsv,
    limb,
    mix,
    noise,
    palette,
    rows,
    tube,
)


def butterfly(s: Canvas, k: Random, v: Random) -> None:
    base, second, accent, dark = palette(k, 0.1)
    lobes, spots, veins, tips = (
        k.uniform(0.6, 1.0),
        int(k.integers(1, 4)),
        k.uniform(12, 22),
        k.uniform(0, 0.3),
    )
    spread = v.uniform(0.75, 1.0)
    x = np.abs(s.x) / spread
    upper = np.minimum(ball(*s.at(0, 0), 0.01), 9) * 0 + ball(
        (x - 0.5) * 0.9 + (s.y + 0.4) * 0.35, (s.y + 0.4) - (x - 0.5) * 0.35, 0.46, 0.42
    )
    lower = ball((x - 0.38) + (s.y - 0.45) * -0.3, (s.y - 0.45), 0.36, 0.42 * lobes + 0.05)
    for shape, (cx, cy), tint in ((lower, (0.42, 0.48), second), (upper, (0.58, -0.42), base)):
        d, angle = np.hypot(x, s.y), np.arctan2(s.y, x)
        rim = np.clip(1 + shape * 9, 0, 1)
        vein = np.clip(1 - 6 * np.abs(np.sin(angle * veins / 2)) * d, 0, 1)
        colour = mix(mix(tint, accent, np.clip(1.2 - d * 1.6, 0, 1)), dark, np.maximum(rim, vein * 0.8))
        s.lay(shape, colour, dome(shape, 0.08) + 0.02 * vein, 0.4)
        dots = np.maximum(shape + 0.02, np.hypot((angle * 14) % 1 - 0.5, (shape + 0.06) * 14) * 0.07 - 0.018)
        s.lay(dots, (0.95, 0.95, 0.9), emboss=True)
        for i in range(spots):
            for r, c in ((0.15, dark), (0.12, second), (0.08, accent), (0.045, dark * 0.5)):
                s.lay(
                    ball(x - cx + i * 0.22, s.y - cy - i * 0.05, r * (1 - 0.3 * i)), c, 0.01, 0.7, emboss=True
                )
    body = ball(s.x, s.y - 0.05, 0.07, 0.5)
    s.lay(body, mix(dark, base, 0.5 + 0.5 * np.sin(s.y * 40)), dome(body, 0.07) + 0.1, 0.5)
    for side in (-1, 1):
        feeler = curve([(0, -0.45), (side * 0.12, -0.7), (side * (0.25 + tips), -0.9)], 8)
        s.lay(tube(s.x, s.y, feeler, np.linspace(0.012, 0.03, 8))[0], dark, 0.05)
        eyeball(s, side * 0.05, -0.45, 0.05, accent, 0.7, share=0.9)


def beetle(s: Canvas, k: Random, v: Random) -> None:
    base, second, accent, dark = palette(k, 0.15)
    spots, ribs, horn, wide = (
        k.random() < 0.5,
        k.choice([0.0, 40.0]),
        k.uniform(0, 0.25),
        k.uniform(0.42, 0.55),
    )
    for side in (-1, 1):
        for y0 in (-0.3, 0.05, 0.4):
            swing = v.uniform(-0.12, 0.12)
            knee, foot = (side * 0.72, y0 * 1.2 + swing - 0.05), (side * 0.88, y0 * 1.5 + swing + 0.22)
            leg = np.minimum(
                limb(s.x, s.y, (side * 0.3, y0), knee, 0.06, 0.045), limb(s.x, s.y, knee, foot, 0.045, 0.02)
            )
            s.lay(leg, dark, dome(leg, 0.04), 0.7)
        horns = curve([(side * 0.1, -0.72), (side * 0.28, -0.85), (side * (0.2 - horn * 0.5), -0.97)], 8)
        s.lay(tube(s.x, s.y, horns, np.linspace(0.04, 0.015, 8))[0], dark, 0.08, 0.7)
    head, chest = ball(s.x, s.y + 0.65, 0.2, 0.17), ball(s.x, s.y + 0.42, 0.36, 0.23)
    s.lay(head, dark + 0.08, dome(head, 0.15), 0.9)
    s.lay(chest, mix(second, dark, np.clip(noise(v, s.size, 7), 0, 1)), dome(chest, 0.2) + 0.05, 0.9)
    shell = ball(s.x, s.y - 0.22, wide, 0.62)
    marks = (
        np.clip(4 * np.cos(s.x * 14) * np.cos((s.y - 0.1) * 10) - 1, 0, 1)
        if spots
        else np.clip(s.y * 2 + noise(v, s.size, 3), 0, 1) * 0.7
    )
    seam = np.clip(np.abs(s.x) * 30, 0, 1)
    grooves = np.sin(s.x * ribs) * 0.012 if ribs else 0.0
    s.lay(shell, mix(dark, mix(base, accent, marks), seam), dome(shell, 0.45) + 0.04 * seam + grooves, 1.0)
    for side in (-1, 1):
        eyeball(s, side * 0.15, -0.7, 0.06, accent, 0.7, share=0.95)


def spider(s: Canvas, k: Random, v: Random) -> None:
    base, second, accent, dark = palette(k, 0.45)
    stripes, fat = k.uniform(8, 22), k.uniform(0.3, 0.42)
    for side in (-1, 1):
        for i in range(4):
            a = -0.9 + 0.6 * i + v.uniform(-0.15, 0.15)
            knee = (side * (0.12 + 0.5 * np.cos(a)), 0.5 * np.sin(a) - 0.2)
            foot = (side * (0.1 + 0.9 * np.cos(a * 0.85)), 0.95 * np.sin(a * 1.05) + 0.05)
            for p, q, r0, r1 in (((side * 0.1, -0.1), knee, 0.07, 0.05), (knee, foot, 0.05, 0.015)):
                leg = limb(s.x, s.y, p, q, r0, r1)
                ring = 0.5 + 0.5 * np.sin(np.hypot(s.x, s.y) * stripes * 2)
                s.lay(leg, mix(dark, base, ring), dome(leg, 0.05) + 0.05, 0.5)
    belly = ball(s.x, s.y - 0.4, fat, fat * 1.15)
    figure = np.clip(3 * np.sin(np.hypot(s.x * 2, s.y - 0.4) * stripes), 0, 1)
    s.lay(
        belly,
        mix(base, accent, figure) * (0.85 + 0.2 * hairs(v, s.x + 1.5, 6))[..., None],
        dome(belly, 0.3),
        0.6,
    )
    chest = ball(s.x, s.y + 0.12, 0.25, 0.26)
    s.lay(chest, base * 0.8, dome(chest, 0.2), 0.6)
    for i in range(6):
        eyeball(s, (i % 3 - 1) * 0.11, -0.27 + 0.09 * (i // 3), 0.055, second, 0.8, share=0.95)


def caterpillar(s: Canvas, k: Random, v: Random) -> None:
    base, second, accent, dark = palette(k, 0.1)
    n, bristles, wave = int(k.integers(7, 11)), k.uniform(0.05, 0.22), v.uniform(0.15, 0.4)
    phase = v.uniform(0, 3)
    for i in range(n):
        t = i / (n - 1)
        cx, cy = -0.75 + 1.4 * t, wave * np.sin(t * 6 + phase) + 0.1
        for a in (-1.9, -1.57, -1.2, 1.3, 1.8):
            length = 0.2 + (bristles if a < 0 else 0.05)
            s.lay(
                limb(
                    s.x,
                    s.y,
                    (cx, cy),
                    (cx + length * 1.3 * np.cos(a), cy + length * 1.3 * np.sin(a)),
                    0.02,
                    0.012,
                ),
                dark + 0.1,
                0.03,
            )
        ring = ball(s.x - cx, s.y - cy, 0.17, 0.2)
        s.lay(
            ring,
            mix(base if i % 2 else second, accent, np.clip(4 * noise(v, s.size, 14) - 2, 0, 1)),
            dome(ring, 0.18),
            0.6,
        )
        s.lay(ball(s.x - cx, s.y - cy + 0.02, 0.05), accent, 0.03, 0.6, emboss=True)
    head = ball(s.x - cx - 0.08, s.y - cy, 0.21)
    s.lay(head, mix(accent, base, 0.4), dome(head, 0.2) + 0.1, 0.8)
    for side in (-0.07, 0.1):
        eyeball(s, cx + 0.1 + side, cy - 0.05, 0.085, accent, 0.6, share=0.7)


def crab(s: Canvas, k: Random, v: Random) -> None:
    base, second, accent, _dark = palette(k, 0.25)
    bumps = k.uniform(6, 14)
    for side in (-1, 1):
        for i in range(3):
            knee = (side * (0.7 + 0.05 * i), 0.1 + 0.25 * i + v.uniform(-0.08, 0.08))
            foot = (side * (0.92 - 0.1 * i), 0.45 + 0.22 * i)
            leg = np.minimum(
                limb(s.x, s.y, (side * 0.3, 0.2), knee, 0.08, 0.06), limb(s.x, s.y, knee, foot, 0.06, 0.02)
            )
            s.lay(leg, base * 0.75, dome(leg, 0.06), 0.6)
        cx, cy, lift = side * 0.68, -0.5 + v.uniform(-0.12, 0.12), v.uniform(0.2, 0.5)
        s.lay(limb(s.x, s.y, (side * 0.45, 0.0), (cx, cy + 0.2), 0.09, 0.1), base * 0.85, 0.1, 0.6)
        x, y = s.at(cx, cy, side * 0.3)
        claw = np.maximum(ball(x, y, 0.25, 0.32), -ball(x, y + 0.28, 0.05 + 0.15 * lift, 0.25))
        s.lay(claw, mix(base, accent, -y * 2.5 + 0.1), dome(claw, 0.15) + 0.05, 0.8)
    shell = ball(s.x, s.y - 0.2, 0.6, 0.42) + 0.015 * np.sin(np.arctan2(s.y - 0.2, s.x) * 22)
    lumps = noise(v, s.size, bumps)
    s.lay(shell, mix(base, second, lumps), dome(shell, 0.35) + 0.04 * lumps, 0.8)
    for side in (-1, 1):
        tip = (side * 0.2 + v.uniform(-0.04, 0.04), -0.38)
        s.lay(limb(s.x, s.y, (side * 0.17, -0.1), tip, 0.045, 0.04), base, 0.1)
        eyeball(s, tip[0], tip[1], 0.1, accent, 0.6, share=0.75)


def octopus(s: Canvas, k: Random, v: Random) -> None:
    base, second, accent, _dark = palette(k, 0.15)
    spots, arms = k.uniform(8, 16), int(k.integers(6, 9))
    for i in range(arms):
        t = i / (arms - 1) * 2 - 1
        bend = v.uniform(-0.25, 0.25)
        line = curve(
            [(t * 0.25, 0.1), (t * 0.55, 0.45), (t * 0.85 + bend, 0.62), (t * 0.75 + bend * 1.5, 0.88)], 18
        )
        shape, along, across = tube(s.x, s.y, line, np.linspace(0.15, 0.04, 18))
        sucker = np.clip(2 * np.sin(along * 55) - 0.6, 0, 1) * (
            np.abs(across - 0.5 * np.sign(t + 0.01)) < 0.4
        )
        s.lay(shape, mix(base * 0.85, second * 1.1, sucker), dome(shape, 0.12) + 0.04 * sucker, 0.7)
    head = np.minimum(
        ball(*s.at(0, -0.35, v.uniform(-0.3, 0.3), 1), 0.5, 0.58), ball(s.x, s.y - 0.1, 0.42, 0.3)
    )
    s.lay(head, mix(base, accent, np.clip(4 * noise(v, s.size, spots) - 1, 0, 1)), dome(head, 0.45), 0.75)
    for side in (-1, 1):
        eyeball(
            s,
            side * 0.24 + v.uniform(-0.03, 0.03),
            -0.02,
            0.16,
            hsv(0.14, 0.8, 0.9),
            0.7,
            1.0,
            (v.uniform(-1, 1), 0),
            share=0.85,
        )


def jellyfish(s: Canvas, k: Random, v: Random) -> None:
    base, second, accent, _dark = palette(k, 0.0)
    arms, ribs, flat = int(k.integers(6, 11)), k.uniform(10, 20), k.uniform(0.45, 0.65)
    for i in range(arms):
        t = i / (arms - 1) * 2 - 1
        line = curve(
            [
                (t * 0.55, -0.05),
                (t * 0.5 + v.uniform(-0.15, 0.15), 0.3),
                (t * 0.6 + v.uniform(-0.2, 0.2), 0.6),
                (t * 0.5 + v.uniform(-0.25, 0.25), 0.95),
            ],
            14,
        )
        shape, along, _ = tube(s.x, s.y, line, np.linspace(0.07, 0.02, 14))
        s.lay(shape, mix(second, accent, 0.5 + 0.5 * np.sin(along * 30 + i)), dome(shape, 0.05), 0.6)
    bell = np.maximum(ball(s.x, s.y + 0.1, 0.75, flat + 0.25), s.y - 0.05 - 0.05 * np.cos(s.x * 22))
    d = np.hypot(s.x, (s.y + 0.1) * 1.2)
    rib = 0.5 + 0.5 * np.cos(s.x / np.maximum(0.15, np.sqrt(np.clip(1 - d**2, 0.02, 1))) * ribs)
    rim = np.clip(1 + bell * 8, 0, 1)
    s.lay(
        bell,
        mix(mix(base, second, d + 0.25 * rib), (0.95, 0.95, 1.0), rim * 0.6),
        dome(bell, 0.55) + 0.03 * rib,
        1.0,
    )
    for i in range(4):
        s.lay(ball(s.x - 0.16 * (i - 1.5) * 1.4, s.y + 0.3, 0.07, 0.1), accent, 0.02, 0.5, emboss=True)


def starfish(s: Canvas, k: Random, v: Random) -> None:
    base, second, accent, _dark = palette(k, 0.2)
    arms, fat, studs = int(k.choice([5, 5, 6, 7])), k.uniform(0.14, 0.24), k.uniform(24, 40)
    start = v.uniform(0, 6)
    shape, ridge = np.full_like(s.x, 9), np.zeros_like(s.x)
    for i in range(arms):
        a = start + 2 * np.pi * i / arms
        b = a + v.uniform(-0.25, 0.25)
        line = curve([(0, 0), (0.5 * np.cos(a), 0.5 * np.sin(a)), (0.92 * np.cos(b), 0.92 * np.sin(b))], 10)
        arm, _along, across = tube(s.x, s.y, line, np.linspace(fat * 1.3, 0.05, 10))
        ridge = np.where(arm < shape, np.abs(across), ridge)
        shape = np.minimum(shape, arm)
    u, w, _row, _column = rows(s.x, s.y, studs)
    bump = np.clip(1 - 2.4 * np.hypot(u, w), 0, 1)
    s.lay(shape, mix(mix(accent, base, ridge * 2), second * 1.1, bump), dome(shape, 0.2) + 0.06 * bump, 0.5)


def snail(s: Canvas, k: Random, v: Random) -> None:
    base, second, accent, dark = palette(k, 0.4)
    turns, ribs, stretch = k.uniform(1.5, 2.6), k.uniform(12, 30), v.uniform(-0.08, 0.12)
    foot = limb(s.x, s.y, (-0.75, 0.72), (0.62 + stretch, 0.66), 0.1, 0.17)
    skin = second * (0.85 + 0.15 * noise(v, s.size, 24))[..., None]
    s.lay(foot, skin, dome(foot, 0.15), 0.8)
    neck = limb(s.x, s.y, (0.5 + stretch, 0.62), (0.68 + stretch, 0.25), 0.17, 0.13)
    s.lay(neck, skin, dome(neck, 0.13), 0.8)
    for side in (-0.06, 0.12):
        tip = (0.7 + stretch + side + v.uniform(-0.05, 0.05), -0.12)
        s.lay(limb(s.x, s.y, (0.68 + stretch + side * 0.3, 0.2), tip, 0.035, 0.03), second, 0.08)
        eyeball(s, tip[0], tip[1], 0.07, accent, 0.6, share=0.8)
    x, y = s.at(-0.15, 0.05, v.uniform(-0.3, 0.3), 0.68)
    d, angle = np.hypot(x, y), np.arctan2(y, x)
    whorl = (np.log(np.maximum(d, 0.02)) * turns / 1.2 - angle / (2 * np.pi)) % 1
    relief = np.sqrt(np.clip(1 - (2 * whorl - 1) ** 2, 0, 1)) * np.clip(d, 0.1, 1)
    bands = 0.5 + 0.5 * np.sin(angle * ribs + np.log(d + 0.05) * ribs * 0.3)
    shell = ball(x, y, 1) * 0.68
    s.lay(
        shell,
        mix(mix(base, accent, bands * 0.7), dark, 1.5 - 6 * np.minimum(whorl, 1 - whorl)),
        dome(shell, 0.3) + 0.35 * relief,
        0.8,
    )
