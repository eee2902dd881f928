"""Decode: a clip's pictures with their exact times, upright, in RGB. [H, W, 3] uint8 and an integer pts each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import av
from av.container import InputContainer

from pipeline import light, media
from pipeline.clip import Clip, Deep, Picture, Size, fit
from pipeline.errors import InputError

UNTIMED = {"avi", "h264", "hevc", "m4v", "obu"}  # store frames in coding order, at a constant rate
LOOKED_AT = 3  # frames at the head, to tell whether the film is interlaced
SECONDS = 60 * 60 * 24 * 30  # of a film at most; times further from its first are damage

Shown = TypeVar("Shown", Picture, Deep)


@dataclass
class Decoder:
    """Reads one clip, as often as asked, from any of its frames on.

    clip: the facts, of the pictures as they come out of here; its time_base is 1/n. times: the pts of every frame,
    sorted. timed: False where the file has no times of its own; frames then follow at the mean rate.
    interlaced: it is stored as fields, and deinterlaced here. damaged: frames that could not be decoded whole so
    far, as many as in the one reading that found most; the last good picture is held in their place, or with
    `strict` the first one is an InputError.
    """

    path: Path
    clip: Clip
    times: list[int]
    timed: bool
    resize: bool = False
    strict: bool = False
    interlaced: bool = False
    damaged: int = 0

    def __post_init__(self) -> None:
        self._opened_with = self.damaged

    @staticmethod
    def open(path: Path, size: str = "full", *, strict: bool = False) -> Decoder:
        """size: 'full', WxH, 0.5x or max:1280. Raises InputError for anything that is no clip."""
        with media.open_clip(path) as container:
            stream = media.film_stream(container, path)
            packets = _Packets(container.demux(stream))
            head = list(islice(_good_frames(container, stream, packets=packets), LOOKED_AT))
            if not head:
                raise InputError(f"{path}: holds no picture that can be decoded. Is the file whole?")
            first = head[0]
            turned = round(first.rotation / 90) % 2 == 1
            upright = Size(first.width, first.height) if turned else Size(first.height, first.width)
            aspect = stream.sample_aspect_ratio or Fraction(1)
            rate = Fraction(stream.average_rate or stream.guessed_rate or 25)
            if not 0 < rate <= 1000:  # a count of ticks rather than a rate
                rate = Fraction(25)
            untimed = container.format.name in UNTIMED
            unit, promised = stream.time_base or Fraction(1, 90_000), stream.frames
            pixels = media.pixels_of(first)
            pixels = replace(pixels, alpha=pixels.alpha or media.alpha_decoder(stream) is not None)
            packets.read_on()
        timed = not untimed and None not in packets.times
        if not timed:
            unit = 1 / rate
        begin = first.pts if timed and first.pts is not None else 0
        limit = begin + SECONDS // unit
        times = {
            pts * unit.numerator
            for pts in (packets.times if timed else range(len(packets.times)))
            if pts is not None and begin <= pts < limit
        }
        interlaced = any(frame.interlaced_frame for frame in head)
        clip = Clip(
            name=str(path),
            size=fit(upright, size),
            time_base=Fraction(1, unit.denominator),
            rate=rate,
            frames=len(times),
            sample_aspect=1 / aspect if turned else aspect,
            pixels=pixels,
            notes=(f"{path.name} is interlaced: deinterlaced (bwdif) before dreaming.",)
            if interlaced
            else (),
        )
        lost = max(0, promised - packets.stored) + len(packets.times) - len(times)
        if lost and strict:
            raise InputError(f"{path}: {lost} frames are damaged or missing, and --strict was asked for.")
        return Decoder(
            path, clip, sorted(times), timed, clip.size != upright, strict, interlaced, damaged=lost
        )

    def pictures(self, since: int | None = None) -> Iterator[tuple[int, Picture]]:
        """(pts, picture) in order of time, of every frame with pts >= since (None: all): uint8 RGB [H, W, 3]."""
        return self._shown(since, self._picture)

    def deeps(self, since: int | None = None) -> Iterator[tuple[int, Deep]]:
        """As `pictures`, at the full depth of the source and with its transparency."""
        return self._shown(since, self._deep)

    def _shown(
        self, since: int | None, convert: Callable[[av.VideoFrame, dict[object, media.Converter]], Shown]
    ) -> Iterator[tuple[int, Shown]]:
        landing = self._landing(since) if since is not None else None
        converters: dict[object, media.Converter] = {}
        held: Shown | None = None
        latest: int | None = None
        found = self._opened_with

        def count_damage() -> None:
            nonlocal found
            found += 1
            self.damaged = max(self.damaged, found)
            if self.strict:
                raise InputError(f"{self.path}: a frame is damaged, and --strict was asked for.")

        with media.open_clip(self.path) as container:
            stream = media.film_stream(container, self.path)
            stream.thread_type = "AUTO"
            if landing is not None:
                container.seek(landing, stream=stream, backward=True)
            frames = _good_frames(container, stream, count_damage)
            for count, frame in enumerate(media.deinterlaced(frames) if self.interlaced else frames):
                if frame.is_corrupt:
                    count_damage()
                if not frame.is_corrupt or held is None:
                    held = convert(frame, converters)
                pts = self._pts(frame, count)
                if latest is not None and pts <= latest:  # times may not run backwards
                    continue
                latest = pts
                if since is None or pts >= since:
                    yield pts, held

    def _pts(self, frame: av.VideoFrame, count: int) -> int:
        if self.timed and frame.pts is not None and frame.time_base is not None:
            return media.ticks(frame.pts * frame.time_base, self.clip.time_base)
        return count * (1 / self.clip.rate / self.clip.time_base).numerator

    def _landing(self, since: int) -> int | None:
        """Where to seek to, in the stream's time, to decode `since` whole; None: only the file's start will do.

        A seek may land late, or where pictures before the key frame lack what they are made from, so it has to
        land on a key frame that is not after `since`. Where it does not, it is tried from further back.
        Deinterlacing looks at the frames around, so there it has to land well before.
        """
        if not self.timed or since <= self.times[0]:
            return None
        if self.interlaced:
            since = max((time for time in self.times if time < since), default=since) - 1
        with media.open_clip(self.path) as container:
            stream = media.film_stream(container, self.path)
            unit = (stream.time_base or self.clip.time_base).numerator
            for seconds in (0, 1, 4, 16, 64):
                landing = (since - seconds * self.clip.time_base.denominator) // unit
                if landing * unit <= self.times[0]:
                    return None
                container.seek(landing, stream=stream, backward=True)
                packet = next(container.demux(stream), None)
                if packet and packet.is_keyframe and packet.pts is not None and packet.pts * unit <= since:
                    return landing
        return None

    def _picture(self, frame: av.VideoFrame, converters: dict[object, media.Converter]) -> Picture:
        if self.clip.pixels.alpha or self.clip.pixels.hdr:
            return light.flat(self._deep(frame, converters))
        picture = media.to_rgb(frame, converters, self.clip.size if self.resize else None)
        if Size(*picture.shape[:2]) != self.clip.size:  # the stream changed its size midway
            picture = media.to_rgb(frame, converters, self.clip.size)
        return picture

    def _deep(self, frame: av.VideoFrame, converters: dict[object, media.Converter]) -> Deep:
        deep = media.deep_of(frame, converters, self.clip.size if self.resize else None, self.clip.pixels)
        if Size(*deep.values.shape[:2]) != self.clip.size:
            deep = media.deep_of(frame, converters, self.clip.size, self.clip.pixels)
        return deep


@dataclass
class _Packets:
    """A stream's packets as they pass, and what they say of its frames, without decoding.

    times: the pts of every frame that is shown, in the stream's time base. stored: how many frames are, in all.
    """

    demuxed: Iterator[av.Packet[Any]]
    times: list[int | None] = field(default_factory=list)
    stored: int = 0

    def __iter__(self) -> Iterator[av.Packet[Any]]:
        return self

    def __next__(self) -> av.Packet[Any]:
        packet = next(self.demuxed)
        self.stored += packet.size > 0
        if packet.size and not packet.is_discard:
            self.times.append(packet.pts)
        return packet

    def read_on(self) -> None:
        """To the end; where the file breaks off, what came before is good."""
        with suppress(av.error.FFmpegError):
            for _ in self:
                pass


def _good_frames(
    container: InputContainer,
    stream: av.VideoStream,
    on_damage: Callable[[], None] = lambda: None,
    packets: Iterator[av.Packet[Any]] | None = None,
) -> Iterator[av.VideoFrame]:
    """Decoded frames; a packet that cannot be decoded is told to on_damage and skipped."""
    packets = packets or container.demux(stream)
    decoder = media.alpha_decoder(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.error.FFmpegError:  # the container itself breaks off here
            on_damage()
            return
        try:
            for frame in (
                packet.decode() if decoder is None else decoder.decode(packet if packet.size else None)
            ):
                if isinstance(frame, av.VideoFrame):
                    yield frame
        except av.error.FFmpegError:
            on_damage()
