"""Faces: each function draws one individual on a canvas; k decides its species, v its pose."""

from __future__ import annotations

import numpy as np

from .canvas import (
    Array,
    Canvas,
    Random,
    ball,
    box,
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
    tube,
)


class Head:
    """Where a feature at longitude and latitude (radians) of a turned head is seen, and how narrow it looks."""

    def __init__(self, v: Random, turn: float = 0.5) -> None:
        self.yaw, self.pitch = v.uniform(-turn, turn), v.uniform(-0.15, 0.15)

    def __call__(self, longitude: float, latitude: float, r: float = 0.8) -> tuple[float, float, float]:
        a, b = longitude + self.yaw, latitude + self.pitch
        return r * np.sin(a) * np.cos(b), r * np.sin(b), max(0.45, float(np.cos(a)))


def fur_of(
    s: Canvas, v: Random, base: Array, second: Array, patches: Array | float, centre: tuple[float, float]
) -> Array:
    """A coat [S, S, 3] combed away from `centre`."""
    direction = np.arctan2(s.y - centre[1], s.x - centre[0]) + 0.5 * noise(v, s.size, 4)
    return mix(base, second, patches) * (0.85 + 0.22 * hairs(v, direction, 7))[..., None]


def eye(s: Canvas, k: Random, v: Random) -> None:
    """A human or animal eye in its lids, with lashes."""
    base, second, iris, dark = palette(k, 0.5)
    open_, slit, share, lashes = (
        k.uniform(0.42, 0.7),
        k.choice([1.0, 1.0, 0.35]),
        k.uniform(0.5, 0.68),
        k.integers(0, 12),
    )
    open_ *= v.uniform(0.85, 1.1)
    skin = (
        mix(base, second, 0.5 + 0.5 * noise(v, s.size, 5, 2))
        * (0.9 + 0.1 * hairs(v, 0.6 * s.x + 0 * s.y, 7))[..., None]
    )
    ring = ball(s.x, s.y, 0.97, 0.8)
    s.lay(ring, skin, dome(ring, 0.4))
    for i in range(lashes):
        a = -np.pi * (0.15 + 0.7 * i / max(lashes - 1, 1))
        root = np.array([np.cos(a) * 0.78, np.sin(a) * open_])
        line = curve([root, root * (1.15, 1.25), root * (1.25, 1.6)], 6)
        s.lay(tube(s.x, s.y, line, np.linspace(0.035, 0.01, 6))[0], dark, 0.1, emboss=True)
    slant = 0.12 * s.x
    lens = (
        np.maximum(ball(s.x, s.y + slant + 1 - open_, 1.25, 1), ball(s.x, s.y + slant - 1 + open_, 1.25, 1))
        * 0.9
    )
    s.lay(lens - 0.07, dark * 1.5, 0.12, emboss=True)
    mark = s.rgb.copy(), s.height.copy(), s.gloss.copy()
    gaze = v.uniform(-0.9, 0.9), v.uniform(-0.3, 0.3)
    eyeball(s, 0, 0, 0.82, iris, v.uniform(0.35, 0.55), slit, gaze, (0.93, 0.88, 0.84), share)
    outside = np.clip(0.5 + lens / s.px, 0, 1).astype(np.float32)
    s.rgb += outside[..., None] * (mark[0] - s.rgb)
    s.height += outside * (mark[1] - s.height)
    s.gloss += outside * (mark[2] - s.gloss)


