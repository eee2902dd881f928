"""Estimate: about how long a list takes and how large it gets, by a dream measured here, in a process of its own.

Looks are measured once and the paces kept; those of a list that are new, in the seconds there are for it.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import platform
import signal
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from time import monotonic, perf_counter, process_time
from types import TracebackType

from pipeline.errors import DreamError
from pipeline.farm.check import Ready, done_of
from pipeline.farm.hand import versions
from pipeline.farm.jobs import KINDS, Job
from pipeline.files import cache, whole
from pipeline.settings import Input, Settings
from pipeline.sources import SceneSource

PROBE = Input(size="256x144", end="5")  # of the drawn scene
PIXELS = 256 * 144
LOOKS = 4  # new ones that are measured at a time; others are taken to be like the first
NO_MATTER = {"seed": 0, "strength": None, "saturation": None}  # of a look, to the time it takes
SHOT = 72  # frames of one, by and large
BITS = 0.9  # of a pixel of an encoded dream at crf 16, by and large; each 6 of crf halve it
LEAST = 0.005  # seconds of any frame
TIME = 8.0  # seconds that new looks are measured in, once it is known what there is to make
KEPT = 1000  # paces, the newest


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
    """Measures dreams in a process of its own, which goes with its memory. kept: a file of paces known by look."""

    def __init__(self, threads: int, kept: Path | None = None) -> None:
        self.threads, self.kept = threads, kept or cache() / "paces.json"
        self._known = _paces(self.kept)
        self._running: tuple[BaseProcess, Connection] | None = None
        self._left, self._ends = LOOKS, 0.0

    def __enter__(self) -> Stopwatch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._running:
            process, line = self._running
            process.kill()
            process.join()
            line.close()

    def expect(self, jobs: Sequence[Job]) -> None:
        """Begin to load what measuring takes, if any of these looks is new."""
        if not self._running and any(self._key(job.kind, job.settings) not in self._known for job in jobs):
            context = multiprocessing.get_context("spawn")
            line, theirs = context.Pipe()
            process = context.Process(target=_stopwatch, args=(theirs, self.threads), daemon=True)
            process.start()
            theirs.close()
            self._running = process, line

    def pace(self, kind: str, settings: Settings) -> Pace | None:
        """Of a few small frames; None where that cannot be, or there was no time for it."""
        key = self._key(kind, settings)
        if key in self._known:
            return Pace(*self._known[key])
        if not self._running or not self._left:
            return None
        self._left, line = self._left - 1, self._running[1]
        self._ends = self._ends or monotonic() + TIME
        with suppress(EOFError, OSError):  # it died: too little memory
            line.send((kind, settings.model_dump(mode="json")))
            if line.poll(max(0, self._ends - monotonic())):
                told: Pace | None = line.recv()
                if told:
                    self._keep(key, told)
                return told
        self._left = 0  # it would be taken for the next one's
        return None

    def _key(self, kind: str, settings: Settings) -> str:
        told = [kind, look_of(settings), self.threads, platform.node(), versions()]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:24]

    def _keep(self, key: str, pace: Pace) -> None:
        self._known[key] = (pace.first, pace.later)
        newest = dict(list(self._known.items())[-KEPT:])
        with suppress(OSError, DreamError), whole(self.kept) as part:  # then it is measured again
            part.write_text(json.dumps(newest), encoding="utf-8")


def _paces(path: Path) -> dict[str, tuple[float, float]]:
    """Those that were kept; none where they cannot be read."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return {str(key): (float(first), float(later)) for key, (first, later) in told.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def look_of(settings: Settings) -> str:
    """What of settings costs time."""
    tables = settings.model_dump(mode="json", include={"dream", "time"})
    tables["dream"] |= NO_MATTER
    return json.dumps(tables, sort_keys=True)


def estimates(jobs: Sequence[Ready], stopwatch: Stopwatch | None) -> list[Estimate]:
    """Of each job, what is left of it. stopwatch: None where no time is asked for."""
    measured: dict[str, Pace | None] = {}
    return [_estimate(one, stopwatch, measured) for one in jobs]


def _estimate(one: Ready, stopwatch: Stopwatch | None, measured: dict[str, Pace | None]) -> Estimate:
    _, done = done_of(one)
    frames = max(one.clip.frames or 1, done)
    left = frames - done
    output, pixels = one.job.settings.output, one.clip.size.height * one.clip.size.width
    size = round(left * pixels * BITS / 8 * 2 ** ((16 - output.crf) / 6))
    look = look_of(one.job.settings)
    if stopwatch and left and look not in measured:
        first = next((pace for pace in measured.values() if pace), None)
        measured[look] = stopwatch.pace(one.job.kind, one.job.settings) or first
    pace = measured.get(look)
    firsts = min(left, 1 + left // SHOT)
    dreamed = one.dreamed_at.height * one.dreamed_at.width
    seconds = None if left else 0.0
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
    from pipeline.farm import loaded  # noqa: PLC0415

    speed = settings.speed.model_copy(update={"threads": settings.speed.threads or threads, "lanes": "1"})
    plain = {"dream_size": "full", "guide": (), "mask": (), "layers": _first(settings.dream.layers)}
    dream = settings.dream.model_copy(update=plain)
    try:
        network = loaded.network(dream.model, dream.weights)
        dreamer = Dreamer(settings.model_copy(update={"speed": speed, "dream": dream}), network=network)
        clock = process_time if dreamer.device.type == "cpu" else perf_counter  # whatever else runs here
        scene = SceneSource.of(PROBE)
        times = [clock()]
        with closing(dreamer.walk(scene)) as frames:
            for _ in frames:
                times.append(clock())
    except DreamError:
        return None
    return Pace((times[1] - times[0]) / PIXELS, (times[-1] - times[2]) / (len(times) - 3) / PIXELS)


def _first(layers: str) -> str:
    """Of layers that change through time, the network's own instead."""
    return "" if any(sign in layers for sign in "(;[") else layers
