"""Clip, Frame, Flow, Tick, Segment: what flows between the rooms.

Sizes are (height, width). Pictures are RGB uint8 [H, W, 3]. Time is exact: a Fraction of seconds,
or an integer pts in the clip's time_base. Flow points backward: the pixel now at (x, y) was at
(x + dx, y + dy) in the frame before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UsageError

Picture = NDArray[np.uint8]
"""RGB, uint8, [H, W, 3]."""

Plane = NDArray[np.float32]
"""float32, [H, W]; a flow field is [H, W, 2], dx first."""


class Size(NamedTuple):
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


@dataclass(frozen=True)
class Clip:
    """The facts of a source, upright (rotation applied) and as it will be dreamed.

    name: what to call it in messages. frames: how many there will be, None when nobody can say.
    rate: mean frames per second. sample_aspect: width of a pixel over its height.
    """

    name: str
    size: Size
    time_base: Fraction
    rate: Fraction
    frames: int | None
    sample_aspect: Fraction = Fraction(1)


@dataclass(frozen=True, eq=False)
class Flow:
    """How the picture moved since the frame before, and where that can be trusted.

    backward: float32 [H, W, 2], pixels. trust: float32 [H, W], 0 (came into view, or a guess) to 1.
    cut: nothing connects this frame to the one before; trust is then 0 everywhere.
    """

    backward: Plane
    trust: Plane
    cut: bool = False

    @staticmethod
    def none(size: Size) -> Flow:
        """Of a frame with nothing before it: the first, or the first after a cut."""
        zero = np.zeros(size, np.float32)
        return Flow(np.zeros((*size, 2), np.float32), zero, cut=True)


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture and its exact time.

    index: 0, 1, 2 ... of the frames being dreamed. pts: in the clip's time_base. time: seconds since the
    first frame of the source. number: a numbered sequence's own frame number.
    flow: known beforehand by some sources (a zoom, a drawn scene); None where it has to be measured.
    """

    index: int
    pts: int
    time: Fraction
    picture: Picture
    number: int | None = None
    flow: Flow | None = None

    @property
    def size(self) -> Size:
        return Size(*self.picture.shape[:2])


@dataclass(frozen=True, eq=False)
class Tick:
    """A frame that knows its motion: what the dream takes one step on."""

    frame: Frame
    flow: Flow


@dataclass(frozen=True)
class Segment:
    """At most two seconds of a shot, one file on disk: frames first <= index < end.

    pts and last_pts are of its first and last frame, in the clip's time_base.
    """

    first: int
    end: int
    pts: int
    last_pts: int
