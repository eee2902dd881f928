"""Speed, memory and faithfulness of a film that goes through with nothing dreamed (--iterations 0).

    scripts/bench_media.py [--size 1280x720] [--frames 240] [--codec h264] [--preset medium]

Prints frames a second by the clock and by the CPU time of two cores, so that a machine with other work can be
judged too, the largest memory, and PSNR against the source by an independent decoder.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
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
    asked.add_argument("--clip", type=Path, help="a clip of your own, in place of a drawn one")
    told = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = told.clip or drawn(Path(folder) / "source.mp4", told.size, told.frames)
        out = Path(folder) / ("out.mov" if told.codec.startswith(("prores", "dnx")) else "out.mkv")
        words = ["--iterations", "0", "--crf", "12", "--codec", told.codec, "--encoder-preset", told.preset]
        started, before = monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-c", RENDER, str(source), "-o", str(out), "--progress", "none", *words]
        subprocess.run(command, check=True)
        wall, after = monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        count = frames_in(out)
        start = startup()
        print(f"{source.name}, {told.codec} {told.preset}, crf 12: {count} frames")
        print(
            f"clock  {wall:6.1f} s  {count / wall:6.1f} frames/s, start-up included; load {os.getloadavg()[0]:.1f}"
        )
        rate = CORES * count / (cpu - start)
        print(f"cpu    {cpu:6.1f} s, {start:.1f} s of it start-up: {rate:6.1f} frames/s on {CORES} cores")
        print(f"memory {after.ru_maxrss / 1024:6.0f} MiB at most")
        print(f"psnr   {psnr(source, out)} dB")


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


def startup() -> float:
    """CPU seconds of Python, torch and the network, before the first frame."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", "from pipeline.dreamer import Dreamer; Dreamer()"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


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
