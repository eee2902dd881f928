"""Nothing is lost: renders killed, stopped and starved at random moments, gone on with, and compared: a table out.

    scripts/soak.py [--tries 50] [--faults kill,term,limit,disk] [--seed 1] [--json FILE]

A small drawn clip is dreamed once undisturbed. Then again and again: kill -9 (kill) or SIGTERM (term) after a random
time since its first frame, files that may not grow beyond a random size (limit), or a file system that is full
(disk: a small tmpfs, which takes root). The same command goes on until the film is whole. Equal: the same bytes, no
file left beside it, and every end along the way with the exit code it should have. Exit 1 where one was not.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from time import monotonic

from pipeline.clip import Clip, Frame, Size
from pipeline.scene import demo_scene
from pipeline.stages import encode

RATE, SECONDS = Fraction(6), 24  # twelve segments of two seconds
SIZE = Size(64, 96)
FLAGS = [
    "--octaves",
    "2",
    "--iterations",
    "2",
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
        command = [sys.executable, "-m", "pipeline.cli.video", str(self.clip), *FLAGS, "-o", str(out)]
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=before,  # noqa: PLW1509
        ) as running:
            assert running.stdout is not None
            assert running.stderr is not None
            running.stdout.readline()
            began = monotonic()
            if stop is not None:
                try:
                    running.wait(self.rng.uniform(0, self.seconds))
                except subprocess.TimeoutExpired:
                    running.send_signal(stop)
            said = running.communicate()[1].strip().splitlines()
        self.seconds = self.seconds or monotonic() - began
        return running.returncode, said[-1] if said else ""

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

        fault, most = Fault(), 40_000
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


def mount(*words: str) -> None:
    subprocess.run(["/bin/mount", *words], check=True)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def drawn(path: Path) -> Path:
    """A clip of the demo scene."""
    scene = demo_scene(SIZE, RATE, SECONDS)
    clip = Clip("drawn", SIZE, 1 / RATE, RATE, scene.frames)
    with encode.film(path, clip, encode.Encoding("h264", 12, "veryfast", "yuv420p", 1)) as write:
        for index in range(scene.frames):
            write(scene.picture(index), Frame(index, index, index / RATE, scene.picture(index)))
    return path


def main() -> int:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--tries", type=int, default=50)
    parse.add_argument("--faults", default="kill,term,limit,disk")
    parse.add_argument("--seed", type=int, default=1)
    parse.add_argument("--json", type=Path)
    options = parse.parse_args()
    results: dict[str, Fault] = {}
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(Path(folder), drawn(Path(folder) / "clip.mp4"), random.Random(options.seed))
        whole = Path(folder) / "whole.mp4"
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
