"""Layers through a dive: "0s:(mixed3a), 6s:(mixed4c)" in, the targets at any moment out, neighbours mixed."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, replace

from pipeline.errors import ScheduleError
from pipeline.net.cards import Card
from pipeline.net.targets import Target, parse_targets, resolve

KEYED = re.compile(r"\s*\d+(\.\d+)?s?\s*:\s*\(")
KEY = re.compile(r"\s*(?P<time>\d{1,7}(\.\d{1,6})?)(?P<unit>s?)\s*:\s*\((?P<targets>[^()]*)\)\s*(,|$)")
STEPS = 8  # between two keys: so many different mixtures, each a network cut of its own


@dataclass(frozen=True)
class Layers:
    """keys: (seconds, targets), in order. text: as it was written."""

    text: str
    keys: tuple[tuple[float, tuple[Target, ...]], ...]

    @staticmethod
    def parse(text: str, rate: float) -> Layers:
        """Keys at frames or, with an s, at seconds; or targets without a key. ScheduleError, TargetError."""
        if not KEYED.match(text):
            return Layers(text, ((0.0, parse_targets(text)),))
        keys, at = {}, 0
        while at < len(text):
            match = KEY.match(text, at)
            if match is None:
                problem = 'Expected a key and its layers, such as 6s:(mixed4c), with "," between keys.'
                raise ScheduleError(problem, text, at)
            seconds = float(match["time"]) / (1 if match["unit"] else rate)
            if seconds in keys:
                raise ScheduleError("There is a key at this time already.", text, match.start("time"))
            keys[seconds] = parse_targets(match["targets"])
            at = match.end()
        return Layers(text, tuple(sorted(keys.items())))

    @staticmethod
    def of(text: str, card: Card, rate: float) -> Layers:
        """What `text` says, or the network's own default. TargetError for a layer it cannot have."""
        layers = Layers.parse(text or card.layers, rate)
        for _, targets in layers.keys:
            for target in targets:
                resolve(target, card)
        return layers

    @property
    def moves(self) -> bool:
        return len(self.keys) > 1

    def at(self, seconds: float) -> tuple[Target, ...]:
        """The targets of the key before and of the one after, as much as each is near."""
        times = [time for time, _ in self.keys]
        after = bisect_right(times, seconds)
        if after in (0, len(times)):
            return self.keys[min(after, len(times) - 1)][1] if after == 0 else self.keys[-1][1]
        (start, before), (end, next_) = self.keys[after - 1 : after + 1]
        share = round(STEPS * (seconds - start) / (end - start)) / STEPS
        fading = tuple(replace(target, weight=target.weight * (1 - share)) for target in before)
        coming = tuple(replace(target, weight=target.weight * share) for target in next_)
        return before if share == 0 else next_ if share == 1 else fading + coming
