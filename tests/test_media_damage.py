"""What is broken, odd or hostile: what can be shown is shown, the rest is counted, and nothing else is opened."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from filming import pan, psnr, shown, stamps, through, write_raw
from pipeline.clip import Size
from pipeline.errors import InputError, OutputError, UsageError
from pipeline.settings import Input
from pipeline.sources import ClipSource
from pipeline.stages import stills
from pipeline.stages.decode import Decoder

sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))
import fuzz_media

X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "6", "-crf", "6", "-pix_fmt", "yuv444p")


def clip(path: Path, frames: int = 30, *words: str) -> Path:
    return write_raw(path, pan(frames), *X264, *words)


@pytest.mark.parametrize("ending", [".mkv", ".ts", ".avi", ".nut"])
def test_a_file_that_breaks_off_gives_what_was_there(tmp_path: Path, ending: str) -> None:
    path = clip(tmp_path / f"clip{ending}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    through(path, tmp_path / "out.mp4")
    got = shown(tmp_path / "out.mp4")
    assert 10 <= len(got) < 30
    assert psnr(got[:10], pan(30)[:10]) > 34


def test_an_index_that_promises_more_than_there_is_is_told(tmp_path: Path) -> None:
    path = clip(tmp_path / "clip.mp4", 30, "-movflags", "+faststart")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    made = through(path, tmp_path / "out.mp4")
    got = len(shown(tmp_path / "out.mp4"))
    assert 10 <= got < 30
    assert any("damaged" in note for note in made.notes)
    with pytest.raises(InputError, match="strict"):
        through(path, tmp_path / "strict.mp4", strict=True)


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".ts"])
def test_garbage_inside_is_held_over_counted_and_told_once(tmp_path: Path, ending: str) -> None:
    path = clip(tmp_path / f"clip{ending}")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 700] = bytes(700)
    path.write_bytes(data)
    planned = Decoder.open(path).clip.frames
    made = through(path, tmp_path / "out.mp4")
    assert len(shown(tmp_path / "out.mp4")) == planned
    assert len([note for note in made.notes if "damaged frames were held over" in note]) == 1


def test_times_that_run_backwards_never_run_backwards_in_the_film(tmp_path: Path) -> None:
    first, second = clip(tmp_path / "one.ts", 12), clip(tmp_path / "two.ts", 12)
    (tmp_path / "both.ts").write_bytes(first.read_bytes() + second.read_bytes())
    source = ClipSource.of(tmp_path / "both.ts", Input())
    frames = list(source.frames())
    assert len(frames) == source.clip.frames >= 12
    assert all(a.pts < b.pts for a, b in pairwise(frames))
    through(tmp_path / "both.ts", tmp_path / "out.mp4")
    assert len(shown(tmp_path / "out.mp4")) == source.clip.frames


def test_a_size_that_changes_midway_is_brought_to_the_first(tmp_path: Path) -> None:
    first = clip(tmp_path / "one.h264", 6)
    second = write_raw(tmp_path / "two.h264", pan(6, 48, 64), *X264)
    (tmp_path / "both.h264").write_bytes(first.read_bytes() + second.read_bytes())
    through(tmp_path / "both.h264", tmp_path / "out.mp4")
    got = shown(tmp_path / "out.mp4")
    assert got.shape == (12, 96, 128, 3)
    assert psnr(got[9], np.stack([stills.resized(p, Size(96, 128)) for p in pan(6, 48, 64)])[3]) > 24


def test_a_stream_without_times_or_length_runs_at_its_rate(tmp_path: Path) -> None:
    path = clip(tmp_path / "bare.h264", 12)
    through(path, tmp_path / "out.mp4")
    assert len(stamps(tmp_path / "out.mp4")) == 12


def test_a_wrong_ending_is_seen_through(tmp_path: Path) -> None:
    path = clip(tmp_path / "clip.mkv", 4).rename(tmp_path / "clip.avi")
    through(path, tmp_path / "out.mp4")
    assert len(shown(tmp_path / "out.mp4")) == 4
    stills.write(tmp_path / "picture.png", pan(1)[0])
    (tmp_path / "picture.png").rename(tmp_path / "picture.mp4")
    with pytest.raises(InputError, match=r"picture\.mp4"):
        through(tmp_path / "picture.mp4", tmp_path / "none.mp4")


def test_gaps_in_numbers_are_gaps_in_time_and_told(tmp_path: Path) -> None:
    for number in (7, 8, 11, 12):
        stills.write(tmp_path / f"f.{number:04d}.png", pan(20)[number])
    made = through(tmp_path / "f.%04d.png", tmp_path / "out.mp4")
    assert [int(row[2]) for row in stamps(tmp_path / "out.mp4")] == [0, 1, 4, 5]
    assert any("no f.0009.png" in note and "2 missing" in note for note in made.notes)
    with pytest.raises(InputError, match="missing"):
        through(tmp_path / "f.%04d.png", tmp_path / "strict.mp4", strict=True)


def test_names_without_padding_are_in_the_order_people_mean(tmp_path: Path) -> None:
    for number in (9, 10, 11, 100):
        stills.write(tmp_path / f"shot {number} b.png", np.full((32, 32, 3), number, np.uint8))
    through(tmp_path, tmp_path / "out.mkv", codec="ffv1", octaves=1)
    assert [int(picture.mean()) for picture in shown(tmp_path / "out.mkv")] == [9, 10, 11, 100]


NAMES = ["-i.mp4", "new\nline.mp4", "quo'te\".mp4", "per%cent %04d.mp4",
         "ünï\u4e2d\U0001f332.mp4", "a" * 251 + ".mp4",
         "concat:x|y.mp4", "semi;colon&amp.mp4", "tab\t.mp4", "[brackets].mp4", "http:.mp4"]  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_odd_names_are_only_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_clip: Callable[..., Path], name: str
) -> None:
    make_clip(frames=2).rename(tmp_path / name)
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.chdir(tmp_path)
    through(name if name.startswith("-") else tmp_path / name, out / f"x{name[-40:]}")
    assert len(list(out.iterdir())) == 1
    (written,) = out.iterdir()
    assert Decoder.open(written).clip.frames == 2


@pytest.mark.parametrize(
    "name", ["concat:a.mp4|b.mp4", "http://127.0.0.1:9/a.mp4", "subfile,,start,0,end,9,,:a.mp4",
             "data:video/mp4;base64,AA",
             "file:///etc/passwd", "tcp://127.0.0.1:9", "pipe:0", "crypto:a.mp4"],
)  # fmt: skip
def test_protocols_are_neither_read_nor_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_clip: Callable[..., Path], name: str
) -> None:
    with pytest.raises(InputError, match="no such file"):
        through(name, tmp_path / "out.mp4")
    monkeypatch.chdir(tmp_path)
    with contextlib.suppress(OutputError, UsageError):  # or it is the name of a file here, and nothing else
        through(make_clip(frames=2), Path(name))
        assert Decoder.open(tmp_path / name).clip.frames == 2


DISGUISES = {
    "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nclip.mp4\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile clip.mp4\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    "mpd": "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011' type='static' "
    "mediaPresentationDuration='PT1S'><Period><AdaptationSet mimeType='video/mp4'><Representation id='1' "
    "bandwidth='9'><BaseURL>clip.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>",
    "hls with bytes": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n#EXT-X-BYTERANGE:9@0\nfile:clip.mp4\n",
    "vobsub": "# VobSub index file, v7 (do not modify this line!)\ntimestamp: 00:00:00:000, filepos: 0\n",
    "srt": "1\n00:00:00,000 --> 00:00:01,000\n<font face='file:clip.mp4'>{\\an8}http://127.0.0.1:9/</font>\n",
    "avisynth": 'AVISource("clip.mp4")\n',
    "image pattern": "P3 clip%d.mp4\n",
    "svg": "<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
}  # fmt: skip


def test_a_film_that_is_not_whole_or_empty_is_called_so(
    tmp_path: Path, make_clip: Callable[..., Path]
) -> None:
    path = make_clip(frames=4)
    whole = path.read_bytes()
    for size, said in ((0, "is empty"), (len(whole) // 3, "not whole")):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match=said):
            Decoder.open(path)


@pytest.mark.parametrize("kind", DISGUISES)
@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".avi", ".gif"])
def test_playlists_in_disguise_are_not_followed(
    tmp_path: Path, make_clip: Callable[..., Path], kind: str, ending: str
) -> None:
    make_clip(frames=2)
    (tmp_path / f"film{ending}").write_text(DISGUISES[kind])
    with pytest.raises(InputError, match="cannot be read as a clip"):
        Decoder.open(tmp_path / f"film{ending}")


def test_a_film_that_points_at_another_file_does_not_get_it(
    tmp_path: Path, make_clip: Callable[..., Path]
) -> None:
    """A QuickTime data reference: the index here, the pictures elsewhere."""
    path = make_clip(frames=2, sound=False)
    data = path.read_bytes()
    name = str(path).encode()
    alis = bytes(150) + (2).to_bytes(2, "big") + len(name).to_bytes(2, "big") + name  # 2: an absolute path
    alis += b"\0" * (len(name) % 2) + b"\xff\xff\0\0"
    box = (12 + len(alis)).to_bytes(4, "big") + b"alis" + bytes(4) + alis
    at = data.index(b"\0\0\0\x0curl \0\0\0\x01")
    grown = data[:at] + box + data[at + 12 :]
    for kind in (b"dref", b"dinf", b"minf", b"mdia", b"trak", b"moov"):
        place = data.rindex(kind, 0, at) - 4
        size = int.from_bytes(data[place : place + 4], "big") + len(box) - 12
        grown = grown[:place] + size.to_bytes(4, "big") + grown[place + 4 :]
    start = grown.index(b"mdat") - 4
    size = int.from_bytes(grown[start : start + 4], "big")
    (tmp_path / "pointer.mov").write_bytes(grown[: start + 8] + bytes(size - 8) + grown[start + size :])
    told = {"enable_drefs": "1", "use_absolute_path": "1"}  # which nobody is
    with av.open(str(tmp_path / "pointer.mov"), options=told) as film:
        assert len(list(film.decode(video=0))) == 2
    with pytest.raises(InputError):
        through(tmp_path / "pointer.mov", tmp_path / "out.mp4", strict=True)


@pytest.mark.parametrize("link", [os.symlink, os.link], ids=["symlink", "hard link"])
def test_the_source_is_never_written_over(
    tmp_path: Path, make_clip: Callable[..., Path], link: Callable[[Path, Path], None]
) -> None:
    from pipeline.destination import Destination

    path, other = make_clip(frames=2), tmp_path / "other.mp4"
    link(path, other)
    source = ClipSource.of(path, Input())
    for out in (path, other, tmp_path / "." / "clip.mp4"):
        with pytest.raises(OutputError, match="is what is to be dreamed"):
            Destination.of(str(out), str(path), source).check(source, overwrite=True, going_on=False)


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_mutated_files_end_as_films_or_as_errors_with_a_name(tmp_path: Path) -> None:
    """A sample of what scripts/fuzz_media.py does by the hundred."""
    whole = {kind: path.read_bytes() for kind, path in fuzz_media.sources(tmp_path).items()}
    ends = []
    for seed, kind in enumerate([*whole, *whole]):
        path = tmp_path / f"damaged-{seed}.{kind}"
        path.write_bytes(fuzz_media.damaged(whole, kind, seed))
        ends.append(fuzz_media.alone(path, 30))
    assert not [end for end in ends if end.startswith("bad")]
    assert any(end.startswith("film") for end in ends)
