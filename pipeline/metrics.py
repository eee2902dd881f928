"""Metrics: does a dream hold still, at full strength? Pictures and layers, float32 [H, W, 3], in; numbers out.

I is the source and O the dream, both 0..1 at dream size; D = O - I is the dream layer. Flow points backward, M is
`visible`, W is `fetched`. No number stands alone: what has been washed out holds still, and so does what has
burnt out, so flicker is read beside strength, amplitude, sharpness, drift and clipping.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.clip import Flow, Plane, Size
from pipeline.ops import motion, pyramid

LONG = 8
"""Frames that the long flicker, F8, looks back."""

CLEAR = 2
"""Pixels kept clear of motion edges, where a bicubic sample mixes two surfaces."""

BAND, REACH = 32, 6
"""Rows of a band that sharpness is sampled on, and rows around it that its blur reaches."""

Score = Callable[[Tensor], float]
"""J, what the dream amplifies: picture [1, 3, h, w] in 0..1 -> a positive number."""


def visible(flow: Flow) -> NDArray[np.bool_]:
    """M, [H, W]: the same surface is seen in both frames, and no motion edge is within 2 pixels.

    An edge is where trust falls below a half, or where neighbours move more than a pixel apart.
    """
    steady = flow.trust > 0.5
    for plane in cv2.split(flow.backward):
        steady[:, 1:] &= np.abs(plane[:, 1:] - plane[:, :-1]) <= 1
        steady[1:] &= np.abs(plane[1:] - plane[:-1]) <= 1
    around = np.ones((2 * CLEAR + 1, 2 * CLEAR + 1), np.uint8)
    return np.asarray(cv2.erode(steady.astype(np.uint8), around) > 0)


def fetched(before: Plane, flow: Flow, stride: int = 1) -> Plane:
    """W: what each pixel of `before` [H, W, 3] has become, by bicubic interpolation, its edge repeated.

    Not the carry's own warp: a fault of that must not hide here. stride: only each n-th pixel of each n-th row.
    """
    there = motion.follow(flow.backward, stride)
    found: Plane = cv2.remap(before, there, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return found


def flicker(now: Plane, before: Plane, flow: Flow, stride: int = 1) -> float:
    """F = sum M |D - W(D')|^2 / sum M (|D|^2 + |W(D')|^2): 0 holds still, 1 unrelated, 2 inverted.

    now, before: D and the D' of the frame that flow leads back to. nan where nothing is visible in both.
    stride: judge only each n-th pixel of each n-th row, in full detail: a sample, at a fraction of the work.
    The warping error of Lai et al., "Learning Blind Video Temporal Consistency" (2018), of the dream layer alone
    and relative to its energy, so that dreaming less is no way to a better number.
    """
    seen = visible(flow)[::stride, ::stride]
    if not seen.any():
        return math.nan
    a, b = now[::stride, ::stride][seen], fetched(before, flow, stride)[seen]
    energy = float(np.square(a).sum() + np.square(b).sum())
    return float(np.square(a - b).sum()) / energy if energy > 0 else 0.0


def strength(dreamed: Plane, source: Plane, score: Score, sizes: Iterable[Size]) -> float:
    """G = mean over octaves of log2 J(O) / J(I): how often the dream doubled what it was to amplify.

    sizes: of the octaves dreamed. 0: nothing was dreamed. J: the objective of Mordvintsev et al., "Inceptionism"
    (2015), mean a^2 unless another was asked for.
    """
    o, i = (torch.from_numpy(np.ascontiguousarray(p)).permute(2, 0, 1)[None] for p in (dreamed, source))
    doublings = [
        math.log2(max(score(pyramid.resize(o, size)), 1e-12) / max(score(pyramid.resize(i, size)), 1e-12))
        for size in sizes
    ]
    return sum(doublings) / len(doublings)


def amplitude(dream: Plane) -> float:
    """A = rms(D), grey levels (of 255)."""
    return 255 * math.sqrt(float(np.square(dream).mean()))


def sharpness(dream: Plane, stride: int = 1) -> float:
    """S = mean |D - gauss_1.5(D)|^2, grey levels squared: the energy of detail finer than about 4 pixels.

    Only its ratio to another dream of the same source means something: warping a layer again and again blurs it.
    stride: judge only each n-th band of 32 rows.
    """
    deep = BAND if stride > 1 else len(dream)
    energies = []
    for top in range(0, len(dream), deep * stride):
        above = min(top, REACH)
        rows = dream[top - above : top + deep + REACH]
        energies.append(np.square(rows - cv2.GaussianBlur(rows, (0, 0), 1.5))[above : above + deep].mean())
    return 255**2 * float(np.mean(energies))


def clipped(dreamed: Plane) -> float:
    """Share of values, 0..1, that are at most 1/255 or at least 254/255: burnt out, or black."""
    return float(((dreamed <= 1 / 255) | (dreamed >= 254 / 255)).mean())


def tof(dreams: Plane, sources: Plane) -> float:
    """tOF = mean |flow(O) - flow(I)|, pixels: how far the dream seems to move where the film does not.

    Both [H, W, 2], measured alike, between the same two frames. Source: Chu et al., "Learning Temporal Coherence
    via Self-Supervision for GAN-based Video Generation" (2020), there summed over pixels.
    """
    return float(np.linalg.norm(dreams - sources, axis=-1).mean())


def drift(amplitudes: Sequence[float]) -> float:
    """Mean amplitude of a film's last third over that of its first, without frame 0: 1 keeps its strength.

    nan for fewer than four frames, or where the first third holds no dream.
    """
    third = (len(amplitudes) - 1) // 3
    if third < 1 or not any(amplitudes[1 : third + 1]):
        return math.nan
    return sum(amplitudes[-third:]) / sum(amplitudes[1 : third + 1])


def cost(steps: int, iterations: float) -> float:
    """Gradient passes of a frame at full size, one per step, over the `iterations` of dreaming it by itself."""
    return steps / iterations if iterations else 0.0


def seam(flickers: Sequence[float], seams: Iterable[int]) -> float:
    """Mean F1 of the frames at which a stretch begins, over that of all others: 1 shows no seam. nan without."""
    at = set(seams)
    rest = mean(value for index, value in enumerate(flickers) if index not in at)
    return mean(flickers[index] for index in at) / rest if rest > 0 else math.nan


def mean(values: Iterable[float]) -> float:
    """Of those that are numbers; nan of none."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


