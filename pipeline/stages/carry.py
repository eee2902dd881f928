"""Carry: lay the dream of the frame before, faded, along the motion, and say what each pixel still owes.

Tensors [L, C, h, w] at dream size, one lane a film; nothing crosses lanes. Symbols as in README, "How it
holds still": I source, O dreamed, D = O - I the dream layer, a steadiness, M trust.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.clip import Size
from pipeline.ops.warp import warp

HEADROOM = 1.1  # a dream may outgrow its shot's first by this much before it is held down
LEAST_GAIN = 1 / 255  # rms won by a grey level climbed, where the first dream tells too little (black leader)
NOTHING = 1e-6


@dataclass(frozen=True)
class Carried:
    """What one frame leaves to the next.

    dream: D, [L, 3, h, w], -1..1, float and never through a file that loses bits. gain: [L, 1, 1, 1], the rms of
    the shot's first dream over the grey levels it climbed (R0 / N0 s0).
    """

    dream: Tensor
    gain: Tensor

    @staticmethod
    def nothing(lanes: int, size: Size, device: torch.device) -> Carried:
        return Carried(
            torch.zeros(lanes, 3, *size, device=device),
            torch.full((lanes, 1, 1, 1), LEAST_GAIN, device=device),
        )


def lay(
    source: Tensor, carried: Carried, flow: Tensor, trust: Tensor, steadiness: float, effort: float
) -> tuple[Tensor, Tensor]:
    """The seed of this frame's dream, [L, 3, h, w] in 0..1, and the share of a full climb each pixel owes.

    source: I. flow: [L, 2, h, w], backward, pixels. trust: M, [L, 1, h, w], 0..1. effort: N s, the grey levels
    a full dream climbs. Owed is 1 - a M, [L, 1, h, w]: a pixel whose motion is trusted owes what the fading took,
    one that has just come into view, or any after a cut, owes all.
    """
    kept = steadiness * trust
    warped = warp(governed(carried, effort), flow)
    return torch.addcmul(source, kept, warped).clamp_(0, 1), 1 - kept


def governed(carried: Carried, effort: float) -> Tensor:
    """D held down to what a dream of this effort may reach: D min(1, cap / rms D), per lane.

    cap = 1.1 N s max(R0 / (N0 s0), 1/255): it follows a scheduled rise, and a fade in from black, whose first
    dream has no strength to measure by.
    """
    cap = HEADROOM * effort * carried.gain.clamp_min(LEAST_GAIN)
    strength = rms(carried.dream)
    return carried.dream * torch.where(
        strength < NOTHING, 1.0, (cap / strength.clamp_min(NOTHING)).clamp(max=1)
    )


def keep(source: Tensor, dreamed: Tensor, carried: Carried, trust: Tensor, effort: float) -> Carried:
    """What this frame leaves to the next. A frame dreamed wholly anew (trust 0 everywhere) sets the gain."""
    dream = dreamed - source
    if effort <= 0:
        return Carried(dream, carried.gain)
    anew = trust.amax((1, 2, 3), keepdim=True) == 0
    return Carried(dream, torch.where(anew, rms(dream) / effort, carried.gain))


def rms(dream: Tensor) -> Tensor:
    """Root mean square of each lane, [L, 1, 1, 1]."""
    return dream.square().mean((1, 2, 3), keepdim=True).sqrt()
