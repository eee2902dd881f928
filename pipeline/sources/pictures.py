"""Pictures as a source: numbered frames, a folder, or one still."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from pipeline import light, spaces
from pipeline.clip import Clip, Frame, Pixels, Segment, Size, fit
from pipeline.errors import InputError, UsageError
from pipeline.settings import Input
from pipeline.sources.base import Facts, fingerprint, rate_of, spread
from pipeline.stages import stills
from pipeline.stages.join import Beside


@dataclass
class PictureSource:
    """Pictures as film. Numbered ones keep their numbers, and a gap in the numbers is a gap in time.

    ticks: how long a picture stays, in the clip's time_base. pattern: the name they go by, frame_%04d.png.
    deep: frames bring their full depth. space: what their values stand for, as --input-space.
    places: of each, counted from 0 in all that were there to choose from.
    """

    clip: Clip
    paths: dict[int, Path]
    resize: str
    ticks: int
    pattern: str
    damaged: int = 0
    deep: bool = False
    space: str = "auto"
    places: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self._numbers = list(self.paths)

    @staticmethod
    def of(name: str, paths: dict[int, Path], how: Input, *, strict: bool = False) -> PictureSource:
        pattern = stills.pattern_of(paths)
        place = {number: index for index, number in enumerate(sorted(paths))}
        paths = _chosen(name, paths, how)
        notes = _gaps_told(name, paths, pattern) if how.every == 1 else ()
        if notes and strict:
            raise InputError(f"{notes[0]} --strict was asked for.")
        head = next(iter(paths.values()))
        spaces.check(how.input_space)
        if head.suffix.lower() == ".exr" and how.input_space == "auto":
            notes += (f"{head.name} is taken for linear light with the primaries of Rec. 709.",)
        size = fit(Size(*stills.read(head).shape[:2]), how.size or "full")
        rate = rate_of(how.fps or "24")
        clip = Clip(
            name,
            size,
            Fraction(1, rate.numerator),
            rate / how.every,
            len(paths),
            pixels=stills.pixels_of(head, how.input_space),
            notes=notes,
        )
        places = tuple(place[number] for number in paths)
        return PictureSource(
            clip, paths, how.size or "full", rate.denominator, pattern, places=places, space=how.input_space
        )

    def frames(self, last: Segment | None = None) -> Generator[Frame, None, None]:
        for index in range(0 if last is None else last.end - 1, len(self.paths)):
            yield self._frame(index)

    def counted(self) -> Sequence[int]:
        return self.places

    def across(self, count: int) -> Iterator[Frame]:
        return (self._frame(index) for index in spread(len(self.paths), count))

    def _frame(self, index: int) -> Frame:
        number, path = self._numbers[index], self.paths[self._numbers[index]]
        deep = stills.read_deep(path, self.space) if self.clip.pixels != Pixels() else None
        picture = stills.read(path) if deep is None else light.proxy(deep) if self.deep else light.flat(deep)
        size = fit(Size(*picture.shape[:2]), self.resize)
        if size != self.clip.size:
            raise InputError(
                f"{path}: is {size}, the first picture is {self.clip.size}. "
                f"For one film give --size {self.clip.size}; for a still each give -o DIR/."
            )
        pts = (number - self._numbers[0]) * self.ticks
        shown = stills.resized(picture, size)
        kept = stills.resized_deep(deep, size) if deep is not None and self.deep else None
        return Frame(
            index, pts, pts * self.clip.time_base, shown, number, deep=kept, place=self.places[index]
        )

    def beside(self, folder: Path) -> Beside | None:
        return None

    def files(self) -> list[Path]:
        return list(self.paths.values())

    def fingerprint(self) -> Facts:
        return fingerprint(list(self.paths.values()))


def _gaps_told(name: str, paths: dict[int, Path], pattern: str) -> tuple[str, ...]:
    missing = stills.gaps(paths)
    if not missing:
        return ()
    first = stills.numbered(pattern, missing[0]).name
    return (f"{name}: no {first}, {len(missing)} missing in all; a gap in the numbers is a gap in time.",)


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
