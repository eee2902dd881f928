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
from pipeline.errors import DreamError, UsageError, did_you_mean
from pipeline.farm import marked
from pipeline.farm.marked import Marked
from pipeline.farm.names import Names
from pipeline.overrides import Layer
from pipeline.settings import Settings
from pipeline.settings.zoom import ZoomSettings
from pipeline.stages import stills

KINDS: dict[str, type[Settings]] = {"film": Settings, "zoom": ZoomSettings}
OWN = ("input", "output", "kind", "name")
"""Keys of a job that are no flags."""

NOT_HERE = {
    "out": "name it `output`",
    **dict.fromkeys(
        ("preview", "preview_seconds", "presets", "explain", "demo", "watch"), "a farm makes whole films"
    ),
    **dict.fromkeys(("fresh", "resume", "yes"), "give it to dream-farm run"),
    **dict.fromkeys(("progress", "quiet", "verbose"), "give it to dream-farm"),
}
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
    """What is wrong, all of it, each once. told: how often. Raises nothing before it is asked to."""

    found: list[str] = field(default_factory=list)
    told: int = 0
    _lines: set[str] = field(default_factory=set)

    def add(self, where: str, text: object) -> None:
        """One more, and where in the list it is."""
        said = str(text)
        line = said if said.startswith(f"{where}:") else f"{where}: {said}"
        self.told += 1
        if line not in self._lines:  # a default that is wrong is so for many
            self._lines.add(line)
            self.found.append(line)

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
    reader = _Reader(told, Names(path.parent, (folder or path.parent).resolve()), below or {}, Problems())
    found = list(reader.jobs())
    reader.say_what_is_missing()
    missing = {name for _, _, name in reader.missing}
    return [job for job in found if job.input not in missing], reader.problems


@dataclass
class _Reader:
    """told: the list. names: what it calls files."""

    told: Marked
    names: Names
    below: Below
    problems: Problems
    missing: list[tuple[str, str, str]] = field(default_factory=list)  # where, input, the same whole
    outputs: dict[str, tuple[str, str]] = field(default_factory=dict)  # output -> input, where
    layers: dict[tuple[str, str, type[Settings]], Layer] = field(default_factory=dict)  # key, name, door

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
        before = self.problems.told
        settings = self._settings(values, KINDS[kind], at)
        inputs = self._inputs(values.get("input"), kind, at("input"))
        output = values.get("output")
        if not isinstance(output, str) or not output:
            self.problems.add(at("output"), "output: expected a name, such as out/{stem}_dream.mp4.")
            return
        if settings is None or self.problems.told > before:
            return
        for count, name in enumerate(inputs, 1):
            try:
                out = self.names.written(output, name, count)
                whole, files = self.names.settle(settings, name, count)
            except UsageError as error:
                self.problems.add(at("output"), error)
                continue
            self.outputs[out] = name, at()
            given = {key: value for key, value in values.items() if key not in OWN} | dict(files)
            label = str(values.get("name") or os.path.relpath(out, self.names.folder))
            yield Job(label, kind, name, out, whole, at(), given)

    def _settings(self, values: dict[str, Any], model: type[Settings], at: Any) -> Settings | None:
        """What the keys of a job come to; None where they come to nothing."""
        layers: list[Layer] = []
        run = {key: _listed(values[key]) for key in ("preset", "config", "like", "set") if key in values}
        before = self.problems.told

        def take(key: str, make: Any) -> None:
            try:
                layers.append(make())
            except DreamError as error:
                self.problems.add(at(key), f"{error}{' (For kind: zoom.)' if model is not Settings else ''}")

        for key in ("like", "preset", "config"):
            for name in run.get(key, []):
                take(key, lambda k=key, n=name: self._read(k, n, model))
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
        if self.problems.told > before:
            return None
        try:
            return looks.settle(layers, model)[0]
        except UsageError as error:
            for line in str(error).splitlines():
                self.problems.add(at(), line)
            return None

    def _read(self, key: str, name: str, model: type[Settings]) -> Layer:
        """A preset or a file of settings, read once for all jobs that name it."""
        if (key, name, model) not in self.layers:
            if key == "preset":
                layer = looks.preset(name, model)
            else:
                path = self.names.read(name)
                layer = recipes.like(path, model) if key == "like" else overrides.read_tables(path)
            self.layers[key, name, model] = layer
        return self.layers[key, name, model]

    def _inputs(self, name: object, kind: str, where: str) -> list[str]:
        """The files an input means, or what is no file but an input: noise, frame.%04d.png."""
        if not isinstance(name, str) or not name:
            self.problems.add(where, "input: expected a file, a folder, frame.%04d.png or a glob.")
            return []
        if name == "-":
            self.problems.add(where, "input -: a farm has no stdin. Give a file.")
            return []
        bare = kind == "zoom" and re.match(r"(noise$|colou?r:|gradient:)", name)
        whole = name if bare else str(self.names.read(name))
        if bare or Path(whole).exists() or stills.COUNTER.search(name):
            return [whole]
        if any(c in name for c in "*?["):
            found = sorted(p for p in glob.glob(whole, recursive=True) if Path(p).is_file())  # noqa: PTH207
            if not found:
                self.problems.add(where, f"input {name}: matches no file.")
            return found
        self.missing.append((where, name, whole))
        return [whole]

    def say_what_is_missing(self) -> None:
        """Inputs that are not there; jobs of one list run side by side, so none can be what another makes."""
        for where, name, whole in self.missing:
            chain, at = [whole], whole
            while at in self.outputs and self.outputs[at][0] not in chain:
                at = self.outputs[at][0]
                chain.append(at)
            if whole not in self.outputs:
                said = "no such file." + did_you_mean(Path(name).name, _beside(Path(whole)))
            elif at in self.outputs:
                said = f"is made from itself, by way of the job at {self.outputs[whole][1]}."
            else:
                said = f"is what the job at {self.outputs[whole][1]} makes. Put this one into a list to run after."
            self.problems.add(where, f"input {name}: {said}")


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
