"""Tags: what a film says of itself, cut to the part that was dreamed. Chapters, metadata and timecode."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from av.container import InputContainer

from pipeline import media

if TYPE_CHECKING:
    from av.container.core import Chapter

TECHNICAL = {
    "major_brand",
    "minor_version",
    "compatible_brands",
    "encoder",
    "dream_video",
    "timecode",
    "duration",
}


def chapters(source: InputContainer, begin: Fraction, stop: Fraction | None) -> list[Chapter]:
    """The source's chapters, cut and shifted to the part that was dreamed: seconds, None for the end."""
    kept: list[Chapter] = []
    for chapter in source.chapters():
        unit = chapter["time_base"]
        if unit is None:
            continue
        shift = media.ticks(begin, unit)
        start = max(shift, chapter["start"])
        end = chapter["end"] if stop is None else min(media.ticks(stop, unit), chapter["end"])
        if start < end:
            kept.append({**chapter, "start": start - shift, "end": end - shift})
    return kept


def tags(source: InputContainer, begin: Fraction, rate: Fraction) -> dict[str, str]:
    """The source's own metadata, and its timecode as of the first frame dreamed."""
    found = {k: v for k, v in source.metadata.items() if k.lower() not in TECHNICAL}
    places = [source.metadata, *(stream.metadata for stream in source.streams)]
    code = next((v for place in places for k, v in place.items() if k.lower() == "timecode"), None)
    if code is not None and (moved := later(code, begin, rate)):
        found["timecode"] = moved
    return found


def later(code: str, seconds: Fraction, rate: Fraction) -> str | None:
    """A timecode, hh:mm:ss:ff, or hh:mm:ss;ff where frame numbers are dropped, some time on; None if it is none."""
    match = re.fullmatch(r"(\d{1,2}):(\d{2}):(\d{2})([:;.])(\d{2,3})", code)
    base = round(rate)
    if not match or not base:
        return None
    hours, minutes, seconds_, sign, frames = (
        int(match[1]),
        int(match[2]),
        int(match[3]),
        match[4],
        int(match[5]),
    )
    drop = base // 15 if sign != ":" and base % 30 == 0 else 0  # two numbers a minute at 29.97, four at 59.94
    whole = hours * 60 + minutes
    count = (whole * 60 + seconds_) * base + frames - drop * (whole - whole // 10) + round(seconds * rate)
    if drop:
        ten, one = 600 * base - 9 * drop, 60 * base - drop
        tens, rest = divmod(count, ten)
        count += drop * 9 * tens + (drop * ((rest - drop) // one) if rest >= drop else 0)
    total, frame = divmod(count, base)
    return f"{total // 3600 % 24:02d}:{total // 60 % 60:02d}:{total % 60:02d}{sign}{frame:02d}"
