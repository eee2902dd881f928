"""Feedback: the classic dive, each frame dreamed on the one before, moved; and the still that lives.

I_t = W(O_{t-1}), D is not carried, climb = N (1 - a) 30 / fps: what the camera sees does not depend on the rate of
the frames. W is one Lanczos look into the float dream; what it blurs is given back, and the tone is held.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial

import cv2
import torch
from torch import Tensor

from pipeline.clip import WHOLE, Flow, Frame, Plane, Segment, Shot, Size, Tick
from pipeline.dive import balance, masters
from pipeline.dive.balance import Balance
from pipeline.dive.base import Dive
from pipeline.dive.compose import Composer
from pipeline.dive.masters import Climb
from pipeline.dive.windows import Windows
from pipeline.dreamt import Dreamt
from pipeline.ops import resample
from pipeline.sources import Source
from pipeline.sources.grounds import unit
from pipeline.stages.carry import Carried

RATE = 30  # frames/s that "a frame" is meant at
PACE = 0.15  # of a master's gains, for each frame
FINE = 0.2  # of that, in the fine octaves: what is near the fixed point is not blurred, and would ring
FRESH = 0.1  # of a clip's own frame that is laid on, each frame
GRAINY = 0.12  # noise in the finest octave, each frame, as a share of its detail


class FeedbackDive(Dive):
    """Between segments it keeps O, whole and in float, in place of a dream layer."""

    _start: tuple[Balance, Balance] | None = None

    @torch.no_grad()
    def walk(
        self,
        source: Source,
        last: Segment | None = None,
        carried: Carried | None = None,
        shot: Shot = WHOLE,
        dream: object = None,
    ) -> Generator[Dreamt, None, None]:
        """Every frame, or those after segment `last`, which left what is `carried`."""
        before = carried.dream if carried else None
        reference: Balance | None = None
        size = self.source.clip.size
        for frame in source.frames(last):
            if reference is None or self.source.film is not None:
                reference = self.fitted_in(size, partial(self._reference, frame))
            share = 1.0 if before is None else self._share(frame)
            before = self.fitted_in(size, partial(self._dreamed, frame, before, reference, share))
            iterations = self.climb_at(float(frame.time)).iterations
            yield self._shown(frame, before, round(iterations * share), iterations)

    def _dreamed(self, frame: Frame, before: Tensor | None, reference: Balance, share: float) -> Tensor:
        """O of a frame, [1, 3, H, W], on the one before it (None: on its own ground). share: of a full climb."""
        climb = self.climb_at(float(frame.time))
        if before is None:
            seed = masters.tensor(self._ground(frame), climb)
        else:
            seed = self._moved(frame, before, reference, climb)
        return masters.climbed(seed, climb, share)

    def _share(self, frame: Frame) -> float:
        """Of a full dream, that is climbed anew for each frame."""
        steadiness = self._knobs(frame, self.source.clip)[2]
        return min(1.0, (1 - steadiness) * RATE / float(self.source.clip.rate))

    def _moved(self, frame: Frame, before: Tensor, reference: Balance, climb: Climb) -> Tensor:
        """What a frame starts from: the dream before it, moved, with detail and tone as they were."""
        rate = RATE / float(self.source.clip.rate)
        step = self.source.step(frame, self.source.clip.size)
        moved = resample.look(
            masters.plane(before), step.matrix, self.source.clip.size, filter=cv2.INTER_LANCZOS4
        )
        seed = masters.tensor(moved, climb)
        if self.source.film is not None:
            seed = seed + (1 - (1 - FRESH) ** rate) * (masters.tensor(self._ground(frame), climb) - seed)
        noise = masters.grain(self.source.clip.size, self.settings.dream.seed * 100_003 + frame.index)
        seed = seed + GRAINY * rate**0.5 * reference.fine * noise.to(seed)
        return balance.hold(seed.clamp(0, 1), reference, pace=PACE * rate, fine=FINE)

    def _reference(self, frame: Frame) -> Balance:
        """What is held: the balance of the first frame, dreamed; of a clip it changes as the clip's own does."""
        if self.source.film is None:
            return self._before_and_after(frame)[1]
        if self._start is None:  # of the clip: what goes on after an interruption holds to the same
            with closing(self.source.film.frames()) as frames:
                self._start = self._before_and_after(next(frames))
        own = balance.measure(masters.tensor(self._ground(frame), self.climb_at(0.0))).levelled()
        return own.changed_as(*self._start)

    def _before_and_after(self, frame: Frame) -> tuple[Balance, Balance]:
        """The balance of a frame's own ground, and of that, dreamed."""
        climb = self.climb_at(0.0)
        seed = masters.tensor(self._ground(frame), climb)
        dreamed = masters.climbed(seed, climb, 1.0)
        return balance.measure(seed).levelled(), balance.measure(dreamed).levelled()

    def _ground(self, frame: Frame) -> Plane:
        if self.source.ground is None:
            return unit(frame.picture)
        return masters.fitted(self.source.ground, self.source.clip.size)

    def _shown(self, frame: Frame, dreamed: Tensor, steps: int, iterations: int) -> Dreamt:
        picture = dreamed[0].permute(1, 2, 0).mul(255).round().byte().cpu().contiguous().numpy()
        nothing = Carried.nothing(1, Size(1, 1), dreamed.device)
        flow = self.source.flow(frame, self.source.clip.size)
        kept = replace(nothing, dream=dreamed)
        return Dreamt(replace(frame, picture=picture), picture, kept, flow, max(1, steps), iterations, 0)


class LivingStill(Dive):
    """No zoom: the picture stays, or turns and pans, and the dream on it lives, by the ordinary walk's own steps."""

    def walk(
        self,
        source: Source,
        last: Segment | None = None,
        carried: Carried | None = None,
        shot: Shot = WHOLE,
        dream: object = None,
    ) -> Generator[Dreamt, None, None]:
        """Every frame, or those after segment `last`, which left what is `carried`."""
        for frame in self._seen(source.frames(last)):
            flow = self.source.flow(frame, self.size(frame.size))
            dreamt = self._dreamt(frame, flow, carried)
            carried = dreamt.carried
            yield dreamt

    def frames(self, asked: Iterator[Frame]) -> Generator[Dreamt, None, None]:
        """Any frames, each a full dream of its own."""
        for frame in self._seen(asked):
            yield self._dreamt(frame, Flow.none(self.size(frame.size)), None)

    def _seen(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """With the picture as the camera sees it."""
        windows = Windows.of(self.source.path, self.source.clip.size)
        assert self.source.ground is not None
        ground = masters.fitted(self.source.ground, windows.windows[0].size)
        composer = Composer(windows, lambda slot: ground)
        for frame in frames:
            yield replace(frame, picture=composer.picture(float(frame.time)))

    def _dreamt(self, frame: Frame, flow: Flow, carried: Carried | None) -> Dreamt:
        return self.dream(Tick(frame, flow), carried, self.source.clip)
