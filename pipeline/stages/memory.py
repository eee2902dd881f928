"""Memory: does the film still show what it showed of late, moved along? Flow in, Flow with less trust out.

A dissolve has no frame that differs much from the one before, so flow follows it all the way, and with the flow goes
the dream of a scene that is no longer there. What is remembered is slower than that.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from pipeline.clip import Flow, Plane
from pipeline.ops import motion

SPAN = 40  # frames: what is remembered is a running mean over about so many
YIELDING = 12  # frames: where something else is seen, over so many
COARSE = 5  # px of a thumb: what is finer is lost anyway when it is moved along again and again
AROUND = 25  # px of a thumb: the side of the squares that are compared
GRAIN = 0.1  # mean square of a relief: what has less has nothing to be known by
LOST, KEPT = 0.6, 0.8  # alike so far: not the same thing any more, and the same without doubt


def impression(relief: Plane) -> Plane:
    """What can be remembered of a frame's relief, [h, w]."""
    return np.asarray(cv2.blur(relief, (COARSE, COARSE)), np.float32)


def recalled(flow: Flow, now: Plane, memory: Plane) -> tuple[Flow, Plane]:
    """The flow with less trust where another thing is seen than was remembered, and what to remember now.

    now, memory: of one size, [h, w]; memory is what was given with the frame before, or that frame's impression
    after a cut. It gives way slower than trust falls, so a dissolve of any length takes about as much of the dream.
    """
    size, whole = now.shape[::-1], flow.trust.shape[::-1]
    scale = np.array(size, np.float32) / np.array(whole, np.float32)
    moved = cv2.resize(flow.backward, size, interpolation=cv2.INTER_LINEAR) * scale
    memory = motion.sample(memory, motion.follow(moved))
    same = np.clip((alike(now, memory) - LOST) / (KEPT - LOST), 0, 1)
    hidden = 1 - cv2.resize(flow.trust, size, interpolation=cv2.INTER_LINEAR)
    memory = memory + np.maximum(hidden, np.maximum(1 / SPAN, (1 - same) / YIELDING)) * (now - memory)
    if same.min() == 1:
        return flow, memory
    same = cv2.resize(same, whole, interpolation=cv2.INTER_LINEAR)
    onward = flow.onward and replace(flow.onward, trust=flow.onward.trust * same)
    return replace(flow, trust=flow.trust * same, onward=onward), memory


def alike(one: Plane, other: Plane) -> Plane:
    """Correlation of two impressions around every pixel, -1..1, [h, w]; 1 where neither has anything in it."""
    both, first, second = (
        cv2.blur(product, (AROUND, AROUND)) for product in (one * other, one * one, other * other)
    )
    return np.asarray((both + GRAIN) / (np.sqrt(first * second) + GRAIN), np.float32)
