"""Cluster: tasks on Ray, each worker an actor that goes on to the next task. Only words travel, no pictures."""

from __future__ import annotations

import os
import platform
import secrets
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import Any

from pipeline.errors import DeviceError, UsageError
from pipeline.farm.address import last_line, reach
from pipeline.farm.engine import Done, Event, Failed, Told
from pipeline.farm.tasks import Task

ANSWER = 5  # seconds that the board has to answer
OFTEN = 0.5  # seconds between two words on frames
LOOK = 5.0  # seconds between two looks at which machines there are
SAME = ("dream-video", "torch", "av")  # what workers must have as the list's process has it


class Board:
    """Where workers write how far they are."""

    def __init__(self) -> None:
        self._said: dict[int, int] = {}

    def tell(self, key: int, frames: int) -> None:
        self._said[key] = frames

    def read(self) -> dict[int, int]:
        said, self._said = self._said, {}
        return said


class Hand:
    """A worker on some machine."""

    def hello(self, probe: str, word: str) -> tuple[str, dict[str, str], bool]:
        """Its name, the versions of what is installed there, and whether it sees the file that was written here."""
        try:
            sees = Path(probe).read_text(encoding="utf-8") == word
        except OSError:
            sees = False
        return f"{platform.node()} {os.getpid()}", {name: version(name) for name in SAME}, sees

    def work(self, key: int, task: str, board: Any, name: str) -> Done | Failed:
        from pipeline.farm.local import attempt  # noqa: PLC0415  torch, on the worker alone

        spoke = 0.0

        def tell(frames: int) -> None:
            nonlocal spoke
            if monotonic() - spoke > OFTEN:
                spoke = monotonic()
                board.tell.remote(key, frames)

        return attempt(key, Task.parse(task), tell, name)


@dataclass
class _Worker:
    actor: Any
    name: str = ""
    key: int | None = None
    ready: bool = False


