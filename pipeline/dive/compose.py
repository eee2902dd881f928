"""Compose: frames of a dive from its masters, one filtered look per pixel; any frame, in any order."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock

import cv2
import numpy as np

from pipeline.camera import Similarity
from pipeline.clip import Frame, Picture, Plane, Size
from pipeline.dive.exposure import PLAIN, Exposure, Tone
from pipeline.dive.windows import Windows
from pipeline.ops import resample

FILTERS = 32  # to an octave: between two of them the energy of fine detail differs by 9 %
KEPT = 4  # filtered parts of masters that are held ready; of large ones
MEMORY = 1 << 29  # as many as fit in so many bytes, or one
ROOM = 0.02  # of a look's width, around it
AROUND = 8  # pixels for the filters' own reach
PIXEL = 12  # bytes: three floats
SMEAR = 2.0  # pixels between two looks of a moving camera
LOOKS = 32  # at most, for one frame
DETAILS = 64  # steps of the finest detail, from none to all of it, that parts are filtered in


@dataclass(frozen=True, eq=False)
class _Part:
    """A part of a master, filtered. box: left, top, right, bottom of it in the master, whose shape is `whole`.

    kind: slot, grade and detail. picture: as soon as the thread that began it has it.
    """

    kind: tuple[int, int, int]
    box: tuple[int, int, int, int]
    whole: tuple[int, ...]
    picture: Future[Plane]

    @property
    def shift(self) -> Similarity:
        """From the master's pixels to its own."""
        return Similarity(1, -complex(*self.box[:2]))

    def holds(self, left: float, top: float, right: float, bottom: float) -> bool:
        """Whether it can be looked into as far as that: to its edge only where that is the master's."""
        x0, y0, x1, y1 = self.box
        return (
            (x0 == 0 or left >= x0 + AROUND)
            and (y0 == 0 or top >= y0 + AROUND)
            and (x1 == self.whole[1] or right <= x1 - AROUND)
            and (y1 == self.whole[0] or bottom <= y1 - AROUND)
        )


class Composer:
    """Looks into agreed masters. load: a master by its slot, float32 [H, W, 3] in 0..1.

    shutter: share of the time between two frames that it stays open. supersample: looks per pixel, each way.
    exposure: the tone of each moment. May be called from several threads.
    """

    def __init__(
        self,
        windows: Windows,
        load: Callable[[int], Plane],
        shutter: float = 0,
        supersample: int = 1,
        exposure: Exposure = PLAIN,
    ) -> None:
        self.windows, self.exposure = windows, exposure
        self.shutter, self.supersample = shutter / windows.path.moves.rate, supersample
        self._load = load
        self._ready: deque[_Part] = deque()
        self._lock = Lock()

    def picture(self, seconds: float) -> Picture:
        """The frame at a time, uint8 [H, W, 3]."""
        times, tone = self._open(seconds), self.exposure.at(seconds)
        if len(times) == 1:
            return self.toned(times[0], tone)
        seen = self._look(times[0], tone)
        for time in times[1:]:
            seen += self._look(time, tone)
        return _shown(seen, tone, 1 / len(times))

    def toned(self, seconds: float, tone: Tone) -> Picture:
        """What is seen at one moment, with a tone, uint8 [H, W, 3]."""
        return _shown(self._look(seconds, tone), tone)

    def _look(self, seconds: float, tone: Tone) -> Plane:
        """With the tone's detail, not yet its light. 0..1, with what filters swing beyond it."""
        slot, way = self.windows.show(seconds, self.supersample)
        height, width = self.windows.frame
        size = Size(height * self.supersample, width * self.supersample)
        part = self._filtered(slot, way, size, tone.detail)
        seen = resample.look(part.picture.result(), (part.shift @ way).matrix, size)
        if self.supersample > 1:
            seen = np.asarray(cv2.resize(seen, (width, height), interpolation=cv2.INTER_AREA), np.float32)
        return seen

    def _filtered(self, slot: int, way: Similarity, size: Size, detail: float) -> _Part:
        """What this look needs of a master, filtered for its ratio; with some room, for the looks that follow."""
        grade = round(FILTERS * math.log2(max(abs(way.scale) * self.supersample, 1)))
        kind = slot, grade, round(DETAILS * detail)
        corners = [way(complex(x, y)) for x in (0, size.width - 1) for y in (0, size.height - 1)]
        left, right = min(c.real for c in corners), max(c.real for c in corners)
        top, bottom = min(c.imag for c in corners), max(c.imag for c in corners)
        with self._lock:
            for part in self._ready:
                if part.kind == kind and part.holds(left, top, right, bottom):
                    return part
            master, ratio = self._load(slot), 2 ** (grade / FILTERS)
            room = ROOM * (right - left) + AROUND * ratio
            x0, y0 = max(0, math.floor(left - room)), max(0, math.floor(top - room))
            x1 = min(master.shape[1], math.ceil(right + room) + 1)
            y1 = min(master.shape[0], math.ceil(bottom + room) + 1)
            part = _Part(kind, (x0, y0, x1, y1), master.shape, Future())
            self._ready.append(part)
            while len(self._ready) > 1 and (len(self._ready) > KEPT or self._held() > MEMORY):
                self._ready.popleft()
        try:
            ready = resample.prepared(master[y0:y1, x0:x1], ratio, detail=kind[2] / DETAILS)
            part.picture.set_result(ready)
        except BaseException as error:
            part.picture.set_exception(error)
            raise
        return part

    def _held(self) -> int:
        """Bytes of all that is held ready, or will be."""
        boxes = [part.box for part in self._ready]
        return sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in boxes) * PIXEL

    def _open(self, seconds: float) -> list[float]:
        """The moments the shutter sees: enough of them that a corner moves by SMEAR pixels between two."""
        if not self.shutter:
            return [seconds]
        path, frame = self.windows.path, self.windows.frame
        start, end = (min(max(seconds + sign * self.shutter / 2, 0), path.seconds) for sign in (-1, 1))
        moved = path.seen_from(start, end)
        corners = [complex(x, y * frame.height / frame.width) / 2 for x in (-1, 1) for y in (-1, 1)]
        furthest = max(abs(moved(corner) - corner) for corner in corners) * frame.width
        count = min(LOOKS, max(1, math.ceil(furthest / SMEAR)))
        return [float(time) for time in np.linspace(start, end, count)] if count > 1 else [seconds]


def _shown(seen: Plane, tone: Tone, share: float = 1.0) -> Picture:
    """`share` of what was added up, in its tone, rounded and clipped to 0..255."""
    scale = 255 * tone.gain * share
    shown = cv2.addWeighted(seen, scale, seen, 0, 255 * tone.offset, dtype=cv2.CV_8U)
    return np.asarray(shown, np.uint8)


def in_parallel(
    look: Callable[[float], Picture], frames: Iterator[Frame], threads: int
) -> Generator[tuple[Frame, Picture], None, None]:
    """Each frame with its picture, in order; frames do not depend on each other."""
    with ThreadPoolExecutor(threads, thread_name_prefix="dive") as pool:
        ahead: deque[tuple[Frame, Future[Picture]]] = deque()
        try:
            for frame in frames:
                ahead.append((frame, pool.submit(look, float(frame.time))))
                if len(ahead) > 2 * threads:
                    first, picture = ahead.popleft()
                    yield first, picture.result()
            for first, picture in ahead:
                yield first, picture.result()
        finally:
            for _, picture in ahead:
                picture.cancel()
