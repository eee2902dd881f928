"""Telling: what is said while a list runs. On stderr, except json, which is for programs, on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from time import monotonic
from typing import NoReturn

from tqdm import tqdm

from pipeline.cli.progress import PLAIN_EVERY, duration
from pipeline.errors import printable
from pipeline.farm import summary
from pipeline.farm.drive import Drive, Result
from pipeline.farm.engine import Event, Failed, Said, Told


class Telling:
    """Tells of a whole list in one style: bar, plain, json or none. total: frames of all jobs that run."""

    def __init__(self, style: str, total: int) -> None:
        self.style = style if style != "auto" else "bar" if sys.stderr.isatty() else "plain"
        self.total = total
        self._out = sys.stdout  # ours alone, whatever a library prints meanwhile
        self._bar: tqdm[NoReturn] | None = None
        self._spoke = monotonic()
        self._ended: set[int] = set()

    def start(self) -> None:
        """Before the first job."""
        if self.style == "bar":
            self._bar = tqdm(total=self.total, unit="frame", dynamic_ncols=True, leave=False)

    def __call__(self, drive: Drive, event: Event) -> None:
        try:
            self._tell(drive, event)
        except (OSError, ValueError):  # nobody listens any more; the list runs all the same
            self.style, self._bar = "none", None

    def _tell(self, drive: Drive, event: Event) -> None:
        self.total = sum(result.total for result in drive.results if result.state != "there")
        ended = {n for n, result in enumerate(drive.results) if result.state in ("done", "failed", "there")}
        for number in sorted(ended - self._ended):
            self._of_job(drive.results[number])
        self._ended = ended
        if isinstance(event, Said):
            self.note(event.text)
        elif isinstance(event, Failed):
            lost = {"event": "lost" if event.lost else "problem", "text": event.text, "worker": event.worker}
            self._say(lost, event.text if event.lost else "")
        if self._bar is not None:
            self._bar.total = self.total
            self._bar.set_postfix_str(
                f"{len(ended)} of {len(drive.results)} jobs, {len(drive.running)} tasks run"
            )
            self._bar.update(drive.frames - self._bar.n)
        elif self.style == "json" and isinstance(event, Told):
            facts = {"event": "frames", "done": drive.frames, "of": self.total, "jobs_done": len(ended)}
            print(
                json.dumps(facts | {"jobs": len(drive.results), "running": drive.running}),
                file=self._out,
                flush=True,
            )
        elif self.style == "plain" and monotonic() - self._spoke >= PLAIN_EVERY:
            self._spoke = monotonic()
            self.note(f"frame {drive.frames} of {self.total}, {len(ended)} of {len(drive.results)} jobs")

    def _of_job(self, result: Result) -> None:
        if result.state == "there":
            return
        facts = {
            "event": "job", "name": result.name, "state": result.state, "frames": result.frames,
            "seconds": round(result.seconds, 3), "retries": result.retries, "error": result.error,
        }  # fmt: skip
        said = f"{result.name}: {result.state}" + (f", {result.error}" if result.error else "")
        self._say(facts, said)

    def _say(self, facts: Mapping[str, object], text: str) -> None:
        if self.style == "json":
            print(json.dumps(facts), file=self._out, flush=True)
        elif text:
            self.note(text)

    def note(self, text: str) -> None:
        """A line of its own, whatever else is on the screen."""
        with suppress(OSError, ValueError):
            if self.style == "json":
                print(json.dumps({"event": "note", "text": text}), file=self._out, flush=True)
            elif self.style != "none":
                tqdm.write(printable(text), file=sys.stderr)

    def close(self) -> None:
        """Take the bar off the screen."""
        if self._bar is not None:
            with suppress(OSError, ValueError):
                self._bar.close()
            self._bar = None

    def finish(self, results: Sequence[Result], seconds: float) -> None:
        """The table at the end."""
        if self.style == "json":
            self._say({"event": "end"} | summary.told(results, seconds), "")
        else:
            self.note(summary.of(results))
            self.note(f"{len(results)} jobs in {duration(seconds)}")
