"""Companion: a still or a film that runs beside the one that is dreamed. Frame of the film in, its picture out."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Literal

from pipeline.clip import Clip, Frame, Picture, Segment
from pipeline.errors import InputError, UsageError
from pipeline.settings import Input
from pipeline.sources import Facts, Source, open_source

Then = Literal["again", "hold"]


class Companion:
    """name: as it was given. then: what comes after its last picture, itself from the first on, or that one still.

    Its pictures go with the source's own frames, whatever is left out of those.
    """

    def __init__(self, name: str, source: Source, then: Then) -> None:
        self.name, self.source, self.then = name, source, then
        self._frames: Generator[Frame, None, None] | None = None
        self._latest: tuple[int, Picture] | None = None

    @staticmethod
    def open(name: str, flag: str, then: Then) -> Companion:
        """Raises InputError where it cannot be read, UsageError for stdin."""
        if name == "-":
            raise UsageError(f"{flag} -: stdin is for the film. Give a file.")
        return Companion(name, open_source(name, Input()), then)

    @property
    def clip(self) -> Clip:
        return self.source.clip

    @property
    def stem(self) -> str:
        return Path(self.name.rstrip("/")).stem

    def place(self, frame: Frame) -> int:
        """Which of its pictures goes with a frame of the film."""
        place = frame.index if frame.place is None else frame.place
        count = self.clip.frames or 1
        return place % count if self.then == "again" else min(place, count - 1)

    def picture(self, place: int) -> Picture:
        """uint8 RGB [H, W, 3]. The next one is decoded on; any other is sought. InputError."""
        if self._latest is None or self._latest[0] != place:
            if self._frames is None or self._latest is None or self._latest[0] + 1 != place:
                self.close()
                self._frames = self.source.frames(Segment(place, place + 1, 0, 0))
            found = next(self._frames, None)
            if found is None:
                raise InputError(f"{self.name}: its picture {place} cannot be read.")
            self._latest = place, found.picture
        return self._latest[1]

    def fingerprint(self) -> Facts:
        return self.source.fingerprint()

    def close(self) -> None:
        """Let go of the file it reads."""
        if self._frames is not None:
            self._frames.close()
        self._frames = None