@dataclass
class Cluster:
    """ray: the module. cpus, gpus: of each worker. most: workers at once, 0 for as many as fit."""

    ray: Any
    cpus: float
    gpus: float
    most: int
    probe: Path
    word: str
    _pool: dict[Any, _Worker] = field(default_factory=dict)  # what is waited for -> who does it
    _idle: list[_Worker] = field(default_factory=list)
    _looked: float = -LOOK
    _fit: int = 0
    _read: float = 0.0

    @staticmethod
    def connect(
        address: str, folder: Path, *, cpus: float, gpus: float | None = None, most: int = 0
    ) -> Cluster:
        """A cluster by its address; auto: the one on this machine, begun when there is none.

        folder: that all workers must see. gpus: of a worker; None for one where the cluster has any.
        Raises UsageError without Ray, DeviceError where nobody answers or a task fits nowhere.
        """
        try:
            import ray  # noqa: PLC0415  an extra
        except ImportError:
            raise UsageError(
                'Ray is not installed. `pip install "dream-video[farm]"` brings it; --engine local needs none.'
            ) from None
        reach(ray, address)
        word = secrets.token_hex(16)
        probe = folder / f".dream-farm-{word[:8]}"
        try:
            probe.write_text(word, encoding="utf-8")
            if gpus is None:
                gpus = float(any(n["Resources"].get("GPU", 0) >= 1 for n in ray.nodes() if n["Alive"]))
            cluster = Cluster(ray, cpus, gpus, most, probe, word)
            cluster._check()
        except BaseException:
            probe.unlink(missing_ok=True)
            ray.shutdown()
            raise
        strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=True
        )
        cluster._board = ray.remote(Board).options(
            num_cpus=0, max_restarts=-1, scheduling_strategy=strategy
        ).remote()  # fmt: skip
        return cluster

    def __post_init__(self) -> None:
        self._board: Any = None

    @property
    def about(self) -> str:
        nodes = self._nodes()
        return f"up to {self._fitting(nodes)} workers on {len(nodes)} machines of a Ray cluster"

    def _nodes(self) -> list[dict[str, float]]:
        """What each machine that is alive has."""
        return [node["Resources"] for node in self.ray.nodes() if node["Alive"]]

    def _fitting(self, nodes: list[dict[str, float]]) -> int:
        """How many workers fit."""
        count = sum(
            int(min(n.get("CPU", 0) / self.cpus, n.get("GPU", 0) / self.gpus if self.gpus else 1e9))
            for n in nodes
        )
        return min(count, self.most) if self.most else count

    def _check(self) -> None:
        nodes = self._nodes()
        if not self._fitting(nodes):
            has = "; ".join(f"{n.get('CPU', 0):g} CPUs and {n.get('GPU', 0):g} GPUs" for n in nodes[:8])
            raise DeviceError(
                f"A task asks for {self.cpus:g} CPUs and {self.gpus:g} GPUs; the cluster's machines have {has}.\n"
                "Give --cpus-per-task and --gpus-per-task that fit."
            )

    def free(self, wanted: int) -> int:
        if monotonic() - self._looked > LOOK:
            self._looked, self._fit = monotonic(), self._fitting(self._nodes())
        starting = sum(not worker.ready for worker in self._pool.values())
        there = len(self._idle) + len(self._pool)
        for _ in range(min(wanted - len(self._idle) - starting, self._fit - there)):
            self._hire()
        return len(self._idle)

    def _hire(self) -> None:
        made = self.ray.remote(Hand).options(num_cpus=self.cpus, num_gpus=self.gpus, max_restarts=0)
        worker = _Worker(made.remote())
        self._pool[worker.actor.hello.remote(str(self.probe), self.word)] = worker

    def submit(self, key: int, task: Task) -> None:
        worker = self._idle.pop()
        worker.key = key
        self._pool[worker.actor.work.remote(key, task.json(), self._board, worker.name)] = worker

    def events(self, seconds: float) -> list[Event]:
        found: list[Event] = []
        if self._pool:
            some, _ = self.ray.wait(list(self._pool), num_returns=1, timeout=seconds)
            ready, _ = (
                self.ray.wait(list(self._pool), num_returns=len(self._pool), timeout=0) if some else ([], [])
            )
            for one in ready:
                found += self._heard(one, self._pool.pop(one))
        else:
            threading.Event().wait(seconds)
        if monotonic() - self._read > OFTEN:
            self._read = monotonic()
            with suppress(self.ray.exceptions.RayError):
                said = self.ray.get(self._board.read.remote(), timeout=ANSWER)
                found = [Told(key, frames) for key, frames in said.items()] + found
        return found

    def _heard(self, one: Any, worker: _Worker) -> list[Event]:
        errors = self.ray.exceptions
        try:
            told = self.ray.get(one)
        except (errors.RayActorError, errors.WorkerCrashedError, errors.ObjectLostError) as error:
            if worker.key is None:
                return []
            why = next((line for line in str(error).splitlines() if line.strip()), "no reason is known")
            return [Failed(worker.key, f"{worker.name} was lost: {why[:200]}", 1, worker.name, lost=True)]
        except errors.RayTaskError as error:
            raise DeviceError(
                f"A machine of the cluster cannot dream: {last_line(error)}\n{SAME_EVERYWHERE}"
            ) from None
        if not worker.ready:
            self._met(worker, *told)
            self._idle.append(worker)
            return []
        worker.key = None
        self._idle.append(worker)
        return [told]

    def _met(self, worker: _Worker, name: str, versions: dict[str, str], sees: bool) -> None:
        here = {package: version(package) for package in SAME}
        if other := [f"{p} {versions[p]}, here {here[p]}" for p in SAME if versions[p] != here[p]]:
            raise DeviceError(f"{name}: has {', '.join(other)}.\n{SAME_EVERYWHERE}")
        if not sees:
            raise DeviceError(
                f"{name}: does not see {self.probe.parent}.\n"
                "Inputs and outputs have to lie on a disk that all machines share, under the same name."
            )
        worker.name, worker.ready = name, True

    def close(self) -> None:
        for worker in (*self._pool.values(), *self._idle):
            with suppress(self.ray.exceptions.RayError):
                self.ray.kill(worker.actor)
        self._pool.clear()
        self._idle.clear()
        self.probe.unlink(missing_ok=True)
        self.ray.shutdown()


SAME_EVERYWHERE = "Install the same dream-video, with the same versions, on all of them."
