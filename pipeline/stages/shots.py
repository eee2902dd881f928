"""Shots: does the film cut between two frames? Two pictures in, one word out."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.clip import Picture, Size
from pipeline.ops import motion

THUMB = Size(90, 160)
MOSTLY_UNRELIABLE = 0.6
ALIKE = 0.6


def thumb(picture: Picture) -> NDArray[np.uint8]:
    """The small grey picture that cuts are looked for in, uint8 [90, 160]."""
    small = cv2.resize(picture, (THUMB.width, THUMB.height), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)


def is_cut(now: NDArray[np.uint8], before: NDArray[np.uint8]) -> bool:
    """True when motion explains nothing: flow fails its check on most pixels, and warping does not help.

    Both thumbs uint8 [90, 160]. Measured: true cuts have >= .889 unreliable and correlation <= .25; the worst
    ordinary frame .255 and .887; a flash .017 and .999. A dissolve is no cut.
    """
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    backward, forward = search.calc(now, before, None), search.calc(before, now, None)
    if motion.unreliable(backward, forward).mean() <= MOSTLY_UNRELIABLE:
        return False
    explained = motion.sample(before.astype(np.float32), motion.follow(backward))
    return _correlation(now.astype(np.float32), explained) < ALIKE


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    a, b = a - a.mean(), b - b.mean()
    spread = float(np.sqrt((a * a).sum() * (b * b).sum()))
    # Two flat pictures (black leader) have no structure to differ in.
    return float((a * b).sum()) / spread if spread > 1e-3 else 1.0
