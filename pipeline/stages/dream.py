"""Dream: climb what is owed, octave by octave. Seed [L, 3, H, W] in 0..1 in, dream of the same shape out.

DeepDream as its source defines it (Mordvintsev, Olah, Tyka, "Inceptionism", 2015): forward to a layer, its
gradient is its activation, back to the picture, step, repeat. Octaves are residual: each starts from the seed
itself plus what was dreamed so far, so the source's own detail is never resized away.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from pipeline.clip import Size
from pipeline.errors import InputError
from pipeline.net.tap import Cut
from pipeline.net.targets import Target
from pipeline.ops import ascent, pyramid
from pipeline.ops.objectives import Callback, Objective, mean

LEAST_OCTAVE = 16  # px: nothing is seen in less
LARGEST_WEIGHT = 3.0  # a pixel may step this much further than the average: x3 is clean, x8 speckles


@dataclass(frozen=True)
class Look:
    """What is dreamed and how, apart from how far.

    jitter: pixels. smooth: sigma in pixels at the last step, thrice that at the first. objective: of one
    target's activations, or `callback` of all of them.
    """

    cut: Cut
    objective: Objective
    callback: Callback | None = None
    octaves: int = 4
    octave_scale: float = 1.4
    jitter: int = 32
    smooth: float = 0.0
    seed: int = 0

    def sizes(self, size: Size) -> list[Size]:
        """The octaves that fit a picture of this size, smallest first. InputError when not even it fits."""
        if min(size) < self.cut.least:
            raise InputError(
                f"A dream of {size} is too small: these layers need at least {self.cut.least} pixels a side. "
                "Give a larger --size, or a layer nearer to the picture."
            )
        return pyramid.sizes(size, self.octaves, self.octave_scale, max(self.cut.least, LEAST_OCTAVE))


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
    at least one, and its pixels step by w = climb / n, so that all of them arrive. step: grey levels.
    """
    climb = iterations * owed
    steps = [max(1, round(mean)) for mean in climb.mean((1, 2, 3)).tolist()]
    per_lane = torch.tensor(steps, device=seed.device, dtype=seed.dtype).view(-1, 1, 1, 1)
    weight = (climb / per_lane).clamp_max(LARGEST_WEIGHT)
    picture, so_far = seed, None
    lost = torch.zeros(len(seed), dtype=torch.int32, device=seed.device)
    for octave, size in enumerate(look.sizes(Size(*seed.shape[-2:]))):
        ground = pyramid.resize(seed, size)
        picture = ground if so_far is None else (ground + pyramid.resize(so_far, size)).clamp_(0, 1)
        picture = _climb(look, picture, pyramid.area(weight, size), octave, steps, iterations, step, lost)
        so_far = picture - ground
    return Dreamed(picture, steps, lost)


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
            picture = picture.clone()
            picture[lanes], stayed = _step(look, picture[lanes], weight[lanes], roll, sigma, step)
            lost[lanes] += stayed
    return picture


def _step(
    look: Look, picture: Tensor, weight: Tensor, roll: tuple[int, int], sigma: float, step: float
) -> tuple[Tensor, Tensor]:
    rolled = torch.roll(picture, roll, (2, 3))
    slope = torch.roll(gradient(look, rolled, roll), (-roll[0], -roll[1]), (2, 3))
    return ascent.ascend(picture, ascent.smooth(slope, sigma), step, weight)


def _sigma(last: float, remaining: int, iterations: int) -> float:
    """Falls in a line from three times `last`, at the first step of a full dream, to `last`."""
    return last * (1 + 2 * (remaining - 1) / max(iterations - 1, 1))


def gradient(look: Look, picture: Tensor, roll: tuple[int, int] = (0, 0)) -> Tensor:
    """Of the objective with respect to the picture, [L, 3, H, W].

    Of several targets each one's gradient is brought to mean |g| = 1 before they are summed by weight, so that
    weights mean what they say. roll: where the picture's origin stands, for targets at a place in it.
    """
    picture = picture.detach().requires_grad_()
    with torch.enable_grad():
        scores = _scores(look, look.cut(picture), Size(*picture.shape[-2:]), roll)
    slopes = [
        torch.autograd.grad(score, picture, retain_graph=index < len(scores) - 1)[0]
        for index, (score, _) in enumerate(scores)
    ]
    if len(slopes) == 1:
        return slopes[0] * math.copysign(1, scores[0][1])
    means = [slope.abs().mean((1, 2, 3), keepdim=True).clamp_min(ascent.TINY) for slope in slopes]
    return torch.stack([w / m * g for (_, w), m, g in zip(scores, means, slopes, strict=True)]).sum(0)


def _scores(
    look: Look, activations: list[Tensor], size: Size, roll: tuple[int, int]
) -> list[tuple[Tensor, float]]:
    """(what is to grow, summed over lanes, and its weight) for each target; one in all for a caller's own."""
    if look.callback is not None:
        return [(look.callback(activations).sum(), 1.0)]
    return [
        (
            (mean if target.motif else look.objective)(select(activation, target, size, roll)).sum(),
            target.weight,
        )
        for activation, target in zip(activations, look.cut.targets, strict=True)
    ]


def select(activation: Tensor, target: Target, size: Size, roll: tuple[int, int] = (0, 0)) -> Tensor:
    """The part of [L, C, h, w] a target means: some channels, and one place in percent of width and height."""
    if target.channels:
        activation = activation[:, list(target.channels)]
    if target.at is not None:
        x, y = target.at
        row = (y * (size.height - 1) // 100 + roll[0]) % size.height * activation.shape[2] // size.height
        column = (x * (size.width - 1) // 100 + roll[1]) % size.width * activation.shape[3] // size.width
        activation = activation[:, :, row : row + 1, column : column + 1]
    return activation
