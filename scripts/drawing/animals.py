"""Animals: each function draws one individual on a canvas; k decides its species, v its pose."""

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
    polygon,
    rows,
    scatter,
    tube,
)


def bird(s: Canvas, k: Random, v: Random) -> None:
    """A whole bird from the side: body, wing, tail, beak, legs."""
    base, second, accent, _dark = palette(k, 0.3)
    neck, beak, crest, tail = (
        k.uniform(0.0, 0.25),
        k.uniform(0.2, 0.45),
        k.uniform(0, 0.25),
        k.uniform(0.5, 0.95),
    )
    hook, lift = k.uniform(0, 0.15), v.uniform(-0.1, 0.1)
    hx, hy = 0.42 + neck * 0.3, -0.42 - neck + lift
    for i in range(4):
        end = (-0.35 - 0.6 * tail, 0.3 + 0.16 * i - 0.3 * lift)
        plume = limb(s.x, s.y, (-0.3, 0.15), end, 0.08, 0.05)
        s.lay(plume, mix(base * 0.6, accent, float(i % 2)), dome(plume, 0.06))
    for side in (-0.05, 0.15):
        s.lay(
            limb(s.x, s.y, (side, 0.45), (side + v.uniform(-0.08, 0.08), 0.9), 0.035, 0.025),
            hsv(0.08, 0.7, 0.6),
            0.05,
        )
    body = np.minimum(
        ball(*s.at(-0.02, 0.15, 0.35, 1), 0.55, 0.4), limb(s.x, s.y, (0.2, 0.0), (hx, hy), 0.32, 0.24)
    )
    plumage = hairs(v, 0.5 + 0.4 * noise(v, s.size, 3), 8)
    s.lay(body, mix(base, second, s.y * 2.5 + s.x - 0.2) * (0.9 + 0.2 * plumage)[..., None], dome(body, 0.35))
    wing = ball(*s.at(-0.15, 0.1, 0.45 + lift, 1), 0.5, 0.26)
    u, w, row, column = rows(*s.at(-0.15, 0.1, 0.45 + lift, 1), 11)
    quill = np.clip(1 - 2 * np.hypot(u, w), 0, 1)
    s.lay(
        wing,
        mix(accent * 0.6, base * 1.1, quill + 0.3 * scatter(row, column)),
        dome(wing, 0.15) + 0.04 * quill,
        emboss=True,
    )
    for i in range(3):
        a = -2.2 - 0.35 * i
        s.lay(
            limb(
                s.x,
                s.y,
                (hx - 0.05, hy - 0.12),
                (hx + crest * 2 * np.cos(a), hy - 0.1 + crest * 2 * np.sin(a)),
                0.06,
                0.02,
            ),
            accent,
            0.1,
        )
    bill = polygon(
        s,
        curve(
            [
                (hx + 0.12, hy - 0.1),
                (hx + 0.2 + beak, hy + 0.03 + hook),
                (hx + 0.12, hy + 0.12),
                (hx + 0.12, hy - 0.1),
            ],
            16,
        ),
    )
    s.lay(bill, hsv(k.choice([0.1, 0.06, 0.99]), 0.8, 0.9), dome(bill, 0.1) + 0.1, 0.8)
    eyeball(s, hx + 0.05, hy - 0.03, 0.1, accent, 0.6, share=0.95)


