"""Tracks: what goes into a film beside its picture. Sound, subtitles and fonts.

Packets are copied as they are; what a container cannot hold is re-encoded (sound) or rewritten (text), and told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
from av.container import InputContainer, OutputContainer

from pipeline import media
from pipeline.tags import TECHNICAL

SOUND = {"webm": "libopus", "nut": "flac"}  # what sound becomes where it cannot be copied; AAC elsewhere
TEXT = {"mp4": "mov_text", "mov": "mov_text", "matroska": "subrip", "webm": "webvtt"}
TEXTUAL = ("mov_text", "subrip", "srt", "webvtt", "text", "ass", "ssa")
TRIMMED = ("mp4", "mov")  # their edit lists can start a track inside a packet
ASS = b"""[Script Info]
ScriptType: v4.00+
PlayResX: 384
PlayResY: 288

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, \
Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, \
MarginV, Encoding
Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""
USUAL = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
SAMPLE_RATE = 48_000
BIT_RATE = 96_000  # of a channel of re-encoded sound


@dataclass(frozen=True)
class Beside:
    """What else goes into the film: the packets of `path` that are not its picture.

    start, end: the time of the source that was dreamed, seconds; None where it was not cut short. takes: which of
    them; sound: the first track of it alone, rest: all but sound.
    """

    path: Path
    start: Fraction | None = None
    end: Fraction | None = None
    takes: Literal["all", "sound", "rest"] = "all"

    def brings(self, stream: av.stream.Stream) -> bool:
        """Whether a stream of the source goes into the film."""
        if self.takes == "sound":
            return stream.type == "audio" and stream is stream.container.streams.audio[0]
        return stream.type in ("subtitle", "attachment") or (stream.type == "audio" and self.takes == "all")


