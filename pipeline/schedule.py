"""Schedule: a knob as a function of time, text -> at(frame, seconds) -> float.

    0.9                                      a number
    0.5 + 0.3*sin(2*pi*s)                    an expression (pipeline/expression.py)
    0:(0.5), 60:(0.9)                        keys at frames
    0s:(0.5), 2.5s:(0.9)                     keys at seconds
    0:(0.5+0.3*sin(2*3.14*t/30)), 60:(1)     expressions at keys
    0:(0.5+0.5*beat(t))                      with a sound: beat(t) and level(t), see pipeline/pulse.py
    0:(0) ease-in, 30:(1) hold, 60:(0)       how the value leaves a key, on its way to the next

Text with a colon in it is a list of keys, all other text one expression. In an expression t is the frame
number, max_f the number of the last frame (both as in deforum) and s the time in seconds (in deforum: a seed).

From key to key the two expressions' values at that moment are mixed: linearly in time, or as a word after the
earlier key says: linear, hold (until the next key), ease-in (slow at first), ease-out (slow at last), ease (both).
(Deforum mixes numbers linearly, but holds an expression until the next key.) Before the first key and after the
last one its expression goes on.
Keys may be in any order, no two at one time. Frames and seconds may be mixed: a key at seconds then lies
(its time - now) * rate frames ahead. A key at 0 is the same in both.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pipeline.errors import ScheduleError, did_you_mean
from pipeline.expression import Parser
from pipeline.formula import Expression, Now, Number, clip
from pipeline.pulse import Pulse

MAX_LENGTH = 200_000  # programs write a key for every beat of a song, or for every frame

EASINGS: Mapping[str, Callable[[float], float]] = {
    "linear": lambda share: share,
    "hold": lambda share: 0.0,
    "ease-in": lambda share: share * share,
    "ease-out": lambda share: share * (2 - share),
    "ease": lambda share: share * share * (3 - 2 * share),
}
"""How far on the way from one key to the next, 0..1, by how much of the time has gone, 0..1."""


@dataclass(frozen=True)
class Key:
    """An expression and its time, in frames or in seconds. at: where the expression stands in the text.

    easing: how it is left, of EASINGS.
    """

    time: float
    in_seconds: bool
    expression: Expression
    at: int
    easing: str = "linear"


@dataclass(frozen=True)
class Schedule:
    """A number that may change with time. Schedules are equal when their texts are.

    text: as it was written. constant: the number, when it is one number at all times.
    uses: the variables it reads, of t, s and max_f, each with its first place in the text; hears: so of beat, level.
    keys: in order of time, unless frames and seconds are `mixed`.
    low, high: what `at` keeps to; set by `within`. pulse: what it hears; set by `hearing`.
    """

    text: str
    constant: float | None = field(compare=False)
    uses: dict[str, int] = field(compare=False, repr=False)
    keys: tuple[Key, ...] = field(compare=False, repr=False)
    mixed: bool = field(compare=False, repr=False)
    low: float = field(default=-math.inf, compare=False)
    high: float = field(default=math.inf, compare=False)
    hears: dict[str, int] = field(default_factory=dict, compare=False, repr=False)
    pulse: Pulse | None = field(default=None, compare=False, repr=False)

    @staticmethod
    def parse(text: str | float) -> Schedule:
        """Read a schedule.

        Raises ScheduleError, pointing at the character, for what cannot be read and for what has no value
        at any time (1/0).
        """
        text = str(text)
        if len(text) > MAX_LENGTH:
            beginning = text[:40] + " ..."
            problem = f"A schedule has at most {MAX_LENGTH} characters, and this has {len(text)}."
            raise ScheduleError(problem, beginning, len(beginning))
        parser = Parser(text)
        if ":" in text:
            keys = _keys(parser)
            parser.expect("", "',' and the next key")
        else:
            keys = [Key(0, False, parser.expression(), 0)]
            parser.expect("", "an operator")
        only = keys[0].expression if len(keys) == 1 else None
        constant = only.value if isinstance(only, Number) else None
        mixed = len({key.in_seconds for key in keys}) == 2
        return Schedule(text, constant, parser.uses, tuple(keys), mixed, hears=parser.hears)

    def within(self, low: float, high: float, name: str = "the value") -> Schedule:
        """The same schedule, kept to low..high.

        A number outside raises ScheduleError now, with `name` and its place. What an expression gives is
        clamped when it is evaluated: a wave a little too high is no reason to end a render in the night.
        """
        for key in self.keys:
            if isinstance(key.expression, Number) and not low <= key.expression.value <= high:
                problem = f"{key.expression.value:g} is outside {low:g} to {high:g}, the range of {name}."
                raise ScheduleError(problem, self.text, key.at)
        return replace(self, low=low, high=high)

    def hearing(self, pulse: Pulse) -> Schedule:
        """The same schedule, whose beat(t) and level(t) are those of a sound or a tempo."""
        return replace(self, pulse=pulse) if self.hears else self

    def at(
        self, frame: float, seconds: float, *, rate: float | None = None, last: float | None = None
    ) -> float:
        """The value at a frame and its time (of one origin): finite, and in low..high.

        rate: frames per second, needed where frames and seconds are mixed. last: the number of the last
        frame, needed where max_f is used. A schedule that lacks one fails at every frame, so at the first.

        Raises ScheduleError, with the frame and the values, where there is no such number: 1/t at t = 0.
        """
        if self.constant is not None:
            return clip(self.constant, self.low, self.high)
        values = {"t": float(frame), "s": float(seconds)}
        if last is not None:
            values["max_f"] = float(last)
        elif "max_f" in self.uses:
            problem = "max_f is the number of the last frame, which is not known for this source."
            raise ScheduleError(problem, self.text, self.uses["max_f"])
        value = self._mix(Now(values, rate, self.pulse))
        if not math.isfinite(value):
            raise ScheduleError(f"At frame {frame:g} this is {value:g}, not a finite number.", self.text, 0)
        return clip(value, self.low, self.high)

    def _mix(self, now: Now) -> float:
        keys: Sequence[Key] = self.keys
        clock = now.values["s"] if keys[0].in_seconds and not self.mixed else now.values["t"]
        if self.mixed:
            keys = self._in_frames(now)
        index = bisect_right(keys, clock, key=lambda key: key.time)
        before, after = keys[max(index - 1, 0)], keys[min(index, len(keys) - 1)]
        value = before.expression.evaluate(now)
        if after is before:
            return value
        share = EASINGS[before.easing]((clock - before.time) / (after.time - before.time))
        if share == 0:  # what holds until a key is not read from it yet
            return value
        return value + share * (after.expression.evaluate(now) - value)

    def _in_frames(self, now: Now) -> list[Key]:
        if (rate := now.rate) is None:
            other = next(key for key in self.keys if key.in_seconds != self.keys[0].in_seconds)
            problem = "Keys at frames and keys at seconds cannot be mixed where the frame rate is not known."
            raise ScheduleError(problem, self.text, other.at)
        # Measured from now, so that each key takes effect at its own exact time at a variable rate too.
        placed = [
            replace(key, time=now.values["t"] + (key.time - now.values["s"]) * rate)
            if key.in_seconds
            else key
            for key in self.keys
        ]
        return sorted(placed, key=lambda key: key.time)

    def __str__(self) -> str:
        return self.text


def _keys(parser: Parser) -> list[Key]:
    """number ["s"] ":" "(" expression ")" [easing], separated by commas, sorted by time."""
    keys: dict[tuple[float, bool], Key] = {}
    while True:
        place = parser.token
        key = _key(parser)
        which = (key.time, key.in_seconds and key.time > 0)
        if which in keys:
            parser.fail("There is a key at this time already.", place)
        keys[which] = key
        if not parser.takes(","):
            break
    in_seconds = all(key.in_seconds for key in keys.values() if key.time > 0)
    settled = (key if key.time > 0 else replace(key, in_seconds=in_seconds) for key in keys.values())
    return sorted(settled, key=lambda key: key.time)


def _key(parser: Parser) -> Key:
    if parser.token.kind != "number":
        parser.fail("Expected a key: a frame number and its value, 60:(0.9), or seconds, 2.5s:(0.9).")
    time, in_seconds = parser.number(), parser.takes("s")
    parser.expect(":", "':' after the key's time, as in 60:(0.9) or 2.5s:(0.9)")
    parser.expect("(", "the key's value in parentheses, as in 60:(0.9)")
    at = parser.token.at
    expression = parser.expression()
    parser.expect(")", "an operator or the ')' of the key's value")
    return Key(time, in_seconds, expression, at, _easing(parser))


def _easing(parser: Parser) -> str:
    """The word after a key's value, in the parser a name, or names with a minus between them."""
    first = parser.token
    if first.kind != "name":
        return "linear"
    word = parser.word()
    if word not in EASINGS:
        known = ", ".join(EASINGS)
        problem = f"After a key stands how it is left: {known}.{did_you_mean(word.lower(), EASINGS)}"
        parser.fail(problem, first)
    return word
