"""Every knob of the zoom door that the others do not have, once. The dream's own words are those of `settings`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from pipeline.errors import ScheduleError
from pipeline.schedule import Schedule
from pipeline.settings import Input, Run, Settings
from pipeline.settings.knob import Group, Number, knob

PAN, INSIDE = (-4, 4), (0, 1)  # what the pairs --pan and --centre keep to


class ZoomInput(Input):
    fps: str | None = knob("30", "frame rate of the dive: 24, 60, 30000/1001", metavar="RATE")
    size: str | None = knob(
        None,
        "of the film: 1280x720, 0.5x or max:1920; the picture's own up to 1280 when not given",
        metavar="SIZE",
    )


class Zoom(Group):
    """How the camera goes."""

    seconds: str = knob("20", "how long; audio: as long as the song", metavar="SECONDS")
    zoom: Number = knob("0.5", "speed; negative flies out, 0 stays", unit="doublings/s", low=-8, high=8)
    turn: Number = knob("0", "speed the picture turns at, clockwise", unit="degrees/s", low=-1440, high=1440)
    pan: str = knob(
        "0, 0", "camera's speed to the right and down, frame widths and heights a second", metavar="X,Y"
    )
    centre: str = knob(
        "0.5, 0.5",
        "the point dived into, of the frame's width and height; auto: where the dream is strongest",
        metavar="X,Y|auto",
    )
    way: Literal["exact", "feedback"] = knob(
        "exact",
        "exact: sharp at every depth. feedback: each frame dreams on the one before, the classic look",
    )
    loop: bool = knob(
        False, "the last frame flows into the first: doublings and full turns become whole numbers"
    )
    shutter: float = knob(
        0.0, "motion blur: how long it is open, of a frame's time (0.5: 180 degrees)", low=0, high=1
    )
    supersample: int = knob(1, "looks per pixel, each way", low=1, high=4)

    @field_validator("seconds")
    @classmethod
    def _is_long_enough(cls, value: str) -> str:
        if value != "audio" and (
            not re.fullmatch(r"\d{1,5}(\.\d{1,6})?", value) or not 0 < float(value) <= 36000
        ):
            raise ValueError("expected seconds, up to 36000, or audio")
        return value

    @field_validator("pan")
    @classmethod
    def _is_a_pair(cls, value: str) -> str:
        pair(value, *PAN, "--pan")
        return value

    @field_validator("centre")
    @classmethod
    def _is_inside(cls, value: str) -> str:
        if value != "auto":
            pair(value, *INSIDE, "--centre")
        return value


class ZoomSettings(Settings):
    """The settings of a dive: those of a film, and a table [zoom]."""

    PRESETS: ClassVar[str] = "zoom_"
    # A film keeps its scene; a dive leaves it behind.
    NOT_TAKEN: ClassVar[tuple[str, ...]] = ("octaves", "step", "objective")
    OFFERED: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "run": tuple(name for name in Run.model_fields if name not in ("ui", "port"))
    }

    input: ZoomInput = Field(default_factory=ZoomInput)
    zoom: Zoom = Field(default_factory=Zoom)

    @property
    def schedules(self) -> list[Schedule]:
        """All of them, those of its pairs too."""
        pairs = [self.zoom.pan, *([self.zoom.centre] if self.zoom.centre != "auto" else [])]
        return [*super().schedules, *(half for text in pairs for half in pair(text, -math.inf, math.inf))]

    def recipe(self) -> dict[str, dict[str, Any]]:
        return super().recipe() | {"zoom": self.zoom.model_dump(mode="json")}


def pair(text: str, low: float, high: float, name: str = "") -> tuple[Schedule, Schedule]:
    """Two schedules between low and high: "0.5, 0.4", or with a semicolon "0s:(0.5), 5s:(0.3); 0.5".

    Raises ValueError, pointing at the character where one of them cannot be read.
    """
    halves = text.split(";") if ";" in text else _between_commas(text)
    if len(halves) != 2:
        raise ValueError(
            'expected two values, x and y: "0.5, 0.4", or schedules with a semicolon between them'
        )
    try:
        x, y = (Schedule.parse(half.strip()).within(low, high, name or "the value") for half in halves)
    except ScheduleError as error:
        raise ValueError(str(error)) from None
    return x, y


def _between_commas(text: str) -> list[str]:
    """The parts between commas that are outside of parentheses."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts
