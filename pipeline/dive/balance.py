"""Balance: the energy of a picture octave by octave and its mean, measured, and held to those of another one.

Pictures [1, 3, H, W] in 0..1. What a dive dreams on it dreams on again a doubling further down: without this loop
fine detail falls to a half in four doublings and colours run away. Luma and two chroma are held apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.clip import Size
from pipeline.dive.windows import Region, Share
from pipeline.ops import pyramid

LEAST = 12  # px: the smallest side of an octave
FINE = 2  # octaves whose energy is made up in full: dreams do not reach the finest
ROUNDS = 3  # octaves overlap: what one is given shows in its neighbours
RANGE = {"fine": (0.5, 2.0), "coarse": (0.6, 1.4), "chroma": (0.4, 1.1)}  # a master's gains, per octave
PATCH = 9  # px, of an octave: so small a place may not hold much more colour than
STAIN = 1.25  # the reference does: what does is stripes, and they feed on themselves
TINGE = 0.8  # of the reference's luma in that octave, likewise: texture is light and dark, stripes are not
VIVID = 2.2  # no colour is further from grey than so many times the reference's rms
SHIFT = 0.15  # of the mean, at most, per master
SLOWLY = 0.1  # how far the reference goes towards each master, in what may change: coarse octaves and colour
TOP = 0.84  # of the finest octave, to the next: measured, for frames as sharp between two masters as at one
CHANGE = 4.0  # times: what a dream makes of a picture that is all but flat is no measure for others
LEAST_SHARE = 0.25  # of a box that a hole must leave to be left out
TINY = 1e-5

# Orthonormal: luma, red - blue, green - magenta.
AXES = torch.tensor(
    [[3**-0.5, 3**-0.5, 3**-0.5], [2**-0.5, 0.0, -(2**-0.5)], [-(6**-0.5), 2 * 6**-0.5, -(6**-0.5)]]
)


WHOLE = Region()


@dataclass(frozen=True)
class Balance:
    """energy: rms of each octave, finest first, and of what is coarser, of luma and two chroma, [B + 1, 3].

    mean: [3]. chroma: rms of the distance from grey, [1].
    """

    energy: Tensor
    mean: Tensor
    chroma: Tensor

    @property
    def fine(self) -> float:
        """rms of the finest octave's luma."""
        return float(self.energy[0, 0])

    def followed(self, other: Balance) -> Balance:
        """This reference, moved a little towards what was made under it; its luma stays but in coarse octaves."""
        shared = min(len(self.energy), len(other.energy))
        energy, mean = self.energy.clone(), self.mean.clone()
        energy[:shared, 1:] += SLOWLY * (other.energy[:shared, 1:] - energy[:shared, 1:])
        mean[1:] += SLOWLY * (other.mean[1:] - mean[1:])
        return Balance(energy, mean, self.chroma)

    def changed_as(self, before: Balance, after: Balance) -> Balance:
        """This one, as much richer and lighter as `after` is than `before`; the three are of one size."""
        most = CHANGE
        richer = (after.energy / before.energy.clamp_min(TINY)).clamp(1 / most, most)
        vivid = (after.chroma / before.chroma.clamp_min(TINY)).clamp(1 / most, most)
        return Balance(self.energy * richer, self.mean + after.mean - before.mean, self.chroma * vivid)

    def levelled(self, fall: float = 0.0) -> Balance:
        """As a reference for a dive, which looks alike at every doubling when its finest octaves do.

        They get their mean, and no less than `fall` of the next coarser one, for a picture that is soft; the very
        finest a little less, since more of it is noise, which shows more.
        """
        energy = self.energy.clone()
        energy[0] /= TOP
        energy[:FINE] = torch.maximum(energy[:FINE].mean(0), fall * energy[min(FINE, len(energy) - 1)])
        energy[0] *= TOP
        return Balance(energy, self.mean, self.chroma)


def measure(picture: Tensor, region: Region = WHOLE) -> Balance:
    """Of a picture, or of the part of it that will be seen."""
    field = _axes(picture)
    return Balance(
        _energy(*_split(field), region),
        _mean(field, region),
        _mean(_saturation(field).square(), region).sqrt(),
    )


