"""Bands: a gradient's detail brought to one strength at every size. Tensors [L, 3, H, W]; nothing crosses lanes."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

TINY = 1e-12
LEAST = 8  # px, of the shorter side of what is split further


def levelled(gradient: Tensor, bands: int) -> Tensor:
    """Every band of detail brought to rms 1, per lane: coarse forms come up beside fine ones.

    bands: of a Laplacian pyramid, the last one with all that is coarser still; 0 changes nothing. After
    the Laplacian gradient normalisation of TensorFlow's DeepDream notebook (Mordvintsev, 2016).
    """
    if bands < 1:
        return gradient
    pyramid = [gradient]
    while len(pyramid) < bands and min(pyramid[-1].shape[-2:]) >= LEAST:
        pyramid.append(F.avg_pool2d(pyramid[-1], 2, ceil_mode=True, count_include_pad=False))
    whole = _unit(pyramid[-1])
    for finer, coarser in zip(pyramid[-2::-1], pyramid[:0:-1], strict=True):
        whole = _grown(whole, finer) + _unit(finer - _grown(coarser, finer))
    return whole


def _grown(field: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(field, like.shape[-2:], mode="bilinear", align_corners=False)


def _unit(band: Tensor) -> Tensor:
    return band / band.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(TINY)
