"""Motion fields as arrays: sampling along one, and where two of them disagree. [H, W, 2] float32, pixels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.clip import Plane


def follow(flow: Plane, stride: int = 1) -> Plane:
    """Where each pixel, or each n-th of each n-th row, was: absolute (x, y), [H, W, 2], of a backward flow."""
    height, width = flow.shape[:2]
    positions = flow[::stride, ::stride].copy()
    positions[..., 0] += np.arange(0, width, stride, dtype=np.float32)
    positions[..., 1] += np.arange(0, height, stride, dtype=np.float32)[:, None]
    return positions


def sample(image: Plane, positions: Plane) -> Plane:
    """`image` [H, W] or [H, W, C] at absolute positions, bilinear, its edge repeated outside."""
    sampled: Plane = cv2.remap(image, positions, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return sampled


def unreliable(backward: Plane, forward: Plane) -> NDArray[np.bool_]:
    """Pixels whose backward flow f is not undone by the forward flow b at its end, or that were outside.

    |f + b(p + f)|^2 > 0.01 (|f|^2 + |b(p + f)|^2) + 0.5, the check of Sundaram, Brox and Keutzer,
    "Dense point trajectories by GPU-accelerated large displacement optical flow" (2010).
    """
    height, width = backward.shape[:2]
    positions = follow(backward)
    there = sample(forward, positions)
    mismatch = _squared(backward + there)
    allowed = 0.01 * (_squared(backward) + _squared(there)) + 0.5
    x, y = positions[..., 0], positions[..., 1]
    outside = (x < 0) | (y < 0) | (x > width - 1) | (y > height - 1)
    return np.asarray((mismatch > allowed) | outside)


def _squared(field: Plane) -> Plane:
    """Squared length of each vector, [H, W]."""
    x, y = field[..., 0], field[..., 1]  # a sum along an axis of two takes three times as long
    return np.asarray(x * x + y * y)
