"""What a cluster does about machines that cannot do their part, without one: Ray is played."""

from __future__ import annotations

import errno
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.errors import DeviceError, OutputError
from pipeline.farm import address, cluster, drive
from pipeline.farm.cluster import Cluster
from pipeline.farm.drive import Drive, Result
from pipeline.farm.engine import Done, Event, Failed, Said, failed
from pipeline.farm.hand import Met, versions
from pipeline.farm.tasks import Outcome, Task


class Actor:
    """Whatever is asked of it is a promise: its number."""

    def __init__(self, made: list[int]) -> None:
        self.made = made

    def __getattr__(self, name: str) -> Any:
        return SimpleNamespace(remote=self._promise)

    def _promise(self, *told: object) -> int:
        self.made.append(len(self.made))
        return self.made[-1]


class LostError(Exception):
    actor_init_failed = True


class Played:
    """Ray with machines a and b of one CPU; `answers` says what comes of each promise."""

    exceptions = SimpleNamespace(
        RayActorError=LostError, WorkerCrashedError=LostError, ObjectLostError=LostError,
        RayTaskError=ArithmeticError, RayError=ArithmeticError,
    )  # fmt: skip

    def __init__(self) -> None:
        self.made: list[int] = []
        self.answers: dict[int, object] = {}
        self.machines = {"a": 1.0, "b": 1.0}

    def nodes(self) -> list[dict[str, object]]:
        return [{"NodeID": n, "Alive": True, "Resources": {"CPU": c}} for n, c in self.machines.items()]

    def remote(self, kind: type) -> Any:
        return SimpleNamespace(options=lambda **how: SimpleNamespace(remote=lambda: Actor(self.made)))

    def wait(self, waiting: list[int], num_returns: int, timeout: float) -> tuple[list[int], list[int]]:
        return [one for one in waiting if one in self.answers], []

    def get(self, one: int, timeout: float = 0) -> object:
        if isinstance(one, int) and one in self.answers:
            if isinstance(answer := self.answers[one], Exception):
                raise answer
            return answer
        return {}

    def kill(self, actor: object) -> None: ...

    def shutdown(self) -> None: ...


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setattr(cluster, "answers", lambda door: True)
    ray, board = Played(), Actor(list(range(1000)))  # whose promises are others
    return Cluster(ray, ("head", 6379), 1, 0, 0, tmp_path / ".dream-farm" / "probe", "word", board)


def met(node: str, *, sees: bool = True, av: str = "") -> Met:
    return Met(f"machine {node}", node, versions() | ({"av": av} if av else {}), sees)


def said(events: list[Event]) -> str:
    return "\n".join(event.text for event in events if isinstance(event, Said))


def test_a_machine_whose_disk_is_full_is_left_out_and_the_others_go_on(played: Cluster) -> None:
    assert played.free(4) == 0
    played.ray.answers = {0: met("a"), 1: met("b")}
    assert not played.events(0)
    assert played.free(4) == 2
    played.submit(7, Task("film", "x", "i", "o", {}))
    full = Failed(7, "o: No space left on device", 4, "machine b", full=True)
    played.ray.answers[2] = full
    found = played.events(0)
    assert found[0] == full
    assert "left out" in said(found)
    assert played.free(4) == 1
    assert played._idle[0].node == "a"
    played.submit(8, Task("film", "x", "i", "o", {}))
    played.ray.answers[3] = Failed(8, "o: No space left on device", 4, "machine a", full=True)
    played.events(0)
    assert played.free(4) == 2, "all are full: then it is not the machine"


@pytest.mark.parametrize(
    ("how", "words"), [({"sees": False}, "does not see .*share"), ({"av": "0.1"}, "has av 0.1, here")]
)
def test_a_cluster_of_machines_that_cannot_do_their_part_is_refused_with_why(
    played: Cluster, how: dict[str, Any], words: str
) -> None:
    played.free(4)
    played.ray.answers = {0: met("a", **how), 1: met("b")}
    assert "machine a" in said(played.events(0))
    assert played.free(4) == 1
    played._bad["b"] = played._bad["a"]
    played._looked = -100
    with pytest.raises(DeviceError, match=f"(?s){words}"):
        played.free(4)


