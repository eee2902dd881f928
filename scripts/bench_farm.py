"""What a farm does when things die, and what it costs: six clips of twenty shots, an engine, faults at random.

    python scripts/bench_farm.py --engine ray --faults none worker node both driver --times 3
    python scripts/bench_farm.py --engine local --faults none worker driver --times 3
    python scripts/bench_farm.py --engine local --cost            # or ray: seconds an engine adds to a task
    python scripts/bench_farm.py --engine local --throughput      # two workers of one core against one
    python scripts/bench_farm.py --engine local --one-shot 1 4    # of one long shot, with so many lanes

Prints a table row for each fault: films equal to those of the undisturbed local run to the byte, tasks begun again,
frames dreamed twice and how many they may be (the open segments: 48 frames for each worker that was lost), seconds.
`node` is of Ray alone: a cluster of two machines in this one, one of which is killed; `both`: a worker, then a node.
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import av
import numpy as np

SHOTS = [(30, 20, 26), (40, 30, 30), (60, 24, 24, 20), (30, 30, 30), (72,), (26, 26, 26, 26, 40, 30)]
FRAMES = sum(map(sum, SHOTS))
LONG = 256, (234, 416)  # frames, and their size: the smallest whose motion is measured as that of large ones
OPEN = 48  # frames of a segment
PATIENT = {"RAY_health_check_timeout_ms": "20000", "RAY_raylet_start_wait_time_s": "180"}
QUIET = {**os.environ, **PATIENT, "OMP_NUM_THREADS": "1"}
LIST = """defaults: {octaves: 1, iterations: 1, encoder_preset: ultrafast, output: "out/{stem}_dream.mp4"}
jobs:
  - input: clips/*.mp4
"""
Fault = Callable[[int], None]
"""Done to a farm, by its process's id."""


def clip(path: Path, shots: tuple[int, ...], seed: int, size: tuple[int, int] = (96, 128)) -> None:
    """A film of fine noise that pans by two pixels a frame, another at each cut."""
    import cv2  # noqa: PLC0415

    (height, width), rng = size, np.random.default_rng(seed)
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=24, options={"crf": "12"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for length in shots:
            cells = rng.uniform(0, 255, (height // 2, width // 2 + length, 3)).astype(np.float32)
            wide = cv2.resize(cells, (width + 2 * length, height), interpolation=cv2.INTER_CUBIC)
            wide = wide.clip(0, 255).astype(np.uint8)
            for index in range(length):
                picture = np.ascontiguousarray(wide[:, 2 * index : 2 * index + width])
                film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        film.mux(stream.encode(None))


def films(folder: Path) -> dict[str, str]:
    return {path.name: digest(path) for path in sorted((folder / "out").glob("*.mp4"))}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def children(pid: int, word: str, deep: int = 8) -> list[int]:
    """Processes below `pid`, so many generations of them, whose command has a word in it."""
    told = subprocess.run(
        ["/bin/ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(None, 2) for line in told.splitlines()[1:]]
    below = {pid}
    for _ in range(deep):  # those of Ray go to 4 or so
        below |= {int(row[0]) for row in rows if int(row[1]) in below}
    return [int(row[0]) for row in rows if word in row[2] and int(row[0]) in below - {pid}]


def farm(folder: Path, command: str, *words: str) -> list[str]:
    return [sys.executable, "-m", "pipeline.cli.farm", command, str(folder / "jobs.yaml"), *words]


def run(
    folder: Path, words: list[str], faults: list[tuple[int, Fault]], *, fresh: bool = True, frames: int = 40
) -> dict[str, Any]:
    """The list, with each fault done to it once so many frames went by; gives the last thing it said.

    told: the frames it had told of then.
    """
    if fresh:
        for name in ("out", ".dream-farm"):
            shutil.rmtree(folder / name, ignore_errors=True)
    began, last, left, told = time.monotonic(), {}, list(faults), 0
    command = farm(folder, "run", "--task-frames", str(frames), "--progress", "json", *words)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=QUIET) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("{"):
                last = json.loads(line)
            if last.get("event") == "frames":
                told = last["done"]
                if left and told > left[0][0]:
                    left.pop(0)[1](process.pid)
    return {
        **last,
        "wall": time.monotonic() - began,
        "exit": process.returncode,
        "told": told,
        "unstruck": len(left),
    }


def kept(folder: Path) -> int:
    """Frames that lie on the disk."""
    command = farm(folder, "status", "--json")
    done = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return sum(json.loads(line)["done"] for line in done.splitlines())


@contextmanager
def cluster(engine: str, machines: int = 2) -> Iterator[tuple[list[str], Callable[[], None]]]:
    """Words that choose the engine, and what kills one of its machines."""
    if engine == "local":
        yield ["--workers", str(machines)], lambda: None
        return
    from ray.cluster_utils import Cluster  # noqa: PLC0415  an extra

    how = {"num_cpus": 1, "object_store_memory": 10**8}
    made = Cluster(initialize_head=True, head_node_args={**how, "include_dashboard": False})
    nodes = [made.add_node(**how) for _ in range(machines - 1)]
    try:
        yield (
            ["--engine", "ray", "--address", made.address],
            lambda: made.remove_node(nodes.pop(), allow_graceful=False),
        )
    finally:
        made.shutdown()


def strikes(fault: str, engine: str, node: Callable[[], None]) -> list[tuple[int, Fault]]:
    """When, in frames, and what: at random."""

    def worker(pid: int) -> None:
        if engine == "ray":
            workers = children(os.getpid(), "ray::Hand")
        else:  # below the process that they are forked from
            [server] = children(pid, "multiprocessing.forkserver", deep=1)
            workers = children(server, "multiprocessing")
        with suppress(ProcessLookupError):
            os.kill(random.choice(workers), signal.SIGKILL)

    def driver(pid: int) -> None:
        os.kill(pid, signal.SIGKILL)

    known: dict[str, list[Fault]] = {
        "none": [], "worker": [worker], "node": [lambda pid: node()], "both": [worker, lambda pid: node()],
        "driver": [driver],
    }  # fmt: skip
    whens = sorted(random.sample(range(20, FRAMES - 160), len(known[fault])))
    return list(zip(whens, known[fault], strict=True))


def chaos(folder: Path, engine: str, faults: list[str], times: int) -> None:
    undisturbed = run(folder, ["--workers", "2"], [])
    expected = films(folder)
    shots = sum(case["shots"] for case in undisturbed["testcases"])
    print(f"{len(expected)} films of {shots} shots and {FRAMES} frames; expected by the local engine\n")
    print("| engine | fault | after frame | exit | films equal | begun again | dreamed twice | s |")
    print("|---|---|---|---|---|---|---|---|")
    compared = same = 0
    for fault in [one for one in faults for _ in range(1 if one == "none" else times)]:
        with cluster(engine) as (words, node):
            struck = strikes(fault, engine, node)
            told = run(folder, words, struck)
            twice = lost = 0
            if fault == "driver":
                twice, lost = told["told"] - kept(folder), 2
                told = {**run(folder, words, [], fresh=False), "unstruck": told["unstruck"]}
            cases = told.get("testcases", [])
            retries = sum(case["retries"] for case in cases)
            twice += sum(case["again"] for case in cases)
        equal = sum(films(folder).get(name) == digest for name, digest in expected.items())
        compared, same = compared + len(expected), same + equal
        when = ", ".join(str(frame) for frame, _ in struck) or "-"
        missed = " (it was over)" * bool(told["unstruck"])
        row = (engine, fault + missed, when, told["exit"], f"{equal} of {len(expected)}", retries)
        most = OPEN * (lost or retries)
        print(
            f"| {' | '.join(map(str, row))} | {max(twice, 0)} (at most {most}) | {told['wall']:.0f} |",
            flush=True,
        )
    print(f"\n{same} of {compared} films equal")


def cost(folder: Path, engine: str) -> None:
    """Seconds that pass in a list beside those of its tasks, for each more task; and the list's own CPU."""
    few = LIST.replace("octaves: 1,", "octaves: 1, frames: 0-1,")
    (folder / "jobs.yaml").write_text(few, encoding="utf-8")
    short = (folder / "clips" / "c0.mp4").read_bytes()
    shutil.rmtree(folder / "clips")
    (folder / "clips").mkdir()
    spent: dict[int, tuple[float, float]] = {}
    with cluster(engine, 1) as (words, _):
        for count in (4, 4, 34):  # the first warms up
            for number in range(count):
                (folder / "clips" / f"{number}.mp4").write_bytes(short)
            before = os.times()
            told = run(folder, words, [])
            after = os.times()
            spent[count] = told["time"] - sum(case["time"] for case in told["testcases"]), told["time"]
            print(
                f"{count} tasks: {told['time']:.1f} s, {spent[count][0]:.1f} of them beside the tasks; CPU of the "
                f"list's processes {sum(after[2:4]) - sum(before[2:4]):.1f} s",
                flush=True,
            )
    print(f"{engine}: {(spent[34][0] - spent[4][0]) / 30:.3f} s a task")


def throughput(folder: Path, engine: str) -> None:
    heavy = LIST.replace("octaves: 1, iterations: 1", "octaves: 2, iterations: 3")
    (folder / "jobs.yaml").write_text(heavy, encoding="utf-8")
    pace, cores = {}, sorted(os.sched_getaffinity(0))
    for machines in (1, 2):
        os.sched_setaffinity(0, cores[:machines])  # else one worker's encoder has the other's core
        with cluster(engine, machines) as (words, _):
            told = run(folder, words, [])
        cases = told["testcases"]
        frames = sum(case["frames"] for case in cases)
        pace[machines] = frames / told["time"]
        print(
            f"{engine}, {machines} workers: {frames} frames in {told['time']:.1f} s, {pace[machines]:.2f} a second; "
            f"tasks {sum(case['time'] for case in cases):.1f} s",
            flush=True,
        )
    print(f"two workers: {pace[2] / pace[1] / 2:.2f} of twice one")


def one_shot(folder: Path, engine: str, lanes: list[int]) -> None:
    """A film without a cut, its keyframes ahead: by dream-video, by a worker held to one core, and by two on two."""
    shutil.rmtree(folder / "clips")
    (folder / "clips").mkdir()
    frames, size = LONG
    clip(folder / "clips" / "long.mp4", (frames,), 0, size)
    cores = sorted(os.sched_getaffinity(0))
    print("| lanes | by | s | s of CPU | s of its tasks | frames a second | of W x one | the same bytes |")
    print("|---|---|---|---|---|---|---|---|")
    for count in lanes:
        look = {"octaves": 3, "keyframes": 8, "lanes": count, "threads": 1, "encoder_preset": "ultrafast"}
        told = "".join(f"{name}: {value}, " for name, value in look.items())
        (folder / "jobs.yaml").write_text(
            LIST.replace("octaves: 1, iterations: 1, encoder_preset: ultrafast, ", told)
        )
        words = [f"--{name.replace('_', '-')}={value}" for name, value in look.items()]
        alone = [
            sys.executable,
            "-m",
            "pipeline",
            str(folder / "clips" / "long.mp4"),
            "-o",
            str(folder / "alone.mp4"),
        ]
        one = 0.0
        for workers in (0, 1, 2):
            os.sched_setaffinity(0, cores[: max(1, workers)])
            began, before, tasks = time.monotonic(), os.times(), "-"
            if workers:
                with cluster(engine, workers) as (where, _):
                    case = run(folder, where, [], frames=64)["testcases"][0]
                tasks = f"{case['time']:.1f}"
            else:
                subprocess.run([*alone, *words, "-y", "--progress", "none"], check=True, env=QUIET)
            wall, after = time.monotonic() - began, os.times()
            one = one or frames / wall
            equal = films(folder).get("long_dream.mp4") == digest(folder / "alone.mp4") if workers else "-"
            by, share = (
                f"{workers} workers" if workers else "dream-video",
                frames / wall / one / max(1, workers),
            )
            spent = sum(after[2:4]) - sum(before[2:4])
            row = (
                count,
                by,
                f"{wall:.1f}",
                f"{spent:.1f}",
                tasks,
                f"{frames / wall:.2f}",
                f"{share:.2f}",
                equal,
            )
            print(f"| {' | '.join(map(str, row))} |", flush=True)


def main() -> None:
    how = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=how)
    parser.add_argument("--engine", choices=["local", "ray"], default="local")
    kinds = ["none", "worker", "driver", "node", "both"]
    parser.add_argument("--faults", nargs="+", default=["none", "worker"], choices=kinds)
    parser.add_argument("--times", type=int, default=1, help="of each fault")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cost", action="store_true")
    parser.add_argument("--throughput", action="store_true")
    parser.add_argument("--one-shot", type=int, nargs="+", metavar="LANES")
    asked = parser.parse_args()
    random.seed(asked.seed)
    os.environ.update(PATIENT)
    with tempfile.TemporaryDirectory(prefix="bench-farm-") as name:
        folder = Path(name)
        (folder / "clips").mkdir()
        (folder / "jobs.yaml").write_text(LIST, encoding="utf-8")
        for number, shots in enumerate(SHOTS):
            clip(folder / "clips" / f"c{number}.mp4", shots, number)
        if asked.cost:
            cost(folder, asked.engine)
        elif asked.one_shot:
            one_shot(folder, asked.engine, asked.one_shot)
        elif asked.throughput:
            throughput(folder, asked.engine)
        else:
            chaos(folder, asked.engine, asked.faults, asked.times)


if __name__ == "__main__":
    main()
