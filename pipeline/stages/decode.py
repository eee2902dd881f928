"""Decode: a clip's pictures with their exact times, upright, in RGB. [H, W, 3] uint8 and an integer pts each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer

from pipeline import media
from pipeline.clip import Clip, Picture, Size, fit
from pipeline.errors import InputError

UNTIMED = {"avi", "h264", "hevc", "m4v", "obu"}  # store frames in coding order, at a constant rate


@dataclass
class Decoder:
    """Reads one clip, as often as asked, from any of its frames on.

    clip: the facts, of the pictures as they come out of here; its time_base is 1/n. times: the pts of every frame,
    sorted. timed: False where the file has no times of its own; frames then follow at the mean rate.
    damaged: frames that could not be decoded whole so far; the last good picture is held in their place, or with
    `strict` the first one is an InputError.
    """

    path: Path
    clip: Clip
    times: list[int]
    timed: bool
    resize: bool = False
    strict: bool = False
    damaged: int = 0

    @staticmethod
    def open(path: Path, size: str = "full", *, strict: bool = False) -> Decoder:
        """size: 'full', WxH, 0.5x or max:1280. Raises InputError for anything that is no clip."""
        with media.open_clip(path) as container:
            stream = media.film_stream(container, path)
            first = next(_good_frames(container, stream), None)
            if first is None:
                raise InputError(f"{path}: holds no picture that can be decoded. Is the file whole?")
            turned = round(first.rotation / 90) % 2 == 1
            upright = Size(first.width, first.height) if turned else Size(first.height, first.width)
            aspect = stream.sample_aspect_ratio or Fraction(1)
            rate = Fraction(stream.average_rate or stream.guessed_rate or 25)
            untimed = container.format.name in UNTIMED
            unit, promised = stream.time_base or Fraction(1, 90_000), stream.frames
        packets, stored = _packet_times(path)
        timed = not untimed and None not in packets
        if not timed:
            unit = 1 / rate
        times = sorted(
            pts * unit.numerator for pts in (packets if timed else range(len(packets))) if pts is not None
        )
        clip = Clip(
            name=str(path),
            size=fit(upright, size),
            time_base=Fraction(1, unit.denominator),
            rate=rate,
            frames=len(times),
            sample_aspect=1 / aspect if turned else aspect,
        )
        lost = max(0, promised - stored)
        return Decoder(path, clip, times, timed, clip.size != upright, strict, damaged=lost)

    def pictures(self, since: int | None = None) -> Iterator[tuple[int, Picture]]:
        """(pts, picture) in order of time, of every frame with pts >= since (None: all)."""
        landing = self._landing(since) if since is not None else None
        converters: dict[object, media.Converter] = {}
        held: Picture | None = None
        with media.open_clip(self.path) as container:
            stream = media.film_stream(container, self.path)
            stream.thread_type = "AUTO"
            if landing is not None:
                container.seek(landing, stream=stream, backward=True)
            for count, frame in enumerate(_good_frames(container, stream, self._count_damage)):
                if frame.is_corrupt:
                    self._count_damage()
                if not frame.is_corrupt or held is None:
                    held = self._convert(frame, converters)
                pts = self._pts(frame, count)
                if since is None or pts >= since:
                    yield pts, held

    def _pts(self, frame: av.VideoFrame, count: int) -> int:
        if self.timed and frame.pts is not None and frame.time_base is not None:
            return frame.pts * frame.time_base.numerator
        return count * (1 / self.clip.rate / self.clip.time_base).numerator

    def _landing(self, since: int) -> int | None:
        """Where to seek to, in the stream's time, to decode `since` whole; None: only the file's start will do.

        A seek may land late, or where pictures before the key frame lack what they are made from, so it has to
        land on a key frame that is not after `since`. Where it does not, it is tried from further back.
        """
        if not self.timed or since <= self.times[0]:
            return None
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

    def _convert(self, frame: av.VideoFrame, converters: dict[object, media.Converter]) -> Picture:
        picture = media.to_rgb(frame, converters, self.clip.size if self.resize else None)
        if Size(*picture.shape[:2]) != self.clip.size:  # the stream changed its size midway
            picture = media.to_rgb(frame, converters, self.clip.size)
        return picture

    def _count_damage(self) -> None:
        self.damaged += 1
        if self.strict:
            raise InputError(f"{self.path}: a frame is damaged, and --strict was asked for.")


def _packet_times(path: Path) -> tuple[list[int | None], int]:
    """The pts of every frame that is shown, in the stream's time base, and how many frames are stored in all.

    Read from packets, without decoding.
    """
    with media.open_clip(path) as container:
        stream = media.film_stream(container, path)
        times: list[int | None] = []
        stored = 0
        with suppress(av.error.FFmpegError):  # where the file breaks off, what came before is good
            for packet in container.demux(stream):
                stored += packet.size > 0
                if packet.size and not packet.is_discard:
                    times.append(packet.pts)
        return times, stored


def _good_frames(
    container: InputContainer, stream: av.VideoStream, on_damage: Callable[[], None] = lambda: None
) -> Iterator[av.VideoFrame]:
    """Decoded frames; a packet that cannot be decoded is told to on_damage and skipped."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.error.FFmpegError:  # the container itself breaks off here
            on_damage()
            return
        try:
            yield from packet.decode()
        except av.error.FFmpegError:
            on_damage()
