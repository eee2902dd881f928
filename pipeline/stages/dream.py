"""Dream: climb what is owed, octave by octave. Seed [L, 3, H, W] in 0..1 in, dream of the same shape out.

DeepDream as its source defines it (Mordvintsev, Olah, Tyka, "Inceptionism", 2015): forward to a layer, its
gradient is its activation, back to the picture, step, repeat. Octaves are residual: each starts from the seed
itself plus what was dreamed so far, so the source's own detail is never resized away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from pipeline.clip import Size
from pipeline.net.moment import Each, Moment
from pipeline.ops import ascent, bands, pyramid
from pipeline.ops.gradient import gradient
from pipeline.ops.look import Look
from pipeline.ops.objectives import ranked

LARGEST_WEIGHT = 3.0  # a pixel may step this much further than the average: x3 is clean, x8 speckles


class Dreamed(NamedTuple):
    """picture: [L, 3, H, W] in 0..1. steps: that each lane took in every octave. lost: [L], of all those it took,
    the ones that moved nothing, because their gradient was infinite or no number.
    """

    picture: Tensor
    steps: list[int]
    lost: Tensor

    @staticmethod
    def nothing(source: Tensor) -> Dreamed:
        """Of no iterations."""
        return Dreamed(source, [0] * len(source), torch.zeros(len(source), dtype=torch.int32))


def dream(look: Look, seed: Tensor, owed: Tensor, iterations: int, step: float) -> Dreamed:
    """Dream on `seed` [L, 3, H, W].

    owed: [L, 1, H, W], share of `iterations` each pixel has to climb. A lane takes n = round(mean(climb)) steps,
    at least one, and its pixels step by w = climb / n, so that all of them arrive. step: grey levels. Under masks
    the mean is of what they show, so that a small part of a picture gets as full a dream as the whole would.
    """
    sizes = look.sizes(Size(*seed.shape[-2:]))
    look = look if look.now.picks else replace(look, now=replace(look.now, picks=waking(look, seed)))
    mean, weigh = _owed(look.now, iterations * owed)
    picture, so_far = seed, None
    grown = pyramid.linear if look.soft else pyramid.resize
    lost = torch.zeros(len(seed), dtype=torch.int32, device=seed.device)
    shares = look.shares(len(sizes))
    for octave, (size, (more, further)) in enumerate(zip(sizes, shares, strict=True)):
        ground = pyramid.resize(seed, size)
        picture = ground if so_far is None else (ground + grown(so_far, size)).clamp_(0, 1)
        if more > 0:
            steps = _steps(mean, more)
            here = replace(look, now=look.now.masked(lambda mask, to=size: pyramid.area(mask, to)))  # type: ignore[misc]
            weight = pyramid.area(weigh(steps, more), size)
            full = max(1, round(iterations * more))
            picture = _climb(here, picture, weight, octave, steps, full, step * further, lost)
        so_far = picture - ground
    return Dreamed(picture, _steps(mean, 1), lost)


def _steps(mean: list[float], share: float) -> list[int]:
    return [max(1, round(climb * share)) for climb in mean]


def _owed(now: Moment, climb: Tensor) -> tuple[list[float], Callable[[list[int], float], Tensor]]:
    """What each lane owes on average, in steps; and how far each pixel goes in each of so many, [L, 1, H, W]."""
    reach = now.reach()
    shown = [part for part in (now.mask, reach) if part is not None]
    if not shown:
        average = climb.mean((1, 2, 3))
    else:
        over = torch.stack([part.expand_as(climb) for part in shown]).prod(0)
        average = (climb * over).sum((1, 2, 3)) / over.sum((1, 2, 3)).clamp_min(ascent.TINY)
    # A step's length is set by the mean gradient, of which masked targets leave that much.
    left = 1.0 if reach is None else reach.mean((1, 2, 3), keepdim=True)

    def weigh(steps: list[int], share: float) -> Tensor:
        per_lane = torch.tensor(steps, device=climb.device, dtype=climb.dtype).view(-1, 1, 1, 1)
        weight = (climb * share / per_lane).clamp_max(LARGEST_WEIGHT) * left
        return weight if now.mask is None else weight * now.mask

    return average.tolist(), weigh


def waking(look: Look, picture: Tensor) -> Each:
    """Of each target that asks for a rank the channels that are so in `picture` [L, 3, H, W]: [L, k], or None.

    Looked for at the smallest octave, which tells as well and costs next to nothing.
    """
    if not any(target.rank for target in look.cut.targets):
        return ()
    seen = look.cut(pyramid.resize(picture, look.sizes(Size(*picture.shape[-2:]))[0]))
    return tuple(
        ranked(activation, target.rank, target.count) if target.rank else None
        for activation, target in zip(seen, look.cut.targets, strict=True)
    )


def _climb(
    look: Look,
    picture: Tensor,
    weight: Tensor,
    octave: int,
    steps: list[int],
    iterations: int,
    step: float,
    lost: Tensor,
) -> Tensor:
    """All steps of one octave. A lane with fewer steps takes the last ones of the sequence. Counts those `lost`."""
    picture = picture.contiguous(memory_format=torch.channels_last)
    for remaining in range(max(steps), 0, -1):
        sigma = _sigma(look.smooth, remaining, iterations)
        roll = ascent.shift(look.seed, octave, remaining, look.jitter)
        lanes = [lane for lane, own in enumerate(steps) if own >= remaining]
        if len(lanes) == len(steps):
            picture, stayed = _step(look, picture, weight, roll, sigma, step)
            lost += stayed
        else:
            picture, own = picture.clone(), replace(look, now=look.now.of(lanes))
            picture[lanes], stayed = _step(own, picture[lanes], weight[lanes], roll, sigma, step)
            lost[lanes] += stayed
    return picture


def _step(
    look: Look, picture: Tensor, weight: Tensor, roll: tuple[int, int], sigma: float, step: float
) -> tuple[Tensor, Tensor]:
    look.heed()
    rolled = torch.roll(picture, roll, (2, 3))
    slope = torch.roll(gradient(look, rolled, roll), (-roll[0], -roll[1]), (2, 3))
    slope = bands.levelled(ascent.smooth(slope, sigma), look.laplacian)
    return ascent.ascend(picture, slope, step, weight)


def _sigma(last: float, remaining: int, iterations: int) -> float:
    """Falls in a line from three times `last`, at the first step of a full dream, to `last`."""
    return last * (1 + 2 * (remaining - 1) / max(iterations - 1, 1))
