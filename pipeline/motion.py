"""Motion: how the picture moves from frame to frame. A source's frames in, frames that know their motion out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline import device
from pipeline.clip import WHOLE, Flow, Frame, Picture, Plane, Segment, Shot, Size, Tick
from pipeline.settings import Settings, Time
from pipeline.sources import Source
from pipeline.stages import flow, memory, shots
from pipeline.stages.flow import Match, matcher


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
    """How the picture moves from view to view, as the settings say. match: how two views are laid over each other.

    onward: with the way from each frame to the next, too. threads: that measure, each frame of its own.
    """

    time: Time
    match: Match = flow.dis
    onward: bool = False
    threads: int = 1

    @staticmethod
    def of(settings: Settings, on: torch.device) -> Motion:
        """Without iterations there is nothing to hold still, and no motion is looked for."""
        time = settings.time
        if settings.dream.iterations.constant == 0:
            time = time.model_copy(update={"flow": "none"})
        weights = Path(time.flow_weights) if time.flow_weights else None
        match = matcher(time.flow, weights, on, progress=not settings.silent)
        return Motion(time, match, threads=device.flow_threads(on) if match is flow.dis else 1)

    def view(self, picture: Picture, size: Size) -> View:
        """Of a frame with nothing before it. size: of the dream."""
        look = flow.luma if self.match is flow.dis else flow.colours
        seen = look(picture, size)
        enough = size.height >= shots.THUMB.height and size.width >= shots.THUMB.width
        thumb = shots.thumb(seen if enough else picture)
        past = np.stack([thumb.astype(np.float32), memory.impression(shots.relief(thumb))])
        return View(seen, thumb, past)

    def measured(self, now: View, before: View) -> Flow:
        """How what is seen moved, whatever was seen before."""
        return flow.measure(now.seen, before.seen, self.match, onward=self.onward)

    def between(
        self, now: View, before: View | None, measured: Callable[[], Flow] | None = None
    ) -> tuple[Flow, View]:
        """How it moved, and `now` as the next is to be compared with it. measured: gives it, where that is begun.

        No motion at the start, after a cut, or with --flow none; that of a blend, which knows none, stands still.
        """
        size = Size(*now.seen.shape[:2])
        if before is None:
            return Flow.none(size), now
        blank = shots.is_blank(now.thumb)
        after = replace(now, past=before.past) if blank else now
        if self.time.flow == "none":
            return Flow.alone(size), after
        if self.is_cut(now, before):
            return Flow.none(size), now
        if self.time.carry == "blend":
            return Flow.still(size), after
        moved = measured() if measured else self.measured(now, before)
        if blank:
            return moved, after
        recalled, remembered = memory.recalled(moved, now.past[1], before.past[1])
        return recalled, replace(now, past=np.stack([now.past[0], remembered]))

    def is_cut(self, now: View, before: View) -> bool:
        """Whether nothing connects the two, where cuts are looked for."""
        if self.time.cuts != "auto" or self.time.flow == "none":
            return False
        return shots.is_cut(now.thumb, before.past[0].astype(np.uint8))

    def starts(self, source: Source) -> frozenset[int]:
        """The frames that cuts were told for."""
        told = shots.file_of(self.time.cuts)
        return shots.starts(shots.listed(told), source.counted())[0] if told else frozenset()


def ticks(
    source: Source,
    last: Segment | None,
    dream_size: Callable[[Size], Size],
    motion: Motion,
    past: Plane | None = None,
    shot: Shot = WHOLE,
) -> Generator[Tick, None, None]:
    """Each frame of a shot with its motion, or those after segment `last`, which left `past`."""
    starts = motion.starts(source) | {shot.first}
    if motion.time.flow == "none":
        yield from _apart(source, last, dream_size, starts, shot)
        return
    before = None
    with closing(_begun(source, last, dream_size, motion, shot)) as begun:
        for frame, now, measured in begun:
            if last is not None and frame.index < last.end:
                before = now if past is None else replace(now, past=past)
                continue
            if frame.index in starts:
                moved, before = Flow.none(Size(*now.seen.shape[:2])), now
            elif frame.flow and not motion.onward:
                moved, before = frame.flow, now
            else:
                moved, before = motion.between(now, before, measured)
            yield Tick(frame, moved, before.past)


def _begun(
    source: Source, last: Segment | None, dream_size: Callable[[Size], Size], motion: Motion, shot: Shot
) -> Generator[tuple[Frame, View, Callable[[], Flow]], None, None]:
    """Each frame, its view, and what gives how it moved: measured in threads while the frames before are at work."""
    waiting: deque[tuple[Frame, View, Callable[[], Flow]]] = deque()
    before, ahead = None, motion.threads > 1 and motion.time.carry == "flow"
    with ThreadPoolExecutor(motion.threads, thread_name_prefix="flow") as pool:
        for frame in source.frames(last):
            if shot.end is not None and frame.index >= shot.end:
                break
            now = motion.view(frame.picture, dream_size(frame.size))
            if ahead and before and (motion.onward or not frame.flow):
                measured = pool.submit(motion.measured, now, before).result
            else:
                measured = partial(motion.measured, now, before or now)
            waiting.append((frame, now, measured))
            before = now
            if len(waiting) == motion.threads:
                yield waiting.popleft()
        yield from waiting


def _apart(
    source: Source,
    last: Segment | None,
    dream_size: Callable[[Size], Size],
    starts: frozenset[int],
    shot: Shot,
) -> Generator[Tick, None, None]:
    """As `ticks`, where no motion is looked for: nobody looks at the pictures."""
    for frame in source.frames(last):
        if shot.end is not None and frame.index >= shot.end:
            return
        if last is not None and frame.index < last.end:
            continue
        size = dream_size(frame.size)
        yield Tick(frame, Flow.none(size) if frame.index in starts else frame.flow or Flow.alone(size))


def shots_of(
    source: Source, dream_size: Callable[[Size], Size], motion: Motion, seen: Callable[[Frame], None]
) -> tuple[Shot, ...]:
    """The shots of a film, found by looking through all of it once. seen: called after every frame.

    They begin where `ticks` finds its cuts. A source that tells its own motion has none.
    """
    before, index = None, -1
    firsts, starts = [0], motion.starts(source)
    for frame in source.frames():
        index = frame.index
        now = motion.view(frame.picture, dream_size(frame.size))
        if index and (index in starts or (not frame.flow and before and motion.is_cut(now, before))):
            firsts.append(index)
        elif before and shots.is_blank(now.thumb):
            now = replace(now, past=before.past)
        before = now
        seen(frame)
    ends = [*firsts[1:], index + 1]
    return tuple(Shot(first, end) for first, end in zip(firsts, ends, strict=True))
