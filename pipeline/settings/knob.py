"""Knobs: how one setting is written: default, help, unit, range and one-letter flag; and what its values may be."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    field_validator,
)

from pipeline.errors import ScheduleError, UsageError
from pipeline.schedule import Schedule
from pipeline.size import Size, fit


def _as_schedule(value: object) -> Schedule:
    if isinstance(value, Schedule):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("expected a number or a schedule")
    try:
        return Schedule.parse(value)
    except ScheduleError as error:
        raise ValueError(str(error)) from None  # pydantic adds which setting it was


def _plain(number: float) -> int | float:
    return int(number) if number.is_integer() else number


Number = Annotated[
    Schedule,
    PlainValidator(_as_schedule),
    PlainSerializer(lambda s: s.text if s.constant is None else _plain(s.constant)),
]
"""A number that may change through the film."""


def knob(
    default: Any,
    help: str,
    *,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    short: str = "",
    metavar: str = "",
) -> Any:
    """One setting: its default, what it does, its unit and inclusive range, and its one-letter flag."""
    extra: dict[str, Any] = {"unit": unit, "low": low, "high": high, "short": short, "metavar": metavar}
    return Field(default=default, validate_default=True, description=help, json_schema_extra=extra)


class Group(BaseModel):
    """Knobs that stand together: a table of a config file. Frozen; ValidationError for a name or value it has not."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        arbitrary_types_allowed=True,
        coerce_numbers_to_str=True,
        defer_build=True,  # --help validates nothing, and need not wait for what does
    )

    @field_validator("*", mode="after")
    @classmethod
    def _in_range(cls, value: Any, info: ValidationInfo) -> Any:
        said = facts(cls, info.field_name or "")
        low, high = said["low"], said["high"]
        if low is None or high is None or value is None:
            return value
        if isinstance(value, Schedule):
            return value.within(low, high, f"--{info.field_name}".replace("_", "-"))
        if not low <= value <= high:
            raise ValueError(f"{value} is outside {low:g} to {high:g}")
        return value


def facts(group: type[BaseModel], name: str) -> dict[str, Any]:
    """unit, low, high, short and metavar of a knob, as `knob` was told."""
    extra = group.model_fields[name].json_schema_extra
    assert isinstance(extra, dict)
    return dict(extra)


def seconds_of(text: str) -> float:
    """0.2s, or -0.1s. Raises ValueError."""
    match = re.fullmatch(r"([+-]?(?:\d{1,5}(?:\.\d{0,6})?|\.\d{1,6}))\s*s?", text.strip(), re.ASCII)
    if not match:
        raise ValueError("expected seconds, such as 0.2s or -0.1s")
    return float(match[1])


def sized(text: str | None) -> str | None:
    """WxH, 0.5x, max:960 or full, as it came; None: none was asked for. Raises ValueError."""
    try:
        fit(Size(360, 640), text or "full")
    except UsageError as error:
        raise ValueError(str(error)) from None  # pydantic adds which setting it was
    return text


def shares(text: str) -> tuple[float, ...]:
    """Numbers between 0 and 10 with commas between them. Raises ValueError."""
    found = []
    for part in text.split(","):
        if not re.fullmatch(r"\s*(\d{1,2}(\.\d{0,6})?|\.\d{1,6})\s*", part, re.ASCII) or float(part) > 10:
            raise ValueError(f"expected shares from 0 to 10 such as 0.5, 1, 2, found {part.strip()!r}")
        found.append(float(part))
    return tuple(found)