def owl(s: Canvas, k: Random, v: Random) -> None:
    base, second, iris, _dark = palette(k, 0.6)
    iris = hsv(k.choice([0.08, 0.13, 0.16, k.random()]), 0.95, 0.95)
    tufts, disc = k.uniform(0, 0.4), k.uniform(0.38, 0.46)
    see = Head(v, 0.35)
    body = ball(s.x, s.y - 0.1, 0.82, 0.88)
    bars = 0.5 + 0.5 * np.sin(s.y * 26 + 4 * np.cos(s.x * 14))
    for side in (-1, 1):
        ear = polygon(
            s,
            np.array([[side * 0.2, -0.6], [side * 0.78, -0.3], [side * (0.55 + tufts * 0.5), -0.68 - tufts]]),
        )
        s.lay(ear, base * 0.8, dome(ear, 0.15))
    s.lay(body, fur_of(s, v, base, second, bars * (s.y > 0.1), (0, -0.1)), dome(body, 0.6))
    for side in (-1, 1):
        cx, cy, narrow = see(side * 0.5, -0.18)
        x, y = s.at(cx, cy, 0, narrow, 1)
        d = np.hypot(x, y)
        rays = 0.75 + 0.25 * np.sin(np.arctan2(y, x) * 26)
        s.lay(
            ball(x, y, disc),
            mix(second * 1.1, base * 0.5, d * 2.4 - 0.2) * rays[..., None],
            dome(ball(x, y, disc), 0.2) * 0.4,
            emboss=True,
        )
    for side in (-1, 1):
        cx, cy, narrow = see(side * 0.5, -0.18, 0.82)
        eyeball(
            s,
            cx,
            cy,
            disc * 0.62 * (0.6 + 0.4 * narrow),
            iris,
            v.uniform(0.4, 0.6),
            gaze=(see.yaw, 0),
            share=0.95,
        )
    cx, cy, _ = see(0, 0.12, 0.95)
    beak = polygon(
        s,
        np.array(
            [[cx - 0.11, cy - 0.18], [cx + 0.11, cy - 0.18], [cx + 0.03, cy + 0.2], [cx - 0.03, cy + 0.2]]
        ),
    )
    s.lay(beak, hsv(0.11, 0.7, 0.9), dome(beak, 0.1) * 1.5, 0.7, emboss=True)


def mask(s: Canvas, k: Random, v: Random) -> None:
    """A carved, painted face: brow, nose, lips, a crown."""
    base, second, accent, dark = palette(k, 0.3)
    long, points, bands = k.uniform(0.75, 0.95), int(k.integers(5, 10)), k.uniform(6, 16)
    see = Head(v, 0.4)
    for i in range(points):
        a = -np.pi * (0.12 + 0.76 * i / (points - 1))
        plume = limb(
            s.x, s.y, (0.5 * np.cos(a), 0.45 * np.sin(a)), (0.92 * np.cos(a), 0.92 * np.sin(a)), 0.11, 0.05
        )
        s.lay(plume, accent if i % 2 else second, dome(plume, 0.1), 0.4)
    face = ball(s.x, s.y - 0.05, 0.6, long * 0.95)
    paint = np.sin(np.hypot(s.x - see.yaw, s.y - 0.1) * bands) > 0.3
    s.lay(face, mix(base, second, paint.astype(np.float32)), dome(face, 0.5), 0.45)
    nx, ny, _ = see(0, 0.12, 0.8)
    for side in (-1, 1):
        ex, ey, narrow = see(side * 0.42, -0.2, 0.75)
        brow = curve([(nx * 0.6, ey - 0.05), (ex, ey - 0.2), (ex + side * 0.22 * narrow, ey - 0.08)], 10)
        ridge = tube(s.x, s.y, brow, 0.06)[0]
        s.lay(ridge, dark * 1.3, dome(ridge, 0.06) * 1.5, 0.4, emboss=True)
        eyeball(s, ex, ey, 0.15 * (0.5 + 0.5 * narrow), accent, 0.5, gaze=(see.yaw, 0), share=0.6)
        cheek = ball(s.x - ex * 1.1, s.y - 0.28, 0.13)
        s.lay(cheek, accent, dome(cheek, 0.12) * 0.5, 0.4, emboss=True)
    nose = np.minimum(
        limb(s.x, s.y, (nx * 0.6, -0.22), (nx, ny), 0.05, 0.11), ball(s.x - nx, s.y - ny - 0.03, 0.17, 0.09)
    )
    s.lay(nose, base * 1.05, dome(nose, 0.1) * 1.6, 0.5, emboss=True)
    mx, my, narrow = see(0, 0.55, 0.85)
    gape = v.uniform(0.1, 0.18)
    for a, b, colour in ((0.27, gape + 0.06, hsv(0.99, 0.7, 0.75)), (0.2, gape - 0.03, dark * 0.4)):
        lips = ball(s.x - mx, s.y - my, a * narrow, b)
        s.lay(lips, colour, dome(lips, 0.06) if b > gape else -0.06, 0.5, emboss=True)
    teeth = np.maximum(ball(s.x - mx, s.y - my, 0.19 * narrow, gape - 0.04), s.y - my + 0.03)
    s.lay(
        teeth,
        mix((0.95, 0.93, 0.85), (0.3, 0.25, 0.2), np.abs(np.sin((s.x - mx) * 26)) < 0.25),
        0.03,
        0.6,
        emboss=True,
    )


