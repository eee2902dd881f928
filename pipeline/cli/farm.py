"""dream-farm: a list of jobs in, films out; on this machine, on a Ray cluster, or handed to somebody else's farm."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from tyro.conf import FlagCreatePairsOff, OmitArgPrefixes, OmitSubcommandPrefixes, Positional, arg, subcommand

from pipeline.cli.guard import guarded
from pipeline.cli.reading import Whole, default, parsed
from pipeline.errors import UsageError

ABOUT = "Dream on a list of films: many clips, many machines."
EXAMPLES = (
    ("dream-farm plan jobs.yaml", "what would run, and how long"),
    ("dream-farm run jobs.yaml", "runs it; again, it goes on"),
    ("dream-farm run jobs.yaml --engine ray", "on all machines of a Ray cluster"),
    ("dream-farm status jobs.yaml", "what is done"),
    ("dream-farm export jobs.yaml --shell jobs.txt", "a command for each job"),
)


def _unset(help: str, metavar: str | None = None, *aliases: str) -> Any:
    """An argument whose default is nothing that help would have to name."""
    return arg(metavar=metavar, help=help, aliases=list(aliases) or None, help_behavior_hint="")


def _set(help: str, metavar: str | None = None) -> Any:
    """An argument with a default that help names."""
    return arg(metavar=metavar, help=help, help_behavior_hint=default)


Jobs = Annotated[Positional[Path], _unset("a list of jobs, .yaml or .toml", "JOBS")]
GROUPS = "shots are handed out in groups of so many frames"
THREADS = "CPU threads of a task whose job names none"


@dataclass
class Where:
    """What every command says of a list."""

    jobs: Jobs
    output_folder: Annotated[
        Path | None, _unset("where outputs go; the list's own folder when not given", "DIR")
    ] = None
    yes: Annotated[bool, _unset("overwrite outputs that are there", None, "-y")] = False
    fresh: Annotated[bool, _unset("start over, discarding what is done and unfinished")] = False


@dataclass
class Run(Where):
    engine: Annotated[Literal["local", "ray"], _set("what runs the tasks", "local|ray")] = "local"
    address: Annotated[
        str, _set("the Ray cluster; auto: the one on this machine", "auto|HOST:PORT|ray://HOST:PORT")
    ] = "auto"
    workers: Annotated[Whole, _set("tasks at once; 0: as many as fit", "N")] = 0
    cpus_per_task: Annotated[Whole, _set(THREADS, "N")] = 1
    gpus_per_task: Annotated[
        float | None, _unset("GPUs of a task; when not given 1 where there are any", "X")
    ] = None
    task_frames: Annotated[Whole, _set(GROUPS, "N")] = 240
    retries: Annotated[Whole, _set("of a task, when its worker is lost or a disk fails", "N")] = 3
    results: Annotated[Path | None, _unset("what became of every job", "FILE.json")] = None
    progress: Annotated[
        Literal["auto", "bar", "plain", "json", "none"],
        _set("how progress is shown", "auto|bar|plain|json|none"),
    ] = "auto"
    quiet: Annotated[bool, _unset("say nothing but errors", None, "-q")] = False
    verbose: Annotated[
        tyro.conf.UseCounterAction[int], _unset("what Ray says, too; twice: tracebacks", None, "-v")
    ] = 0


@dataclass
class Plan(Where):
    estimate: Annotated[
        Literal["measure", "none"],
        _set(
            "how long it takes, by some seconds of dreaming for looks that are new; none: at once",
            "measure|none",
        ),
    ] = "measure"
    json: Annotated[bool, _unset("for programs")] = False


@dataclass
class Status(Where):
    json: Annotated[bool, _unset("for programs")] = False


@dataclass
class Export(Where):
    openjd: Annotated[Path | None, _unset("a job template of Open Job Description", "DIR")] = None
    shell: Annotated[Path | None, _unset("a command for each job, one per line", "FILE")] = None
    task_frames: Annotated[Whole, _set(GROUPS, "N")] = 240
    cpus_per_task: Annotated[Whole, _set(THREADS, "N")] = 1
    gpus_per_task: Annotated[Whole, _set("asked of each machine", "N")] = 0


@dataclass
class Task:
    file: Annotated[Positional[Path], _unset("of an exported list", "FILE")]
    step: Annotated[
        Literal["begin", "chain", "dream", "join"], _set("which of its tasks", "begin|chain|dream|join")
    ] = "dream"
    group: Annotated[Whole, _set("which group of shots or chain of keyframes, from 0", "N")] = 0
    folder: Annotated[str, _unset("the list's folder on this machine, where it is another", "DIR")] = ""
    path_mapping: Annotated[
        Path | None, _unset("where else paths have moved to, as Open Job Description writes it", "FILE")
    ] = None


Command = (
    Annotated[
        Run, subcommand("run", description="Run every job of a list; what is done already is left alone.")
    ]
    | Annotated[
        Plan, subcommand("plan", description="Say what would run, how long it takes, how large it gets.")
    ]
    | Annotated[
        Status, subcommand("status", description="Say what is done of a list, by what lies on the disk.")
    ]
    | Annotated[Export, subcommand("export", description="Hand the list to a farm manager.")]
    | Annotated[
        Task, subcommand("task", description="One task of an exported list, as farm managers run it.")
    ]
)


def main(argv: Sequence[str] | None = None) -> int:
    return guarded("dream-farm", _run, argv)


def _run(args: Sequence[str]) -> None:
    markers = (OmitArgPrefixes, OmitSubcommandPrefixes, FlagCreatePairsOff)
    command: Run | Plan | Status | Export | Task = parsed(
        Command, "dream-farm", ABOUT, args, markers, EXAMPLES
    )
    from pipeline.cli import farming  # media libraries, which --help does without

    if isinstance(command, Task):
        farming.task(command)
        return
    for name in ("task_frames", "cpus_per_task"):
        if getattr(command, name, 1) < 1:
            raise UsageError(f"--{name.replace('_', '-')}: expected at least 1.")
    if isinstance(command, Run):
        farming.run(command)
    elif isinstance(command, Plan):
        farming.plan(command)
    elif isinstance(command, Status):
        farming.status(command)
    else:
        farming.export(command)


if __name__ == "__main__":
    sys.exit(main())
