"""Marked: a list of jobs in YAML or TOML as plain values, with the line every one of them stands on."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import UsageError

MOST = 1_000_000  # values in a list; aliases can make a short file as long as you like
LARGEST = 64 << 20  # bytes of one
YAML_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
PLAIN_WORDS = ("true", "false", "null", "~", "")

Place = tuple[str | int, ...]
"""Where a value is: ("jobs", 3, "output")."""


@dataclass(frozen=True)
class Marked:
    """values: the list. lines: of a place, counted from 1. name: of the file, for messages."""

    name: str
    values: dict[str, Any]
    lines: dict[Place, int]

    def at(self, *place: str | int) -> str:
        """'jobs.yaml:12', as near to the place as is known."""
        while place and place not in self.lines:
            place = place[:-1]
        return f"{self.name}:{self.lines.get(place, 1)}"


def read(path: Path) -> Marked:
    """A list, YAML or TOML by its suffix. UsageError names the line where it cannot be read."""
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{path}: is no list of jobs: {path.stat().st_size >> 20} MiB.")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise UsageError(f"{path}: cannot be read as a list of jobs ({reason}).") from None
    lines: dict[Place, int] = {}
    try:
        if path.suffix.lower() == ".toml":
            values = tomllib.loads(text)
            lines |= _toml_lines(text)
        else:
            values = _yaml(text, lines)
    except (tomllib.TOMLDecodeError, yaml.YAMLError, RecursionError, ValueError) as error:
        raise UsageError(f"{path.name}: is no well-formed list of jobs: {_said(error)}") from None
    if not isinstance(values, dict):
        raise UsageError(f"{path.name}: expected `defaults:` and `jobs:`, found {type(values).__name__}.")
    return Marked(path.name, values, lines)


def _said(error: Exception) -> str:
    return "nested too deeply." if isinstance(error, RecursionError) else str(error)


def _yaml(text: str, lines: dict[Place, int]) -> Any:
    loader = YAML_LOADER(text)
    try:
        node = loader.get_single_node()
        return {} if node is None else _Reader(loader, lines).value(node, ())
    finally:
        loader.dispose()


@dataclass
class _Reader:
    """Makes values of the nodes of a YAML file. Raises ValueError, with the line."""

    loader: Any
    lines: dict[Place, int]
    count: int = 0

    def value(self, node: yaml.Node, place: Place, inside: tuple[int, ...] = ()) -> Any:
        line = node.start_mark.line + 1
        self.lines.setdefault(place, line)
        self.count += 1
        if self.count > MOST:
            raise ValueError(f"line {line}: more than {MOST} values.")
        if id(node) in inside:
            raise ValueError(f"line {line}: holds itself.")
        inside = (*inside, id(node))
        if isinstance(node, yaml.MappingNode):
            return dict(self._pairs(node, place, inside))
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*place, n), inside) for n, item in enumerate(node.value)]
        return self._scalar(node)

    def _pairs(
        self, node: yaml.MappingNode, place: Place, inside: tuple[int, ...]
    ) -> Iterator[tuple[str, Any]]:
        seen = set()
        for key, item in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise ValueError(f"line {line}: expected a name before the colon.")
            if key.value in seen:
                raise ValueError(f"line {line}: {key.value!r} is there twice.")
            seen.add(key.value)
            self.lines[(*place, key.value)] = line
            yield key.value, self.value(item, (*place, key.value), inside)

    def _scalar(self, node: yaml.Node) -> Any:
        """As it is written where YAML 1.1 would make something else of it: `off`, 1:30, a date."""
        kind = node.tag.rpartition(":")[2]
        if kind == "bool" and node.value.lower() not in PLAIN_WORDS:
            return node.value
        if kind in ("int", "float") and not re.fullmatch(
            r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", node.value, re.I
        ):
            return node.value
        if kind in ("bool", "int", "float", "null"):
            return self.loader.construct_object(node)
        return node.value


def _toml_lines(text: str) -> dict[Place, int]:
    """The lines of `defaults`, of each job, and of their keys, which tomllib does not tell."""
    lines: dict[Place, int] = {}
    place: Place = ()
    jobs = -1
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if re.fullmatch(r"\[\[\s*jobs\s*\]\]\s*(#.*)?", bare):
            jobs += 1
            place = ("jobs", jobs)
            lines[place] = number
        elif match := re.match(r"\[\s*(\w+)\s*\]", bare):
            place = (match[1],)
            lines[place] = number
        elif match := re.match(r"[\"']?([\w-]+)[\"']?\s*=", bare):
            lines.setdefault((*place, match[1]), number)
    return lines
