"""A clip, or a part of it, as a source."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from pipeline import light
from pipeline.clip import Clip, Deep, Frame, Picture, Segment
from pipeline.errors import InputError, UsageError
from pipeline.settings import Input
from pipeline.sources.base import Facts, fingerprint, index_of, rate_of, spread
from pipeline.stages.decode import Decoder
from pipeline.stages.join import Beside


@dataclass
class ClipSource:
    """A clip, or a part of it. Its frames keep their pts; a part that starts later starts at 0.

    shown: the pts, in the decoder's time base, of the frame that each frame dreamed is made from. times: their own
    pts, in the clip's. until: the decoder's pts to stop before (None: the end). deep: frames bring their full depth.
    """

    clip: Clip
    decoder: Decoder
    shown: list[int]
    times: list[int]
    until: int | None
    trimmed: bool
    deep: bool = False
    _missing: set[int] = field(default_factory=set)

    @staticmethod
    def of(path: Path, how: Input, *, strict: bool = False) -> ClipSource:
        how = _by_frames(how)
        if how.fps and how.every > 1:
            raise UsageError("--fps and --every both say how many frames there are: give one of them.")
        if how.input_space != "auto":
            raise UsageError(
                f"--input-space {how.input_space} is of pictures; {path} says itself what its values stand for. "
                "Leave it out, or give the frames as pictures."
            )
        rate = rate_of(how.fps) if how.fps else None
        decoder = Decoder.open(path, how.size or "full", strict=strict)
        clip, times = decoder.clip, decoder.times
        if not times:
            raise InputError(f"{path}: holds no frames.")
        first = index_of(how.start, times, clip.time_base, "--start") if how.start else 0
        end = index_of(how.end, times, clip.time_base, "--end") if how.end else len(times)
        if first >= min(end, len(times)):
            raise InputError(
                f"{path}: no frames between --start {how.start} and --end {how.end} of {len(times)}."
            )
        until = times[end] if end < len(times) else None
        shown = times[first : min(end, len(times)) : how.every]
        shift = shown[0] if first > 0 else 0
        own = [pts - shift for pts in shown]
        clip = replace(clip, rate=clip.rate / how.every)
        if rate is not None:
            clip, shown, own = _resampled(clip, shown, own, until, rate)
        clip = replace(clip, frames=len(shown))
        return ClipSource(clip, decoder, shown, own, until, trimmed=first > 0)

    @property
    def damaged(self) -> int:
        return self.decoder.damaged + len(self._missing)

    def frames(self, last: Segment | None = None) -> Generator[Frame, None, None]:
        """Every frame that was planned, at its time; where one cannot be decoded, the last good one is held."""
        index = 0 if last is None else last.end - 1
        held: Picture | Deep | None = None
        for pts, picture in self._decoded(self.shown[index]):
            while index < len(self.shown) and self.shown[index] < pts:
                self._missing.add(index)
                yield self._frame(index, picture if held is None else held)
                index += 1
            if index == len(self.shown):
                return
            held = picture
            while index < len(self.shown) and self.shown[index] == pts:
                yield self._frame(index, picture)
                index += 1
        while held is not None and index < len(self.shown):
            self._missing.add(index)
            yield self._frame(index, held)
            index += 1

    def _decoded(self, since: int) -> Iterator[tuple[int, Picture | Deep]]:
        yield from self.decoder.deeps(since) if self.deep else self.decoder.pictures(since)

    def counted(self) -> Sequence[int]:
        return [bisect_left(self.decoder.times, pts) for pts in self.shown]

    def across(self, count: int) -> Iterator[Frame]:
        for index in spread(len(self.shown), count):
            if (found := next(self._decoded(self.shown[index]), None)) is not None:
                yield self._frame(index, found[1])

    def _frame(self, index: int, picture: Picture | Deep) -> Frame:
        pts = self.times[index]
        time = (pts - self.times[0]) * self.clip.time_base
        place = bisect_left(self.decoder.times, self.shown[index])
        if isinstance(picture, Deep):
            return Frame(index, pts, time, light.proxy(picture), deep=picture, place=place)
        return Frame(index, pts, time, picture, place=place)

    def beside(self, folder: Path) -> Beside | None:
        unit = self.decoder.clip.time_base
        start = self.shown[0] * unit if self.trimmed else None
        return Beside(self.decoder.path, start, None if self.until is None else self.until * unit)

    def files(self) -> list[Path]:
        return [self.decoder.path]

    def fingerprint(self) -> Facts:
        return fingerprint([self.decoder.path])


def _by_frames(how: Input) -> Input:
    """--frames A-B as --start and --end. UsageError."""
    if not how.frames:
        return how
    match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", how.frames)
    if not match:
        raise UsageError(f"--frames {how.frames}: expected first-last, counted from 0, such as 24-47.")
    if how.start or how.end:
        raise UsageError("--frames and --start or --end both say where to begin: give one of them.")
    end = int(match[2] or match[1]) + 1
    return how.model_copy(update={"start": match[1], "end": str(end), "frames": None})


def _resampled(
    clip: Clip, shown: list[int], own: list[int], until: int | None, rate: Fraction
) -> tuple[Clip, list[int], list[int]]:
    """The clip at a constant rate: at each new time the frame that is on the screen then. New pts in ticks of 1/rate.

    Gives the clip, what is shown, and the new times. The first frame keeps its time to the tick.
    """
    end = until if until is not None else shown[-1] + max(1, round(1 / clip.rate / clip.time_base))
    unit = Fraction(1, rate.numerator)
    seconds = (end - shown[0]) * clip.time_base
    count = max(1, round(seconds * rate))
    places = [shown[0] + k / rate / clip.time_base for k in range(count)]
    frames = [shown[max(0, bisect_right(shown, place) - 1)] for place in places]
    begin = round(own[0] * clip.time_base / unit)
    return (
        replace(clip, rate=rate, time_base=unit),
        frames,
        [begin + k * rate.denominator for k in range(count)],
    )
