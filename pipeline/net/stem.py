"""Stem: where a picture meets a network. Its first convolution's gradient is the dearest single step of all.

A picture has three channels, and libraries compute a strided convolution's gradient for three channels at a small
part of their speed. Here it is one ordinary convolution: each of the stride^2 phases of the picture's pixels is
met by its own taps of the kernel, so all phases are channels of one map, and are shuffled into place.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


def normalised(picture: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """(picture - mean) / std, [L, 3, h, w]; mean, std: [1, 3, 1, 1].

    By rows: over channels that lie side by side in memory it takes three times as long.
    """
    lanes, channels, height, width = picture.shape
    rows = picture.permute(0, 2, 3, 1).reshape(lanes, height, width * channels)
    seen = (rows - mean.flatten().repeat(width)) / std.flatten().repeat(width)
    return seen.view(lanes, height, width, channels).permute(0, 3, 1, 2)


class Stem(nn.Module):
    """Computes what `convolution` does: [L, 3, h, w] to [L, C, h', w']."""

    phases: Tensor

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.convolution = convolution
        self.register_buffer("phases", _phases(convolution.weight, convolution.stride[0]), persistent=False)

    @staticmethod
    def fits(convolution: nn.Conv2d) -> bool:
        """Whether it is strided alike both ways, and otherwise plain: not one that pads by itself, as timm's do."""
        plain = type(convolution) is nn.Conv2d and convolution.groups == 1 and convolution.dilation == (1, 1)
        plain = plain and not isinstance(convolution.padding, str)
        alike = all(len(set(both)) == 1 for both in (convolution.stride, convolution.kernel_size))
        return plain and alike and convolution.stride[0] > 1 and convolution.padding_mode == "zeros"

    def forward(self, picture: Tensor) -> Tensor:
        own = self.convolution
        seen: Tensor = _Strided.apply(picture, own.weight, own.bias, self.phases, own.stride[0], own.padding)
        return seen


def _phases(weight: Tensor, stride: int) -> Tensor:
    """[C, 3, k, k] as [3 stride^2, C, m, m], m = ceil(k / stride).

    Pixel q stride + r of the padded picture meets tap r + stride j of the kernel in place q - j of the map.
    """
    outside, inside, side, _ = weight.shape
    taps = -(-side // stride)
    rest = taps * stride - side
    whole = F.pad(weight.detach(), (0, rest, 0, rest)).view(outside, inside, taps, stride, taps, stride)
    ordered = whole.flip(2, 4).permute(1, 3, 5, 0, 2, 4)
    return ordered.reshape(inside * stride**2, outside, taps, taps).contiguous(
        memory_format=torch.channels_last
    )


class _Strided(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        picture: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        phases: Tensor,
        stride: int,
        padding: tuple[int, int],
    ) -> Tensor:
        ctx.save_for_backward(phases)
        ctx.size, ctx.stride, ctx.padding = picture.shape[2:], stride, padding
        return F.conv2d(picture, weight, bias, stride, padding)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        (phases,) = ctx.saved_tensors
        (height, width), (down, right) = ctx.size, ctx.padding
        padded = F.pixel_shuffle(F.conv2d(slope, phases, padding=phases.shape[2] - 1), ctx.stride)
        # What the last stride did not reach has no gradient.
        missing = (0, max(0, right + width - padded.shape[3]), 0, max(0, down + height - padded.shape[2]))
        whole = F.pad(padded, missing) if any(missing) else padded
        return whole[:, :, down : down + height, right : right + width], None, None, None, None, None
