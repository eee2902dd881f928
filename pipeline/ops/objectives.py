"""Objectives: what a dream amplifies, as one number a lane. Activations [L, C, h, w] in, [L] out.

Only the direction of their gradient matters: a step's length is set by its mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Callback = Callable[[Sequence[Tensor]], Tensor]
"""A caller's own: from the activations of all targets, in their order, to a score for each lane."""


@dataclass(frozen=True)
class Objective:
    """score: of one target's activations, a mean over them. slope: the gradient of its sum, [L, C, h, w].

    Told, not left to autograd, which goes over the activations seven times where two will do.
    """

    score: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]

    def __call__(self, a: Tensor) -> Tensor:
        return self.score(a)


energy = Objective(lambda a: a.square().flatten(1).mean(1), lambda a: 2 * a)
"""Mean a^2: its gradient at the layer is the activation itself (Mordvintsev et al., 2015)."""

sparse = Objective(lambda a: a.relu().pow(3).flatten(1).mean(1), lambda a: a.relu().square_().mul_(3))
"""Mean relu(a)^3: the strongest features win, which is more figurative."""

mean = Objective(lambda a: a.flatten(1).mean(1), torch.ones_like)


def best_match(a: Tensor, guide: Tensor) -> Tensor:
    """Every place grows toward what it is most like in a guide: mean over places of max over q of a_p . y_q.

    guide: columns y [L or 1, C, Q], activations of the same layer.
    """
    return (a * matched(a, guide)).flatten(1).mean(1)


@torch.no_grad()
def matched(a: Tensor, guide: Tensor) -> Tensor:
    """The slope of `best_match`: at each place the best column itself, as in Google's DeepDream notebook (2015).

    The best are sought in pieces: all pairs would be gigabytes.
    """
    places = a.flatten(2)
    guide = guide.to(a.dtype).expand(len(a), -1, -1)
    pieces = torch.split(places, max(1, PAIRS // guide.shape[2]), 2)
    best = torch.cat([(piece.transpose(1, 2) @ guide).argmax(2) for piece in pieces], 1)
    return guide.gather(2, best[:, None].expand(-1, guide.shape[1], -1)).view(a.shape)


PAIRS = 1 << 22  # of places, that are compared at once


def ranked(a: Tensor, rank: str, count: int) -> Tensor:
    """Numbers of `count` channels of each lane, [L, count], by mean activation: strongest, average or weakest.

    Those that are silent everywhere come last in any of these: nothing can be climbed in them. average: the
    nearest to the middle of those that are not. After neural-dream's channel modes.
    """
    means = a.mean((2, 3))
    silent = (a == 0).all(3).all(2)
    if rank == "strongest":
        order = means
    elif rank == "weakest":
        order = -means
    else:
        middle = torch.where(silent, torch.nan, means).nanmedian(1, keepdim=True).values
        order = -(means - middle.nan_to_num()).abs()
    return torch.where(silent, -torch.inf, order).topk(count, 1).indices


OBJECTIVES: dict[str, Objective] = {"energy": energy, "sparse": sparse, "mean": mean}
