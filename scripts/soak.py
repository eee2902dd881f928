"""Nothing is lost: renders killed, stopped and starved at random moments, gone on with, and compared: a table out.

    scripts/soak.py [--tries 50] [--faults kill,term,limit,disk] [--lanes 1] [--seed 1] [--json FILE]

A small drawn clip with cuts is dreamed once undisturbed. Then again and again: kill -9 (kill) or SIGTERM (term)
after a random time since it began to look at frames, files that may not grow beyond a random size (limit), or a file
system that is full (disk: a small tmpfs, which takes root). The same command goes on until the film is whole. Equal:
the same bytes, no file left beside it, and every end along the way with the exit code it should have. Exit 1 where
one was not.
With --lanes 2 every second film is dreamed in two lanes, which look for the cuts first; the bytes are the same.

Each try is a process of its own, forked from this one so that it need not load torch again. The encoder is a library
in that process: what kills the one kills the other.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from time import monotonic

import numpy as np
import torch._dynamo  # noqa: F401  (what a network loads on its way: once, here)

from pipeline import render  # noqa: F401
from pipeline.cli import video
from pipeline.clip import Clip, Frame, Size
from pipeline.scene import demo_scene
from pipeline.stages import encode

RATE, SECONDS = Fraction(2), 24  # segments of two seconds
SHOT = 9  # frames: a cut after so many
SIZE = Size(64, 96)
FLAGS = [
    "--layers",
    "20%",
    "--octaves",
    "1",
    "--iterations",
    "1",
    "--threads",
    "1",
    "--encoder-preset",
    "veryfast",
    "--progress",
    "json",
]


@dataclass
class Fault:
    """How often it struck, and where; how many films came out equal, of how many."""

    struck: int = 0
    films: int = 0
    equal: int = 0
    wrong: list[str] = field(default_factory=list)
    moments: Counter[str] = field(default_factory=Counter)


@dataclass
class Soak:
    folder: Path
    clip: Path
    rng: random.Random
    lanes: int = 1
    expected: str = ""
    seconds: dict[int, float] = field(default_factory=dict)

    def run(
        self,
        out: Path,
        stop: int | None = None,
        before: Callable[[], None] | None = None,
        lanes: int = 1,
        more: tuple[str, ...] = (),
    ) -> tuple[int, str]:
        """One process, which gets a signal at a random moment after its first word. Its exit code and last line."""
        words = [str(self.clip), *FLAGS, "--lanes", str(lanes), "-o", str(out), *more]
        errors = self.folder / "stderr"
        ours, theirs = os.pipe()
        child = forked(lambda: video.main(words), theirs, errors, before)
        os.close(theirs)
        with os.fdopen(ours, "rb") as told:
            told.readline()
            began = monotonic()
            timer = threading.Timer(self.rng.uniform(0, self.seconds.get(lanes, 0)), os.kill, (child, stop))
            if stop is not None:
                timer.start()
            told.read()
            timer.cancel()
        if stop is not None:
            timer.join()  # a process is forked from one thread
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        self.seconds.setdefault(lanes, monotonic() - began)
        said = errors.read_text().strip().splitlines()
        return code, said[-1] if said else ""

    def in_turn(self, film: int) -> int:
        """How many lanes a film is dreamed in."""
        return self.lanes if film % 2 else 1

    def moment(self, out: Path, lanes: int) -> str:
        """How far a stopped render had come."""
        work = out.with_name(f"{out.name}.dreamwork")
        records = [json.loads(path.read_text()) for path in work.glob("[0-9]*.json")] if work.is_dir() else []
        done = len(records)
        pieces = len(list(work.glob("[0-9]*.mp4"))) if work.is_dir() else 0
        if out.exists():
            return "done"
        if sum(record["end"] - record["first"] for record in records) == RATE * SECONDS:
            return "joining"
        if lanes > 1 and not (work / "shots.json").exists():
            return "looking for cuts"
        return "nothing done yet" if not pieces else "segment's end" if pieces > done else "dreaming"

    def judge_bytes(self, out: Path, fault: Fault) -> None:
        if digest(out) != self.expected:
            fault.wrong.append(f"{out}: other bytes under its final name")

    def judge(self, out: Path, fault: Fault) -> None:
        left = [path.name for path in out.parent.iterdir() if path != out]
        fault.films += 1
        if left or not out.exists() or digest(out) != self.expected:
            fault.wrong.append(f"{out}: {'left ' + ', '.join(left) if left else 'other bytes'}")
        else:
            fault.equal += 1

    def stopped(self, name: str, number: int, allowed: tuple[int, ...], tries: int) -> Fault:
        """Renders that are sent a signal, each until it is whole."""
        fault = Fault()
        while fault.struck < tries:
            out = self.folder / f"{name}{fault.films}" / "out.mp4"
            out.parent.mkdir()
            lanes = self.in_turn(fault.films)
            while True:
                code, said = self.run(out, number, lanes=lanes)
                if code == 0:
                    break
                fault.struck += 1
                moment = self.moment(out, lanes)
                fault.moments[moment] += 1
                if code not in allowed:
                    fault.wrong.append(f"exit {code}: {said}")
                if (
                    moment == "done"
                ):  # the film is whole, and what was left of the work folder is cleared away
                    self.judge_bytes(out, fault)
                    code, said = self.run(out, lanes=lanes, more=("-y",))
                    if code:
                        fault.wrong.append(f"did not begin anew: exit {code}: {said}")
                    break
            self.judge(out, fault)
        return fault

    def limited(self, tries: int) -> Fault:
        """Renders whose files may not grow beyond a random size; the last is allowed what it wants."""
        import resource  # noqa: PLC0415  (not everywhere)

        fault, most = Fault(), 180_000  # more than a state, and than the film
        for index in range(tries):
            out = self.folder / f"limit{index}" / "out.mp4"
            out.parent.mkdir()
            size = self.rng.randrange(200, most)
            code, said = self.run(
                out,
                before=lambda s=size: resource.setrlimit(resource.RLIMIT_FSIZE, (s, s)),
                lanes=self.in_turn(index),
            )
            self._starved(fault, out, code, said, self.in_turn(index))
        return fault

    def full(self, tries: int) -> Fault:
        """Renders on a file system of a random size, which is then made larger."""
        fault = Fault()
        for index in range(tries):
            disk = self.folder / f"disk{index}"
            disk.mkdir()
            mount("-t", "tmpfs", "-o", f"size={self.rng.randrange(8, 500)}k", "none", str(disk))
            try:
                (disk / "film").mkdir()
                out = disk / "film" / "out.mp4"
                code, said = self.run(out, lanes=self.in_turn(index))
                mount("-o", "remount,size=64m", str(disk))
                self._starved(fault, out, code, said, self.in_turn(index))
            finally:
                subprocess.run(["/bin/umount", str(disk)], check=True)
        return fault

    def _starved(self, fault: Fault, out: Path, code: int, said: str, lanes: int) -> None:
        if code != 0:
            fault.struck += 1
            fault.moments[self.moment(out, lanes)] += 1
            if code != 4:
                fault.wrong.append(f"exit {code}: {said}")
            if (again := self.run(out, lanes=lanes))[0] != 0:
                fault.wrong.append(f"did not go on: exit {again[0]}: {again[1]}")
        self.judge(out, fault)


def forked(work: Callable[[], int], out: int, errors: Path, before: Callable[[], None] | None = None) -> int:
    """A process that does this and ends with the code it gives; its id. out: what its stdout goes to."""
    if child := os.fork():
        return child
    code = 1
    try:
        os.dup2(out, 1)
        os.dup2(os.open(errors, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        if before is not None:
            before()
        code = work()
        sys.stdout.flush()
    finally:
        os._exit(code)


def mount(*words: str) -> None:
    subprocess.run(["/bin/mount", *words], check=True)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def draw(path: Path) -> int:
    """A clip of the demo scene, every second shot upside down.

    Drawn in a process of its own: a library's threads do not live through a fork.
    """
    scene = demo_scene(SIZE, RATE, SECONDS)
    clip = Clip("drawn", SIZE, 1 / RATE, RATE, scene.frames)
    with encode.film(path, clip, encode.Encoding("h264", 12, "veryfast", "yuv420p", 1)) as write:
        for index in range(scene.frames):
            picture = scene.picture(index)
            shown = np.ascontiguousarray(picture[::-1, :, ::-1]) if index // SHOT % 2 else picture
            write(shown, Frame(index, index, index / RATE, shown))
    return 0


def main() -> int:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--tries", type=int, default=50)
    parse.add_argument("--faults", default="kill,term,limit,disk")
    parse.add_argument("--lanes", type=int, default=1)
    parse.add_argument("--seed", type=int, default=1)
    parse.add_argument("--json", type=Path)
    options = parse.parse_args()
    results: dict[str, Fault] = {}
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        os.waitpid(forked(lambda: draw(clip), 1, Path(folder) / "stderr"), 0)
        soak = Soak(Path(folder), clip, random.Random(options.seed), options.lanes)
        for lanes in sorted({1, options.lanes}):
            whole = Path(folder) / f"whole{lanes}.mp4"
            code, said = soak.run(whole, lanes=lanes)
            if code or soak.expected not in ("", digest(whole)):
                print(said or f"{lanes} lanes: other bytes", file=sys.stderr)
                return 1
            soak.expected = digest(whole)
            print(f"undisturbed, {lanes} lanes: {soak.seconds[lanes]:.1f} s")
        print(f"{'fault':8}{'struck':>8}{'films':>8}{'equal':>8}  where")
        kinds: dict[str, Callable[[int], Fault]] = {
            "kill": lambda tries: soak.stopped("kill", signal.SIGKILL, (-signal.SIGKILL,), tries),
            "term": lambda tries: soak.stopped("term", signal.SIGTERM, (130,), tries),
            "limit": soak.limited,
            "disk": soak.full,
        }
        for name in options.faults.split(","):
            fault = results[name] = kinds[name](options.tries)
            where = ", ".join(f"{moment} {count}" for moment, count in fault.moments.most_common())
            print(f"{name:8}{fault.struck:8}{fault.films:8}{fault.equal:8}  {where}", flush=True)
            for line in fault.wrong:
                print(f"  wrong: {line}")
    if options.json:
        options.json.write_text(json.dumps({name: vars(fault) for name, fault in results.items()}, indent=1))
    return int(any(fault.wrong for fault in results.values()))


if __name__ == "__main__":
    sys.exit(main())
