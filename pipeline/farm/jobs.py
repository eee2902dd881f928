"""Jobs: what a list asks for, each with its settings, checked as far as that goes without opening what it reads.

A list has `defaults:` (a mapping) and `jobs:` (mappings with `input`, `output`, `kind` and any flag's name). A glob
as input is a job for each file. What is read or written is relative to the list.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline import looks, overrides, recipes
from pipeline.destination import stem
from pipeline.errors import DreamError, UsageError, did_you_mean
from pipeline.farm import marked
from pipeline.farm.marked import Marked
from pipeline.overrides import Layer
from pipeline.settings import Settings, knobs
from pipeline.stages import stills
from pipeline.zoom_settings import ZoomSettings

KINDS: dict[str, type[Settings]] = {"film": Settings, "zoom": ZoomSettings}
OWN = ("input", "output", "kind", "name")
"""Keys of a job that are no flags."""

READS = ("guide", "mask", "weights", "flow_weights", "cuts", "audio")
WRITES = ("stems", "report", "contact_sheet", "workdir")
WORDS = ("auto", "off", "keep", "none")  # what stands in for a file
NOT_HERE = {
    "out": "name it `output`",
    **dict.fromkeys(("preview", "preview_seconds", "presets", "explain", "demo"), "a farm makes whole films"),
    **dict.fromkeys(("fresh", "resume", "yes"), "give it to dream-farm run"),
    **dict.fromkeys(("progress", "quiet", "verbose"), "give it to dream-farm"),
}
BLANKS = ("stem", "name", "folder", "number")
MOST = 100_000  # jobs of a list


@dataclass(frozen=True)
class Job:
    """One film, still or dive. input, output: as the other doors take them, whole paths. where: 'a.yaml:12'.

    given: keys and values of the list, as flags that make the same. name: its output, as the list writes it.
    """

    name: str
    kind: str
    input: str
    output: str
    settings: Settings
    where: str
    given: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Problems:
    """What is wrong, all of it. Raises nothing before it is asked to."""

    found: list[str] = field(default_factory=list)

    def add(self, where: str, text: object) -> None:
        said = str(text)
        self.found.append(said if said.startswith(f"{where}:") else f"{where}: {said}")

    def raise_any(self, name: str) -> None:
        """UsageError with a line for each."""
        if self.found:
            count = len(self.found)
            head = f"{name}: {count} problem{'s' * (count > 1)}, nothing was started.\n"
            raise UsageError(head + "\n".join(self.found[:200]) + "\n..." * (count > 200))


Below = Mapping[str, Sequence[Layer]]
"""Layers under a list's own keys, by kind: those of the environment."""


def read(path: Path, folder: Path | None = None, below: Below | None = None) -> tuple[list[Job], Problems]:
    """The jobs of a list, and what is wrong with it. folder: where outputs go, the list's own when None.

    Raises UsageError where it cannot be read at all.
    """
    path = path.resolve()
    told = marked.read(path)
    reader = _Reader(told, path.parent, (folder or path.parent).resolve(), below or {}, Problems())
    found = list(reader.jobs())
    return found, reader.problems


