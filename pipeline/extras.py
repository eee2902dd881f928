"""Extras: what is made beside a film as it is dreamed: a report, stems, a contact sheet. Told of every frame."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.clip import Picture, fit
from pipeline.dreamt import Dreamt
from pipeline.errors import UsageError
from pipeline.settings import Input
from pipeline.sources import ClipSource
from pipeline.stages import stems, stills
from pipeline.workdir import Workdir
from pipeline.writing import Writing

if TYPE_CHECKING:
    from pipeline.dreamer import Dreamer
    from pipeline.report import Record

SHEET, SHEET_SIZE = 9, "max:480"  # moments of a contact sheet, and their size


@dataclass
class Extras:
    """Of the film that `writing` writes. command: what it was asked for with, for the report.

    record: for that report, None without one. lost: steps so far that the network gave no number for.
    """

    writing: Writing
    dreamer: Dreamer
    command: str = ""
    record: Record | None = None
    lost: int = 0

    def __post_init__(self) -> None:
        """UsageError for what the settings of `dreamer` ask for and this film cannot have."""
        film = self.writing.destination.kind == "film" and self.writing.how == "none"
        if self.dreamer.settings.output.contact_sheet and not film:
            raise UsageError(
                "--contact-sheet is of a film without --compare, which shows the source already."
            )

    def begin(self, work: Workdir) -> None:
        """Before the first frame, going on where `work` stands."""
        if self.dreamer.settings.output.report:
            from pipeline.report import Record  # noqa: PLC0415  needs torch

            self.record = Record.of(work, self.writing.source.clip)

    def __call__(self, dreamt: Dreamt) -> None:
        self.lost += dreamt.lost
        if self.record is not None:
            self.record(dreamt)
        if folder := self.dreamer.settings.output.stems:
            stems.write(Path(folder), stills.number_of(dreamt.frame), dreamt.dream, dreamt.flow)

    def finish(self, notes: list[str]) -> list[str]:
        """Once the film is there. notes: what is told of it so far; gives them with what there is to add."""
        source, film = self.writing.source, self.writing.destination.path
        notes = [*notes, *self.dreamer.controls.notes, *self.dreamer.notes]
        if source.damaged:
            notes = [*notes, f"{source.damaged} damaged frames were held over."]
        if self.lost:
            notes = [*notes, f"{self.lost} steps were left out: the network gave no number for them."]
        output = self.dreamer.settings.output
        if self.record is not None and output.report:
            from pipeline import report  # noqa: PLC0415  needs torch

            about = report.About.of(
                source.clip, film.name, self.dreamer, self.writing.recipe, self.command, notes
            )
            notes = notes + report.write(Path(output.report), self.record, about)
        if output.contact_sheet:
            stills.write(Path(output.contact_sheet), self._contact_sheet(film))
        return notes

    def _contact_sheet(self, path: Path) -> Picture:
        """Moments across a finished film: the source above, what became of it below."""
        source, film = self.writing.source, ClipSource.of(path, Input())
        small = fit(source.clip.size, SHEET_SIZE)
        return sheet(
            np.concatenate([stills.resized(a.picture, small), stills.resized(b.picture, small)])
            for a, b in zip(source.across(SHEET), film.across(SHEET), strict=False)
        )


def sheet(pictures: Iterable[Picture]) -> Picture:
    """Pictures of one size in a grid that is about as wide as they are."""
    tiles = list(pictures)
    columns = int(np.ceil(np.sqrt(len(tiles))))
    rows = -(-len(tiles) // columns)
    height, width = tiles[0].shape[:2]
    grid = np.zeros((rows * height, columns * width, 3), np.uint8)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        grid[row * height : (row + 1) * height, column * width : (column + 1) * width] = tile
    return grid
