"""Spaces: what the values of scene pictures stand for, to linear light of Rec. 709 and back. float32 [H, W, 3].

Nothing is cut: values of 50 and of -0.1 go there and come back. A few spaces are known here; all others are those of
an OpenColorIO configuration, $OCIO or else the one OpenColorIO brings along, and need its package, which is an extra.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UsageError, bring, did_you_mean

Values = NDArray[np.float32]

OURS = ("auto", "srgb", "linear", "acescg", "acescct")
REC709 = "Linear Rec.709 (sRGB)"  # its name in the configurations that OpenColorIO brings along
BUILTIN = "ocio://default"
AP1_TO_REC709 = np.array(
    [
        [1.7050509926579815, -0.6217921205700500, -0.0832588720879314],
        [-0.1302564174858180, 1.1408047365754180, -0.0105483190895998],
        [-0.0240033568046180, -0.1289689760649010, 1.1529723328695200],
    ]
)  # ACES TB-2014-004, with Bradford adaptation from its white to D65
SLOPE, OFFSET, BREAK = 10.5402377416545, 0.0729055341958355, 0.0078125  # ACES S-2016-001


class Space(NamedTuple):
    """to_light, from_light: to linear light of Rec. 709, and back."""

    to_light: Callable[[Values], Values]
    from_light: Callable[[Values], Values]


@cache
def space(name: str) -> Space:
    """By name. UsageError: there is none of that name, it cannot be turned back, or OpenColorIO is not there."""
    if name == "linear":
        return Space(_same, _same)
    if name == "acescg":
        return Space(_from_ap1, _to_ap1)
    if name == "acescct":
        return Space(lambda v: _from_ap1(_uncurved(v)), lambda v: _curved(_to_ap1(v)))
    return _from_ocio(name)


def check(name: str) -> None:
    """UsageError as of `space`, for what --input-space names."""
    if name not in ("auto", "srgb"):
        space(name)


def identity(name: str) -> str:
    """What tells the meaning of a space from that of another of its name: two configurations are two films."""
    if name in OURS:
        return ""
    ocio = _library(name)
    return str(ocio.Config.CreateFromFile(os.environ.get("OCIO") or BUILTIN).getCacheID())


def is_scene(transfer: str) -> bool:
    """Whether values of this transfer are in one of these spaces, rather than a film's."""
    return transfer not in ("sdr", "pq", "hlg")


def _same(values: Values) -> Values:
    return values


def _from_ap1(values: Values) -> Values:
    return np.asarray(values @ AP1_TO_REC709.T, np.float32)


def _to_ap1(values: Values) -> Values:
    return np.asarray(values @ np.linalg.inv(AP1_TO_REC709).T, np.float32)


def _curved(light: Values) -> Values:
    log = (np.log2(np.maximum(light, BREAK)) + 9.72) / 17.52
    return np.asarray(np.where(light <= BREAK, SLOPE * light + OFFSET, log), np.float32)


def _uncurved(values: Values) -> Values:
    line = (values - OFFSET) / SLOPE
    return np.asarray(np.where(line <= BREAK, line, np.exp2(values * 17.52 - 9.72)), np.float32)


def _from_ocio(name: str) -> Space:
    ocio = _library(name)
    where = os.environ.get("OCIO") or BUILTIN
    try:
        config = ocio.Config.CreateFromFile(where)
        found = config.getColorSpace(name)
        if found is None:
            known = (*OURS, *config.getColorSpaceNames())
            raise UsageError(
                f"--input-space {name}: there is none of that name in {where}.{did_you_mean(name, known)}"
            )
        if found.isData():
            raise UsageError(f"--input-space {name}: stands for data in {where}, not for colours.")
        there = ocio.Config.GetProcessorToBuiltinColorSpace(config, name, REC709)
        back = ocio.Config.GetProcessorFromBuiltinColorSpace(REC709, config, name)
        return Space(_applied(ocio, there), _applied(ocio, back))
    except (ocio.Exception, ocio.ExceptionMissingFile) as error:
        said = " ".join(str(error).split())
        raise UsageError(f"--input-space {name}: cannot be had from {where} ({said}).") from None


def _applied(ocio: Any, processor: Any) -> Callable[[Values], Values]:
    cpu = processor.getOptimizedCPUProcessor(ocio.OPTIMIZATION_LOSSLESS)

    def apply(values: Values) -> Values:
        changed = np.array(values, np.float32, order="C")
        cpu.applyRGB(changed)
        return changed

    return apply


def _library(name: str) -> Any:
    try:
        import PyOpenColorIO  # noqa: PLC0415
    except ImportError:
        raise UsageError(
            f"--input-space {name}: known without help are {', '.join(OURS)}. "
            f"Others need OpenColorIO: {bring('ocio')}."
        ) from None
    return PyOpenColorIO
