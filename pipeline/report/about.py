"""About: what a page says of its render in words: what was dreamed, with what, and what was measured on what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline import looks, overrides
from pipeline.clip import Clip, Size
from pipeline.dreamer import Dreamer
from pipeline.report.curves import number
from pipeline.report.measure import stride_of
from pipeline.report.record import Record

APART = {"output": ("out", "yes", "report", "preview")}  # of this one run, and no part of how a film looks


@dataclass(frozen=True)
class About:
    """What a page says of its render. source, film: names of files. licence: of the network's weights.

    flow: the method that found motion. changed: setting, value, default. settings, recipe: the whole look, as
    tables and as TOML. command: to make it again, "" where unknown. notes: what else is to be known, a line each.
    """

    source: str
    film: str
    size: Size
    dream_size: Size
    rate: float
    network: str
    layers: str
    licence: str
    flow: str
    settings: dict[str, Any]
    recipe: str
    changed: Sequence[tuple[str, str, str]] = ()
    command: str = ""
    notes: Sequence[str] = field(default_factory=tuple)

    @property
    def cuts(self) -> bool:
        """Whether shots are told apart. Without motion every frame stands alone."""
        return self.flow != "none"

    @staticmethod
    def of(
        clip: Clip, film: str, dreamer: Dreamer, recipe: str, command: str = "", notes: Sequence[str] = ()
    ) -> About:
        """Of what `dreamer` made from `clip`."""
        settings, card = dreamer.settings, dreamer.network.card
        flow = settings.time.flow if settings.dream.iterations.constant != 0 else "none"
        return About(
            Path(clip.name).name, film, clip.size, dreamer.size(clip.size), float(clip.rate), card.name,
            settings.dream.layers or card.layers, dreamer.network.licence, flow, settings.recipe(), recipe,
            changed(dreamer), command, notes,
        )  # fmt: skip


def changed(dreamer: Dreamer) -> list[tuple[str, str, str]]:
    """Setting, value and default of all that is not as it would be for this network by itself."""
    tables = dreamer.settings.model_dump(mode="json", exclude={"run"})
    model = overrides.place("dream.model", dreamer.settings.dream.model, "keyword")
    defaults = looks.settle([model])[0].model_dump(mode="json")
    defaults["dream"]["model"] = overrides.resolve([])[0].dream.model
    return [
        (name, _said(value), _said(defaults[group][name]))
        for group, table in tables.items()
        for name, value in table.items()
        if value != defaults[group][name] and name not in APART.get(group, ())
    ]


def notes(record: Record, about: About) -> list[str]:
    """What was measured, on what, and what it took; and what is missing."""
    said = []
    rows = record.rows
    seen = {row.frame for row in rows}
    if missing := [frame for frame in range(max(seen) + 1) if frame not in seen]:
        said.append(
            f"{len(missing)} frames from {missing[0]} to {missing[-1]} were dreamed by an earlier run without a "
            "report: they are not on this page."
        )
    if len(rows) > 1 and not about.cuts:
        said.append("No motion was looked for, so flicker cannot be told from movement and was not measured.")
    elif len(rows) > 1:
        stride = stride_of(about.dream_size)
        nth = f"{stride}" + {2: "nd", 3: "rd"}.get(stride, "th")
        grid = f"every {nth} pixel of every {nth} row" if stride > 1 else "every pixel"
        said.append(
            f"Flicker: of the dream layer at {about.dream_size}, on {grid} that is in view in both frames and "
            "clear of motion edges. F = sum |D - W(D')|² / sum (|D|² + |W(D')|²), D' being the layer of the frame "
            "before and W what moves it along with the source. The errors of the motion, as found by "
            f"{about.flow}, are part of it."
        )
    said.append(
        "Clipping: on the picture that was written. Strength and sharpness: on the dream layer before --strength."
    )
    share = record.spent / max(record.spent + sum(row.seconds for row in rows), 1e-9)
    said.append(
        f"All of this took {number(record.spent)} s, {number(100 * share)} % of the render. Left out, for the "
        "time they take: how far the dream raised its targets (G), and the motion of the dream itself (tOF)."
    )
    return said


def _said(value: object) -> str:
    return "" if value is None else str(value)
