"""Encode: pictures out as film, one closed segment at a time. RGB [H, W, 3] in, or RGBA; uint8 or uint16."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from pipeline import codecs, light, media
from pipeline.clip import Clip, Deep, Frame, Picture, Size
from pipeline.errors import UsageError
from pipeline.files import whole
from pipeline.settings import Output

FILMS = tuple(codecs.CONTAINERS)
LAYOUTS = {("uint8", 3): "rgb24", ("uint8", 4): "rgba", ("uint16", 3): "rgb48le", ("uint16", 4): "rgba64le"}
RGB_MATRIX = 0
LEAST = {
    "dnxhr": Size(120, 256),
    "h265": Size(16, 16),
    "av1": Size(4, 4),
    "h264": Size(2, 2),
    "vp9": Size(2, 2),
}


@dataclass(frozen=True)
class Encoding:
    """How film is written. crf: 0 (best) to 51. threads: part of the plan, since the bytes depend on it.

    matrix, primaries, transfer: the numbers of ISO/IEC 23091-2 it is tagged with. mastering, light: as of Pixels.
    """

    codec: str
    crf: int
    preset: str
    pixel_format: str
    threads: int
    matrix: int = media.BT709
    primaries: int = media.BT709
    transfer: int = media.BT709
    mastering: str = ""
    light: str = ""

    @property
    def piece(self) -> str:
        """The container a segment of it is kept in."""
        # Transparency of vp9 rides beside its packets, where only Matroska has a place for it.
        own = codecs.CODECS[self.codec].piece
        return "webm" if self.codec == "vp9" and codecs.has_alpha(self.pixel_format) else own


def check(encoding: Encoding, clip: Clip) -> None:
    """UsageError where the encoder is not there, or cannot take the size: before anything is dreamed."""
    facts = codecs.CODECS[encoding.codec]
    try:
        context = av.CodecContext.create(facts.encoder, "w")
        assert isinstance(context, av.VideoCodecContext)
        _describe(context, clip, encoding)
        context.open(strict=False)
    except (av.error.FFmpegError, ValueError):
        if facts.hardware:
            raise UsageError(
                f"--codec {encoding.codec}: there is no such encoder on this machine. "
                f"{encoding.codec.partition('_')[0]} is made without one."
            ) from None
        least = LEAST.get(encoding.codec, Size(0, 0))
        small = clip.size.height < least.height or clip.size.width < least.width
        why = f"it takes {least} and more" if small else "it is too large"
        raise UsageError(
            f"--codec {encoding.codec} cannot hold {clip.size}: {why}. "
            "ffv1 in .mkv takes any size, and --size max:4096 or 640x360 scales."
        ) from None


@contextmanager
def film(path: Path, clip: Clip, encoding: Encoding) -> Iterator[Callable[[Picture | Deep, Frame], None]]:
    """One closed group of pictures from one encoder, as a film whose first pts is 0.

    A piece counts a tick of the clip's time as its own unit, whatever length of time that unit has. Gives a
    function to write each picture with the frame it was made from; the file stands under `path` once the block
    has ended well.
    """
    kind = encoding.piece
    unit = Fraction(1, 1000) if kind == "webm" else clip.time_base
    with (
        whole(path) as part,
        av.open(media.local(part), "w", format=kind, options=_track(kind, clip.time_base)) as file,
    ):
        stream = file.add_stream(codecs.CODECS[encoding.codec].encoder)
        assert isinstance(stream, av.VideoStream)
        _describe(stream.codec_context, clip, encoding)
        alpha, deep = codecs.has_alpha(encoding.pixel_format), codecs.is_deep(encoding.pixel_format)
        convert: dict[str, media.Converter] = {}
        start: int | None = None
        waiting: list[av.Packet[Any]] = []

        def mux(frame: av.VideoFrame | None) -> None:
            for packet in stream.encode(frame):
                if kind == "webm" and packet.pts is not None:
                    packet.pts = packet.dts = media.ticks(packet.pts * packet.time_base, clip.time_base)
                    packet.time_base = unit
                if encoding.codec == "h265":  # x265 4.1 leaves dts unset
                    waiting.append(packet)
                else:
                    file.mux_one(packet)

        def write(picture: Picture | Deep, frame: Frame) -> None:
            nonlocal start
            start = frame.pts if start is None else start
            array = light.packed(picture, alpha=alpha, sixteen=deep) if isinstance(picture, Deep) else picture
            layout = LAYOUTS[array.dtype.name, array.shape[2]]
            if layout not in convert:
                convert[layout] = _converter(layout, clip.size, encoding)
            converted = convert[layout](av.VideoFrame.from_ndarray(array, format=layout))
            converted.pts, converted.time_base = frame.pts - start, clip.time_base
            mux(converted)

        yield write
        mux(None)
        for packet in _stamped(waiting):
            file.mux_one(packet)


def _stamped(packets: list[av.Packet[Any]]) -> Iterator[av.Packet[Any]]:
    """The packets with dts made from their pts: those in order, less the most that one comes before its turn."""
    in_order = sorted(packet.pts or 0 for packet in packets)
    delay = max((now - (packet.pts or 0) for now, packet in zip(in_order, packets, strict=True)), default=0)
    for now, packet in zip(in_order, packets, strict=True):
        packet.dts = now - delay
        yield packet


def _converter(layout: str, size: Size, encoding: Encoding) -> media.Converter:
    rgb = av.VideoFormat(encoding.pixel_format, 16, 16).is_rgb
    yuv = None if rgb else media.Colour(media.MATRICES[encoding.matrix], full_range=False)
    return media.Converter((size, layout), (size, encoding.pixel_format), write=yuv)


def _describe(context: av.VideoCodecContext, clip: Clip, encoding: Encoding) -> None:
    """All that a player needs to show the picture as it was meant: size, time, aspect and the four colour tags."""
    context.width, context.height = clip.size.width, clip.size.height
    context.sample_aspect_ratio = clip.sample_aspect
    context.time_base, context.framerate = clip.time_base, clip.rate
    context.pix_fmt = encoding.pixel_format
    rgb = av.VideoFormat(encoding.pixel_format, 16, 16).is_rgb
    context.colorspace = RGB_MATRIX if rgb else encoding.matrix
    context.color_primaries, context.color_trc = encoding.primaries, encoding.transfer
    context.color_range = media.FULL if rgb else media.LIMITED
    context.thread_count = encoding.threads
    context.options = _options(encoding)


def _track(kind: str, time_base: Fraction) -> dict[str, str]:
    """Options for a container whose picture track counts in exactly this time base, 1/n."""
    return {"video_track_timescale": str(time_base.denominator)} if kind in ("mp4", "mov") else {}


def _options(encoding: Encoding) -> dict[str, str]:
    words = codecs.options(
        encoding.codec, encoding.crf, encoding.preset, encoding.threads, encoding.pixel_format
    )
    mastering, light = encoding.mastering, encoding.light
    if encoding.codec == "h265" and (mastering or light):
        words["x265-params"] += ":hdr10=1" + (f":master-display={mastering}" if mastering else "")
        words["x265-params"] += f":max-cll={light}" if light else ""
    if encoding.codec == "av1" and (mastering or light):
        words["svtav1-params"] += f":mastering-display={_in_units(mastering)}" if mastering else ""
        words["svtav1-params"] += f":content-light={light}" if light else ""
    return words


def _in_units(mastering: str) -> str:
    """Of Pixels, as svt-av1 is told: chromaticities and cd/m2 as they are, with a point."""

    def scaled(match: re.Match[str]) -> str:
        unit = 10_000 if match[1] == "L" else 50_000
        return f"{match[1]}({int(match[2]) / unit:.5f},{int(match[3]) / unit:.5f})"

    return re.sub(r"([A-Z]+)\((\d+),(\d+)\)", scaled, mastering)


def choose(clip: Clip, ending: str, output: Output, threads: int) -> tuple[Encoding, list[str]]:
    """How a source is written into a container of this ending, and a line for each thing that cannot come along.

    Raises UsageError for a codec the container cannot hold, a pixel format the codec cannot, or an encoder that
    is not there.
    """
    own = clip.pixels
    asked = own.hdr and output.hdr == "keep"
    codec = codecs.codec_for(output.codec, ending, alpha=own.alpha, hdr=asked)
    keep = asked and (codec, ending) != ("ffv1", ".nut")  # neither of which has a place for its tags
    deep = (
        own.bits > 8 and codec != "h264" and (keep or not own.hdr)
    )  # ten bits of h264 are what few players show
    pixels = codecs.pixel_format(output.pixel_format, codec, clip.size, deep=deep, alpha=own.alpha)
    kept, notes = codecs.is_deep(pixels), []
    if asked and not (keep and kept):
        notes.append(f"{codec} in {ending} holds no HDR: mapped to SDR. --codec h265 keeps it.")
    elif own.bits > 8 and not own.hdr and not kept and codec != "gif":
        notes.append(
            f"The source has {own.bits} bits a channel, {codec} here 8. --codec h265 or prores keeps them."
        )
    if own.alpha and not codecs.has_alpha(pixels):
        notes.append(f"{codec} in {ending} holds no transparency: laid over black. .mov and .webm keep it.")
    if pixels.startswith("yuv444p") and codec != "prores4444" and output.pixel_format == "auto":
        notes.append(f"{clip.size} is odd, so the film is {pixels}, which some players do not show.")
    hdr = keep and kept
    wide = hdr or (own.primaries == media.BT2020 and not own.hdr)
    encoding = Encoding(
        codec,
        output.crf,
        output.encoder_preset,
        pixels,
        threads,
        matrix=media.BT2020 if wide else media.BT709,
        primaries=own.primaries if hdr or not own.hdr else media.BT709,
        transfer=media.TRANSFER_NUMBERS[own.transfer] if hdr else media.BT709,
        mastering=own.mastering if hdr else "",
        light=own.light if hdr else "",
    )
    check(encoding, clip)
    return encoding, notes
