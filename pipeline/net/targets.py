"""Targets: what to dream, written as text, and read into Target rows: `inception4c#12+40:0.7, 60%`.

targets  = target ("," target)*
target   = what ["@" x "x" y] ["[" ["!"] mask "]"] [":" weight]
what     = layer ["#" channels] | "motif/" name ("+" name)* | "class/" (name | number)
channels = number ("+" number)* | ("strongest" | "average" | "weakest") [how many]
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from pipeline.errors import TargetError, did_you_mean
from pipeline.net.cards import Card

RANKS = ("strongest", "average", "weakest")


@dataclass(frozen=True)
class Target:
    """One layer to dream of, and how much.

    layer: a tap, an alias, a module path, or a depth such as 60%.
    channels: numbers from 0, each once; empty means all.
    rank, count: so many of a rank (of RANKS) in place of channels by number: as the source's own frame wakes them.
    at: (x, y) in percent of the picture's width and height, so it is the same place at every octave;
    None means everywhere.
    weight: its share of the step among the targets; negative unlearns. text: as it was written.
    motif: the channels tell how much something looks like a thing; their mean is what grows.
    mask: the name (or the number, from 1) of the --mask that says where; beyond: everywhere but there.
    classes: it is one of the network's classes, by name or number; its score is what grows.
    muted: channels that are left out where none were asked for.
    """

    layer: str
    channels: tuple[int, ...]
    at: tuple[int, int] | None
    weight: float
    text: str
    motif: bool = False
    rank: str = ""
    count: int = 1
    mask: str = ""
    beyond: bool = False
    classes: str = ""
    muted: tuple[int, ...] = ()

    @property
    def what(self) -> Target:
        """The same without its weight: two of one `what` are one target, at two times."""
        return replace(self, weight=1.0, text="")


def parse_targets(text: str) -> tuple[Target, ...]:
    """The targets in `text`, in order. TargetError points at what cannot be read."""
    targets, offset = [], 0
    for piece in text.split(","):
        targets.append(_target(text, piece, offset))
        offset += len(piece) + 1
    return tuple(targets)


MOTIF, CLASS = "motif/", "class/"

_SHAPE = re.compile(
    r"\s*(?P<layer>[^#@:\[\]]*?)\s*(#(?P<channels>[^@:\[\]]*?))?\s*(@(?P<at>[^:\[\]]*?))?\s*"
    r"(\[(?P<mask>[^\[\]]*)\])?\s*(:(?P<weight>.*?))?\s*"
)
_LAYER = r"[A-Za-z0-9_][\w./+-]*|\d{1,3}(\.\d+)?%|class/[\w' .-]+"
_CHANNELS = rf"\d{{1,6}}(\s*\+\s*\d{{1,6}})*|({'|'.join(RANKS)})\s*([1-9]\d{{0,3}})?"
_PLACE = r"(100|\d\d?)\s*x\s*(100|\d\d?)"
_MASK = r"!?\s*[^!].*"
_NUMBER = r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?"


def _target(text: str, piece: str, offset: int) -> Target:
    shape = _SHAPE.fullmatch(piece)
    if shape is None:
        raise _stumbled("a target is LAYER, or LAYER#12+40@50x50[mask]:0.7", text, offset)

    def part(name: str, pattern: str, expected: str) -> str | None:
        written = shape[name]
        if written is not None and not re.fullmatch(pattern, written.strip(), re.ASCII | re.IGNORECASE):
            close = did_you_mean(written.strip().lower(), RANKS) if name == "channels" else ""
            raise _stumbled(expected + close, text, offset + shape.start(name))
        return written

    layer = part("layer", _LAYER, "expected a layer, such as inception4c, features.9 or 60%") or ""
    channels = part(
        "channels", _CHANNELS, "expected channel numbers after #, such as 12 or 12+40, or strongest3."
    )
    place = part("at", _PLACE, "expected a place after @ in percent of width and height, such as 50x50")
    mask = (part("mask", _MASK, "expected the name of a --mask in [ ], such as sky or !sky") or "").strip()
    weight = part("weight", _NUMBER, "expected a weight after :, such as 0.7")
    if (depth(layer) or 0) > 1:
        raise _stumbled("a depth is at most 100%", text, offset + shape.start("layer"))
    if not math.isfinite(share := float(weight or 1)) or share == 0:
        raise _stumbled("a weight is a number other than 0", text, offset + shape.start("weight"))
    whole = layer.lower().startswith((CLASS, MOTIF))
    if whole and channels:
        kind = layer.partition("/")[0]
        raise _stumbled(f"a {kind} has no channels", text, offset + shape.start("channels"))
    x, y = place.split("x") if place else ("", "")
    rank = re.fullmatch(r"([a-z]+)\s*(\d*)", (channels or "").strip().lower())
    return Target(
        layer=layer,
        channels=tuple(dict.fromkeys(int(c) for c in channels.split("+"))) if channels and not rank else (),
        at=(int(x), int(y)) if place else None,
        weight=share,
        text=piece.strip(),
        rank=rank[1] if rank else "",
        count=int(rank[2] or 1) if rank else 1,
        mask=mask.lstrip("! "),
        beyond=mask.startswith("!"),
        classes=layer[len(CLASS) :] if layer.lower().startswith(CLASS) else "",
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
    if target.classes:
        return _of_class(target, card)
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
    for name in names:
        if name not in card.motifs:
            close = did_you_mean(name, card.motifs)
            raise TargetError(f"there is no motif {name!r}.{close}\nMotifs: {', '.join(sorted(card.motifs))}")
    channels = tuple(dict.fromkeys(card.motifs[name] for name in names))
    return replace(target, layer=MOTIF.rstrip("/"), channels=channels, motif=True)


def _of_class(target: Target, card: Card) -> Target:
    if not card.motifs:
        return target
    close = did_you_mean(target.classes.lower(), [f"{MOTIF}{name}" for name in card.motifs])
    raise TargetError(
        f"{card.name} knows motifs, not classes.{close}\nMotifs: {', '.join(sorted(card.motifs))}"
    )


def unknown_layer(name: str, card: Card, known: Iterable[str]) -> TargetError:
    """What to raise for a layer that is not there: the closest of the `known`, and this network's taps."""
    problem = f"{card.name} has no layer {name!r} to dream of.{did_you_mean(name, known)}"
    return TargetError(f"{problem}\nIts layers: {', '.join(card.taps) or 'any depth from 0% to 100%'}")


def _stumbled(problem: str, text: str, at: int) -> TargetError:
    return TargetError(f"{problem}\n  {text}\n  {' ' * at}^")
