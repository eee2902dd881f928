"""Cluster: tasks on Ray, each worker an actor that goes on to the next task. Only words travel, no pictures."""

from __future__ import annotations

import secrets
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from pipeline.errors import DeviceError, UsageError, bring
from pipeline.farm.address import GONE, answers, last_line, reach
from pipeline.farm.check import MARKS
from pipeline.farm.engine import Done, Event, Failed, Said, Told
from pipeline.farm.hand import OFTEN, SAME, Board, Hand, Met, versions
from pipeline.farm.tasks import Task

ANSWER = 5  # seconds that the board has to answer
LOOK = 5.0  # seconds between two looks at which machines there are
ABSENT = 120  # seconds that a machine is waited for when none is left
BUSY = 60  # seconds until it is said that others use the cluster
STILLBORN = 4  # workers in a row that may die before they say a word
REST = 5  # seconds until more are hired then
SAME_EVERYWHERE = "Install the same dream-video, with the same versions, on all of them."
SHARED = "Inputs and outputs have to lie on a disk that all machines share, under the same name."


@dataclass
class _Worker:
    actor: Any
    name: str = ""
    node: str = ""
    key: int | None = None

    @property
    def ready(self) -> bool:
        return bool(self.name)


@dataclass
class Cluster:
    """ray: the module. door: its address. cpus, gpus: of each worker. most: workers at once, 0: as many as fit.

    A machine that cannot do its part is put aside: its workers stay, so that nobody is hired there again.
    """

    ray: Any
    door: tuple[str, int]
    cpus: float
    gpus: float
    most: int
    probe: Path
    word: str
    _board: Any = None
    _pool: dict[Any, _Worker] = field(default_factory=dict)  # what is waited for -> who does it
    _idle: list[_Worker] = field(default_factory=list)
    _aside: list[_Worker] = field(default_factory=list)
    _bad: dict[str, str] = field(default_factory=dict)  # machine put aside -> why
    _full: set[str] = field(default_factory=set)  # those of them whose disk is full
    _said: list[Event] = field(default_factory=list)
    _looked: float = -LOOK
    _heard_of: float = field(default_factory=monotonic)  # when the cluster last answered
    _worked: float = field(default_factory=monotonic)  # when there last was a worker
    _fit: int = 0
    _read: float = 0.0
    _warned: bool = False
    _stillborn: int = 0  # workers in a row that died before they said a word
    _rests: float = -REST  # since when nobody is hired, for that

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
            raise UsageError(f"Ray is not installed: {bring('farm')}; --engine local needs none.") from None
        door = reach(ray, address)
        word = secrets.token_hex(16)
        probe = folder / MARKS / f"probe-{word[:8]}"
        try:
            probe.parent.mkdir(exist_ok=True)
            probe.write_text(word, encoding="utf-8")
            if gpus is None:
                gpus = float(any(n["Resources"].get("GPU", 0) >= 1 for n in ray.nodes() if n["Alive"]))
            cluster = Cluster(ray, door, cpus, gpus, most, probe, word)
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

    @property
    def about(self) -> str:
        nodes = self._nodes()
        count, workers = len(nodes), self._fitting(nodes)
        return f"up to {workers} worker{'s' * (workers > 1)} on {count} machine{'s' * (count > 1)} of a Ray cluster"

    def _nodes(self) -> dict[str, dict[str, float]]:
        """What each machine that is alive has."""
        return {node["NodeID"]: node["Resources"] for node in self.ray.nodes() if node["Alive"]}

    def _room(self, node: dict[str, float]) -> int:
        """How many workers fit on a machine."""
        return int(min(node.get("CPU", 0) / self.cpus, node.get("GPU", 0) / self.gpus if self.gpus else 1e9))

    def _fitting(self, nodes: dict[str, dict[str, float]]) -> int:
        """How many workers fit."""
        count = sum(self._room(node) for name, node in nodes.items() if name not in self._bad)
        return min(count, self.most) if self.most else count

    def _check(self) -> None:
        nodes = self._nodes()
        if not self._fitting(nodes):
            some = list(nodes.values())[:8]
            has = "; ".join(f"{n.get('CPU', 0):g} CPUs and {n.get('GPU', 0):g} GPUs" for n in some)
            raise DeviceError(
                f"A task asks for {self.cpus:g} CPUs and {self.gpus:g} GPUs; the cluster's machines have {has}.\n"
                "Give --cpus-per-task and --gpus-per-task that fit."
            )

    def free(self, wanted: int) -> int:
        if monotonic() - self._looked > LOOK:
            self._looked = monotonic()
            self._look()
        starting = sum(not worker.ready for worker in self._pool.values())
        there = len(self._idle) + len(self._pool)
        if monotonic() - self._rests < REST:
            return len(self._idle)
        for _ in range(min(wanted - len(self._idle) - starting, self._fit - there)):
            self._hire()
        return len(self._idle)

    def _look(self) -> None:
        """Which machines there are. DeviceError when the cluster is gone, or nobody in it is left to wait for."""
        now, there = monotonic(), len(self._idle) + len(self._pool)
        if not answers(self.door):  # to ask Ray now would end this process, a minute later
            self._fit = there
            if now - self._heard_of > GONE:
                raise DeviceError(
                    f"The cluster at {self.door[0]}:{self.door[1]} has not answered for {GONE} s. "
                    "What is done is kept: the same command goes on once it is up."
                )
            return
        self._heard_of = now
        nodes = self._nodes()
        fit = {name for name, node in nodes.items() if self._room(node)}
        if fit and fit <= self._bad.keys():
            if not fit & self._full:
                raise DeviceError("\n".join(dict.fromkeys(self._bad[name] for name in fit)))
            self._forgive()
        self._fit = self._fitting(nodes)
        if self._idle or any(worker.ready for worker in self._pool.values()):
            self._worked, self._warned = now, False
        elif not self._fit:
            self._miss(now)
        elif now - self._worked > BUSY and not self._warned:
            self._warned = True
            self._said.append(Said("waiting: others use the cluster, or it is slow to begin a worker"))

    def _miss(self, now: float) -> None:
        """No machine is left."""
        if not self._warned:
            self._warned, self._worked = True, now
            self._said.append(Said(f"no machine is left that a task fits on; waiting {ABSENT} s for one"))
        elif now - self._worked > ABSENT:
            raise DeviceError(
                f"The cluster has had no machine that a task fits on for {ABSENT} s. "
                "What is done is kept: the same command goes on once one is up."
            )

    def _hire(self) -> None:
        made = self.ray.remote(Hand).options(num_cpus=self.cpus, num_gpus=self.gpus, max_restarts=0)
        worker = _Worker(made.remote())
        self._pool[worker.actor.hello.remote(str(self.probe), self.word)] = worker

    def submit(self, key: int, task: Task) -> None:
        worker = self._idle.pop()
        worker.key = key
        self._pool[worker.actor.work.remote(key, task.json(), self._board, worker.name)] = worker

    def events(self, seconds: float) -> list[Event]:
        try:
            return self._events(seconds)
        except ConnectionError as error:  # of Ray's client
            raise DeviceError(f"The cluster at {self.door[0]} is gone: {last_line(error)}") from None

    def _events(self, seconds: float) -> list[Event]:
        found, self._said = self._said, []
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
            told: Met | Done | Failed = self.ray.get(one)
        except (errors.RayActorError, errors.WorkerCrashedError, errors.ObjectLostError) as error:
            if worker.key is None:
                self._stillborn += 1
                sick = getattr(error, "actor_init_failed", False) or monotonic() - self._worked > ABSENT
                if self._stillborn < STILLBORN or not sick:  # machines that go away are no reason to give up
                    self._rests = monotonic() if self._stillborn >= STILLBORN else self._rests
                    return []
                raise DeviceError(
                    f"No worker begins on this cluster: {last_line(error)}\n{SAME_EVERYWHERE}"
                ) from None
            with suppress(errors.RayError):  # it may only be out of reach; two must not dream one shot
                self.ray.kill(worker.actor)
            return [Failed(worker.key, f"{worker.name} was lost.", 1, worker.name, lost=True)]
        except errors.RayTaskError as error:
            raise DeviceError(
                f"A machine of the cluster cannot dream: {last_line(error)}\n{SAME_EVERYWHERE}"
            ) from None
        worker.key = None
        found: list[Event] = []
        if isinstance(told, Met):
            worker.name, worker.node, self._stillborn = told.name, told.node, 0
            if why := self._wrong(told):
                found = self._put_aside(worker.node, why)
        else:
            found = [told]
            if isinstance(told, Failed) and told.full:
                found += self._put_aside(worker.node, f"{worker.name}: {told.text}")
                self._full.add(worker.node)
        (self._aside if worker.node in self._bad else self._idle).append(worker)
        return found

    def _wrong(self, met: Met) -> str:
        """What keeps a worker from its part; '' for nothing."""
        here = versions()
        if other := [f"{p} {met.versions[p]}, here {here[p]}" for p in SAME if met.versions[p] != here[p]]:
            return f"{met.name}: has {', '.join(other)}.\n{SAME_EVERYWHERE}"
        return "" if met.sees else f"{met.name}: does not see {self.probe.parent.parent}.\n{SHARED}"

    def _put_aside(self, node: str, why: str) -> list[Event]:
        known = node in self._bad
        self._bad[node] = why
        self._aside += [worker for worker in self._idle if worker.node == node]
        self._idle = [worker for worker in self._idle if worker.node != node]
        self._looked = -LOOK
        return [] if known else [Said(f"{why}\nThis machine is left out from now on.")]

    def _forgive(self) -> None:
        """All disks are full, so it is not the machine; whoever has tries left may try."""
        for node in self._full:
            del self._bad[node]
        self._idle += [worker for worker in self._aside if worker.node in self._full]
        self._aside = [worker for worker in self._aside if worker.node not in self._full]
        self._full.clear()

    def close(self) -> None:
        self.probe.unlink(missing_ok=True)
        gone = monotonic() - self._heard_of > LOOK and not answers(self.door)
        for worker in () if gone else (*self._pool.values(), *self._idle, *self._aside):
            with suppress(self.ray.exceptions.RayError, ConnectionError):
                self.ray.kill(worker.actor)
        self._pool.clear()
        self._idle.clear()
        self._aside.clear()
        self.ray.shutdown()