@dataclass
class _Reader:
    """told: the list. home: its folder. folder: that of outputs."""

    told: Marked
    home: Path
    folder: Path
    below: Below
    problems: Problems

    def jobs(self) -> Iterator[Job]:
        told = self.told
        for name in told.values:
            if name not in ("defaults", "jobs"):
                self.problems.add(
                    told.at(name),
                    f"{name!r} is no part of a list: it has defaults and jobs."
                    + did_you_mean(name, ("defaults", "jobs")),
                )
        defaults, jobs = told.values.get("defaults") or {}, told.values.get("jobs")
        if not isinstance(defaults, dict):
            self.problems.add(told.at("defaults"), "defaults: expected names and values, such as octaves: 3.")
            defaults = {}
        if not isinstance(jobs, list) or not jobs:
            self.problems.add(
                told.at("jobs"), "jobs: expected a list of at least one job with an input and output."
            )
            return
        count = 0
        for number, job in enumerate(jobs):
            if not isinstance(job, dict):
                self.problems.add(told.at("jobs", number), "expected a job: input, output and any flags.")
                continue
            for made in self._job(number, {**defaults, **job}, set(job)):
                count += 1
                if count > MOST:
                    self.problems.add(told.at("jobs", number), f"more than {MOST} jobs. Make lists of them.")
                    return
                yield made

    def _job(self, number: int, values: dict[str, Any], own: set[str]) -> Iterator[Job]:
        """One for each file that the input names."""

        def at(key: str = "") -> str:
            place = ("jobs", number, key) if key in own or not key else ("defaults", key)
            return self.told.at(*place)

        values = {key: value for key, value in values.items() if value is not None}
        kind = str(values.get("kind", "film"))
        if kind not in KINDS:
            self.problems.add(
                at("kind"), f"kind {kind!r}: expected {' or '.join(KINDS)}.{did_you_mean(kind, KINDS)}"
            )
            return
        before = len(self.problems.found)
        settings = self._settings(values, KINDS[kind], at)
        inputs = self._inputs(values.get("input"), kind, at("input"))
        output = values.get("output")
        if not isinstance(output, str) or not output:
            self.problems.add(at("output"), "output: expected a name, such as out/{stem}_dream.mp4.")
            return
        if settings is None or len(self.problems.found) > before:
            return
        for count, name in enumerate(inputs, 1):
            try:
                out, placed = self._placed(output, name, count), self._files(settings, name, count)
            except UsageError as error:
                self.problems.add(at("output"), error)
                continue
            given = {k: v for k, v in values.items() if k not in OWN} | _written(settings, placed)
            label = str(values.get("name") or os.path.relpath(out, self.folder))
            yield Job(label, kind, name, out, placed, at(), given)

    def _settings(self, values: dict[str, Any], model: type[Settings], at: Any) -> Settings | None:
        """What the keys of a job come to; None where they come to nothing."""
        layers: list[Layer] = []
        run = {key: _listed(values[key]) for key in ("preset", "config", "like", "set") if key in values}
        before = len(self.problems.found)

        def take(key: str, make: Any) -> None:
            try:
                layers.append(make())
            except DreamError as error:
                self.problems.add(at(key), error)

        for name in run.get("like", []):
            take("like", lambda n=name: recipes.like(self._whole(n), model))
        for name in run.get("preset", []):
            take("preset", lambda n=name: looks.preset(n, model))
        for name in run.get("config", []):
            take("config", lambda n=name: overrides.read_tables(self._whole(n)))
        layers += self.below.get(next(k for k, m in KINDS.items() if m is model), ())
        flags = [key for key in values if key not in OWN and key not in run]
        for key in sorted(flags, key=lambda k: k == "set"):
            bare = key.rpartition(".")[2].replace("-", "_")
            if bare in NOT_HERE:
                self.problems.add(at(key), f"{key}: is not for a list; {NOT_HERE[bare]}.")
            else:
                take(key, lambda k=key: _place(k, values[k], at(k), model))
        for text in run.get("set", []):
            name, _, value = text.partition("=")
            take("set", lambda n=name, v=value: _place(n.strip(), v.strip(), at("set"), model))
        if len(self.problems.found) > before:
            return None
        try:
            return looks.settle(layers, model)[0]
        except UsageError as error:
            for line in str(error).splitlines():
                self.problems.add(at(), line)
            return None

    def _inputs(self, name: object, kind: str, where: str) -> list[str]:
        """The files an input means, or what is no file but an input: noise, frame.%04d.png."""
        if not isinstance(name, str) or not name:
            self.problems.add(where, "input: expected a file, a folder, frame.%04d.png or a glob.")
            return []
        if name == "-":
            self.problems.add(where, "input -: a farm has no stdin. Give a file.")
            return []
        bare = kind == "zoom" and re.match(r"(noise$|colou?r:|gradient:)", name)
        whole = name if bare else str(self._whole(name))
        if bare or Path(whole).exists() or stills.COUNTER.search(name):
            return [whole]
        if any(c in name for c in "*?["):
            found = sorted(p for p in glob.glob(whole, recursive=True) if Path(p).is_file())  # noqa: PTH207
            if not found:
                self.problems.add(where, f"input {name}: matches no file.")
            return found
        near = did_you_mean(Path(name).name, _beside(Path(whole)))
        self.problems.add(where, f"input {name}: no such file.{near}")
        return []

    def _files(self, settings: Settings, name: str, count: int) -> Settings:
        """The settings with whole paths. UsageError for one that leaves the folder of outputs."""
        tables: dict[str, dict[str, Any]] = {}
        for knob, (group, _) in knobs(type(settings)).items():
            value = getattr(getattr(settings, group), knob)
            if knob in WRITES and value:
                tables.setdefault(group, {})[knob] = self._placed(str(value), name, count)
            elif knob in READS and value and value not in WORDS:
                whole = tuple(str(self._whole(one)) for one in _listed(value))
                tables.setdefault(group, {})[knob] = whole if isinstance(value, tuple) else whole[0]
        groups = {g: getattr(settings, g).model_copy(update=table) for g, table in tables.items()}
        return settings.model_copy(update=groups)

    def _placed(self, template: str, name: str, count: int) -> str:
        """A name that is written to, whole, its blanks filled in. UsageError where it leaves the folder."""
        source = Path(name)
        blanks = {
            "stem": stem(name),
            "name": source.name,
            "folder": source.parent.name,
            "number": f"{count:04d}",
        }

        def fill(match: re.Match[str]) -> str:
            if match[1] not in blanks:
                raise UsageError(
                    f"{{{match[1]}}} is no blank: there are {', '.join('{' + b + '}' for b in BLANKS)}."
                    + did_you_mean(match[1], BLANKS)
                )
            return blanks[match[1]]

        filled = re.sub(r"\{([^{}]*)\}", fill, template)
        out = Path(os.path.normpath(self.folder / filled))
        if not out.resolve().is_relative_to(self.folder) or out == self.folder:
            raise UsageError(
                f"{filled}: leaves the folder of outputs, {self.folder}. --output-folder gives another."
            )
        return str(out) + (os.sep if filled.endswith(("/", os.sep)) else "")

    def _whole(self, name: str) -> Path:
        return Path(os.path.normpath(self.home / Path(name).expanduser()))


def _place(key: str, value: Any, where: str, model: type[Settings]) -> Layer:
    layer = overrides.place(key, value, where, model)
    return Layer(f"{where}: {key}", layer.values)


def _listed(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list | tuple) else [str(value)]


def _beside(path: Path) -> list[str]:
    try:
        return sorted(p.name for p in path.parent.iterdir())[:10_000]
    except OSError:
        return []


def _written(before: Settings, after: Settings) -> dict[str, Any]:
    """The files among the settings that were made whole."""
    found = {}
    for knob, (group, _) in knobs(type(after)).items():
        value = getattr(getattr(after, group), knob)
        if value != getattr(getattr(before, group), knob):
            found[knob] = list(value) if isinstance(value, tuple) else value
    return found
