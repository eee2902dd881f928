"""With nothing dreamed a clip comes out as it went in: its times, sound, tags and size, by the ffmpeg binary."""

from __future__ import annotations

import re
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from filming import FFMPEG, ffmpeg, pan, psnr, said, shown, stamps, through, write_raw
from pipeline import codecs
from pipeline.stages import stills

X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "8", "-pix_fmt", "yuv420p")
BT709 = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709")
SHAPE = re.compile(r", (\d{2,}x\d+)(?: \[SAR (\d+:\d+))?")
VP9 = ("-c:v", "libvpx-vp9", "-crf", "10", "-b:v", "0", "-deadline", "realtime", "-cpu-used", "8")
UNEVEN = ("-vf", "setpts=N*(N+1)/2/24/TB", "-fps_mode", "passthrough", "-enc_time_base", "1/24")
MADE = {  # rate, how it is made, least PSNR
    "phone.mov": ("30000/1001", [*X264, *BT709, "-bf", "2", "-metadata", "title=a walk"], 40),
    "open.mp4": ("24000/1001", [*X264, *BT709, "-x264-params", "open-gop=1:keyint=8:bframes=3"], 40),
    "shaped.mkv": ("25", [*X264, *BT709, "-vf", "setsar=16/11"], 40),
    "uneven.mkv": ("24", [*X264, *BT709, *UNEVEN], 40),
    "web.webm": ("24", [*VP9, *BT709], 33),
}
SHARED = ["volcano.mp4", "plants_handheld.mp4", "sintel_frames"]


def made(folder: Path, name: str) -> Path:
    """A clip of sixteen frames with two tracks of sound."""
    rate, words, _ = MADE[name]
    silent = write_raw(folder / f"silent-{name}", pan(16, 96, 128), *words, rate=rate)
    sound = ["-c:a", "libopus" if name.endswith("webm") else "aac", "-ac", "1"]
    tones = [word for pitch in (330, 550) for word in ("-f", "lavfi", "-i", f"sine={pitch}:r=48000:d=0.9")]
    ffmpeg("-i", silent, *tones, "-map", "0:v", "-map", "1", "-map", "2", "-c:v", "copy", *sound,
           "-metadata:s:a:0", "language=deu", "-metadata", "comment=kept", folder / name)  # fmt: skip
    return folder / name


def seconds(path: Path, kind: str) -> list[Fraction]:
    """The exact times of a stream's packets, in their order."""
    raw = ffmpeg("-i", path, "-map", f"0:{kind}", "-c", "copy", "-f", "framehash", "-").decode()
    unit = Fraction(re.findall(r"#tb 0: (\S+)", raw)[0])
    rows = [line.split(",") for line in raw.splitlines() if line and not line.startswith("#")]
    return sorted(int(row[2]) * unit for row in rows)


def tags(path: Path) -> dict[str, str]:
    """What the container says of itself and of its tracks, apart from what writes itself."""
    raw = ffmpeg("-i", path, "-f", "ffmetadata", "-").decode(errors="replace")
    found = dict(line.split("=", 1) for line in raw.splitlines() if "=" in line)
    own = ("encoder", "major_brand", "minor_version", "compatible_brands", "dream_video")
    return {name.lower(): text for name, text in found.items() if name.lower() not in own}


def kept(source: Path, out: Path) -> None:
    """Times, sound, tags and size are the same."""
    before, after = seconds(source, "v:0"), seconds(out, "v:0")
    tick = 0 if out.suffix in codecs.QUICKTIME else Fraction(1, 1000)
    assert len(before) == len(after)
    assert max(abs(a - b) for a, b in zip(before, after, strict=True)) <= tick
    for track in range(told(source).count("Audio:")):
        sounds = [[row[5] for row in stamps(path, f"a:{track}")] for path in (source, out)]
        assert sounds[0] == sounds[1]
        first = [seconds(path, f"a:{track}")[0] for path in (source, out)]
        assert abs(first[0] - first[1]) <= Fraction(1, 1000)
    assert tags(source).items() <= tags(out).items()
    shapes = [SHAPE.findall(said(path))[0] for path in (source, out)]
    assert shapes[0][0] == shapes[1][0]
    assert (shapes[0][1] or "1:1") == (shapes[1][1] or "1:1")
    assert re.search(r"\(tv, bt709", said(out))


def told(path: Path) -> str:
    """What the ffmpeg binary tells of a file."""
    done = subprocess.run(
        [FFMPEG, "-hide_banner", "-i", str(path)], capture_output=True, check=False, timeout=60
    )
    return done.stderr.decode(errors="replace")


@pytest.mark.parametrize("name", MADE)
def test_a_clip_with_nothing_dreamed_is_the_clip(tmp_path: Path, name: str) -> None:
    source = made(tmp_path, name)
    out = tmp_path / f"out{source.suffix}"
    through(source, out, crf=12)
    kept(source, out)
    assert psnr(shown(out), shown(source)) >= MADE[name][2]


@pytest.mark.parametrize("name", SHARED)
def test_real_clips_with_nothing_dreamed_are_the_clips(tmp_path: Path, shared_data: Path, name: str) -> None:
    source = shared_data / "clips" / name
    if source.is_dir():
        folder = next(source.rglob("*.png")).parent
        through(folder, tmp_path / "out.mkv", codec="ffv1")
        read = np.stack([stills.read(path) for path in stills.in_folder(folder).values()])
        assert np.array_equal(shown(tmp_path / "out.mkv"), read)
        return
    part = {"end": "12"} if name == "volcano.mp4" else {}
    out = tmp_path / "out.mp4"
    through(source, out, crf=12, **part)
    if not part:
        kept(source, out)
    least = 45 if part else 42  # the other is noise all over
    assert psnr(shown(out)[:8], shown(source, "rgb24", "-t", "0.5")[:8]) >= least
