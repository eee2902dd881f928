"""Flow: where each pixel was in the frame before, and whether that can be trusted. Source pictures in, Flow out.

Always on the source, never on dreams: dreams are what is to be steadied.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.clip import Flow, Picture, Plane, Size
from pipeline.ops import motion

Luma = NDArray[np.uint8]
"""uint8 [H, W]."""

Match = Callable[[NDArray[np.uint8], NDArray[np.uint8]], tuple[Plane, Plane]]
"""(now, before), both uint8 [H, W] or both [H, W, 3] -> flow back from now, and flow on from before, [H, W, 2]."""

COARSE_BELOW = 400  # px wide: smaller pictures are matched down to single pixels
HALVED_FROM = 720  # px, the shorter side: larger ones are matched at half size


def luma(picture: Picture, size: Size) -> Luma:
    """The picture's grey, at the size the dream runs at."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    if grey.shape != size:
        grey = cv2.resize(grey, (size.width, size.height), interpolation=cv2.INTER_AREA)
    return np.asarray(grey, np.uint8)


def colours(picture: Picture, size: Size) -> Picture:
    """The picture at the size the dream runs at, for a way of matching that sees colours."""
    small = cv2.resize(picture, (size.width, size.height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def dis(now: Luma, before: Luma) -> tuple[Plane, Plane]:
    """Matches greys. Source: Kroeger et al., "Fast Optical Flow using Dense Inverse Search" (2016).

    The fast preset, kept from stopping at a quarter of the size, finds what the medium one does in two thirds of its
    time: error .099 px against .098 on the drawn scene at 640x360, slow, and .204 against .198, fast. The last of its
    16 descents and 5 refinements take a tenth of the time for nothing: .105 and .219 with, .104 and .215 without.
    """
    small = now.shape[1] <= COARSE_BELOW
    search = cv2.DISOpticalFlow.create(
        cv2.DISOPTICAL_FLOW_PRESET_MEDIUM if small else cv2.DISOPTICAL_FLOW_PRESET_FAST
    )
    if not small:
        search.setGradientDescentIterations(8)
        search.setVariationalRefinementIterations(4)
    search.setFinestScale(0 if small else 1)
    return search.calc(now, before, None), search.calc(before, now, None)


def matcher(how: str, weights: Path | None, device: torch.device, *, progress: bool = True) -> Match:
    """The way of matching that --flow names. ModelError where it needs weights that cannot be had."""
    if not how.startswith("raft"):
        return dis
    from pipeline.net.raft import Raft  # noqa: PLC0415 (torchvision is slow to import, and rarely asked for)

    return Raft(how, weights, device, progress=progress)


def measure(
    now: NDArray[np.uint8], before: NDArray[np.uint8], match: Match = dis, *, onward: bool = False
) -> Flow:
    """Backward flow, with trust from how well the ways there and back agree (M of the carry).

    now, before: of one size, as `match` takes them. Pictures under 12 px a side carry no motion. onward: with the
    flow from the frame before to this one too.
    """
    height, width = now.shape[:2]
    if min(height, width) < 12:
        still = Flow.still(Size(height, width))
        return replace(still, onward=still) if onward else still
    if min(height, width) >= HALVED_FROM:
        half = (width // 2, height // 2)
        small = measure(
            cv2.resize(now, half, interpolation=cv2.INTER_AREA),
            cv2.resize(before, half, interpolation=cv2.INTER_AREA),
            match,
            onward=onward,
        )
        return resized(small, Size(height, width))
    backward, forward = match(now, before)
    there = Flow(forward, trust(motion.unreliable(forward, backward))) if onward else None
    return Flow(backward, trust(motion.unreliable(backward, forward)), onward=there)


def trust(unreliable: NDArray[np.bool_]) -> Plane:
    """clip(gauss_0.8(+1 or -1), 0, 1): soft-edged, and 0 wherever the majority around is unreliable."""
    signed = np.where(unreliable, np.float32(-1), np.float32(1))
    return np.asarray(np.clip(cv2.GaussianBlur(signed, (0, 0), 0.8), 0, 1), np.float32)


def resized(flow: Flow, size: Size) -> Flow:
    """The same motion at another size, in its pixels."""
    to, (height, width) = (size.width, size.height), flow.trust.shape
    if (height, width) == size:
        return flow
    how = cv2.INTER_LINEAR if size.height >= height else cv2.INTER_AREA
    scaled = flow.backward * np.array([size.width / width, size.height / height], np.float32)
    backward: Plane = cv2.resize(scaled, to, interpolation=how)
    onward = None if flow.onward is None else resized(flow.onward, size)
    return Flow(backward, cv2.resize(flow.trust, to, interpolation=how), flow.cut, onward)


def long(flow: Flow) -> Flow:
    """As it is composed with others: large ones at half size, as they were measured."""
    height, width = flow.trust.shape
    return resized(flow, Size(height // 2, width // 2)) if min(height, width) >= HALVED_FROM else flow


def along(flow: Flow, rest: Flow) -> Flow:
    """From a to c, of the flow from a to b and the `rest` of the way; trusted where both are."""
    positions = motion.follow(flow.backward)
    way: Plane = flow.backward + motion.sample(rest.backward, positions)
    return Flow(way, flow.trust * motion.sample(rest.trust, positions))
