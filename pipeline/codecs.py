"""Codecs: what film can be written as, and which containers hold it. Facts by name; a codec is a row here.

A container is chosen by the ending of a name. The formats of a codec are lists of pixel formats, the one to
prefer first: for 8 bits, for more bits, and with alpha.
"""

from __future__ import annotations

from dataclasses import dataclass

import av

from pipeline.clip import Size
from pipeline.errors import UsageError, did_you_mean

CONTAINERS = {
    ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm", ".nut": "nut", ".gif": "gif",
}  # fmt: skip
QUICKTIME = (".mp4", ".m4v", ".mov")
X_PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")

LOOKAHEAD = dict(zip(X_PRESETS, (0, 0, 10, 20, 20, 20, 25, 25, 30), strict=True))
"""Frames x264 looks ahead: half its own from fast on. At two seconds to a segment the rest costs only memory."""


@dataclass(frozen=True)
class Codec:
    """One way to write film.

    encoder: FFmpeg's name for it. holders: endings of the containers that can hold it, its usual one first.
    eight, deep, alpha, deep_alpha: pixel formats for 8 bits a channel, for more, and for both with transparency.
    piece: the container its segments are kept in. hardware: made by a chip that may not be there.
    """

    encoder: str
    holders: tuple[str, ...]
    eight: tuple[str, ...]
    deep: tuple[str, ...] = ()
    alpha: tuple[str, ...] = ()
    deep_alpha: tuple[str, ...] = ()
    piece: str = "mp4"
    hardware: bool = False


_420, _420_10 = ("yuv420p", "yuv444p"), ("yuv420p10le", "yuv444p10le")
_422_10 = ("yuv422p10le", "yuv444p10le")
_MP4 = (".mp4", ".mov", ".mkv", ".m4v", ".nut")
_CHIP, _CHIP_10 = ("yuv420p", "nv12"), ("p010le",)
CODECS = {
    "h264": Codec("libx264", _MP4, _420, _420_10),
    "h265": Codec("libx265", _MP4, _420, _420_10),
    "av1": Codec("libsvtav1", (".mp4", ".mkv", ".webm", ".nut"), ("yuv420p",), ("yuv420p10le",)),
    "vp9": Codec("libvpx-vp9", (".webm", ".mkv", ".mp4", ".nut"), ("yuv420p",), alpha=("yuva420p",)),
    "prores": Codec("prores_ks", (".mov", ".mkv"), _422_10, _422_10, piece="mov"),
    "prores4444": Codec(
        "prores_ks", (".mov", ".mkv"), ("yuv444p10le",), ("yuv444p10le",), ("yuva444p10le",), ("yuva444p10le",), "mov"
    ),
    "dnxhr": Codec("dnxhd", (".mov",), ("yuv422p",), ("yuv422p10le",), piece="mov"),
    "ffv1": Codec("ffv1", (".mkv", ".nut"), ("bgr0",), ("gbrp16le",), ("bgra",), ("gbrap16le",)),
    "gif": Codec("ffv1", (".gif",), ("bgr0",), alpha=("bgra",)),  # colours are chosen when all frames are there
    "h264_nvenc": Codec("h264_nvenc", _MP4, _CHIP, hardware=True),
    "h265_nvenc": Codec("hevc_nvenc", _MP4, _CHIP, _CHIP_10, hardware=True),
    "av1_nvenc": Codec("av1_nvenc", (".mp4", ".mkv", ".webm", ".nut"), _CHIP, _CHIP_10, hardware=True),
    "h264_qsv": Codec("h264_qsv", _MP4, ("nv12",), hardware=True),
    "h265_qsv": Codec("hevc_qsv", _MP4, ("nv12",), _CHIP_10, hardware=True),
    "h264_videotoolbox": Codec("h264_videotoolbox", _MP4, _CHIP, hardware=True),
    "h265_videotoolbox": Codec("hevc_videotoolbox", _MP4, _CHIP, _CHIP_10, hardware=True),
}  # fmt: skip


def codec_for(asked: str, ending: str, *, alpha: bool = False, hdr: bool = False) -> str:
    """The codec's name: `asked`, or for 'auto' what a container of this ending is expected to hold.

    alpha, hdr: what the source brings, which decides where a container has several usual codecs.
    Raises UsageError where the container cannot hold what was asked for, naming what it can.
    """
    if asked == "auto":
        if ending in (".webm", ".gif"):
            return "vp9" if ending == ".webm" else "gif"
        if alpha and ending in (".mov", ".mkv"):
            return "prores4444" if ending == ".mov" else "ffv1"
        return "h265" if hdr else "h264"
    if ending not in CODECS[asked].holders:
        able = ", ".join(
            name for name, codec in CODECS.items() if ending in codec.holders and not codec.hardware
        )
        raise UsageError(
            f"--codec {asked}: {ending} cannot hold it. {ending} holds {able}; "
            f"{asked} goes into {', '.join(CODECS[asked].holders)}."
        )
    return asked


