"""Ways of dreaming a film, the peers' and ours, and films whose motion is known exactly: Film -> one Shown a frame.

All ways dream with the product's own stage and the same full dream; only what they hand from one frame to the next
is theirs. The peers' are re-derived from what their programs do, and given our flow, which is better than their own.
"""

from __future__ import annotations

import pipeline  # noqa: F401  # isort: skip  (before torch: it has threads sleep while they wait)

import math
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pipeline.clip import Clip, Flow, Frame, Picture, Plane, Segment, Shot, Size
from pipeline.dreamer import Dreamer
from pipeline.metrics import LONG
from pipeline.ops import motion
from pipeline.ops.warp import warp
from pipeline.scene import Scene, demo_scene, photo_scene
from pipeline.stages import flow, stills
from pipeline.stages.dream import dream

ITERATIONS, STEP, STEADINESS = 10, 1.5, 0.9
KEYED, EVERY = "ours, keyframes", 8
KNOBS = {"octaves": 3, "octave_scale": 1.5, "jitter": 16, "iterations": ITERATIONS, "step": STEP}

DRAWN = ("slow", "fast", "noisy")
CALM_HEIGHT = 15
"""Pixels of height for each frame a second: the motion, in pixels a frame, is that of 360 lines at 24."""

Make = Callable[..., Dreamer]
"""A Dreamer with the network and the KNOBS that all ways share, and further knobs by name."""


class Film:
    """A scene, its pictures and its exact motion, drawn once for all ways. calm: little is hidden or uncovered.

    in_sight: over eight frames, trust only what was hidden in none of those between.
    """

    def __init__(self, name: str, scene: Scene, *, calm: bool, in_sight: bool = False) -> None:
        self.name, self.scene, self.calm = name, scene, calm
        self.pictures = [scene.picture(index) for index in range(scene.frames)]
        self.flows = [
            {lag: scene.flow(index, index - lag) for lag in (1, LONG) if lag <= index}
            for index in range(scene.frames)
        ]
        if in_sight:
            for index, known in enumerate(self.flows[LONG:], LONG):
                between = [scene.flow(index, index - lag).trust for lag in range(1, LONG)]
                far = known[LONG]
                known[LONG] = Flow(far.backward, np.minimum.reduce([far.trust, *between]))

    def __len__(self) -> int:
        return self.scene.frames

    def __getitem__(self, index: int) -> Plane:
        """Source I of a frame, float32 [H, W, 3] in 0..1."""
        return np.asarray(self.pictures[index], np.float32) / 255

    @cached_property
    def greys(self) -> list[flow.Luma]:
        return [flow.luma(picture, self.scene.size) for picture in self.pictures]

    def measured(self, now: int, before: int) -> Flow:
        return flow.measure(self.greys[now], self.greys[before])

    def source(self, *, exact: bool) -> Playing:
        """The film as the product reads it; exact: told its motion."""
        return Playing(
            self.pictures, self.scene.rate, [flows.get(1) for flows in self.flows] if exact else None
        )


class Playing:
    """Pictures as a source, which may be told their motion; without one, a frame's is measured."""

    damaged = 0

    def __init__(
        self, pictures: Sequence[Picture], rate: Fraction, flows: Sequence[Flow | None] | None = None
    ) -> None:
        size = Size(*pictures[0].shape[:2])
        self.clip = Clip("pictures", size, 1 / rate, rate, len(pictures))
        self._reel = list(zip(pictures, flows or [None] * len(pictures), strict=True))

    def frames(self, last: Segment | None = None) -> Generator[Frame, None, None]:
        for index, (picture, known) in enumerate(self._reel):
            yield Frame(index, index, index / self.clip.rate, picture, flow=known)


