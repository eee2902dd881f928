"""More than 8 bits of RGB: transparency, HDR and 16-bit pictures, through the whole program, by the ffmpeg binary."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from conftest import texture
from filming import bars, ffmpeg, middles, pan, psnr, said, shown, through, write_raw
from pipeline import exr, light
from pipeline.clip import Deep
from pipeline.settings import Input
from pipeline.sources import ClipSource
from pipeline.stages import stills

DREAM = {"iterations": 2, "octaves": 1, "steadiness": 0, "flow": "none"}
MASTER = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"


def cut_out(frames: int = 3) -> np.ndarray:
    """A panning texture with a soft round hole around it: uint8 [N, 96, 128, 4]."""
    y, x = np.mgrid[:96, :128]
    alpha = np.clip((44 - np.hypot(y - 48, x - 64)) * 20, 0, 255).astype(np.uint8)
    return np.concatenate([pan(frames), np.broadcast_to(alpha[None, ..., None], (frames, 96, 128, 1))], -1)


def transparent(path: Path) -> Path:
    return write_raw(path, cut_out(), "-c:v", "ffv1", "-pix_fmt", "bgra", layout="rgba")


@pytest.mark.parametrize(
    ("ending", "codec", "layout"),
    [
        (".mov", "auto", "yuva444p12le"),
        (".webm", "auto", "yuva420p"),
        (".mkv", "auto", "bgra"),
        (".gif", "auto", "bgra"),
    ],
)
def test_transparency_is_kept_where_it_can_be(tmp_path: Path, ending: str, codec: str, layout: str) -> None:
    source = transparent(tmp_path / "source.mkv")
    through(source, tmp_path / f"out{ending}", codec=codec)
    reader = ("-c:v", "libvpx-vp9") if ending == ".webm" else ()
    got = shown(tmp_path / f"out{ending}", "rgba", *reader)
    assert got.shape == (3, 96, 128, 4)
    assert psnr(got[..., 3], cut_out()[..., 3]) > (15 if ending == ".gif" else 36)
    solid = cut_out()[0, ..., 3] == 255
    assert psnr(got[:, solid, :3], cut_out()[:, solid, :3]) > (22 if ending == ".gif" else 32)
    if ending == ".webm":
        told = ffmpeg("-i", tmp_path / "out.webm", "-map_metadata", "0:s:0", "-f", "ffmetadata", "-")
        assert b"alpha_mode=1" in told.lower()
    else:
        assert layout in said(tmp_path / f"out{ending}")
    again = ClipSource.of(tmp_path / f"out{ending}", Input())  # and it is read as it was written
    again.deep = True
    read = next(again.frames()).deep
    assert read is not None
    assert read.alpha is not None
    assert psnr(read.alpha[..., 0] * 255, cut_out()[0, ..., 3]) > (15 if ending == ".gif" else 36)


def test_where_it_cannot_be_it_is_laid_over_black_and_said(tmp_path: Path) -> None:
    made = through(transparent(tmp_path / "source.mkv"), tmp_path / "out.mp4", crf=4)
    assert len([note for note in made.notes if "no transparency" in note]) == 1
    over = cut_out()[..., :3] * (cut_out()[..., 3:] / 255)
    assert psnr(shown(tmp_path / "out.mp4"), over) > 28
    assert shown(tmp_path / "out.mp4")[:, 0, 0].max() <= 2


def test_the_dream_stays_within_what_is_seen(tmp_path: Path) -> None:
    source = transparent(tmp_path / "source.mkv")
    through(source, tmp_path / "out.mkv", codec="ffv1", **DREAM)
    got = shown(tmp_path / "out.mkv", "rgba")
    hidden, solid = cut_out()[0, ..., 3] == 0, cut_out()[0, ..., 3] == 255
    assert np.array_equal(got[:, hidden], cut_out()[:, hidden])
    assert np.abs(got[:, solid, :3].astype(int) - cut_out()[:, solid, :3]).mean() > 0.5
    assert np.array_equal(got[..., 3], cut_out()[..., 3])


@pytest.mark.parametrize("ending", [".png", ".tif"])
@pytest.mark.parametrize("channels", [3, 4])
def test_pictures_of_sixteen_bits_stay_so(tmp_path: Path, ending: str, channels: int) -> None:
    rng = np.random.default_rng(1)
    deep = rng.integers(0, 65536, (40, 48, channels), np.uint16)
    cv2.imwrite(str(tmp_path / f"in{ending}"), deep)
    through(tmp_path / f"in{ending}", tmp_path / f"out{ending}", octaves=1)
    got = cv2.imread(str(tmp_path / f"out{ending}"), cv2.IMREAD_UNCHANGED)
    assert got.dtype == np.uint16
    assert np.array_equal(got, deep)
    if ending == ".png":
        assert "[dream]" in (stills.recipe(tmp_path / "out.png") or "")


def hdr(path: Path, curve: str) -> Path:
    """A ramp of PQ or HLG in bt2020, with a mastering display, as h265."""
    ramp = (
        np.repeat((np.arange(256) * 200 + 6000).astype(np.uint16)[None, None, :, None], 120, 1)
        .repeat(3, 3)
        .repeat(3, 0)
    )
    tag = {"pq": "smpte2084", "hlg": "arib-std-b67"}[curve]
    scale = "scale=out_color_matrix=bt2020:out_range=tv:flags=accurate_rnd,format=yuv420p10le"
    tags = f"setparams=color_primaries=bt2020:color_trc={tag}:colorspace=bt2020nc"
    params = (
        f"log-level=none:crf=2:hdr10=1:master-display={MASTER}:max-cll=1000,400"
        if curve == "pq"
        else "log-level=none:crf=2"
    )
    return write_raw(
        path, ramp, "-vf", f"{scale},{tags}", "-c:v", "libx265", "-x265-params", params, layout="rgb48le"
    )


@pytest.mark.parametrize(
    ("curve", "ending", "codec"),
    [
        ("pq", ".mp4", "auto"),
        ("hlg", ".mp4", "auto"),
        ("hlg", ".mov", "prores"),
        ("pq", ".mkv", "ffv1"),
        ("pq", ".webm", "av1"),
        ("hlg", ".mkv", "av1"),
        ("hlg", ".mkv", "ffv1"),
        ("pq", ".mov", "prores4444"),
        ("pq", ".mov", "dnxhr"),
    ],
)
def test_hdr_stays_hdr_with_its_tags(tmp_path: Path, curve: str, ending: str, codec: str) -> None:
    source = hdr(tmp_path / "source.mp4", curve)
    out = tmp_path / f"out{ending}"
    through(source, out, codec=codec, crf=2)
    tag = {"pq": "smpte2084", "hlg": "arib-std-b67"}[curve]
    told = said(out)
    assert f"bt2020/{tag}" in told
    before, after = shown(source, "rgb48le")[1, 32], shown(out, "rgb48le")[1, 32]
    assert np.abs(after.astype(int) - before).max() <= 3 * 257
    if codec in ("auto", "av1") and curve == "pq":
        assert ClipSource.of(out, Input()).clip.pixels.mastering == MASTER
        assert ClipSource.of(out, Input()).clip.pixels.light == "1000,400"


@pytest.mark.parametrize("curve", ["pq", "hlg"])
def test_hdr_is_mapped_to_sdr_where_it_has_to_be_and_said(tmp_path: Path, curve: str) -> None:
    source = hdr(tmp_path / "source.mp4", curve)
    made = through(source, tmp_path / "out.mp4", codec="h264")
    assert len([note for note in made.notes if "mapped to SDR" in note]) == 1
    assert any(
        "ffv1 in .nut holds no HDR" in n for n in through(source, tmp_path / "o.nut", codec="ffv1").notes
    )
    asked = through(source, tmp_path / "asked.mp4", hdr="sdr")
    assert not [note for note in asked.notes if "mapped" in note]
    for name in ("out.mp4", "asked.mp4"):
        assert "(tv, bt709" in said(tmp_path / name)
        line = shown(tmp_path / name)[1, 32, :, 1].astype(int)
        assert np.all(np.diff(line) >= -2)
        assert line[0] < 40
        assert line[-1] > 235


@pytest.mark.skipif(not exr.is_there(), reason="needs OpenEXR")
@pytest.mark.parametrize("curve", ["pq", "hlg", "sdr", "eight"])
def test_film_becomes_linear_light_in_exr_and_other_pictures_say_they_hold_no_hdr(
    tmp_path: Path, curve: str
) -> None:
    if curve == "eight":
        source = write_raw(tmp_path / "s.mkv", pan(2), "-c:v", "ffv1", "-pix_fmt", "bgr0")
    else:
        source = hdr(tmp_path / "source.mp4", "pq" if curve == "sdr" else curve)
    words = {"hdr": "sdr"} if curve == "sdr" else {}
    through(source, tmp_path / "out.%d.exr", **words)
    shown_ = exr.read(tmp_path / "out.0.exr").values
    if curve in ("sdr", "eight"):
        assert shown_.max() <= 1
        back = stills.read(tmp_path / "out.0.exr").astype(int)  # and it is read as it was written
        seen = pan(2)[0] if curve == "eight" else light.tone_mapped(shown(source, "rgb48le")[0], "pq")
        assert np.abs(back - seen).max() <= (1 if curve == "eight" else 4)
        return
    code = shown(source, "rgb48le")[0, 60, :, 1] / 65535  # grey, so its primaries do not matter
    nits = np.interp({"pq": 0.58, "hlg": 0.75}[curve], code, shown_[60, :, 1]) * 203
    assert nits == pytest.approx(203, rel=0.03)  # ITU-R BT.2408: reference white
    assert shown_.max() > 2
    made = through(source, tmp_path / "out.%d.png", **words)
    assert [note for note in made.notes if ".png pictures hold no HDR: mapped to SDR" in note]


def test_reference_white_becomes_a_light_grey_and_black_stays_black() -> None:
    for curve, code in (("pq", 0.58), ("hlg", 0.75)):
        white = np.full((1, 1, 3), round(code * 65535), np.uint16)
        assert 215 <= light.tone_mapped(white, curve)[0, 0, 0] <= 245
        assert light.tone_mapped(white * 0, curve).max() == 0
        assert light.tone_mapped(white * 0 + 65535, curve).min() == 255


def test_the_dream_is_laid_on_hdr_at_its_own_depth(tmp_path: Path) -> None:
    source = hdr(tmp_path / "source.mp4", "hlg")
    through(source, tmp_path / "out.mkv", codec="ffv1", **DREAM)
    got, was = shown(tmp_path / "out.mkv", "rgb48le"), shown(source, "rgb48le")
    moved = np.abs(got.astype(int) - was)
    assert moved.mean() > 50
    assert len(np.unique(got)) > 1000


def test_what_a_layer_does_not_touch_is_bit_for_bit_the_same() -> None:
    """In linear light, values of 50 and -0.1 survive, and the way there and back is exact to the last bits."""
    values = np.concatenate([texture(8, 8).astype(np.float32) / 255, np.full((8, 8, 3), 50, np.float32)])
    values[0, 0] = -0.1
    layer = np.zeros_like(values)
    layer[4:12] = 0.1
    laid = light.lay(Deep(values, None, "linear"), layer)
    assert np.array_equal(laid.values[:4], values[:4])
    assert np.array_equal(laid.values[12:], values[12:])
    assert (laid.values[4:12] > values[4:12]).all()
    nothing = light.lay(Deep(values, None, "linear"), layer * 0 + 1e-9)
    assert np.allclose(nothing.values, values, rtol=2e-5, atol=1e-6)


def test_bars_in_a_gif_and_a_jpeg(tmp_path: Path) -> None:
    source = write_raw(tmp_path / "source.mkv", np.stack([bars()] * 2), "-c:v", "ffv1", "-pix_fmt", "bgr0")
    through(source, tmp_path / "out.gif")
    assert np.abs(middles(shown(tmp_path / "out.gif")[1]) - middles(bars())).max() <= 6
    through(source, tmp_path / "out.%d.jpg")
    raw = ffmpeg("-i", tmp_path / "out.1.jpg", "-pix_fmt", "rgb24", "-f", "rawvideo", "-")
    assert np.abs(middles(np.frombuffer(raw, np.uint8).reshape(96, 224, 3)) - middles(bars())).max() <= 6
