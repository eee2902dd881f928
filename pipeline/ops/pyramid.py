"""Pyramid: the sizes a dream goes through, and resizing between them. Tensors [L, C, H, W]."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from pipeline.clip import Size


def sizes(size: Size, octaves: int, scale: float, least: int) -> list[Size]:
    """Sizes of `octaves` octaves, smallest first, `size` last, each `scale` times the one before.

    Those with a side under `least` pixels are left out, so there may be fewer, but `size` is always there.
    """
    every = [Size(*(round(side / scale**k) for side in size)) for k in range(octaves)]
    fitting = [octave for octave in every[1:] if min(octave) >= least]
    return [*reversed(fitting), size]


def resize(field: Tensor, size: Size) -> Tensor:
    """Bicubic; antialiased where it shrinks."""
    if tuple(field.shape[-2:]) == size:
        return field
    shrinks = size.height < field.shape[-2] or size.width < field.shape[-1]
    return F.interpolate(field, tuple(size), mode="bicubic", align_corners=False, antialias=shrinks)


def linear(field: Tensor, size: Size) -> Tensor:
    """Bilinear: what is enlarged so loses half of its finest detail."""
    if tuple(field.shape[-2:]) == size:
        return field
    return F.interpolate(field, tuple(size), mode="bilinear", align_corners=False)


def area(field: Tensor, size: Size) -> Tensor:
    """Mean over the area each new pixel covers: for weights, which must not ring."""
    return field if tuple(field.shape[-2:]) == size else F.interpolate(field, tuple(size), mode="area")
