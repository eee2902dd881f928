"""Record: a row of numbers per frame and pictures of a few, gathered as a film is dreamed. Dreamt in.

Kept in the work folder line by line, so that the report of a render that was interrupted is whole too.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Collection
from pathlib import Path
from time import perf_counter
from typing import Any, get_type_hints

import torch

from pipeline.clip import Clip, Plane
from pipeline.dreamt import Dreamt
from pipeline.files import whole
from pipeline.report.measure import Measure, Row
from pipeline.report.tiles import Tiles, gain_of, tiles
from pipeline.workdir import Workdir

ACROSS = 12
"""Frames that a page shows pictures of, at most."""

KINDS: dict[str, Any] = get_type_hints(Row)


class Record:
    """Told of every frame dreamed, those of a shot in order; shots may take turns. file: where its lines are kept.

    done: frames of an earlier run, whose lines are read back. left: given a frame, D of the one before it, where
    an earlier run stopped there. spent: seconds that measuring took. gain: that layers are drawn with.
    """

    def __init__(
        self,
        clip: Clip,
        file: Path,
        done: Collection[int] = (),
        left: Callable[[int], Plane | None] = lambda frame: None,
    ) -> None:
        self.spent = 0.0
        self.gain = 0
        self._rows: dict[int, Row] = {}
        self._tiles: dict[int, Tiles] = {}
        self._every = math.ceil(clip.frames / ACROSS) if clip.frames else 1
        self._file, self._left = file, left
        self._measures: dict[int, Measure] = {}  # by the frame that each waits for
        lines = _lines(file, done)
        with whole(file) as part:  # without what a kill cut off, or what is dreamed anew
            part.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        for line in lines:
            self._keep(*_read(line))
        self._since = perf_counter()

    @staticmethod
    def of(work: Workdir, clip: Clip) -> Record:
        """Going on where `work` stands."""

        def left(frame: int) -> Plane | None:
            last = next((segment for segment in tuple(work.segments) if segment.end == frame), None)
            if last is None:
                return None
            carried = work.left_by(last, torch.device("cpu"))
            return None if carried is None else carried.dream[0].permute(1, 2, 0).contiguous().numpy()

        done = {frame for segment in work.segments for frame in range(segment.first, segment.end)}
        return Record(clip, work.folder / "report.jsonl", done, left)

    @property
    def rows(self) -> list[Row]:
        """Of every frame, in order."""
        return [self._rows[frame] for frame in sorted(self._rows)]

    def __call__(self, dreamt: Dreamt) -> None:
        began = perf_counter()
        row = self._measure(dreamt)(dreamt, began - self._since)
        gain = self.gain or gain_of(dreamt.dream)
        pictures = tiles(dreamt, gain) if row.frame % self._every == 0 else {}
        spent = perf_counter() - began
        self._keep(row, pictures, gain, spent)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(_line(row, pictures, gain, spent) + "\n")
        self._since = perf_counter()

    def pictured(self) -> dict[int, Tiles]:
        """Frame -> its pictures, of about a dozen frames, evenly through the film."""
        apart = math.ceil(len(self._tiles) / ACROSS)
        return {frame: self._tiles[frame] for frame in sorted(self._tiles)[:: apart or 1]}

    def _measure(self, dreamt: Dreamt) -> Measure:
        """Of the shot that this frame goes on with."""
        frame = dreamt.frame.index
        measure = self._measures.pop(frame, None)
        if measure is None:
            start = max((row.frame for row in self.rows if row.cut and row.frame <= frame), default=0)
            measure = Measure(None if dreamt.cut else self._left(frame), start)
        if frame + 1 not in self._rows:
            self._measures[frame + 1] = measure
        return measure

    def _keep(self, row: Row, pictures: Tiles, gain: int, spent: float) -> None:
        self._rows[row.frame] = row
        self.gain = self.gain or gain
        self.spent += spent
        if pictures:
            self._tiles[row.frame] = pictures
        if len(self._tiles) > 2 * ACROSS:  # of a film whose length nobody could say
            self._every *= 2
            self._tiles = {frame: kept for frame, kept in self._tiles.items() if frame % self._every == 0}


def _line(row: Row, pictures: Tiles, gain: int, spent: float) -> str:
    """As one line of JSON, which has no word for nan: null."""
    numbers = {name: finite(value) for name, value in row._asdict().items()}
    texts = {name: base64.b64encode(data).decode() for name, data in pictures.items()}
    return json.dumps({"row": numbers, "tiles": texts, "gain": gain, "spent": spent})


def _read(line: str) -> tuple[Row, Tiles, int, float]:
    """ValueError, TypeError, KeyError or AttributeError for a line that is not whole."""
    kept = json.loads(line)
    numbers: dict[str, Any] = {
        name: math.nan if kept["row"][name] is None else kind(kept["row"][name])
        for name, kind in KINDS.items()
    }
    pictures = {str(name): base64.b64decode(text, validate=True) for name, text in kept["tiles"].items()}
    return Row(**numbers), pictures, int(kept["gain"]), float(kept["spent"])


def _lines(file: Path, done: Collection[int]) -> list[str]:
    """The whole lines of the frames that are `done`, one each, in order; a later one of a frame stands for it."""
    found: dict[int, str] = {}
    if file.is_file():
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                frame = _read(line)[0].frame
            except (ValueError, TypeError, KeyError, AttributeError):
                continue
            if frame in done:
                found[frame] = line
    return [found[frame] for frame in sorted(found)]


def finite(value: float) -> float | None:
    """None for what is no number."""
    return value if math.isfinite(value) else None
