"""Every knob, once: its default, range, unit and help.

Flags, config keys, DREAM_* variables, --explain and the reference all come from these models:
Settings has six groups (input, dream, time, output, speed, run), each a table in a config file.
`overrides` merges what changes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar, Self

from pydantic import BaseModel, Field, PrivateAttr, ValidationInfo, field_validator

from pipeline.pulse import Pulse
from pipeline.schedule import Schedule
from pipeline.settings.knob import Group
from pipeline.settings.look import Dream, Time
from pipeline.settings.machine import Run, Speed
from pipeline.settings.media import Input, Output

__all__ = ["Dream", "Input", "Output", "Run", "Settings", "Speed", "Time", "knobs"]


class Settings(Group):
    """All of them, for films; the other doors have their own, made from these."""

    PRESETS: ClassVar[str] = ""  # what the names of its presets begin with
    NOT_TAKEN: ClassVar[tuple[str, ...]] = ()  # which of a network's own defaults do not suit this door
    OFFERED: ClassVar[
        Mapping[str, tuple[str, ...]]
    ] = {}  # a group -> those of its knobs that are flags; else all

    input: Input = Field(default_factory=Input)
    dream: Dream = Field(default_factory=Dream)
    time: Time = Field(default_factory=Time)
    output: Output = Field(default_factory=Output)
    speed: Speed = Field(default_factory=Speed)
    run: Run = Field(default_factory=Run)
    _pulse: Pulse | None = PrivateAttr(None)

    @field_validator("*", mode="after")
    @classmethod
    def _in_range(cls, value: Any, info: ValidationInfo) -> Any:
        return value  # groups check their own

    @property
    def silent(self) -> bool:
        """Nothing is drawn on the screen."""
        return self.run.quiet or self.run.progress in ("json", "none")

    @property
    def schedules(self) -> list[Schedule]:
        """All numbers that may change through the film."""
        tables = (getattr(self, group) for group in type(self).model_fields)
        return [value for table in tables for _, value in table if isinstance(value, Schedule)]

    @property
    def pulse(self) -> Pulse | None:
        """What its schedules hear; None: nothing."""
        return self._pulse

    def hearing(self, pulse: Pulse | None) -> Self:
        """The same settings, whose beat(t) and level(t) are those of a sound or a tempo."""
        if pulse is None:
            return self
        groups: dict[str, BaseModel] = {}
        for group in type(self).model_fields:
            table = getattr(self, group)
            hear = {k: v.hearing(pulse) for k, v in table if isinstance(v, Schedule) and v.hears}
            if hear:
                groups[group] = table.model_copy(update=hear)
        settings = self.model_copy(update=groups)
        settings._pulse = pulse
        return settings

    def recipe(self) -> dict[str, dict[str, Any]]:
        """What makes the look, as overrides: everything but files, the range dreamed, machine and run."""
        tables = self.model_dump(mode="json", include={"dream", "time", "output"})
        for group, names in NOT_IN_A_RECIPE.items():
            for name in names:
                del tables[group][name]
        if self.dream.guide:  # a file is one user's, but that there was one is the look
            tables["dream"]["objective"] = "guide"
        if self.time.cuts not in ("auto", "off"):  # a file's are one film's, and no look
            del tables["time"]["cuts"]
        if self.time.beats not in ("none", "audio"):
            del tables["time"]["beats"]
        return {
            group: {name: value for name, value in table.items() if value is not None}
            for group, table in tables.items()
            if table
        }


NOT_IN_A_RECIPE = {
    "dream": ("weights", "guide", "mask"),
    "time": ("flow_weights",),
    "output": (
        "out",
        "preview",
        "preview_seconds",
        "compare",
        "contact_sheet",
        "stems",
        "report",
        "yes",
        "audio",
    ),
}


@lru_cache(maxsize=8)
def knobs(model: type[Settings] = Settings) -> Mapping[str, tuple[str, type[BaseModel]]]:
    """Every knob's name -> (its group, the group's model). Names are unique across groups."""
    found: dict[str, tuple[str, type[BaseModel]]] = {}
    for group, field in model.model_fields.items():
        table = field.annotation
        assert isinstance(table, type)
        found.update(dict.fromkeys(table.model_fields, (group, table)))
    return found
