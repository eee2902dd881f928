"""Resample: one filtered look into a larger picture. float32 [H, W, 3] in and out."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.clip import Plane, Size

TAPS = 4  # of the filter to each side, in pixels that will be fetched
SHOWN = (0.27, 0.47)  # cycles per fetched pixel: what passes whole, and what is gone
KEPT = (0.49, 0.55)  # the same where what is fetched will be filtered once more
BOOST = 3.0  # at most: no filter brings back what bicubic interpolation has lost
CUBIC = -0.75  # of cv2.INTER_CUBIC


def prepared(picture: Plane, ratio: float, band: tuple[float, float] = SHOWN, detail: float = 1.0) -> Plane:
    """`picture`, filtered to be read by `look` every `ratio` pixels, its edge reflected.

    What passes is the same band of what is fetched, whatever the ratio, and what bicubic interpolation takes from
    it on average is given beforehand: so a zoom is as sharp at one ratio as at another. detail: what the finest
    of that band is multiplied by, coarser detail less and less.
    """
    kernel = _kernel(max(ratio, 1.0), band, detail)
    filtered: Plane = cv2.sepFilter2D(picture, -1, kernel, kernel, borderType=cv2.BORDER_REFLECT_101)
    return filtered


def look(
    picture: Plane,
    matrix: NDArray[np.float64],
    size: Size,
    *,
    outside: float | None = None,
    filter: int = cv2.INTER_CUBIC,
) -> Plane:
    """Fetch `size` pixels. matrix: [2, 3], from their positions to those in `picture`.

    outside: what is seen beyond the edge; None: the picture, reflected. filter: cv2's; bicubic is what `prepared`
    reckons with, Lanczos keeps more where a picture is looked into again and again.
    """
    border = cv2.BORDER_REFLECT_101 if outside is None else cv2.BORDER_CONSTANT
    seen: Plane = cv2.warpAffine(
        picture,
        matrix,
        (size.width, size.height),
        flags=filter | cv2.WARP_INVERSE_MAP,
        borderMode=border,
        borderValue=(outside or 0.0,) * 3,
    )
    return seen


def ratio(matrix: NDArray[np.float64]) -> float:
    """How many pixels of the picture lie between two that are fetched."""
    return float(np.hypot(matrix[0, 0], matrix[1, 0]))


def _kernel(ratio: float, band: tuple[float, float], detail: float = 1.0) -> NDArray[np.float32]:
    """Taps whose response, times the interpolation's, is the band: by frequency sampling, under a Hann window."""
    frequency = np.linspace(0, 0.5, 257)
    fetched = frequency * ratio
    passed = 0.5 + 0.5 * np.cos(np.pi * np.clip((fetched - band[0]) / (band[1] - band[0]), 0, 1))
    response = np.minimum(passed / _interpolation(frequency), BOOST * passed)
    response *= 1 + (detail - 1) * np.sin(np.pi * np.minimum(fetched, 0.5)) ** 2  # as a Laplacian weighs them
    reach = int(np.ceil(TAPS * ratio))
    at = np.arange(-reach, reach + 1)
    waves = np.cos(2 * np.pi * np.outer(at, frequency))
    kernel = (waves * response).sum(1) * (0.5 + 0.5 * np.cos(np.pi * at / (reach + 1)))
    return np.asarray(kernel / kernel.sum(), np.float32)


def _interpolation(frequency: NDArray[np.float64]) -> NDArray[np.float64]:
    """What bicubic convolution leaves of each frequency (cycles per pixel), rms over where it is read."""
    phase = np.linspace(0, 1, 16, endpoint=False)
    away = np.abs(np.arange(-1, 3)[:, None] - phase)  # [4, 16]
    near = (CUBIC + 2) * away**3 - (CUBIC + 3) * away**2 + 1
    far = CUBIC * (away**3 - 5 * away**2 + 8 * away - 4)
    taps = np.where(away <= 1, near, far)
    waves = np.exp(-2j * np.pi * np.arange(-1, 3)[:, None] * frequency[:, None, None])  # [F, 4, 1]
    return np.asarray(np.sqrt((np.abs((waves * taps).sum(1)) ** 2).mean(1)))
