"""Keyframes: a long shot dreamed side by side. A shot's ticks in, in windows; its dreamt frames out, in order.

A frame needs the one before it, so a batch needs frames that are far apart. Every few frames one, the keyframe, is
dreamed first, on the keyframe before it, along the motion of all that lies between. Then the stretches between them
are dreamed at once, a frame of each in one batch: each frame on the one before it and, the nearer it comes, on the
keyframe it leads to; so that it arrives where it was expected, and no seam shows. After the last keyframe of a shot
frames follow one another as ever.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice

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

    def begins(self, index: int, shot: Shot) -> bool:
        """Whether a window begins with this frame of a shot; its first one belongs to the first window."""
        return index == shot.first or (
            index > shot.first + 1 and (index - shot.first - 1) % (self.every * self.lanes) == 0
        )

    def walk(
        self,
        moving: Generator[Tick, None, None],
        carried: Carried | None,
        clip: Clip,
        shot: Shot,
        together: Together,
    ) -> Generator[Dreamt, None, None]:
        """The frames of a shot in order. moving: its ticks, from its first or after a key, which left `carried`."""
        with closing(read_ahead(self._cut(moving, shot), 1)) as windows:
            for opening, stretches in windows:
                if opening:
                    first = together([Due(opening, None, clip)])[0]
                    carried = first.carried
                    yield first
                dreamt = window(stretches, carried, clip, together)
                yield from dreamt
                carried = dreamt[-1].carried if dreamt else carried

    def _cut(
        self, moving: Generator[Tick, None, None], shot: Shot
    ) -> Generator[tuple[Tick | None, list[Stretch]], None, None]:
        """The first frame of the shot, if the window begins with it, and the stretches after it."""
        every, frames = self.every, self.every * self.lanes
        with closing(moving):
            while (tick := next(moving, None)) is not None:
                opening = tick if tick.frame.index == shot.first else None
                ticks = [*([] if opening else [tick]), *islice(moving, frames - (opening is None))]
                yield (
                    opening,
                    [Stretch.of(ticks[at : at + every], every) for at in range(0, len(ticks), every)],
                )


def window(
    stretches: Sequence[Stretch], carried: Carried | None, clip: Clip, together: Together
) -> list[Dreamt]:
    """All frames of some stretches that follow one another, in order. carried: by the keyframe before them."""
    keys: list[Dreamt] = []
    left = [carried]
    for stretch in stretches:
        if keyframe := stretch.keyframe:
            [key] = together([Due(keyframe, left[-1], clip, FADES)])
            keys.append(replace(key, flow=stretch.ticks[-1].flow))
            left.append(key.carried)
    rows = [_Row(stretch, *ends) for stretch, *ends in zip(stretches, left, [*left[1:], None], strict=False)]
    while due := [row for row in rows if not row.done]:
        for row, dreamt in zip(due, together([row.due(clip) for row in due]), strict=True):
            row.dreamt.append(dreamt)
    for row, key in zip(rows, keys, strict=False):
        row.dreamt.append(key)
    return [dreamt for row in rows for dreamt in row.dreamt]


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
