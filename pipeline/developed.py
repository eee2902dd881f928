"""Developed: what becomes of a frame under its dream layer. Sources and layers as tensors in, pictures out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray
from torch import Tensor

from pipeline import light
from pipeline.clip import Deep, Frame, Picture
from pipeline.ops import colour, pyramid


class Bath(NamedTuple):
    """How layers are shown. colours: as the settings say. alone: nothing is known of the source's own detail."""

    colours: str
    alone: bool
    strength: float
    saturation: float


def developed(
    frames: Sequence[Frame], full: Tensor, source: Tensor, dream: Tensor, bath: Bath
) -> list[tuple[Picture, Deep | None]]:
    """What is shown of each: source + strength x dream, and that at the depth of its source where it has one.

    full, source: [L, 3, H, W] and, at dream size, [L, 3, h, w], 0..1. dream: D, [L, 3, h, w], -1..1.
    """
    shown = colour.shown(dream, bath.colours, bath.saturation)
    layers = bath.strength * pyramid.resize(shown, frames[0].size)
    if bath.alone:
        layers -= bath.strength * (full - pyramid.resize(source, frames[0].size))
    pictures = _arrays((full + layers).mul(255).round_().clamp_(0, 255).byte())
    deeps = [
        light.lay(frame.deep, layer) if frame.deep else None
        for frame, layer in zip(frames, _arrays(layers) if frames[0].deep else pictures, strict=True)
    ]
    return list(zip(pictures, deeps, strict=True))


def _arrays(pictures: Tensor) -> list[NDArray[Any]]:
    """[L, 3, H, W] on the device as L of [H, W, 3] on the CPU."""
    return list(pictures.permute(0, 2, 3, 1).cpu().contiguous().numpy())
