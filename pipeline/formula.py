"""Formula: what an expression is once it is read: a small tree of nodes -> a float at each moment.

Precedence, the names of functions and the sign of % are numexpr's, which Deforum hands its schedules to.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pipeline.errors import ScheduleError
from pipeline.pulse import Pulse

LEVELS = ("< <= == != >= >", "|", "&", "+ -", "* / %")
PRECEDENCE = {symbol: level for level, symbols in enumerate(LEVELS, 1) for symbol in symbols.split()}
COMPARISON = PRECEDENCE["<"]
COMPARISONS = (operator.lt, operator.le, operator.eq, operator.ne, operator.ge, operator.gt)
OPERATORS: dict[str, Callable[..., float]] = {
    **dict(zip(LEVELS[0].split(), COMPARISONS, strict=True)),
    **{"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "%": operator.mod},
}


def clip(value: float, low: float, high: float) -> float:
    """`value`, or the bound it lies beyond."""
    return min(max(value, low), high)


OF_MATH = "sin cos tan asin acos atan atan2 sinh cosh tanh exp log log10 sqrt floor ceil fmod"
FUNCTIONS: dict[str, Callable[..., float]] = {
    **{name: getattr(math, name) for name in OF_MATH.split()},
    **{f"arc{name}": getattr(math, f"a{name}") for name in ("sin", "cos", "tan", "tan2")},
    **{"abs": abs, "round": round, "min": min, "max": max, "clip": clip},
}
TAKES = {"where": 3, "clip": 3, "atan2": 2, "arctan2": 2, "fmod": 2}  # min, max: 2 or more; the others: 1
HEARD = {
    "beat": "beat(t) has nothing to hear. Give --beats audio, --beats SONG, or --bpm 120.",
    "level": "level(t) has nothing to hear. Give --beats audio, or --beats SONG.",
}
"""Functions of a moment, and what is said where there is no sound."""

CALLABLE = (*FUNCTIONS, "where", *HEARD)
CONSTANTS = {"pi": math.pi, "e": math.e}
VARIABLES = {"t": "the frame number", "s": "the time in seconds", "max_f": "the number of the last frame"}


@dataclass(frozen=True)
class Now:
    """values: of the VARIABLES that are known. rate: frames a second, where it is known. pulse: what is heard."""

    values: Mapping[str, float]
    rate: float | None = None
    pulse: Pulse | None = None


@dataclass(frozen=True)
class Number:
    """A constant."""

    value: float
    depth = 0

    @property
    def is_condition(self) -> bool:
        return self.value in (0, 1)

    def evaluate(self, now: Now) -> float:
        return self.value


@dataclass(frozen=True)
class Variable:
    """A name whose value is known when it is asked for."""

    name: str
    depth = 0
    is_condition = False

    def evaluate(self, now: Now) -> float:
        return now.values[self.name]


@dataclass(frozen=True)
class Call:
    """A function or an operator, with its place in the text."""

    name: str
    function: Callable[..., float]
    arguments: tuple[Expression, ...]
    depth: int
    text: str = field(repr=False)
    at: int

    @property
    def is_condition(self) -> bool:
        return PRECEDENCE.get(self.name) == COMPARISON

    def evaluate(self, now: Now) -> float:
        values = [argument.evaluate(now) for argument in self.arguments]
        try:
            result = float(self.function(*values))
        except (ArithmeticError, ValueError):  # how Python says that there is no such number
            result = math.nan
        if not math.isfinite(result):
            between, call = (
                (", ", f"{self.name}({{}})") if self.name in FUNCTIONS else (f" {self.name} ", "{}")
            )
            what = call.format(between.join(f"{value:g}" for value in values))
            when = f" at frame {now.values['t']:g}" if now.values else ""
            raise ScheduleError(f"{what}{when} is not a finite number.", self.text, self.at)
        return result


@dataclass(frozen=True)
class Choice:
    """`where(condition, yes, no)`; & | ~ are choices too. Only the side chosen is evaluated."""

    condition: Expression
    yes: Expression
    no: Expression
    depth: int

    @property
    def is_condition(self) -> bool:
        return self.yes.is_condition and self.no.is_condition

    def evaluate(self, now: Now) -> float:
        return (self.yes if self.condition.evaluate(now) else self.no).evaluate(now)


@dataclass(frozen=True)
class Heard:
    """`beat(moment)` or `level(moment)`. in_seconds: the moment is a time, not the number of a frame."""

    name: str
    moment: Expression
    in_seconds: bool
    depth: int
    text: str = field(repr=False)
    at: int
    is_condition = False

    def evaluate(self, now: Now) -> float:
        pulse = now.pulse
        if pulse is None or (pulse.beats is None if self.name == "beat" else not pulse.levels):
            raise ScheduleError(HEARD[self.name], self.text, self.at)
        moment = self.moment.evaluate(now)
        seconds = moment if self.in_seconds else self._time(moment, now)
        return pulse.beat(seconds) if self.name == "beat" else pulse.level(seconds)

    def _time(self, frame: float, now: Now) -> float:
        """Measured from now, whose time is exact at a variable rate too."""
        ahead = frame - now.values["t"]
        if ahead and now.rate is None:
            problem = (
                f"Where the frame rate is not known, write {self.name}(t), or a time: {self.name}(s - 0.1)."
            )
            raise ScheduleError(problem, self.text, self.at)
        return now.values["s"] + (ahead / now.rate if ahead and now.rate else 0.0)


Expression = Number | Variable | Call | Choice | Heard
"""`evaluate(now)` gives a finite float or raises ScheduleError; `now` holds what it reads.

is_condition: it is always 0 or 1. depth: levels of the tree below it.
"""
