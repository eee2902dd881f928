"""A moving scene whose motion is known exactly: two plates and a motion in, pictures [H, W, 3] and flow out.

Every frame is one resample of each plate, from the plate itself: nothing accumulates, and any two frames are
compared as well as neighbours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.clip import Flow, Picture, Plane, Size
from pipeline.errors import UsageError
from pipeline.scene.motion import Motion, Similarity

PURE = 1 / 512
"""Coverage nearer than this to 0 or 1 cannot be told from it in 8 bits."""


@dataclass(frozen=True)
class Plate:
    """A picture larger than the view's share of it, at a finer pitch, without detail too fine for the view.

    pixels: float32 [h, w, 3], 0..255; or [h, w, 4], premultiplied by the coverage 0..1 that comes last.
    pitch: the distance between its pixels, in the scene's unit. The point 0 is its middle.
    """

    pixels: NDArray[np.float32]
    pitch: float

    @property
    def half(self) -> complex:
        """Half its width and half its height, between the outermost pixel centres, in the scene's unit."""
        height, width = self.pixels.shape[:2]
        return complex(width - 1, height - 1) * self.pitch / 2

    @cached_property
    def coverage(self) -> Plane:
        """[h, w], 0..1."""
        return np.ascontiguousarray(self.pixels[..., 3])

    def columns_rows(self, from_view: Similarity, size: Size) -> tuple[Plane, Plane]:
        """Where on the plate each pixel of a view lies, in plate pixels; `from_view` takes it to the unit."""
        return _mapped(Similarity(1 / self.pitch, self.half / self.pitch) @ from_view, size)


@dataclass(frozen=True)
class Scene:
    """Frames 0 <= i < frames of a background plate, and a front plate moving over it.

    unit: the scene's unit of length, in pixels of the view. seed: of the sensor noise.
    All methods raise UsageError for a frame that is not in the scene.
    """

    background: Plate
    front: Plate
    motion: Motion
    size: Size
    unit: float
    rate: Fraction
    frames: int
    seed: int = 0

    def picture(self, index: int) -> Picture:
        """Frame `index`, RGB uint8 [H, W, 3]."""
        behind, front = self._from_view(index)
        plate = self.background
        shown = _cubic(plate.pixels, *plate.columns_rows(behind, self.size), cv2.BORDER_REFLECT_101)
        left, top, part = self._around_front(front)
        if part.width and part.height:
            columns, rows = self.front.columns_rows(front @ Similarity(1, complex(left, top)), part)
            sprite = _cubic(self.front.pixels, columns, rows, cv2.BORDER_CONSTANT)
            under = shown[top : top + part.height, left : left + part.width]
            under *= 1 - sprite[..., 3:]
            under += sprite[..., :3]
        if self.motion.noise:
            rng = np.random.default_rng((self.seed, index))
            shown += np.float32(self.motion.noise) * rng.standard_normal(shown.shape, np.float32)
        return np.rint(shown).clip(0, 255).astype(np.uint8)

    def flow(self, index: int, before: int | None = None) -> Flow:
        """From frame `index` back to frame `before`, the one before it when None; Flow.none for frame 0.

        Exact to float32, noise or no noise. Trust is 1 where the same surface is seen in both frames, and 0
        where it was hidden or outside the picture, or where the front's antialiased rim mixes it with another
        in either frame. A mixed pixel moves with whichever covers more of it.
        """
        if before is None:
            if index == 0:
                return Flow.none(self.size)
            before = index - 1
        behind_now, front_now = self._from_view(index)
        behind_then, front_then = self._from_view(before)
        behind_back, front_back = behind_then.inverse @ behind_now, front_then.inverse @ front_now
        now = self._coverage(front_now)
        # Where this frame's background was, seen through the front of that frame.
        then = self._coverage(front_then @ behind_back)
        is_front = now >= 0.5
        backward = np.where(
            is_front[..., None], _displaced(front_back, self.size), _displaced(behind_back, self.size)
        )
        clear = np.where(is_front, np.abs(1 - now) <= PURE, np.maximum(np.abs(now), np.abs(then)) <= PURE)
        trust = (clear & _inside(backward)).astype(np.float32)
        return Flow(backward, trust)

    def covered(self, index: int) -> Plane:
        """How much of each pixel of frame `index` is the front object: [H, W], 0..1."""
        return np.clip(self._coverage(self._from_view(index)[1]), 0, 1)

    def _coverage(self, from_view: Similarity) -> Plane:
        """[H, W]; bicubic, so beside the rim it goes a little below 0 and above 1, as the picture's does."""
        columns, rows = self.front.columns_rows(from_view, self.size)
        return _cubic(self.front.coverage, columns, rows, cv2.BORDER_CONSTANT)

    def _from_view(self, index: int) -> tuple[Similarity, Similarity]:
        """From the pixels of frame `index` to the background's plate and to the front's, in the unit."""
        if not 0 <= index < self.frames:
            raise UsageError(f"frame {index} is not in the scene, which has frames 0 to {self.frames - 1}")
        seconds = float(index / self.rate)
        middle = complex(self.size.width - 1, self.size.height - 1) / 2
        to_unit = Similarity(1 / self.unit, -middle / self.unit)
        return (
            self.motion.background.at(seconds).inverse @ to_unit,
            self.motion.front.at(seconds).inverse @ to_unit,
        )

    def _around_front(self, from_view: Similarity) -> tuple[int, int, Size]:
        """Left, top and size of the part of the view that can show the front plate, perhaps nothing."""
        half, onto = self.front.half, from_view.inverse
        corners = [onto(z) for z in (half, -half, half.conjugate(), -half.conjugate())]
        left, right = _span([z.real for z in corners], self.size.width)
        top, bottom = _span([z.imag for z in corners], self.size.height)
        return left, top, Size(bottom - top, right - left)


def _span(places: list[float], length: int) -> tuple[int, int]:
    """The pixels, first and one past the last, that lie about `places`, within 0..length."""
    first, end = math.floor(min(places)) - 2, math.ceil(max(places)) + 3
    return min(max(first, 0), length), min(max(end, 0), length)


def _mapped(onto: Similarity, size: Size) -> tuple[Plane, Plane]:
    """x and y, [H, W] each, of where `onto` takes each pixel centre."""
    a, b, shift = onto.turn_scale.real, onto.turn_scale.imag, onto.shift
    x, y = np.arange(size.width)[None, :], np.arange(size.height)[:, None]
    across = (a * x + shift.real) - b * y
    down = (b * x + shift.imag) + a * y
    return across.astype(np.float32), down.astype(np.float32)


def _displaced(back: Similarity, size: Size) -> Plane:
    """[H, W, 2]: how far `back` takes each pixel centre, worked out before rounding to float32."""
    return np.stack(_mapped(Similarity(back.turn_scale - 1, back.shift), size), axis=-1)


def _inside(backward: Plane) -> NDArray[np.bool_]:
    """[H, W]: whether the flow ends within the picture, that is between its outermost pixel centres."""
    height, width = backward.shape[:2]
    x = np.arange(width)[None, :] + backward[..., 0]
    y = np.arange(height)[:, None] + backward[..., 1]
    inside: NDArray[np.bool_] = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return inside


def _cubic(pixels: NDArray[np.float32], columns: Plane, rows: Plane, border: int) -> NDArray[np.float32]:
    """Bicubic samples. OpenCV before 5 rounds positions to 1/32 of a plate pixel, at most 1/64 off in the view."""
    sampled: NDArray[np.float32] = cv2.remap(pixels, columns, rows, cv2.INTER_CUBIC, borderMode=border)
    return sampled
