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
    run = settings.run
    again = [*_each("preset", run.preset), *_each("config", run.config)]
    again += _each("like", (run.like,) if run.like else ())
    for group in ("dream", "speed"):
        for name, value in getattr(settings, group).model_dump(mode="json").items():
            if name not in OWN and origins.get(f"{group}.{name}", "").startswith(ASKED):
                again += _each(name, value if isinstance(value, (list, tuple)) else (value,))

    def line(tile: Tile, dream_size: str) -> str:
        words = ["dream-video", source or "--demo", *again, "--layers", tile.layers]
        words += ["--objective", tile.objective] if tile.objective else []
        words += ["--step", f"{tile.step:g}"]
        words += ["--dream-size", dream_size]
        return quoted(words)

    return line


def quoted(words: Sequence[str]) -> str:
    """As one line for the shell of this machine."""
    return list2cmdline(words) if os.name == "nt" else shlex.join(words)


def _each(name: str, values: Sequence[Any]) -> list[str]:
    return [word for value in values for word in (f"--{name.replace('_', '-')}", str(value))]
