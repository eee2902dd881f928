"""Sprites -> training pictures: one to eight drawings on a ground, with shadows, and what lies in every cell.

A picture is uint8 [S, S, 3]; its labels are int16 [S/16, S/16] and [S/8, S/8]: family * SPECIES + species, or
BACKGROUND, or UNSURE where nothing fills half of the cell.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from . import CREATURES, FAMILIES, SPECIES, TEXTURES, draw
from .canvas import SIZE, Array, Random, hsv, mix, noise

NAMES = list(FAMILIES)
CLASSES = len(NAMES) * SPECIES
BACKGROUND, UNSURE = CLASSES, -1
HELD_OUT = 1_000_000  # individuals from here on are never trained on
DEPTH = 8  # individuals of a species in the bank at a time

# Animals are what dreams lack, so they are what is shown most; textures come as grounds besides.
APPETITE = np.array([0.25 if name in TEXTURES else 1.7 if name in CREATURES else 1.0 for name in NAMES])
APPETITE /= APPETITE.sum()
GROUNDS = [i for i, name in enumerate(NAMES) if name in TEXTURES]


class Picture(NamedTuple):
    rgb: NDArray[np.uint8]
    cells16: NDArray[np.int16]
    cells8: NDArray[np.int16]


class Bank:
    """Drawn individuals [family, species, DEPTH, SIZE, SIZE, 4], renewed one by one, in a file that can be mapped."""

    def __init__(self, path: Path, first: int = 0, depth: int = DEPTH) -> None:
        """Draws the bank into `path` where that is missing; individuals are numbered from `first`."""
        shape = (len(NAMES), SPECIES, depth, SIZE, SIZE, 4)
        if not path.exists():
            partial = path.with_suffix(".partial")
            sprites = np.lib.format.open_memmap(partial, "w+", np.uint8, shape)
            for family, species, place in np.ndindex(shape[:3]):
                sprites[family, species, place] = draw(NAMES[family], species, first + place)
            sprites.flush()
            partial.rename(path)
        self.sprites = np.lib.format.open_memmap(path, "r+")

    def renew(self, rng: Random) -> None:
        """Replaces one individual by one never seen before."""
        family, species = rng.choice(len(NAMES), p=APPETITE), rng.integers(SPECIES)
        fresh = draw(NAMES[family], int(species), int(rng.integers(DEPTH, HELD_OUT)))
        self.sprites[family, species, rng.integers(self.sprites.shape[2])] = fresh

    def pick(self, rng: Random, family: int) -> tuple[int, Array]:
        """A class and one of its sprites, float 0..1, colours a little off."""
        species = int(rng.integers(SPECIES))
        sprite = self.sprites[family, species, rng.integers(self.sprites.shape[2])].astype(np.float32) / 255
        sprite[..., :3] *= rng.normal(1, 0.1, 3) * rng.uniform(0.75, 1.2)
        if family in GROUNDS:
            sprite = np.ascontiguousarray(np.rot90(sprite, rng.integers(4)))
        return family * SPECIES + species, sprite


def ground(rng: Random, size: int) -> Array:
    """A background that is nothing in particular: gradients, clouds, streaks, flat colour [size, size, 3]."""
    a, b, c = (hsv(rng.random(), rng.uniform(0, 0.7), rng.uniform(0.1, 1)) for _ in range(3))
    y, x = np.mgrid[:size, :size].astype(np.float32) / size
    angle = rng.uniform(0, 2 * np.pi)
    ramp = (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle)
    kind = rng.integers(5)
    if kind == 0:
        return mix(a, b, 0.5 + ramp)
    if kind == 1:
        return mix(mix(a, b, 0.5 + noise(rng, size, rng.uniform(2, 5), 5)), c, 0.3 * noise(rng, size, 3, 4))
    if kind == 2:  # sky over land
        line = np.clip((y - rng.uniform(0.3, 0.8) + 0.1 * noise(rng, size, 3, 3)) * 20, 0, 1)
        land = mix(b, c, 0.5 + 0.7 * noise(rng, size, 10, 3))
        return np.asarray(
            mix(a, a * 0.6 + 0.4, y) * (1 - line[..., None]) + land * line[..., None], np.float32
        )
    if kind == 3:  # streaks
        field = cv2.resize(noise(rng, size, 6, 3)[:, : size // 6 + 1].copy(), (size, size))
        return mix(a, b, 0.5 + 0.8 * (field if rng.random() < 0.5 else field.T))
    return np.asarray(np.tile(a, (size, size, 1)) + 0.03 * rng.standard_normal((size, size, 1)), np.float32)


def blob(rng: Random, size: int) -> Array:
    """A mask [size, size] with a soft, lobed outline: textures cut square would teach rectangles."""
    y, x = np.mgrid[:size, :size].astype(np.float32) / size * 2 - 1
    return np.clip((0.75 + 0.25 * noise(rng, size, 3, 2) - np.hypot(x, y)) * size / 3, 0, 1)


def place(rng: Random, sprite: Array, size: int, reach: float, upright: bool) -> Array:
    """The sprite [size, size, 4] (premultiplied) somewhere in the picture, `reach` of its side wide."""
    side = reach * size
    small = max(8, round(side * 1.1))
    if small < SIZE:
        sprite = cv2.resize(sprite, (small, small), interpolation=cv2.INTER_AREA)
    angle = rng.normal(0, 13) if upright and rng.random() < 0.9 else rng.uniform(-180, 180)
    zoom = side / sprite.shape[0]
    squeeze = rng.normal(1, 0.08)
    turn = cv2.getRotationMatrix2D((0, 0), angle, zoom) @ np.diag(
        [rng.choice([-1, 1]) * squeeze, 1 / squeeze, 1]
    )
    margin = min(0.5, 0.38 * reach)
    target = rng.uniform(margin, 1 - margin, 2) * size
    turn[:, 2] = target - turn[:, :2] @ (sprite.shape[0] / 2, sprite.shape[0] / 2)
    premultiplied = np.dstack([sprite[..., :3] * sprite[..., 3:], sprite[..., 3]])
    return cv2.warpAffine(premultiplied, turn, (size, size), flags=cv2.INTER_LINEAR)


def develop(rng: Random, rgb: Array) -> NDArray[np.uint8]:
    """Exposure, contrast, sometimes grey, blur or grain: as cameras do."""
    rgb = (rgb - 0.5) * rng.uniform(0.7, 1.2) + 0.5 + rng.normal(0, 0.06)
    if rng.random() < 0.1:
        rgb = np.repeat(rgb.mean(-1, keepdims=True), 3, -1)
    if rng.random() < 0.15:
        rgb = cv2.GaussianBlur(rgb, (0, 0), rng.uniform(0.4, 1.1))
    if rng.random() < 0.25:
        rgb = rgb + rng.uniform(0, 0.06) * rng.standard_normal(rgb.shape)
    return (np.clip(rgb, 0, 1) * 255 + 0.5).astype(np.uint8)


def cells(shares: list[tuple[int, Array]], size: int, stride: int) -> NDArray[np.int16]:
    """What fills most of every cell, from who is seen where."""
    n = size // stride
    areas = np.stack([cv2.resize(mask, (n, n), interpolation=cv2.INTER_AREA) for _, mask in shares])
    winner, names = areas.argmax(0), np.array([name for name, _ in shares])
    return np.where(areas.max(0) > 0.5, names[winner], UNSURE).astype(np.int16)


def compose(bank: Bank, rng: Random, size: int = 96) -> Picture:
    """One picture: a ground, then one large drawing, or a few, or many small ones."""
    shares: list[tuple[int, Array]] = [(BACKGROUND, np.ones((size, size), np.float32))]
    rgb = ground(rng, size)
    layers: list[tuple[int, Array]] = []
    if rng.random() < 0.3:
        name, sprite = bank.pick(rng, int(rng.choice(GROUNDS)))
        corner, side = rng.integers(0, 40, 2), int(rng.integers(70, 88))
        cover = cv2.resize(
            sprite[corner[0] : corner[0] + side, corner[1] : corner[1] + side],
            (size, size),
            interpolation=cv2.INTER_AREA,
        )
        layers.append((name, cover))
    count, low, high = [
        (1, 0.75, 1.3),
        (int(rng.integers(2, 4)), 0.45, 0.95),
        (int(rng.integers(4, 9)), 0.28, 0.6),
    ][rng.choice(3, p=[0.4, 0.35, 0.25])]
    for _ in range(count):
        family = int(rng.choice(len(NAMES), p=APPETITE))
        name, sprite = bank.pick(rng, family)
        if family in GROUNDS:
            sprite[..., 3] *= blob(rng, SIZE)
        layers.append((name, place(rng, sprite, size, rng.uniform(low, high), NAMES[family] not in TEXTURES)))
    for name, layer in layers:
        seen = layer[..., 3]
        if rng.random() < 0.6:  # a shadow below and to the right
            shift = np.float32([[1, 0, rng.uniform(0, 5)], [0, 1, rng.uniform(1, 6)]])
            shadow = cv2.GaussianBlur(cv2.warpAffine(seen, shift, (size, size)), (0, 0), rng.uniform(1, 3))
            rgb = rgb * (1 - rng.uniform(0.3, 0.7) * shadow)[..., None]
        rgb = rgb * (1 - seen)[..., None] + layer[..., :3]
        shares = [(other, mask * (1 - seen)) for other, mask in shares] + [(name, seen)]
    return Picture(develop(rng, rgb), cells(shares, size, 16), cells(shares, size, 8))


def batches(bank: Bank, seed: int, steps: range, count: int, size: int, fresh: int = 2) -> Iterator[Picture]:
    """A batch of `count` pictures for each step, from (seed, step); `fresh` new individuals are drawn for each."""
    for step in steps:
        rng = np.random.default_rng((seed, step))
        for _ in range(fresh):
            bank.renew(rng)
        yield Picture(
            *(
                np.stack(column)
                for column in zip(*(compose(bank, rng, size) for _ in range(count)), strict=True)
            )
        )