def test_what_fits_nowhere_is_refused_with_what_there_is(played: Cluster) -> None:
    played._check()
    played.cpus = 8
    with pytest.raises(DeviceError, match=r"asks for 8 CPUs .* have 1 CPUs and 0 GPUs; 1 CPUs"):
        played._check()
    played.cpus, played.gpus = 1, 1
    with pytest.raises(DeviceError, match="1 CPUs and 1 GPUs"):
        played._check()


def test_workers_that_all_die_before_they_say_a_word_are_not_hired_forever(played: Cluster) -> None:
    played.ray.answers = {one: LostError("ImportError: no module named torch") for one in range(99)}
    played.free(4)
    assert not played.events(0)
    played.free(4)
    with pytest.raises(DeviceError, match="No worker begins on this cluster: ImportError: no module"):
        played.events(0)


def test_a_cluster_that_is_gone_or_has_nobody_left_is_not_waited_for_forever(
    played: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(cluster, "monotonic", lambda: now)
    played.ray.machines = {"a": 0.5}
    played.free(1)
    assert "no machine is left" in said(played.events(0))
    now += cluster.ABSENT
    played.free(1)
    now += 10
    with pytest.raises(DeviceError, match="no machine that a task fits on for 120 s"):
        played.free(1)
    monkeypatch.setattr(cluster, "answers", lambda door: False)
    now += address.GONE - 5
    played.free(1)
    now += 10
    with pytest.raises(DeviceError, match="has not answered for 30 s"):
        played.free(1)


def test_what_ray_says_of_versions_is_said_in_a_line() -> None:
    told = (
        "Traceback (most recent call last):\nRuntimeError: Version mismatch: The cluster was started with:\n"
        "    Ray: 2.60.0\n    Python: 3.11.7\nThis process on node 192.0.2.2 was started with:\n"
        "    Ray: 2.60.0\n    Python: 3.12.1\n"
    )
    said = address.last_line(told)
    assert said.startswith("RuntimeError: Version mismatch: The cluster was started with: Ray: 2.60.0")
    assert said.endswith("Python: 3.12.1")


def test_a_full_disk_is_known_by_what_lies_beneath_an_error() -> None:
    told = OutputError("o.mp4: cannot be written (No space left on device).")
    told.__context__ = OSError(errno.ENOSPC, "No space left on device")  # as `from None` leaves it
    assert failed(1, told, "w").full
    assert not failed(1, OutputError("o.mp4: is in use by another process."), "w").full


class Once:
    """An engine whose first task fails as told, and the others not."""

    about = "once"

    def __init__(self, first: Failed | KeyboardInterrupt) -> None:
        self.first: Failed | KeyboardInterrupt | None = first
        self.keys: list[int] = []
        self.closed = False

    def free(self, wanted: int) -> int:
        return 1

    def submit(self, key: int, task: Task) -> None:
        self.keys.append(key)

    def events(self, seconds: float) -> list[Event]:
        first, self.first = self.first, None
        if isinstance(first, KeyboardInterrupt):
            raise first
        if first:
            return [first]
        done, self.keys = self.keys, []
        return [Done(key, Outcome(5, 5, 1, whole=True), "w") for key in done[-1:]]

    def close(self) -> None:
        self.closed = True


def test_a_disk_is_given_time_before_a_task_is_tried_on_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now, waited = 0.0, 0
    monkeypatch.setattr(drive, "monotonic", lambda: now)
    engine, results = Once(Failed(0, "is in use", 4, "w")), [Result(Task("film", "a", "i", "o", {}))]
    listing = Drive(results, engine, 3, lambda drive, event: None)
    events = engine.events

    def tick(seconds: float) -> list[Event]:
        nonlocal now, waited
        now, waited = now + 1, waited + bool(listing._later)
        return events(seconds)

    monkeypatch.setattr(engine, "events", tick)
    listing.run()
    assert (results[0].state, results[0].retries) == ("done", 1)
    assert waited == drive.PAUSES[0]


def test_what_is_interrupted_ends_the_engine_and_is_told_as_stopped() -> None:
    engine, results = Once(KeyboardInterrupt()), [Result(Task("film", "a", "i", "o", {}))]
    with pytest.raises(KeyboardInterrupt):
        Drive(results, engine, 3, lambda drive, event: None).run()
    assert engine.closed
    assert results[0].state == "stopped"
