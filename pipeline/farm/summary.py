"""Summary: what became of a list, as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import printable
from pipeline.farm.drive import Result
from pipeline.files import whole

STATES = {"there": "done before"}


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns, the first to the left and the others to the right."""
    shown = [[printable(str(cell)).replace("\n", " ") for cell in row] for row in (head, *rows)]
    widths = [max(len(row[k]) for row in shown) for k in range(len(head))]
    lines = []
    for row in shown:
        cells = [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def of(results: Sequence[Result]) -> str:
    """The table at the end, and under it what failed."""
    rows = [
        (r.name, r.shots or "", f"{r.frames}" + (f" of {r.total}" if r.total > r.frames else ""),
         f"{r.seconds:.1f} s", r.retries, STATES.get(r.state, r.state))
        for r in results
    ]  # fmt: skip
    said = [table(("job", "shots", "frames", "time", "retries", "state"), rows)]
    said += [f"{r.name}: {r.error}" for r in results if r.error]
    return "\n".join(said)


def write(path: Path, results: Sequence[Result], seconds: float) -> None:
    """JUnit's words in JSON: a testsuite of testcases. OutputError."""
    with whole(path) as part:
        part.write_text(json.dumps(told(results, seconds), indent=1), encoding="utf-8")


def told(results: Sequence[Result], seconds: float) -> dict[str, Any]:
    """The same as a table of plain values, for programs."""
    count = {state: sum(r.state == state for r in results) for state in ("failed", "there", "stopped")}
    cases = []
    for r in results:
        case: dict[str, Any] = {
            "name": r.name, "classname": r.task.kind, "file": r.task.output, "time": round(r.seconds, 3),
            "state": r.state, "shots": r.shots, "frames": r.frames, "of": r.total, "retries": r.retries,
            "again": r.again,
            "notes": list(r.notes),
        }  # fmt: skip
        if r.error:
            case["failure"] = {"message": r.error, "code": r.code}
        cases.append(case)
    return {
        "name": "dream-farm", "tests": len(results), "failures": count["failed"], "skipped": count["there"],
        "stopped": count["stopped"], "time": round(seconds, 3), "testcases": cases,
    }  # fmt: skip
