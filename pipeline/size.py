"""Sizes, (height, width), and what the user may write for one. Without numpy, so that a flag is checked at once."""

from __future__ import annotations

import re
from typing import NamedTuple

from pipeline.errors import UsageError


class Size(NamedTuple):
    """In pixels; written as WxH."""

    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


def fit(size: Size, how: str) -> Size:
    """`size` as `how` says: full, WxH, 0.5x, or max:960 (the longer side, never enlarged).

    A scaled size keeps its aspect and comes out even where it can, as video likes it.
    UsageError when `how` is none of these.
    """
    if how == "full":
        return size
    if match := re.fullmatch(r"(\d{1,5})x(\d{1,5})", how):
        exact = Size(int(match[2]), int(match[1]))
        if min(exact) > 0:
            return exact
    if match := re.fullmatch(r"max:(\d{1,5})", how):
        return _scaled(size, min(1.0, int(match[1]) / max(size)))
    if (match := re.fullmatch(r"(\d*\.?\d+)x", how)) and 0 < float(match[1]) <= 16:
        return _scaled(size, float(match[1]))
    raise UsageError(f"{how!r} is no size: expected WxH (640x360), a factor (0.5x), max:960 or full.")


def _scaled(size: Size, factor: float) -> Size:
    if factor == 1:
        return size
    return Size(*(max(2, 2 * round(side * factor / 2)) for side in size))