class Row(NamedTuple):
    """One frame's numbers, nan where there was nothing to measure. Units as of the functions above."""

    f1: float
    f8: float
    strength: float
    amplitude: float
    sharpness: float
    clipped: float
    tof: float
    cost: float


class Table(NamedTuple):
    """A film's numbers: means over all frames but the first, which every way dreams alike. cost: over all."""

    f1: float
    f8: float
    strength: float
    amplitude: float
    sharpness: float
    clipped: float
    tof: float
    cost: float
    drift: float


class Meter:
    """Fed a film frame by frame, it keeps the last few layers and a row of numbers per frame.

    score and sizes: for strength, which costs two forward passes an octave.
    estimate: (grey now, grey before), uint8 [H, W], -> backward flow [H, W, 2], for tOF. Without: nan.
    """

    def __init__(
        self,
        score: Score | None = None,
        sizes: Sequence[Size] = (),
        estimate: Callable[[NDArray[np.uint8], NDArray[np.uint8]], Plane] | None = None,
    ) -> None:
        self.rows: list[Row] = []
        self._score, self._sizes, self._estimate = score, sizes, estimate
        self._dreams: deque[Plane] = deque(maxlen=LONG)
        self._greys: tuple[NDArray[np.uint8], ...] = ()

    def feed(
        self, source: Plane, dream: Plane, flows: Mapping[int, Flow], steps: int, iterations: float
    ) -> Row:
        """I, D, and the flow back to 1 and to 8 frames before, as far as it is known; gives the frame's row.

        A flow across a cut is not judged. steps: taken in each octave, of the `iterations` of a full dream.
        """
        dreamed = (source + dream).clip(0, 1)
        f1, f8 = (self._flicker(dream, lag, flows) for lag in (1, LONG))
        doublings = strength(dreamed, source, self._score, self._sizes) if self._score else math.nan
        row = Row(
            f1, f8, doublings, amplitude(dream), sharpness(dream), clipped(dreamed),
            self._tof(dreamed, source), cost(steps, iterations),
        )  # fmt: skip
        self._dreams.append(dream)
        self.rows.append(row)
        return row

    def table(self) -> Table:
        """Of what was fed so far. A film of one frame has no motion, and all but its cost is nan."""
        later = [mean(column) for column in zip(*self.rows[1:], strict=True)] or [math.nan] * len(Row._fields)
        means = Row(*later)._replace(cost=mean(row.cost for row in self.rows))
        return Table(*means, drift([row.amplitude for row in self.rows]))

    def _flicker(self, dream: Plane, lag: int, flows: Mapping[int, Flow]) -> float:
        if lag not in flows or flows[lag].cut or len(self._dreams) < lag:
            return math.nan
        return flicker(dream, self._dreams[-lag], flows[lag])

    def _tof(self, dreamed: Plane, source: Plane) -> float:
        if self._estimate is None:
            return math.nan
        before, self._greys = self._greys, (_grey(dreamed), _grey(source))
        if not before:
            return math.nan
        dreams, sources = (self._estimate(now, then) for now, then in zip(self._greys, before, strict=True))
        return tof(dreams, sources)


def _grey(picture: Plane) -> NDArray[np.uint8]:
    levels = np.rint(255 * picture).astype(np.uint8)
    return np.asarray(cv2.cvtColor(levels, cv2.COLOR_RGB2GRAY), np.uint8)
