"""Tasks: what a job comes to: begin it, dream some of its shots, join them. Plain values in and out.

All that lasts is in the job's work folder on a disk that every worker sees, so a task that dies is begun again where
its shots' own segments end. Pictures never go from worker to worker.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pipeline.clip import Shot
from pipeline.errors import InputError
from pipeline.farm.check import Ready

Step = Literal["begin", "chain", "dream", "join"]
Group = tuple[tuple[int, int], ...]
"""What one task dreams: shots, or windows of one, first and end of each."""

PARTS = 4  # tasks at least that dream what lies between the keyframes of one chain

Tell = Callable[[int], None]
"""Told how many frames of a task are done."""


@dataclass(frozen=True)
class Task:
    """step: begin finds the shots of a job, or makes it whole where that is one task's worth; chain dreams the
    keyframes of windows, `group`; dream dreams `group`; join makes the film of what was dreamed.

    threads: where the job leaves them open and no plan tells. frames: how many are worth a task of their own.
    mark: a file to write `digest` to, with the size of what was made, once that is there. shots: of the film, where
    they were found before its work folder was begun.
    """

    kind: str
    name: str
    input: str
    output: str
    settings: dict[str, Any]
    step: Step = "begin"
    group: Group = ()
    threads: int = 1
    frames: int = 240
    mark: str = ""
    digest: str = ""
    shots: Group = ()

    @staticmethod
    def of(ready: Ready, *, threads: int, frames: int) -> Task:
        """The first task of a job."""
        job = ready.job
        settings = job.settings.model_copy(
            update={"run": job.settings.run.model_copy(update={"quiet": True})}
        )
        told = settings.model_dump(mode="json")
        return Task(
            job.kind, job.name, job.input, job.output, told, threads=threads, frames=frames,
            mark=str(ready.mark), digest=ready.digest,
        )  # fmt: skip

    @staticmethod
    def parse(text: str) -> Task:
        """From JSON, as `json` gives it. InputError."""
        try:
            told = dict(json.loads(text))
            for name in ("group", "shots"):
                told[name] = tuple((int(first), int(end)) for first, end in told[name])
            return Task(**told)
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"This is no task of a farm ({error}). Export the list again.") from None

    def json(self) -> str:
        """As one line of text that `Task` is read back from."""
        return json.dumps(asdict(self))

    @property
    def label(self) -> str:
        """For people."""
        shots = f" frames {self.group[0][0]}-{self.group[-1][1] - 1}" if self.group else ""
        return f"{self.name}: {self.step}{shots}"


@dataclass(frozen=True)
class Outcome:
    """What a task came to. frames: dreamed by it. groups: that can be dreamed now; chains: that can be begun.

    total: the frames of the job, with those that were done before. whole: the job is done.
    """

    frames: int
    total: int
    seconds: float
    whole: bool = False
    groups: tuple[Group, ...] = ()
    chains: tuple[Group, ...] = ()
    shots: int = 0
    notes: tuple[str, ...] = ()


def groups_of(shots: Sequence[Shot], frames: int) -> tuple[Group, ...]:
    """Shots in order, as many to a group as come to `frames`."""
    groups: list[list[tuple[int, int]]] = []
    room = 0
    for shot in shots:
        assert shot.end is not None
        if room <= 0:
            groups.append([])
            room = frames
        groups[-1].append((shot.first, shot.end))
        room -= shot.end - shot.first
    return tuple(tuple(group) for group in groups)
