"""A clip, or a part of it, as a source."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.clip import Clip, Frame, Segment
from pipeline.errors import InputError, UsageError
from pipeline.settings import Input
from pipeline.sources.base import Facts, fingerprint, index_of, spread
from pipeline.stages.decode import Decoder
from pipeline.stages.join import Beside


@dataclass
class ClipSource:
    """A clip, or a part of it. Its frames keep their pts; a part that starts later starts at 0.

    since, until: pts of the first frame and of the one to stop before (None: the end).
    """

    clip: Clip
    decoder: Decoder
    since: int
    until: int | None
    every: int
    trimmed: bool

    @staticmethod
    def of(path: Path, how: Input, *, strict: bool = False) -> ClipSource:
        if how.frames:
            raise UsageError("--frames is for numbered pictures; for a clip use --start and --end.")
        if how.fps:
            raise UsageError(
                "--fps is for pictures; a clip keeps its own timing. Use --every N for fewer frames."
            )
        decoder = Decoder.open(path, how.size or "full", strict=strict)
        clip = decoder.clip
        times = decoder.times
        if not times:
            raise InputError(f"{path}: holds no frames.")
        first = index_of(how.start, times, clip.time_base, "--start") if how.start else 0
        end = index_of(how.end, times, clip.time_base, "--end") if how.end else len(times)
        if first >= min(end, len(times)):
            raise InputError(
                f"{path}: no frames between --start {how.start} and --end {how.end} of {len(times)}."
            )
        chosen = range(first, min(end, len(times)), how.every)
        clip = replace(clip, frames=len(chosen), rate=clip.rate / how.every)
        until = times[end] if end < len(times) else None
        return ClipSource(clip, decoder, times[first], until, how.every, trimmed=first > 0)

    @property
    def damaged(self) -> int:
        return self.decoder.damaged

    def frames(self, last: Segment | None = None) -> Generator[Frame, None, None]:
        shift = self.since if self.trimmed else 0
        count = 0 if last is None else (last.end - 1) * self.every
        for pts, picture in self.decoder.pictures(self.since if last is None else last.last_pts + shift):
            if self.until is not None and pts >= self.until:
                return
            if count % self.every == 0:
                time = (pts - self.since) * self.clip.time_base
                yield Frame(count // self.every, pts - shift, time, picture)
            count += 1

    def across(self, count: int) -> Iterator[Frame]:
        times = [t for t in self.decoder.times if t >= self.since and (self.until is None or t < self.until)]
        for index in spread(len(times), count):
            pts, picture = next(self.decoder.pictures(times[index]))
            yield Frame(index // self.every, pts, (pts - self.since) * self.clip.time_base, picture)

    def beside(self, folder: Path) -> Beside | None:
        unit = self.clip.time_base
        start = self.since * unit if self.trimmed else None
        return Beside(self.decoder.path, start, None if self.until is None else self.until * unit)

    def files(self) -> list[Path]:
        return [self.decoder.path]

    def fingerprint(self) -> Facts:
        return fingerprint([self.decoder.path])
