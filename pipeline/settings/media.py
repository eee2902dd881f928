"""What comes in and what goes out: the knobs of the groups input and output."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator

from pipeline.settings.knob import Group, knob, sized


class Input(Group):
    """What is taken of what comes in."""

    start: str | None = knob(
        None, "first frame: a number from 0, or a time: 1.5s, 00:00:01.5", metavar="FRAME|TIME"
    )
    end: str | None = knob(None, "frame or time to stop before", metavar="FRAME|TIME")
    frames: str | None = knob(
        None,
        "first and last frame: of pictures by their own numbers, 1001-1100, of a clip counted from 0",
        metavar="A-B",
    )
    every: int = knob(1, "dream each Nth frame only, at the same duration", low=1, high=100_000)
    fps: str | None = knob(
        None,
        "frame rate: of pictures (24 when not given), or of a clip, which else keeps its own timing",
        metavar="RATE",
    )
    input_space: str = knob(
        "auto",
        "what the values of pictures stand for: srgb, linear, acescg, acescct, or another of $OCIO; "
        "auto: linear light in EXR and float TIFF, else sRGB",
        metavar="SPACE",
    )
    size: str | None = knob(None, "resize first: 640x360, 0.5x or max:1280", metavar="SIZE")

    @field_validator("size")
    @classmethod
    def _is_a_size(cls, value: str | None) -> str | None:
        return sized(value)


class Output(Group):
    """What is written, and what beside it."""

    out: str | None = knob(
        None,
        "where to: .mp4 .mov .mkv .webm .gif, .png, frame.%04d.png, DIR/, or - (mkv to stdout)",
        short="o",
        metavar="PATH",
    )
    codec: Literal[
        "auto", "h264", "h265", "av1", "vp9", "prores", "prores4444", "dnxhr", "ffv1", "gif",
        "h264_nvenc", "h265_nvenc", "av1_nvenc", "h264_qsv", "h265_qsv", "h264_videotoolbox", "h265_videotoolbox",
    ] = knob(
        "auto", "video codec; auto: what the output's ending usually holds, and h265 for HDR", metavar="CODEC"
    )  # fmt: skip
    crf: int = knob(16, "quality, lower is better and larger", low=0, high=51)
    encoder_preset: Literal[
        "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"
    ] = knob("medium", "the encoder's word for speed against size: ultrafast to veryslow", metavar="WORD")
    pixel_format: str = knob(
        "auto",
        "yuv420p, yuv444p, yuv420p10le ...; auto: the codec's own, with the bits and transparency it can keep",
        metavar="NAME",
    )
    hdr: Literal["keep", "sdr"] = knob("keep", "HDR as HDR where the output can hold it, or mapped to SDR")
    audio: str = knob(
        "keep", "the source's sound; none; or a song to put in its place", metavar="keep|none|FILE"
    )
    preview: int = knob(
        0,
        "only this many frames across the film, as one picture; 3s: a piece that plays",
        low=0,
        high=64,
        metavar="[N|3s]",
    )
    preview_seconds: float = knob(
        0,
        "only a piece of the middle of the film, as it will be, of this length",
        unit="seconds",
        low=0,
        high=600,
    )
    compare: Literal["none", "side", "wipe", "diff"] = knob(
        "none", "show the source too: beside the dream, under a line that wipes across, or as what was added"
    )
    contact_sheet: str | None = knob(
        None, "a picture of moments across the finished film, source above dream", metavar="FILE.png"
    )
    stems: str | None = knob(
        None,
        "also each frame's dream layer, trust and motion, for compositing: float EXR, or 16-bit PNG and .flo",
        metavar="DIR",
    )
    report: str | None = knob(
        None,
        "a page of pictures and measures of the render, with .csv and .json beside it",
        metavar="FILE.html",
    )
    yes: bool = knob(False, "overwrite an existing output", short="y")
