"""Exposure: the light, contrast and detail of what a camera sees, metered along a dive, held to its start's.

Masters are held as wholes, while a frame shows a part of one: what is left is small and slow, and is told by time
alone, so that frames stay independent of each other.
"""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.clip import Picture
from pipeline.dive.windows import Windows

EVERY = 0.25  # doublings, frame widths of pan or quarter turns from one reading to the next
AT_ONCE = 1e-5  # seconds: no frame lies between
ROUNDS = 3  # readings, each through what the one before came to: clipping and filters take their part
GAIN, SHIFT, DETAIL = (0.7, 1.4), 0.15, (0.6, 1.6)  # no frame is changed further than that
SLIGHT = 0.01  # a contrast, 0..1, below which there is nothing to hold


class Tone(NamedTuple):
    """What a frame is given: gain x + offset, its finest detail times `detail`. Values are 0..1."""

    gain: float = 1.0
    offset: float = 0.0
    detail: float = 1.0


class Reading(NamedTuple):
    """Of a frame, 0..1: mean and standard deviation of its values, rms of its grey picture's Laplacian."""

    mean: float
    contrast: float
    detail: float

    @staticmethod
    def of(picture: Picture) -> Reading:
        """Of a picture [H, W, 3]."""
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
        laplacian = float(np.square(cv2.Laplacian(grey, cv2.CV_32F)).mean()) ** 0.5
        return Reading(float(picture.mean()) / 255, float(picture.std()) / 255, laplacian / 255)


@dataclass(frozen=True)
class Exposure:
    """The tone at each of some times, seconds, ascending; between them it runs straight. None: as it is."""

    times: tuple[float, ...] = ()
    tones: tuple[Tone, ...] = ()

    def at(self, seconds: float) -> Tone:
        """The tone at a time, seconds."""
        if not self.times:
            return Tone()
        after = bisect(self.times, seconds, 1, len(self.times) - 1)
        near = slice(after - 1, after + 1)
        rows = zip(*self.tones[near], strict=True)
        return Tone(*(float(np.interp(seconds, self.times[near], row)) for row in rows))


PLAIN = Exposure()


def metered(windows: Windows, look: Callable[[float, Tone], Picture], threads: int = 1) -> Exposure:
    """The exposure that holds a dive to what it shows where it is shallowest.

    look: the frame at a time, with a tone. It may be called from several threads.
    """
    times = _moments(windows)
    tones = [Tone()] * len(times)
    start = int(np.argmin([windows.path.depth_at(time) for time in times]))
    with ThreadPoolExecutor(threads, thread_name_prefix="meter") as pool:
        try:
            for _ in range(ROUNDS):
                readings = list(pool.map(lambda time, tone: Reading.of(look(time, tone)), times, tones))
                tones = [_nearer(*own, readings[start]) for own in zip(tones, readings, strict=True)]
        except KeyboardInterrupt:  # else those that wait for their turn would all be looked at first
            pool.shutdown(cancel_futures=True)
            raise
    return Exposure(tuple(times), tuple(tones))


def _nearer(tone: Tone, seen: Reading, wanted: Reading) -> Tone:
    """The tone that brings what was seen through `tone` to what is wanted, within GAIN, SHIFT and DETAIL."""
    if min(seen.contrast, wanted.contrast) < SLIGHT:
        return tone
    more = wanted.contrast / seen.contrast
    gain = _within(tone.gain * more, GAIN)
    pivot = (seen.mean - tone.offset) / tone.gain  # of what the masters show
    middle = gain * pivot + tone.offset + (wanted.mean - seen.mean) - (gain - tone.gain) * pivot
    shown = _within(middle, (pivot - SHIFT, pivot + SHIFT))
    finer = wanted.detail / max(seen.detail, SLIGHT * wanted.detail) * tone.gain / gain
    return Tone(gain, shown - gain * pivot, _within(tone.detail * finer, DETAIL))


def _within(value: float, bounds: tuple[float, float]) -> float:
    return min(max(value, bounds[0]), bounds[1])


def _moments(windows: Windows) -> list[float]:
    """Times at even distances along the way, and both sides of every hand-over from one master to the next."""
    if windows.only:
        return sorted(set(windows.only))
    path = windows.path
    zooms, turns = np.abs(np.log2(np.abs(path.scales))), np.abs(np.angle(path.scales)) * 2 / math.pi
    steps: NDArray[np.float64] = zooms + turns + np.abs(path.offsets)
    gone = np.concatenate(([0.0], np.cumsum(steps)))
    count = min(
        math.ceil(gone[-1] / EVERY), path.moves.last
    )  # more than there are frames would be seen by none
    marks = np.linspace(0, gone[-1], max(count, 1) + 1)
    times = [float(time) for time in np.unique(np.interp(marks, gone, path.times))]
    return sorted({*times, *chain.from_iterable(_hand_over(windows, *pair) for pair in pairwise(times))})


def _hand_over(windows: Windows, before: float, after: float) -> tuple[float, float]:
    """Two times between these, one upon the other where the master changes."""
    if windows.level(before) != windows.level(after):
        while after - before > AT_ONCE:
            middle = (before + after) / 2
            same = windows.level(middle) == windows.level(before)
            before, after = (middle, after) if same else (before, middle)
    return before, after
