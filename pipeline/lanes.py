"""Lanes: shots dreamed side by side. What one lane gives is prepared ahead; what all of them need is done at once."""

from __future__ import annotations

import heapq
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar, cast

from pipeline.clip import Segment, Shot

T = TypeVar("T")
Asked = TypeVar("Asked")
Given = TypeVar("Given")


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


class Lockstep(Generic[Asked, Given]):
    """Lanes, each in a thread of its own, whose frames are dreamed together: each waits until all have asked.

    together: what is asked, in order of the lanes' shots, to what is given. lanes: at most. chains: how many shots
    there are in all; a lane whose shot has ended takes the next. What fails, fails in every lane.
    """

    def __init__(
        self, together: Callable[[Sequence[Asked]], Sequence[Given]], lanes: int, chains: int
    ) -> None:
        self._together, self._lanes, self._left = together, lanes, chains
        self._turn = threading.Lock()
        self._waiting: list[tuple[int, Asked, Future[Given]]] = []
        self._failed: BaseException | None = None

    def ask(self, order: int, what: Asked) -> Given:
        """Waits for the other lanes, and gives what became of this one's. order: of the lane's shot in the film."""
        answer: Future[Given] = Future()
        with self._turn:
            if self._failed is not None:
                raise self._failed
            self._waiting.append((order, what, answer))
            self._go_on()
        return answer.result()

    def end(self) -> None:
        """A lane's shot has ended."""
        with self._turn:
            self._left -= 1
            self._go_on()

    def fail(self, error: BaseException) -> None:
        """Nobody waits for a lane that has failed."""
        with self._turn:
            self._failed = self._failed or error
            waiting, self._waiting = self._waiting, []
        for _, _, answer in waiting:
            answer.set_exception(error)

    def _go_on(self) -> None:
        if not self._waiting or len(self._waiting) < min(self._lanes, self._left):
            return
        waiting, self._waiting = sorted(self._waiting, key=lambda asked: asked[0]), []
        try:
            given = self._together([what for _, what, _ in waiting])
        except BaseException as error:
            self._failed = error
            for _, _, answer in waiting:
                answer.set_exception(error)
        else:
            for (_, _, answer), mine in zip(waiting, given, strict=True):
                answer.set_result(mine)


def begins(shots: Sequence[Shot], lanes: int) -> list[int]:
    """The tick at which each shot begins, when every lane dreams a frame a tick and takes the next shot in turn."""
    free = [0] * lanes
    ticks = []
    for shot in shots:
        assert shot.end is not None
        tick = heapq.heappop(free)
        ticks.append(tick)
        heapq.heappush(free, tick + shot.end - shot.first)
    return ticks


def done_in_step(
    shots: Sequence[Shot], begun: Sequence[int], segments: Sequence[Segment], every: int
) -> list[Segment]:
    """Of the segments that are done, those up to the last tick, a multiple of `every`, that all lanes had reached.

    From there the lanes go on together, so that each batch is what it would have been.
    """
    ends = {segment.end for segment in segments}
    length = max(
        (tick + (shot.end or 0) - shot.first for shot, tick in zip(shots, begun, strict=True)), default=0
    )

    def reached(tick: int) -> bool:
        """Every frame before it is done: what ends there, or ended before."""
        due = (
            min(shot.end or 0, shot.first + tick - start)
            for shot, start in zip(shots, begun, strict=True)
            if start < tick
        )
        return all(end in ends for end in due)

    common = max((tick for tick in range(0, length + every, every) if reached(tick)), default=0)
    starts = dict(zip((shot.first for shot in shots), begun, strict=True))
    kept = []
    for segment in segments:
        shot = max((first for first in starts if first <= segment.first), default=0)
        if starts[shot] + segment.end - shot <= common:
            kept.append(segment)
    return kept