def beast(s: Canvas, k: Random, v: Random) -> None:
    """A four-legged animal from the side, grazing or looking up."""
    base, second, _accent, dark = palette(k, 0.65)
    neck, leg, horn, coat, stout = (
        k.uniform(0.25, 0.6),
        k.uniform(0.4, 0.6),
        k.uniform(-0.3, 0.4),
        k.integers(0, 4),
        k.uniform(0.24, 0.34),
    )
    hx, hy = 0.5 + 0.2 * neck, -0.25 - neck + v.uniform(-0.1, 0.25)
    marks = [
        0.0,
        np.clip(3 * np.sin(s.x * 22 + 3 * noise(v, s.size, 4)), 0, 1),
        np.clip(4 * noise(v, s.size, 8) - 0.6, 0, 1),
        s.y * 2 + 0.5,
    ][coat]
    fur = (
        mix(base, dark if coat in (1, 2) else second, marks)
        * (0.9 + 0.15 * hairs(v, 0.4 + 0.5 * noise(v, s.size, 3), 7))[..., None]
    )
    for i, root in enumerate((-0.42, 0.3, -0.52, 0.38)):
        swing, shade = v.uniform(-0.15, 0.15), 0.6 if i < 2 else 0.95
        knee = (root + swing * 0.6, 0.2 + leg * 0.55)
        for a, b, r0, r1 in (
            ((root, 0.15), knee, 0.15, 0.08),
            (knee, (root + swing * 0.4, 0.3 + leg), 0.08, 0.065),
        ):
            part = limb(s.x, s.y, a, b, r0, r1)
            s.lay(part, fur * shade, dome(part, 0.1) * shade)
    tail = curve([(-0.6, -0.05), (-0.85, 0.05), (-0.85 + v.uniform(-0.1, 0.1), 0.45)], 10)
    s.lay(tube(s.x, s.y, tail, np.linspace(0.06, 0.03, 10))[0], base * 0.7, 0.1)
    body = np.minimum(
        ball(s.x + 0.08, s.y - 0.05, 0.6, stout),
        limb(s.x, s.y, (0.35, 0), (hx - 0.05, hy + 0.05), 0.26, 0.15),
    )
    s.lay(body, fur, dome(body, 0.28))
    ear = limb(s.x, s.y, (hx - 0.08, hy - 0.1), (hx - 0.2, hy - 0.28), 0.07, 0.03)
    s.lay(ear, base * 0.7, dome(ear, 0.06) + 0.1)
    if horn > 0:
        prong = curve([(hx, hy - 0.1), (hx - 0.05, hy - 0.1 - horn * 0.6), (hx + 0.15, hy - 0.15 - horn)], 10)
        s.lay(tube(s.x, s.y, prong, np.linspace(0.055, 0.015, 10))[0], (0.85, 0.8, 0.65), 0.15, 0.5)
    head = limb(s.x, s.y, (hx, hy), (hx + 0.25, hy + 0.18), 0.17, 0.1)
    s.lay(head, fur, dome(head, 0.16) + 0.1)
    s.lay(ball(s.x - hx - 0.29, s.y - hy - 0.2, 0.07, 0.06), dark * 0.6, 0.25, 0.9)
    eyeball(s, hx + 0.04, hy - 0.04, 0.075, hsv(0.08, 0.7, 0.5), 0.6, share=0.95)


