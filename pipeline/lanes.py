"""Lanes: frames with their motion, in order, read ahead so that the dream never waits for decoder or flow."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar, cast

from pipeline.clip import Flow, Picture, Segment, Size, Tick
from pipeline.settings import Time
from pipeline.sources import Source
from pipeline.stages import flow, shots

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
    """What motion is measured on: a picture's luma at dream size, uint8 [h, w], and its thumb, uint8 [90, 160]."""

    luma: flow.Luma
    thumb: flow.Luma

    @staticmethod
    def of(picture: Picture, size: Size) -> View:
        return View(flow.luma(picture, size), shots.thumb(picture))


def motion(now: View, before: View | None, time: Time) -> Flow:
    """How the picture moved between two views; none at the start, after a cut, or with --flow none."""
    size = Size(*now.luma.shape)
    if before is None or time.flow == "none":
        return Flow.none(size)
    if time.cuts == "auto" and shots.is_cut(now.thumb, before.thumb):
        return Flow.none(size)
    return flow.measure(now.luma, before.luma)


def ticks(
    source: Source, last: Segment | None, dream_size: Callable[[Size], Size], time: Time
) -> Generator[Tick, None, None]:
    """Each frame of a source with its motion, or those after segment `last`."""
    before = None
    for frame in source.frames(last):
        now = View.of(frame.picture, dream_size(frame.size))
        if last is None or frame.index >= last.end:
            yield Tick(frame, frame.flow or motion(now, before, time))
        before = now