def pixel_format(asked: str, codec: str, size: Size, *, deep: bool = False, alpha: bool = False) -> str:
    """The pixel format to write: `asked`, or for 'auto' the codec's own for 8 bits or more, with alpha or without.

    4:2:0 of h264 and h265 takes no odd size: then 4:4:4. Raises UsageError for a format that is not there,
    is not the codec's, or cannot take an odd size.
    """
    facts = CODECS[codec]
    if asked != "auto":
        return _checked(asked, codec, size)
    lists = (
        (facts.deep_alpha or facts.alpha if alpha else ()),
        (facts.deep if deep else ()),
        facts.eight,
    )
    choices = next(formats for formats in lists if formats)
    if alpha and not deep and facts.alpha:
        choices = facts.alpha
    return next((name for name in choices if _takes(name, codec, size)), choices[-1])


def _takes(name: str, codec: str, size: Size) -> bool:
    """Whether this format holds this size; h264 and h265 have no chroma for half a pair of pixels,
    and FFmpeg's ProRes 422 gets that of the last column wrong.
    """
    chroma = av.VideoFormat(name, size.width, size.height).components[-1]
    whole = (size.height % 2, size.width % 2) == (0, 0) or (chroma.width, chroma.height) == (
        size.width,
        size.height,
    )
    return whole or not codec.startswith(("h264", "h265", "prores"))


def _checked(name: str, codec: str, size: Size) -> str:
    try:
        chosen = av.VideoFormat(name, size.width, size.height)
    except ValueError:
        close = did_you_mean(
            name, ("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le")
        )
        raise UsageError(
            f"--pixel-format {name}: no such format.{close or ' Try yuv420p or yuv444p.'}"
        ) from None
    facts = CODECS[codec]
    known = {known.name for known in av.Codec(facts.encoder, "w").video_formats or []}
    own = facts.eight + facts.deep + facts.alpha + facts.deep_alpha
    if name not in known or (chosen.is_rgb and name not in own):
        raise UsageError(
            f"--pixel-format {name} cannot be written by {codec}. Try {' or '.join(dict.fromkeys(own))}."
        )
    if not _takes(name, codec, size):
        raise UsageError(f"--pixel-format {name} cannot hold {size}: odd sizes need yuv444p.")
    return name


def is_deep(pixels: str) -> bool:
    """Whether this pixel format has more than 8 bits a channel."""
    return max(component.bits for component in av.VideoFormat(pixels, 16, 16).components) > 8


def has_alpha(pixels: str) -> bool:
    """Whether pixels of this name can be transparent."""
    return any(component.is_alpha for component in av.VideoFormat(pixels, 16, 16).components)


def options(codec: str, crf: int, preset: str, threads: int, pixels: str) -> dict[str, str]:
    """The encoder's own words for a quality on x264's scale (0 best, to 51) and a preset of x264's names."""
    speed, wide = X_PRESETS.index(preset), str(round(crf * 63 / 51))
    x265 = f"log-level=error:pools={threads}:frame-threads=1"
    apple = {"profile": "hq" if pixels == "yuv422p10le" else "4444", "vendor": "apl0", "alpha_bits": "16"}
    avid = {"yuv422p": "dnxhr_hq", "yuv422p10le": "dnxhr_hqx"}
    lossless = {"level": "3", "slicecrc": "1", "g": "1"}
    own = {
        "h264": {"crf": str(crf), "preset": preset, "x264-params": f"rc-lookahead={LOOKAHEAD[preset]}"},
        "h265": {"crf": str(crf), "preset": preset, "x265-params": x265},
        "av1": {"crf": wide, "preset": str(12 - speed), "svtav1-params": f"lp={threads}"},
        "vp9": {"crf": wide, "b": "0", "deadline": "good", "cpu-used": str(min(5, 8 - speed)), "row-mt": "1"},
        "prores": apple,
        "prores4444": apple,
        "dnxhr": {"profile": avid.get(pixels, "dnxhr_444")},
        "ffv1": lossless,
        "gif": lossless,
    }
    if codec.endswith("nvenc"):
        return {"rc": "vbr", "cq": str(crf), "b": "0", "preset": f"p{min(7, speed + 1)}"}
    return own.get(codec, {"global_quality": str(crf)})
