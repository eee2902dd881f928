"""A place to paint on: planes of float colour, [3 or 4, h, w], that know where they are in the view."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.scene.noise import Field

Planes = NDArray[np.float32]
"""float32, [3, h, w]: red, green and blue, 0..255. Channels first, because painting is arithmetic on planes."""

Colour = tuple[float, float, float]
"""RGB, 0..255."""


@dataclass(frozen=True)
class Canvas:
    """A piece of a plate and its place. Lengths are in the painter's own unit, y down.

    pixels: float32 [3, h, w] 0..255, or [4, h, w] with the coverage 0..1 last, to cut something out (colours
    are then premultiplied by it); painted in place. left, top: where the centre of the first pixel is.
    pitch: the distance between pixels. finest: the size of the finest detail the view can show.
    """

    pixels: Planes
    left: float
    top: float
    pitch: float
    finest: float

    @property
    def x(self) -> Field:
        """[1, w]"""
        return (self.left + self.pitch * np.arange(self.pixels.shape[2], dtype=np.float32))[None]

    @property
    def y(self) -> Field:
        """[h, 1]"""
        return (self.top + self.pitch * np.arange(self.pixels.shape[1], dtype=np.float32))[:, None]

    def rows(self, top: float, bottom: float) -> Canvas:
        """The rows from `top` to `bottom`, perhaps none: painting on them paints on this canvas."""
        first, end = self._nearest(top, self.top, -2), self._nearest(bottom, self.top, -2)
        return replace(self, pixels=self.pixels[:, first:end], top=self.top + first * self.pitch)

    def columns(self, left: float, right: float) -> Canvas:
        """The columns from `left` to `right`, perhaps none."""
        first, end = self._nearest(left, self.left, -1), self._nearest(right, self.left, -1)
        return replace(self, pixels=self.pixels[:, :, first:end], left=self.left + first * self.pitch)

    def _nearest(self, place: float, origin: float, axis: int) -> int:
        return int(np.clip(np.rint((place - origin) / self.pitch), 0, self.pixels.shape[axis]))

    def lay(self, colour: Colour | Planes, cover: ArrayLike = 1.0) -> None:
        """Paint `colour`, one or [3, h, w], as thick as `cover` (0..1, broadcast to [h, w])."""
        cover = np.asarray(cover, np.float32)
        self.pixels[:3] += cover * (planes(colour) - self.pixels[:3])
        if len(self.pixels) == 4:
            self.pixels[3] += cover * (1 - self.pixels[3])


def mix(a: Colour | Planes, b: Colour | Planes, t: ArrayLike) -> Planes:
    """[3, h, w]: `a` where t ([h, w]) is 0, `b` where it is 1."""
    first = planes(a)
    mixed: Planes = np.asarray(t, np.float32) * (planes(b) - first) + first
    return mixed


def planes(colour: Colour | Planes) -> Planes:
    """One colour as [3, 1, 1]; planes as they are."""
    return colour if isinstance(colour, np.ndarray) else np.array(colour, np.float32)[:, None, None]
