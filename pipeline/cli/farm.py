"""dream-farm: a list of jobs in, films out; on this machine, on a Ray cluster, or handed to somebody else's farm."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import FlagCreatePairsOff, OmitArgPrefixes, OmitSubcommandPrefixes, Positional, arg, subcommand

from pipeline.cli.guard import guarded
from pipeline.cli.reading import parsed
from pipeline.errors import UsageError

ABOUT = "Dream on a list of films: many clips, many machines."
EXAMPLES = (
    ("dream-farm plan jobs.yaml", "what would run, and how long"),
    ("dream-farm run jobs.yaml", "runs it; again, it goes on"),
    ("dream-farm run jobs.yaml --engine ray", "on all machines of a Ray cluster"),
    ("dream-farm status jobs.yaml", "what is done"),
    ("dream-farm export jobs.yaml --shell jobs.txt", "a command for each job"),
)
Jobs = Annotated[Positional[Path], arg(metavar="JOBS", help="a list of jobs, .yaml or .toml")]


@dataclass
class Where:
    """What every command says of a list."""

    jobs: Jobs
    output_folder: Annotated[
        Path | None,
        arg(
            metavar="DIR",
            help="where outputs go; the list's own folder when not given",
            help_behavior_hint="",
        ),
    ] = None
    yes: Annotated[bool, arg(aliases=["-y"], help="overwrite outputs that are there")] = False
    fresh: Annotated[bool, arg(help="start over, discarding what is done and unfinished")] = False


@dataclass
class Run(Where):
    engine: Annotated[Literal["local", "ray"], arg(help="what runs the tasks")] = "local"
    address: Annotated[
        str,
        arg(metavar="auto|HOST:PORT|ray://HOST:PORT", help="the Ray cluster; auto: the one on this machine"),
    ] = "auto"
    workers: Annotated[int, arg(metavar="N", help="at once; 0: as many as fit")] = 0
    cpus_per_task: Annotated[int, arg(metavar="N", help="CPU threads of a task whose job names none")] = 1
    gpus_per_task: Annotated[
        float | None,
        arg(
            metavar="X",
            help="of a cluster, or this machine; when not given 1 where there are any",
            help_behavior_hint="",
        ),
    ] = None
    task_frames: Annotated[int, arg(metavar="N", help="shots are handed out in groups of so many frames")] = (
        240
    )
    retries: Annotated[int, arg(metavar="N", help="of a task, when its worker is lost or a disk fails")] = 3
    results: Annotated[
        Path | None, arg(metavar="FILE.json", help="what became of every job", help_behavior_hint="")
    ] = None
    progress: Annotated[
        Literal["auto", "bar", "plain", "json", "none"], arg(help="how progress is shown")
    ] = "auto"
    quiet: Annotated[bool, arg(aliases=["-q"], help="say nothing but errors")] = False
    verbose: Annotated[
        tyro.conf.UseCounterAction[int], arg(aliases=["-v"], help="what Ray says, too; twice: tracebacks")
    ] = 0


@dataclass
class Plan(Where):
    json: Annotated[bool, arg(help="for programs")] = False


@dataclass
class Status(Where):
    json: Annotated[bool, arg(help="for programs")] = False


@dataclass
class Export(Where):
    openjd: Annotated[
        Path | None, arg(metavar="DIR", help="a job template of Open Job Description", help_behavior_hint="")
    ] = None
    shell: Annotated[
        Path | None, arg(metavar="FILE", help="a command for each job, one per line", help_behavior_hint="")
    ] = None
    task_frames: Annotated[int, arg(metavar="N", help="shots are handed out in groups of so many frames")] = (
        240
    )
    cpus_per_task: Annotated[int, arg(metavar="N", help="CPU threads of a task whose job names none")] = 1
    gpus_per_task: Annotated[int, arg(metavar="N", help="asked of each machine")] = 0


@dataclass
class Task:
    file: Annotated[Positional[Path], arg(metavar="FILE", help="of an exported list")]
    step: Annotated[Literal["begin", "chain", "dream", "join"], arg(help="which of its tasks")] = "dream"
    group: Annotated[int, arg(metavar="N", help="which group of shots or chain of keyframes, from 0")] = 0
    folder: Annotated[
        str, arg(metavar="DIR", help="the list's folder on this machine, where it is another")
    ] = ""
    path_mapping: Annotated[
        Path | None,
        arg(metavar="FILE", help="where else paths have moved to, as Open Job Description writes it"),
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
