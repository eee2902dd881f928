"""Untouched: what stands in for a Dreamer where nothing is dreamed: no network, no torch. Frames in, Dreamt out."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import NamedTuple

from pipeline.clip import WHOLE, Clip, Flow, Segment, Shot, Size, fit
from pipeline.dreamt import Dreamt
from pipeline.lanes import read_ahead
from pipeline.net.cards import card
from pipeline.settings import Settings
from pipeline.sources import Source


class NoNetwork(NamedTuple):
    """sha256: of its weights, of which there are none."""

    sha256: str = ""
    licence: str = "not needed, nothing was dreamed"


class NoControls(NamedTuple):
    """No guide and no mask."""

    notes: tuple[str, ...] = ()

    @staticmethod
    def fingerprints() -> list[str]:
        """Of guides and masks, of which there are none."""
        return []


class Untouched:
    """The part of a Dreamer that a film asks for, for settings that `will_do`."""

    device = "none"
    precision = "none"
    lanes = 1
    keyframes = None
    network = NoNetwork()
    controls = NoControls()

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.notes: list[str] = []
        self.use_threads(settings.speed.threads)

    @staticmethod
    def will_do(settings: Settings) -> bool:
        """Whether nothing of these settings needs a network, or is to be checked against one."""
        dream, output, speed = settings.dream, settings.output, settings.speed
        asked = (dream.guide, dream.mask, dream.weights, output.report, output.stems, settings.run.keep)
        return (
            dream.iterations.constant == 0
            and not any(asked)
            and card(dream.model).listed
            and speed.device in ("auto", "cpu")
            and settings.time.cuts in ("auto", "off")
        )

    def again(self, settings: Settings) -> Untouched:
        """The same with other settings."""
        return Untouched(settings)

    def use_threads(self, threads: int) -> None:
        """How many the encoder has; 0: all cores."""
        allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        self.threads = threads or allowed or 1

    def size(self, frame: Size) -> Size:
        """That a frame would be dreamed at."""
        return fit(frame, self.settings.dream.dream_size)

    def suit(self, shots: Sequence[Shot]) -> None:
        """One frame after the other, whatever the shots."""

    def rehearse(self, clip: Clip) -> None:
        """Nothing is dreamed, so no schedule is read."""

    def walk(
        self,
        source: Source,
        last: Segment | None = None,
        carried: None = None,
        shot: Shot = WHOLE,
        dream: Callable[[object], Dreamt] | None = None,
    ) -> Generator[Dreamt, None, None]:
        """The film goes by. From its start, or after segment `last`."""
        size = self.size(source.clip.size)
        first, other = Flow.none(size), Flow.alone(size)
        with closing(read_ahead(source.frames(last or shot.before))) as ahead:
            for frame in ahead:
                if last is not None and frame.index < last.end:
                    continue
                flow = other if frame.index else first
                yield Dreamt(frame, frame.picture, None, flow, 0, 0, 0, frame.deep)
