"""Other people's gradient steps, for benchmarks: a picture [1, 3, h, w] in, the picture a step later out.

Written anew from what they do, not from their code.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Step = Callable[[Tensor], Tensor]

MEAN = torch.tensor((0.485, 0.456, 0.406)).view(1, 3, 1, 1)
STD = torch.tensor((0.229, 0.224, 0.225)).view(1, 3, 1, 1)


class Seen:
    """What a layer of `network` gave when it was last run: a forward hook, as everybody uses them."""

    def __init__(self, network: nn.Module, layer: str) -> None:
        self.map = torch.empty(0)
        network.get_submodule(layer).register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, given: object, out: Tensor) -> None:
        self.map = out


def textbook(network: nn.Module, layer: str, rate: float = 0.01) -> Step:
    """The loop of tutorials: the whole network, classifier and all, with gradients for its weights too."""
    seen = Seen(network.requires_grad_(), layer)

    def step(picture: Tensor) -> Tensor:
        picture = picture.detach().requires_grad_()
        network.zero_grad()
        network((picture - MEAN.to(picture)) / STD.to(picture))
        seen.map.square().mean().backward()
        slope = picture.grad
        assert slope is not None
        return (picture + rate * slope / slope.abs().mean()).detach().clamp(0, 1)

    return step


def peer(network: nn.Module, layer: str, rate: float = 0.09) -> Step:
    """pytorch-deepdream's step: weights frozen, all feature layers run, jitter, three 9x9 Gaussians of the gradient.

    Its networks are cut before the classifier; where this one's cannot be, all of it runs, which costs next to
    nothing more at these sizes.
    """
    features = network.features if isinstance(getattr(network, "features", None), nn.Module) else network
    seen = Seen(network.requires_grad_(False), layer)
    draw = random.Random(0)

    def step(picture: Tensor) -> Tensor:
        shift = draw.randint(-32, 32), draw.randint(-32, 32)
        mean, std = MEAN.to(picture), STD.to(picture)
        low, high = (0 - mean) / std, (1 - mean) / std
        x = torch.roll((picture - mean) / std, shift, (2, 3)).requires_grad_()
        features(x)
        seen.map.square().mean().backward()
        slope = x.grad
        assert slope is not None
        sigma = 2.5
        slope = sum(
            (_blurred(slope, sigma * scale) for scale in (0.5, 1, 2)), torch.zeros((), device=slope.device)
        )
        slope = (slope - slope.mean()) / slope.std()
        x = torch.max(torch.min(x.detach() + rate * slope, high), low)
        return torch.roll(x, (-shift[0], -shift[1]), (2, 3)) * std + mean

    return step


def _blurred(slope: Tensor, sigma: float) -> Tensor:
    at = torch.arange(9, device=slope.device) - 4.0
    row = torch.exp(-0.5 * (at / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))
    kernel = torch.outer(row, row)
    weights = (kernel / kernel.sum()).expand(3, 1, 9, 9)
    return F.conv2d(F.pad(slope, (4, 4, 4, 4), mode="reflect"), weights, groups=3)
