"""EXR: pictures of scene-linear light, read and written by the OpenEXR package, which is an extra. float32 [H, W, C].

What a header says besides the shape of the file (chromaticities, timecode, owner ...) goes along to what is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.clip import Deep
from pipeline.errors import InputError, UsageError, bring

FLOAT = "float"  # in our header: the source had 32 bits
SHAPE = {"channels", "compression", "dataWindow", "displayWindow", "lineOrder", "type", "tiles", "chunkCount",
         "pixelAspectRatio", "screenWindowCenter", "screenWindowWidth", "version", "name", "view"}  # fmt: skip


def read(path: Path) -> Deep:
    """R, G, B and A, or Y, in linear light. Raises InputError, or UsageError without OpenEXR."""
    exr = _library()
    try:
        with exr.File(str(path), separate_channels=True) as file:
            stored = {name: channel.pixels for name, channel in file.channels().items()}
            header = {name: value for name, value in file.header().items() if name not in SHAPE}
    except (OSError, RuntimeError, ValueError, TypeError) as error:
        raise InputError(f"{path}: cannot be read as a picture ({error}).") from None
    names = "RGB" if {*"RGB"} <= {*stored} else "YYY" if "Y" in stored else ""
    if not names:
        raise InputError(f"{path}: has no R, G and B (found: {', '.join(stored) or 'nothing'}).")
    values = np.stack([stored[name].astype(np.float32) for name in names], -1)
    alpha = stored["A"].astype(np.float32)[..., None] if "A" in stored else None
    header[FLOAT] = any(stored[name].dtype == np.float32 for name in names)
    return Deep(values, alpha, "linear", premultiplied=True, header=header)


def write(
    path: Path, layers: Mapping[str, NDArray[np.float32]], header: Mapping[str, Any] | None = None
) -> None:
    """Half floats, or whole ones where the header says so; ZIP. layers: channel (R, dream.R) -> [H, W]."""
    exr = _library()
    about = {**(header or {}), "compression": exr.ZIP_COMPRESSION, "type": exr.scanlineimage}
    kind = np.float32 if about.pop(FLOAT, False) else np.float16
    exr.File(about, {name: np.ascontiguousarray(plane, kind) for name, plane in layers.items()}).write(
        str(path)
    )


def picture(deep: Deep) -> dict[str, NDArray[np.float32]]:
    """A deep picture as the layers of a file."""
    layers = {name: np.asarray(deep.values[..., index], np.float32) for index, name in enumerate("RGB")}
    return layers if deep.alpha is None else layers | {"A": deep.alpha[..., 0]}


def is_there() -> bool:
    """Whether the package that reads and writes it is installed."""
    try:
        _library()
    except UsageError:
        return False
    return True


def _library() -> Any:
    try:
        import OpenEXR  # noqa: PLC0415
    except ImportError:
        raise UsageError(f"EXR needs the OpenEXR package: {bring('exr')}.") from None
    return OpenEXR
