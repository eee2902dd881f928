"""Thumbs: what each layer of a network dreams, small, on the drawn scene; made once. Network in, pictures out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import imageio.v3 as iio

from pipeline.atlas.dreams import Dreams
from pipeline.atlas.plan import Chapter, Row, Tile, chapters
from pipeline.atlas.sheet import jpeg
from pipeline.clip import Picture, Size
from pipeline.errors import DreamError
from pipeline.files import cache, whole
from pipeline.net.tap import Network
from pipeline.settings import Input, Settings
from pipeline.sources import SceneSource

SIZE = Size(112, 192)
STEP = 1.5  # grey levels: strong, to be told apart when small


@dataclass(frozen=True)
class Thumb:
    """layers: as --layers takes it."""

    layers: str
    picture: Picture


def thumbs(
    network: Network, settings: Settings, heed: Callable[[], None], folder: Path | None = None
) -> Iterator[Thumb]:
    """Of every layer, near the picture first, and of every motif. heed: called before each that is made.

    settings: the network's own. folder: where they are kept; None: the user's cache. One that cannot be kept is
    made again the next time.
    """
    kept = (folder or cache()) / "layers"
    dreams: Dreams | None = None
    for chapter in chapters(network, "", None, STEP, guided=False):
        for row in _one_each(chapter, settings).rows:
            found = {tile: _read(kept / _name(network, tile)) for tile in row.tiles}
            left = tuple(tile for tile in row.tiles if found[tile] is None)
            dreams = dreams or (_dreams(network, settings) if left else None)
            making = iter(dreams.pictures([_of(row, left)]) if dreams and left else ())
            for tile in row.tiles:
                picture = found[tile]
                if picture is None:
                    heed()
                    _, picture = next(making, (tile, None))
                    if picture is None:  # the layer sees nothing in so small a picture
                        break
                    _write(kept / _name(network, tile), picture)
                yield Thumb(tile.layers, picture)


def _of(row: Row, tiles: tuple[Tile, ...]) -> Chapter:
    return Chapter("", "", (Row(row.name, row.about, tiles),), wide=True)


def _one_each(chapter: Chapter, settings: Settings) -> Chapter:
    """Of each layer the tile of the network's own objective at the whole step."""
    rows = []
    for row in chapter.rows:
        whole_step = [tile for tile in row.tiles if tile.step == STEP]
        own = [tile for tile in whole_step if tile.objective in ("", settings.dream.objective)]
        rows.append(Row(row.name, row.about, tuple(own or whole_step[:1])))
    return Chapter(chapter.title, chapter.about, tuple(rows), chapter.wide)


def _dreams(network: Network, settings: Settings) -> Dreams:
    small = settings.model_copy(update={"dream": settings.dream.model_copy(update={"dream_size": "full"})})
    source = SceneSource.of(Input(size=f"{SIZE.width}x{SIZE.height}"))
    return Dreams.of(small, network, source.clip, next(source.across(1)))


def _name(network: Network, tile: Tile) -> str:
    """Of the file, for these weights and this way of dreaming."""
    said = f"1/{network.card.name}/{network.sha256}/{tile.layers}/{tile.objective}/{tile.step}/{SIZE}"
    return f"{hashlib.sha256(said.encode()).hexdigest()[:32]}.jpg"


def _read(path: Path) -> Picture | None:
    try:
        picture = iio.imread(path, plugin="pillow", mode="RGB")
    except (OSError, ValueError, SyntaxError):
        return None
    return picture if picture.shape == (*SIZE, 3) else None


def _write(path: Path, picture: Picture) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as part:
            part.write_bytes(jpeg(picture))
    except (OSError, DreamError):
        return
