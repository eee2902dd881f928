"""The networks of 2015: GoogLeNet as Caffe and as TensorFlow had it; [L, 3, H, W] -> class scores, plain torch.

After Szegedy et al. 2014, "Going deeper with convolutions". torchvision's network of that name is another one: it
was trained anew, with batch norms, and its third branch looks at 3x3 where this one looks at 5x5.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Widths = tuple[int, int, int, int, int, int]
"""Channels of 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5 and the pool's projection."""

_CAFFE: dict[str, Widths] = {
    "3a": (64, 96, 128, 16, 32, 32), "3b": (128, 128, 192, 32, 96, 64), "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64), "4c": (128, 128, 256, 24, 64, 64), "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128), "5a": (256, 160, 320, 32, 128, 128), "5b": (384, 192, 384, 48, 128, 128),
}  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """What sets one of them apart. widths: by block. same: padding as TensorFlow's SAME, else as Caffe's.

    size, alpha, beta, k: of local response normalisation as torch has it, which divides alpha by size, as Caffe.
    bgr: its weights were taught blue first.
    """

    widths: dict[str, Widths]
    classes: int
    same: bool
    size: int
    alpha: float
    beta: float
    k: float
    bgr: bool


KINDS = {
    "bvlc_googlenet": Kind(_CAFFE, 1000, False, 5, 1e-4, 0.75, 1.0, True),
    "googlenet_places365": Kind(_CAFFE, 365, False, 5, 1e-4, 0.75, 1.0, True),
    # In its graph: depth_radius 5, so 11 channels, alpha 1e-4 for each of them, beta 0.5, bias 2.
    "inception5h": Kind(
        _CAFFE | {"4a": (192, 96, 204, 16, 48, 64), "5a": (256, 160, 320, 48, 128, 128)},
        1008, True, 11, 11e-4, 0.5, 2.0, False,
    ),
}  # fmt: skip


class Unit(nn.Module):
    """Convolution and ReLU; `same`: at stride 2 padded as TensorFlow does."""

    def __init__(self, inside: int, outside: int, kernel: int, stride: int = 1, same: bool = False) -> None:
        super().__init__()
        self.same = same and stride == 2
        self.conv = nn.Conv2d(inside, outside, kernel, stride, 0 if self.same else kernel // 2)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        if self.same:  # an even side gets one less before than after, an odd one as many
            reach = self.conv.kernel_size[0] // 2
            before_x, before_y = reach - 1 + x.shape[3] % 2, reach - 1 + x.shape[2] % 2
            x = F.pad(x, (before_x, reach, before_y, reach))
        activations: Tensor = self.relu(self.conv(x))
        return activations


class Pool(nn.Module):
    """Largest of 3x3, at every second place; the last one may reach out of the picture."""

    def __init__(self, same: bool) -> None:
        super().__init__()
        self.same = same
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=not same)

    def forward(self, x: Tensor) -> Tensor:
        if self.same:
            x = F.pad(x, (x.shape[3] % 2, 1, x.shape[2] % 2, 1), value=-math.inf)
        largest: Tensor = self.pool(x)
        return largest


class Mixed(nn.Module):
    """Points, 3x3, 5x5 and the neighbourhood's largest, side by side."""

    def __init__(self, inside: int, widths: Widths) -> None:
        super().__init__()
        one, less3, three, less5, five, pool = widths
        self.branch1 = Unit(inside, one, 1)
        self.branch2 = nn.Sequential(Unit(inside, less3, 1), Unit(less3, three, 3))
        self.branch3 = nn.Sequential(Unit(inside, less5, 1), Unit(less5, five, 5))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1), Unit(inside, pool, 1))
        self.width = one + three + five + pool

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class InceptionV1(nn.Module):
    """`classes`: how many its file tells apart; 0: it holds no classifier."""

    def __init__(self, kind: Kind, classes: int) -> None:
        super().__init__()
        self.conv1 = Unit(3, 64, 7, 2, kind.same)
        self.pool1 = Pool(kind.same)
        self.norm1 = nn.LocalResponseNorm(kind.size, kind.alpha, kind.beta, kind.k)
        self.conv2 = Unit(64, 64, 1)
        self.conv3 = Unit(64, 192, 3)
        self.norm2 = nn.LocalResponseNorm(kind.size, kind.alpha, kind.beta, kind.k)
        self.pool2 = Pool(kind.same)
        width = 192
        for block, widths in kind.widths.items():
            mixed = Mixed(width, widths)
            self.add_module(f"inception{block}", mixed)
            width = mixed.width
        self.pool3, self.pool4 = Pool(kind.same), Pool(kind.same)
        self.average = nn.AdaptiveAvgPool2d(1)
        self.fc: nn.Module = nn.Linear(width, classes) if classes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool2(self.norm2(self.conv3(self.conv2(self.norm1(self.pool1(self.conv1(x)))))))
        x = self._blocks(x, ("3a", "3b"))
        x = self._blocks(self.pool3(x), ("4a", "4b", "4c", "4d", "4e"))
        x = self._blocks(self.pool4(x), ("5a", "5b"))
        scores: Tensor = self.fc(torch.flatten(self.average(x), 1))
        return scores

    def _blocks(self, x: Tensor, names: Sequence[str]) -> Tensor:
        for name in names:
            x = self.get_submodule(f"inception{name}")(x)
        return x


def build(name: str, classes: int | None = None) -> InceptionV1:
    """One of KINDS with random weights, in evaluation mode. classes: in place of those it was taught."""
    kind = KINDS[name]
    return InceptionV1(kind, kind.classes if classes is None else classes).eval().requires_grad_(False)
