"""Shape and colour: through the whole program with nothing dreamed, made and seen by the ffmpeg binary."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from filming import bars, ffmpeg, middles, pan, psnr, said, shown, through, write_raw
from pipeline.clip import Size
from pipeline.settings import Input
from pipeline.sources import ClipSource

X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "2")
X444 = (*X264, "-pix_fmt", "yuv444p")


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_turned_film_comes_out_upright(tmp_path: Path, turn: int) -> None:
    flat = write_raw(tmp_path / "flat.mp4", pan(3), *X444)
    ffmpeg("-display_rotation", str(turn), "-i", flat, "-c", "copy", tmp_path / "turned.mp4")
    through(tmp_path / "turned.mp4", tmp_path / "out.mp4")
    got = shown(tmp_path / "out.mp4")
    assert "rotation" not in said(tmp_path / "out.mp4")
    upright = np.stack([np.rot90(picture, turn // 90) for picture in pan(3)])
    assert got.shape == upright.shape
    assert psnr(got, upright) > 30
    assert psnr(got, np.rot90(upright, 2, (1, 2))) < 20


@pytest.mark.parametrize(("turn", "aspect"), [(0, "16:11"), (90, "11:16")])
def test_the_shape_of_pixels_is_kept_and_turned(tmp_path: Path, turn: int, aspect: str) -> None:
    flat = write_raw(tmp_path / "flat.mp4", pan(3), "-vf", "setsar=16/11", *X444)
    ffmpeg("-display_rotation", str(turn), "-i", flat, "-c", "copy", tmp_path / "turned.mp4")
    for ending in (".mp4", ".mkv", ".mov", ".webm"):
        through(tmp_path / "turned.mp4", tmp_path / f"out{ending}")
        told = re.search(r"SAR (\d+):(\d+)", said(tmp_path / f"out{ending}"))
        assert told
        wide, high = map(int, aspect.split(":"))
        assert abs(int(told[1]) * high / (int(told[2]) * wide) - 1) < (0.005 if ending == ".webm" else 1e-9)


@pytest.mark.parametrize(
    ("width", "height", "ending", "codec"),
    [
        (81, 61, ".mp4", "h264"), (81, 61, ".mp4", "h265"), (81, 61, ".webm", "vp9"), (81, 61, ".webm", "av1"),
        (81, 61, ".mov", "prores"), (81, 61, ".mkv", "ffv1"), (81, 61, ".gif", "gif"), (81, 61, ".mov", "prores4444"),
        (2, 2, ".mp4", "h264"), (2, 2, ".webm", "vp9"), (2, 2, ".mkv", "ffv1"), (1, 1, ".mkv", "ffv1"),
        (8192, 64, ".mp4", "h264"), (8192, 64, ".webm", "av1"), (8192, 64, ".mkv", "h265"),
        (16, 8192, ".mkv", "ffv1"), (321, 241, ".mov", "dnxhr"), (256, 120, ".mov", "dnxhr"), (4, 4, ".mp4", "av1"),
        (16, 16, ".mp4", "h265"), (2, 2, ".mov", "prores"), (2, 2, ".mov", "prores4444"), (1, 1, ".gif", "gif"),
    ],
)  # fmt: skip
def test_any_size_is_kept(tmp_path: Path, width: int, height: int, ending: str, codec: str) -> None:
    flat = write_raw(tmp_path / "flat.mkv", pan(2, height, width), "-c:v", "ffv1", "-pix_fmt", "bgr0")
    made = through(flat, tmp_path / f"out{ending}", codec=codec, octaves=1)
    got = shown(tmp_path / f"out{ending}")
    assert got.shape == (2, height, width, 3)
    assert psnr(got, pan(2, height, width)) > (
        13 if max(width, height) <= 16 else 22 if codec == "gif" else 28
    )
    odd = [note for note in made.notes if "is odd, so the film is yuv444p" in note]
    assert len(odd) == (1 if codec in ("h264", "h265", "prores") and width % 2 else 0)


@pytest.mark.parametrize("first", ["tff", "bff"])
def test_fields_are_made_whole_frames_and_said_once(tmp_path: Path, first: str) -> None:
    """A texture that moves between fields combs; the whole frames made of it do not, and keep their times."""
    wide = pan(24)
    moving = write_raw(tmp_path / "moving.mkv", wide, "-c:v", "ffv1", "-pix_fmt", "bgr0", rate="50")
    fields = tmp_path / "fields.mpg"
    ffmpeg(
        "-i", moving, "-vf", f"tinterlace=mode=interleave_{'top' if first == 'tff' else 'bottom'},fieldorder={first}",
        "-c:v", "mpeg2video", "-flags", "+ildct+ilme", "-q:v", "1", "-pix_fmt", "yuv420p", fields,
    )  # fmt: skip
    made = through(fields, tmp_path / "out.mp4")
    assert len([note for note in made.notes if "deinterlaced" in note]) == 1
    got, combed = shown(tmp_path / "out.mp4"), shown(fields)
    assert len(got) == len(combed) == 12

    def comb(pictures: np.ndarray) -> float:
        luma = pictures[2:-2].mean(-1)
        return float(np.abs(luma[:, 1:-1:2] * 2 - luma[:, 0:-2:2] - luma[:, 2::2]).mean())

    assert comb(got) < 0.5 * comb(combed)
    assert "progressive" in said(tmp_path / "out.mp4")
    source = ClipSource.of(fields, Input())
    whole = dict(source.decoder.pictures())
    for index in (1, 5, 11):  # a render that goes on finds the same pictures
        part = dict(source.decoder.pictures(source.decoder.times[index]))
        assert list(part) == source.decoder.times[index:]
        assert all(np.array_equal(part[pts], whole[pts]) for pts in part)


TAGGED = {
    "bt601": ("smpte170m", "smpte170m", "tv"),
    "bt709": ("bt709", "bt709", "tv"),
    "full": ("bt709", "bt709", "pc"),
    "untagged-sd": ("", "smpte170m", "tv"),
    "untagged-hd": ("", "bt709", "tv"),
    "bt2020": ("bt2020", "bt2020", "tv"),
}


def coloured(path: Path, kind: str, layout: str = "yuv444p") -> Path:
    """Bars as a film of this colour, its tags those asked for and no others."""
    primaries, matrix, full = TAGGED[kind]
    curve = "smpte170m" if primaries == "smpte170m" else "bt709"
    size = (1280, 720) if kind == "untagged-hd" else (224, 96)
    scale = f"scale=flags=neighbor+accurate_rnd+full_chroma_int:out_color_matrix={matrix}:out_range={full}"
    bare = "h264_metadata=colour_primaries=2:transfer_characteristics=2:matrix_coefficients=2"
    tags = f"setparams=color_primaries={primaries}:color_trc={curve}" if primaries else "null"
    words = ["-vf", f"{scale},format={layout},{tags}", *X264, *([] if primaries else ["-bsf:v", bare])]
    return write_raw(path, np.stack([bars(*size)] * 2), *words)


@pytest.mark.parametrize("kind", TAGGED)
@pytest.mark.parametrize(
    ("ending", "codec"),
    [(".mp4", "h264"), (".mp4", "h265"), (".webm", "vp9"), (".webm", "av1"), (".mov", "prores"), (".mov", "dnxhr"),
     (".mkv", "ffv1"), (".png", "")],
)  # fmt: skip
def test_colours_come_out_as_they_were_meant(tmp_path: Path, kind: str, ending: str, codec: str) -> None:
    if codec == "dnxhr" and kind != "untagged-hd":
        pytest.skip("its least size is HD's")
    source = coloured(tmp_path / "source.mp4", kind)
    if not codec:
        through(source, tmp_path / "out.%d.png")
        raw = ffmpeg("-i", tmp_path / "out.0.png", "-pix_fmt", "rgb24", "-f", "rawvideo", "-")
        got = np.frombuffer(raw, np.uint8).reshape(96 if kind != "untagged-hd" else 720, -1, 3)
    else:
        through(source, tmp_path / f"out{ending}", codec=codec)
        got = shown(tmp_path / f"out{ending}")[1]
        told = said(tmp_path / f"out{ending}")
        wide = {"bt2020": "bt2020nc/bt2020/bt709", "bt601": "bt709/smpte170m/bt709"}.get(kind, "bt709")
        assert f"{'pc, gbr' if codec == 'ffv1' else f'tv, {wide}'}" in told
    assert np.abs(middles(got) - middles(bars())).max() <= 3


@pytest.mark.parametrize(
    ("ending", "codec", "layout"),
    [(".mp4", "h265", "yuv420p10le"), (".mp4", "av1", "yuv420p10le"), (".mov", "prores", "yuv422p10le"),
     (".mov", "prores4444", "yuv444p12le"), (".mkv", "ffv1", "gbrp16le")],
)  # fmt: skip
def test_ten_bits_stay_ten_bits(tmp_path: Path, ending: str, codec: str, layout: str) -> None:
    """A grey ramp of 10 bits has more than 256 steps, and comes out with them."""
    ramp = np.repeat((np.arange(640) * 64 + 8000).astype(np.uint16)[None, None, :, None], 64, 1).repeat(3, 3)
    scale = "scale=flags=accurate_rnd+full_chroma_int:out_color_matrix=bt709:out_range=tv,format=yuv444p10le"
    tags = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"]
    source = write_raw(
        tmp_path / "source.mkv", ramp.repeat(2, 0), "-vf", scale, "-c:v", "ffv1", *tags, layout="rgb48le"
    )
    through(source, tmp_path / f"out{ending}", codec=codec)
    assert layout in said(tmp_path / f"out{ending}")
    got = shown(tmp_path / f"out{ending}", "rgb48le")[1, 32].astype(int)
    assert np.abs(got - ramp[0, 32]).max() <= 3 * 257
    assert len(np.unique(got[:, 1])) > 450
    made = through(source, tmp_path / "eight.mp4")
    assert any("10 bits a channel" in note for note in made.notes)


def test_a_size_asked_for_is_kept_whatever_the_film_was(tmp_path: Path) -> None:
    source = write_raw(tmp_path / "source.mp4", pan(2), *X444)
    through(source, tmp_path / "out.mp4", size="max:64")
    assert Size(*shown(tmp_path / "out.mp4").shape[1:3]) == Size(48, 64)
