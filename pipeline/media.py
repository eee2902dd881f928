"""Opening media files as nothing but local files, and exact colour between YUV and RGB.

A name from a stranger may be a playlist or a protocol in disguise: everything is opened as `file:` plus an
absolute path, with whitelists of protocols and formats. Colours are always converted with an explicit
matrix and range; every library's default is an untagged bt601, which players show as bt709.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from pipeline.clip import Picture, Size
from pipeline.errors import InputError

FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,ogg,asf,mxf,nut,ivf,yuv4mpegpipe,"
    "h264,hevc,obu,m4v,gif,apng,dv,wav,flac,mp3,aac"
)
MATRICES = {1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020nc", 10: "bt2020nc"}
BT709 = 1
UNSPECIFIED = 2
LIMITED, FULL = 1, 2


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
        container = av.open(f"file:{path.resolve()}", container_options=whitelists)
    except (av.error.FFmpegError, ValueError, OSError) as error:
        raise InputError(
            f"{path}: cannot be read as a clip ({_reason(error)}). Expected a video such as .mp4, .mov or .mkv."
        ) from None
    return container


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


def to_rgb(frame: av.VideoFrame, converters: dict[object, Converter], size: Size | None) -> Picture:
    """A decoded frame as RGB uint8, upright, resized to `size` (None: as it is).

    converters: kept by the caller from frame to frame; one is added whenever the stream changes its format.
    """
    stored = Size(frame.height, frame.width)
    turns = round(frame.rotation / 90) % 4
    target = stored if size is None else Size(size.width, size.height) if turns % 2 else size
    colour = colour_of(frame)
    key = (stored, frame.format.name, colour, target)
    if key not in converters:
        converters[key] = Converter((stored, frame.format.name), (target, "rgb24"), read=colour)
    picture = converters[key](frame).to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(picture, turns))
