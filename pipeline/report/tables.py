"""Tables: a report's numbers for programs. Rows in, CSV and JSON out; what was not measured is empty, or null."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pipeline import metrics
from pipeline.report.measure import COLUMNS, Row
from pipeline.report.record import finite


class Shot(NamedTuple):
    """Frames first <= index < end between two cuts, and the means of their numbers; drift: metrics.drift."""

    first: int
    end: int
    start: float
    f1: float
    f8: float
    strength: float
    drift: float
    cost: float


def shots(rows: Sequence[Row], *, cuts: bool = True) -> list[Shot]:
    """The film's shots in order; one of it all where cuts are not to be seen."""
    starts = [at for at, row in enumerate(rows) if at == 0 or (cuts and row.cut)]
    found = []
    for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
        own = rows[start:end]
        found.append(
            Shot(
                own[0].frame, own[-1].frame + 1, own[0].time,
                metrics.mean(row.f1 for row in own), metrics.mean(row.f8 for row in own),
                metrics.mean(row.strength for row in own), metrics.drift([row.strength for row in own]),
                metrics.mean(row.cost for row in own),
            )
        )  # fmt: skip
    return found


def summary(rows: Sequence[Row]) -> dict[str, float]:
    """Mean of every measure over the film. strength, sharpness and clipping: of all frames, the first included."""
    names = ("f1", "f8", "strength", "sharpness", "clipped", "source_clipped", "trust", "cost", "seconds")
    return {name: metrics.mean(getattr(row, name) for row in rows) for name in names}


def to_csv(rows: Sequence[Row]) -> str:
    """A row per frame. The header names each column and, in brackets, its unit."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(f"{name} [{unit}]" for name, (unit, _) in COLUMNS.items())
    for row in rows:
        writer.writerow(_short(value) for value in row)
    return text.getvalue()


def to_json(rows: Sequence[Row], *, cuts: bool, about: Mapping[str, Any]) -> str:
    """Everything: columns with unit and meaning, a list per frame in their order, shots, means, and `about`."""
    tables = {
        "about": about,
        "columns": [
            {"name": name, "unit": unit, "meaning": meaning} for name, (unit, meaning) in COLUMNS.items()
        ],
        "frames": [[finite(value) for value in row] for row in rows],
        "shots": [
            {name: finite(value) for name, value in shot._asdict().items()} for shot in shots(rows, cuts=cuts)
        ],
        "mean": {name: finite(value) for name, value in summary(rows).items()},
    }
    return json.dumps(tables, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _short(value: float) -> str:
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else ""
    return str(int(value))
