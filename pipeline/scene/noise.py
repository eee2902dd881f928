"""Fractal noise: what the demo's sky, rock, water and grass are made of. Points in, a field [h, w] out."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Field = NDArray[np.float32]
"""float32, [h, w], or [1, w] or [h, 1] where it only changes one way."""

LATTICE = 256
"""Cells before the noise repeats: far more than the coarse octaves use, and in the fine ones nobody sees it."""

LATTICE_DEVIATION = 0.44
"""Standard deviation of uniform -1..1 lattice values after bicubic interpolation."""


def fractal(
    x: ArrayLike, y: ArrayLike, *, cell: float, finest: float, seed: tuple[int, int], gain: float = 0.5
) -> Field:
    """A sum of octaves of value noise at the points (x, y), with mean 0 and deviation about 1.

    x, y: broadcast to [h, w]; shift them by another fractal and the result swirls. cell: size of the coarsest
    octave's cells, in the unit of x and y; each octave halves it, down to `finest` > 0, and multiplies its
    amplitude by `gain` in 0..1. seed: the picture's, and this field's own number.
    More octaves leave the coarser ones as they are: a larger picture is the same one in more detail.
    """
    across, down = np.broadcast_arrays(np.asarray(x, np.float32), np.asarray(y, np.float32))
    rng = np.random.default_rng(seed)
    total = np.zeros(across.shape, np.float32)
    amplitude = np.sqrt(1 - gain**2) / LATTICE_DEVIATION
    while cell >= finest:
        lattice = rng.uniform(-1, 1, (LATTICE, LATTICE)).astype(np.float32)
        corner = rng.uniform(0, LATTICE, 2).astype(np.float32)
        u, v = across / np.float32(cell) + corner[0], down / np.float32(cell) + corner[1]
        octave = cv2.remap(lattice, u, v, cv2.INTER_CUBIC, borderMode=cv2.BORDER_WRAP)
        total += np.float32(amplitude) * octave
        amplitude *= gain
        cell /= 2
    return total


def smoothstep(low: float, high: float, value: ArrayLike) -> Field:
    """0 up to `low`, 1 from `high`, and 3t^2 - 2t^3 between."""
    t = np.clip((np.asarray(value, np.float32) - np.float32(low)) / np.float32(high - low), 0, 1)
    risen: Field = t * t * (3 - 2 * t)
    return risen


def moved(field: Field, right: float, down: float) -> Field:
    """What lies `right` and `down` pixels from each point of a field: for light that falls from there."""
    onto = np.array([[1, 0, right], [0, 1, down]], np.float32)
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    height, width = field.shape
    there: Field = cv2.warpAffine(field, onto, (width, height), flags=how, borderMode=cv2.BORDER_REFLECT_101)
    return there
