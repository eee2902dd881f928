"""Time and what runs beside the picture, through the whole program with nothing dreamed, by the ffmpeg binary."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from filming import ffmpeg, pan, psnr, shown, stamps, through, write_raw
from pipeline import tags
from pipeline.errors import UsageError
from pipeline.sources.base import rate_of

X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "4", "-pix_fmt", "yuv444p")
VFR = ("-fps_mode", "passthrough", "-enc_time_base", "1/90000", "-video_track_timescale", "90000", "-bf", "2")
OPEN = (
    "-c:v",
    "libx264",
    "-crf",
    "4",
    "-pix_fmt",
    "yuv444p",
    "-x264-params",
    "open-gop=1:bframes=3:keyint=12:b-adapt=0",
)
TONE = ("-f", "lavfi", "-i", "sine=440:r=48000:d=2,aformat=channel_layouts=stereo,volume=0.5")


def times(path: Path, kind: str = "v") -> list[Fraction]:
    """When each packet is shown, in seconds, in order, by the ffmpeg binary."""
    head = ffmpeg("-i", path, "-map", f"0:{kind}", "-c", "copy", "-f", "framehash", "-").decode()
    unit = next(Fraction(line.split(":")[1].strip()) for line in head.splitlines() if line.startswith("#tb"))
    return sorted(int(row[2]) * unit for row in stamps(path, kind))


def samples(path: Path, *words: str) -> np.ndarray:
    """A film's sound, decoded by the ffmpeg binary: one channel at 48 kHz."""
    raw = ffmpeg("-i", path, *words, "-map", "0:a:0", "-ac", "1", "-ar", "48000", "-f", "f32le", "-")
    return np.frombuffer(raw, np.float32)


