"""Overrides: changes to the settings from many places, merged in order, each remembering where it came from."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.errors import UsageError, did_you_mean
from pipeline.settings import Settings, knobs
from pipeline.settings.knob import facts

CONTROL = re.compile("[\x7f-\x9f]")  # JSON lets these through, TOML and terminals do not


@dataclass(frozen=True)
class Layer:
    """Overrides from one place. origin: what --explain says of them. values: group -> name -> value."""

    origin: str
    values: Mapping[str, Mapping[str, Any]]


def place(name: str, value: Any, origin: str, model: type[Settings] = Settings) -> Layer:
    """A Layer of one setting named `octaves` or `dream.octaves`. UsageError with close names."""
    known = knobs(model)
    group, _, bare = name.rpartition(".")
    bare = bare.replace("-", "_")
    if bare not in known or group not in ("", known[bare][0]):
        full = [f"{g}.{n}" for n, (g, _) in known.items()]
        raise UsageError(f"{origin}: no setting is called {name!r}.{did_you_mean(name, [*known, *full])}")
    return Layer(origin, {known[bare][0]: {bare: value}})


def resolve(layers: Sequence[Layer], model: type[Settings] = Settings) -> tuple[Settings, dict[str, str]]:
    """Merge, later over earlier. Gives the settings, a `model`, and, by "group.name", where each value came from.

    UsageError names the layer, the setting, and close names where a key is unknown.
    """
    merged: dict[str, dict[str, Any]] = {}
    origins: dict[str, str] = {}
    for layer in layers:
        for group, table in layer.values.items():
            if group not in model.model_fields or not isinstance(table, Mapping):
                known = list(model.model_fields)
                raise UsageError(
                    f"{layer.origin}: {group!r} is no table of settings (there are {', '.join(known)})."
                    + did_you_mean(group, [*known, *knobs(model)])
                )
            for name, value in table.items():
                place(f"{group}.{name}", value, layer.origin, model)
                merged.setdefault(group, {})[name] = value
                origins[f"{group}.{name}"] = layer.origin
    try:
        return model.model_validate(merged), origins
    except ValidationError as error:
        raise _usage_error(error, origins, model) from None


def _usage_error(error: ValidationError, origins: Mapping[str, str], model: type[Settings]) -> UsageError:
    lines = []
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"][:2])
        what = problem["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
        what = what.replace("a valid integer", "a whole number").partition(", unable to parse")[0]
        if problem["type"] == "string_pattern_mismatch":
            bare = str(problem["loc"][1])
            what = f"expected {_in_words(facts(knobs(model)[bare][1], bare)['metavar'])}"
        lines.append(
            f"{origins.get(name, name)} {problem['input']}: {what}.".replace("..", ".").replace("^.", "^")
        )
    return UsageError("\n".join(lines))


def _in_words(metavar: str) -> str:
    """auto|off|N -> auto, off or a number."""
    *others, last = ["a number" if word == "N" else word for word in metavar.split("|")]
    return f"{', '.join(others)} or {last}" if others else last


def read_tables(path: Path) -> Layer:
    """A -c file, TOML or YAML (by suffix), as a Layer. UsageError names the file and line."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file of settings. Check the name and the folder.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as settings ({error}).") from None
    return Layer(str(path), parse_tables(text, str(path), yaml_too=path.suffix in (".yaml", ".yml")))


def parse_tables(text: str, name: str, *, yaml_too: bool = False) -> dict[str, dict[str, Any]]:
    """Tables of settings from TOML, or YAML. UsageError names the line."""
    try:
        values = _from_yaml(text) if yaml_too else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name}: not a well-formed config file: {error}") from None
    if not isinstance(values, dict):
        raise UsageError(
            f"{name}: expected tables of settings such as [dream], found {type(values).__name__}."
        )
    values.pop("made", None)  # a recipe says there what made it
    return values


def _from_yaml(text: str) -> Any:
    """ValueError where it is none."""
    import yaml  # noqa: PLC0415  a fifth of what --help takes, and few files are YAML

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def to_toml(tables: Mapping[str, Mapping[str, Any]], notes: Mapping[str, str] | None = None) -> str:
    """Tables of plain values as TOML; notes: "group.name" -> a comment for its line."""
    lines: list[str] = []
    for group, table in tables.items():
        lines += ["", f"[{group}]"]
        for name, value in table.items():
            note = (notes or {}).get(f"{group}.{name}", "")
            text = CONTROL.sub(lambda c: f"\\u{ord(c[0]):04x}", json.dumps(value, ensure_ascii=False))
            lines.append(f"{name} = {text}".ljust(44) + f"  # {note}" if note else f"{name} = {text}")
    return "\n".join(lines).lstrip("\n") + "\n"
