"""The network in the box: [L, 3, H, W] normalised -> motif scores [L, families + 1, H/16, W/16]; plain torch.

Inception's idea (Szegedy et al. 2014, "Going deeper with convolutions": every block looks at several scales at
once) made for gradients on the picture: average pooling only, even kernels where it strides (so that every pixel
is covered alike), and a smooth activation. Trained by scripts/train_builtin.py on pictures this project draws.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
FAMILIES = 58
"""Motifs the head of the shipped weights tells apart; its last channel is the background."""


class Unit(nn.Module):
    """Convolution, batch norm while training (folded away when shipped), SiLU."""

    def __init__(self, inside: int, outside: int, kernel: int, stride: int = 1, norm: bool = False) -> None:
        super().__init__()
        padding = (kernel - 1) // 2
        self.conv = nn.Conv2d(inside, outside, kernel, stride, padding, bias=not norm)
        self.norm: nn.Module = nn.BatchNorm2d(outside) if norm else nn.Identity()
        self.act = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        activations: Tensor = self.act(self.norm(self.conv(x)))
        return activations


class Mixed(nn.Module):
    """Four views of the same place: points, 3x3, 5x5 (as two 3x3), and the neighbourhood's mean."""

    def __init__(
        self, inside: int, one: int, three: tuple[int, int], five: tuple[int, int], pool: int, norm: bool
    ) -> None:
        super().__init__()
        self.one = Unit(inside, one, 1, norm=norm)
        self.three = nn.Sequential(
            Unit(inside, three[0], 1, norm=norm), Unit(three[0], three[1], 3, norm=norm)
        )
        self.five = nn.Sequential(
            Unit(inside, five[0], 1, norm=norm),
            Unit(five[0], five[1], 3, norm=norm),
            Unit(five[1], five[1], 3, norm=norm),
        )
        # Projecting first and averaging after is the same sum and pools fewer channels.
        self.pool = nn.Sequential(
            Unit(inside, pool, 1, norm=norm), nn.AvgPool2d(3, 1, 1, count_include_pad=False)
        )
        self.width = one + three[1] + five[1] + pool

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.one(x), self.three(x), self.five(x), self.pool(x)], 1)


class Builtin(nn.Module):
    """`families` motifs and the background; `norm` keeps batch norms, for training."""

    def __init__(self, families: int, norm: bool = False) -> None:
        super().__init__()
        self.stem = nn.Sequential(Unit(3, 24, 6, 2, norm), Unit(24, 48, 4, 2, norm))
        self.strokes = Unit(48, 64, 3, norm=norm)
        self.shrink3 = nn.AvgPool2d(2)
        self.mixed3a = Mixed(64, 48, (48, 80), (16, 32), 32, norm)
        self.mixed3b = Mixed(self.mixed3a.width, 64, (64, 112), (24, 48), 32, norm)
        self.shrink4 = nn.AvgPool2d(2)
        self.mixed4a = Mixed(self.mixed3b.width, 112, (80, 176), (32, 64), 64, norm)
        self.mixed4b = Mixed(self.mixed4a.width, 112, (96, 192), (40, 80), 64, norm)
        self.mixed4c = Mixed(self.mixed4b.width, 128, (96, 208), (48, 96), 64, norm)
        self.mixed4d = Mixed(self.mixed4c.width, 128, (112, 224), (48, 96), 64, norm)
        self.motif = nn.Conv2d(self.mixed4d.width, families + 1, 1)

    def features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What mixed3b [L, ., H/8, W/8] and mixed4d [L, ., H/16, W/16] see."""
        fine = self.mixed3b(self.mixed3a(self.shrink3(self.strokes(self.stem(x)))))
        return fine, self.mixed4d(self.mixed4c(self.mixed4b(self.mixed4a(self.shrink4(fine)))))

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.motif(self.features(x)[1])
        return scores


def build(families: int = FAMILIES) -> Builtin:
    """The network with random weights, eval mode, nothing to learn: ready for the weights beside this file."""
    return Builtin(families).eval().requires_grad_(False)


def fold(trained: Builtin) -> Builtin:
    """The same network with its batch norms folded into the convolutions, in evaluation mode."""
    plain = Builtin(trained.motif.out_channels - 1)
    for here, there in zip(plain.modules(), trained.modules(), strict=True):
        if isinstance(here, Unit) and isinstance(there, Unit) and isinstance(there.norm, nn.BatchNorm2d):
            fused = torch.nn.utils.fusion.fuse_conv_bn_eval(there.conv.eval(), there.norm.eval())
            here.conv.load_state_dict(fused.state_dict())
    plain.motif.load_state_dict(trained.motif.state_dict())
    return plain.eval()
