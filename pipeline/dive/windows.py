"""Windows: which master pictures a dive needs, one doubling apart, and which shows each moment. Numbers only.

Master k serves the depths from k - 0.415 to k + 0.585 doublings. Its window is the smallest box that holds every
frame seen at those depths and the window of the next master, so that no frame ever looks past an edge. For a
straight zoom that is 4/3 of the frame's view at depth k; with FINER pixels to one of the frame's, no frame is
ever enlarged from it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.camera import Path, Similarity
from pipeline.clip import Size
from pipeline.errors import UsageError

FINER = 1.5  # pixels of a master, each way, to one of a frame at its depth
REACH = math.log2(FINER)  # doublings a master is looked into beyond its own depth: then pixel by pixel
RIM = 4  # pixels around what is seen, for the filters
LARGEST = 1 << 27  # pixels of a master: 4K in depth is a quarter of it

Box = tuple[float, float, float, float]
"""left, top, right, bottom."""


Share = tuple[float, float, float, float]
"""Top, left, bottom, right of a part of a picture, 0..1."""


class Region(NamedTuple):
    """The part of a picture that is measured: all of `box` but what lies in `hole`."""

    box: Share = (0.0, 0.0, 1.0, 1.0)
    hole: Share | None = None


@dataclass(frozen=True)
class Window:
    """Where a master lies. anchor: the time, seconds, whose frame coordinates it is placed in.

    corner: of its left top pixel's outer corner. pitch: of its pixels. Both in frame widths. finer: how many of them,
    each way, make a pixel of a frame at its own depth.
    """

    anchor: float
    corner: complex
    pitch: float
    size: Size
    finer: float

    @property
    def place(self) -> Similarity:
        """From pixel positions (of centres) to frame coordinates at the anchor."""
        return Similarity(self.pitch, self.corner + self.pitch * (0.5 + 0.5j))


@dataclass(frozen=True)
class Windows:
    """All masters of a dive, shallowest first. floor: the depth on its path of master 0.

    ring: whether below the last one comes the first again. steps: from each master's anchor frame to that of the
    next one below: maps points of that one to points of this. only: the times that will be looked at; none: any.
    """

    path: Path
    frame: Size
    floor: float
    ring: bool
    windows: tuple[Window, ...]
    anchors: tuple[float, ...]
    steps: tuple[Similarity, ...]
    only: tuple[float, ...] = ()

    @staticmethod
    def of(path: Path, frame: Size, *, ring: int = 0, only: tuple[float, ...] = ()) -> Windows:
        """Lay them out. ring: the doublings after which the dive meets itself again, 0 for none. UsageError.

        only: for these times alone, which takes a quarter of the pixels: a master is then as fine as its finest look
        and as large as its widest.
        """
        floor = float(path.depth.min())
        depths = path.depth - floor
        levels = np.maximum(0, np.ceil(depths - REACH)).astype(int)
        count = ring + 1 if ring else int(levels.max()) + 1
        anchors = tuple(path.when(floor + k) for k in range(count))
        steps = tuple(path.seen_from(a, b) for a, b in pairwise(anchors))
        if only:
            looks = [_looks(path, floor, k, anchors, only) for k in range(count)]
            boxes = [
                _hull(_corners_seen(path, anchor, times, frame))
                for anchor, times in zip(anchors, looks, strict=True)
            ]
            finer = [2.0 ** (max(map(path.depth_at, times)) - floor - k) for k, times in enumerate(looks)]
        else:
            boxes = [_seen(path, levels, k, anchor, frame) for k, anchor in enumerate(anchors)]
            finer = [FINER] * count
        for k in [*range(count - 1), *range(count - 1)][::-1]:
            if ring:
                boxes[0] = boxes[ring] = _hull([*_corners(boxes[0]), *_corners(boxes[ring])])
            boxes[k] = _hull([*_corners(boxes[k]), *map(steps[k], _corners(boxes[k + 1]))])
        windows = tuple(
            _window(box, anchor, 2.0 ** (floor + k - path.depth_at(anchor)), frame, finer[k])
            for k, (box, anchor) in enumerate(zip(boxes, anchors, strict=True))
        )
        return Windows(path, frame, floor, bool(ring), windows[: ring or None], anchors, steps, only)

    def show(self, seconds: float, scale: int = 1) -> tuple[int, Similarity]:
        """The master that shows this moment, and the way from the pixels of a frame to its pixels.

        scale: the frame is so many times as fine as it will be.
        """
        level = self.level(seconds)
        height, width = self.frame
        pixel = 1 / (width * scale)
        frame = Similarity(pixel, complex(-0.5, -height / width / 2) + pixel * (0.5 + 0.5j))
        window = self.windows[self.slot(level)]
        way = self.path.seen_from(self.anchors[level], seconds)
        return self.slot(level), window.place.inverse @ way @ frame

    def level(self, seconds: float) -> int:
        """How many doublings deep the master lies that shows this moment."""
        depth = self.path.depth_at(seconds) - self.floor
        return min(max(0, math.ceil(depth - REACH)), len(self.anchors) - 1)

    def region(self, slot: int) -> Region:
        """What is seen of a master at its own depth, but for what the next one will be laid on."""
        window = self.windows[slot]
        height, width = self.frame
        scale = 1 / (window.pitch * window.finer * width)  # of the master's own view to the anchor's frame
        corners = [c / scale for c in _corners((-0.5, -height / width / 2, 0.5, height / width / 2))]
        box = _share(_hull(map(window.place.inverse, corners)), window.size)
        if slot >= len(self.steps):
            return Region(box)
        below = self.windows[self.slot(slot + 1)].size
        next_ = _share(_hull(map(self.down(slot), _corners((0, 0, below.width, below.height)))), window.size)
        inside = (*map(max, box[:2], next_[:2]), *map(min, box[2:], next_[2:]))
        top, left, bottom, right = inside
        return Region(box, (top, left, bottom, right) if top < bottom and left < right else None)

    def slot(self, level: int) -> int:
        """Where the master of a level is kept: in a ring, levels come round again."""
        return level % len(self.windows)

    def down(self, level: int) -> Similarity:
        """From pixels of the master below `level` to pixels of `level`."""
        above, below = self.windows[level], self.windows[self.slot(level + 1)]
        return above.place.inverse @ self.steps[level] @ below.place


def _seen(path: Path, levels: NDArray[np.int_], level: int, anchor: float, frame: Size) -> Box:
    """The box around all that is seen at one level, in frame coordinates at the anchor."""
    own = levels == level
    near = own.copy()  # and the node before and after, for what lies between
    near[1:] |= own[:-1]
    near[:-1] |= own[1:]
    corners = _corners((-0.5, -frame.height / frame.width / 2, 0.5, frame.height / frame.width / 2))
    nodes = np.flatnonzero(near)
    if not len(nodes):
        return _hull([0j])
    here = path.seen_from(anchor, float(path.times[nodes[0]]))
    found: list[complex] = []
    for before, node in zip([nodes[0], *nodes[:-1]], nodes, strict=True):
        here = here @ path.seen_from(float(path.times[before]), float(path.times[node]))
        found += map(here, corners)
    return _hull(found)


def _looks(
    path: Path, floor: float, level: int, anchors: tuple[float, ...], only: tuple[float, ...]
) -> list[float]:
    """Those of some times that are seen at one level; of a level where none is, its anchor's: it is dreamed too."""
    deep = len(anchors) - 1
    own = [t for t in only if min(max(0, math.ceil(path.depth_at(t) - floor - REACH)), deep) == level]
    return own or [anchors[level]]


