"""What a farm does when things die: six clips of twenty shots, an engine, a fault; whether the films are the same.

    python scripts/bench_farm.py --engine ray --faults none worker node

Prints a table row for each: engine, fault, result, films equal to those of the undisturbed local run, frames dreamed
twice, seconds. `node` is of Ray alone: a cluster of two on this machine, one of which is killed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
import numpy as np

SHOTS = [(30, 20, 26), (40, 30, 30), (60, 24, 24, 20), (30, 30, 30), (72,), (26, 26, 26, 26, 40, 30)]
PATIENT = {"RAY_health_check_timeout_ms": "20000", "RAY_raylet_start_wait_time_s": "180"}
LIST = """defaults: {octaves: 1, iterations: 1, encoder_preset: ultrafast, output: "out/{stem}_dream.mp4"}
jobs:
  - input: clips/*.mp4
"""


def clip(path: Path, shots: tuple[int, ...], seed: int) -> None:
    """A film of blurred noise that pans by two pixels a frame, another at each cut."""
    import cv2  # noqa: PLC0415

    rng = np.random.default_rng(seed)
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for length in shots:
            cells = rng.uniform(0, 255, (12, 12 + length // 4, 3)).astype(np.float32)
            wide = cv2.resize(cells, (128 + 2 * length, 96), interpolation=cv2.INTER_CUBIC)
            wide = wide.clip(0, 255).astype(np.uint8)
            for index in range(length):
                picture = np.ascontiguousarray(wide[:, 2 * index : 2 * index + 128])
                film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        film.mux(stream.encode(None))


def films(folder: Path) -> dict[str, str]:
    return {
        p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted((folder / "out").glob("*.mp4"))
    }


def children(pid: int, word: str) -> list[int]:
    """Processes below `pid` whose command has a word in it; 0: anywhere."""
    told = subprocess.run(
        ["/bin/ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(None, 2) for line in told.splitlines()[1:]]
    below = {pid}
    for _ in rows:
        below |= {int(row[0]) for row in rows if int(row[1]) in below}
    return [int(row[0]) for row in rows if word in row[2] and (not pid or int(row[0]) in below - {pid})]


def run(folder: Path, words: list[str], fault: Any) -> dict[str, Any]:
    """The list, with `fault` done to it once frames go by; gives the last thing it said."""
    for name in ("out", ".dream-farm"):
        shutil.rmtree(folder / name, ignore_errors=True)
    command = [
        sys.executable,
        "-m",
        "pipeline.cli.farm",
        "run",
        str(folder / "jobs.yaml"),
        "--task-frames",
        "40",
    ]
    began, due, last = time.monotonic(), True, {}
    quiet = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [*command, "--progress", "json", *words], stdout=subprocess.PIPE, text=True, env=quiet
    ) as farm:
        assert farm.stdout is not None
        for line in farm.stdout:
            if line.startswith("{"):
                last = json.loads(line)
            if due and last.get("event") == "frames" and last["done"] > 60:
                due = False
                fault(farm.pid)
    return {**last, "wall": time.monotonic() - began, "exit": farm.returncode}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", choices=["local", "ray"], default="local")
    parser.add_argument(
        "--faults", nargs="+", default=["none", "worker"], choices=["none", "worker", "driver", "node"]
    )
    parser.add_argument("--clips", type=int, default=6)
    asked = parser.parse_args()
    random.seed(0)
    os.environ.update(PATIENT)
    folder = Path(tempfile.mkdtemp(prefix="bench-farm-"))
    (folder / "clips").mkdir()
    (folder / "jobs.yaml").write_text(LIST, encoding="utf-8")
    for number, shots in enumerate(SHOTS[: asked.clips]):
        clip(folder / "clips" / f"c{number}.mp4", shots, number)
    run(folder, ["--workers", "2"], lambda pid: None)
    expected = films(folder)
    print(
        "| engine | fault | exit | films equal | retries | frames dreamed twice | seconds |\n"
        "|---|---|---|---|---|---|---|"
    )
    for fault in asked.faults:
        words, cluster, node = ["--workers", "2"], None, None
        if asked.engine == "ray":
            from ray.cluster_utils import Cluster  # noqa: PLC0415  an extra

            how = {"num_cpus": 1, "object_store_memory": 10**8}
            cluster = Cluster(initialize_head=True, head_node_args={**how, "include_dashboard": False})
            node = cluster.add_node(**how)
            words = ["--engine", "ray", "--address", cluster.address]

        def strike(pid: int, fault: str = fault, cluster: Any = cluster, node: Any = node) -> None:
            if fault == "worker":
                word, root = ("ray::Hand", 0) if cluster else ("multiprocessing", pid)
                with suppress(ProcessLookupError):
                    os.kill(random.choice(children(root, word)), signal.SIGKILL)
            elif fault == "node":
                cluster.remove_node(node, allow_graceful=False)
            elif fault == "driver":
                os.kill(pid, signal.SIGKILL)

        told = run(folder, words, strike)
        if fault == "driver":
            told = run_again(folder, words)
        cases = told.get("testcases", [])
        retries, twice = (sum(case[what] for case in cases) for what in ("retries", "again"))
        equal = sum(films(folder).get(name) == digest for name, digest in expected.items())
        row = (
            asked.engine,
            fault,
            told["exit"],
            f"{equal} of {len(expected)}",
            retries,
            twice,
            f"{told['wall']:.0f}",
        )
        print("| " + " | ".join(map(str, row)) + " |", flush=True)
        if cluster:
            cluster.shutdown()


def run_again(folder: Path, words: list[str]) -> dict[str, Any]:
    """The same list by a new process, on what the one before left."""
    command = [
        sys.executable,
        "-m",
        "pipeline.cli.farm",
        "run",
        str(folder / "jobs.yaml"),
        "--task-frames",
        "40",
    ]
    began = time.monotonic()
    done = subprocess.run(
        [*command, "--progress", "json", *words], capture_output=True, text=True, check=False
    )
    last = json.loads(done.stdout.splitlines()[-1])
    return {**last, "wall": time.monotonic() - began, "exit": done.returncode}


if __name__ == "__main__":
    main()
