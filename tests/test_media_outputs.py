"""What is written: every container and codec, read back by the ffmpeg binary, which is not what wrote it."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from filming import ffmpeg, pan, psnr, said, shown, stamps, through, write_raw
from pipeline import codecs
from pipeline.clip import Clip, Size
from pipeline.errors import UsageError
from pipeline.stages import encode

OUTPUTS = [  # ending, --codec, what the ffmpeg binary calls it, least PSNR at crf 4
    (".mp4", "auto", "h264 (", 40),
    (".m4v", "h264", "h264 (", 40),
    (".mov", "h264", "h264 (", 40),
    (".mkv", "h264", "h264 (", 40),
    (".mp4", "h265", "hevc (Main) (hvc1", 40),
    (".mov", "h265", "hevc (Main) (hvc1", 40),
    (".mkv", "h265", "hevc (Main)", 40),
    (".mp4", "av1", "av1", 38),
    (".webm", "av1", "av1", 38),
    (".webm", "auto", "vp9 (Profile 0)", 38),
    (".mp4", "vp9", "vp9 (Profile 0)", 38),
    (".mov", "prores", "prores (HQ)", 40),
    (".mkv", "prores", "prores (HQ)", 40),
    (".mov", "prores4444", "prores (4444)", 44),
    (".mov", "dnxhr", "dnxhd (DNXHR HQ)", 38),
    (".mkv", "ffv1", "ffv1", 99),
    (".nut", "ffv1", "ffv1", 99),
    (".nut", "h264", "h264 (", 40),
    (".nut", "h265", "hevc (Main)", 40),
    (".nut", "av1", "av1", 38),
    (".nut", "vp9", "vp9 (Profile 0)", 38),
    (".m4v", "h265", "hevc (Main) (hvc1", 40),
    (".mkv", "av1", "av1", 38),
    (".mkv", "vp9", "vp9 (Profile 0)", 38),
    (".mkv", "prores4444", "prores (4444)", 44),
]


@pytest.fixture(scope="module")
def lossless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve frames at 23.976 whose every pixel is known."""
    path = tmp_path_factory.mktemp("source") / "source.mkv"
    return write_raw(path, pan(12, 128, 256), "-c:v", "ffv1", "-pix_fmt", "bgr0", rate="24000/1001")


@pytest.mark.parametrize(
    ("ending", "codec", "name", "least"), OUTPUTS, ids=[f"{c}{e}" for e, c, _, _ in OUTPUTS]
)
def test_every_codec_gives_the_source_back_in_every_container(
    tmp_path: Path, lossless: Path, ending: str, codec: str, name: str, least: float
) -> None:
    out = tmp_path / f"film{ending}"
    through(lossless, out, codec=codec)
    assert f"Video: {name}" in said(out)
    pictures = shown(out)
    assert pictures.shape == (12, 128, 256, 3)
    assert psnr(pictures, pan(12, 128, 256)) >= least
    unit = 1001 if ending in codecs.QUICKTIME else None
    pts = [int(row[2]) for row in stamps(out)]
    with av.open(str(lossless)) as source:
        meant = [p.pts * p.time_base for p in source.demux(video=0) if p.size]
    with av.open(str(out)) as film:
        got = [p.pts * p.time_base for p in film.demux(video=0) if p.size]
    assert sorted(got) == meant, unit
    assert len(pts) == 12


@pytest.mark.parametrize(
    ("ending", "codec"), [(".webm", "h264"), (".mp4", "prores"), (".mov", "ffv1"), (".gif", "h264")]
)
def test_a_container_refuses_a_codec_and_says_what_it_holds(
    tmp_path: Path, lossless: Path, ending: str, codec: str
) -> None:
    with pytest.raises(UsageError, match=rf"--codec {codec}: \{ending} cannot hold it\. \{ending} holds \w+"):
        through(lossless, tmp_path / f"film{ending}", codec=codec)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("codec", "size", "why"),
    [
        ("dnxhr", Size(48, 64), "it takes 256x120 and more"),
        ("h265", Size(2, 2), "it takes 16x16 and more"),
        ("av1", Size(2, 2), "it takes 4x4 and more"),
        ("h264", Size(16, 20_000), "it is too large"),
    ],
)
def test_a_size_no_encoder_takes_is_said_before_anything_is_dreamed(codec: str, size: Size, why: str) -> None:
    from fractions import Fraction

    clip = Clip("small", size, Fraction(1, 24), Fraction(24), 2)
    with pytest.raises(UsageError, match=rf"^--codec {codec} cannot hold {size}: {why}\. ffv1"):
        encode.check(encode.Encoding(codec, 16, "medium", codecs.pixel_format("auto", codec, size), 1), clip)


def test_an_encoder_in_hardware_that_is_not_there_is_one_line(tmp_path: Path, lossless: Path) -> None:
    with pytest.raises(UsageError, match="no such encoder on this machine"):
        through(lossless, tmp_path / "film.mp4", codec="h265_videotoolbox")


def test_a_gif_has_a_palette_of_its_own_and_its_times(tmp_path: Path, lossless: Path) -> None:
    out = tmp_path / "film.gif"
    through(lossless, out, how=None, end="6")
    pictures = shown(out)
    assert pictures.shape == (6, 128, 256, 3)
    assert psnr(pictures, pan(12, 128, 256)[:6]) > 23
    assert len(np.unique(pictures[0].reshape(-1, 3), axis=0)) > 60
    seconds = [int(row[2]) / 100 for row in stamps(out)]
    assert (
        np.abs(np.array(seconds) - np.arange(6) * 1001 / 24000).max() <= 0.0056
    )  # and the .mkv has rounded to 1 ms


@pytest.mark.parametrize(("ending", "least"), [(".png", 99), (".tif", 99), (".jpg", 34)])
def test_frames_of_their_own_are_whole(tmp_path: Path, lossless: Path, ending: str, least: float) -> None:
    through(lossless, tmp_path / f"frame.%04d{ending}", end="3")
    for index in range(3):
        raw = ffmpeg(
            "-i", tmp_path / f"frame.{index:04d}{ending}", "-pix_fmt", "rgb24", "-f", "rawvideo", "-"
        )
        picture = np.frombuffer(raw, np.uint8).reshape(128, 256, 3)
        assert psnr(picture, pan(12, 128, 256)[index]) >= least