def _corners_seen(path: Path, anchor: float, times: list[float], frame: Size) -> list[complex]:
    """Of what is seen at some times, in frame coordinates at the anchor."""
    corners = _corners((-0.5, -frame.height / frame.width / 2, 0.5, frame.height / frame.width / 2))
    return [path.seen_from(anchor, time)(corner) for time in times for corner in corners]


def _window(box: Box, anchor: float, scale: float, frame: Size, finer: float) -> Window:
    """scale: how much wider than at the master's own depth the anchor's frame is. finer: see `Window`."""
    pitch = 1 / (finer * frame.width * scale)
    left, top, right, bottom = box
    width, height = (math.ceil(side / pitch) + 2 * RIM for side in (right - left, bottom - top))
    if width * height > LARGEST:
        raise UsageError(
            f"This dive would need a picture of {width}x{height}. Give a smaller --size, a faster --zoom, or a "
            "slower --pan or --turn."
        )
    middle = complex(left + right, top + bottom) / 2
    return Window(anchor, middle - pitch * complex(width, height) / 2, pitch, Size(height, width), finer)


def _corners(box: Box) -> list[complex]:
    left, top, right, bottom = box
    return [complex(x, y) for x in (left, right) for y in (top, bottom)]


def _share(box: Box, size: Size) -> Share:
    """Of pixels: top, left, bottom, right as shares of a picture, and within it."""
    left, top, right, bottom = box
    top, bottom = (min(max(y / size.height, 0.0), 1.0) for y in (top, bottom))
    left, right = (min(max(x / size.width, 0.0), 1.0) for x in (left, right))
    return top, left, bottom, right


def _hull(points: Iterable[complex]) -> Box:
    xs, ys = zip(*((p.real, p.imag) for p in points), strict=True)
    return min(xs), min(ys), max(xs), max(ys)
