"""Opening media files as nothing but local files, and exact colour between YUV and RGB.

A name from a stranger may be a playlist or a protocol in disguise: everything is opened as `file:` plus an
absolute path, with whitelists of protocols and formats. Colours are always converted with an explicit
matrix and range; every library's default is an untagged bt601, which players show as bt709.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, SupportsBytes, cast

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from pipeline.clip import Deep, Pixels, Size, Transfer
from pipeline.errors import InputError

FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,ogg,asf,mxf,nut,ivf,yuv4mpegpipe,"
    "h264,hevc,obu,m4v,gif,apng,dv,wav,flac,mp3,aac"
)
MATRICES = {1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020nc", 10: "bt2020nc"}
TRANSFERS: dict[int, Transfer] = {16: "pq", 18: "hlg"}
TRANSFER_NUMBERS = {"pq": 16, "hlg": 18, "sdr": 1, "linear": 1}
BT709, BT2020 = 1, 9
LIMITED, FULL = 1, 2
PLANAR = {"rgb24": "gbrp", "rgba": "gbrap", "rgb48le": "gbrp16le", "rgba64le": "gbrap16le"}
PRIMARIES = (1, 4, 5, 6, 7, 9, 11, 12)


@dataclass(frozen=True)
class Colour:
    """How a stream's YUV is to be read: swscale's matrix name, and whether 0..255 is used in full."""

    matrix: str
    full_range: bool


def open_clip(path: Path) -> InputContainer:
    """Open a local media file for reading. InputError when it is not there or is no such file."""
    if not path.is_file():
        raise InputError(f"{path}: no such file. Check the name and the folder.")
    whitelists = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
    try:
        container = av.open(local(path.resolve()), container_options=whitelists)
    except (av.error.FFmpegError, ValueError, OSError) as error:
        raise InputError(f"{path}: {_no_clip(path, _reason(error))}") from None
    return container


def _no_clip(path: Path, reason: str) -> str:
    """What is wrong with a file that cannot be opened, as far as its first bytes tell."""
    try:
        with path.open("rb") as file:
            begins = file.read(12)
    except OSError:
        return f"cannot be read ({reason})."
    if not begins:
        return "is empty."
    if begins[4:8] == b"ftyp":  # these end with what has to be read first
        return f"is an .mp4 or .mov, but not whole ({reason}). Copy or download it again."
    return f"cannot be read as a clip ({reason}). Expected a video such as .mp4, .mov or .mkv."


def local(path: Path) -> str:
    """A path as a name FFmpeg takes for nothing but a local file."""
    return f"file:{path.absolute()}"


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def film_stream(container: InputContainer, path: Path) -> VideoStream:
    """The video stream that is the film, cover art aside. InputError when there is none."""
    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic:
            return stream
    found = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
    raise InputError(f"{path}: has no video (found: {found}). Expected a clip with pictures.")


def colour_of(frame: av.VideoFrame) -> Colour:
    """From the frame's tags. Untagged HD is bt709, untagged SD bt601, as players assume."""
    untagged = "bt709" if frame.height >= 720 or frame.width >= 1280 else "smpte170m"
    full = frame.color_range == FULL or frame.format.name.startswith("yuvj")
    return Colour(MATRICES.get(int(frame.colorspace), untagged), full)


class Converter:
    """A scale filter with everything said: source and target format, size, matrix, range, and good filters."""

    def __init__(
        self,
        source: tuple[Size, str],
        target: tuple[Size, str],
        *,
        read: Colour | None = None,
        write: Colour | None = None,
    ) -> None:
        """source and target: (size, pixel format). read, write: the colour of a YUV source or target."""
        (size, pixels), (out_size, out_pixels) = source, target
        options = [f"w={out_size.width}:h={out_size.height}"]
        options.append("flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp")
        for side, colour in (("in", read), ("out", write)):
            if colour:
                options.append(f"{side}_color_matrix={colour.matrix}")
            options.append(f"{side}_range={'pc' if colour is None or colour.full_range else 'tv'}")
        self._graph = graph = av.filter.Graph()
        buffer = graph.add_buffer(
            width=size.width, height=size.height, format=av.VideoFormat(pixels), time_base=Fraction(1, 1000)
        )
        scale = graph.add("scale", ":".join(options))
        formats = graph.add("format", out_pixels)
        sink = graph.add("buffersink")
        buffer.link_to(scale)
        scale.link_to(formats)
        formats.link_to(sink)
        graph.configure()

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        self._graph.push(frame)
        return cast(av.VideoFrame, self._graph.pull())


def to_rgb(
    frame: av.VideoFrame, converters: dict[object, Converter], size: Size | None, layout: str = "rgb24"
) -> NDArray[Any]:
    """A decoded frame as RGB, upright, resized to `size` (None: as it is): uint8 [H, W, 3], or by another layout.

    layout: rgb24, rgba, rgb48le or rgba64le. converters: kept by the caller from frame to frame; one is added
    whenever the stream changes its format.
    """
    stored = Size(frame.height, frame.width)
    turns = round(frame.rotation / 90) % 4
    target = stored if size is None else Size(size.width, size.height) if turns % 2 else size
    colour = colour_of(frame)
    key = (stored, frame.format.name, colour, target, layout)
    rgb = frame.format.is_rgb
    if key not in converters:
        # From YUV swscale writes planes three times as fast as pixels, and the same values to the bit.
        made = layout if rgb else PLANAR[layout]
        read = None if rgb else colour
        converters[key] = Converter((stored, frame.format.name), (target, made), read=read)
    shown = converters[key](frame)
    picture = shown.to_ndarray(format=layout) if rgb else _packed(shown)
    return np.ascontiguousarray(np.rot90(picture, turns))


