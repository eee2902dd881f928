"""Strips: a film's pictures through time, a row of each kind, a column for each frame. Record in, HTML out."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from pipeline.report.about import About
from pipeline.report.curves import clock, number
from pipeline.report.measure import Row
from pipeline.report.record import Record
from pipeline.report.tiles import Tiles, full_colour, wheel


def strips(record: Record, about: About) -> str:
    """Pictures through time: a row of each kind, a column for each frame."""
    pictured, times = record.pictured(), {row.frame: row for row in record.rows}
    starts = [row.frame for row in record.rows[1:] if row.cut and about.cuts]
    heads, before = [], -1
    for frame in pictured:
        passed = [times[start].number for start in starts if before < start <= frame]
        cuts = f" <em>{_cuts(passed, times[frame].number)}</em>" if passed else ""
        heads.append(
            f'<div class="when"><b>{clock(times[frame].time)}</b>frame {times[frame].number}{cuts}</div>'
        )
        before = frame
    parts = [f'<div class="strip">{"".join(heads)}</div>']
    for name, title, reading in _kinds(record, about):
        cells = "".join(_tile(name, title, times[frame], kept) for frame, kept in pictured.items())
        parts.append(
            _named(title, reading, _legend() if name == "flow" else "")
            + f'<div class="strip" data-kind="{name}">{cells}</div>'
        )
    shape = f"--n:{max(1, len(pictured))};--shape:{about.size.width}/{about.size.height}"
    return (
        '<section><h2>Through time</h2><p class="live">Choose a picture to see it large; the arrow keys then lead '
        "through time and from source to dream.</p>"
        f'<div class="strips" style="{shape}"><div>{"".join(parts)}</div></div></section>'
    )


def _cuts(passed: Sequence[int], shown: int) -> str:
    """What lies between the picture before and this one, of frame `shown`. passed: first frames of shots."""
    if len(passed) > 2:
        return f"{len(passed)} cuts"
    return "new shot" if passed == [shown] else f"cut at {' and '.join(map(str, passed))}"


def still(record: Record) -> str:
    """A single picture: what it was, what it became, and what was added."""
    row, kept = record.rows[0], next(iter(record.pictured().values()))
    cells = "".join(
        f"<div>{_named(title, reading)}{_tile(name, title, row, kept)}</div>"
        for name, title, reading in _pictures(record.gain)
    )
    return f'<section class="still">{cells}</section>'


def _pictures(gain: int) -> list[tuple[str, str, str]]:
    times = f", drawn {gain} times as strong" if gain > 1 else ""
    return [
        ("source", "Source", ""),
        ("dream", "Dream", ""),
        ("layer", "Dream layer", f"what was added: grey is nothing{times}"),
    ]


def _kinds(record: Record, about: About) -> list[tuple[str, str, str]]:
    if not about.cuts:
        return _pictures(record.gain)
    full = number(full_colour(about.dream_size.width))
    return [
        *_pictures(record.gain),
        ("flow", "Motion", f"hue is where to, colour how fast, full at {full} px a frame"),
        ("trust", "Trust", "orange is dreamed anew: it came into view, or its motion is a guess"),
    ]


def _tile(name: str, title: str, row: Row, kept: Tiles) -> str:
    said = f"{title}, {clock(row.time)}, frame {row.number}"
    if name not in kept:
        return '<div class="none">a shot begins</div>'
    return (
        f'<button class="tile" data-row="{name}" data-frame="{row.frame}">'
        f'<img src="{_picture(kept[name])}" alt="{escape(said)}"></button>'
    )


def _named(title: str, reading: str, sign: str = "") -> str:
    return f'<div class="about">{sign}<h3>{title}</h3> <span>{escape(reading)}</span></div>'


def _legend() -> str:
    return f'<img src="{_picture(wheel())}" alt="colour wheel: hue by direction, paler where slower">'


def _picture(data: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
