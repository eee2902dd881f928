"""What the tests of films in and out share: the independent witness, and a render that dreams nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np

from conftest import texture, tiny_network
from pipeline.destination import Destination
from pipeline.dreamer import Dreamer
from pipeline.film import Made, make
from pipeline.settings import Input
from pipeline.sources import open_source

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
EXACT = "scale=flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
SMALL = {"octaves": 2, "jitter": 4, "threads": 1, "encoder_preset": "ultrafast", "quiet": True}


def ffmpeg(*words: str | Path) -> bytes:
    """Run the ffmpeg binary, which is not the library this program uses; gives its output."""
    command = [FFMPEG, "-v", "error", "-y", *map(str, words)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-800:]
    return done.stdout


def shown(path: Path, layout: str = "rgb24", *before: str) -> np.ndarray:
    """All pictures of a film as the ffmpeg binary shows them: [N, H, W, channels]."""
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        width, height = stream.width, stream.height
    kind = np.uint16 if "48" in layout or "64" in layout else np.uint8
    channels = 4 if layout.startswith("rgba") else 3
    raw = ffmpeg(
        *before,
        "-i",
        path,
        "-fps_mode",
        "passthrough",
        "-vf",
        EXACT,
        "-pix_fmt",
        layout,
        "-f",
        "rawvideo",
        "-",
    )
    return np.frombuffer(raw, kind).reshape(-1, height, width, channels)


def stamps(path: Path, kind: str = "v") -> list[list[str]]:
    """Stream, dts, pts, duration, size and hash of each packet, by the ffmpeg binary."""
    raw = ffmpeg("-i", path, "-map", f"0:{kind}", "-c", "copy", "-f", "framehash", "-").decode()
    return [
        [word.strip() for word in line.split(",")] for line in raw.splitlines() if not line.startswith("#")
    ]


def said(path: Path) -> str:
    """What the ffmpeg binary tells of a file's pictures."""
    done = subprocess.run(
        [FFMPEG, "-hide_banner", "-i", str(path)], capture_output=True, check=False, timeout=60
    )
    return "\n".join(line for line in done.stderr.decode(errors="replace").splitlines() if "Video:" in line)


def through(source: Path | str, out: Path, how: Input | None = None, **knobs: object) -> Made:
    """Send a source through the whole program, by default with nothing dreamed."""
    dreamer = Dreamer(network=tiny_network(), **{**SMALL, "iterations": 0, "crf": 4, **knobs})
    opened = open_source(str(source), how or dreamer.settings.input, strict=dreamer.settings.run.strict)
    destination = Destination.of(str(out), str(source), opened)
    return make(opened, dreamer, destination, lambda done: None, lambda dreamt: None)


def psnr(a: np.ndarray, b: np.ndarray, peak: float = 255) -> float:
    error = float(((a.astype(np.float64) - b) ** 2).mean())
    return 99.0 if error == 0 else float(10 * np.log10(peak**2 / error))


def bars(width: int = 224, height: int = 96) -> np.ndarray:
    """Seven flat colours, whose errors are colour errors and nothing else: uint8 [H, W, 3]."""
    colours = [
        (191,) * 3,
        (191, 191, 20),
        (20, 191, 191),
        (20, 191, 20),
        (191, 20, 191),
        (191, 20, 20),
        (20, 20, 191),
    ]
    places = np.arange(width) * 7 // width
    return np.repeat(np.array(colours, np.uint8)[places][None], height, 0)


def middles(picture: np.ndarray) -> np.ndarray:
    """The middle of each of the seven bars: [7, channels]."""
    height, width = picture.shape[:2]
    return picture[height // 2, [(2 * k + 1) * width // 14 for k in range(7)]].astype(int)


def pan(frames: int, height: int = 96, width: int = 128) -> np.ndarray:
    """A texture that pans by two pixels a frame: uint8 [N, H, W, 3]."""
    wide = texture(height, width + 2 * frames)
    return np.stack([wide[:, 2 * k : 2 * k + width] for k in range(frames)])


def write_raw(path: Path, pictures: np.ndarray, *words: str, rate: str = "24", layout: str = "rgb24") -> Path:
    """Pictures [N, H, W, channels] through the ffmpeg binary into a file; words: its output options."""
    height, width = pictures.shape[1:3]
    head = ["-f", "rawvideo", "-pix_fmt", layout, "-s", f"{width}x{height}", "-framerate", rate, "-i", "-"]
    done = subprocess.run(
        [FFMPEG, "-v", "error", "-y", *head, *words, str(path)],
        input=pictures.tobytes(), capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-800:]
    return path
