"""Keyframes: a long shot dreamed side by side. A shot's ticks in, in windows; its dreamt frames out, in order.

A frame needs the one before it, so a batch needs frames that are far apart. Every few frames one, the keyframe, is
dreamed first, on the keyframe before it, along the motion of all that lies between. Then the stretches between them
are dreamed at once, a frame of each in one batch: each frame on the one before it and, the nearer it comes, on the
keyframe it leads to; so that it arrives where it was expected, and no seam shows. After the last keyframe of a shot
frames follow one another as ever.

A window is some stretches that follow one another, with their keyframes. Those are a chain, which needs the last one
of the window before and nothing else: it can go ahead, and what lies between be dreamed by many.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice, pairwise

import torch

from pipeline import device
from pipeline.clip import Clip, Flow, Shot, Size, Tick
from pipeline.dreamt import Dreamt, Due, Key
from pipeline.lanes import read_ahead
from pipeline.settings import Settings
from pipeline.stages.carry import Carried
from pipeline.stages.flow import along, long, resized

FADES = (
    3  # of what a keyframe carries, not one for each frame between: those top up what they lose themselves
)

LEAN = 1.3  # toward the keyframe to come, above what would change evenly: else the last step, to it, is the largest

Together = Callable[[Sequence[Due]], Sequence[Dreamt]]
"""Dreams a frame of each lane as one batch."""

Ahead = Callable[["Window"], Sequence[Dreamt]]
"""The keyframes of a window, in order, where those went ahead; none where they did not."""


@dataclass(frozen=True)
class Stretch:
    """The frames after a keyframe, to the next one if there is one. back: from that to the one before; onward: from
    each frame between to it.
    """

    ticks: Sequence[Tick]
    back: Flow | None = None
    onward: Sequence[Flow] = ()

    @staticmethod
    def of(ticks: Sequence[Tick], every: int) -> Stretch:
        """Of ticks whose flows know the way onward. With fewer than `every` it leads to no keyframe."""
        if len(ticks) < every:
            return Stretch(ticks)
        back, onward = long(ticks[0].flow), [_onward(ticks[-1])]
        for tick in ticks[1:]:
            back = along(long(tick.flow), back)
        for tick in ticks[-2:0:-1]:
            onward.append(along(_onward(tick), onward[-1]))
        return Stretch(ticks, back, onward[::-1])

    @property
    def keyframe(self) -> Tick | None:
        """As it is reached from the keyframe before; None where there is none."""
        if self.back is None:
            return None
        tick = self.ticks[-1]
        return replace(tick, flow=resized(self.back, Size(*tick.flow.trust.shape)))


def _onward(tick: Tick) -> Flow:
    """From the frame before to this one."""
    return long(tick.flow.onward or Flow.alone(Size(*tick.flow.trust.shape)))


@dataclass(frozen=True)
class Keyframes:
    """How a shot is cut into windows: of `lanes` stretches of `every` frames, after its first frame."""

    every: int
    lanes: int

    @staticmethod
    def of(settings: Settings, on: torch.device, lanes: int) -> Keyframes | None:
        """None where there are to be none, or where nothing is carried along the motion."""
        every = device.keyframes(settings.speed.keyframes, on)
        moves = settings.time.carry == "flow" and settings.time.flow != "none"
        return (
            Keyframes(every, lanes) if every and moves and settings.dream.iterations.constant != 0 else None
        )

    @property
    def frames(self) -> int:
        """Of a window."""
        return self.every * self.lanes

    def windows(self, shot: Shot) -> list[Shot]:
        """What a shot, whose end is known, is cut into; its first frame belongs to the first window."""
        assert shot.end is not None
        firsts = [shot.first, *range(shot.first + 1 + self.frames, shot.end, self.frames)]
        return [Shot(first, end) for first, end in pairwise([*firsts, shot.end])]

    def begins(self, index: int, shot: Shot) -> bool:
        """Whether a window begins with this frame of a shot."""
        return index == shot.first or (index > shot.first + 1 and (index - shot.first - 1) % self.frames == 0)

    def walk(
        self,
        moving: Generator[Tick, None, None],
        carried: Carried | None,
        clip: Clip,
        shot: Shot,
        together: Together,
        ahead: Ahead = lambda window: (),
    ) -> Generator[Dreamt, None, None]:
        """The frames of a shot in order. moving: its ticks, from its first or after a window, that left `carried`."""
        with closing(read_ahead(self._cut(moving, shot), 1)) as windows:
            for window in windows:
                keys = ahead(window) or window.chain(carried, clip, together)
                dreamt = window.filled(keys, carried, clip, together)
                yield from dreamt
                carried = dreamt[-1].carried

    def chain(
        self,
        moving: Generator[Tick, None, None],
        carried: Carried | None,
        clip: Clip,
        shot: Shot,
        together: Together,
    ) -> Generator[list[Dreamt], None, None]:
        """The keyframes alone, those of a window at a time."""
        with closing(read_ahead(self._cut(moving, shot), 1)) as windows:
            for window in windows:
                keys = window.chain(carried, clip, together)
                yield keys
                carried = keys[-1].carried if keys else carried

    def _cut(self, moving: Generator[Tick, None, None], shot: Shot) -> Generator[Window, None, None]:
        every = self.every
        with closing(moving):
            while (tick := next(moving, None)) is not None:
                opening = tick if tick.frame.index == shot.first else None
                ticks = [*([] if opening else [tick]), *islice(moving, self.frames - (opening is None))]
                cut = [Stretch.of(ticks[at : at + every], every) for at in range(0, len(ticks), every)]
                yield Window(tick.frame.index, opening, cut)


@dataclass(frozen=True)
class Window:
    """Stretches that follow one another. first: frame. opening: a shot's first frame, where it is before them."""

    first: int
    opening: Tick | None
    stretches: Sequence[Stretch]

    @property
    def keyframes(self) -> list[Tick]:
        """As they are reached from the frames before them; the opening among them."""
        keys = [stretch.ticks[-1] for stretch in self.stretches if stretch.keyframe]
        return [self.opening, *keys] if self.opening else keys

    def chain(self, carried: Carried | None, clip: Clip, together: Together) -> list[Dreamt]:
        """Its keyframes, each dreamed on the one before. carried: by the last of the window before."""
        keys = list(together([Due(self.opening, None, clip)])) if self.opening else []
        for stretch in self.stretches:
            if keyframe := stretch.keyframe:
                [key] = together([Due(keyframe, keys[-1].carried if keys else carried, clip, FADES)])
                keys.append(replace(key, flow=stretch.ticks[-1].flow))
        return keys

    def filled(
        self, keys: Sequence[Dreamt], carried: Carried | None, clip: Clip, together: Together
    ) -> list[Dreamt]:
        """All its frames in order, those between its keyframes dreamed now."""
        first = list(keys[:1]) if self.opening else []
        keys = keys[len(first) :]
        left = [first[0].carried if first else carried, *(key.carried for key in keys), None]
        rows = [_Row(stretch, *ends) for stretch, ends in zip(self.stretches, pairwise(left), strict=False)]
        while due := [row for row in rows if not row.done]:
            for row, dreamt in zip(due, together([row.due(clip) for row in due]), strict=True):
                row.dreamt.append(dreamt)
        for row, key in zip(rows, keys, strict=False):
            row.dreamt.append(key)
        return first + [dreamt for row in rows for dreamt in row.dreamt]


class _Row:
    """A stretch while it is dreamed. before, after: what the keyframes at its ends left."""

    def __init__(self, stretch: Stretch, before: Carried | None, after: Carried | None) -> None:
        self.stretch, self.before, self.after = stretch, before, after
        self.dreamt: list[Dreamt] = []

    @property
    def done(self) -> bool:
        return len(self.dreamt) == len(self.stretch.ticks) - (self.stretch.back is not None)

    def due(self, clip: Clip) -> Due:
        """Its next frame."""
        at = len(self.dreamt)
        key = None
        if self.after is not None and self.stretch.back is not None:
            key = Key(self.after, self.stretch.onward[at], min(1.0, LEAN / (len(self.stretch.ticks) - at)))
        carried = self.dreamt[-1].carried if self.dreamt else self.before
        return Due(self.stretch.ticks[at], carried, clip, key=key)
