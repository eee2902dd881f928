"""Dreams: the tiles of an atlas, each dreamed as the product dreams a still. Tiles in, pictures [H, W, 3] out."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter

import torch
from torch import Tensor

from pipeline.atlas.plan import Chapter, Row, Tile
from pipeline.clip import Clip, Flow, Frame, Picture, Size, Tick, fit
from pipeline.dreamer import Dreamer
from pipeline.errors import InputError
from pipeline.inversion import OBJECTIVE
from pipeline.net.tap import Network
from pipeline.ops import pyramid
from pipeline.ops.gradient import gradient
from pipeline.ops.look import Look
from pipeline.ops.objectives import OBJECTIVES, energy
from pipeline.schedule import Schedule
from pipeline.settings import Settings
from pipeline.stages import stills

AREA = (
    352 * 198
)  # px of a tile: fifty of them in a minute and a half on two cores, with the network in the box
PROBES = 3  # rows of each chapter that are timed to tell how long all will take
BESIDE = 1.25  # what a tile takes in all, of the time of its gradients


def tile_size(size: Size) -> str:
    """The --dream-size of tiles where none was asked for: about AREA, whatever the picture's shape."""
    longer = (AREA * max(size) / min(size)) ** 0.5
    return f"max:{8 * round(longer / 8)}"


@dataclass
class Dreams:
    """Of one picture by one network. settings: of all tiles, apart from what each one asks for itself.

    inversion: what is set otherwise, by name, where the picture is rebuilt.
    left_out: rows that this picture is too small for, and why, filled while they are dreamed.
    """

    settings: Settings
    network: Network
    clip: Clip
    frame: Frame
    left_out: dict[str, str]
    inversion: Mapping[str, object] = field(default_factory=dict)

    @staticmethod
    def of(
        settings: Settings,
        network: Network,
        clip: Clip,
        frame: Frame,
        inversion: Mapping[str, object] | None = None,
    ) -> Dreams:
        """frame: of the clip, at its full size; it is shrunk to the size of the tiles first."""
        size = fit(frame.size, settings.dream.dream_size)
        small = replace(frame, picture=stills.resized(frame.picture, size), deep=None)
        return Dreams(settings, network, clip, small, {}, inversion or {})

    @property
    def size(self) -> Size:
        """That the picture is dreamed at."""
        return self.frame.size

    def seconds(self, chapters: Iterable[Chapter]) -> float:
        """About how long they will take, from single gradients at a few depths."""
        return BESIDE * sum(self._of_rows(chapter.rows) for chapter in chapters)

    def _of_rows(self, rows: Sequence[Row]) -> float:
        probed = sorted({round(k * (len(rows) - 1) / (PROBES - 1)) for k in range(PROBES)})
        spent: dict[int, float] = {}
        for at in probed:
            try:
                spent[at] = self._timed(self._dreamer(rows[at]))
            except InputError:
                continue
        if not spent:
            return 0.0
        nearest = (spent[min(spent, key=lambda at, here=here: abs(at - here))] for here in range(len(rows)))  # type: ignore[misc]
        return sum(each * len(row.tiles) for each, row in zip(nearest, rows, strict=True))

    def pictures(self, chapters: Iterable[Chapter]) -> Iterator[tuple[Tile, Picture]]:
        """Every tile, in order, with its dream; rows that this picture is too small for are left out."""
        for row in (row for chapter in chapters for row in chapter.rows):
            try:
                dreamer = self._dreamer(row)
                dreamer.look.sizes(self.size)
            except InputError as problem:
                self.left_out[row.name] = str(problem)
                continue
            for tile in row.tiles:
                tick = Tick(self.frame, Flow.none(self.size))
                yield tile, _variant(dreamer, row, tile).dream(tick, clip=self.clip).picture

    def _dreamer(self, row: Row) -> Dreamer:
        own: dict[str, object] = {"layers": row.tiles[0].layers}
        if row.tiles[0].objective == OBJECTIVE:
            own |= {"objective": OBJECTIVE, **self.inversion}
        dream = self.settings.dream.model_copy(update=own | {"dream_size": "full"})
        time = self.settings.time.model_copy(update={"flow": "none"})
        settings = self.settings.model_copy(update={"dream": dream, "time": time})
        return Dreamer(settings, network=self.network)

    def _timed(self, dreamer: Dreamer) -> float:
        """Seconds of all gradients of one tile."""
        sizes = dreamer.look.sizes(self.size)
        picture = (
            torch.from_numpy(self.frame.picture.transpose(2, 0, 1).copy())[None].to(dreamer.device) / 255
        )
        look = replace(dreamer.look, objective=energy)
        gradient(look, pyramid.resize(picture, sizes[0]))  # the first is slower than those to come
        each = min(self._once(look, picture) for _ in range(2))
        knobs = dreamer.settings.dream
        more = [share for share, _ in look.shares(len(sizes))]
        area = sum(m * s.height * s.width for m, s in zip(more, sizes, strict=True))
        steps = knobs.iterations.at(self.frame.index, float(self.frame.time), rate=float(self.clip.rate))
        return each * steps * area / (self.size.height * self.size.width)

    @staticmethod
    def _once(look: Look, picture: Tensor) -> float:
        began = perf_counter()
        gradient(look, picture).sum().item()  # a number waits for a GPU
        return perf_counter() - began


def _variant(dreamer: Dreamer, row: Row, tile: Tile) -> Dreamer:
    """The same network as cut, for another tile of its row."""
    if tile.objective == OBJECTIVE:
        return dreamer
    own = copy.copy(dreamer)
    knobs = dreamer.settings.dream.model_copy(update={"step": Schedule.parse(tile.step)})
    own.settings = dreamer.settings.model_copy(update={"dream": knobs})
    cut = dreamer.look.cut
    if tile.layers != row.tiles[0].layers:
        cut = copy.copy(cut)
        cut.targets = (tile.target,)
    own.look = replace(dreamer.look, objective=OBJECTIVES.get(tile.objective, energy), cut=cut)
    return own
