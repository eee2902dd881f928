"""Command: the dream-video line that dreams as a tile does: settings and where they came from in, text out."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from subprocess import list2cmdline
from typing import Any

from pipeline.atlas.plan import Tile
from pipeline.settings import Settings

OWN = ("layers", "objective", "step", "dream_size")  # said for each tile anew
ASKED = ("--", "DREAM_")  # where a value comes from that no preset and no file brings again


def command(source: str, settings: Settings, origins: Mapping[str, str]) -> Callable[[Tile, str], str]:
    """Gives a function of a tile and a --dream-size to the line.

    source: the INPUT as it was given, "" for the drawn scene. Whatever was asked for besides is said again.
    """

    def of_tile(tile: Tile, dream_size: str) -> str:
        chosen: dict[str, object] = {"layers": tile.layers}
        chosen |= {"objective": tile.objective} if tile.objective else {}
        chosen |= {"step": f"{tile.step:g}"} if tile.step else {}
        return line(source, settings, origins, chosen | {"dream_size": dream_size}, ("dream", "speed"), OWN)

    return of_tile


def line(
    source: str,
    settings: Settings,
    origins: Mapping[str, str],
    chosen: Mapping[str, object],
    groups: Sequence[str] = ("input", "dream", "time", "speed"),
    without: Sequence[str] = (),
) -> str:
    """The line for settings of which `chosen` are said, by name, after what was asked for of `groups`.

    without: what is not said again, though it was asked for.
    """
    run = settings.run
    again = [*_each("preset", run.preset), *_each("config", run.config)]
    again += _each("like", (run.like,) if run.like else ())
    for group in groups:
        for name, value in getattr(settings, group).model_dump(mode="json").items():
            if name not in (*chosen, *without) and origins.get(f"{group}.{name}", "").startswith(ASKED):
                again += _each(name, value if isinstance(value, (list, tuple)) else (value,))
    last = [word for name, value in chosen.items() for word in _each(name, (value,))]
    return quoted(["dream-video", _as_input(source), *again, *last])


def _as_input(source: str) -> str:
    """Not taken for a flag, whatever it is called."""
    return f".{os.sep}{source}" if source.startswith("-") else source or "--demo"


def quoted(words: Sequence[str]) -> str:
    """As one line for the shell of this machine."""
    return list2cmdline(words) if os.name == "nt" else shlex.join(words)


def _each(name: str, values: Sequence[Any]) -> list[str]:
    return [word for value in values for word in (f"--{name.replace('_', '-')}", str(value))]
