"""Where the time of a film goes: stage by stage, wall and CPU, and the memory it takes.

    scripts/bench_walk.py [--model squeezenet1_0 --weights FILE --layers features.9] [--size 640x360] [--frames 24]
                          [--memory] [--json FILE]

The film is the drawn scene. Stages are timed by wrapping the functions the walk calls, so what is measured is
the walk itself; decode and flow run in a thread of their own beside the dream. The first frame, dreamed whole,
is told apart from the others. --memory: peak memory of films of 24 and of 240 frames, each in its own process.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time, thread_time
from typing import Any

from pipeline import codecs, dreamer, looks, motion
from pipeline.clip import Frame
from pipeline.settings import Input
from pipeline.sources import SceneSource, open_source
from pipeline.stages import carry, dream, encode, flow, shots

CORE = ("forward + backward", "flow", "encode")


class Clock:
    """Wall and thread CPU seconds by stage, without what the stages inside it took."""

    def __init__(self) -> None:
        self.wall: dict[str, float] = defaultdict(float)
        self.cpu: dict[str, float] = defaultdict(float)
        self._inside = threading.local()
        self._before: list[tuple[Any, str, Any]] = []

    def wrap(self, room: Any, name: str, stage: str) -> None:
        """Time every call of `room.name` as `stage`."""
        called: Callable[..., Any] = getattr(room, name)
        self._before.append((room, name, called))

        def timed(*args: Any, **kwargs: Any) -> Any:
            stack = self._inside.__dict__.setdefault("stack", [])
            stack.append([0.0, 0.0])
            wall, cpu = perf_counter(), thread_time()
            try:
                return called(*args, **kwargs)
            finally:
                took = perf_counter() - wall, thread_time() - cpu
                inner = stack.pop()
                self.wall[stage] += took[0] - inner[0]
                self.cpu[stage] += took[1] - inner[1]
                if stack:
                    stack[-1] = [stack[-1][0] + took[0], stack[-1][1] + took[1]]

        setattr(room, name, timed)

    def restore(self) -> None:
        """Everything as it was."""
        for room, name, called in reversed(self._before):
            setattr(room, name, called)


def stages() -> Clock:
    clock = Clock()
    clock.wrap(flow, "measure", "flow")
    clock.wrap(shots, "is_cut", "cuts")
    clock.wrap(motion.Motion, "view", "views")
    clock.wrap(dream, "gradient", "forward + backward")
    clock.wrap(carry, "lay", "carry")
    clock.wrap(carry, "keep", "carry")
    clock.wrap(dreamer, "dream", "rest of the dream")
    clock.wrap(dreamer.Dreamer, "_batch", "to and from the device")
    return clock


def bench(args: argparse.Namespace) -> dict[str, Any]:
    clock = stages()
    knobs = {name: getattr(args, name) for name in ("model", "weights", "layers") if getattr(args, name)}
    own = dreamer.Dreamer(looks.of(**knobs, threads=args.threads))
    with tempfile.TemporaryDirectory() as folder:
        clip = drawn(Path(folder), args.size, args.frames, own.threads)
        source = open_source(str(clip), Input())
        pixels = codecs.pixel_format("auto", "h264", source.clip.size)
        encoding = encode.Encoding("h264", 16, "medium", pixels, own.threads)
        rows: dict[str, dict[str, float]] = {}
        with encode.film(Path(folder) / "out.mp4", source.clip, encoding) as write:
            box = argparse.Namespace(write=write)
            clock.wrap(box, "write", "encode")
            began = perf_counter(), process_time()
            for dreamt in own.walk(source):
                box.write(dreamt.picture, dreamt.frame)
                if dreamt.frame.index == 0:
                    rows["first frame"] = _row(clock, began, 1)
                    clock.wall.clear(), clock.cpu.clear()
                    began = perf_counter(), process_time()
            rows["each later frame"] = _row(clock, began, args.frames - 1)
    return rows


def _row(clock: Clock, began: tuple[float, float], frames: int) -> dict[str, float]:
    row = {stage: 1000 * seconds / frames for stage, seconds in clock.wall.items()}
    row["wall"] = 1000 * (perf_counter() - began[0]) / frames
    row["process CPU"] = 1000 * (process_time() - began[1]) / frames
    return row


def drawn(folder: Path, size: str, frames: int, threads: int) -> Path:
    """The drawn scene as a clip, there and back as often as it takes."""
    source = SceneSource.of(Input(size=size))
    path = folder / "scene.mp4"
    encoding = encode.Encoding(
        "h264", 12, "veryfast", codecs.pixel_format("auto", "h264", source.clip.size), threads
    )
    there = list(range(len(source.chosen)))
    turns = (there + there[-2:0:-1]) * (frames // len(there) + 1)
    with encode.film(path, source.clip, encoding) as write:
        for index, picture in enumerate(map(source.scene.picture, turns[:frames])):
            write(picture, Frame(index, index, index / source.clip.rate, picture))
    return path


def memory(args: argparse.Namespace) -> dict[str, float]:
    """Peak memory, MiB, of the walk over films of two lengths."""
    peaks = {}
    for frames in (24, 240):
        words = [sys.executable, __file__, "--peak", "--frames", str(frames), "--size", args.size]
        for name in ("model", "weights", "layers"):
            words += [f"--{name}", getattr(args, name)] if getattr(args, name) else []
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        peaks[f"{frames} frames"] = float(done.stdout)
    return peaks


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="")
    parser.add_argument("--weights", default="")
    parser.add_argument("--layers", default="")
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--peak", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--json")
    args = parser.parse_args()
    rows: dict[str, Any] = memory(args) if args.memory else bench(args)
    if args.peak:
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)  # KiB on Linux
        return
    for name, row in rows.items():
        print(f"{name}: {row:.0f} MiB at most" if isinstance(row, float) else _table(name, row))
    if args.json:
        Path(args.json).write_text(json.dumps(rows, indent=1))


def _table(name: str, row: dict[str, float]) -> str:
    own = {stage: ms for stage, ms in row.items() if stage not in ("wall", "process CPU")}
    total = sum(own.values())
    lines = [f"\n{name}: {row['wall']:.0f} ms wall, {row['process CPU']:.0f} ms of CPU"]
    lines += [
        f"  {stage:24}{ms:9.1f} ms {ms / total:7.1%}"
        for stage, ms in sorted(own.items(), key=lambda i: -i[1])
    ]
    other = sum(ms for stage, ms in own.items() if stage not in CORE)
    return "\n".join([*lines, f"  all but {', '.join(CORE)}: {other / total:.1%}"])


if __name__ == "__main__":
    main()
