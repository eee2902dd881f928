"""The zoom as a source: frames that know their time and where the camera looks, over a picture or a clip.

Its frames are made from what was dreamed before them, so they come without pictures, unless a clip plays meanwhile.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from pipeline import camera, hearing
from pipeline.camera import Moves, Similarity
from pipeline.clip import Clip, Flow, Frame, Plane, Segment, Size, fit
from pipeline.errors import InputError, UsageError
from pipeline.pulse import Pulse
from pipeline.schedule import Schedule
from pipeline.settings.zoom import INSIDE, PAN, ZoomSettings, pair
from pipeline.sources import grounds
from pipeline.sources.base import Facts, Source, fingerprint, rate_of, spread
from pipeline.stages.join import Beside

LONGEST = 1280  # px: the longer side of a film whose size was not said
NOTHING = np.zeros((0, 0, 3), np.uint8)


@dataclass
class ZoomSource:
    """A camera's path, and what it flies over. ground: float32 [H, W, 3] in 0..1, None for a clip's own frames.

    doublings: of a loop, signed; 0 for none. told: what was done to close it. read: the files it is made from;
    heard: those of sound. pulse: what its schedules hear.
    """

    clip: Clip
    path: camera.Path
    ground: Plane | None
    doublings: int
    read: list[Path]
    heard: list[Path]
    film: Source | None = None
    told: str = ""
    pulse: Pulse | None = None

    @staticmethod
    def of(name: str, settings: ZoomSettings, centre: complex | None = None) -> ZoomSource:
        """What a name means: a picture, a clip, or noise, colour:#203040, gradient:#000,#f80.

        centre: the point dived into, x + i y in 0..1, where that was left to be found (auto).
        Raises InputError, UsageError, ScheduleError.
        """
        how = settings.zoom
        if settings.dream.objective == "invert":
            raise UsageError("--objective invert: rebuilds a still; a dive dreams on. dream-video does that.")
        ground, film, read = grounds.open_ground(name, settings.input, strict=settings.run.strict)
        if ground is None:
            assert film is not None
            clip = film.clip
            seconds = Fraction(clip.frames or 1) / clip.rate
        else:
            own = Size(*ground.shape[:2])
            size = fit(own, settings.input.size or f"max:{LONGEST}")
            rate = rate_of(settings.input.fps or "30")
            seconds = _seconds(how.seconds, hearing.song(settings))
            frames = max(1, round(seconds * rate))
            clip = Clip(name, size, Fraction(1, rate.numerator), rate, frames)
            seconds = frames / rate
        settings = hearing.heard(settings, film, clip)
        moves = _moves(settings, clip, centre)
        path, doublings, told = camera.Path.of(moves, float(seconds)), 0, ""
        if how.loop:
            asked, (path, doublings) = path, camera.closed(moves, float(seconds))
            told = _of_loop(asked, path)
        sounds = hearing.files(settings)
        return ZoomSource(clip, path, ground, doublings, read, sounds, film, told, settings.pulse)

    @property
    def damaged(self) -> int:
        return self.film.damaged if self.film else 0

    def frames(self, last: Segment | None = None) -> Generator[Frame, None, None]:
        """Those after a finished segment: unlike a film's, they need no frame before them."""
        first = 0 if last is None else last.end
        if self.film is None:
            for index in range(first, self.clip.frames or 1):
                yield self._frame(index)
        else:
            yield from (frame for frame in self.film.frames(last) if frame.index >= first)

    def counted(self) -> Sequence[int]:
        """Its frames are all there are; a clip's keep the clip's own count."""
        return self.film.counted() if self.film else range(self.clip.frames or 1)

    def across(self, count: int) -> Iterator[Frame]:
        """The first frame, the last one, and `count` - 2 evenly between them."""
        length = self.clip.frames or 1
        places = np.linspace(0, length - 1, min(count, length)) if count > 1 else spread(length, 1)
        return (self._frame(round(float(place))) for place in places)

    def _frame(self, index: int) -> Frame:
        pts = index * (1 / self.clip.rate / self.clip.time_base)
        return Frame(index, int(pts), pts * self.clip.time_base, NOTHING)

    def flow(self, frame: Frame, size: Size) -> Flow:
        """The exact motion since the frame before, at `size`; of the first frame none."""
        if frame.index == 0:
            return Flow.none(size)
        before = self.step(frame, size)
        x, y = np.meshgrid(np.arange(size.width), np.arange(size.height))
        here = x + 1j * y
        there = before.scale * here + before.offset
        inside = (there.real >= 0) & (there.real <= size.width - 1)
        inside &= (there.imag >= 0) & (there.imag <= size.height - 1)
        moved = there - here
        return Flow(
            np.stack((moved.real, moved.imag), -1).astype(np.float32), inside.astype(np.float32), cut=False
        )

    def step(self, frame: Frame, size: Size) -> Similarity:
        """From pixels of a frame, not the first, to where they were in the frame before."""
        now = min(float(frame.time), self.path.seconds)
        then = max(now - float(1 / self.clip.rate), 0.0)
        place = pixels(size)
        return place.inverse @ self.path.seen_from(then, now) @ place

    def beside(self, folder: Path) -> Beside | None:
        return self.film.beside(folder) if self.film else None

    def files(self) -> list[Path]:
        return [*self.read, *self.heard]

    def fingerprint(self) -> Facts:
        facts: Facts = {"zoom": self.clip.name, "size": str(self.clip.size), "frames": self.clip.frames or 0}
        return facts | ({"rate": str(self.clip.rate)}) | (fingerprint(self.read) if self.read else {})


def pixels(size: Size) -> Similarity:
    """From pixel positions of a picture to frame coordinates."""
    pitch = 1 / size.width
    return Similarity(pitch, complex(-0.5, -size.height / size.width / 2) + pitch * (0.5 + 0.5j))


def _moves(settings: ZoomSettings, clip: Clip, found: complex | None) -> Moves:
    how = settings.zoom
    pan, centre = pair(how.pan, *PAN), pair("0.5, 0.5" if how.centre == "auto" else how.centre, *INSIDE)
    if settings.pulse is not None:
        hear = settings.pulse
        pan, centre = (
            (pan[0].hearing(hear), pan[1].hearing(hear)),
            (centre[0].hearing(hear), centre[1].hearing(hear)),
        )
    if found is not None:
        centre = Schedule.parse(found.real), Schedule.parse(found.imag)
    aspect = clip.size.height / clip.size.width
    last = (clip.frames or 1) - 1
    return Moves(how.zoom, how.turn, centre, pan, float(clip.rate), last, aspect)


def _of_loop(asked: camera.Path, path: camera.Path) -> str:
    """What became of the speeds asked for, in words."""
    depth, turns = round(path.depth[-1]), round(path.angle[-1] / math.tau)
    return (
        f"a loop of {path.seconds:g} s is {depth} doublings and {turns} full turns, whole numbers; "
        f"--zoom and --turn would have made {asked.depth[-1]:.2f} and {asked.angle[-1] / math.tau:.2f}"
    )


def _seconds(text: str, song: Path | None) -> Fraction:
    if text != "audio":
        return Fraction(text)
    if song is None:
        raise UsageError("--seconds audio takes its length from a song: give --audio FILE.")
    if (seconds := hearing.length(song)) is None:
        raise InputError(f"{song}: does not say how long it is. Give --seconds.")
    return seconds
