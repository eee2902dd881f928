"""Nothing is lost: renders killed, stopped and starved at random moments, gone on with, and compared: a table out.

    scripts/soak.py [--tries 50] [--faults kill,term,limit,disk] [--seed 1] [--json FILE]

A small drawn clip is dreamed once undisturbed. Then again and again: kill -9 (kill) or SIGTERM (term) after a random
time since its first frame, files that may not grow beyond a random size (limit), or a file system that is full
(disk: a small tmpfs, which takes root). The same command goes on until the film is whole. Equal: the same bytes, no
file left beside it, and every end along the way with the exit code it should have. Exit 1 where one was not.

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

import torch._dynamo  # noqa: F401  (what a network loads on its way: once, here)

from pipeline import render  # noqa: F401
from pipeline.cli import video
from pipeline.clip import Clip, Frame, Size
from pipeline.scene import demo_scene
from pipeline.stages import encode

RATE, SECONDS = Fraction(4), 24  # twelve segments of two seconds
SIZE = Size(64, 96)
FLAGS = [
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
    expected: str = ""
    seconds: float = 0.0

    def run(
        self, out: Path, stop: int | None = None, before: Callable[[], None] | None = None
    ) -> tuple[int, str]:
        """One process, which gets a signal at a random moment after its first frame. Its exit code and last line."""
        words = [str(self.clip), *FLAGS, "-o", str(out)]
        errors = self.folder / "stderr"
        ours, theirs = os.pipe()
        child = forked(lambda: video.main(words), theirs, errors, before)
        os.close(theirs)
        with os.fdopen(ours, "rb") as told:
            told.readline()
            began = monotonic()
            timer = threading.Timer(self.rng.uniform(0, self.seconds), os.kill, (child, stop))
            if stop is not None:
                timer.start()
            told.read()
            timer.cancel()
        if stop is not None:
            timer.join()  # a process is forked from one thread
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        self.seconds = self.seconds or monotonic() - began
        said = errors.read_text().strip().splitlines()
        return code, said[-1] if said else ""

    def moment(self, out: Path) -> str:
        """How far a stopped render had come."""
        work = out.with_name(f"{out.name}.dreamwork")
        done = len(list(work.glob("[0-9]*.json"))) if work.is_dir() else 0
        pieces = len(list(work.glob("[0-9]*.mp4"))) if work.is_dir() else 0
        if out.exists():
            return "done"
        if done == SECONDS // 2:
            return "joining"
        return "nothing done yet" if not pieces else "segment's end" if pieces > done else "dreaming"

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
            while True:
                code, said = self.run(out, number)
                if code == 0:
                    break
                fault.struck += 1
                fault.moments[self.moment(out)] += 1
                if code not in allowed:
                    fault.wrong.append(f"exit {code}: {said}")
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
                out, before=lambda s=size: resource.setrlimit(resource.RLIMIT_FSIZE, (s, s))
            )
            self._starved(fault, out, code, said)
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
                code, said = self.run(out)
                mount("-o", "remount,size=64m", str(disk))
                self._starved(fault, out, code, said)
            finally:
                subprocess.run(["/bin/umount", str(disk)], check=True)
        return fault

    def _starved(self, fault: Fault, out: Path, code: int, said: str) -> None:
        if code != 0:
            fault.struck += 1
            fault.moments[self.moment(out)] += 1
            if code != 4:
                fault.wrong.append(f"exit {code}: {said}")
            if (again := self.run(out))[0] != 0:
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
    """A clip of the demo scene. Drawn in a process of its own: a library's threads do not live through a fork."""
    scene = demo_scene(SIZE, RATE, SECONDS)
    clip = Clip("drawn", SIZE, 1 / RATE, RATE, scene.frames)
    with encode.film(path, clip, encode.Encoding("h264", 12, "veryfast", "yuv420p", 1)) as write:
        for index in range(scene.frames):
            write(scene.picture(index), Frame(index, index, index / RATE, scene.picture(index)))
    return 0


def main() -> int:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--tries", type=int, default=50)
    parse.add_argument("--faults", default="kill,term,limit,disk")
    parse.add_argument("--seed", type=int, default=1)
    parse.add_argument("--json", type=Path)
    options = parse.parse_args()
    results: dict[str, Fault] = {}
    with tempfile.TemporaryDirectory() as folder:
        clip, whole = Path(folder) / "clip.mp4", Path(folder) / "whole.mp4"
        os.waitpid(forked(lambda: draw(clip), 1, Path(folder) / "stderr"), 0)
        soak = Soak(Path(folder), clip, random.Random(options.seed))
        code, said = soak.run(whole)
        if code:
            print(said, file=sys.stderr)
            return 1
        soak.expected = digest(whole)
        print(f"undisturbed: {soak.seconds:.1f} s after the first frame\n")
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
