"""Media in and out: times, colour, rotation and sound survive; read back by the other library."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest

from conftest import frames_of, texture
from filming import bars
from pipeline import codecs, media
from pipeline.clip import Clip, Frame, Segment, Size
from pipeline.errors import InputError, OutputError, UsageError
from pipeline.files import whole
from pipeline.stages import encode, join, stills
from pipeline.stages.decode import Decoder

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def ffmpeg(*words: str | Path) -> bytes:
    command = [FFMPEG, "-v", "error", "-y", *map(str, words)]
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout


def encoding(size: Size, codec: str = "h264", crf: int = 8) -> encode.Encoding:
    return encode.Encoding(codec, crf, "veryfast", codecs.pixel_format("auto", codec, size), 2)


def write_film(
    path: Path, frames: list[Frame], clip: Clip, per_segment: int, beside: join.Beside | None = None
) -> None:
    pieces = []
    for start in range(0, len(frames), per_segment):
        part = frames[start : start + per_segment]
        piece = path.with_name(f"{path.stem}-{start}.mp4")
        with encode.film(piece, clip, encoding(clip.size)) as write:
            for frame in part:
                write(frame.picture, frame)
        pieces.append((Segment(part[0].index, part[-1].index + 1, part[0].pts, part[-1].pts), piece))
    join.join(pieces, path, clip, beside, "[dream]\n")


def packets(path: Path, kind: str) -> list[tuple[int | None, bytes]]:
    with av.open(str(path)) as file:
        return [(p.pts, bytes(p)) for p in file.demux(**{kind: 0}) if p.size]


@pytest.mark.parametrize("rate", [Fraction(24), Fraction(24000, 1001), Fraction(30000, 1001), Fraction(25)])
def test_every_pts_comes_through_segments_and_join(tmp_path: Path, rate: Fraction) -> None:
    clip = Clip("made", Size(48, 64), Fraction(1, rate.numerator), rate, 30)
    frames = [
        Frame(i, 7 * rate.denominator + i * rate.denominator, Fraction(i) / rate, texture(48, 64, i // 4))
        for i in range(30)
    ]
    write_film(tmp_path / "film.mp4", frames, clip, per_segment=11)
    read = Decoder.open(tmp_path / "film.mp4")
    assert [pts * read.clip.time_base for pts in read.times] == [f.pts * clip.time_base for f in frames]
    counted = ffmpeg("-i", tmp_path / "film.mp4", "-fps_mode", "passthrough", "-f", "framehash", "-")
    assert len([line for line in counted.splitlines() if not line.startswith(b"#")]) == 30


def test_uneven_times_stay_uneven(tmp_path: Path) -> None:
    ticks = [0, 40, 55, 200, 201, 400, 460, 700]
    clip = Clip("made", Size(48, 64), Fraction(1, 1000), Fraction(12), len(ticks))
    frames = [Frame(i, pts, Fraction(pts, 1000), texture(48, 64, i)) for i, pts in enumerate(ticks)]
    write_film(tmp_path / "film.mp4", frames, clip, per_segment=3)
    assert Decoder.open(tmp_path / "film.mp4").times == ticks


def test_pictures_come_back_in_their_order(tmp_path: Path) -> None:
    frames = frames_of([np.full((48, 64, 3), 40 + 8 * i, np.uint8) for i in range(20)])
    write_film(
        tmp_path / "film.mp4", frames, Clip("made", Size(48, 64), Fraction(1, 24), Fraction(24), 20), 7
    )
    read = [picture.mean() for _, picture in Decoder.open(tmp_path / "film.mp4").pictures()]
    assert np.abs(np.array(read) - [40 + 8 * i for i in range(20)]).max() < 1.5


def test_written_colours_are_what_another_decoder_shows(tmp_path: Path) -> None:
    picture = bars()
    frames = frames_of([picture] * 3)
    write_film(
        tmp_path / "film.mp4", frames, Clip("made", Size(96, 224), Fraction(1, 24), Fraction(24), 3), 3
    )
    shown = ffmpeg(
        "-i", tmp_path / "film.mp4", "-frames:v", "1", "-vf", "scale=flags=accurate_rnd+full_chroma_int",
        "-pix_fmt", "rgb24", "-f", "rawvideo", "-",
    )  # fmt: skip
    decoded = np.frombuffer(shown, np.uint8).reshape(picture.shape).astype(int)
    middles = slice(12, 224, 32)
    assert np.abs(decoded[48, middles] - picture[48, middles]).max() <= 3
    with av.open(str(tmp_path / "film.mp4")) as film:
        context = film.streams.video[0].codec_context
        tags = context.colorspace, context.color_primaries, context.color_trc, context.color_range
    assert [int(tag) for tag in tags] == [1, 1, 1, 1]


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv422p10le", "nv12", "yuva420p", "gray"])
@pytest.mark.parametrize("layout", ["rgb24", "rgba", "rgb48le", "rgba64le"])
def test_planes_made_into_pixels_are_what_swscale_makes_itself(pixels: str, layout: str) -> None:
    size, colour = Size(45, 67), media.Colour("bt709", full_range=False)
    frame = av.VideoFrame.from_ndarray(texture(*size), format="rgb24")
    frame = media.Converter((size, "rgb24"), (size, pixels), write=colour)(frame)
    frame.colorspace, frame.color_range = media.BT709, media.LIMITED
    direct = media.Converter((size, pixels), (size, layout), read=colour)(frame).to_ndarray(format=layout)
    assert np.array_equal(media.to_rgb(frame, {}, None, layout), direct)


@pytest.mark.parametrize(
    ("tags", "size"),
    [
        (["-colorspace", "bt709", "-color_range", "tv"], "224x96"),
        (["-colorspace", "smpte170m", "-color_range", "tv"], "224x96"),
        (["-colorspace", "bt709", "-color_range", "pc"], "224x96"),
        ([], "224x96"),
        ([], "1344x720"),
    ],
    ids=["bt709", "bt601", "full", "untagged-sd", "untagged-hd"],
)
def test_read_colours_are_those_that_were_meant(tmp_path: Path, tags: list[str], size: str) -> None:
    stills.write(tmp_path / "bars.png", bars())
    hd = size.startswith("13")
    matrix = "bt709" if "bt709" in tags or hd else "smpte170m"
    range_ = "pc" if "pc" in tags else "tv"
    flags = f"flags=neighbor+accurate_rnd+full_chroma_int:out_color_matrix={matrix}:out_range={range_}"
    scale = f"scale={size.replace('x', ':')}:{flags}"
    command = ["-loop", "1", "-i", tmp_path / "bars.png", "-frames:v", "2", "-vf", f"{scale},format=yuv420p"]
    # Frames carry the filter's tags; the file gets only those asked for.
    strip = ["-bsf:v", "h264_metadata=colour_primaries=2:transfer_characteristics=2:matrix_coefficients=2"]
    ffmpeg(*command, "-c:v", "libx264", "-crf", "4", *(tags or strip), tmp_path / "film.mp4")
    _, picture = next(Decoder.open(tmp_path / "film.mp4").pictures())
    step = picture.shape[1] // 7
    middles = slice(step // 3, picture.shape[1], step)
    error = np.abs(picture[picture.shape[0] // 2, middles].astype(int) - bars()[48, 12::32])
    assert error.max() <= 3


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_rotated_clips_come_out_upright(tmp_path: Path, make_clip: Callable[..., Path], turn: int) -> None:
    flat, turned = make_clip(), tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", str(turn), "-i", flat, "-c", "copy", turned)
    scale = "scale=flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
    shown = ffmpeg("-i", turned, "-frames:v", "1", "-vf", scale, "-pix_fmt", "rgb24", "-f", "rawvideo", "-")
    decoder = Decoder.open(turned)
    _, picture = next(decoder.pictures())
    assert decoder.clip.size == Size(*picture.shape[:2]) == (Size(96, 128) if turn == 180 else Size(128, 96))
    expected = np.frombuffer(shown, np.uint8).reshape(picture.shape).astype(int)
    assert np.abs(expected - picture).mean() < 1


def test_a_rotated_clip_is_resized_upright(tmp_path: Path, make_clip: Callable[..., Path]) -> None:
    turned = tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", "90", "-i", make_clip(), "-c", "copy", turned)
    decoder = Decoder.open(turned, "max:64")
    _, picture = next(decoder.pictures())
    assert decoder.clip.size == Size(*picture.shape[:2]) == Size(64, 48)
    _, large = next(Decoder.open(turned).pictures())
    assert np.abs(stills.resized(large, Size(64, 48)).astype(int) - picture).mean() < 8


def test_any_frame_can_be_where_reading_starts(make_clip: Callable[..., Path]) -> None:
    decoder = Decoder.open(make_clip(frames=40))
    times, whole_film = decoder.times, dict(decoder.pictures())
    for index in (0, 1, 17, 39):
        part = dict(decoder.pictures(times[index]))
        assert list(part) == times[index:]
        assert np.array_equal(part[times[-1]], whole_film[times[-1]])


@pytest.mark.parametrize("ending", ["open.mp4", "plain.ts", "plain.mkv", "plain.avi", "plain.mpg"])
def test_reading_starts_right_whatever_a_seek_does(
    tmp_path: Path, make_clip: Callable[..., Path], ending: str
) -> None:
    """Open groups of pictures, and containers whose seeks land late or in the middle of nothing."""
    codec = (
        ["mpeg2video"]
        if ending.endswith("mpg")
        else ["libx264", "-x264-params", "open-gop=1:bframes=3:keyint=12"]
    )
    path = tmp_path / ending
    ffmpeg("-i", make_clip(frames=60), "-c:v", *codec, "-g", "12", path)
    decoder = Decoder.open(path)
    whole_film = list(decoder.pictures())
    assert [pts for pts, _ in whole_film] == decoder.times
    assert len(decoder.times) == 60
    for index in (0, 10, 11, 12, 13, 25, 47, 59):
        part = list(decoder.pictures(decoder.times[index]))
        assert [pts for pts, _ in part] == decoder.times[index:]
        assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(part, whole_film[index:], strict=True))


def test_chapters_and_languages_come_along(tmp_path: Path, make_clip: Callable[..., Path]) -> None:
    notes, source = tmp_path / "notes.txt", tmp_path / "noted.mp4"
    notes.write_text(";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=300\ntitle=One\n")
    clip = make_clip(frames=12, sound=True)
    ffmpeg(
        "-i", clip, "-i", notes, "-map_metadata", "1", "-c", "copy", "-metadata:s:a:0", "language=fra", source
    )
    decoder = Decoder.open(source)
    frames = [Frame(i, pts, Fraction(0), picture) for i, (pts, picture) in enumerate(decoder.pictures())]
    write_film(tmp_path / "film.mp4", frames, decoder.clip, 9, join.Beside(source))
    with media.open_clip(tmp_path / "film.mp4") as film:
        assert [chapter["metadata"]["title"] for chapter in film.chapters()] == ["One"]
        assert film.streams.audio[0].metadata["language"] == "fra"


def test_odd_sizes_are_kept(tmp_path: Path) -> None:
    frames = frames_of([texture(61, 83)] * 3)
    clip = Clip("made", Size(61, 83), Fraction(1, 24), Fraction(24), 3)
    write_film(tmp_path / "film.mp4", frames, clip, 3)
    assert Decoder.open(tmp_path / "film.mp4").clip.size == Size(61, 83)
    assert codecs.pixel_format("auto", "h264", Size(61, 83)) == "yuv444p"
    with pytest.raises(UsageError, match="odd sizes need yuv444p"):
        codecs.pixel_format("yuv420p", "h264", Size(61, 83))
    with pytest.raises(UsageError, match="no such format"):
        codecs.pixel_format("yuv421", "h265", Size(60, 80))


def test_sound_is_copied_packet_for_packet(tmp_path: Path, make_clip: Callable[..., Path]) -> None:
    source = make_clip(frames=24, sound=True)
    decoder = Decoder.open(source)
    frames = [
        Frame(i, pts, pts * decoder.clip.time_base, picture)
        for i, (pts, picture) in enumerate(decoder.pictures())
    ]
    write_film(tmp_path / "film.mp4", frames, decoder.clip, 9, join.Beside(source))
    assert packets(tmp_path / "film.mp4", "audio") == packets(source, "audio")
    assert len(packets(tmp_path / "film.mp4", "audio")) > 10


def test_the_recipe_is_in_the_film_and_its_comment_is_left_alone(
    tmp_path: Path, make_clip: Callable[..., Path]
) -> None:
    source = tmp_path / "noted.mp4"
    ffmpeg("-i", make_clip(frames=4), "-c", "copy", "-metadata", "comment=mine", source)
    decoder = Decoder.open(source)
    frames = [Frame(i, pts, Fraction(0), picture) for i, (pts, picture) in enumerate(decoder.pictures())]
    write_film(tmp_path / "film.mp4", frames, decoder.clip, 9, join.Beside(source))
    with media.open_clip(tmp_path / "film.mp4") as film:
        assert film.metadata["dream_video"] == "[dream]\n"
        assert film.metadata["comment"] == "mine"


def test_cover_art_is_not_the_film(tmp_path: Path, make_clip: Callable[..., Path]) -> None:
    stills.write(tmp_path / "cover.png", texture(64, 64))
    ffmpeg(
        "-i", tmp_path / "cover.png", "-i", make_clip(), "-map", "0", "-map", "1", "-c", "copy",
        "-disposition:v:0", "attached_pic", tmp_path / "covered.mp4",
    )  # fmt: skip
    assert Decoder.open(tmp_path / "covered.mp4").clip.size == Size(96, 128)


def test_a_damaged_clip_gives_what_is_good_and_counts_the_rest(make_clip: Callable[..., Path]) -> None:
    path = make_clip(frames=48)
    data = bytearray(path.read_bytes())
    middle = data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 2
    data[middle : middle + 400] = bytes(400)
    path.write_bytes(data)
    decoder = Decoder.open(path)
    assert 24 <= len(list(decoder.pictures())) <= 48
    assert decoder.damaged > 0
    once = decoder.damaged
    list(decoder.pictures())
    assert decoder.damaged == once, "read again it is the same damage"
    with pytest.raises(InputError, match="damaged"):
        list(Decoder.open(path, strict=True).pictures())


@pytest.mark.parametrize(
    "name", ["concat:a.mp4|b.mp4", "http://example.com/a.mp4", "playlist.mp4", "text.mp4", "gone.mp4"]
)
def test_only_local_media_files_are_opened(tmp_path: Path, name: str, make_clip: Callable[..., Path]) -> None:
    make_clip("a.mp4", frames=2)
    (tmp_path / "playlist.mp4").write_text("#EXTM3U\n#EXTINF:1,\na.mp4\n#EXT-X-ENDLIST\n")
    (tmp_path / "text.mp4").write_text("not a film")
    with pytest.raises(InputError, match=r"no such file|cannot be read as a clip"):
        Decoder.open(tmp_path / name)


def test_nothing_half_written_stands_under_a_final_name(tmp_path: Path) -> None:
    def fail() -> None:
        with whole(tmp_path / "a.txt") as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_vanishes_is_an_error_with_a_name(tmp_path: Path) -> None:
    def vanish() -> None:
        with whole(tmp_path / "a" / "b.txt") as part:
            part.parent.rmdir()
            part.write_text("nowhere")

    with pytest.raises(OutputError, match=r"b\.txt: cannot be written"):
        vanish()


def test_numbered_names() -> None:
    assert stills.numbered("a/frame.%04d.png", 7) == Path("a/frame.0007.png")
    assert stills.numbered("a/frame.###.png", 7) == Path("a/frame.007.png")
    assert stills.numbered("a/frame.%d.png", 12345) == Path("a/frame.12345.png")
    with pytest.raises(UsageError, match="one counter"):
        stills.numbered("a/frame.png", 7)


def test_stills_read_as_rgb_whatever_they_are(tmp_path: Path) -> None:
    from PIL import Image

    grey = Image.fromarray(texture(20, 30)).convert("L")
    grey.save(tmp_path / "grey.png")
    Image.fromarray(texture(20, 30)).convert("P").save(tmp_path / "palette.png")
    Image.fromarray(texture(20, 30)).convert("RGBA").save(tmp_path / "alpha.png")
    for name in ("grey", "palette", "alpha"):
        assert stills.read(tmp_path / f"{name}.png").shape == (20, 30, 3)
    deep = Image.fromarray(np.full((20, 30), 32768, np.uint16))
    deep.save(tmp_path / "deep.png")
    assert abs(int(stills.read(tmp_path / "deep.png").mean()) - 128) <= 1
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(texture(20, 30)).save(tmp_path / "turned.jpg", exif=turned)
    assert stills.read(tmp_path / "turned.jpg").shape == (30, 20, 3)
    (tmp_path / "text.png").write_text("not a picture")
    with pytest.raises(InputError, match="cannot be read as a picture"):
        stills.read(tmp_path / "text.png")
