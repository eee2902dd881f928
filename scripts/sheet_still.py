"""A picture of how a dream holds still: what goes from one frame of the drawn scene to the next, and what is added.

scripts/gallery still
"""

from __future__ import annotations

import numpy as np
from sheet_presets import named

from pipeline import looks  # isort: skip  (before torch: it has threads sleep while they wait)

import torch

from pipeline.clip import Picture, Plane
from pipeline.dreamer import Dreamer
from pipeline.extras import sheet
from pipeline.ops.warp import warp
from pipeline.settings import Input
from pipeline.sources import SceneSource

BEGIN, EVERY, WIDE = 24, 6, 426  # the frame before; a step large enough to be seen; px of a tile
LOUD = 1.5  # how much a layer is raised above grey to be seen


def still(threads: int = 0) -> Picture:
    """Two frames, and between them what becomes of the dream of the first, as six tiles with their names."""
    source = SceneSource.of(Input(size="640x360", start=str(BEGIN), end=str(BEGIN + 2 * EVERY), every=EVERY))
    dreamer = Dreamer(looks.of(threads=threads, quiet=True, step="1", cuts="off"))
    before, now = dreamer.walk(source)
    steadiness = dreamer.settings.time.steadiness.constant or 0.0
    layer, flow = before.dream, now.flow
    fields = (
        torch.from_numpy(np.ascontiguousarray(p.transpose(2, 0, 1)))[None] for p in (layer, flow.backward)
    )
    moved = warp(*fields)[0].permute(1, 2, 0).numpy() * steadiness * flow.trust[..., None]
    seed = np.clip(now.frame.picture / 255 + moved, 0, 1)
    tiles = (
        (before.picture, "a frame, dreamed: O"),
        (grey(layer), "its dream layer alone: D = O - I"),
        (uint8(np.repeat(flow.trust[..., None], 3, 2)), "where the motion to the next can be trusted: M"),
        (grey(moved), "the layer moved along, faded: a M warp(D)"),
        (uint8(seed), "laid on the next frame: I + a M warp(D)"),
        (now.picture, f"what is missing climbed, {now.steps} of {now.iterations} steps: O"),
    )
    return sheet(named(picture, name, WIDE) for picture, name in tiles)


def grey(layer: Plane) -> Picture:
    """A layer, -1..1, around middle grey."""
    return uint8(0.5 + LOUD * layer)


def uint8(plane: Plane) -> Picture:
    return np.rint(255 * np.clip(plane, 0, 1)).astype(np.uint8)
