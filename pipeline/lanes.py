"""Lanes: frames with their motion, in order, read ahead so that the dream never waits for decoder or flow."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.clip import Flow, Picture, Segment, Size, Tick
from pipeline.settings import Time
from pipeline.sources import Source
from pipeline.stages import flow, shots
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
    """What motion is measured on: the picture at dream size, uint8 [h, w] or [h, w, 3], and its thumb [90, 160].

    shown: the thumb that the next is compared with, which a blank one leaves as it was.
    """

    seen: NDArray[np.uint8]
    thumb: shots.Thumb
    shown: shots.Thumb


@dataclass(frozen=True)
class Motion:
    """How the picture moves from view to view, as the settings say. match: how two views are laid over each other."""

    time: Time
    match: Match = flow.dis

    def view(self, picture: Picture, size: Size, before: View | None = None) -> View:
        """size: of the dream. before: of the frame before."""
        look = flow.luma if self.match is flow.dis else flow.colours
        thumb = shots.thumb(picture)
        shown = before.shown if before is not None and shots.is_blank(thumb) else thumb
        return View(look(picture, size), thumb, shown)

    def between(self, now: View, before: View | None) -> Flow:
        """None at the start, after a cut, or with --flow none; that of a blend, which knows none, stands still."""
        size = Size(*now.seen.shape[:2])
        if before is None:
            return Flow.none(size)
        if self.time.flow == "none":
            return Flow.alone(size)
        if self.time.cuts == "auto" and shots.is_cut(now.thumb, before.shown):
            return Flow.none(size)
        if self.time.carry == "blend":
            return Flow.still(size)
        return flow.measure(now.seen, before.seen, self.match)


def ticks(
    source: Source, last: Segment | None, dream_size: Callable[[Size], Size], motion: Motion
) -> Generator[Tick, None, None]:
    """Each frame of a source with its motion, or those after segment `last`."""
    before = None
    told = shots.file_of(motion.time.cuts)
    starts = shots.starts(shots.listed(told), source.counted())[0] if told else frozenset()
    for frame in source.frames(last):
        size = dream_size(frame.size)
        now = motion.view(frame.picture, size, before)
        if last is None or frame.index >= last.end:
            flow = Flow.none(size) if frame.index in starts else frame.flow or motion.between(now, before)
            yield Tick(frame, flow)
        before = now
