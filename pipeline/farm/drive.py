"""Drive: a list, run by an engine from its first task to its last. What fails fails its own job; the rest goes on."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from time import monotonic
from typing import Literal

from pipeline.farm.engine import Done, Engine, Event, Failed, Said, Told
from pipeline.farm.tasks import Group, Task

WAIT = 0.5  # seconds between two looks at what has happened
FIRST = {"join": 0, "chain": 1, "dream": 1, "begin": 2}  # so that few jobs are open at a time
PAUSES = (
    5,
    20,
    60,
)  # seconds before a task is tried again that a disk failed, or somebody who is gone still locks
DISK = 4  # exit code of those
NEVER_AGAIN = (2, 3)  # exit codes of what another try does not mend: settings, inputs

State = Literal["waiting", "running", "done", "there", "failed", "stopped"]


@dataclass
class Result:
    """What became of a job. there: it was done before. frames: dreamed now, of `total`. seconds: of workers.

    again: frames that had been dreamed before, by workers that were lost before those were kept.
    """

    task: Task
    state: State = "waiting"
    shots: int = 0
    frames: int = 0
    total: int = 0
    seconds: float = 0.0
    retries: int = 0
    again: int = 0
    error: str = ""
    code: int = 0
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What the job is called in what is told."""
        return self.task.name


_Same = tuple[int, str, Group]
"""A task, whichever time it runs."""


@dataclass
class _Job:
    result: Result
    left: int = 1  # tasks that are known and not done yet
    running: dict[int, int] = field(default_factory=dict)  # key -> frames of tasks that run
    done: int = 0  # frames of tasks that are done


@dataclass
class Drive:
    """retries: of one task. watch: called after whatever happens, with the event."""

    results: Sequence[Result]
    engine: Engine
    retries: int
    watch: Callable[[Drive, Event], None]
    _queue: list[tuple[int, int, int, Task]] = field(default_factory=list)
    _open: dict[int, tuple[int, Task]] = field(default_factory=dict)
    _tries: dict[_Same, int] = field(default_factory=dict)
    _lost: dict[_Same, int] = field(default_factory=dict)  # frames that had been told of
    _later: list[tuple[float, int, Task]] = field(default_factory=list)  # not before when

    def __post_init__(self) -> None:
        self._jobs = [_Job(result) for result in self.results]
        self._keys, self._order = count(), count()

    @property
    def frames(self) -> int:
        """Done so far, of all jobs."""
        return sum(job.done + sum(job.running.values()) for job in self._jobs)

    @property
    def running(self) -> list[str]:
        """What is being done, for people."""
        return [task.label for _, task in self._open.values()]

    def run(self) -> None:
        """Until nothing is left to do. What interrupts it ends the engine; what is unfinished is then `stopped`."""
        for number, job in enumerate(self._jobs):
            if job.result.state == "waiting":
                self._add(number, job.result.task)
        try:
            while self._queue or self._open or self._later:
                self._take_up()
                while self._queue and self.engine.free(len(self._queue)) > 0:
                    _, _, number, task = heapq.heappop(self._queue)
                    self._submit(number, task)
                for event in self.engine.events(WAIT):
                    if isinstance(event, Said):
                        self.watch(self, event)
                    elif event.key in self._open:
                        self._hear(event)
                        self.watch(self, event)
        finally:
            self.engine.close()
            for job in self._jobs:
                if job.result.state in ("waiting", "running"):
                    job.result.state = "stopped"

    def _add(self, number: int, task: Task) -> None:
        heapq.heappush(self._queue, (FIRST[task.step], next(self._order), number, task))

    def _take_up(self) -> None:
        """What was to wait, and has, or need not any more."""
        for one in list(self._later):
            when, number, task = one
            if when <= monotonic() or self._jobs[number].result.state == "failed":
                self._later.remove(one)
                self._add(number, task)

    def _submit(self, number: int, task: Task) -> None:
        job = self._jobs[number]
        if job.result.state == "failed":
            return
        key = next(self._keys)
        job.result.state = "running"
        self._open[key] = number, task
        self.engine.submit(key, task)

    def _hear(self, event: Told | Done | Failed) -> None:
        number, task = self._open[event.key]
        job = self._jobs[number]
        if isinstance(event, Told):
            job.running[event.key] = event.frames
            return
        del self._open[event.key]
        told = job.running.pop(event.key, 0)
        if isinstance(event, Failed):
            self._lost[number, task.step, task.group] = told
            self._again(number, task, event)
        elif job.result.state != "failed":
            self._go_on(number, task, event)

    def _again(self, number: int, task: Task, failed: Failed) -> None:
        result = self._jobs[number].result
        if result.state == "failed":
            return
        same = number, task.step, task.group
        tried = self._tries[same] = self._tries.get(same, 0) + 1
        if tried <= self.retries and (failed.lost or failed.code not in NEVER_AGAIN):
            result.retries += 1
            pause = 0 if failed.lost or failed.code != DISK else PAUSES[min(tried, len(PAUSES)) - 1]
            self._later.append((monotonic() + pause, number, task))
            return
        result.state, result.error, result.code = "failed", failed.text, failed.code

    def _go_on(self, number: int, task: Task, done: Done) -> None:
        job, outcome = self._jobs[number], done.outcome
        result = job.result
        result.frames += outcome.frames
        kept = outcome.total - outcome.frames
        result.again += max(0, self._lost.pop((number, task.step, task.group), 0) - kept)
        result.seconds += outcome.seconds
        result.notes += tuple(note for note in outcome.notes if note not in result.notes)
        if task.step == "begin":
            result.total, result.shots = outcome.total, outcome.shots
        if outcome.whole:
            job.done = result.total
            result.state = "done"
            return
        if task.step == "dream":
            job.done += outcome.total
        job.left += len(outcome.chains) + len(outcome.groups) - 1
        # The next chain goes before what the last one made ready, and no chain further ahead: it keeps states.
        for chain in outcome.chains:
            self._add(number, replace(task, step="chain", group=chain))
        for group in outcome.groups:
            self._add(number, replace(task, step="dream", group=group))
        if not job.left:
            self._add(number, replace(task, step="join", group=()))


def failed_of(results: Sequence[Result]) -> list[Result]:
    """Those that failed, or were stopped."""
    return [result for result in results if result.state in ("failed", "stopped")]
