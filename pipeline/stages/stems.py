"""Stems: what a compositor wants of each frame. Dream layer, trust and motion, as layers of one EXR or as files.

DIR/stems.0007.exr     dream.R/G/B (signed, strength not applied), trust.A, backward.u/v in pixels
DIR/dream.0007.png     without OpenEXR: 16 bits, 0 at 32768, 1 at 65535; trust.0007.png; backward.0007.flo
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline import exr
from pipeline.clip import Flow
from pipeline.files import whole

MIDDLE, REACH = 32768, 32767
FLO = b"PIEH"  # the Middlebury format's sanity check, 202021.25 as a float


def names(number: int) -> tuple[str, ...]:
    """The files of a frame."""
    if exr.is_there():
        return (f"stems.{number:04d}.exr",)
    return f"dream.{number:04d}.png", f"trust.{number:04d}.png", f"backward.{number:04d}.flo"


def write(folder: Path, number: int, dream: NDArray[np.float32], flow: Flow) -> None:
    """One frame's. dream: float32 [h, w, 3], -1..1, at dream size. flow: of that size, backward."""
    files = [folder / name for name in names(number)]
    if exr.is_there():
        layers = {f"dream.{name}": dream[..., index] for index, name in enumerate("RGB")}
        layers |= {
            "trust.A": flow.trust,
            "backward.u": flow.backward[..., 0],
            "backward.v": flow.backward[..., 1],
        }
        with whole(files[0]) as part:
            exr.write(part, layers)
        return
    deep = np.round(np.clip(dream, -1, 1) * REACH + MIDDLE).astype(np.uint16)
    _png(files[0], deep[..., ::-1])
    _png(files[1], np.round(np.clip(flow.trust, 0, 1) * 65535).astype(np.uint16))
    height, width = flow.trust.shape
    with whole(files[2]) as part:
        head = FLO + np.array([width, height], "<i4").tobytes()
        part.write_bytes(head + flow.backward.astype("<f4").tobytes())


def _png(path: Path, array: NDArray[np.uint16]) -> None:
    with whole(path) as part:
        part.write_bytes(bytes(cv2.imencode(".png", np.ascontiguousarray(array))[1]))
