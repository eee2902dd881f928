"""Plan: which dreams an atlas shows: a network and what was asked for -> chapters of rows of tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from pipeline import inversion
from pipeline.errors import TargetError
from pipeline.net import tap
from pipeline.net.tap import Network
from pipeline.net.targets import MOTIF, Target, parse_targets, resolve

SPREAD = 16  # layers of a network without a card, and channels of a layer, that stand for all
FULL = 1.5  # grey levels: the step of the stronger tile where none was asked for
GENTLE = 3  # times less: that of the other
OBJECTIVES = ("energy", "sparse")

T = TypeVar("T")


@dataclass(frozen=True)
class Tile:
    """One dream. layers: as --layers takes it. objective: "" for what has one of its own. step: grey levels;
    0: it has none. target: the same, for a network cut for its row.
    """

    layers: str
    objective: str
    step: float
    target: Target


@dataclass(frozen=True)
class Row:
    """Tiles that one cut of the network serves. name: what they are of. about: of it, in a few words."""

    name: str
    about: str
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Chapter:
    """title and about: for people. wide: each row is a line of its own; else its tiles just follow each other."""

    title: str
    about: str
    rows: tuple[Row, ...]
    wide: bool

    @property
    def lines(self) -> tuple[Row, ...]:
        """Its rows as they are shown."""
        return self.rows if self.wide else (Row("", "", tuple(t for row in self.rows for t in row.tiles)),)


def chapters(
    network: Network,
    layers: str,
    channels: tuple[str, Sequence[int]] | None,
    step: float,
    *,
    guided: bool,
    inverted: bool = False,
) -> list[Chapter]:
    """What to show. layers: to show these alone, "" for every layer. channels: a layer, and which; none: some.

    guided: there is a guide, which takes the place of objectives. inverted: what each layer knows comes first.
    TargetError for what is not there.
    """
    objectives = ("guide",) if guided else OBJECTIVES
    found = {layer.path: layer for layer in tap.layers(network)}
    taps, left_out = _layers(network, layers)
    rows = [_row(network, target, found, objectives, step) for target in taps]
    about = "Near the picture first. Two objectives, each at a third of the step and at the whole."
    if left_out:
        about += f" {len(taps)} of its {len(taps) + left_out} layers; --layers NAME shows any other."
    told = [_inverted(network, taps, found)] if inverted else []
    told.append(Chapter("Layers", about, tuple(rows), wide=True))
    if network.card.motifs and not layers:
        told.append(_motifs(network, step))
    if channels is not None:
        told.append(_channels(network, *channels, found, step, objectives[-1]))
    return told


def _layers(network: Network, layers: str) -> tuple[list[Target], int]:
    """What to show a row of each, and how many others there are."""
    if layers:
        return [replace(target, weight=1.0) for target in parse_targets(layers)], 0
    taps = list(network.card.taps)
    kept = taps if network.card.listed else _spread(taps)
    return [parse_targets(name)[0] for name in kept], len(taps) - len(kept)


def _row(
    network: Network, target: Target, found: dict[str, tap.Layer], objectives: Sequence[str], step: float
) -> Row:
    bare = _bare(target)
    own = bool(target.classes) or target.layer.lower().startswith(MOTIF)
    shown = [""] if own else objectives
    tiles = [Tile(bare, objective, s, target) for objective in shown for s in (_rounded(step / GENTLE), step)]
    return Row(bare, _about(network, target, found), tuple(tiles))


def _inverted(network: Network, targets: Sequence[Target], found: dict[str, tap.Layer]) -> Chapter:
    rows = [
        Row(
            _bare(t), _about(network, t, found), (Tile(_bare(t), inversion.OBJECTIVE, 0, inversion.whole(t)),)
        )
        for t in targets
    ]
    about = "Rebuilt from its features alone, from noise: what is missing here it does not tell apart."
    return Chapter("What each layer still knows of your picture", about, tuple(rows), wide=False)


def _bare(target: Target) -> str:
    return target.text.split(":")[0].strip()


def _about(network: Network, target: Target, found: dict[str, tap.Layer]) -> str:
    layer = found.get(resolve(target, network.card).layer)
    return f"{layer.channels} channels, {100 * layer.depth:.0f} % deep" if layer else ""


def _motifs(network: Network, step: float) -> Chapter:
    targets = [resolve(parse_targets(MOTIF + name)[0], network.card) for name in network.card.motifs]
    tiles = tuple(Tile(target.text, "", step, target) for target in targets)
    about = "What it knows by name; several go together: motif/owl+spiral."
    return Chapter("Motifs", about, (Row("motif", "", tiles),), wide=False)


def _channels(
    network: Network,
    layer: str,
    which: Sequence[int],
    found: dict[str, tap.Layer],
    step: float,
    objective: str,
) -> Chapter:
    target = resolve(parse_targets(layer)[0], network.card)
    count = tap.cut(network, [target]).channels[0]
    if beyond := [number for number in which if number >= count]:
        raise TargetError(f"{layer} has {count} channels, 0 to {count - 1}: there is no channel {beyond[0]}")
    chosen = which or _spread(range(count), 3 * SPREAD)
    tiles = tuple(
        Tile(f"{layer}#{number}", objective, step, replace(target, channels=(number,))) for number in chosen
    )
    about = f"{len(tiles)} of its {count}"
    if len(tiles) < count and not which:
        about += f"; --channels {layer}#0-47 shows those"
    return Chapter(f"Channels of {layer}", f"{about}.", (Row(layer, about, tiles),), wide=False)


def _spread(things: Sequence[T], count: int = SPREAD) -> list[T]:
    """`count` of them, evenly, the last one included."""
    count = min(count, len(things))
    return [things[(k + 1) * len(things) // count - 1] for k in range(count)]


def _rounded(step: float) -> float:
    return float(f"{step:.2g}")
