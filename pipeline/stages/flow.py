"""Flow: where each pixel was in the frame before, and whether that can be trusted. Source luma in, Flow out.

Always on the source, never on dreams: dreams are what is to be steadied.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.clip import Flow, Picture, Plane, Size
from pipeline.ops import motion

Luma = NDArray[np.uint8]
"""uint8 [H, W]."""

COARSE_BELOW = 400  # px wide: smaller pictures are matched down to single pixels
HALVED_FROM = 720  # px, the shorter side: larger ones are matched at half size


def luma(picture: Picture, size: Size) -> Luma:
    """The picture's grey, at the size the dream runs at."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    if grey.shape != size:
        grey = cv2.resize(grey, (size.width, size.height), interpolation=cv2.INTER_AREA)
    return np.asarray(grey, np.uint8)


def measure(now: Luma, before: Luma) -> Flow:
    """Backward flow by DIS, both ways, with trust from their disagreement (DESIGN: M of the carry).

    now, before: uint8 [H, W] of one size. Pictures under 12 px a side carry no motion.
    Source: Kroeger et al., "Fast Optical Flow using Dense Inverse Search" (2016).
    """
    height, width = now.shape
    if min(height, width) < 12:
        return Flow(np.zeros((height, width, 2), np.float32), np.ones((height, width), np.float32))
    if min(height, width) >= HALVED_FROM:
        half = (width // 2, height // 2)
        small = measure(
            cv2.resize(now, half, interpolation=cv2.INTER_AREA),
            cv2.resize(before, half, interpolation=cv2.INTER_AREA),
        )
        return _enlarged(small, Size(height, width))
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    if width <= COARSE_BELOW:
        search.setFinestScale(0)
    backward: Plane = search.calc(now, before, None)
    forward: Plane = search.calc(before, now, None)
    return Flow(backward, trust(motion.unreliable(backward, forward)))


def trust(unreliable: NDArray[np.bool_]) -> Plane:
    """clip(gauss_0.8(+1 or -1), 0, 1): soft-edged, and 0 wherever the majority around is unreliable."""
    signed = np.where(unreliable, np.float32(-1), np.float32(1))
    return np.asarray(np.clip(cv2.GaussianBlur(signed, (0, 0), 0.8), 0, 1), np.float32)


def _enlarged(flow: Flow, size: Size) -> Flow:
    scale = np.array([size.width / flow.trust.shape[1], size.height / flow.trust.shape[0]], np.float32)
    to = (size.width, size.height)
    backward = cv2.resize(flow.backward, to, interpolation=cv2.INTER_LINEAR) * scale
    return Flow(backward, cv2.resize(flow.trust, to, interpolation=cv2.INTER_LINEAR))
