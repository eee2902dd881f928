"""Measure: a few numbers of each frame as it goes by, cheap beside dreaming it. Dreamt in, Row out."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

from pipeline import metrics
from pipeline.clip import Flow, Picture, Plane, Size
from pipeline.dreamt import Dreamt
from pipeline.ops import motion

SAMPLES = 20_000
"""Pixels of a frame that are judged, about; larger frames are judged on a regular grid of them."""

HALVED_FROM = 400  # px wide: motion over several frames is added up at half size from here on


class Row(NamedTuple):
    """One frame's numbers; nan where there was nothing to measure. What each is: `COLUMNS`."""

    frame: int
    number: int
    time: float
    cut: bool
    f1: float
    f8: float
    strength: float
    sharpness: float
    clipped: float
    source_clipped: float
    trust: float
    steps: int
    cost: float
    seconds: float


COLUMNS: dict[str, tuple[str, str]] = {
    "frame": ("index", "of the frames dreamed, from 0"),
    "number": ("number", "of a numbered sequence's own count; the index for films"),
    "time": ("s", "since the first frame of the source"),
    "cut": ("0 or 1", "nothing connects this frame to the one before"),
    "f1": ("0 to 2", "flicker against the frame before, along the motion, where it is trusted"),
    "f8": ("0 to 2", f"flicker against {metrics.LONG} frames before, every {metrics.LONG} frames of a shot"),
    "strength": ("grey levels rms", "of the dream layer at dream size, before --strength"),
    "sharpness": ("grey levels squared", "energy of the dream layer's detail finer than about 4 px"),
    "clipped": ("share", "of written values within 1 of black or white"),
    "source_clipped": ("share", "of the source's values within 1 of black or white"),
    "trust": ("share", "of the picture whose motion since the frame before is trusted"),
    "steps": ("steps per octave", "taken"),
    "cost": ("share", "of the steps of a full dream"),
    "seconds": ("s", "from the frame dreamed before to this one, without the measuring"),
}
"""Name -> unit and meaning."""


def stride_of(size: Size) -> int:
    """Each how-many-th pixel of each how-many-th row is judged in a frame of this size."""
    return max(1, math.ceil(math.sqrt(size.height * size.width / SAMPLES)))


class Measure:
    """Fed the frames of a shot in order, then those of the next.

    before: D of the frame before the first. start: where its shot began.
    """

    def __init__(self, before: Plane | None = None, start: int = 0) -> None:
        self._before, self._start = before, start
        self._trail: Trail | None = None

    def __call__(self, dreamt: Dreamt, seconds: float) -> Row:
        dream = np.ascontiguousarray(dreamt.dream)
        frame, shape = dreamt.frame, Size(*dream.shape[:2])
        if dreamt.cut:
            self._before, self._start, self._trail = None, frame.index, None
        f1 = math.nan
        if self._before is not None and self._before.shape == dream.shape:
            f1 = metrics.flicker(dream, self._before, dreamt.flow, stride_of(shape))
        f8 = self._long(dream, dreamt)
        self._before = dream
        sharpness = metrics.sharpness(dream, stride_of(shape))
        trust = math.nan if dreamt.cut else dreamt.trust
        shown, source = (_sampled(picture) for picture in (dreamt.picture, frame.picture))
        return Row(
            frame.index, frame.index if frame.number is None else frame.number, float(frame.time), dreamt.cut,
            f1, f8, dreamt.rms, sharpness, metrics.clipped(shown), metrics.clipped(source),
            trust, dreamt.steps, metrics.cost(dreamt.steps, dreamt.iterations), seconds,
        )  # fmt: skip

    def _long(self, dream: Plane, dreamt: Dreamt) -> float:
        """F8, on every eighth frame of a shot."""
        if self._trail is not None:
            self._trail.go_on(dreamt.flow)
        if (dreamt.frame.index - self._start) % metrics.LONG:
            return math.nan
        trail, self._trail = self._trail, Trail(dream)
        if trail is None or trail.dream.shape != dream.shape:
            return math.nan
        return metrics.flicker(dream, trail.dream, trail.flow(), stride_of(Size(*dream.shape[:2])))


class Trail:
    """Motion back to one frame, added up while frames go by. dream: D of that frame."""

    def __init__(self, dream: Plane) -> None:
        self.dream = dream
        height, width = dream.shape[:2]
        self._scale = 2 if width >= HALVED_FROM else 1
        self._small = (max(1, width // self._scale), max(1, height // self._scale))
        self._backward: Plane | None = None
        self._trust: Plane | None = None

    def go_on(self, flow: Flow) -> None:
        """One frame further: back along `flow`, then along what was added up."""
        step, trust = flow.backward, flow.trust
        if self._scale > 1:
            step = cv2.resize(step, self._small, interpolation=cv2.INTER_AREA) / np.float32(self._scale)
            trust = cv2.resize(trust, self._small, interpolation=cv2.INTER_AREA)
        if self._backward is None or self._trust is None:
            self._backward, self._trust = step, trust
            return
        there = motion.follow(step)
        self._backward = step + motion.sample(self._backward, there)
        self._trust = np.minimum(trust, motion.sample(self._trust, there))

    def flow(self) -> Flow:
        """From the last frame back to the one this began with, at dream size."""
        assert self._backward is not None
        assert self._trust is not None
        if self._scale == 1:
            return Flow(self._backward, self._trust)
        to = (self.dream.shape[1], self.dream.shape[0])
        backward = cv2.resize(self._backward, to, interpolation=cv2.INTER_LINEAR) * np.float32(self._scale)
        return Flow(backward, cv2.resize(self._trust, to, interpolation=cv2.INTER_LINEAR))


def _sampled(picture: Picture) -> Plane:
    stride = stride_of(Size(*picture.shape[:2]))
    return np.asarray(picture[::stride, ::stride].astype(np.float32) / 255)
