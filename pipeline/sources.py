"""Sources: a clip, numbered pictures, a still, the drawn scene. One protocol: frames, from any segment on."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from pipeline.clip import Clip, Frame, Segment, Size, fit
from pipeline.errors import InputError, UsageError
from pipeline.scene import Scene, demo_scene, tone
from pipeline.settings import Input
from pipeline.stages import sound, stills
from pipeline.stages.decode import Decoder
from pipeline.stages.join import Beside

Facts = dict[str, str | int]


class Source(Protocol):
    """Where frames come from. clip: the facts. damaged: frames held because they could not be decoded."""

    clip: Clip

    @property
    def damaged(self) -> int: ...

    def frames(self, last: Segment | None = None) -> Generator[Frame, None, None]:
        """All frames, or those from the last frame of a finished segment on (itself included, for its motion)."""
        ...

    def across(self, count: int) -> Iterator[Frame]:
        """`count` frames spread evenly over the film."""
        ...

    def beside(self, folder: Path) -> Beside | None:
        """What has to go into the film beside the picture; a source that makes sound writes it to `folder`."""
        ...

    def fingerprint(self) -> Facts:
        """What tells this very source from another one."""
        ...


def open_source(name: str, how: Input, *, strict: bool = False) -> Source:
    """The source a name means. Raises InputError, or UsageError where `how` does not fit it."""
    path = Path(name)
    if stills.is_pattern(name):
        return PictureSource.of(name, stills.matching(name), how)
    if path.is_dir():
        return PictureSource.of(name, stills.in_folder(path), how)
    if path.suffix.lower() in stills.SUFFIXES:
        return PictureSource.of(name, {0: path}, how)
    return ClipSource.of(path, how, strict=strict)


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
        times = decoder.times()
        if not times:
            raise InputError(f"{path}: holds no frames.")
        first = _index(how.start, times, clip.time_base, "--start") if how.start else 0
        end = _index(how.end, times, clip.time_base, "--end") if how.end else len(times)
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
        times = [
            t for t in self.decoder.times() if t >= self.since and (self.until is None or t < self.until)
        ]
        for index in _spread(len(times), count):
            pts, picture = next(self.decoder.pictures(times[index]))
            yield Frame(index // self.every, pts, (pts - self.since) * self.clip.time_base, picture)

    def beside(self, folder: Path) -> Beside | None:
        unit = self.clip.time_base
        start = self.since * unit if self.trimmed else None
        return Beside(self.decoder.path, start, None if self.until is None else self.until * unit)

    def fingerprint(self) -> Facts:
        return _fingerprint([self.decoder.path])


def _index(position: str, times: Sequence[int], time_base: Fraction, flag: str) -> int:
    """The first frame at or after a frame number (from 0) or a time (1.5s, 00:00:01.5)."""
    if re.fullmatch(r"\d{1,9}", position):
        return int(position)
    seconds = _seconds(position)
    if seconds is None:
        raise UsageError(f"{flag} {position}: expected a frame number (36) or a time (1.5s, 00:00:01.5).")
    return next((i for i, pts in enumerate(times) if (pts - times[0]) * time_base >= seconds), len(times))


def _seconds(text: str) -> Fraction | None:
    if match := re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)s", text):
        return Fraction(match[1])
    if match := re.fullmatch(r"(?:(\d{1,4}):)?(\d{1,4}):(\d{1,2}(?:\.\d{1,9})?)", text):
        return int(match[1] or 0) * 3600 + int(match[2]) * 60 + Fraction(match[3])
    return None


def _spread(length: int, count: int) -> list[int]:
    """`count` places in a film of `length` frames, in the middle of as many equal parts."""
    count = min(count, length)
    return [(2 * k + 1) * length // (2 * count) for k in range(count)]


@dataclass
class PictureSource:
    """Pictures as film. Numbered ones keep their numbers, and a gap in the numbers is a gap in time.

    ticks: how long a picture stays, in the clip's time_base.
    """

    clip: Clip
    paths: dict[int, Path]
    resize: str
    ticks: int
    damaged: int = 0

    @staticmethod
    def of(name: str, paths: dict[int, Path], how: Input) -> PictureSource:
        paths = _chosen(name, paths, how)
        size = fit(Size(*stills.read(next(iter(paths.values()))).shape[:2]), how.size or "full")
        rate = _rate(how.fps or "24")
        clip = Clip(name, size, Fraction(1, rate.numerator), rate / how.every, len(paths))
        return PictureSource(clip, paths, how.size or "full", rate.denominator)

    def frames(self, last: Segment | None = None) -> Generator[Frame, None, None]:
        for index in range(0 if last is None else last.end - 1, len(self.paths)):
            yield self._frame(index)

    def across(self, count: int) -> Iterator[Frame]:
        return (self._frame(index) for index in _spread(len(self.paths), count))

    def _frame(self, index: int) -> Frame:
        numbers = list(self.paths)
        path = self.paths[numbers[index]]
        picture = stills.read(path)
        size = fit(Size(*picture.shape[:2]), self.resize)
        if size != self.clip.size:
            raise InputError(
                f"{path}: is {size}, the first picture is {self.clip.size}. "
                f"For one film give --size {self.clip.size}; for a still each give -o DIR/."
            )
        pts = (numbers[index] - numbers[0]) * self.ticks
        return Frame(index, pts, pts * self.clip.time_base, stills.resized(picture, size), numbers[index])

    def beside(self, folder: Path) -> Beside | None:
        return None

    def fingerprint(self) -> Facts:
        return _fingerprint(list(self.paths.values()))


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
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= 1000 or rate.numerator > 1_000_000:
        raise UsageError(f"--fps {text}: expected frames a second, such as 24, 23.976 or 24000/1001.")
    return rate


@dataclass
class SceneSource:
    """The scene this program draws itself, with a tone for its sound. Its motion is known, but not told."""

    clip: Clip
    scene: Scene
    chosen: range
    damaged: int = 0

    @staticmethod
    def of(how: Input) -> SceneSource:
        size = fit(Size(360, 640), how.size or "full")
        scene = demo_scene(size)
        unit = Fraction(1, scene.rate.numerator)
        times = [frame * scene.rate.denominator for frame in range(scene.frames)]
        first = _index(how.start, times, unit, "--start") if how.start else 0
        end = _index(how.end, times, unit, "--end") if how.end else scene.frames
        chosen = range(first, min(end, scene.frames), how.every)
        if not chosen:
            raise InputError(f"The demo scene has {scene.frames} frames; none is left to dream.")
        return SceneSource(Clip("demo", size, unit, scene.rate / how.every, len(chosen)), scene, chosen)

    def frames(self, last: Segment | None = None) -> Generator[Frame, None, None]:
        for index in range(0 if last is None else last.end - 1, len(self.chosen)):
            yield self._frame(index)

    def across(self, count: int) -> Iterator[Frame]:
        return (self._frame(index) for index in _spread(len(self.chosen), count))

    def _frame(self, index: int) -> Frame:
        pts = (self.chosen[index] - self.chosen[0]) * self.scene.rate.denominator
        return Frame(index, pts, pts * self.clip.time_base, self.scene.picture(self.chosen[index]))

    def beside(self, folder: Path) -> Beside | None:
        path = folder / "sound.m4a"
        sound.write(path, tone(float((self.chosen[-1] + self.chosen.step) / self.scene.rate)))
        start = self.chosen[0] / self.scene.rate
        return Beside(path, start if start else None)

    def fingerprint(self) -> Facts:
        return {"scene": "demo", "size": str(self.clip.size), "frames": str(self.chosen)}


def _fingerprint(paths: Sequence[Path]) -> Facts:
    """Size, time and a hash of head and tail of one file; names, sizes and times of many."""
    digest = hashlib.sha256()
    for path in paths:
        facts = path.stat()
        digest.update(f"{path.name}/{facts.st_size}/{facts.st_mtime_ns}\n".encode())
    with paths[0].open("rb") as file:
        digest.update(file.read(1 << 16))
        file.seek(max(0, paths[0].stat().st_size - (1 << 16)))
        digest.update(file.read())
    return {"files": len(paths), "sha256": digest.hexdigest()}
