"""OpenJD: a list as one job template of Open Job Description (jobtemplate-2023-09), and its tasks as they come back.

A film is a step of dreaming, its groups of shots as task range, and a step of joining that depends on it; keyframes
of long shots are a step before; what is one task's worth is one step. The shots were found before: a step cannot take
its range from what another one finds.
https://github.com/OpenJobDescription/openjd-specifications
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import yaml

from pipeline.errors import InputError, UsageError
from pipeline.farm.tasks import Group, Task

NAME = 64  # letters of a step's name at most
LARGEST = 16 << 20  # bytes of an exported task
RANGES = ("chain", "dream")  # steps of several tasks


@dataclass(frozen=True)
class Exported:
    """A job with its shots found. groups: none where it is one task. chains: the windows of each long shot, whose
    keyframes are dreamed before. first: something else has to be done before them.
    """

    task: Task
    groups: tuple[Group, ...] = ()
    chains: tuple[Group, ...] = ()
    first: bool = False


def template(name: str, home: Path, jobs: Sequence[Exported], *, cpus: int, gpus: int) -> str:
    """The template as YAML. home: the list's folder; a parameter says where it lies on a farm."""
    steps = [step for number, job in enumerate(jobs, 1) for step in _steps(number, job, home, cpus, gpus)]
    told = {
        "specificationVersion": "jobtemplate-2023-09",
        "name": "".join(c if c.isprintable() else "_" for c in name).replace("{{", "_")[:NAME],
        "parameterDefinitions": [
            {
                "name": "Folder", "type": "PATH", "objectType": "DIRECTORY", "dataFlow": "INOUT",
                "default": "",
                "description": "Where the list's folder lies on the farm, if not as here.",
            },
            {
                "name": "DreamFarm", "type": "STRING", "default": "dream-farm",
                "description": "The program on the machines of the farm.",
            },
        ],
        "steps": steps,
    }  # fmt: skip
    return yaml.safe_dump(told, sort_keys=False, width=100, allow_unicode=True)


def _steps(number: int, job: Exported, home: Path, cpus: int, gpus: int) -> Iterator[dict[str, Any]]:
    label = "".join(c if c.isalnum() or c in " ._-" else "_" for c in job.task.name)[: NAME - 20]
    dreamed = job.groups or (((0, 0),),)
    facts = {"home": str(home), "task": asdict(job.task), "groups": dreamed, "chains": job.chains}
    data = json.dumps(facts, indent=1)
    # Two braces are a reference, in a template; of JSON with a line for each value only strings can hold them.
    data = data.replace("{{", r"\u007b\u007b").replace("}}", r"\u007d\u007d")

    def step(what: str, after: str = "", groups: int = 0) -> dict[str, Any]:
        group = ["--group", "{{Task.Param.Group}}"] if groups else []
        told: dict[str, Any] = {"name": f"{number:04d} {what} {label}"}
        if after:
            told["dependencies"] = [{"dependsOn": f"{number:04d} {after} {label}"}]
        amounts = [{"name": "amount.worker.vcpu", "min": cpus}]
        amounts += [{"name": "amount.worker.gpu", "min": gpus}] if gpus else []
        told["hostRequirements"] = {"amounts": amounts}
        if groups:
            ranges = [{"name": "Group", "type": "INT", "range": f"0-{groups - 1}" if groups > 1 else "0"}]
            told["parameterSpace"] = {"taskParameterDefinitions": ranges}
        args = ["task", "{{Task.File.Job}}", "--step", what, *group, "--folder", "{{Param.Folder}}"]
        args += ["--path-mapping", "{{Session.PathMappingRulesFile}}"]
        told["script"] = {
            "embeddedFiles": [{"name": "Job", "type": "TEXT", "filename": "job.json", "data": data}],
            "actions": {"onRun": {"command": "{{Param.DreamFarm}}", "args": args}},
        }
        return told

    if not job.groups:
        yield step("begin")
        return
    if job.first:
        yield step("begin")
    if job.chains:
        yield step("chain", "begin" if job.first else "", len(job.chains))
    before = "chain" if job.chains else "begin" if job.first else ""
    yield step("dream", before, len(job.groups))
    yield step("join", "dream")


def read(path: Path, step: str, group: int, folder: str, mapping: Path | None) -> Task:
    """A task of an exported list, its paths as they are on this machine. InputError, UsageError.

    folder: that of the list, here; '' where it is as it was. mapping: a file of path mapping rules.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"{path}: is no task of an exported list.")
        told = json.loads(path.read_text(encoding="utf-8"))
        task, home = Task.parse(json.dumps(told["task"])), str(told["home"])
        parts = told["chains"] if step == "chain" else told["groups"]
        groups = [tuple((int(first), int(end)) for first, end in one) for one in parts]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: is no task of an exported list ({error}).") from None
    if step in RANGES and not 0 <= group < len(groups):
        raise UsageError(f"--group {group}: there are {len(groups)}, counted from 0.")
    rules = _rules(mapping)
    if folder:
        rules.append((home, folder))
    task = replace(task, group=groups[group] if step in RANGES else (), step=step)  # type: ignore[arg-type]
    return _moved(task, sorted(rules, key=lambda rule: -len(rule[0])))


def _rules(path: Path | None) -> list[tuple[str, str]]:
    """Path mapping rules, pathmapping-1.0: where paths begin, and what that is here."""
    if path is None:
        return []
    try:
        rules = json.loads(path.read_text(encoding="utf-8") or "{}").get("path_mapping_rules") or []
        return [(str(rule["source_path"]), str(rule["destination_path"])) for rule in rules]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: holds no path mapping rules ({error}).") from None


def _moved(task: Task, rules: Sequence[tuple[str, str]]) -> Task:
    """The same, with every path that begins as a rule says beginning as it says it is here."""

    def move(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: move(inner) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [move(inner) for inner in value]
        return moved(value, rules) if isinstance(value, str) else value

    return replace(
        task,
        input=move(task.input),
        output=move(task.output),
        mark=move(task.mark),
        settings=move(task.settings),
    )


def moved(path: str, rules: Sequence[tuple[str, str]]) -> str:
    """A path as the first rule that fits has it; the path as it is where none does."""
    kind = PureWindowsPath if "\\" in path else PurePosixPath
    for source, destination in rules:
        if kind(path).is_absolute() and kind(path).is_relative_to(source):
            rest = kind(path).relative_to(source).parts
            ending = path[-1] if path[-1] in "/\\" else ""
            return str(Path(destination, *rest)) + ending
    return path
