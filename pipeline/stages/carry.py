"""Carry: lay the dream of the frame before, faded, along the motion, and say what each pixel still owes.

Tensors [L, C, h, w] at dream size, one lane a film; nothing crosses lanes. Symbols as in README, "How it
holds still": I source, O dreamed, D = O - I the dream layer, a steadiness, M trust.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.clip import Size
from pipeline.ops.warp import warp

HEADROOM = 1.1  # a dream may outgrow its shot's first by this much before it is held down
RESPONSE = 0.6  # the further a dream has climbed, the less a step finds to win
NOTHING = 1e-6


@dataclass(frozen=True)
class Carried:
    """What one frame leaves to the next.

    dream: D, [L, 3, h, w], -1..1, float and never through a file that loses bits. strength, effort: [L, 1, 1, 1], of
    the shot's first dream: its rms R0, and the grey levels it climbed, N0 s0. ground: the I it lies on, where whole
    pictures are carried (blend); None: that does not matter.
    past: what the film looked like before, which flow wants to know when a walk goes on; nothing to the dream.
    """

    dream: Tensor
    strength: Tensor
    effort: Tensor
    ground: Tensor | None = None
    past: Tensor | None = None

    @staticmethod
    def nothing(lanes: int, size: Size, device: torch.device) -> Carried:
        """Before the first frame of a shot: a layer [L, 3, H, W] of 0."""
        zero, blank = torch.zeros(lanes, 1, 1, 1, device=device), torch.zeros(lanes, 3, *size, device=device)
        return Carried(blank, zero, zero)

    @staticmethod
    def together(lanes: Sequence[Carried]) -> Carried:
        """As one, without their pasts, which are no matter to the dream."""
        parts = ((own.dream, own.strength, own.effort) for own in lanes)
        dream, strength, effort = (torch.cat(same) for same in zip(*parts, strict=True))
        if all(own.ground is None for own in lanes):
            return Carried(dream, strength, effort)
        grounds = [torch.zeros_like(own.dream) if own.ground is None else own.ground for own in lanes]
        return Carried(dream, strength, effort, torch.cat(grounds))

    def apart(self) -> list[Carried]:
        """Each lane's own."""
        parts = (self.dream, self.strength, self.effort, *(() if self.ground is None else (self.ground,)))
        return [Carried(*own) for own in zip(*(torch.split(part, 1) for part in parts), strict=True)]

    def on(self, ground: Tensor) -> Carried:
        """The same, and the picture it lies on, [L, 3, h, w] in 0..1."""
        return replace(self, ground=ground)

    def seen(self, past: NDArray[np.float32] | None) -> Carried:
        """The same, and what the film looked like up to here."""
        return self if past is None else replace(self, past=torch.from_numpy(past))


class Ahead(NamedTuple):
    """A keyframe to come, dreamed already. flow, trust: as of the frame before, to it. weight: [L, 1, 1, 1], 0..1."""

    carried: Carried
    flow: Tensor
    trust: Tensor
    weight: Tensor


def lay(
    source: Tensor,
    carried: Carried,
    flow: Tensor,
    trust: Tensor,
    steadiness: float,
    effort: float,
    octaves: int,
    ahead: Ahead | None = None,
) -> tuple[Tensor, Tensor]:
    """The seed of this frame's dream, [L, 3, h, w] in 0..1, and the share of a full climb each pixel owes.

    source: I. flow: [L, 2, h, w], backward, pixels. trust: M, [L, 1, h, w], 0..1. effort: N s, the grey levels
    a full dream climbs. Owed is 1 - a M, [L, 1, h, w]: a pixel whose motion is trusted owes what the fading took,
    one that has just come into view, or any after a cut, owes all. ahead: between two keyframes D is what the frame
    before and the next keyframe hold, weighed by how far each can be trusted, and M the larger trust of both.
    """
    warped = warp(governed(carried, effort, octaves), flow)
    if ahead is not None:
        near, far = (1 - ahead.weight) * trust, ahead.weight * ahead.trust
        beyond = warp(governed(ahead.carried, effort, octaves), ahead.flow)
        warped = (near * warped + far * beyond) / (near + far).clamp_min(NOTHING)
        trust = torch.maximum(trust, ahead.trust)
    kept = steadiness * trust
    return torch.addcmul(source, kept, warped).clamp_(0, 1), 1 - kept


def blend(source: Tensor, carried: Carried, trust: Tensor, steadiness: float) -> tuple[Tensor, Tensor]:
    """As `lay`, but the way of the first dream films: the whole picture before, as it lies, blended over this one.

    It trails and it flickers, and every frame owes a full climb; that is its look. trust: 0 at a cut, else 1.
    Source: DeepDreamVideo (2015), steadiness .5.
    """
    before = carried.dream if carried.ground is None else carried.ground + carried.dream
    return torch.lerp(source, before, steadiness * trust), torch.ones_like(trust)


def governed(carried: Carried, effort: float, octaves: int) -> Tensor:
    """D held down to what a dream of this effort e = N s may reach: D min(1, cap / rms D), per lane.

    cap = 1.1 max(R0 max(r, r ** 0.6), expected), r = e / (N0 s0). A dream answers to effort by a power of 0.6 to 1,
    so a scheduled rise is given the one and a fall the other; and a fade in from black, whose first dream has no
    strength to go by, what any dream is expected to reach.
    """
    ratio = effort / carried.effort.clamp_min(NOTHING)
    scaled = carried.strength * torch.maximum(ratio, ratio**RESPONSE)
    cap = HEADROOM * scaled.clamp_min(expected_strength(effort, octaves))
    strength = rms(carried.dream).clamp_min(NOTHING)
    return carried.dream * (cap / strength).clamp(max=1) * (strength > NOTHING)


def expected_strength(effort: float, octaves: int) -> float:
    """rms of a first dream, as ImageNet networks were measured to dream: 1.9 effort^0.6 octaves^0.65 grey levels."""
    return float(1.9 * effort**RESPONSE * octaves**0.65 / 255)


def keep(source: Tensor, dreamed: Tensor, carried: Carried, trust: Tensor, effort: float) -> Carried:
    """What this frame leaves to the next. A frame dreamed wholly anew (trust 0 everywhere) is its shot's first."""
    dream = dreamed - source
    if effort <= 0:
        return Carried(dream, carried.strength, carried.effort)
    anew = trust.amax((1, 2, 3), keepdim=True) == 0
    first = torch.where(anew, rms(dream), carried.strength), torch.where(anew, effort, carried.effort)
    return Carried(dream, *first)


def rms(dream: Tensor) -> Tensor:
    """Root mean square of each lane, [L, 1, 1, 1]."""
    return dream.square().mean((1, 2, 3), keepdim=True).sqrt()
