"""Pictures as a source: numbered frames, a folder, or one still."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from pipeline.clip import Clip, Frame, Segment, Size, fit
from pipeline.errors import InputError, UsageError
from pipeline.settings import Input
from pipeline.sources.base import Facts, fingerprint, spread
from pipeline.stages import stills
from pipeline.stages.join import Beside


@dataclass
class PictureSource:
    """Pictures as film. Numbered ones keep their numbers, and a gap in the numbers is a gap in time.

    ticks: how long a picture stays, in the clip's time_base. pattern: the name they go by, frame_%04d.png.
    """

    clip: Clip
    paths: dict[int, Path]
    resize: str
    ticks: int
    pattern: str
    damaged: int = 0

    def __post_init__(self) -> None:
        self._numbers = list(self.paths)

    @staticmethod
    def of(name: str, paths: dict[int, Path], how: Input) -> PictureSource:
        pattern = stills.pattern_of(paths)
        paths = _chosen(name, paths, how)
        size = fit(Size(*stills.read(next(iter(paths.values()))).shape[:2]), how.size or "full")
        rate = _rate(how.fps or "24")
        clip = Clip(name, size, Fraction(1, rate.numerator), rate / how.every, len(paths))
        return PictureSource(clip, paths, how.size or "full", rate.denominator, pattern)

    def frames(self, last: Segment | None = None) -> Generator[Frame, None, None]:
        for index in range(0 if last is None else last.end - 1, len(self.paths)):
            yield self._frame(index)

    def across(self, count: int) -> Iterator[Frame]:
        return (self._frame(index) for index in spread(len(self.paths), count))

    def _frame(self, index: int) -> Frame:
        number, path = self._numbers[index], self.paths[self._numbers[index]]
        picture = stills.read(path)
        size = fit(Size(*picture.shape[:2]), self.resize)
        if size != self.clip.size:
            raise InputError(
                f"{path}: is {size}, the first picture is {self.clip.size}. "
                f"For one film give --size {self.clip.size}; for a still each give -o DIR/."
            )
        pts = (number - self._numbers[0]) * self.ticks
        return Frame(index, pts, pts * self.clip.time_base, stills.resized(picture, size), number)

    def beside(self, folder: Path) -> Beside | None:
        return None

    def files(self) -> list[Path]:
        return list(self.paths.values())

    def fingerprint(self) -> Facts:
        return fingerprint(list(self.paths.values()))


def _chosen(name: str, paths: dict[int, Path], how: Input) -> dict[int, Path]:
    """Those of the numbered pictures that --frames, --start, --end and --every ask for, in order."""
    numbers = sorted(paths)
    if how.frames:
        match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", how.frames)
        if not match:
            raise UsageError(
                f"--frames {how.frames}: expected first-last by their own numbers, such as 1001-1100."
            )
        wanted = range(int(match[1]), int(match[2] or match[1]) + 1)
        numbers = [number for number in numbers if number in wanted]
        if not numbers:
            raise InputError(
                f"{name}: has no --frames {how.frames}; its numbers are {min(paths)}-{max(paths)}."
            )
    for flag, position in (("--start", how.start), ("--end", how.end)):
        if position and not re.fullmatch(r"\d{1,9}", position):
            raise UsageError(
                f"{flag} {position}: of pictures a count from 0 (or --frames A-B by their numbers)."
            )
    numbers = numbers[int(how.start or 0) : int(how.end) if how.end else None : how.every]
    if not numbers:
        raise InputError(
            f"{name}: no pictures between --start {how.start} and --end {how.end} of {len(paths)}."
        )
    return {number: paths[number] for number in numbers}


def _rate(text: str) -> Fraction:
    match = re.fullmatch(r"(\d{1,7}(?:\.\d{1,6})?)(?:/(\d{1,7}))?", text)
    rate = Fraction(match[1]) / (int(match[2] or 1) or 1) if match else Fraction(0)
    if not Fraction(1, 1000) <= rate <= 1000:
        raise UsageError(f"--fps {text}: expected frames a second, such as 24, 23.976 or 24000/1001.")
    return rate
