"""Dream: climb what is owed, octave by octave. Seed [L, 3, H, W] in 0..1 in, dream of the same shape out.

DeepDream as its source defines it (Mordvintsev, Olah, Tyka, "Inceptionism", 2015): forward to a layer, its
gradient is its activation, back to the picture, step, repeat. Octaves are residual: each starts from the seed
itself plus what was dreamed so far, so the source's own detail is never resized away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from pipeline.clip import Size
from pipeline.errors import InputError
from pipeline.net.moment import NOW, Each, Moment
from pipeline.net.tap import Cut
from pipeline.net.targets import Target
from pipeline.ops import ascent, bands, pyramid
from pipeline.ops.objectives import Callback, Objective, best_match, mean, ranked
from pipeline.ops.tiles import tiles

LEAST_OCTAVE = 16  # px: nothing is seen in less
LARGEST_WEIGHT = 3.0  # a pixel may step this much further than the average: x3 is clean, x8 speckles


def go_on() -> None:
    """What heeds nothing."""


@dataclass(frozen=True)
class Look:
    """What is dreamed and how, apart from how far.

    jitter: pixels. smooth: sigma in pixels at the last step, thrice that at the first. laplacian: bands of detail
    that are brought to one strength; 0: none. objective: of one target's activations, or `callback` of all of them.
    octave_iterations, octave_step: each octave's share of the iterations and of the step, smallest octave first;
    the last one holds for those that follow, and those of octaves that do not fit are left out. soft: what is
    dreamed is enlarged from octave to octave linearly, not bicubic. tile: pixels; what is larger than two such
    tiles is seen tile by tile; 0: never. now: what belongs to one frame. heed: called before every step, and
    before every tile: what it raises ends the dream.
    """

    cut: Cut
    objective: Objective
    callback: Callback | None = None
    octaves: int = 4
    octave_scale: float = 1.4
    jitter: int = 32
    smooth: float = 0.0
    seed: int = 0
    laplacian: int = 0
    octave_iterations: tuple[float, ...] = (1.0,)
    octave_step: tuple[float, ...] = (1.0,)
    soft: bool = False
    tile: int = 0
    now: Moment = NOW
    heed: Callable[[], None] = go_on

    def shares(self, octaves: int) -> list[tuple[float, float]]:
        """(of the iterations, of the step) for each of so many octaves that fit, smallest first."""
        asked = range(self.octaves - octaves, self.octaves)
        each = (self.octave_iterations, self.octave_step)
        iterations, step = ([shares[min(k, len(shares) - 1)] for k in asked] for shares in each)
        return list(zip(iterations, step, strict=True))

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
        share = _weight(look, index, slope)
        if len(slopes) == 1:  # its length does not matter, and is left as it is
            share = share.sign()
        else:
            share = share / slope.abs().mean((1, 2, 3), keepdim=True).clamp_min(ascent.TINY)
        if look.now.masks and (mask := look.now.masks[index]) is not None:
            share = share * torch.roll(mask, roll, (2, 3))
        parts.append(slope * share)
    return sum(parts[1:], parts[0]) if parts else torch.zeros_like(picture)


def _slopes(look: Look, picture: Tensor, roll: tuple[int, int]) -> dict[int, Tensor]:
    """The gradient of each target's score, [L, 3, H, W], by its number; tile by tile where the picture is large."""
    size = Size(*picture.shape[-2:])
    placed = any(target.at is not None for target in look.cut.targets)  # in the whole picture, not in a tile
    if not look.tile or placed or size.height * size.width <= 2 * look.tile**2:
        return _slopes_at_once(look, picture, roll)
    whole: dict[int, Tensor] = {}
    for tile in tiles(size, look.tile):
        for index, slope in _slopes_at_once(look, picture[(..., *tile.seen)], roll).items():
            whole.setdefault(index, torch.zeros_like(picture))[(..., *tile.kept)] = slope[(..., *tile.own)]
    return whole


def _slopes_at_once(look: Look, picture: Tensor, roll: tuple[int, int]) -> dict[int, Tensor]:
    picture = picture.detach().requires_grad_()
    with torch.enable_grad():
        scores = _scores(look, look.cut(picture), Size(*picture.shape[-2:]), roll)
    return {
        index: torch.autograd.grad(score, picture, retain_graph=index != max(scores))[0]
        for index, score in scores.items()
    }


def _weight(look: Look, index: int, like: Tensor) -> Tensor:
    """Of a target, [L or 1, 1, 1, 1]."""
    if look.now.weights is None:
        return like.new_tensor(look.cut.targets[index].weight).view(1, 1, 1, 1)
    return look.now.weights[:, index].to(like).view(-1, 1, 1, 1)


def _scores(look: Look, activations: list[Tensor], size: Size, roll: tuple[int, int]) -> dict[int, Tensor]:
    """What is to grow, summed over lanes, by the number of its target; a caller's own is number 0."""
    if look.callback is not None:
        return {0: look.callback(activations).sum()}
    now, scores = look.now, {}
    for index, (activation, target) in enumerate(zip(activations, look.cut.targets, strict=True)):
        if now.weights is not None and not now.weights[:, index].any():
            continue
        guide = now.guides[index] if now.guides else None
        seen = select(activation, target, size, roll, now.picks[index] if now.picks else None)
        if guide is not None:
            score = best_match(seen, guide.to(seen.dtype))
        else:
            objective = mean if target.motif or target.classes else look.objective
            score = objective(seen.to(torch.promote_types(seen.dtype, torch.float32)))
        # Of a sum, not of a mean: in half precision the gradient of a mean over a large map is nothing.
        scores[index] = (score * seen[0].numel()).sum()
    return scores


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
        activation = activation[:, [c for c in range(activation.shape[1]) if c not in target.muted]]
    if target.channels:
        activation = activation[:, list(target.channels)]
    if target.at is not None:
        x, y = target.at
        row = (y * (size.height - 1) // 100 + roll[0]) % size.height * activation.shape[2] // size.height
        column = (x * (size.width - 1) // 100 + roll[1]) % size.width * activation.shape[3] // size.width
        activation = activation[:, :, row : row + 1, column : column + 1]
    return activation