def _packed(frame: av.VideoFrame) -> NDArray[Any]:
    """Planes of green, blue and red, and perhaps alpha, as pixels: [H, W, 3] or [H, W, 4] in the order RGBA."""
    kind = np.dtype("<u2" if frame.format.name.endswith("16le") else "u1")
    green, blue, red, *alpha = (
        np.frombuffer(cast(Any, plane), kind).reshape(plane.height, -1)[:, : plane.width]
        for plane in frame.planes
    )
    return np.asarray(cv2.merge([red, green, blue, *alpha]))


def deep_of(
    frame: av.VideoFrame, converters: dict[object, Converter], size: Size | None, pixels: Pixels
) -> Deep:
    """A decoded frame at full depth, upright, resized to `size`, of a stream whose pixels hold this."""
    if pixels.bits == 8 and frame.format.is_rgb:  # exact, as swscale's way from 8 bits to 16 is not
        array = to_rgb(frame, converters, size, "rgba" if pixels.alpha else "rgb24").astype(np.uint16) * 257
    else:
        array = to_rgb(frame, converters, size, "rgba64le" if pixels.alpha else "rgb48le")
    alpha = array[..., 3:].astype(np.float32) / np.float32(65535) if pixels.alpha else None
    return Deep(np.ascontiguousarray(array[..., :3]), alpha, pixels.transfer)


def pixels_of(frame: av.VideoFrame) -> Pixels:
    """What the pixels of a stream hold, by one of its frames."""
    parts = frame.format.components
    primaries = int(frame.color_primaries)
    transfer: Transfer = TRANSFERS.get(int(frame.color_trc), "sdr")
    mastering, light = _mastering(frame) if transfer != "sdr" else ("", "")
    return Pixels(
        max(part.bits for part in parts),
        any(part.is_alpha for part in parts) or frame.format.name == "pal8",
        transfer,
        primaries if primaries in PRIMARIES else BT2020 if transfer != "sdr" else BT709,
        mastering,
        light,
    )


def _mastering(frame: av.VideoFrame) -> tuple[str, str]:
    """Mastering display and light level of an HDR frame, as Pixels says them; '' for what it does not tell."""
    display = bytes(cast(SupportsBytes, frame.side_data.get("MASTERING_DISPLAY_METADATA", b"")))
    level = bytes(cast(SupportsBytes, frame.side_data.get("CONTENT_LIGHT_LEVEL", b"")))
    said = ""
    # AVMasteringDisplayMetadata is ten fractions and two flags.
    if len(display) >= 88:
        *numbers, has_primaries, has_luminance = struct.unpack("=20i2i", display[:88])
        tops, bottoms = numbers[0::2], numbers[1::2]
        if has_primaries and has_luminance and all(bottoms):
            units = [50_000] * 8 + [10_000] * 2
            rx, ry, gx, gy, bx, by, wx, wy, low, high = (
                round(top * unit / bottom) for top, bottom, unit in zip(tops, bottoms, units, strict=True)
            )
            said = f"G({gx},{gy})B({bx},{by})R({rx},{ry})WP({wx},{wy})L({high},{low})"
    return said, "{},{}".format(*struct.unpack("=2I", level[:8])) if len(level) >= 8 else ""


def ticks(seconds: Fraction, time_base: Fraction) -> int:
    """A time as a whole number of ticks, the nearest one."""
    return round(seconds / time_base)


def alpha_decoder(stream: VideoStream) -> av.VideoCodecContext | None:
    """The decoder of a WebM stream with transparency, which FFmpeg's own leaves out; None for any other."""
    names = {"vp9": "libvpx-vp9", "vp8": "libvpx"}
    told = {name.lower(): value for name, value in stream.metadata.items()}
    if told.get("alpha_mode") != "1" or stream.codec_context.name not in (*names, *names.values()):
        return None
    name = names.get(stream.codec_context.name, stream.codec_context.name)
    return cast(av.VideoCodecContext, av.CodecContext.create(name, "r"))


def deinterlaced(frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """The same frames at the same times, with those stored as fields made whole from the frames around them."""
    graph: av.filter.Graph | None = None
    shape: tuple[int, int, str] | None = None
    for frame in frames:
        now = (frame.width, frame.height, frame.format.name)
        if graph is None or now != shape:
            if graph is not None:
                yield from _pulled(graph, None)
            shape = now
            graph = _bwdif(frame)
        yield from _pulled(graph, frame)
    if graph is not None:
        yield from _pulled(graph, None)


def _bwdif(frame: av.VideoFrame) -> av.filter.Graph:
    graph = av.filter.Graph()
    unit = frame.time_base or Fraction(1, 1000)
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=unit)
    filtered, sink = graph.add("bwdif", "mode=send_frame:deint=interlaced"), graph.add("buffersink")
    source.link_to(filtered)
    filtered.link_to(sink)
    graph.configure()
    return graph


def _pulled(graph: av.filter.Graph, frame: av.VideoFrame | None) -> Iterator[av.VideoFrame]:
    graph.push(frame)
    while True:
        try:
            yield cast(av.VideoFrame, graph.pull())
        except (BlockingIOError, EOFError):
            return