@dataclass
class Tracks:
    """The tracks of a source that come along. notes: a line for each that could not be copied as it is.

    copies: source stream -> the film's, packet for packet. recoded: the same for sound made anew; text: for
    subtitles rewritten as plain text.
    """

    source: InputContainer
    film: OutputContainer
    beside: Beside
    copies: dict[int, av.stream.Stream] = field(default_factory=dict)
    recoded: dict[int, av.AudioStream] = field(default_factory=dict)
    text: dict[int, av.stream.Stream] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @staticmethod
    def of(source: InputContainer, film: OutputContainer, beside: Beside) -> Tracks:
        """Make a track in `film` for each of `source`'s, its picture and cover art aside."""
        tracks = Tracks(source, film, beside)
        for stream in source.streams:
            if beside.brings(stream):
                tracks._add(stream)
        return tracks

    def _add(self, stream: av.stream.Stream) -> None:
        codec = stream.codec_context.name if stream.codec_context else stream.type
        container = self.film.format.name
        what = f"{stream.type} track {stream.index} ({codec})"
        if self.beside.takes == "sound" and isinstance(stream, av.AudioStream):
            what = f"{self.beside.path.name} ({codec})"
            if container == "mp4" and codec.startswith("pcm"):
                self._recode(stream, "aac").disposition = av.stream.Disposition.default
                self.notes.append(f"{what}: few players take it inside an mp4: re-encoded as aac.")
                return
        try:
            self.copies[stream.index] = copy = self.film.add_stream_from_template(stream)
        except (ValueError, av.error.FFmpegError):
            if isinstance(stream, av.AudioStream) and stream.codec_context and container in (*TEXT, "nut"):
                copy = self._recode(stream, SOUND.get(container, "aac"))
                self.notes.append(
                    f"{what} cannot be held by {container}: re-encoded as {copy.codec_context.name}."
                )
            elif codec in TEXTUAL and container in TEXT:
                self.text[stream.index] = copy = self.film.add_stream(TEXT[container])
                assert isinstance(copy, av.subtitles.stream.SubtitleStream)
                copy.codec_context.subtitle_header = ASS  # or its encoder, which is not used, does not open
                self.notes.append(f"{what} cannot be held by {container}: rewritten as {TEXT[container]}.")
            else:
                self.notes.append(f"{what} cannot be held by {container}: left out.")
                return
        copy.metadata.update({k: v for k, v in stream.metadata.items() if k.lower() not in TECHNICAL})
        copy.disposition = stream.disposition

    def _recode(self, stream: av.AudioStream, encoder: str) -> av.AudioStream:
        rate = SAMPLE_RATE if encoder == "libopus" else stream.rate
        copy = self.film.add_stream(encoder, rate=rate, layout=_layout(stream.layout))
        assert isinstance(copy, av.AudioStream)
        copy.codec_context.bit_rate = BIT_RATE * stream.layout.nb_channels
        self.recoded[stream.index] = copy
        return copy

    def packets(self) -> Iterator[av.Packet[Any]]:
        """The tracks' packets as they are to be muxed: cut to what was dreamed, its first time at 0."""
        wanted = [self.source.streams[index] for index in (*self.copies, *self.recoded, *self.text)]
        wanted = [stream for stream in wanted if stream.type != "attachment"]
        if not wanted:  # demux takes an empty list for all streams
            return
        before: dict[int, av.Packet[Any]] = {}
        try:
            for packet in self.source.demux(wanted):
                if packet.pts is None or packet.dts is None or packet.time_base is None:
                    continue
                index = packet.stream_index
                if index in self.recoded:
                    yield from self._sound(packet)
                elif self._is_dreamed(packet):
                    if (earlier := before.pop(index, None)) is not None:  # sound begins within what is before
                        yield self._moved(earlier)
                    yield from self._as_text(packet) if index in self.text else [self._moved(packet)]
                elif (
                    self.film.format.name.split(",")[0] in TRIMMED
                    and self.source.streams[index].type == "audio"
                ):
                    before[index] = packet
        except av.error.FFmpegError as error:
            self.notes.append(f"{self.beside.path.name}: its sound breaks off ({error.strerror}).")
        for stream in self.recoded.values():
            yield from stream.encode(None)

    def _is_dreamed(self, packet: av.Packet[Any]) -> bool:
        assert packet.pts is not None
        assert packet.time_base is not None
        start, end = self.beside.start, self.beside.end
        begins = packet.pts * packet.time_base
        within = start is None or begins >= start
        if not within and self.film.format.name in TRIMMED and packet.stream.type == "audio":
            within = begins + (packet.duration or 0) * packet.time_base > (start or 0)
        return within and (end is None or begins < end)

    def _moved(self, packet: av.Packet[Any]) -> av.Packet[Any]:
        assert packet.pts is not None
        assert packet.dts is not None
        assert packet.time_base is not None
        shift = media.ticks(self.beside.start or Fraction(0), packet.time_base)
        left = (
            None if self.beside.end is None else media.ticks(self.beside.end, packet.time_base) - packet.pts
        )
        if left is not None and packet.duration and packet.duration > left > 0:
            packet.duration = left
        packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
        if packet.stream_index in self.copies:
            packet.stream = self.copies[packet.stream_index]
        return packet

    def _as_text(self, packet: av.Packet[Any]) -> Iterator[av.Packet[Any]]:
        """A subtitle as plain text; in mp4 and mov an empty one ends it."""
        text = _plain(bytes(packet), packet.stream.codec_context.name)
        boxed = TEXT[self.film.format.name] == "mov_text"
        packet = self._moved(packet)
        assert packet.pts is not None
        lines = [(text, packet.pts, packet.duration or 0)]
        if boxed:
            lines = [
                (len(text).to_bytes(2, "big") + text, *lines[0][1:]),
                (b"\0\0", packet.pts + lines[0][2], 0),
            ]
        for data, pts, duration in lines:
            written = av.Packet(data)
            written.pts = written.dts = pts
            written.duration, written.time_base = duration, packet.time_base
            written.stream = self.text[packet.stream_index]
            yield written

    def _sound(self, packet: av.Packet[Any]) -> Iterator[av.Packet[Any]]:
        stream = self.recoded[packet.stream_index]
        for frame in packet.decode():
            if isinstance(frame, av.AudioFrame) and (cut := _cut(frame, self.beside)) is not None:
                yield from stream.encode(cut)


def _cut(frame: av.AudioFrame, beside: Beside) -> av.AudioFrame | None:
    """The samples of a frame within what was dreamed, whose first time becomes 0; None where none are."""
    if frame.pts is None or frame.time_base is None:
        return None
    begins, start = frame.pts * frame.time_base, beside.start or Fraction(0)
    first = max(0, round((start - begins) * frame.sample_rate)) if beside.start is not None else 0
    last = frame.samples
    if beside.end is not None:
        last = min(last, round((beside.end - begins) * frame.sample_rate))
    if first >= last:
        return None
    channels = 1 if frame.format.is_planar else frame.layout.nb_channels
    part: Any = np.ascontiguousarray(frame.to_ndarray()[:, first * channels : last * channels])
    cut = av.AudioFrame.from_ndarray(part, format=frame.format.name, layout=_layout(frame.layout))
    cut.sample_rate, cut.time_base = frame.sample_rate, Fraction(1, frame.sample_rate)
    cut.pts = round((begins - start) * frame.sample_rate) + first
    return cut


def _layout(layout: av.AudioLayout) -> str:
    """Its name; of channels in no told order, as a plain WAV has them, the usual one."""
    return USUAL.get(layout.nb_channels, layout.name) if "channels" in layout.name else layout.name


def _plain(data: bytes, codec: str) -> bytes:
    """The text of a subtitle packet, without the codec's own dress."""
    if codec == "mov_text":
        return data[2 : 2 + int.from_bytes(data[:2], "big")]
    text = data.decode("utf-8", "replace")
    if codec in ("ass", "ssa"):
        text = text.split(",", 8)[-1].replace("\\N", "\n")
        text = re.sub(r"\{[^}]*\}", "", text)
    return text.encode()