def frog(s: Canvas, k: Random, v: Random) -> None:
    base, second, accent, dark = palette(k, 0.15)
    spots, iris = k.choice([0, 5, 9]), hsv(k.choice([0.03, 0.12, 0.15]), 0.9, 0.95)
    see = Head(v, 0.4)
    for side in (-1, 1):
        foot = np.minimum(
            limb(s.x, s.y, (side * 0.5, 0.3), (side * 0.75, 0.8), 0.25, 0.12),
            ball(s.x - side * 0.72, s.y - 0.85, 0.24, 0.09),
        )
        s.lay(foot, base * 0.8, dome(foot, 0.15), 0.5)
    body = ball(s.x, s.y - 0.35, 0.72, 0.55)
    s.lay(body, mix(second, base, np.clip(np.abs(s.x) * 3 - 1, 0, 1)), dome(body, 0.4), 0.5)
    head = ball(s.x - see.yaw * 0.2, s.y + 0.1, 0.85, 0.52)
    dots = np.clip(4 * noise(v, s.size, spots) - 1.2, 0, 1) if spots else 0.0
    s.lay(head, mix(base, dark, dots), dome(head, 0.45), 0.7)
    for side in (-1, 1):
        cx, cy, narrow = see(side * 0.62, -0.52, 0.85)
        bulge = ball(s.x - cx, s.y - cy, 0.3)
        s.lay(bulge, base, dome(bulge, 0.25), 0.6)
        eyeball(
            s, cx, cy, 0.22 * (0.5 + 0.5 * narrow), iris, 0.6, v.uniform(0.8, 1.8), (see.yaw, 0), share=0.92
        )
    cx, cy, _ = see(0, 0.1)
    smile = curve(
        [(cx - 0.68, cy - 0.1), (cx - 0.35, cy + 0.14), (cx + 0.35, cy + 0.14), (cx + 0.68, cy - 0.1)], 14
    )
    s.lay(tube(s.x, s.y, smile, 0.03)[0], accent * 0.5, -0.05, emboss=True)
    for side in (-1, 1):
        s.lay(ball(s.x - cx - side * 0.09, s.y - cy + 0.1, 0.025), dark * 0.5, emboss=True)


def robot(s: Canvas, k: Random, v: Random) -> None:
    """A tin head with lamps for eyes."""
    base, second, accent, dark = palette(k, 0.1)
    lamps, grille, corner, see = (
        int(k.integers(1, 4)),
        int(k.integers(4, 9)),
        k.uniform(0.05, 0.35),
        Head(v, 0.35),
    )
    s.lay(limb(s.x, s.y, (0, -0.5), (v.uniform(-0.1, 0.1), -0.86), 0.03, 0.03), dark + 0.2, 0.05, 0.8)
    s.lay(ball(s.x, s.y + 0.88, 0.08), accent, dome(ball(s.x, s.y + 0.88, 0.08), 0.08), 0.9)
    for side in (-1, 1):
        s.lay(
            box(s.x - side * 0.72, s.y, 0.1, 0.2, 0.05),
            second,
            dome(box(s.x - side * 0.72, s.y, 0.1, 0.2, 0.05), 0.08),
            0.8,
        )
    head = box(s.x, s.y - 0.1, 0.68, 0.7, corner)
    s.lay(head, mix(base, base * 0.7, np.clip(noise(v, s.size, 8, 3), 0, 1)), dome(head, 0.15), 0.9)
    for i in range(lamps):
        cx, cy, _ = see((i - (lamps - 1) / 2) * 0.75, -0.15, 0.75)
        ring = ball(s.x - cx, s.y - cy, 0.2)
        s.lay(ring, dark + 0.15, dome(ring, 0.06), 0.9, emboss=True)
        eyeball(s, cx, cy, 0.15, accent, 0.3, white=tuple(accent), share=0.9)
    cx, cy, _ = see(0, 0.45, 0.9)
    s.lay(box(s.x - cx, s.y - cy, 0.4, 0.15, 0.04), dark, -0.05, 0.5, emboss=True)
    bars = np.maximum(box(s.x - cx, s.y - cy, 0.38, 0.13), 0.04 - np.abs((s.x * grille) % 0.8 - 0.4) * 0.3)
    s.lay(bars, second, 0.05, 0.8, emboss=True)
    for bx in (-0.55, 0.55):
        for by in (-0.45, 0.68):
            s.lay(
                ball(s.x - bx, s.y - by, 0.05),
                second * 1.1,
                dome(ball(s.x - bx, s.y - by, 0.05), 0.05),
                0.9,
                emboss=True,
            )
