"""Shell: a list as commands, one per line, each a whole film: for arrays of Slurm, OpenCue, or a plain loop."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from subprocess import list2cmdline

from pipeline.farm.check import Ready

DOORS = {"film": "dream-video", "zoom": "dream-zoom"}


def lines(jobs: Sequence[Ready], threads: int) -> Iterator[str]:
    """The command of each job. threads: where a job names none."""
    join = list2cmdline if os.name == "nt" else shlex.join
    for ready in jobs:
        job = ready.job
        given = {"threads": threads, **job.given}
        flags = [word for name, value in given.items() for word in _flag(name, value)]
        yield join([DOORS[job.kind], job.input, "-o", job.output, *flags])


def _flag(name: str, value: object) -> list[str]:
    """As a flag; a full name such as dream.octaves as --set."""
    if "." in name:
        return ["--set", f"{name}={value}"]
    flag = "--" + name.replace("_", "-")
    if isinstance(value, bool) or str(value).lower() in ("true", "false"):
        return [flag] if str(value).lower() == "true" else []
    if isinstance(value, list | tuple):
        return [word for one in value for word in (flag, str(one))]
    return [flag, str(value)]
