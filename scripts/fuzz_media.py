"""Damaged films by the hundred: each has to end as a film of the length it promised, or as an error with a name.

    scripts/fuzz_media.py [--count 500] [--seed 0] [--seconds 20] [--keep DIR]

Small files of five containers are flipped, cut, spliced and overwritten; each goes through reading, writing and
joining in a process of its own, with a time limit. Prints a table, and exits 1 when anything else came out.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import re
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path

import imageio_ffmpeg

from pipeline.clip import Segment
from pipeline.errors import DreamError
from pipeline.settings import Input, Output
from pipeline.sources import ClipSource, open_source
from pipeline.stages import encode, join

KINDS = {
    "mp4": ["-c:v", "libx264", "-bf", "2", "-c:a", "aac"],
    "mkv": ["-c:v", "libx264", "-bf", "2", "-c:a", "libopus"],
    "avi": ["-c:v", "mpeg4", "-c:a", "libmp3lame"],
    "ts": ["-c:v", "mpeg2video", "-c:a", "mp2"],
    "webm": ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"],
}
PART = 10  # frames to a segment


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--count", type=int, default=500)
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--seconds", type=float, default=20, help="time limit of each")
    asked.add_argument("--keep", type=Path, help="where files go that came to a bad end")
    told = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        whole = sources(Path(folder))
        ends: Counter[tuple[str, str]] = Counter()
        bad = 0
        for number in range(told.count):
            kind = list(KINDS)[number % len(KINDS)]
            path = Path(folder) / f"damaged-{number}.{kind}"
            path.write_bytes(damaged({k: p.read_bytes() for k, p in whole.items()}, kind, told.seed + number))
            end = alone(path, told.seconds)
            ends[kind, end if end.startswith("film") else end.partition(":")[0]] += 1
            if end.startswith("bad"):
                bad += 1
                print(f"{path.name} (seed {told.seed + number}): {end}", flush=True)
                if told.keep:
                    told.keep.mkdir(exist_ok=True)
                    shutil.copy(path, told.keep)
            for left in Path(folder).glob(f"damaged-{number}*"):
                left.unlink()
    for (kind, end), count in sorted(ends.items()):
        print(f"{kind:5} {end:16} {count:4}")
    print(f"{told.count} files, {bad} bad ends")
    return min(bad, 1)


def sources(folder: Path) -> dict[str, Path]:
    """One whole small film of each kind: 30 frames with sound."""
    found = {}
    for kind, words in KINDS.items():
        found[kind] = folder / f"whole.{kind}"
        make = [
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=64x48:rate=24",
            "-f",
            "lavfi",
            "-i",
            "sine=r=48000",
            "-t",
            "1.25",
        ]
        ffmpeg(*make, "-pix_fmt", "yuv420p", "-g", "12", *words, str(found[kind]))
    return found


def damaged(whole: dict[str, bytes], kind: str, seed: int) -> bytes:
    """One file, damaged in one to four ways."""
    chance = random.Random(seed)
    data = bytearray(whole[kind])
    for _ in range(chance.choice((1, 1, 2, 4))):
        size = max(1, len(data))
        at = chance.randrange(size) if chance.random() < 0.7 else chance.randrange(min(size, 1200))
        match chance.randrange(6):
            case 0:
                for _ in range(chance.choice((1, 4, 32, 256))):
                    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            case 1:
                del data[at:]
            case 2:
                del data[at : at + chance.choice((1, 3, 188, 2000))]
            case 3:
                data[at : at + 64] = chance.randbytes(64)
            case 4:
                other = whole[chance.choice(list(whole))]
                data[at:at] = other[chance.randrange(len(other)) :][: chance.choice((16, 500, 9000))]
            case 5:
                data[at : at + 8] = chance.choice((b"\x00", b"\xff", b"\x7f")) * 8
        data = data or bytearray(b"\x00")
    return bytes(data)


def alone(path: Path, seconds: float) -> str:
    """How a file ends in a process of its own: 'film: ...', 'error: ...', or 'bad: ...'."""
    context = multiprocessing.get_context("fork" if sys.platform != "win32" else "spawn")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_tell, args=(path, theirs))
    child.start()
    theirs.close()
    try:
        end = str(ours.recv()) if ours.poll(seconds) else "bad: hangs"
    except EOFError:
        child.join()
        end = f"bad: died with {child.exitcode}"
    child.kill()
    child.join()
    return end


def _tell(path: Path, pipe: multiprocessing.connection.Connection) -> None:
    try:
        pipe.send(through(path))
    except DreamError as error:
        name = type(error).__name__
        pipe.send(
            f"error: {name}"
            if path.name in str(error) or "cannot hold" in str(error)
            else f"bad: nameless {error}"
        )
    except BaseException:
        pipe.send("bad: " + traceback.format_exc())


def through(path: Path) -> str:
    """Read, write in segments and join, as the program does; then count what is there."""
    source = open_source(str(path), Input())
    assert isinstance(source, ClipSource)
    encoding, _ = encode.choose(source.clip, ".mkv", Output(encoder_preset="ultrafast"), 1)
    pieces, frames = [], list(source.frames())
    for start in range(0, len(frames), PART):
        part = frames[start : start + PART]
        piece = path.with_name(f"{path.stem}-{start}.mp4")
        with encode.film(piece, source.clip, encoding) as write:
            for frame in part:
                write(frame.picture, frame)
        pieces.append((Segment(start, start + len(part), part[0].pts, part[-1].pts), piece))
    out = path.with_name(f"{path.stem}-out.mkv")
    join.join(pieces, out, source.clip, source.beside(path.parent), "")
    said = ffmpeg("-i", str(out), "-map", "0:v", "-c", "copy", "-f", "null", "-", "-stats")
    count = int(re.findall(r"frame=\s*(\d+)", said)[-1])
    if count != source.clip.frames or len(frames) != count:
        return f"bad: promised {source.clip.frames} frames, gave {len(frames)}, wrote {count}"
    return "film: held some" if source.damaged else "film: whole"


def ffmpeg(*words: str) -> str:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-y", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stderr


if __name__ == "__main__":
    sys.exit(main())