@pytest.fixture(scope="module")
def sounding(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds at 24 frames a second, open groups and B-frames, with two sound tracks, chapters and a title."""
    folder = tmp_path_factory.mktemp("sounding")
    silent = write_raw(folder / "silent.mp4", pan(48), *OPEN)
    (folder / "notes.txt").write_text(
        ";FFMETADATA1\ntitle=Plants\ncomment=mine\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\ntitle=One\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=1000\nEND=2000\ntitle=Two\n"
    )
    (folder / "words.srt").write_text(
        "1\n00:00:00,200 --> 00:00:00,900\nhello\n\n2\n00:00:01,200 --> 00:00:01,900\nagain, ünicode\n"
    )
    path = folder / "sounding.mp4"
    ffmpeg(
        "-i", silent, *TONE, "-f", "lavfi", "-i", "anoisesrc=r=44100:a=0.3:d=2:seed=1", "-i", folder / "words.srt",
        "-i", folder / "notes.txt", "-map", "0:v", "-map", "1", "-map", "2", "-map", "3", "-map_metadata", "4",
        "-c:v", "copy", "-c:a:0", "aac", "-c:a:1", "libmp3lame", "-c:s", "mov_text",
        "-metadata:s:a:1", "language=fra", path,
    )  # fmt: skip
    return path


@pytest.mark.parametrize("rate", ["24000/1001", "30000/1001", "60000/1001", "25"])
@pytest.mark.parametrize("ending", [".mp4", ".mov"])
def test_rates_are_exact(tmp_path: Path, rate: str, ending: str) -> None:
    source = write_raw(tmp_path / "source.mp4", pan(30, 48, 64), *OPEN, rate=rate)
    through(source, tmp_path / f"out{ending}")
    assert times(tmp_path / f"out{ending}") == [k / Fraction(rate) for k in range(30)]


@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
def test_uneven_times_come_through_to_the_tick(tmp_path: Path, ending: str) -> None:
    uneven = "settb=1/90000,setpts='(N*40+mod(N*N*7\\,31))*90'"
    source = write_raw(tmp_path / "source.mp4", pan(40, 48, 64), "-vf", uneven, *VFR, *X264)
    through(source, tmp_path / f"out{ending}")
    meant = times(source)
    assert len(set(np.diff([float(t) for t in meant]).round(4))) > 8
    assert times(tmp_path / f"out{ending}") == meant


def test_a_film_that_begins_late_begins_late(tmp_path: Path, sounding: Path) -> None:
    late = tmp_path / "late.mp4"
    ffmpeg(
        "-itsoffset", "0.52", "-i", sounding, "-i", sounding, "-map", "0:v", "-map", "1:a", "-c", "copy", late
    )
    through(late, tmp_path / "out.mp4")
    assert times(late)[0] > Fraction(1, 2)
    assert times(tmp_path / "out.mp4") == times(late)
    assert times(tmp_path / "out.mp4", "a:0") == times(late, "a:0")


@pytest.mark.parametrize(("start", "end"), [(None, "7"), ("13", "31"), ("0.5s", "1.5s"), ("47", None)])
def test_a_part_is_exact_to_the_frame(
    tmp_path: Path, sounding: Path, start: str | None, end: str | None
) -> None:
    through(sounding, tmp_path / "part.mp4", start=start, end=end)
    number = {None: 0, "0.5s": 12, "1.5s": 36}
    first = number.get(start) if start in number else int(start or 0)
    last = 48 if end is None else number[end] if end in number else int(end)
    assert times(tmp_path / "part.mp4") == [Fraction(k, 24) for k in range(last - first)]
    got, wanted = shown(tmp_path / "part.mp4"), pan(48)
    for k in range(last - first):
        near = [psnr(got[k], wanted[first + k + d]) for d in (-1, 0, 1) if 0 <= first + k + d < 48]
        assert max(near) == psnr(got[k], wanted[first + k]) > 34


def test_every_third_frame_keeps_its_time(tmp_path: Path, sounding: Path) -> None:
    through(sounding, tmp_path / "third.mp4", every=3)
    assert times(tmp_path / "third.mp4") == [Fraction(3 * k, 24) for k in range(16)]
    assert all(psnr(a, b) > 34 for a, b in zip(shown(tmp_path / "third.mp4"), pan(48)[::3], strict=True))
    assert stamps(tmp_path / "third.mp4", "a:0") == stamps(sounding, "a:0")


@pytest.mark.parametrize(
    ("fps", "exact"), [("12", Fraction(12)), ("29.97", Fraction(30000, 1001)), ("60", Fraction(60))]
)
def test_another_rate_shows_what_was_on_the_screen_then(
    tmp_path: Path, sounding: Path, fps: str, exact: Fraction
) -> None:
    through(sounding, tmp_path / "out.mp4", fps=fps, end="24")
    assert times(tmp_path / "out.mp4") == [k / exact for k in range(round(exact))]
    wanted = pan(48)
    for k, picture in enumerate(shown(tmp_path / "out.mp4")):
        assert psnr(picture, wanted[int(k / exact * 24)]) > 34


def test_rates_as_people_write_them() -> None:
    assert [rate_of(text) for text in ("23.976", "29.97", "59.94", "24", "25/2", "12.5")] == [
        Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001), 24, Fraction(25, 2), Fraction(25, 2)
    ]  # fmt: skip
    for text in ("0", "-1", "24fps", "1/0"):
        with pytest.raises(UsageError, match="--fps"):
            rate_of(text)


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv"])
def test_every_sound_track_is_bit_for_bit_the_same(tmp_path: Path, sounding: Path, ending: str) -> None:
    out = tmp_path / f"out{ending}"
    made = through(sounding, out)
    for track in ("a:0", "a:1"):
        assert [row[4:6] for row in stamps(out, track)] == [row[4:6] for row in stamps(sounding, track)]
    begins = (
        times(out)[0] - times(sounding)[0]
    )  # Matroska cannot begin before 0, as sound that is primed does
    assert abs(times(out, "a:1")[0] - times(sounding, "a:1")[0] - begins) <= Fraction(1, 1000)
    assert begins == 0 or ending == ".mkv"
    with av.open(str(out)) as film:
        assert [stream.type for stream in film.streams].count("video") == 1
        assert film.streams.audio[1].metadata["language"] == "fra"
        assert film.metadata.get("title", film.metadata.get("TITLE")) == "Plants"
        assert [chapter["metadata"]["title"] for chapter in film.chapters()] == ["One", "Two"]
    assert not [note for note in made.notes if "audio" in note]


@pytest.mark.parametrize("ending", [".mp4", ".mov"])
def test_sound_is_cut_to_the_sample(tmp_path: Path, sounding: Path, ending: str) -> None:
    """The packet in which the part begins comes along, and the container says where in it to start."""
    through(sounding, tmp_path / f"part{ending}", start="13", end="31")
    whole, part = samples(sounding), samples(tmp_path / f"part{ending}")
    first = 13 * 2000
    assert abs(len(part) - 18 * 2000) <= 1024
    alike = min(len(part), 18 * 2000)
    assert np.abs(part[2048:alike] - whole[first + 2048 : first + alike]).max() < 1e-3
    assert np.abs(part[:2048] - whole[first : first + 2048]).max() < 0.05
    kept = {row[5] for row in stamps(tmp_path / f"part{ending}", "a:0")}
    assert kept <= {row[5] for row in stamps(sounding, "a:0")}


def test_sound_a_container_cannot_hold_is_made_anew_and_said_once(tmp_path: Path, sounding: Path) -> None:
    out = tmp_path / "out.webm"
    made = through(sounding, out, codec="vp9", start="12", end="36")
    told = [note for note in made.notes if "re-encoded as libopus" in note]
    assert len(told) == 2
    part, whole = samples(out), samples(sounding)[24000:72000]
    assert abs(len(part) - 48000) < 2000
    shared = min(len(part), len(whole))
    assert np.corrcoef(part[4800:shared], whole[4800:shared])[0, 1] > 0.99


def test_subtitles_come_along_and_are_rewritten_where_they_must_be(tmp_path: Path, sounding: Path) -> None:
    through(sounding, tmp_path / "same.mp4")
    made = through(sounding, tmp_path / "other.mkv")
    through(tmp_path / "other.mkv", tmp_path / "back.mp4")
    assert any("rewritten as subrip" in note for note in made.notes)
    meant = ffmpeg("-i", sounding, "-f", "srt", "-").decode()
    assert "again, ünicode" in meant
    assert ffmpeg("-i", tmp_path / "same.mp4", "-f", "srt", "-").decode() == meant
    begins = times(tmp_path / "other.mkv")[0]
    assert begins < Fraction(26, 1000)
    for name in ("other.mkv", "back.mp4"):
        assert (
            ffmpeg("-itsoffset", str(-float(begins)), "-i", tmp_path / name, "-f", "srt", "-").decode()
            == meant
        )
    through(sounding, tmp_path / "part.mp4", start="24")
    assert (
        "00:00:00,200 --> 00:00:00,900\nagain"
        in ffmpeg("-i", tmp_path / "part.mp4", "-f", "srt", "-").decode()
    )


def test_chapters_are_cut_with_the_film(tmp_path: Path, sounding: Path) -> None:
    through(sounding, tmp_path / "part.mp4", start="12", end="36")
    told = ffmpeg("-i", tmp_path / "part.mp4", "-f", "ffmetadata", "-").decode()
    assert [line for line in told.splitlines() if line.startswith(("START", "END", "title="))] == [
        "title=Plants", "START=0", "END=500", "title=One", "START=500", "END=1000", "title=Two",
    ]  # fmt: skip


@pytest.mark.parametrize("ending", [".mov", ".mp4"])
def test_timecode_is_that_of_the_first_frame(tmp_path: Path, ending: str) -> None:
    source = write_raw(tmp_path / "source.mov", pan(24, 48, 64), "-timecode", "01:00:59:20", *X264, rate="25")
    through(source, tmp_path / f"part{ending}", start="6")
    told = ffmpeg(
        "-i", tmp_path / f"part{ending}", "-map_metadata", "0:s:0", "-f", "ffmetadata", "-"
    ).decode()
    assert "timecode=01:01:00:01" in told


def test_timecodes_that_drop_numbers() -> None:
    ntsc, fast = Fraction(30000, 1001), Fraction(60000, 1001)
    assert tags.later("00:00:59;29", 1 / ntsc, ntsc) == "00:01:00;02"
    assert tags.later("00:09:59;29", 1 / ntsc, ntsc) == "00:10:00;00"
    assert tags.later("00:00:00;00", 1800 / ntsc, ntsc) == "00:01:00;02"
    assert tags.later("00:00:00;00", 17982 / ntsc, ntsc) == "00:10:00;00"
    assert tags.later("00:00:59;59", 1 / fast, fast) == "00:01:00;04"
    assert tags.later("10:00:00:00", Fraction(2), Fraction(24)) == "10:00:02:00"
    assert tags.later("soon", Fraction(1), Fraction(24)) is None


def test_cover_art_is_neither_the_film_nor_a_second_one(tmp_path: Path, sounding: Path) -> None:
    cover = write_raw(tmp_path / "cover.png", pan(1, 64, 64))
    covered = tmp_path / "covered.mp4"
    ffmpeg(
        "-i", cover, "-i", sounding, "-map", "0", "-map", "1:v", "-map", "1:a:0", "-c", "copy",
        "-disposition:v:0", "attached_pic", covered,
    )  # fmt: skip
    through(covered, tmp_path / "out.mp4", end="3")
    assert shown(tmp_path / "out.mp4").shape == (3, 96, 128, 3)
