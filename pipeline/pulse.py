"""Pulse: the beats and the loudness of a sound, as functions of time: seconds in, 0..1 out.

    beat    1 at a beat and for HOLD seconds after it, then half as much every HALF seconds, until the next one
    level   how loud it is, 1 as loud as its loudest hundredth

What is heard is found by `pipeline/beats.py`; a steady tempo needs no sound.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

HOLD = 0.05  # s: a film of 20 frames a second or more shows every beat in full
HALF = 0.1  # s
CLOSE = 1e-6  # s: a frame at the very time of a beat shows it, however its time was rounded


class Beats(Protocol):
    """Moments in time."""

    def until(self, seconds: float) -> tuple[int, float]:
        """How many have been, and how long ago the last was, seconds (inf: none)."""
        ...


@dataclass(frozen=True)
class Steady:
    """So many beats a minute, the first at `first` seconds."""

    bpm: float
    first: float = 0.0

    def until(self, seconds: float) -> tuple[int, float]:
        since = seconds - self.first
        if since < 0:
            return 0, math.inf
        count = math.floor(since * self.bpm / 60)
        return count + 1, max(0.0, since - count * 60 / self.bpm)


@dataclass(frozen=True)
class Found:
    """Beats at `onsets`, seconds, rising."""

    onsets: Sequence[float]

    def until(self, seconds: float) -> tuple[int, float]:
        count = bisect_right(self.onsets, seconds)
        return count, seconds - self.onsets[count - 1] if count else math.inf


@dataclass(frozen=True)
class Pulse:
    """What schedules hear. beats: of a tempo, or found. levels: 0..1, `rate` of them a second; empty: unknown.

    origin: the sound's own time at the film's first frame, seconds. told: what it is, a line each.
    """

    beats: Beats | None = None
    levels: Sequence[float] = field(default=(), repr=False)
    rate: float = 1.0
    origin: float = 0.0
    told: tuple[str, ...] = ()

    def beat(self, seconds: float) -> float:
        """At a time of the film."""
        age = self._until(seconds)[1] - CLOSE
        return 1.0 if age <= HOLD + CLOSE else float(0.5 ** ((age - HOLD) / HALF))

    def level(self, seconds: float) -> float:
        """At a time of the film; silence before the sound begins and after it has ended."""
        place = (seconds + self.origin) * self.rate
        before = math.floor(place)
        if not -1 < place < len(self.levels):
            return 0.0
        low = self.levels[before] if before >= 0 else 0.0
        high = self.levels[before + 1] if before + 1 < len(self.levels) else 0.0
        return low + (place - before) * (high - low)

    def count(self, seconds: float) -> int:
        """Beats that have been by a time of the film, from its sound's own beginning on."""
        return self._until(seconds)[0]

    def _until(self, seconds: float) -> tuple[int, float]:
        assert self.beats is not None
        return self.beats.until(seconds + self.origin + CLOSE)
