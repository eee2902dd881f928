"""Arrivals: what comes into a folder: looked at again and again, files out, once each has settled."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.stages import stills

SETTLED = 3  # looks that show a file unchanged before it is opened
PATIENT = 12  # likewise, before one that cannot be read is told of
CLIPS = (
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".mxf", ".flv",
    ".wmv", ".ogv", ".3gp", ".dv", ".nut", ".ivf", ".y4m", ".gif",
)  # fmt: skip
COPYING = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".download", ".filepart")

Stamp = tuple[int, int]


@dataclass
class Arrivals:
    """What comes into a folder. say: told of what is left alone, a line each.

    Of each file there: its size and time, and how many looks have shown it like that; those that were dealt with.
    """

    folder: Path
    say: Callable[[str], None]
    seen: dict[str, tuple[Stamp, int]] = field(default_factory=dict)
    dealt: dict[str, Stamp] = field(default_factory=dict)
    lost: bool = False

    def look(self) -> list[Path]:
        """Look once: files that have settled and were not dealt with, the oldest first."""
        there = self._there()
        self.dealt = {name: stamp for name, stamp in self.dealt.items() if name in there}
        before, self.seen = self.seen, {}
        ready = []
        for name, stamp in there.items():
            was, looks = before.get(name, (stamp, 0))
            looks = looks + 1 if was == stamp else 1
            self.seen[name] = stamp, looks
            if self.dealt.get(name) == stamp:
                continue
            if not name.lower().endswith((*stills.SUFFIXES, *CLIPS)):
                if looks == SETTLED:
                    self.say(f"{name}: is neither picture nor clip, and left alone.")
                    self.dealt[name] = stamp
            elif looks >= SETTLED and stamp[0]:
                ready.append((stamp[1], name))
        return [self.folder / name for _, name in sorted(ready)]

    def is_young(self, path: Path) -> bool:
        """It may yet be on its way: not much time has passed since it changed."""
        return self.seen[path.name][1] < PATIENT

    def deal(self, path: Path) -> None:
        """This one is done with, until it changes."""
        self.dealt[path.name] = self.seen[path.name][0]

    def _there(self) -> dict[str, Stamp]:
        try:
            with os.scandir(self.folder) as entries:
                found = {entry.name: _stamp(entry) for entry in entries}
        except OSError as error:
            if not self.lost:
                self.say(f"{self.folder}: cannot be looked into ({error.strerror}); waiting for it.")
            self.lost = True
            return {name: stamp for name, (stamp, _) in self.seen.items() if self.dealt.get(name) == stamp}
        self.lost = False
        return {name: stamp for name, stamp in found.items() if stamp is not None}


def _stamp(entry: os.DirEntry[str]) -> Stamp | None:
    """Size and time; None of what is no file, or is hidden, or says by its name that it is being copied."""
    if entry.name.startswith(".") or entry.name.endswith("~") or entry.name.lower().endswith(COPYING):
        return None
    try:
        facts = entry.stat()
        return (facts.st_size, facts.st_mtime_ns) if entry.is_file() else None
    except OSError:
        return None
