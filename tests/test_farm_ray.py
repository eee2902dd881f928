"""A farm on Ray, for real: a cluster of this machine, a worker that is killed, and the film that comes of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from pipeline.cli.video import main as dream_video
from pipeline.farm.check import check
from pipeline.farm.drive import Drive, Result
from pipeline.farm.engine import Event, Told
from pipeline.farm.jobs import read
from pipeline.farm.tasks import Task

ray = pytest.importorskip("ray")

from pipeline.farm.cluster import Cluster  # noqa: E402

FLAGS = {"octaves": 1, "iterations": 1, "encoder_preset": "ultrafast", "threads": 1}


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("RAY_ADDRESS", "local")
    yield "auto"
    ray.shutdown()


def test_a_film_on_ray_is_the_same_though_its_worker_was_killed(
    make_clip: Callable[..., Path], tmp_path: Path, address: str
) -> None:
    clip = make_clip(frames=30, size=(48, 64))
    path = tmp_path / "jobs.yaml"
    path.write_text(yaml.safe_dump({"defaults": FLAGS, "jobs": [{"input": clip.name, "output": "f.mp4"}]}))
    jobs, found = read(path)
    (ready,) = check(jobs, tmp_path, found)
    results = [Result(Task.of(ready, threads=1, frames=240))]
    engine = Cluster.connect(address, tmp_path, cpus=1, most=1)

    def kill_once(drive: Drive, event: Event) -> None:
        if isinstance(event, Told) and not results[0].retries:
            for worker in engine._pool.values():
                os.kill(int(worker.name.split()[-1]), 9)

    Drive(results, engine, 3, kill_once).run()
    assert results[0].state == "done", results[0].error
    single = tmp_path / "single.mp4"
    words = [f"--{name.replace('_', '-')}={value}" for name, value in FLAGS.items()]
    assert dream_video([str(clip), "-o", str(single), *words, "--progress", "none"]) == 0
    assert (tmp_path / "f.mp4").read_bytes() == single.read_bytes()
    assert not list(tmp_path.glob(".dream-farm/probe-*")), "the probe file is gone"
