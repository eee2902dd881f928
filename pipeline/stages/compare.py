"""Compare: a source and its dream in one picture. uint8 RGB [H, W, 3] both, [H, W or 2 W, 3] out."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from pipeline.clip import Clip, Picture, Pixels, Size

How = Literal["none", "side", "wipe", "diff"]
GREY = 128
PERIOD = 4.0  # seconds in which a wipe goes there and back


def shape(clip: Clip, how: How) -> Clip:
    """The facts of a film that compares: twice as wide side by side, and plain 8-bit RGB."""
    if how == "none":
        return clip
    wide = Size(clip.size.height, clip.size.width * 2) if how == "side" else clip.size
    return replace(clip, size=wide, pixels=Pixels())


def compared(source: Picture, dream: Picture, how: How, seconds: float) -> Picture:
    """side: source left, dream right. wipe: a line between them goes across. diff: what was added, about grey."""
    if how == "side":
        return np.ascontiguousarray(np.concatenate([source, dream], 1))
    if how == "diff":
        added = dream.astype(np.int16) - source + GREY
        return np.asarray(np.clip(added, 0, 255), np.uint8)
    if how == "wipe":
        width = source.shape[1]
        line = round(width * (0.5 - 0.5 * np.cos(2 * np.pi * seconds / PERIOD)))
        shown = dream.copy()
        shown[:, line:] = source[:, line:]
        shown[:, max(0, line - 1) : line + 1] = 255
        return shown
    return dream
