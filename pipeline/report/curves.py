"""Curves: numbers through time as inline SVG, small multiples over one time axis. Lists of numbers in, HTML out.

Lines lie in a stretched SVG, words in HTML around it, so that a chart fits a phone and its words stay readable.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 1000, 100
MOST = 800
"""Points of a curve at most; a longer film shows means of several frames, and how far they reach, as a band."""


@dataclass(frozen=True)
class Curve:
    """A number through time. name: for scripts. unit and reading: what to make of it, a few words.

    values: one a frame, nan for a gap. beside: another to compare with, drawn thin. scale: what values are
    multiplied with to be shown. sampled: only some frames have one; they are joined, with a dot each.
    """

    name: str
    title: str
    unit: str
    reading: str
    values: Sequence[float]
    beside: Sequence[float] | None = None
    scale: float = 1.0
    sampled: bool = False


@dataclass(frozen=True)
class Axis:
    """Time. times: s, one a frame, rising. cuts: s, where shots begin."""

    times: Sequence[float]
    cuts: Sequence[float] = ()

    def x(self, time: float) -> float:
        """0 to WIDTH."""
        span = self.times[-1] - self.times[0]
        return WIDTH * (time - self.times[0]) / span if span > 0 else 0.0


def chart(curve: Curve, axis: Axis, said: str) -> str:
    """A figure: title and mean, lines with their axes. said: the number beside the title."""
    shown = [curve.scale * value for value in curve.values]
    other = [curve.scale * value for value in curve.beside or ()]
    ticks = nice(0, max((v for v in (*shown, *other) if math.isfinite(v)), default=0) or 1, 3)
    top = ticks[-1]
    lines = [_lines(other, axis, top, "beside", sampled=False)] if other else []
    lines.append(_lines(shown, axis, top, "line", sampled=curve.sampled))
    rules = "".join(f'<path class="rule" d="M0 {_y(tick, top)}H{WIDTH}"/>' for tick in ticks)
    marks = "".join(f'<path class="cut" d="M{axis.x(cut):.1f} 0V{HEIGHT}"/>' for cut in axis.cuts)
    levels = "".join(
        f'<span style="top:{100 - 100 * tick / top:.1f}%">{number(tick)}</span>' for tick in ticks
    )
    return (
        f'<figure class="chart" data-curve="{escape(curve.name)}" data-top="{top:g}">'
        f"<figcaption><b>{escape(curve.title)}</b> <span>{escape(curve.unit)}</span>"
        f"<output>{escape(said)}</output></figcaption>"
        f'<div class="plot"><div class="levels">{levels}</div><div class="field">'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(f"{curve.title}, {curve.unit}: {said}")}">{rules}{marks}{"".join(lines)}</svg>'
        f'<i class="cursor" hidden></i></div><div class="times">{_time_ticks(axis)}</div></div>'
        f"<p>{escape(curve.reading)}</p></figure>"
    )


def points(values: Sequence[float]) -> list[tuple[float, float, float]]:
    """Mean, least and largest of each run of frames that shares a point of a curve; nan where nothing is."""
    runs = [values[start:end] for start, end in spans(len(values))]
    known = [[value for value in run if math.isfinite(value)] for run in runs]
    return [(sum(k) / len(k), min(k), max(k)) if k else (math.nan,) * 3 for k in known]


def spans(count: int) -> list[tuple[int, int]]:
    """The frames, start <= index < end, that share a point: one each, up to MOST points."""
    each = max(1, math.ceil(count / MOST))
    return [(start, min(start + each, count)) for start in range(0, count, each)]


def places(axis: Axis) -> list[float]:
    """x of each point, 0 to WIDTH."""
    return [axis.x(sum(axis.times[a:b]) / (b - a)) for a, b in spans(len(axis.times))]


def nice(low: float, high: float, about: int) -> list[float]:
    """Round numbers from at most `low` to at least `high`, about so many steps of 1, 2 or 5 times ten to some n."""
    rough = max((high - low) / about, 1e-9)
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(m * magnitude for m in (1, 2, 5, 10) if m * magnitude >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * n, 10) for n in range(first, last + 1)]


def number(value: float) -> str:
    """In three digits, without an exponent where that can be: 0.023, 1.5, 240; a dash for none."""
    if not math.isfinite(value):
        return "\N{EN DASH}"
    if value == 0 or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) >= 1e-4 else f"{value:.0e}"


def clock(seconds: float) -> str:
    """1.5 s, from a minute on 2:05 min, from an hour on 1:02:05 h."""
    if abs(seconds) < 60:
        return f"{seconds:.2f}".rstrip("0").rstrip(".") + " s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d} h"


def _time_ticks(axis: Axis) -> str:
    low, high = axis.times[0], axis.times[-1]
    ticks = [tick for tick in nice(low, high, 5) if low <= tick <= high] if high > low else [low]
    return "".join(
        f'<span style="left:{axis.x(tick) / WIDTH * 100:.2f}%">{clock(tick)}</span>' for tick in ticks
    )


def _lines(values: Sequence[float], axis: Axis, top: float, kind: str, *, sampled: bool) -> str:
    """A path of every point there is, broken where one is missing; a band behind it where points are means."""
    steps, xs = points(values), places(axis)
    known = [(x, mean) for x, (mean, _, _) in zip(xs, steps, strict=True)]
    line, last = [], -1.0  # the place of the point before, negative where there is none to join
    for x, mean in known:
        if math.isfinite(mean):
            new = last < 0 or (sampled and any(last < axis.x(cut) <= x for cut in axis.cuts))
            line.append(f"{'M' if new else 'L'}{x:.1f} {_y(mean, top)}")
            last = x
        elif not sampled:
            last = -1.0
    drawn = f'<path class="{kind}" d="{"".join(line)}"/>'
    if dotted := [at for at in known if math.isfinite(at[1])] if sampled else _alone(known):
        dots = "".join(f"M{x:.1f} {_y(mean, top)}h0" for x, mean in dotted)
        drawn += f'<path class="dots" d="{dots}"/>'
    if len(steps) < len(values) and not sampled:
        drawn = _band(steps, xs, top) + drawn
    return drawn


def _alone(known: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that have no neighbour to be joined with, which no line would show."""
    there = [False, *(math.isfinite(mean) for _, mean in known), False]
    return [
        at for at, before, here, after in zip(known, there, there[1:], there[2:], strict=False)
        if here and not before and not after
    ]  # fmt: skip


def _band(steps: Sequence[tuple[float, float, float]], xs: Sequence[float], top: float) -> str:
    reach = [(x, low, high) for x, (_, low, high) in zip(xs, steps, strict=True) if math.isfinite(low)]
    return "".join(
        f'<path class="band" d="M{x:.1f} {_y(low, top)}V{_y(high, top)}"/>' for x, low, high in reach
    )


def _y(value: float, top: float) -> str:
    return f"{HEIGHT * (1 - value / top):.2f}"
