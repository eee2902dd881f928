"""Ascent: one step of the climb, its jitter and its smoothing. Tensors [L, 3, H, W]; nothing crosses lanes."""

from __future__ import annotations

import random

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

TINY = 1e-12


def ascend(picture: Tensor, gradient: Tensor, step: float, weight: Tensor) -> tuple[Tensor, Tensor]:
    """x + s w g / mean|g|, clipped to 0..1, as in Google's DeepDream notebook (2015); and which lanes stayed, [L].

    picture: 0..1. step: grey levels (of 255) that the average pixel moves. weight: [L, 1, H, W] per pixel.
    The mean is each lane's own, over the unweighted gradient; a zero gradient moves nothing. Without
    the clip at every step strength runs away. A lane whose gradient is infinite or no number stays where it is.
    """
    mean = gradient.abs().mean((1, 2, 3), keepdim=True)
    sound = torch.isfinite(mean)
    slope = torch.where(sound, gradient / mean.clamp_min(TINY), 0)
    return torch.addcmul(picture, slope, weight, value=step / 255).clamp_(0, 1), ~sound.flatten()


def shift(seed: int, octave: int, remaining: int, jitter: int) -> tuple[int, int]:
    """(dy, dx) to roll the picture by before the step with `remaining` steps to go, itself included.

    Within -jitter..jitter. Made from its arguments alone: every frame gets the same sequence, which is steadier
    than a running generator and leaves no state to save. A string seed is the one Python keeps stable.
    """
    if jitter == 0:
        return 0, 0
    draw = random.Random(f"{seed}/{octave}/{remaining}")  # noqa: S311  no secret is made here
    return draw.randint(-jitter, jitter), draw.randint(-jitter, jitter)


def smooth(gradient: Tensor, sigma: float) -> Tensor:
    """Sum of Gaussians of sigma, 2 sigma, 4 sigma (pixels), weighted 1, .5, .25: fine detail with its ground."""
    if sigma <= 0:
        return gradient
    blur = _blur_on_cpu if gradient.device.type == "cpu" else _blur
    total = blur(gradient, sigma)
    for scale, weight in ((2, 0.5), (4, 0.25)):
        total = total.add_(blur(gradient, sigma * scale), alpha=weight)
    return total


def _radius(field: Tensor, sigma: float) -> int:
    return min(max(1, round(3 * sigma)), min(field.shape[-2:]) - 1)


def _blur_on_cpu(field: Tensor, sigma: float) -> Tensor:
    """As `_blur`, in a quarter of its time."""
    side = 2 * _radius(field, sigma) + 1
    blurred = np.empty((len(field), *field.shape[2:], field.shape[1]), field.numpy().dtype)
    for lane, out in zip(field.permute(0, 2, 3, 1).numpy(), blurred, strict=True):
        cv2.GaussianBlur(lane, (side, side), sigma, out, borderType=cv2.BORDER_REFLECT_101)
    return torch.from_numpy(blurred).permute(0, 3, 1, 2)


def _blur(field: Tensor, sigma: float) -> Tensor:
    radius, channels = _radius(field, sigma), field.shape[1]
    at = torch.arange(-radius, radius + 1, device=field.device, dtype=field.dtype)
    kernel = torch.exp(-0.5 * (at / sigma) ** 2)
    kernel = (kernel / kernel.sum()).expand(channels, 1, 1, -1)
    padded = F.pad(field, (radius, radius, radius, radius), mode="reflect")
    across = F.conv2d(padded, kernel, groups=channels)
    return F.conv2d(across, kernel.transpose(2, 3), groups=channels)
