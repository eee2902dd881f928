"""Speed, memory and faithfulness of a film that goes through with nothing dreamed (--iterations 0).

    scripts/bench_media.py [--size 1280x720] [--frames 240] [--codec h264] [--preset medium] [--crf 12] [--clip FILE]

Prints frames a second by the clock and by the CPU time of two cores, so that a machine with other work can be
judged too, the largest memory, and PSNR against the source by an independent decoder.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from time import monotonic

import imageio_ffmpeg

CORES = 2
RENDER = """
import sys
from pipeline.cli import video
sys.exit(video.main(sys.argv[1:]))
"""


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--size", default="1280x720")
    asked.add_argument("--frames", type=int, default=240)
    asked.add_argument("--codec", default="h264")
    asked.add_argument("--preset", default="medium")
    asked.add_argument("--crf", default="12")
    asked.add_argument("--clip", type=Path, help="a clip of your own, in place of a drawn one")
    told = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = told.clip or drawn(Path(folder) / "source.mp4", told.size, told.frames)
        out = Path(folder) / ("out.mov" if told.codec.startswith(("prores", "dnx")) else "out.mkv")
        words = [
            "--iterations",
            "0",
            "--crf",
            told.crf,
            "--codec",
            told.codec,
            "--encoder-preset",
            told.preset,
        ]
        start, _, _ = through(source, out, *words, "--end", "1")
        cpu, wall, memory = through(source, out, *words)
        count = frames_in(out)
        print(f"{source.name}, {told.codec} {told.preset}, crf {told.crf}: {count} frames")
        print(
            f"clock  {wall:6.1f} s  {count / wall:6.1f} frames/s, start-up included; load {os.getloadavg()[0]:.1f}"
        )
        rate = CORES * (count - 1) / (cpu - start)
        each = 1000 * (cpu - start) / (count - 1)
        print(
            f"cpu    {cpu:6.1f} s, {start:.1f} s of it for a film of one frame, {each:.0f} ms for each other:",
            end="",
        )
        print(f" {rate:.1f} frames/s on {CORES} cores")
        print(f"memory {memory:6.0f} MiB at most")
        print(f"psnr   {psnr(source, out)} dB")


def through(source: Path, out: Path, *words: str) -> tuple[float, float, float]:
    """Seconds of CPU and by the clock, and MiB at most, of a film that goes through in a process of its own."""
    command = [sys.executable, "-c", RENDER, str(source), "-o", str(out), "-y", "--progress", "none", *words]
    began = monotonic()
    with subprocess.Popen(command) as child:
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(child.returncode)
    return used.ru_utime + used.ru_stime, monotonic() - began, used.ru_maxrss / 1024


def drawn(path: Path, size: str, frames: int) -> Path:
    """A zoom into a fractal: detail everywhere, all of it moving."""
    words = ["-f", "lavfi", "-i", f"mandelbrot=size={size}:rate=24", "-frames:v", str(frames)]
    run(
        *words,
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
        "-crf",
        "12",
        "-pix_fmt",
        "yuv420p",
        "-colorspace",
        "bt709",
        str(path),
    )
    return path


def frames_in(path: Path) -> int:
    return int(re.findall(r"frame=\s*(\d+)", run("-i", str(path), "-map", "0:v", "-f", "null", "-"))[-1])


def psnr(one: Path, other: Path) -> str:
    """Mean over Y, U and V, by FFmpeg's psnr filter, both brought to the second's colours."""
    graph = "[0:v]scale=out_color_matrix=bt709:out_range=tv,format=yuv420p,settb=AVTB,setpts=N[a];"
    graph += "[1:v]format=yuv420p,settb=AVTB,setpts=N[b];[a][b]psnr"
    said = run("-i", str(one), "-i", str(other), "-lavfi", graph, "-f", "null", "-")
    return re.findall(r"average:([\d.]+|inf)", said)[-1]


def run(*words: str) -> str:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-y", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stderr


if __name__ == "__main__":
    main()
