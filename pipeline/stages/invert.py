"""Invert: a picture rebuilt from what layers see in it, from noise. Features of [L, 3, H, W] in, that shape out.

After Mahendran and Vedaldi, "Understanding deep image representations by inverting them" (CVPR 2015): find the
picture whose features are those of another, |f(x) - f0|^2 / |f0|^2, and that is smooth as pictures are, by its
total variation (their beta = 2). Values are kept in 0..1 by clipping, as in their later paper (IJCV 2016).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from pipeline.ops import ascent

See = Callable[[Tensor], Sequence[Tensor]]
"""From a picture [L, 3, H, W] to its features, one map [L, C, h, w] a target."""

SMOOTHNESS = 5.0  # weight of the total variation: 1 leaves deep layers in speckles, 30 blurs shallow ones
SPEED = 0.05  # of the first step, in shares of the whole range; falls along half a cosine to a twentieth
NOISE = 0.1  # deviation of the noise it begins with, around grey
MEMORY, SCALE = 0.9, 0.999  # of Adam (Kingma and Ba, 2015)


class Rebuilt(NamedTuple):
    """picture: [L, 3, H, W] in 0..1. missed: [L], |f(x) - f0|^2 / |f0|^2 at the last step, over the targets.

    lost: [L], steps that moved nothing, because their gradient was infinite or no number.
    """

    picture: Tensor
    missed: Tensor
    lost: Tensor


def invert(see: See, source: Tensor, weights: Sequence[float], iterations: int, seed: int) -> Rebuilt:
    """The picture that looks to `see` as `source` [L, 3, H, W] does. weights: of each target. seed: of the noise."""
    with torch.no_grad():
        known = [part.float() for part in see(source)]
    whole = [part.square().sum((1, 2, 3)).clamp_min(ascent.TINY) for part in known]

    def missing(picture: Tensor) -> Tensor:
        parts = zip(see(picture), known, whole, weights, strict=True)
        each = [w * (part - own).square().sum((1, 2, 3)) / all_ for part, own, all_, w in parts]
        return torch.stack(each).sum(0) / sum(weights)

    picture = _noise(source, seed)
    mean, square = torch.zeros_like(picture), torch.zeros_like(picture)
    missed, lost = picture.new_ones(len(picture)), picture.new_zeros(len(picture), dtype=torch.int32)
    for done in range(1, iterations + 1):
        picture.requires_grad_()
        with torch.enable_grad():
            gap = missing(picture)
            slope = torch.autograd.grad((gap + SMOOTHNESS * variation(picture)).sum(), picture)[0]
        sound = torch.isfinite(slope.abs().sum((1, 2, 3)))
        missed, picture = torch.where(sound, gap.detach(), missed), picture.detach()
        lost += ~sound
        slope = torch.where(sound.view(-1, 1, 1, 1), slope, 0)
        mean = mean.lerp(slope, 1 - MEMORY)
        square = square.lerp(slope.square(), 1 - SCALE)
        speed = SPEED * (0.05 + 0.475 * (1 + math.cos(math.pi * done / iterations)))
        way = mean / (1 - MEMORY**done) / ((square / (1 - SCALE**done)).sqrt() + ascent.TINY)
        picture = (picture - speed * way).clamp_(0, 1)
    return Rebuilt(picture, missed, lost)


def variation(picture: Tensor) -> Tensor:
    """Total variation of each lane, [L]: mean over pixels of the squared steps to the right and down."""
    right, down = picture.diff(dim=3)[..., :-1, :], picture.diff(dim=2)[..., :-1]
    return (right.square() + down.square()).sum(1).mean((1, 2))


def _noise(like: Tensor, seed: int) -> Tensor:
    """The same in every lane, and on every device."""
    dice = torch.Generator().manual_seed(seed)
    grain = 0.5 + NOISE * torch.randn(like.shape[1:], generator=dice)
    return grain.clamp_(0, 1).to(like).expand_as(like).contiguous(memory_format=torch.channels_last)
