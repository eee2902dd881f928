"""Estimate: about how long a list takes and how large it gets, by a dream measured here, in a process of its own."""

from __future__ import annotations

import json
import multiprocessing
import signal
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from time import perf_counter
from types import TracebackType

from pipeline.errors import DreamError
from pipeline.farm.check import Ready, done_of
from pipeline.farm.jobs import KINDS
from pipeline.settings import Input, Settings
from pipeline.sources import SceneSource

PROBE = Input(size="256x144", end="6")  # of the drawn scene
PIXELS = 256 * 144
LOOKS = 4  # different ones that are measured; others are taken to be like the first
NO_MATTER = {"seed": 0, "strength": None, "saturation": None}  # of a look, to the time it takes
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


class Stopwatch:
    """Measures dreams in a process of its own, which begins to import torch at once and goes with its memory."""

    def __init__(self, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._line, theirs = context.Pipe()
        self._process = context.Process(target=_stopwatch, args=(theirs, threads), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Stopwatch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.join()
        self._line.close()

    def pace(self, kind: str, settings: Settings) -> Pace | None:
        """Of a few small frames; None where that cannot be."""
        told: Pace | None = None
        with suppress(EOFError, OSError):  # it died: too little memory
            self._line.send((kind, settings.model_dump(mode="json")))
            told = self._line.recv()
        return told


def estimates(jobs: Sequence[Ready], stopwatch: Stopwatch) -> list[Estimate]:
    """Of each job, what is left of it."""
    measured: dict[str, Pace | None] = {}
    return [_estimate(one, stopwatch, measured) for one in jobs]


def _estimate(one: Ready, stopwatch: Stopwatch, measured: dict[str, Pace | None]) -> Estimate:
    _, done = done_of(one)
    frames = max(one.clip.frames or 1, done)
    left = frames - done
    output, pixels = one.job.settings.output, one.clip.size.height * one.clip.size.width
    size = round(left * pixels * BITS / 8 * 2 ** ((16 - output.crf) / 6))
    tables = one.job.settings.model_dump(mode="json", include={"dream", "time"})
    tables["dream"] |= NO_MATTER
    look = json.dumps(tables, sort_keys=True)
    if look not in measured:
        first = next(iter(measured.values()), None)
        known = len(measured) >= LOOKS
        measured[look] = first if known else stopwatch.pace(one.job.kind, one.job.settings)
    pace = measured[look]
    firsts = min(left, 1 + left // SHOT)
    dreamed = one.dreamed_at.height * one.dreamed_at.width
    seconds = None
    if pace is not None:
        seconds = dreamed * (pace.first * firsts + pace.later * (left - firsts)) + LEAST * left
    return Estimate(frames, done, seconds, size)


def _stopwatch(line: Connection, threads: int) -> None:
    """The life of a process that measures."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who began it ends it
    with suppress(EOFError, OSError):
        import pipeline.dreamer  # noqa: F401, PLC0415  torch, while the list is being checked

        while True:
            kind, settings = line.recv()
            line.send(_measured(KINDS[kind].model_validate(settings), threads))


def _measured(settings: Settings, threads: int) -> Pace | None:
    from pipeline.dreamer import Dreamer  # noqa: PLC0415

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
