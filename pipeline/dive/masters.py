"""Masters: the pictures a dive is made of, each the dreamed enlargement of a part of the one above.

Pictures are float32 [H, W, 3] in 0..1 where they are looked into, tensors [1, 3, H, W] where they are dreamed.
Two loops are closed on each: it gets fine noise and is dreamed until its detail is back at the first one's, and
its octaves and colours are held to a slowly moving reference (`balance`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from pipeline.clip import Plane, Size, fit
from pipeline.dive import balance
from pipeline.dive.balance import WHOLE, Balance
from pipeline.dive.windows import Region, Windows
from pipeline.ops import colour, pyramid, resample
from pipeline.ops.look import Look
from pipeline.stages.dream import dream

SHARE = 0.45  # of a full climb on an enlargement, which is dreamed already in all but its finest octave
AGAIN = 0.25  # of a full climb, in its largest octave, each time that detail still falls short
TRIES = 1
ENOUGH = 0.95  # of the reference's fine detail
GRAIN = 0.5  # noise in the finest octave, as a share of the detail that has to come
FALL = 0.8  # the finest octaves of a first master are given at least so much of the next coarser one
COLOURED = 0.35  # of it is not grey
BEYOND = (
    24  # px that a picture whose edges will be seen is dreamed further: at them a dream meets its other side
)


@dataclass(frozen=True)
class Climb:
    """How a master is dreamed. iterations in each octave, of `step` grey levels each, at `dream_size` (see `fit`).

    tone, saturation: what is kept of the dream's colours (`ops.colour.shown`).
    """

    look: Look
    iterations: int
    step: float
    dream_size: str = "full"
    tone: str = "dream"
    saturation: float = 1.0


def fitted(ground: Plane, size: Size) -> Plane:
    """The ground, scaled and cropped to a size, so that no edge ever shows."""
    height, width = ground.shape[:2]
    scale = max(size.height / height, size.width / width)
    to = (max(size.width, round(width * scale)), max(size.height, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    whole = cv2.resize(ground, to, interpolation=how)
    top, left = (to[1] - size.height) // 2, (to[0] - size.width) // 2
    return np.ascontiguousarray(whole[top : top + size.height, left : left + size.width].clip(0, 1))


def closing(seed: Plane, first: Plane, windows: Windows) -> Plane:
    """What the last master of a ring starts from: the first one in its middle, to be dreamed together with it."""
    way = windows.down(len(windows.windows) - 1)
    return pasted(seed, first, way.inverse.matrix, rim(windows.windows[0].size))


def enlarged(above: Plane, windows: Windows, level: int) -> Plane:
    """What master `level` starts from: its window in the one above."""
    return resample.look(above, windows.down(level - 1).matrix, windows.windows[level].size).clip(0, 1)


def opened(seed: Tensor, climb: Climb, noise: int, region: Region = WHOLE) -> tuple[Plane, Balance]:
    """The first master, and what all others are held to: its detail as a whole, its mean where no other lies."""
    dreamed = climbed(seed, climb, 1.0, BEYOND)
    wanted = balance.measure(dreamed, Region(region.box)).levelled(FALL)
    first = _filled(dreamed, climb, wanted, noise, 0.0, region, BEYOND)
    reference = balance.measure(first, Region(region.box)).levelled()
    return plane(first), replace(reference, mean=balance.measure(first, region).mean)


def deepened(
    seed: Tensor, climb: Climb, reference: Balance, noise: int, region: Region = WHOLE
) -> tuple[Plane, Balance]:
    """Another master, and the reference for the next. region: what is seen of it at its own depth.

    The seed is written over: a master in 4K takes 400 MB.
    """
    dreamed = _filled(seed, climb, reference, noise, SHARE, region)
    return plane(dreamed), reference.followed(balance.measure(dreamed, region))


def _filled(
    picture: Tensor,
    climb: Climb,
    reference: Balance,
    noise: int,
    share: float,
    region: Region,
    beyond: int = 0,
) -> Tensor:
    """Grain, dreams until detail is back, and the balance held. The picture is written over."""
    missing = max((GRAIN * reference.fine) ** 2 - balance.measure(picture, region).fine ** 2, 0) ** 0.5
    fresh = grain(Size(*picture.shape[-2:]), noise).to(picture)
    picture.add_(fresh.mul_(missing)).clamp_(0, 1)
    del fresh
    picture.copy_(climbed(picture, climb, share, beyond))
    for _ in range(TRIES):
        if balance.measure(picture, region).fine >= ENOUGH * reference.fine:
            break
        picture.copy_(climbed(picture, _finest(climb), AGAIN, beyond))
    return balance.hold(picture, reference, region)


def climbed(picture: Tensor, climb: Climb, share: float, beyond: int = 0) -> Tensor:
    """`picture`, dreamed. share: of a full climb. beyond: pixels of its mirror image that are dreamed around it."""
    if not climb.iterations or not climb.step or not share:
        return picture
    full = Size(*picture.shape[-2:])
    size = fit(full, climb.dream_size)
    seed = picture if size == full else pyramid.resize(picture, size).clamp_(0, 1)
    around = min(beyond, min(size) - 1)
    ground = F.pad(seed, (around,) * 4, mode="reflect") if around else seed
    owed = picture.new_full((1, 1, *ground.shape[-2:]), share)
    dreamed = dream(climb.look, ground, owed, climb.iterations, climb.step).picture
    inner = dreamed[..., around : around + size.height, around : around + size.width]
    layer = colour.shown(inner - seed, climb.tone, climb.saturation)
    return (picture + pyramid.resize(layer, full)).clamp_(0, 1)


def _finest(climb: Climb) -> Climb:
    """The same in its largest octave alone, which is where fine detail is made."""
    look = climb.look
    last = (look.octave_iterations[-1:], look.octave_step[-1:])
    return replace(climb, look=replace(look, octaves=1, octave_iterations=last[0], octave_step=last[1]))


def grain(size: Size, seed: int) -> Tensor:
    """Noise in the finest octave alone, its luma of rms 1, [1, 3, H, W]: the same for the same seed."""
    random = torch.Generator().manual_seed(seed)
    grey, colour = (torch.randn(1, bands, *size, generator=random) for bands in (1, 3))
    noise = colour.mul_(COLOURED).add_(grey)
    half = Size((size.height + 1) // 2, (size.width + 1) // 2)
    noise -= pyramid.resize(pyramid.resize(noise, half), size)
    return noise.div_((noise.sum(1) / 3**0.5).square().mean().sqrt())


def tensor(picture: Plane, climb: Climb) -> Tensor:
    """A picture [H, W, 3] as [1, 3, H, W], where the network is."""
    device = next(climb.look.cut.buffers()).device
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None].to(device)


def plane(picture: Tensor) -> Plane:
    """A picture [1, 3, H, W] as [H, W, 3], on the CPU."""
    return np.asarray(picture[0].permute(1, 2, 0).cpu().contiguous().numpy(), np.float32)


def agree(windows: Windows, load: Callable[[int], Plane], save: Callable[[int, Plane], None]) -> None:
    """Write every master into the one above and its rim back, deepest first, so that all show one picture.

    load, save: a master by its slot; what is saved is what is loaded from then on. A ring takes a second round,
    for what its last master got from the first. What will be looked at here and there alone keeps its rims.
    """
    levels = range(len(windows.steps))
    for level in [*levels, *(levels if windows.ring else ())][::-1]:
        above, below = level, windows.slot(level + 1)
        way = windows.down(level)
        save(above, pasted(load(above), load(below), way.inverse.matrix, rim(windows.windows[below].size)))
        if windows.only:
            continue
        own = rim(windows.windows[below].size)
        seen = resample.look(load(above), way.matrix, windows.windows[below].size)
        save(below, seen + own[..., None] * (load(below) - seen))


def pasted(above: Plane, below: Plane, matrix: NDArray[np.float64], weight: Plane) -> Plane:
    """`below` laid into `above`, as much as `weight` [h, w], 0..1, says. matrix: from pixels of above to below."""
    ratio = resample.ratio(matrix)
    size = Size(*above.shape[:2])
    small = resample.look(resample.prepared(below, ratio, resample.KEPT), matrix, size)
    share = resample.look(weight, matrix, size, outside=0.0)[..., None]
    return np.asarray(above + share.clip(0, 1) * (small - above), np.float32)


def rim(size: Size) -> Plane:
    """1 inside, falling smoothly to 0 at the edge over FEATHER of the shorter side, float32 [H, W]."""
    across, down = (_ramp(side, FEATHER * min(size)) for side in (size.width, size.height))
    return np.asarray(np.minimum.outer(down, across), np.float32)


FEATHER = 0.2


def _ramp(length: int, width: float) -> Plane:
    at = np.arange(length) + 0.5
    share = np.clip(np.minimum(at, length - at) / width, 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)
