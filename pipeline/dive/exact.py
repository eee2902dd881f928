"""Exact: the dive from masters, sharp at every depth. First they are dreamed, then frames are looked up in them.

`walk` gives frames as the walk of a film does, so that all around it (segments, join, sound, resume) is the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline import device
from pipeline.clip import WHOLE, Flow, Frame, Plane, Segment, Shot, Size, fit
from pipeline.dive import masters
from pipeline.dive.balance import Balance
from pipeline.dive.base import ANYHOW, Dive
from pipeline.dive.compose import Composer, in_parallel
from pipeline.dive.exposure import metered
from pipeline.dive.masters import Climb
from pipeline.dive.store import Store
from pipeline.dive.windows import Windows
from pipeline.dreamt import Dreamt
from pipeline.errors import UsageError
from pipeline.net.tap import Network
from pipeline.settings.zoom import ZoomSettings
from pipeline.sources import Source
from pipeline.sources.zoom import ZoomSource
from pipeline.stages.carry import Carried

Told = Callable[[int, int], None]
"""Called with the number of masters that are dreamed, and of all."""

HELD = 100  # bytes of memory per pixel of a master, whatever the size it is dreamed at
SMALL = Size(1, 1)  # of the flow and the layer that frames of a dive do not have


class ExactDive(Dive):
    """folder: where masters are kept while they are needed. told: hears of each that is dreamed.

    hurry: so many steps of a dream are taken as one that goes as far, which looks alike from afar. only: the times
    that will be looked at, in a dive that nobody will see all of; none: any.
    """

    def __init__(
        self,
        settings: ZoomSettings,
        source: ZoomSource,
        folder: Path,
        told: Told = lambda done, of: None,
        network: Network | None = None,
        hurry: int = 1,
        only: tuple[float, ...] = (),
    ) -> None:
        if source.ground is None:
            raise UsageError(f"{source.clip.name}: a clip is dived into with --way feedback.")
        self.windows = Windows.of(source.path, source.clip.size, ring=abs(source.doublings), only=only)
        super().__init__(settings, source, network)
        self.folder, self.told, self.hurry = folder, told, hurry
        self._store: Store | None = None
        largest = max(
            (window.size for window in self.windows.windows), key=lambda size: size.height * size.width
        )
        device.room_for(largest, ANYHOW + largest.height * largest.width * HELD, "a smaller --size")
        self.room_for(fit(largest, settings.dream.dream_size))

    @property
    def anchors(self) -> list[float]:
        """The time at which each master is dreamed for."""
        return [window.anchor for window in self.windows.windows]

    @property
    def whole(self) -> bool:
        """Whether all masters are dreamed, and agree."""
        return self._store is not None

    def climb_at(self, seconds: float) -> Climb:
        """How the master first seen at a time is dreamed, in as few steps as the hurry asks."""
        climb = super().climb_at(seconds)
        steps = math.ceil(climb.iterations / self.hurry)
        return replace(climb, iterations=steps, step=climb.step * climb.iterations / max(steps, 1))

    @torch.no_grad()
    def dreamt(self) -> Store:
        """All masters, in agreement: those that are missing are dreamed now. Raises UsageError, OutputError."""
        if self._store is not None:
            return self._store
        store = Store.open(self.folder, self._plan(), fresh=self.settings.run.fresh)
        windows = self.windows.windows
        try:
            for slot in range(store.done(), len(windows)):
                self.told(slot, len(windows))
                store.add(slot, *self.fitted_in(windows[slot].size, partial(self._master, slot, store)))
            self.told(len(windows), len(windows))
            if not store.agreed:
                store.begin_to_agree()
                masters.agree(self.windows, store.load, store.keep)
                plain = Composer(self.windows, store.load)
                store.agree(metered(self.windows, plain.toned, self.threads))
        except KeyboardInterrupt as stop:
            done = store.done()
            begun = ", but not the one in hand" if done < len(windows) else ""
            stop.add_note(
                f"{done} of {len(windows)} pictures are kept in {self.folder}{begun}; the same command goes on."
            )
            raise
        self._store = store
        return store

    def _master(self, slot: int, store: Store) -> tuple[Plane, Balance]:
        climb, noise = self.climb_at(self.anchors[slot]), self.settings.dream.seed * 100_003 + slot
        region = self.windows.region(slot)
        if slot == 0:
            return masters.opened(self._seed(0, store, climb), climb, noise, region)
        reference = store.reference(slot - 1)
        return masters.deepened(self._seed(slot, store, climb), climb, reference, noise, region)

    def _seed(self, slot: int, store: Store, climb: Climb) -> Tensor:
        """What a master starts from. While it is dreamed no other needs memory."""
        if slot == 0:
            assert self.source.ground is not None
            seed = masters.fitted(self.source.ground, self.windows.windows[0].size)
        else:
            seed = masters.enlarged(store.load(slot - 1), self.windows, slot)
            if self.windows.ring and slot == len(self.windows.windows) - 1:
                seed = masters.closing(seed, store.load(0), self.windows)
        store.let_go()
        return masters.tensor(seed, climb)

    def walk(
        self,
        source: Source,
        last: Segment | None = None,
        carried: Carried | None = None,
        shot: Shot = WHOLE,
        dream: object = None,
    ) -> Generator[Dreamt, None, None]:
        """Every frame of a shot, or those after segment `last`. A dive has no cuts: any piece of it is a shot."""
        after = source.frames(last or shot.before)
        yield from self.frames(takewhile(lambda frame: shot.end is None or frame.index < shot.end, after))

    def frames(self, asked: Iterator[Frame]) -> Generator[Dreamt, None, None]:
        """Any frames, in any order."""
        how = self.settings.zoom
        store = self.dreamt()
        composer = Composer(self.windows, store.load, how.shutter, how.supersample, store.exposure)
        nothing = Carried.nothing(1, SMALL, torch.device("cpu"))
        for frame, picture in in_parallel(composer.picture, asked, self.threads):
            shown = replace(frame, picture=picture)
            yield Dreamt(shown, picture, nothing, Flow.still(SMALL), 0, 0, 0)

    def _plan(self) -> dict[str, Any]:
        """All that the masters depend on."""
        recipe = self.settings.recipe()
        recipe.pop("output")
        zoom = {k: v for k, v in recipe["zoom"].items() if k not in ("shutter", "supersample")}
        return {
            "settings": recipe | {"zoom": zoom},
            "source": self.source.fingerprint(),
            "weights": self.network.sha256,
            "device": str(self.device),
            "threads": self.threads,
            "hurry": self.hurry,
            "only": self.windows.only,
        }
