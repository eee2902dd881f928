"""Estimate: about how long a list takes and how large it gets, by a dream measured here. Here torch is imported."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from time import perf_counter

import numpy as np

from pipeline.clip import Flow, Frame, Size, Tick
from pipeline.dreamer import Dreamer
from pipeline.errors import DreamError
from pipeline.farm.check import Ready, done_of

PROBE = Size(192, 256)
LOOKS = 4  # different ones that are measured; others are taken to be like the first
SHARE = 0.25  # of a whole dream that a carried frame costs, by and large
SHOT = 72  # frames of one, by and large
BITS = 0.9  # of a pixel of an encoded dream at crf 16, by and large; each 6 of crf halve it


@dataclass(frozen=True)
class Estimate:
    """seconds: of one worker; None where nothing could be measured. size: bytes of what is left to make."""

    frames: int
    done: int
    seconds: float | None
    size: int


def estimates(jobs: Sequence[Ready], threads: int) -> list[Estimate]:
    """Of each job, what is left of it."""
    measured: dict[str, float | None] = {}
    return [_estimate(one, threads, measured) for one in jobs]


def _estimate(one: Ready, threads: int, measured: dict[str, float | None]) -> Estimate:
    _, done = done_of(one)
    frames = max(one.clip.frames or 1, done)
    left = frames - done
    output, pixels = one.job.settings.output, one.clip.size.height * one.clip.size.width
    size = round(left * pixels * BITS / 8 * 2 ** ((16 - output.crf) / 6))
    dream = one.job.settings.dream
    look = json.dumps(dream.model_dump(mode="json", exclude={"guide", "mask", "strength"}), sort_keys=True)
    if look not in measured:
        few = len(measured) < LOOKS
        measured[look] = _measured(one, threads) if few else next(iter(measured.values()))
    pace = measured[look]
    whole = 1 + left // SHOT
    dreamed = one.dreamed_at.height * one.dreamed_at.width
    seconds = None if pace is None else pace * dreamed * (whole + SHARE * max(0, left - whole)) * (left > 0)
    return Estimate(frames, done, seconds, size)


def _measured(one: Ready, threads: int) -> float | None:
    """Seconds a pixel of a whole dream; None where it cannot be dreamed on a small picture."""
    settings = one.job.settings
    speed = settings.speed.model_copy(update={"threads": settings.speed.threads or threads})
    plain = settings.dream.model_copy(
        update={"dream_size": "full", "guide": (), "mask": (), "layers": _first(settings.dream.layers)}
    )
    picture = np.random.default_rng(0).integers(0, 256, (*PROBE, 3), np.uint8)
    tick = Tick(Frame(0, 0, Fraction(0), picture), Flow.none(PROBE))
    try:
        dreamer = Dreamer(settings.model_copy(update={"speed": speed, "dream": plain}))
        dreamer.dream(tick)  # the first of all takes longer
        began = perf_counter()
        dreamer.dream(tick)
        return (perf_counter() - began) / (PROBE.height * PROBE.width)
    except DreamError:
        return None


def _first(layers: str) -> str:
    """Of layers that change through time, the network's own instead."""
    return "" if any(sign in layers for sign in "(;[") else layers
