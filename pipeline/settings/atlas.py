"""Every knob of the atlas door that the others do not have, once; and which of theirs it has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field, field_validator

from pipeline.settings import Dream, Output, Settings
from pipeline.settings.knob import Group, knob

CHANNELS = re.compile(
    r"(?P<layer>[^#,\s]+)(\s*#\s*(?P<which>\d{1,6}(-\d{1,6})?(\+\d{1,6}(-\d{1,6})?)*))?", re.ASCII
)


MOST = 96
"""Channels on one page."""


class Atlas(Group):
    """What the page shows besides every layer."""

    channels: str | None = knob(
        None,
        "also single channels of this layer: LAYER for some across it, or which: mixed4a#0-47, mixed4a#3+12",
        metavar="LAYER",
    )

    invert: bool = knob(
        False, "also what each layer still knows of your picture: rebuilt from its features alone, from noise"
    )

    @field_validator("channels")
    @classmethod
    def _is_a_layer(cls, value: str | None) -> str | None:
        if value is not None:
            channels_of(value)
        return value


class AtlasOutput(Output):
    out: str | None = knob(
        None, "folder for the page and the sheet (INPUT_atlas when not given)", short="o", metavar="DIR"
    )


class AtlasSettings(Settings):
    """The settings of an atlas: those of a film as far as a single dream has them, and a table [atlas]."""

    OFFERED: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "input": ("start", "end", "input_space"),
        "dream": tuple(name for name in Dream.model_fields if name != "objective"),
        "time": (),
        "output": ("out", "yes"),
        "speed": ("device", "precision", "threads"),
        "run": (
            "preset",
            "config",
            "like",
            "set",
            "presets",
            "explain",
            "demo",
            "progress",
            "quiet",
            "verbose",
        ),
    }

    NOT_TAKEN: ClassVar[tuple[str, ...]] = (
        "objective",
        "step",
        "dream_size",
    )  # it shows several, and is small

    output: AtlasOutput = Field(default_factory=AtlasOutput)
    atlas: Atlas = Field(default_factory=Atlas)


def channels_of(text: str) -> tuple[str, tuple[int, ...]]:
    """A layer and the channels asked for, each once: `mixed4a#0-2+7` -> ("mixed4a", (0, 1, 2, 7)); () is left open.

    Raises ValueError.
    """
    match = CHANNELS.fullmatch(text.strip())
    if match is None:
        raise ValueError("expected a layer, or one with channels such as mixed4a#0-47 or mixed4a#3+12")
    found: list[int] = []
    for part in (match["which"] or "").split("+"):
        if not part:
            continue
        first, _, last = part.partition("-")
        low, high = int(first), int(last or first)
        if high < low:
            raise ValueError(f"channels {part} run backwards: expected the smaller number first")
        if len(found) + high - low >= MOST:
            raise ValueError(f"that is more than {MOST} channels, as many as fit on a page")
        found += range(low, high + 1)
    return match["layer"], tuple(dict.fromkeys(found))