def films(words: Iterable[str], size: Size, frames: int, *, in_sight: bool = False) -> Iterator[Film]:
    """Of each word: slow, fast, noisy, all three (demo), or photographs: BACK+FRONT, or a folder's first two."""
    rate = Fraction(size.height, CALM_HEIGHT)
    shape = (size, rate, float(frames / rate))
    for word in words:
        if word == "demo" or word in DRAWN:
            for name in DRAWN if word == "demo" else (word,):
                yield Film(name, demo_scene(*shape, name), calm=name == "slow", in_sight=in_sight)
        else:
            paths = [Path(part) for part in word.split("+")]
            paths = list(stills.in_folder(paths[0]).values()) if paths[0].is_dir() else paths
            back, front = paths[0], paths[min(1, len(paths) - 1)]
            scene = photo_scene(stills.read(back), stills.read(front), *shape, "slow")
            yield Film(f"{back.stem}+{front.stem}", scene, calm=True, in_sight=in_sight)


class Shown(NamedTuple):
    """One frame of a way. dream: D, float32 [H, W, 3]. trust: mean of M, nan for a way that has none."""

    dream: Plane
    steps: int
    trust: float = math.nan


Way = Callable[[Film, Make], Iterable[Shown]]
Seed = Callable[[Film, int, Plane], Plane]
"""What a frame's dream starts from: (film, index, O of the frame before) -> [H, W, 3] in 0..1."""


def ours(steadiness: float, *, exact: bool = False) -> Way:
    def way(film: Film, make: Make) -> Iterator[Shown]:
        for dreamt in make(steadiness=steadiness).walk(film.source(exact=exact)):
            yield Shown(dreamt.dream, dreamt.steps, dreamt.trust)

    return way


def keyed(film: Film, make: Make) -> Iterator[Shown]:
    """With keyframes, of which four stretches are dreamed at once."""
    dreamer = make(steadiness=STEADINESS, keyframes=str(EVERY), lanes="4")
    for dreamt in dreamer.walk(film.source(exact=False), shot=Shot(0, len(film))):
        yield Shown(dreamt.dream, dreamt.steps, dreamt.trust)


def whole(seed: Seed) -> Way:
    """All iterations on every frame, from a seed."""

    def way(film: Film, make: Make) -> Iterator[Shown]:
        dreamer, before = make(), film[0]
        step = dreamer.settings.dream.step.constant or STEP
        for index in range(len(film)):
            start = _tensor(seed(film, index, before) if index else film[0]).to(dreamer.device)
            with torch.no_grad():
                dreamed, *_ = dream(dreamer.look, start, torch.ones_like(start[:, :1]), ITERATIONS, step)
            before = _array(dreamed)
            yield Shown(before - film[index], ITERATIONS)

    return way


def alone(film: Film, index: int, before: Plane) -> Plane:
    return film[index]


def blended(share: float) -> Seed:
    """`share` of the film over the dream before, as it lies (DeepDreamVideo .5, pytorch-deepdream .85)."""
    return lambda film, index, before: share * film[index] + (1 - share) * before


def carried_whole(film: Film, index: int, before: Plane) -> Plane:
    """All of the layer before, neither faded nor masked, bilinear (DeepDreamAnim).

    The flow leads from the frame before to this one, and is read as if it stood on this one's grid.
    """
    forward = film.measured(index - 1, index).backward
    moved = motion.sample(before - film[index - 1], motion.follow(-forward))
    return (film[index] + moved).clip(0, 1)


def half_guided(film: Film, index: int, before: Plane) -> Plane:
    """Half film, half the picture before: warped, and film where that is not trusted (deepdream-video-pytorch).

    Direction, mask and bicubic warp are ours too.
    """
    moving = film.measured(index, index - 1)
    warped = _array(warp(_tensor(before), _tensor(moving.backward)))
    guided = film[index] + moving.trust[..., None] * (warped - film[index])
    return (0.5 * film[index] + 0.5 * guided).clip(0, 1)


WAYS: Mapping[str, Way] = {
    "independent": whole(alone),
    "blend .5": whole(blended(0.5)),
    "blend .85": whole(blended(0.85)),
    "carry 1.0": whole(carried_whole),
    "warp, half": whole(half_guided),
    "ours .8": ours(0.8),
    "ours": ours(STEADINESS),
    "ours .95": ours(0.95),
    "ours, exact": ours(STEADINESS, exact=True),
    KEYED: keyed,
}


def _tensor(planes: Plane) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(planes.transpose(2, 0, 1)))[None]


def _array(planes: Tensor) -> Plane:
    return np.ascontiguousarray(planes[0].permute(1, 2, 0).cpu().numpy())
