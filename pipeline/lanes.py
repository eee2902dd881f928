"""Lanes: frames with their motion, in order, read ahead so that the dream never waits for decoder or flow."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.clip import Flow, Picture, Plane, Segment, Size, Tick
from pipeline.settings import Time
from pipeline.sources import Source
from pipeline.stages import flow, memory, shots
from pipeline.stages.flow import Match

T = TypeVar("T")


def read_ahead(items: Generator[T, None, None], depth: int = 2) -> Generator[T, None, None]:
    """The same items, prepared up to `depth` ahead by one thread.

    What `items` raises is raised here, where it is read. Closing this generator closes `items` in its own
    thread and ends the thread.
    """
    end = object()
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as reader:
        ahead = deque(reader.submit(next, items, end) for _ in range(depth))
        try:
            while (item := ahead.popleft().result()) is not end:
                ahead.append(reader.submit(next, items, end))
                yield cast(T, item)
        finally:
            for promised in ahead:
                promised.cancel()
            reader.submit(items.close).result()


@dataclass(frozen=True)
class View:
    """What motion is measured on: the picture at dream size, uint8 [h, w] or [h, w, 3], and its thumb.

    past: what the next is compared with, float32 [2, 90, 160]: the last thumb that was not blank, and the memory.
    """

    seen: NDArray[np.uint8]
    thumb: shots.Thumb
    past: Plane


@dataclass(frozen=True)
class Motion:
    """How the picture moves from view to view, as the settings say. match: how two views are laid over each other."""

    time: Time
    match: Match = flow.dis

    def view(self, picture: Picture, size: Size) -> View:
        """Of a frame with nothing before it. size: of the dream."""
        look = flow.luma if self.match is flow.dis else flow.colours
        seen = look(picture, size)
        enough = size.height >= shots.THUMB.height and size.width >= shots.THUMB.width
        thumb = shots.thumb(seen if enough else picture)
        past = np.stack([thumb.astype(np.float32), memory.impression(shots.relief(thumb))])
        return View(seen, thumb, past)

    def between(self, now: View, before: View | None) -> tuple[Flow, View]:
        """How it moved, and `now` as the next is to be compared with it.

        No motion at the start, after a cut, or with --flow none; that of a blend, which knows none, stands still.
        """
        size = Size(*now.seen.shape[:2])
        if before is None:
            return Flow.none(size), now
        blank = shots.is_blank(now.thumb)
        after = replace(now, past=before.past) if blank else now
        if self.time.flow == "none":
            return Flow.alone(size), after
        shown, remembered = before.past
        if self.time.cuts == "auto" and shots.is_cut(now.thumb, shown.astype(np.uint8)):
            return Flow.none(size), now
        if self.time.carry == "blend":
            return Flow.still(size), after
        measured = flow.measure(now.seen, before.seen, self.match)
        if blank:
            return measured, after
        recalled, remembered = memory.recalled(measured, now.past[1], remembered)
        return recalled, replace(now, past=np.stack([now.past[0], remembered]))


def ticks(
    source: Source,
    last: Segment | None,
    dream_size: Callable[[Size], Size],
    motion: Motion,
    past: Plane | None = None,
) -> Generator[Tick, None, None]:
    """Each frame of a source with its motion, or those after segment `last`, which left `past`."""
    before = None
    told = shots.file_of(motion.time.cuts)
    starts = shots.starts(shots.listed(told), source.counted())[0] if told else frozenset()
    for frame in source.frames(last):
        size = dream_size(frame.size)
        now = motion.view(frame.picture, size)
        if last is not None and frame.index < last.end:
            before = now if past is None else replace(now, past=past)
            continue
        if frame.index in starts:
            flow, before = Flow.none(size), now
        elif frame.flow:
            flow, before = frame.flow, now
        else:
            flow, before = motion.between(now, before)
        yield Tick(frame, flow, before.past)
