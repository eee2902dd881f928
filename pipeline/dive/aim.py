"""Aim: the point of a picture where the dream is strongest, as x + i y in 0..1."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from pipeline.clip import Plane, Size, fit
from pipeline.dive import masters
from pipeline.dive.masters import Climb

SEEN = "max:320"  # a small dream tells as much
WIDE = 0.06  # of the width: what is looked for is a creature, not a pixel
BORDER = 0.25  # of each side is no place to dive into: too soon it would be all there is


@torch.no_grad()
def strongest(ground: Plane, size: Size, climb: Climb) -> complex:
    """Where a dream on `ground`, seen at `size`, changes most."""
    seed = masters.tensor(masters.fitted(ground, fit(size, SEEN)), climb)
    change = masters.plane(masters.climbed(seed, climb, 1.0) - seed)
    strength = cv2.GaussianBlur(np.square(change).sum(-1), (0, 0), WIDE * change.shape[1])
    height, width = strength.shape
    top, left = round(BORDER * height), round(BORDER * width)
    inner = strength[top : height - top, left : width - left]
    row, column = np.unravel_index(int(np.argmax(inner)), inner.shape)
    return complex((left + int(column) + 0.5) / width, (top + int(row) + 0.5) / height)
