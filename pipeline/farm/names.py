"""Names: what a list calls files, as whole paths. What is written stays in the folder of outputs."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.destination import stem
from pipeline.errors import UsageError, did_you_mean
from pipeline.settings import Settings, knobs

READS = ("guide", "mask", "weights", "flow_weights", "cuts", "audio", "beats")
WRITES = ("stems", "report", "contact_sheet", "workdir")
WORDS = ("auto", "off", "keep", "none", "audio")  # what stands in for a file
BLANKS = ("stem", "name", "folder", "number")


@dataclass(frozen=True)
class Names:
    """home: the folder of the list, which what is read is relative to. folder: of outputs, for what is written."""

    home: Path
    folder: Path

    def read(self, name: str) -> Path:
        """Where a name of the list lies on this machine."""
        return Path(os.path.normpath(self.home / Path(name).expanduser()))

    def written(self, template: str, source: str, count: int) -> str:
        """A name with its blanks filled in: {stem}, {name}, {folder} of the source, {number} of the match of a glob.

        UsageError for another blank, and where the name leaves the folder.
        """
        path = Path(source)
        values = (stem(source), path.name, path.parent.name, f"{count:04d}")
        blanks = dict(zip(BLANKS, values, strict=True))

        def fill(match: re.Match[str]) -> str:
            if match[1] not in blanks:
                there = ", ".join(f"{{{blank}}}" for blank in BLANKS)
                raise UsageError(
                    f"{match[0]} is no blank: there are {there}.{did_you_mean(match[1], BLANKS)}"
                )
            return blanks[match[1]]

        filled = re.sub(r"\{([^{}]*)\}", fill, template)
        if not filled.isprintable():
            raise UsageError(f"{filled!r}: is no name for a file.")
        out = Path(os.path.normpath(self.folder / filled))
        if not out.resolve().is_relative_to(self.folder) or out == self.folder:
            raise UsageError(
                f"{filled}: leaves the folder of outputs, {self.folder}. --output-folder gives another."
            )
        return str(out) + (os.sep if filled.endswith(("/", os.sep)) else "")

    def settle(self, settings: Settings, source: str, count: int) -> tuple[Settings, Mapping[str, Any]]:
        """The settings with whole paths, and those among them that were changed by that. UsageError."""
        found: dict[str, Any] = {}
        tables: dict[str, dict[str, Any]] = {}
        for knob, (group, _) in knobs(type(settings)).items():
            value = getattr(getattr(settings, group), knob)
            if not value or value in WORDS:
                continue
            if knob in WRITES:
                found[knob] = self.written(str(value), source, count)
            elif knob in READS and isinstance(value, tuple):
                found[knob] = tuple(str(self.read(one)) for one in value)
            elif knob in READS:
                found[knob] = str(self.read(str(value)))
            if knob in found:
                tables.setdefault(group, {})[knob] = found[knob]
        groups = {g: getattr(settings, g).model_copy(update=table) for g, table in tables.items()}
        return settings.model_copy(update=groups), found
