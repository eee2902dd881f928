"""Local: tasks on this machine, each worker a process of its own that goes on to the next task.

Where the system can, workers are forked from a process that has loaded what they need, once for all of them.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from time import monotonic
from typing import TYPE_CHECKING

from pipeline.farm.engine import Done, Event, Failed, Told, failed
from pipeline.farm.tasks import Task, Tell

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext

OFTEN = 0.2  # seconds between two words on frames
PATIENCE = 10  # seconds that a worker is given to end
LOADED = ["pipeline.farm.work"]  # with torch in it, which takes seconds


def _context() -> SpawnContext | ForkServerContext:
    """How workers are begun. Elsewhere than on Linux a process with such libraries in it is not to be forked."""
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver  # noqa: PLC0415  not on every system

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LOADED)
    with _deaf():
        forkserver.ensure_running()
    return context


@dataclass
class _Worker:
    process: BaseProcess
    line: Connection
    name: str
    key: int | None = None


@dataclass
class Local:
    """workers: at once. gpus: their CUDA devices, in turn; none: whatever a job picks."""

    workers: int
    gpus: Sequence[int] = ()
    _pool: list[_Worker] = field(default_factory=list)
    _made: int = 0

    @property
    def about(self) -> str:
        return f"{self.workers} worker{'s' * (self.workers > 1)} on this machine"

    def free(self, wanted: int) -> int:
        return self.workers - sum(worker.key is not None for worker in self._pool)

    def submit(self, key: int, task: Task) -> None:
        worker = next((w for w in self._pool if w.key is None and w.process.is_alive()), None) or self._hire()
        worker.key = key
        with suppress(OSError):  # it died just now, which `events` will tell
            worker.line.send((key, task))

    def _hire(self) -> _Worker:
        context = _context()
        ours, theirs = context.Pipe()
        taken = {worker.name for worker in self._pool}
        number = next(n for n in range(self.workers + 1) if f"worker {n}" not in taken)
        gpu = str(self.gpus[number % len(self.gpus)]) if self.gpus else ""
        process = context.Process(target=_work, args=(theirs, gpu), name=f"worker {number}", daemon=True)
        process.start()
        theirs.close()
        worker = _Worker(process, ours, process.name)
        self._pool.append(worker)
        return worker

    def events(self, seconds: float) -> list[Event]:
        lines = {worker.line: worker for worker in self._pool}
        dead = {worker.process.sentinel: worker for worker in self._pool}
        found: list[Event] = []
        ready = connection.wait([*lines, *dead], timeout=seconds)
        for one in ready:
            if isinstance(one, Connection) and one in lines:
                found += self._heard(lines[one])
        for one in ready:
            if isinstance(one, int) and dead[one] in self._pool:
                found += self._heard(dead[one]) + self._buried(dead[one])
        return found

    def _heard(self, worker: _Worker) -> list[Event]:
        found: list[Event] = []
        with suppress(EOFError, OSError):
            while worker.line.poll():
                event = worker.line.recv()
                if not isinstance(event, Told):
                    worker.key = None
                found.append(event)
        return found

    def _buried(self, worker: _Worker) -> list[Event]:
        """What a dead worker leaves: its task, not done."""
        self._pool.remove(worker)
        worker.line.close()
        worker.process.join()
        if worker.key is None:
            return []
        code = worker.process.exitcode or 0
        why = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return [Failed(worker.key, f"{worker.name} was lost ({why}).", 1, worker.name, lost=True)]

    def close(self) -> None:
        for worker in self._pool:
            worker.process.terminate()
        for worker in self._pool:
            worker.process.join(PATIENCE)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.line.close()
        self._pool.clear()


@contextmanager
def _deaf() -> Iterator[None]:
    """Inside, what is begun is deaf to Ctrl-C, which a terminal sends to everybody: the list's process ends it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _work(line: Connection, gpu: str) -> None:
    """A worker's life. gpu: the only CUDA device it sees; '': as it is."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))
    if gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    name = multiprocessing.current_process().name
    with suppress(EOFError, OSError):
        while True:
            key, task = line.recv()
            line.send(attempt(key, task, _Sparing(line, key), name))


def attempt(key: int, task: Task, tell: Tell, name: str) -> Done | Failed:
    """A task, done or failed."""
    from pipeline.farm.work import run  # noqa: PLC0415  torch, which whoever hands out tasks does without

    try:
        return Done(key, run(task, tell), name)
    except Exception as error:  # whatever it is, the other tasks go on, and it is told
        return failed(key, error, name)


def _end_with(parent: BaseProcess) -> None:
    """No worker outlives whom it works for."""
    parent.join()
    os._exit(1)


@dataclass
class _Sparing:
    """Tells of frames, not of every single one."""

    line: Connection
    key: int
    _spoke: float = 0.0

    def __call__(self, frames: int) -> None:
        if monotonic() - self._spoke > OFTEN:
            self._spoke = monotonic()
            self.line.send(Told(self.key, frames))
