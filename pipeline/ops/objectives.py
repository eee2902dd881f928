"""Objectives: what a dream amplifies, as one number a lane. Activations [L, C, h, w] in, [L] out.

Only the direction of their gradient matters: a step's length is set by its mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

Objective = Callable[[Tensor], Tensor]
"""From one target's activations to a score for each lane."""

Callback = Callable[[Sequence[Tensor]], Tensor]
"""A caller's own: from the activations of all targets, in their order, to a score for each lane."""


def energy(a: Tensor) -> Tensor:
    """Mean a^2: its gradient at the layer is the activation itself (Mordvintsev et al., 2015)."""
    return a.square().flatten(1).mean(1)


def sparse(a: Tensor) -> Tensor:
    """Mean relu(a)^3: the strongest features win, which is more figurative."""
    return a.relu().pow(3).flatten(1).mean(1)


def mean(a: Tensor) -> Tensor:
    return a.flatten(1).mean(1)


OBJECTIVES: dict[str, Objective] = {"energy": energy, "sparse": sparse, "mean": mean}
