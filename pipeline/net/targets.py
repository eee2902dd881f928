"""Targets: what to dream, written as text, and read into Target rows: `inception4c#12+40:0.7, 60%`.

targets = target ("," target)*
target  = (layer ["#" channel ("+" channel)*] | "motif/" name ("+" name)*) ["@" x "x" y] [":" weight]
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from pipeline.errors import TargetError, did_you_mean
from pipeline.net.cards import Card


@dataclass(frozen=True)
class Target:
    """One layer to dream of, and how much.

    layer: a tap, an alias, a module path, or a depth such as 60%.
    channels: numbers from 0, each once; empty means all.
    at: (x, y) in percent of the picture's width and height, so it is the same place at every octave;
    None means everywhere.
    weight: its share of the step among the targets; negative unlearns. text: as it was written.
    motif: the channels tell how much something looks like a thing; their mean is what grows.
    """

    layer: str
    channels: tuple[int, ...]
    at: tuple[int, int] | None
    weight: float
    text: str
    motif: bool = False


def parse_targets(text: str) -> tuple[Target, ...]:
    """The targets in `text`, in order. TargetError points at what cannot be read."""
    targets, offset = [], 0
    for piece in text.split(","):
        targets.append(_target(text, piece, offset))
        offset += len(piece) + 1
    return tuple(targets)


MOTIF = "motif/"

_SHAPE = re.compile(
    r"\s*(?P<layer>[^#@:]*?)\s*(#(?P<channels>[^@:]*?))?\s*(@(?P<at>[^:]*?))?\s*(:(?P<weight>.*?))?\s*"
)
_LAYER = r"[A-Za-z0-9_][\w./+-]*|\d{1,3}(\.\d+)?%"
_CHANNELS = r"\d{1,6}(\s*\+\s*\d{1,6})*"
_PLACE = r"(100|\d\d?)\s*x\s*(100|\d\d?)"
_NUMBER = r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?"


def _target(text: str, piece: str, offset: int) -> Target:
    shape = _SHAPE.fullmatch(piece)
    if shape is None:
        raise _stumbled("a target is LAYER, or LAYER#12+40@50x50:0.7", text, offset)

    def part(name: str, pattern: str, expected: str) -> str | None:
        written = shape[name]
        if written is not None and not re.fullmatch(pattern, written.strip(), re.ASCII | re.IGNORECASE):
            raise _stumbled(expected, text, offset + shape.start(name))
        return written

    layer = part("layer", _LAYER, "expected a layer, such as inception4c, features.9 or 60%") or ""
    channels = part("channels", _CHANNELS, "expected channel numbers after #, such as 12 or 12+40")
    place = part("at", _PLACE, "expected a place after @ in percent of width and height, such as 50x50")
    weight = part("weight", _NUMBER, "expected a weight after :, such as 0.7")
    if (depth(layer) or 0) > 1:
        raise _stumbled("a depth is at most 100%", text, offset + shape.start("layer"))
    if not math.isfinite(share := float(weight or 1)) or share == 0:
        raise _stumbled("a weight is a number other than 0", text, offset + shape.start("weight"))
    x, y = place.split("x") if place else ("", "")
    return Target(
        layer=layer,
        channels=tuple(dict.fromkeys(int(c) for c in channels.split("+"))) if channels else (),
        at=(int(x), int(y)) if place else None,
        weight=share,
        text=piece.strip(),
    )


def depth(layer: str) -> float | None:
    """0.6 for the depth address `60%`, None for the name of a layer."""
    return float(layer[:-1]) / 100 if layer.endswith("%") else None


def resolve(target: Target, card: Card) -> Target:
    """`target` with its layer as a module path (or still a depth); needs no network.

    A module path the card does not list passes when its first part leads to layers: the cut checks the rest.
    TargetError: a name this network cannot have.
    """
    if depth(target.layer) is not None:
        return target
    if target.layer.lower().startswith(MOTIF):
        return _of_motifs(target, card)
    path = card.paths.get(target.layer.lower(), target.layer)
    if card.listed and path.split(".")[0] not in card.roots:
        raise unknown_layer(target.layer, card, card.paths)
    return replace(target, layer=path)


def _of_motifs(target: Target, card: Card) -> Target:
    names = target.layer[len(MOTIF) :].lower().split("+")
    if not card.motifs:
        raise TargetError(f"{card.name} knows no motifs by name; --model builtin does.")
    if target.channels:
        raise TargetError(f"{target.text}: a motif has no channels. Write motif/{names[0]}, or motif#12.")
    for name in names:
        if name not in card.motifs:
            close = did_you_mean(name, card.motifs)
            raise TargetError(f"there is no motif {name!r}.{close}\nMotifs: {', '.join(sorted(card.motifs))}")
    channels = tuple(dict.fromkeys(card.motifs[name] for name in names))
    return replace(target, layer=MOTIF.rstrip("/"), channels=channels, motif=True)


def unknown_layer(name: str, card: Card, known: Iterable[str]) -> TargetError:
    """What to raise for a layer that is not there: the closest of the `known`, and this network's taps."""
    problem = f"{card.name} has no layer {name!r} to dream of.{did_you_mean(name, known)}"
    return TargetError(f"{problem}\nIts layers: {', '.join(card.taps) or 'any depth from 0% to 100%'}")


def _stumbled(problem: str, text: str, at: int) -> TargetError:
    return TargetError(f"{problem}\n  {text}\n  {' ' * at}^")
