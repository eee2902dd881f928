"""Page: a render as one self-contained HTML file, with its numbers beside it as CSV and JSON. Record in, files out.

Names, settings and notes may come from strangers: whatever is put into the page is escaped, and the page's own
policy lets it load nothing and run nothing but its one script.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipeline import metrics
from pipeline.destination import report_files
from pipeline.files import whole
from pipeline.report import curves, strips, tables
from pipeline.report.about import About, notes
from pipeline.report.curves import Axis, Curve, clock, number
from pipeline.report.measure import Row
from pipeline.report.record import Record, finite

HERE = Path(__file__).parent
SHOTS = 60  # listed at most


def write(path: Path, record: Record, about: About) -> list[str]:
    """The page, and .csv and .json beside it; gives a line that says so. OutputError where they cannot be written."""
    facts = {
        "source": about.source, "film": about.film, "size": str(about.size), "dream_size": str(about.dream_size),
        "frames_per_second": about.rate, "network": about.network, "layers": about.layers,
        "settings": about.settings, "command": about.command, "notes": [*about.notes, *notes(record, about)],
        "measuring_seconds": round(record.spent, 3),
    }  # fmt: skip
    texts = (
        page(path, record, about),
        tables.to_csv(record.rows),
        tables.to_json(record.rows, cuts=about.cuts, about=facts),
    )
    for file, text in zip(report_files(path), texts, strict=True):
        with whole(file) as part:
            part.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
    return [f"{path}: the report, its numbers in {', '.join(file.name for file in report_files(path)[1:])}"]


def page(path: Path, record: Record, about: About) -> str:
    """The whole page as text. path: what it will be called, for its links."""
    rows, script = record.rows, (HERE / "page.js").read_text(encoding="utf-8")
    film = len(rows) > 1
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{_hash(script)}'"
    )
    body = [_header(rows, about), _figures(rows, about)]
    body.append(strips.strips(record, about) if film else strips.still(record))
    if film:
        body += [_charts(rows, about), _shots(rows, about)]
    body += [_settings(about), _measured(path, record, about)]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n<link rel="icon" href="data:,">\n'
        f"<title>{escape(about.source)}, dreamed</title>\n"
        f"<style>\n{(HERE / 'page.css').read_text(encoding='utf-8')}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(filter(None, body))
        + f'\n</main>\n<dialog aria-label="Picture"><img src="data:," alt="">{_buttons()}</dialog>\n'
        f'<script type="application/json" id="data">{_data(rows) if film else _data(())}</script>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def _header(rows: Sequence[Row], about: About) -> str:
    length = (
        f"{len(rows)} frames, {clock(len(rows) / about.rate)} at {about.rate:.5g} fps"
        if len(rows) > 1
        else ""
    )
    seconds = sum(row.seconds for row in rows)
    took = f"dreamed in {clock(round(seconds))}"
    size = str(about.size) + (f", dreamed at {about.dream_size}" if about.dream_size != about.size else "")
    network = f"{about.network}, {about.layers}"
    return (
        f"<header><h1>{escape(about.source)}</h1>"
        f"<p>{' · '.join(escape(text) for text in (size, length, network, took) if text)}<br>"
        f"made {escape(about.film)}</p></header>"
    )


def _figures(rows: Sequence[Row], about: About) -> str:
    """The film in a few large numbers."""
    mean = tables.summary(rows)
    longest = max(tables.shots(rows, cuts=about.cuts), key=lambda shot: shot.end - shot.first)
    every = len(rows) == longest.end - longest.first
    burnt = 100 * (mean["clipped"] - mean["source_clipped"])
    figures = [
        ("Strength", number(mean["strength"]), "grey levels", "rms of the dream layer"),
        ("Clipped", f"{burnt:+.2f}", "points", "burnt out or black, against the source"),
        ("Time", number(mean["seconds"]), "s a frame", "dream, motion and files"),
    ]
    if len(rows) > 1:
        figures[:0] = [
            ("Flicker", number(mean["f1"]), "", "0 holds still, 1 is a new dream each frame"),
            ("Over 8 frames", number(mean["f8"]), "", "the same, further apart"),
        ]
        figures[3:3] = [
            (
                "Drift",
                number(longest.drift),
                "x",
                f"last third over first, {'film' if every else 'longest shot'}",
            ),
            ("Work", number(100 * mean["cost"]), "%", "of dreaming each frame alone"),
        ]
    cells = "".join(
        f"<div><dt>{name}</dt><dd>{value} <small>{unit}</small></dd><p>{what}</p></div>"
        for name, value, unit, what in figures  # words of our own
    )
    return f'<dl class="figures">{cells}</dl>'


def _charts(rows: Sequence[Row], about: About) -> str:
    axis = Axis([row.time for row in rows], [row.time for row in rows[1:] if row.cut and about.cuts])
    mean = tables.summary(rows)
    figures = "".join(
        curves.chart(curve, axis, f"mean {number(curve.scale * mean[curve.name])}") for curve in _curves(rows)
    )
    cuts = " Dashed lines are cuts." if axis.cuts else ""
    head = f'<h2>Measures</h2><p><span class="live">Point at a curve to read it.</span>{cuts}</p>'
    return f'<section>{head}<div class="charts">{figures}</div></section>'


def _curves(rows: Sequence[Row]) -> list[Curve]:
    columns = {name: [float(getattr(row, name)) for row in rows] for name in Row._fields}
    before = "against the frame before, along the motion, where it is trusted"
    apart = f"every {metrics.LONG} frames of a shot"
    fine = "of the layer's detail finer than about 4 px"
    burnt = "burnt out or black; the thin line is the source"
    owed = "steps taken, of those of a frame dreamed alone"
    return [
        Curve("f1", "Flicker", "F1", before, columns["f1"]),
        Curve("f8", "Flicker over 8 frames", "F8", apart, columns["f8"], sampled=True),
        Curve("strength", "Strength", "grey levels rms", "of the dream layer", columns["strength"]),
        Curve("sharpness", "Sharpness", "grey levels squared", fine, columns["sharpness"]),
        Curve("clipped", "Clipped", "% of values", burnt, columns["clipped"], columns["source_clipped"], 100),
        Curve(
            "trust",
            "Trust",
            "% of the picture",
            "whose motion could be followed",
            columns["trust"],
            scale=100,
        ),
        Curve("cost", "Work", "% of a full dream", owed, columns["cost"], scale=100),
        Curve("seconds", "Time", "s a frame", "frame to frame, without the measuring", columns["seconds"]),
    ]


def _shots(rows: Sequence[Row], about: About) -> str:
    """A table, where there is more than one."""
    found = tables.shots(rows, cuts=about.cuts)
    if len(found) < 2:
        return ""
    lines = [
        (str(at), f"{shot.first} to {shot.end - 1}", clock(shot.start), number(shot.f1), number(shot.f8),
         number(shot.strength), number(shot.drift), f"{number(100 * shot.cost)} %")
        for at, shot in enumerate(found[:SHOTS], 1)
    ]  # fmt: skip
    more = f"<p>and {len(found) - SHOTS} more, in the JSON file.</p>" if len(found) > SHOTS else ""
    heads = ("Shot", "Frames", "From", "Flicker", "Over 8", "Strength", "Drift", "Work")
    return f"<section><h2>Shots</h2>{_table(heads, lines)}{more}</section>"


def _settings(about: About) -> str:
    parts = ["<section><h2>How it was made</h2>"]
    if about.changed:
        parts.append(_table(("Setting", "Value", "Default"), about.changed, "settings"))
    else:
        parts.append("<p>With every setting at its default.</p>")
    if about.command:
        parts.append(
            f"<details><summary>The command that made it</summary><pre>{escape(about.command)}</pre></details>"
        )
    parts.append(
        f"<details><summary>The whole recipe</summary><pre>{escape(about.recipe)}</pre></details></section>"
    )
    return "".join(parts)


def _measured(path: Path, record: Record, about: About) -> str:
    _, table, data = (escape(quote(file.name)) for file in report_files(path))
    said = "".join(f"<li>{escape(note)}</li>" for note in (*about.notes, *notes(record, about)))
    return (
        f'<section><h2>What was measured</h2><p>The same numbers for other programs: <a href="{table}">CSV</a>, '
        f'<a href="{data}">JSON</a>.</p><ul>{said}</ul></section>'
    )


def _table(heads: Iterable[str], lines: Iterable[Iterable[str]], kind: str = "") -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in line)}</tr>" for line in lines)
    table = f'<table class="{kind}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="scroll">{table}</div>'


def _buttons() -> str:
    return (
        '<div><button value="ArrowUp" aria-label="what is above">↑</button>'
        '<button value="ArrowDown" aria-label="what is below">↓</button><span></span>'
        '<button value="ArrowLeft" aria-label="earlier">←</button>'
        '<button value="ArrowRight" aria-label="later">→</button><button>Close</button></div>'
    )


def _data(rows: Sequence[Row]) -> str:
    """What the page's script reads: a place and a frame for each point, and each curve's values there."""
    kept: dict[str, Any] = {"x": [], "frames": [], "curves": {}}
    if rows:
        kept["x"] = [round(x, 1) for x in curves.places(Axis([row.time for row in rows]))]
        kept["frames"] = [rows[start].number for start, _ in curves.spans(len(rows))]
        for curve in _curves(rows):
            means = (finite(curve.scale * mean) for mean, _, _ in curves.points(curve.values))
            kept["curves"][curve.name] = [None if mean is None else float(f"{mean:.4g}") for mean in means]
    return json.dumps(kept, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
