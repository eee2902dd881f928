"""Estimate: about how long a list takes and how large it gets, by a dream measured here. Here torch is imported."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from time import perf_counter

from pipeline.dreamer import Dreamer
from pipeline.errors import DreamError
from pipeline.farm.check import Ready, done_of
from pipeline.settings import Input
from pipeline.sources import SceneSource

PROBE = Input(size="256x144", end="6")  # of the drawn scene
PIXELS = 256 * 144
LOOKS = 4  # different ones that are measured; others are taken to be like the first
SHOT = 72  # frames of one, by and large
BITS = 0.9  # of a pixel of an encoded dream at crf 16, by and large; each 6 of crf halve it
LEAST = 0.005  # seconds of any frame


@dataclass(frozen=True)
class Pace:
    """Seconds a pixel of a shot's first frame, and of each later one."""

    first: float
    later: float


@dataclass(frozen=True)
class Estimate:
    """seconds: of one worker; None where nothing could be measured. size: bytes of what is left to make."""

    frames: int
    done: int
    seconds: float | None
    size: int


def estimates(jobs: Sequence[Ready], threads: int) -> list[Estimate]:
    """Of each job, what is left of it."""
    measured: dict[str, Pace | None] = {}
    return [_estimate(one, threads, measured) for one in jobs]


def _estimate(one: Ready, threads: int, measured: dict[str, Pace | None]) -> Estimate:
    _, done = done_of(one)
    frames = max(one.clip.frames or 1, done)
    left = frames - done
    output, pixels = one.job.settings.output, one.clip.size.height * one.clip.size.width
    size = round(left * pixels * BITS / 8 * 2 ** ((16 - output.crf) / 6))
    tables = one.job.settings.model_dump(mode="json", include={"dream", "time"})
    look = json.dumps({**tables, "strength": None}, sort_keys=True)
    if look not in measured:
        measured[look] = _measured(one, threads) if len(measured) < LOOKS else next(iter(measured.values()))
    pace = measured[look]
    firsts = min(left, 1 + left // SHOT)
    dreamed = one.dreamed_at.height * one.dreamed_at.width
    seconds = None
    if pace is not None:
        seconds = dreamed * (pace.first * firsts + pace.later * (left - firsts)) + LEAST * left
    return Estimate(frames, done, seconds, size)


def _measured(one: Ready, threads: int) -> Pace | None:
    """By dreaming on a few small frames; None where that cannot be."""
    settings = one.job.settings
    speed = settings.speed.model_copy(update={"threads": settings.speed.threads or threads, "lanes": "1"})
    plain = {"dream_size": "full", "guide": (), "mask": (), "layers": _first(settings.dream.layers)}
    dream = settings.dream.model_copy(update=plain)
    times = [perf_counter()]
    try:
        dreamer = Dreamer(settings.model_copy(update={"speed": speed, "dream": dream}))
        with closing(dreamer.walk(SceneSource.of(PROBE))) as frames:
            for _ in frames:
                times.append(perf_counter())
    except DreamError:
        return None
    return Pace((times[1] - times[0]) / PIXELS, (times[-1] - times[2]) / (len(times) - 3) / PIXELS)


def _first(layers: str) -> str:
    """Of layers that change through time, the network's own instead."""
    return "" if any(sign in layers for sign in "(;[") else layers
