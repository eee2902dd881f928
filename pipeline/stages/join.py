"""Join: finished segments into one film by their packets, with the source's sound beside them. No re-encode."""

from __future__ import annotations

import heapq
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import imageio_ffmpeg
from av.container import InputContainer, OutputContainer

from pipeline import codecs, media, tags
from pipeline.clip import Clip, Segment
from pipeline.errors import OutputError
from pipeline.tracks import Beside, Tracks

__all__ = ["Beside", "join"]


def join(
    pieces: Sequence[tuple[Segment, Path]],
    out: Path,
    clip: Clip,
    beside: Beside | None,
    recipe: str,
    song: Beside | None = None,
) -> list[str]:
    """Write `out` from segments in order. Gives one line for each stream that could not be copied as it is.

    beside: of the source; chapters and tags come with it. song: sound from elsewhere.

    Every piece was rebased to 0 and counts in the clip's ticks: pts += its segment's. dts are made anew over the
    whole film, dts_i = sorted_pts_i - max(sorted_pts - pts), for B-frames reach across no segment but their delay
    does. Raises OutputError where the container cannot be written.
    """
    times = [pts for segment, path in pieces for pts in _times(path, segment.pts)]
    in_order = sorted(times)
    delay = max(now - pts for now, pts in zip(in_order, times, strict=True))
    container = codecs.CONTAINERS[out.suffix.lower()]
    with (
        _named(out),
        av.open(media.local(out), "w", format=container, options=_options(out, clip, in_order[0])) as film,
    ):
        with av.open(media.local(pieces[0][1])) as first:
            stream = _picture_track(film, first.streams.video[0], clip, out.suffix.lower())
        film.metadata["dream_video"] = recipe
        pictures = _pictures(pieces, clip, in_order, delay, stream)
        notes = _mux_with(film, pictures, beside, song, clip.rate)
    if clip.sample_aspect != 1 and container in ("matroska", "webm"):
        _tell_aspect(out, clip)
    return notes


def _mux_with(
    film: OutputContainer,
    pictures: Iterator[av.Packet[Any]],
    beside: Beside | None,
    song: Beside | None,
    rate: Fraction,
) -> list[str]:
    with ExitStack() as opened:
        others = []
        if song is not None:  # first: players take the first sound there is
            others.append(Tracks.of(opened.enter_context(media.open_clip(song.path)), film, song))
        if beside is not None:
            source = opened.enter_context(media.open_clip(beside.path))
            others.append(Tracks.of(source, film, beside))
            _tag(film, source, beside, rate)
        _mux(film, heapq.merge(pictures, *(tracks.packets() for tracks in others), key=_when))
        return [note for tracks in others for note in tracks.notes]


def _tag(film: OutputContainer, source: InputContainer, beside: Beside, rate: Fraction) -> None:
    """With the chapters and tags of the source."""
    own = next((stream.metadata for stream in source.streams.video), {})
    film.streams.video[0].metadata.update({key: own[key] for key in ("language", "title") if key in own})
    begin = beside.start or Fraction(0)
    film.set_chapters(tags.chapters(source, begin, beside.end))
    film.metadata.update(tags.tags(source, begin, rate))


def _tell_aspect(out: Path, clip: Clip) -> None:
    """Write the shape of pixels into a Matroska file, which PyAV cannot: by the ffmpeg binary, packets copied."""
    shape = clip.sample_aspect * Fraction(clip.size.width, clip.size.height)
    again = out.with_name(f"{out.stem}-shaped{out.suffix}")
    words = ["-protocol_whitelist", "file", "-i", f"file:{out.resolve()}", "-map", "0", "-c", "copy"]
    words += ["-fflags", "+bitexact"]
    words += ["-aspect", f"{shape.numerator}:{shape.denominator}", "-y", f"file:{again.resolve()}"]
    try:
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", *words]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603
        again.replace(out)
    except (RuntimeError, OSError, subprocess.CalledProcessError):  # the film is whole without it
        again.unlink(missing_ok=True)


@contextmanager
def _named(out: Path) -> Iterator[None]:
    """A muxer's refusal as an error with a name."""
    try:
        yield
    except av.error.FFmpegError as error:
        if isinstance(error, OSError) and error.errno and error.filename:
            raise  # the disk's, which `whole` tells of
        raise OutputError(
            f"{out.suffix} cannot hold this film ({error.strerror}). Try an .mkv, or --audio none."
        ) from None


def _picture_track(
    film: OutputContainer, template: av.VideoStream, clip: Clip, ending: str
) -> av.VideoStream:
    stream = film.add_stream_from_template(template, opaque=True)
    stream.time_base = clip.time_base
    stream.codec_context.framerate = clip.rate
    stream.codec_context.sample_aspect_ratio = clip.sample_aspect
    if template.codec_context.name == "hevc" and ending in codecs.QUICKTIME:
        stream.codec_context.codec_tag = "hvc1"  # what Apple's players ask for
    if template.codec_context.name == "prores":  # tells its profile
        stream.codec_context.codec_tag = template.codec_context.codec_tag
    if "alpha_mode" in {name.lower() for name in template.metadata}:
        stream.metadata["alpha_mode"] = "1"
    return stream


def _options(out: Path, clip: Clip, first: int) -> dict[str, str]:
    if out.suffix.lower() not in codecs.QUICKTIME:
        # Matroska would have numbers drawn by chance; nut would begin late by what its B-frames take.
        return {"fflags": "+bitexact", "avoid_negative_ts": "disabled" if out.suffix == ".nut" else "auto"}
    options = {
        "movflags": "+hybrid_fragmented+delay_moov+use_metadata_tags",
        "video_track_timescale": str(clip.time_base.denominator),
    }
    if (first * clip.time_base * 1000).denominator != 1:  # an edit list counts in the movie's ticks
        options["movie_timescale"] = str(clip.time_base.denominator)
    return options


def _times(path: Path, start: int) -> Iterator[int]:
    with av.open(media.local(path)) as piece:
        for packet in piece.demux(video=0):
            if packet.pts is not None:
                yield start + packet.pts


def _pictures(
    pieces: Sequence[tuple[Segment, Path]],
    clip: Clip,
    in_order: Sequence[int],
    delay: int,
    stream: av.VideoStream,
) -> Iterator[av.Packet[Any]]:
    place = {pts: index for index, pts in enumerate(in_order)}
    index = 0
    for segment, path in pieces:
        with av.open(media.local(path)) as piece:
            for packet in piece.demux(video=0):
                if packet.pts is None:
                    continue
                packet.pts = segment.pts + packet.pts
                packet.dts = in_order[index] - delay
                packet.time_base = clip.time_base
                after = place[packet.pts] + 1
                if after < len(in_order):
                    packet.duration = in_order[after] - packet.pts
                else:
                    packet.duration = media.ticks(1 / clip.rate, clip.time_base)
                packet.stream = stream
                yield packet
                index += 1


def _when(packet: av.Packet[Any]) -> Fraction:
    return (packet.dts or 0) * (packet.time_base or Fraction(1))


def _mux(film: OutputContainer, packets: Iterable[av.Packet[Any]]) -> None:
    for packet in packets:
        film.mux_one(packet)
