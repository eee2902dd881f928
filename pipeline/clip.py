"""Clip, Frame, Flow, Tick, Segment: what flows between the rooms.

Sizes are (height, width). Pictures are RGB uint8 [H, W, 3]. Time is exact: a Fraction of seconds,
or an integer pts in the clip's time_base. Flow points backward: the pixel now at (x, y) was at
(x + dx, y + dy) in the frame before.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.size import Size, fit

__all__ = [
    "WHOLE", "Clip", "Deep", "Flow", "Frame", "Picture", "Pixels", "Plane", "Segment", "Shot", "Size", "Tick",
    "Transfer", "fit",
]  # fmt: skip

Picture = NDArray[np.uint8]
"""RGB, uint8, [H, W, 3]."""

Plane = NDArray[np.float32]
"""float32, [H, W]; a flow field is [H, W, 2], dx first."""


Transfer = Literal["sdr", "pq", "hlg", "linear"]
"""How values stand for light: as in SDR video, by SMPTE ST 2084, by ARIB STD-B67, or in proportion."""


@dataclass(frozen=True)
class Pixels:
    """What a source's pixels hold beyond 8 bits of red, green and blue.

    bits: of a channel; 32 is float. alpha: it has transparency. transfer: of its values. primaries: their number
    in ISO/IEC 23091-2 (1: bt709, 9: bt2020). mastering, light: an HDR film's own display, G(x,y)B(x,y)R(x,y)WP(x,y)
    L(max,min) in units of 0.00002 and 0.0001 cd/m2, and its light level, MaxCLL,MaxFALL in cd/m2.
    """

    bits: int = 8
    alpha: bool = False
    transfer: Transfer = "sdr"
    primaries: int = 1
    mastering: str = ""
    light: str = ""

    @property
    def hdr(self) -> bool:
        """Brighter than SDR can be."""
        return self.transfer in ("pq", "hlg")


@dataclass(frozen=True)
class Clip:
    """The facts of a source, upright (rotation applied) and as it will be dreamed.

    name: what to call it in messages. frames: how many there will be, None when nobody can say.
    rate: mean frames per second. sample_aspect: width of a pixel over its height. pixels: what they hold.
    notes: what the user should know of the source, a line each.
    """

    name: str
    size: Size
    time_base: Fraction
    rate: Fraction
    frames: int | None
    sample_aspect: Fraction = Fraction(1)
    pixels: Pixels = Pixels()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Flow:
    """How the picture moved since the frame before, and where that can be trusted.

    backward: float32 [H, W, 2], pixels. trust: float32 [H, W], 0 (came into view, or a guess) to 1.
    cut: nothing connects this frame to the one before; trust is then 0 everywhere. onward: how the frame before
    moves to this one, where that was asked for: as a flow of its own, whose `backward` leads on to this frame.
    """

    backward: Plane
    trust: Plane
    cut: bool = False
    onward: Flow | None = None

    @staticmethod
    def none(size: Size) -> Flow:
        """Of a frame with nothing before it: the first, or the first after a cut."""
        return Flow(np.zeros((*size, 2), np.float32), np.zeros(size, np.float32), cut=True)

    @staticmethod
    def alone(size: Size) -> Flow:
        """Of a frame that is to dream for itself, though the film does not cut there."""
        return Flow(np.zeros((*size, 2), np.float32), np.zeros(size, np.float32))

    @staticmethod
    def still(size: Size) -> Flow:
        """Of a frame in which nothing has moved."""
        return Flow(np.zeros((*size, 2), np.float32), np.ones(size, np.float32))


@dataclass(frozen=True, eq=False)
class Deep:
    """A picture at the full depth of its source, where 8 bits of RGB cannot hold it.

    values: [H, W, 3], uint16 0..65535, or float32 of any value. alpha: float32 [H, W, 1], 0..1, None where there is
    none. transfer: of the values, as of Pixels. premultiplied: the values are alpha times the colour already.
    header: what its file says of it, for the file that is written.
    """

    values: NDArray[np.uint16] | NDArray[np.float32]
    alpha: NDArray[np.float32] | None = None
    transfer: str = "sdr"
    premultiplied: bool = False
    header: dict[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture and its exact time.

    index: 0, 1, 2 ... of the frames being dreamed. pts: in the clip's time_base. time: seconds since the
    first frame of the source. number: a numbered sequence's own frame number. place: in the source's own count, from
    0 whatever --start and --every leave out; None: the index.
    flow: known beforehand by some sources (a zoom, a drawn scene); None where it has to be measured.
    deep: the same picture at full depth, where that was asked for; `picture` is then what the network sees of it.
    """

    index: int
    pts: int
    time: Fraction
    picture: Picture
    number: int | None = None
    flow: Flow | None = None
    deep: Deep | None = None
    place: int | None = None

    @property
    def size(self) -> Size:
        """Of its picture."""
        return Size(*self.picture.shape[:2])


@dataclass(frozen=True, eq=False)
class Tick:
    """A frame that knows its motion: what the dream takes one step on.

    past: what was seen up to it, as far as the motion of the next depends on that; it is kept with what is carried.
    """

    frame: Frame
    flow: Flow
    past: Plane | None = None


@dataclass(frozen=True)
class Shot:
    """A chain of frames between two cuts, first <= index < end; end None: as long as the film goes on.

    A lane dreams it in order. A film whose cuts are found as they come is one Shot to begin with.
    """

    first: int = 0
    end: int | None = None

    @property
    def before(self) -> Segment | None:
        """Something that ends where this begins; None at the start of the film."""
        return Segment(0, self.first, 0, 0) if self.first else None

    def holds(self, index: int) -> bool:
        """Whether a frame, by its index, is one of its own."""
        return self.first <= index and (self.end is None or index < self.end)


WHOLE = Shot()


@dataclass(frozen=True)
class Segment:
    """At most two seconds of a shot, one file on disk: frames first <= index < end.

    pts and last_pts are of its first and last frame, in the clip's time_base.
    """

    first: int
    end: int
    pts: int
    last_pts: int
