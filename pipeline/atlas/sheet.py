"""Sheet: an atlas as one picture, every tile under its own name. Chapters and their pictures in, [H, W, 3] out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from pipeline.atlas.plan import Chapter, Tile
from pipeline.clip import Picture, Size
from pipeline.stages import stills

WIDTH = 300  # px of a tile
HEAD, BAR, GAP = 34, 24, 6
GROUND, INK, QUIET = 18, 235, 150
COLUMNS = 4
QUALITY = 86
HOW = (
    "Under each dream stands what --layers takes,",
    "then its --objective and its --step.",
    "The page beside this sheet copies the whole command.",
)
FONT = cv2.FONT_HERSHEY_SIMPLEX


def sheet(
    title: str, source: Picture, chapters: Sequence[Chapter], pictures: Mapping[Tile, Picture]
) -> Picture:
    """The source first, then chapter by chapter, four to a line. Tiles without a picture are left out."""
    shape = source.shape
    size = Size(round(WIDTH * shape[0] / shape[1]), WIDTH)
    parts = [_heading(title), _introduced(source, size)]
    for chapter in chapters:
        lines = [row.tiles for row in chapter.lines]
        shown = [[tile for tile in tiles if tile in pictures] for tiles in lines]
        if not any(shown):
            continue
        parts.append(_heading(chapter.title))
        for tiles in shown:
            cells = [_cell(pictures[tile], size, tile.layers, said(tile)) for tile in tiles]
            parts += [_line(cells[at : at + COLUMNS], size) for at in range(0, len(cells), COLUMNS)]
    return np.concatenate(parts)


def _introduced(source: Picture, size: Size) -> Picture:
    line = _line([_cell(source, size, "as it is", "")], size)
    for at, text in enumerate(HOW):
        top = HEAD * at
        if top + HEAD <= size.height:
            _put(line[top : top + HEAD, size.width + 3 * GAP :], text, 4, QUIET, 3 * size.width, 0.5)
    return line


def jpeg(picture: Picture) -> bytes:
    """The bytes of a file, of a picture [H, W, 3]."""
    backwards = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    how = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    how += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]  # a dream is colour
    return cv2.imencode(".jpg", backwards, how)[1].tobytes()


def said(tile: Tile) -> str:
    """What sets a tile apart from the others of its layer: sparse, step 0.5."""
    return ", ".join(filter(None, (tile.objective, f"step {tile.step:g}" if tile.step else "")))


def _cell(picture: Picture, size: Size, name: str, about: str) -> Picture:
    bar = np.full((BAR, size.width, 3), GROUND, np.uint8)
    room = size.width - 8
    used = _put(bar, name, 4, INK, room)
    _put(bar, about, 4 + used + 8, QUIET, room - used - 8)
    return np.concatenate([stills.resized(picture, size), bar])


def _line(cells: Sequence[Picture], size: Size) -> Picture:
    whole = np.full((size.height + BAR + GAP, COLUMNS * (size.width + GAP) - GAP, 3), GROUND, np.uint8)
    for at, cell in enumerate(cells):
        left = at * (size.width + GAP)
        whole[: cell.shape[0], left : left + size.width] = cell
    return whole


def _heading(text: str) -> Picture:
    bar = np.full((HEAD, COLUMNS * (WIDTH + GAP) - GAP, 3), GROUND, np.uint8)
    _put(bar, text, 4, INK, bar.shape[1] - 8, 0.62)
    return bar


def _put(bar: Picture, text: str, x: int, ink: int, room: int, scale: float = 0.46) -> int:
    """Write in `room` pixels, smaller where it would not fit; gives the width it took."""
    wide = cv2.getTextSize(text, FONT, scale, 1)[0][0]
    if not text or room < 8:
        return 0
    scale *= min(1.0, room / max(wide, 1))
    cv2.putText(bar, text, (x, round(bar.shape[0] * 0.68)), FONT, scale, (ink,) * 3, 1, cv2.LINE_AA)
    return int(cv2.getTextSize(text, FONT, scale, 1)[0][0])
