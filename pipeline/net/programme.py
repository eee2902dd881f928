"""Programme: what is dreamed through the film: text in, each target's weight at any moment out.

mixed3b:0.7, mixed4c                          the same all through
0:(mixed3b), 30:(mixed4c:0.7)                 keys at frames (0s:, 2.5s: at seconds), weights mixed between them
0:(mixed3b) hold, 30:(mixed4c)                easing words as in schedules
cycle(mixed3b; mixed4a, mixed4c:0.5; mixed4d) another one each frame, and again from the first
cycle 12(...), cycle 0.5s(...)                each for so long
cycle beat(...)                               the next one at each beat of --beats or --bpm
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.errors import ScheduleError, did_you_mean
from pipeline.formula import HEARD
from pipeline.net.cards import Card
from pipeline.net.targets import Target, parse_targets, resolve
from pipeline.pulse import Pulse
from pipeline.schedule import EASINGS

_KEYED = re.compile(r"\s*\d+(\.\d+)?s?\s*:")
_KEY = re.compile(
    r"\s*(?P<time>\d{1,7}(\.\d{1,6})?)(?P<unit>s?)\s*:\s*\((?P<targets>[^()]*)\)\s*(?P<easing>[A-Za-z-]*)\s*(,|$)"
)
_CYCLED = re.compile(r"\s*cycle\b", re.IGNORECASE)
_CYCLE = re.compile(
    r"\s*cycle\s*(?P<each>(\d{1,7}(\.\d{1,6})?|beat\b)?)(?P<unit>s?)\s*\((?P<sets>[^()]*)\)\s*", re.IGNORECASE
)

Weights = tuple[float, ...]


@dataclass(frozen=True)
class Key:
    """A key. time: in frames or in seconds. weights: of every target of the programme."""

    time: float
    in_seconds: bool
    weights: Weights
    easing: str = "linear"


@dataclass(frozen=True)
class Programme:
    """targets: all that is ever dreamed, each once. keys: in time. every: how long each of a cycle lasts.

    by_beat: until the next beat, that is, of `pulse`.
    """

    text: str
    targets: tuple[Target, ...]
    keys: tuple[Key, ...]
    every: float = 0.0
    by_beat: bool = False
    pulse: Pulse | None = None

    @staticmethod
    def of(text: str, card: Card) -> Programme:
        """What `text` says of a network, or its own default. TargetError, ScheduleError; needs no network yet."""
        programme = Programme.parse(text or card.layers)
        for target in programme.targets:
            resolve(target, card)
        return programme

    @staticmethod
    def parse(text: str) -> Programme:
        """Raises TargetError or ScheduleError, pointing at the character."""
        if _CYCLED.match(text):
            return _cycle(text)
        if _KEYED.match(text):
            return _keyed(text)
        return _built(text, [(0.0, False, parse_targets(text), "linear")])

    @property
    def moves(self) -> bool:
        """Whether its layers change through the film."""
        return len(self.keys) > 1

    def at(self, frame: float, seconds: float, rate: float | None = None) -> Weights:
        """Every target's weight at a frame and its time; 0: it is not dreamed now.

        rate: frames a second, where keys at frames and at seconds are mixed. ScheduleError without it.
        """
        if self.by_beat:
            if self.pulse is None or self.pulse.beats is None:
                raise ScheduleError(HEARD["beat"], self.text, hears(self.text) or 0)
            return self.keys[self.pulse.count(seconds) % len(self.keys)].weights
        if self.every:
            clock = seconds if self.keys[0].in_seconds else frame
            return self.keys[int(clock / self.every + 1e-9) % len(self.keys)].weights
        keys = self._in_one_clock(frame, seconds, rate)
        clock = seconds if keys[0].in_seconds else frame
        after = bisect_right(keys, clock, key=lambda key: key.time)
        before, coming = keys[max(after - 1, 0)], keys[min(after, len(keys) - 1)]
        if before is coming:
            return before.weights
        share = EASINGS[before.easing]((clock - before.time) / (coming.time - before.time))
        return tuple(a + share * (b - a) for a, b in zip(before.weights, coming.weights, strict=True))

    def _in_one_clock(self, frame: float, seconds: float, rate: float | None) -> Sequence[Key]:
        kinds = {key.in_seconds for key in self.keys if key.time > 0}
        if len(kinds) < 2:
            in_seconds = True in kinds
            return [replace(key, in_seconds=in_seconds) for key in self.keys]
        if rate is None:
            problem = "Keys at frames and keys at seconds cannot be mixed where the frame rate is not known."
            raise ScheduleError(problem, self.text, 0)
        placed = [
            replace(key, time=frame + (key.time - seconds) * rate, in_seconds=False)
            if key.in_seconds
            else key
            for key in self.keys
        ]
        return sorted(placed, key=lambda key: key.time)


def _keyed(text: str) -> Programme:
    sets: list[tuple[float, bool, tuple[Target, ...], str]] = []
    at = 0
    while at < len(text):
        match = _KEY.match(text, at)
        if match is None:
            problem = 'Expected a key and its layers, such as 60:(mixed4c) or 2.5s:(mixed4c), with "," between keys.'
            raise ScheduleError(problem, text, at + len(text[at:]) - len(text[at:].lstrip()))
        easing = match["easing"] or "linear"
        if easing not in EASINGS:
            known = f"After a key stands how it is left: {', '.join(EASINGS)}."
            raise ScheduleError(known + did_you_mean(easing.lower(), EASINGS), text, match.start("easing"))
        when, in_seconds = float(match["time"]), bool(match["unit"])
        if any(when == time and (seconds == in_seconds or not when) for time, seconds, *_ in sets):
            raise ScheduleError("There is a key at this time already.", text, match.start("time"))
        sets.append((when, in_seconds, parse_targets(match["targets"]), easing))
        at = match.end()
    return _built(text, sorted(sets, key=lambda key: key[0]))


def hears(text: str) -> int | None:
    """Where a programme asks for beats; None where it does not."""
    match = _CYCLE.fullmatch(text)
    return match.start("each") if match and match["each"].lower() == "beat" else None


def _cycle(text: str) -> Programme:
    match = _CYCLE.fullmatch(text)
    if match is None:
        raise ScheduleError("Expected a cycle such as cycle(mixed3b; mixed4a) or cycle 12(...).", text, 0)
    by_beat = hears(text) is not None
    if by_beat and match["unit"]:
        raise ScheduleError("Expected cycle beat(...), the next one at each beat.", text, match.start("each"))
    every = 1.0 if by_beat else float(match["each"] or 1)
    if every <= 0:
        raise ScheduleError("Each of a cycle lasts longer than nothing.", text, match.start("each"))
    in_seconds = bool(match["unit"])
    sets = [parse_targets(part) for part in match["sets"].split(";")]
    keys = [(step * every, in_seconds, targets, "hold") for step, targets in enumerate(sets)]
    return replace(_built(text, keys, every), by_beat=by_beat)


def _built(
    text: str, sets: Sequence[tuple[float, bool, tuple[Target, ...], str]], every: float = 0.0
) -> Programme:
    places: dict[Target, int] = {}
    targets: list[Target] = []
    for _, _, those, _ in sets:
        for target in those:
            if places.setdefault(target.what, len(targets)) == len(targets):
                targets.append(target)
    keys = []
    for time, in_seconds, those, easing in sets:
        weights = [0.0] * len(targets)
        for target in those:
            weights[places[target.what]] += target.weight
        keys.append(Key(time, in_seconds, tuple(weights), easing))
    return Programme(text, tuple(targets), tuple(keys), every)