def fish(s: Canvas, k: Random, v: Random) -> None:
    base, second, accent, dark = palette(k, 0.1)
    tall, fin, pattern, bars = k.uniform(0.3, 0.5), k.uniform(0.25, 0.5), k.integers(0, 3), k.uniform(7, 16)
    wag = v.uniform(-0.15, 0.15)
    y = s.y + wag * (s.x - 0.3) ** 2
    comb = np.sin(np.arctan2(y, s.x - 0.2) * 60)
    tail = polygon(
        s, np.array([[-0.5, -0.02], [-0.95, -0.4 - wag], [-0.82, 0 - wag], [-0.95, 0.4 - wag], [-0.5, 0.04]])
    )
    fins = np.minimum(
        ball(s.x + 0.05, y + tall * 0.85, 0.42, fin), ball(s.x + 0.15, y - tall * 0.85, 0.25, fin * 0.7)
    )
    for part in (tail, fins):
        s.lay(part, mix(accent, accent * 0.5, 0.5 + 0.5 * comb), dome(part, 0.1) + 0.015 * comb, 0.5)
    body = np.maximum(ball(s.x - 0.1, y, 0.78, tall), -(s.x + 0.72))
    u, w, row, column = rows(s.x, y, 20)
    scale = np.clip(1 - 1.7 * np.hypot(u - 0.15, w), 0, 1)
    marks = [
        np.clip(3 * np.sin(s.x * bars), 0, 1),
        np.clip(3 * np.sin(y * bars * 1.6), 0, 1),
        np.clip(3 * noise(v, s.size, 7), 0, 1),
    ][pattern]
    skin = (
        mix(mix(base, second, marks), second * 1.1, y * 2 - 0.1)
        * (0.7 + 0.45 * scale + 0.1 * scatter(row, column))[..., None]
    )
    s.lay(body, skin, dome(body, tall) * 0.8 + 0.03 * scale, 0.75)
    gill = np.abs(np.hypot(s.x - 0.75, y) - 0.42) - 0.02
    s.lay(np.maximum(np.maximum(gill, body + 0.06), s.x - 0.5), dark, -0.05, emboss=True)
    flap = ball(*s.at(0.12, 0.1, 0.6 + wag * 3, 1), 0.24, 0.12)
    s.lay(flap, mix(accent, accent * 0.5, 0.5 + 0.5 * np.sin(s.y * 50)), dome(flap, 0.06), 0.5, emboss=True)
    s.lay(limb(s.x, y, (0.74, 0.1), (0.86, 0.06), 0.025, 0.02), dark, -0.03, emboss=True)
    eyeball(s, 0.58, -0.08 - wag * 0.1, 0.13, accent, 0.55, share=0.8)


def turtle(s: Canvas, k: Random, v: Random) -> None:
    """From above: plated shell, four flippers, a head."""
    base, second, accent, dark = palette(k, 0.4)
    skin, plates = mix(second, base, 0.4), int(k.integers(5, 8))
    nod = v.uniform(-0.12, 0.12)
    for sx in (-1, 1):
        for y0, y1, r in ((-0.4, -0.55, 0.16), (0.45, 0.75, 0.12)):
            reach = v.uniform(0.75, 0.9)
            flipper = limb(s.x, s.y, (sx * 0.4, y0), (sx * reach, y1 + v.uniform(-0.15, 0.15)), r, r * 0.6)
            _u, _w, row, column = rows(s.x, s.y, 22)
            s.lay(flipper, skin * (0.7 + 0.5 * scatter(row, column))[..., None], dome(flipper, 0.12))
    head = np.minimum(
        ball(s.x - nod, s.y + 0.78, 0.17, 0.18), limb(s.x, s.y, (0, -0.4), (nod, -0.75), 0.14, 0.12)
    )
    s.lay(head, skin, dome(head, 0.14), 0.5)
    for side in (-1, 1):
        eyeball(s, nod + side * 0.12, -0.82, 0.06, accent, 0.6, share=0.9)
    shell = ball(s.x, s.y - 0.05, 0.62, 0.68)
    angle, d = np.arctan2(s.y - 0.05, s.x), np.hypot(s.x, s.y - 0.05)
    seam = np.minimum(np.abs(d - 0.28) * 8, np.abs(np.sin(angle * plates / 2 + 0.3)) * 8 * d + 9 * (d < 0.28))
    seam = np.minimum(seam, np.abs(d - 0.54) * 9)
    ring = 0.6 + 0.4 * np.sin(d * 30 + noise(v, s.size, 6))
    s.lay(
        shell,
        mix(dark, mix(base, accent * 0.8, ring), seam * 1.5),
        dome(shell, 0.5) + 0.06 * np.clip(seam, 0, 1),
        0.65,
    )