def hold(
    picture: Tensor, reference: Balance, region: Region = WHOLE, pace: float = 1.0, fine: float = 1.0
) -> Tensor:
    """The picture with the energy of its octaves and its mean brought to the reference's, within RANGE and SHIFT.

    region: where they are measured. pace: share of what may be given, where it is done little by little; fine: of
    that, what the luma of the fine octaves may be given.
    """
    field = _axes(picture)
    given: Tensor | None = None
    for round_ in range(ROUNDS):
        octaves, rest = _split(field)
        energy = _energy(octaves, rest, region)
        wanted = _as_long(reference.energy, len(energy)) / energy.clamp_min(TINY)
        low, high = _ranges(len(energy), pace, fine, field.device)
        before = torch.ones_like(low) if given is None else given
        given = torch.minimum(torch.maximum(before * wanted, low), high)
        for octave, gain in zip(octaves, given / before, strict=False):
            octave.mul_(gain.view(1, 3, 1, 1))
        if given is not None and round_ == ROUNDS - 1:
            _unstain(octaves, _as_long(reference.energy, len(energy)), pace)
        middle = rest.mean((2, 3), keepdim=True)
        field = _joined(octaves, middle + (rest - middle) * (given / before)[-1].view(1, 3, 1, 1))
    most = SHIFT * pace
    shift = (reference.mean - _mean(field, region)).clamp(-most, most)
    field = field + shift.view(1, 3, 1, 1)
    limit = (VIVID * reference.chroma).clamp_min(TINY)
    field[:, 1:] /= (1 + (_saturation(field) / limit) ** 4) ** 0.25
    held = _pixels(field).clamp_(0, 1)
    left = (reference.mean - _mean(_axes(held), region)).clamp(-most, most)  # what clipping took
    return (held + _pixels(left.view(1, 3, 1, 1))).clamp_(0, 1)


def _unstain(octaves: list[Tensor], energy: Tensor, pace: float) -> None:
    """Colour, held down where an octave has far more than the reference: patches of stripes feed on themselves."""
    for octave, limits in zip(octaves, energy, strict=False):
        local = octave[:, 1:].square()
        for along in ((PATCH, 1), (1, PATCH)):  # one after the other: a fifth of the work
            around = (along[0] // 2, along[1] // 2)
            local = F.avg_pool2d(local, along, 1, around, count_include_pad=False)
        most = torch.minimum(STAIN * limits[1:], TINGE * limits[:1])
        limit = most.clamp_min(TINY).square().view(1, 2, 1, 1)
        octave[:, 1:] *= (1 + (local / limit) ** 2) ** (-0.25 * pace**0.5)  # they are quick


def _saturation(field: Tensor) -> Tensor:
    """Distance from grey, [1, 1, H, W]."""
    return field[:, 1:].square().sum(1, keepdim=True).sqrt()


def _energy(octaves: list[Tensor], rest: Tensor, region: Region) -> Tensor:
    rows = [_mean(octave.square(), region) for octave in octaves]
    coarse = _mean(rest.square(), region) - _mean(rest, region).square()
    return torch.stack([*rows, coarse.clamp_min(0)]).sqrt()


def _as_long(energy: Tensor, rows: int) -> Tensor:
    """Masters of other sizes have more octaves, or fewer: the coarsest stand for what is missing."""
    spare = rows - len(energy)
    return (
        torch.cat([energy[:-1], *[energy[-2:-1]] * spare, energy[-1:]])
        if spare > 0
        else torch.cat([energy[: rows - 1], energy[-1:]])
    )


def _mean(field: Tensor, region: Region) -> Tensor:
    """Over a region of [1, C, H, W], [C]."""
    total, count = _sum(field, region.box)
    if region.hole is not None:
        less, fewer = _sum(field, region.hole)
        if count - fewer > LEAST_SHARE * count:
            total, count = total - less, count - fewer
    return total / count


def _sum(field: Tensor, box: Share) -> tuple[Tensor, int]:
    height, width = field.shape[-2:]
    top, bottom = _pixels_of(box[0], box[2], height)
    left, right = _pixels_of(box[1], box[3], width)
    part = field[0, :, top:bottom, left:right]
    return part.sum((1, 2), dtype=torch.float64).to(field.dtype), part.shape[1] * part.shape[2]


def _pixels_of(start: float, end: float, side: int) -> tuple[int, int]:
    first = min(int(start * side), side - 1)
    return first, max(math.ceil(end * side), first + 1)


def _ranges(octaves: int, pace: float, fine: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """The least and the largest gain of each octave, [octaves, 3]."""
    lumas = [
        [bound ** (pace * fine) for bound in RANGE["fine"]]
        if index < FINE
        else [bound**pace for bound in RANGE["coarse"]]
        for index in range(octaves)
    ]
    colour = [bound**pace for bound in RANGE["chroma"]]
    low, high = ([[luma[side], colour[side], colour[side]] for luma in lumas] for side in (0, 1))
    return torch.tensor(low, device=device), torch.tensor(high, device=device)


def _split(field: Tensor) -> tuple[list[Tensor], Tensor]:
    """Octaves, each at its own size, finest first, and the rest; `_joined` gives the field back."""
    octaves: list[Tensor] = []
    while not octaves or min(field.shape[-2:]) >= 2 * LEAST:
        height, width = field.shape[-2:]
        half = pyramid.resize(field, Size((height + 1) // 2, (width + 1) // 2))
        octaves.append(field - pyramid.resize(half, Size(height, width)))
        field = half
    return octaves, field


def _joined(octaves: list[Tensor], field: Tensor) -> Tensor:
    for octave in reversed(octaves):
        field = octave + pyramid.resize(field, Size(*octave.shape[-2:]))
    return field


def _axes(picture: Tensor) -> Tensor:
    return torch.einsum("ij,ljhw->lihw", AXES.to(picture), picture)


def _pixels(field: Tensor) -> Tensor:
    return torch.einsum("ji,ljhw->lihw", AXES.to(field), field)
