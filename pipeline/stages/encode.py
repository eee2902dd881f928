"""Encode: pictures out as film, one closed segment at a time. RGB uint8 [H, W, 3] in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from pipeline import media
from pipeline.clip import Clip, Frame, Picture, Size
from pipeline.errors import UsageError
from pipeline.files import whole

CODECS = {"h264": "libx264", "h265": "libx265"}
FILMS = (".mp4", ".mov", ".mkv", ".m4v")


@dataclass(frozen=True)
class Encoding:
    """How film is written. crf: 0 (best) to 51. threads: part of the plan, since the bytes depend on it."""

    codec: str
    crf: int
    preset: str
    pixel_format: str
    threads: int


def pixel_format(asked: str, size: Size, codec: str = "h264") -> str:
    """The pixel format to write: `asked`, or for 'auto' yuv420p, or yuv444p where 4:2:0 cannot hold the size.

    Raises UsageError for a format that is not there or cannot take an odd size.
    """
    odd = size.height % 2 or size.width % 2
    if asked == "auto":
        return "yuv444p" if odd else "yuv420p"
    try:
        chosen = av.VideoFormat(asked, size.width, size.height)
    except ValueError:
        raise UsageError(
            f"--pixel-format {asked}: no such format. Try yuv420p, yuv422p, yuv444p or yuv420p10le."
        ) from None
    if (
        asked not in {known.name for known in av.Codec(CODECS[codec], "w").video_formats or []}
        or chosen.is_rgb
    ):
        raise UsageError(f"--pixel-format {asked} cannot be written by {codec}. Try yuv420p or yuv444p.")
    chroma = chosen.components[-1]
    if odd and (chroma.width, chroma.height) != (size.width, size.height):
        raise UsageError(f"--pixel-format {asked} cannot hold {size}: odd sizes need yuv444p.")
    return asked


@contextmanager
def film(path: Path, clip: Clip, encoding: Encoding) -> Iterator[Callable[[Picture, Frame], None]]:
    """One closed group of pictures from one encoder, as an mp4 whose first pts is 0.

    Gives a function to write each picture [H, W, 3] with the frame it was made from; the file stands under
    `path` once the block has ended well.
    """
    with whole(path) as part, av.open(str(part), "w", format="mp4", options=_track(clip.time_base)) as file:
        stream = file.add_stream(CODECS[encoding.codec])
        assert isinstance(stream, av.VideoStream)
        _describe(stream.codec_context, clip, encoding)
        pixels = encoding.pixel_format
        yuv = media.Colour("bt709", full_range=False)
        convert = media.Converter((clip.size, "rgb24"), (clip.size, pixels), write=yuv)
        start: int | None = None

        def write(picture: Picture, frame: Frame) -> None:
            nonlocal start
            start = frame.pts if start is None else start
            converted = convert(av.VideoFrame.from_ndarray(picture, format="rgb24"))
            converted.pts, converted.time_base = frame.pts - start, clip.time_base
            file.mux(stream.encode(converted))

        yield write
        file.mux(stream.encode(None))


def _describe(context: av.VideoCodecContext, clip: Clip, encoding: Encoding) -> None:
    """All that a player needs to show the picture as it was meant: size, time, aspect and the four colour tags."""
    context.width, context.height = clip.size.width, clip.size.height
    context.sample_aspect_ratio = clip.sample_aspect
    context.time_base, context.framerate = clip.time_base, clip.rate
    context.pix_fmt = encoding.pixel_format
    context.colorspace = context.color_primaries = context.color_trc = media.BT709
    context.color_range = media.LIMITED
    context.thread_count = encoding.threads
    context.options = _options(encoding)


def _track(time_base: Fraction) -> dict[str, str]:
    """Options for an mp4 whose picture track counts in exactly this time base, 1/n."""
    return {"video_track_timescale": str(time_base.denominator)}


def _options(encoding: Encoding) -> dict[str, str]:
    options = {"crf": str(encoding.crf), "preset": encoding.preset}
    if encoding.codec == "h265":
        options["x265-params"] = f"log-level=error:pools={encoding.threads}:frame-threads=1"
    return options
