"""Tiles: a picture too large for the memory, a piece at a time. Each is seen with a margin, and kept without it."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.clip import Size

GRID = 32  # px: tiles begin where every network's coarsest cell does, so that they see what the whole picture would
MARGIN = 128  # px around a tile: what lies further away hardly matters to it


class Tile(NamedTuple):
    """Rows and columns. seen: of the picture, with the margin; kept: of the picture; own: the kept, of the seen."""

    seen: tuple[slice, slice]
    kept: tuple[slice, slice]
    own: tuple[slice, slice]


def tiles(size: Size, side: int) -> list[Tile]:
    """A picture in tiles of about `side` pixels, which together keep every pixel once."""
    rows, columns = _spans(size.height, side), _spans(size.width, side)
    return [Tile(*zip(row, column, strict=True)) for row in rows for column in columns]


def _spans(length: int, side: int) -> list[tuple[slice, slice, slice]]:
    """seen, kept, own along one axis."""
    count = -(-length // side)
    step = -(-length // (count * GRID)) * GRID
    spans = []
    for first in range(0, length, step):
        end = min(first + step, length)
        begin, until = max(0, first - MARGIN), min(length, end + MARGIN)
        spans.append((slice(begin, until), slice(first, end), slice(first - begin, end - begin)))
    return spans
