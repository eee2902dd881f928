"""Piece: frames of a film that was kept, to be dreamed again, and how they fade into the frames around them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.settings import Input, Settings
from pipeline.sources import Source, again
from pipeline.workdir import whole_film

RANGE = ("start", "end", "frames")


@dataclass(frozen=True)
class Piece:
    """Frames first <= index < end of a film; its dream is laid on from `fades` on, to `faded`, less and less.

    opens, closes: the film cuts, begins or ends where the handle does, which is then dreamed in full.
    """

    first: int
    end: int
    fades: int
    faded: int
    opens: bool = False
    closes: bool = False

    @staticmethod
    def of(first: int, end: int) -> Piece:
        """Without handles."""
        return Piece(first, end, first, end)

    def handled(self, handles: int, frames: int, cuts: set[int]) -> Piece:
        """With handles of so many frames, as far as the shots around it go. cuts: first frames of shots."""
        before = [index for index in range(max(0, self.first - handles), self.first + 1) if index in cuts]
        after = [index for index in range(self.end, min(frames, self.end + handles) + 1) if index in cuts]
        return replace(
            self,
            fades=max(before, default=max(0, self.first - handles)),
            faded=min(after, default=min(frames, self.end + handles)),
            opens=bool(before),
            closes=bool(after),
        )

    def share(self, index: int) -> float:
        """How much of the film is new at a frame, 0..1."""
        if not self.fades <= index < self.faded:
            return 0.0
        rising = 1.0 if self.opens else (index - self.fades + 1) / (self.first - self.fades + 1)
        falling = 1.0 if self.closes else (self.faded - index) / (self.faded - self.end + 1)
        return min(1.0, rising, falling)


def asked(folder: Path, source: Source, settings: Settings) -> tuple[Piece, Source, Settings] | None:
    """The piece that `settings` ask for of the film kept in `folder`, with its whole source, and for that.

    source: only what was asked for. None where there is no such film, or it is asked for in full.
    """
    plan = whole_film(folder)
    kept = Input.model_validate(plan["settings"]["input"]) if plan else settings.input
    if settings.input == kept or _without_range(settings.input) != _without_range(kept):
        return None
    film = again(source, kept, strict=settings.run.strict)
    wanted, places = list(source.counted()), list(film.counted())
    if not set(wanted) <= set(places):
        return None
    end = len(places) - places[::-1].index(wanted[-1])
    return Piece.of(places.index(wanted[0]), end), film, settings.model_copy(update={"input": kept})


def _without_range(how: Input) -> Input:
    return how.model_copy(update=dict.fromkeys(RANGE))
