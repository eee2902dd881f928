"""Gradient: of what is to grow, with respect to the picture. [L, 3, H, W] in, the same out; nothing crosses lanes."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from pipeline.net.targets import Target
from pipeline.ops import ascent
from pipeline.ops.look import Look
from pipeline.ops.objectives import matched, mean
from pipeline.ops.tiles import tiles
from pipeline.size import Size


def gradient(look: Look, picture: Tensor, roll: tuple[int, int] = (0, 0)) -> Tensor:
    """Of the objective with respect to the picture, [L, 3, H, W].

    Of several targets each one's gradient is brought to mean |g| = 1 before they are summed by weight, so that
    weights mean what they say. roll: where the picture's origin stands, for targets at a place in it.
    """
    slopes = _slopes(look, picture, roll)
    if look.callback is not None:
        return slopes[0]
    parts = []
    for index, slope in slopes.items():
        weight = _weight(look, index, slope)
        if len(slopes) == 1:  # its length does not matter, and is left as it is
            part = slope * (
                weight.sign() if isinstance(weight, Tensor) else math.copysign(bool(weight), weight)
            )
        else:
            part = slope * (weight / slope.abs().mean((1, 2, 3), keepdim=True).clamp_min(ascent.TINY))
        if look.now.masks and (mask := look.now.masks[index]) is not None:
            part = part * torch.roll(mask, roll, (2, 3))
        parts.append(part)
    return sum(parts[1:], parts[0]) if parts else torch.zeros_like(picture)


def _slopes(look: Look, picture: Tensor, roll: tuple[int, int]) -> dict[int, Tensor]:
    """The gradient of each target's score, [L, 3, H, W], by its number; tile by tile where the picture is large."""
    size = Size(*picture.shape[-2:])
    if not look.tile or look.placed or size.height * size.width <= 2 * look.tile**2:
        return _slopes_of(look, picture, roll)
    whole: dict[int, Tensor] = {}
    for tile in tiles(size, look.tile):
        look.heed()
        for index, slope in _slopes_of(look, picture[(..., *tile.seen)], roll).items():
            whole.setdefault(index, torch.zeros_like(picture))[(..., *tile.kept)] = slope[(..., *tile.own)]
    return whole


def _slopes_of(look: Look, picture: Tensor, roll: tuple[int, int]) -> dict[int, Tensor]:
    """At once; as it was recorded, where that can be."""
    if look.record is None or not look.is_steady:
        return _slopes_at_once(look, picture, roll)
    return look.record((look.cut, look.objective), lambda given: _slopes_at_once(look, given, roll), picture)


def _slopes_at_once(look: Look, picture: Tensor, roll: tuple[int, int]) -> dict[int, Tensor]:
    picture = picture.detach().requires_grad_()
    with torch.enable_grad():
        activations = look.cut(picture)
        if look.callback is not None:  # a caller's own is number 0
            return {0: torch.autograd.grad(look.callback(activations).sum(), picture)[0]}
        size, now = Size(*picture.shape[-2:]), look.now
        grown = {
            index: _grown(look, index, activation, size, roll)
            for index, activation in enumerate(activations)
            if now.weights is None or now.weights[:, index].any()
        }
    return {
        index: torch.autograd.grad(seen, picture, slope, retain_graph=index != max(grown))[0]
        for index, (seen, slope) in grown.items()
    }


def _weight(look: Look, index: int, like: Tensor) -> Tensor | float:
    """Of a target; where lanes differ, [L, 1, 1, 1]."""
    if look.now.weights is None:
        return look.cut.targets[index].weight
    return look.now.weights[:, index].to(like).view(-1, 1, 1, 1)


def _grown(
    look: Look, index: int, activation: Tensor, size: Size, roll: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """What a target means of an activation, and the gradient of its score there.

    Of a sum, not of a mean: in half precision the gradient of a mean over a large map is nothing.
    """
    now, target = look.now, look.cut.targets[index]
    guide = now.guides[index] if now.guides else None
    spared = target.muted if guide is None and not target.channels else ()
    means = replace(target, muted=()) if spared else target
    seen = select(activation, means, size, roll, now.picks[index] if now.picks else None)
    if guide is not None:
        return seen, matched(seen.detach(), guide.to(seen.dtype))
    objective = mean if target.motif or target.classes else look.objective
    slope = objective.slope(seen.detach().to(torch.promote_types(seen.dtype, torch.float32)))
    if spared:  # rather than left out of what is seen: that would be a copy of all the others
        slope.index_fill_(1, rows_of(spared, slope.device), 0)
    return seen, slope.to(seen.dtype)


@lru_cache(maxsize=256)
def rows_of(channels: tuple[int, ...], device: torch.device) -> Tensor:
    """Channel numbers where they are used: sending them anew for every step would have a GPU wait."""
    return torch.tensor(channels, device=device)


def select(
    activation: Tensor,
    target: Target,
    size: Size,
    roll: tuple[int, int] = (0, 0),
    picks: Tensor | None = None,
) -> Tensor:
    """The part of [L, C, h, w] a target means: some channels, and one place in percent of width and height.

    picks: [L, k], each lane's own channels in place of the target's.
    """
    if picks is not None:
        rows = picks.expand(len(activation), -1)[:, :, None, None]
        activation = activation.gather(1, rows.expand(-1, -1, *activation.shape[2:]))
    elif target.muted:
        kept = tuple(c for c in range(activation.shape[1]) if c not in target.muted)
        activation = activation[:, rows_of(kept, activation.device)]
    if target.channels:
        activation = activation[:, rows_of(target.channels, activation.device)]
    if target.at is not None:
        x, y = target.at
        row = (y * (size.height - 1) // 100 + roll[0]) % size.height * activation.shape[2] // size.height
        column = (x * (size.width - 1) // 100 + roll[1]) % size.width * activation.shape[3] // size.width
        activation = activation[:, :, row : row + 1, column : column + 1]
    return activation