def lizard(s: Canvas, k: Random, v: Random) -> None:
    """From above: a winding spine, four splayed legs, a long tail."""
    base, second, accent, _dark = palette(k, 0.2)
    bands, bend = k.uniform(14, 34), v.uniform(0.2, 0.45) * v.choice([-1, 1])
    spine = curve(
        [(0.02, -0.85), (0, -0.55), (bend * 0.5, -0.1), (-bend * 0.3, 0.3), (bend, 0.6), (bend * 0.4, 0.95)],
        30,
    )
    radii = np.interp(
        np.linspace(0, 1, 30), [0, 0.08, 0.2, 0.4, 0.55, 1], [0.1, 0.2, 0.13, 0.23, 0.13, 0.02]
    ).astype(np.float32)
    for i in (8, 16):
        for side in (-1, 1):
            (x0, y0), swing = spine[i], v.uniform(-0.12, 0.12)
            knee, foot = (x0 + side * 0.36, y0 + swing), (x0 + side * 0.55, y0 + swing - 0.2)
            leg = np.minimum(
                limb(s.x, s.y, (x0, y0), knee, 0.09, 0.07), limb(s.x, s.y, knee, foot, 0.07, 0.04)
            )
            for toe in (-0.9, -0.3, 0.3):
                tip = (foot[0] + 0.15 * side * np.cos(toe), foot[1] - 0.1 + 0.15 * np.sin(toe))
                leg = np.minimum(leg, limb(s.x, s.y, foot, tip, 0.03, 0.02))
            s.lay(leg, base * 0.8, dome(leg, 0.07), 0.5)
    shape, along, across = tube(s.x, s.y, spine, radii)
    u, w, row, column = rows(s.x, s.y, 26)
    marks = np.clip(3 * np.sin(along * bands + across**2 * 2), 0, 1)
    skin = (
        mix(mix(base, accent, marks), second, 1.2 - 4 * np.abs(across))
        * (0.75 + 0.5 * scatter(row, column))[..., None]
    )
    s.lay(shape, skin, dome(shape, 0.18) + 0.03 * np.cos(u * 6) * np.cos(w * 6), 0.6)
    for side in (-1, 1):
        eyeball(s, side * 0.13, -0.74, 0.08, hsv(0.13, 0.9, 0.9), 0.6, 0.5, share=0.9)


def snake(s: Canvas, k: Random, v: Random) -> None:
    base, second, accent, _dark = palette(k, 0.25)
    bands, kind, turns = k.uniform(25, 60), k.integers(0, 3), k.choice([2.0, 3.0])
    t = np.linspace(0, 1, 34)
    height = v.uniform(0.35, 0.5)
    line = np.stack(
        [
            -0.82 + 1.55 * t,
            height * np.sin(t * np.pi * turns + v.uniform(0, 2)) * (0.4 + 0.6 * t) * (1.3 - t),
        ],
        1,
    )
    shape, along, across = tube(
        s.x, s.y, line.astype(np.float32), np.interp(t, [0, 0.5, 0.9, 1], [0.03, 0.16, 0.13, 0.17])
    )
    marks = [
        np.clip(3 * np.sin(along * bands), 0, 1),
        (np.abs(across) < 0.4 + 0.3 * np.sin(along * bands)).astype(np.float32),
        np.clip(3 * np.sin(along * bands + across * 3), 0, 1),
    ][kind]
    fine = np.sin(along * 170 + across * 4) * np.sin(along * 170 - across * 4)
    s.lay(
        shape,
        mix(mix(base, accent, marks), second, np.abs(across) * 3 - 2) * (0.85 + 0.2 * fine)[..., None],
        dome(shape, 0.15) + 0.02 * fine,
        0.7,
    )
    hx, hy = line[-1]
    skull = ball(s.x - hx - 0.03, s.y - hy, 0.21, 0.155)
    s.lay(skull, mix(base, accent, 0.25), dome(skull, 0.15), 0.7)
    tongue = curve([(hx + 0.2, hy + 0.04), (hx + 0.27, hy + 0.08), (hx + 0.34, hy)], 6)
    s.lay(tube(s.x, s.y, tongue, 0.014)[0], (0.85, 0.1, 0.15), 0.05)
    for dx, dy in ((0.05, -0.08), (0.05, 0.08)):
        eyeball(s, hx + dx, hy + dy, 0.06, hsv(0.14, 0.9, 0.95), 0.7, 0.35, share=0.95)
