"""Join: finished segments into one film by their packets, with the source's sound beside them. No re-encode."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
from av.container import InputContainer, OutputContainer

from pipeline import media
from pipeline.clip import Clip, Segment

if TYPE_CHECKING:
    from av.container.core import Chapter

TECHNICAL = {"major_brand", "minor_version", "compatible_brands", "encoder", "dream_video"}


@dataclass(frozen=True)
class Beside:
    """What else goes into the film: the packets of `path` that are not its picture.

    start, end: the time of the source that was dreamed, seconds; None where it was not cut short.
    """

    path: Path
    start: Fraction | None = None
    end: Fraction | None = None


def join(
    pieces: Sequence[tuple[Segment, Path]], out: Path, clip: Clip, beside: Beside | None, recipe: str
) -> list[str]:
    """Write `out` from segments in order. Gives one line for each stream that could not come along.

    Every piece was rebased to 0: pts += its segment's. dts are made anew over the whole film,
    dts_i = sorted_pts_i - max(sorted_pts - pts), for B-frames reach across no segment but their delay does.
    """
    times = [pts for segment, path in pieces for pts in _times(path, clip.time_base, segment.pts)]
    in_order = sorted(times)
    delay = max(now - pts for now, pts in zip(in_order, times, strict=True))
    with av.open(str(out), "w", options=_options(out, clip, in_order[0])) as film:
        with av.open(str(pieces[0][1])) as first:
            stream = film.add_stream_from_template(first.streams.video[0])
        stream.time_base = clip.time_base
        film.metadata["dream_video"] = recipe
        pictures = _pictures(pieces, clip, in_order, delay, stream)
        if beside is None:
            _mux(film, pictures)
            return []
        with media.open_clip(beside.path) as source:
            copies, left = _templates(source, film)
            film.set_chapters(_chapters(source, beside))
            film.metadata.update({k: v for k, v in source.metadata.items() if k.lower() not in TECHNICAL})
            _mux(film, heapq.merge(pictures, _copied(source, copies, beside), key=_when))
        return left


def _options(out: Path, clip: Clip, first: int) -> dict[str, str]:
    if out.suffix.lower() == ".mkv":
        return {}
    options = {
        "movflags": "+hybrid_fragmented+delay_moov+use_metadata_tags",
        "video_track_timescale": str(clip.time_base.denominator),
    }
    if (first * clip.time_base * 1000).denominator != 1:  # an edit list counts in the movie's ticks
        options["movie_timescale"] = str(clip.time_base.denominator)
    return options


def _times(path: Path, time_base: Fraction, start: int) -> Iterator[int]:
    with av.open(str(path)) as piece:
        for packet in piece.demux(video=0):
            if packet.pts is not None:
                yield start + _ticks(packet.pts * packet.time_base, time_base)


def _ticks(seconds: Fraction, time_base: Fraction) -> int:
    return round(seconds / time_base)


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
        with av.open(str(path)) as piece:
            for packet in piece.demux(video=0):
                if packet.pts is None:
                    continue
                packet.pts = segment.pts + _ticks(packet.pts * packet.time_base, clip.time_base)
                packet.dts = in_order[index] - delay
                packet.time_base = clip.time_base
                after = place[packet.pts] + 1
                if after < len(in_order):
                    packet.duration = in_order[after] - packet.pts
                else:
                    packet.duration = _ticks(1 / clip.rate, clip.time_base)
                packet.stream = stream
                yield packet
                index += 1


def _templates(
    source: InputContainer, film: OutputContainer
) -> tuple[dict[int, av.stream.Stream], list[str]]:
    copies: dict[int, av.stream.Stream] = {}
    left: list[str] = []
    for stream in source.streams:
        if stream.type not in ("audio", "subtitle"):
            continue
        try:
            copies[stream.index] = copy = film.add_stream_from_template(stream)
            copy.metadata.update(stream.metadata)
            copy.disposition = stream.disposition
        except (ValueError, av.error.FFmpegError):
            codec = stream.codec_context.name if stream.codec_context else stream.type
            left.append(f"{stream.type} track {stream.index} ({codec}) cannot be held by {film.format.name}")
    return copies, left


def _chapters(source: InputContainer, beside: Beside) -> list[Chapter]:
    """The source's chapters, cut and shifted to the part that was dreamed."""
    kept: list[Chapter] = []
    for chapter in source.chapters():
        unit = chapter["time_base"]
        if unit is None:
            continue
        start = max(_ticks(beside.start or Fraction(0), unit), chapter["start"])
        end = chapter["end"] if beside.end is None else min(_ticks(beside.end, unit), chapter["end"])
        shift = _ticks(beside.start or Fraction(0), unit)
        if start < end:
            kept.append({**chapter, "start": start - shift, "end": end - shift})
    return kept


def _copied(
    source: InputContainer, copies: dict[int, av.stream.Stream], beside: Beside
) -> Iterator[av.Packet[Any]]:
    start, end = beside.start or Fraction(0), beside.end
    if not copies:  # demux takes an empty list for all streams
        return
    for packet in source.demux([source.streams[index] for index in copies]):
        if packet.pts is None or packet.dts is None or packet.time_base is None:
            continue
        time = packet.pts * packet.time_base
        if (beside.start is not None and time < start) or (end is not None and time >= end):
            continue
        shift = _ticks(start, packet.time_base)
        packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
        packet.stream = copies[packet.stream_index]
        yield packet


def _when(packet: av.Packet[Any]) -> Fraction:
    return (packet.dts or 0) * (packet.time_base or Fraction(1))


def _mux(film: OutputContainer, packets: Iterable[av.Packet[Any]]) -> None:
    for packet in packets:
        film.mux_one(packet)
