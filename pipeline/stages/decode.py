"""Decode: a clip's pictures with their exact times, upright, in RGB. [H, W, 3] uint8 and an integer pts each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from pipeline import media
from pipeline.clip import Clip, Picture, Size, fit
from pipeline.errors import InputError


@dataclass
class Decoder:
    """Reads one clip, as often as asked, from any of its frames on.

    clip: the facts, of the pictures as they come out of here; its time_base is 1/n. damaged: frames that
    could not be decoded whole so far; the last good picture is held in their place, or with `strict` the
    first one is an InputError.
    """

    path: Path
    clip: Clip
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
            rate = stream.average_rate or stream.guessed_rate or Fraction(25)
            clip = Clip(
                name=str(path),
                size=fit(upright, size),
                time_base=Fraction(1, (stream.time_base or Fraction(1, 90_000)).denominator),
                rate=Fraction(rate),
                frames=_count(container, stream, Fraction(rate)),
                sample_aspect=1 / aspect if turned and aspect else aspect or Fraction(1),
            )
        return Decoder(path, clip, resize=clip.size != upright, strict=strict)

    def pictures(self, since: int | None = None) -> Iterator[tuple[int, Picture]]:
        """(pts, picture) in order of time, of every frame with pts >= since (None: all)."""
        with media.open_clip(self.path) as container:
            stream = media.film_stream(container, self.path)
            stream.thread_type = "AUTO"
            unit = (stream.time_base or self.clip.time_base).numerator
            if since is not None:
                container.seek(since // unit, stream=stream, backward=True)
            converters: dict[object, media.Converter] = {}
            size = self.clip.size if self.resize else None
            held: Picture | None = None
            for frame in self._decode(container, stream):
                pts = (frame.pts if frame.pts is not None else frame.dts or 0) * unit
                if frame.is_corrupt and held is not None:
                    picture = held
                else:
                    picture = held = self._convert(frame, converters, size)
                if since is None or pts >= since:
                    yield pts, picture

    def _convert(
        self, frame: av.VideoFrame, converters: dict[object, media.Converter], size: Size | None
    ) -> Picture:
        picture = media.to_rgb(frame, converters, size)
        if Size(*picture.shape[:2]) != self.clip.size:  # the stream changed its size midway
            picture = media.to_rgb(frame, converters, self.clip.size)
        return picture

    def _decode(
        self, container: av.container.InputContainer, stream: av.VideoStream
    ) -> Iterator[av.VideoFrame]:
        for frame in _good_frames(container, stream, self._count_damage):
            if frame.is_corrupt:
                self._count_damage()
            yield frame

    def _count_damage(self) -> None:
        self.damaged += 1
        if self.strict:
            raise InputError(f"{self.path}: a frame is damaged, and --strict was asked for.")

    def times(self) -> list[int]:
        """The pts of every frame, sorted: read from packets, without decoding."""
        with media.open_clip(self.path) as container:
            stream = media.film_stream(container, self.path)
            unit = (stream.time_base or self.clip.time_base).numerator
            packets = container.demux(stream)
            return sorted(p.pts * unit for p in packets if p.pts is not None and not p.is_discard)


def _good_frames(
    container: av.container.InputContainer, stream: av.VideoStream, on_damage: object = None
) -> Iterator[av.VideoFrame]:
    """Decoded frames; a packet that cannot be decoded is passed to on_damage and skipped."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.error.FFmpegError:
            # The container itself breaks off here: what came before is still good.
            if callable(on_damage):
                on_damage()
            return
        try:
            yield from packet.decode()
        except av.error.FFmpegError:
            if callable(on_damage):
                on_damage()


def _count(container: av.container.InputContainer, stream: av.VideoStream, rate: Fraction) -> int | None:
    if stream.frames:
        return stream.frames
    if stream.duration and stream.time_base:
        return round(stream.duration * stream.time_base * rate)
    return round(container.duration * rate / av.time_base) if container.duration else None
