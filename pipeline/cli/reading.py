"""Reading: a door's command line, by tyro: --help as wide as is easily read, examples below it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import tyro

WIDEST = 100  # columns
Examples = Sequence[tuple[str, str]]
"""Commands, and what each does."""


def parsed(
    what: Any, prog: str, about: str, args: Sequence[str], markers: Sequence[Any], examples: Examples
) -> Any:
    """An instance of `what`, read from `args`. SystemExit after --help and for flags that are not there.

    markers: tyro's, for all of it. examples: what --help ends with.
    """
    try:
        with _readable():
            return tyro.cli(
                what, prog=prog, description=about, args=list(args), config=list(markers), compact_help=False
            )
    except SystemExit:
        if examples and {"-h", "--help"} & set(args):
            sys.stdout.write(_shown(examples))
        raise


def _shown(examples: Examples) -> str:
    longest = max(len(command) for command, _ in examples)
    lines = [f"  {command:{longest}}  {does}".rstrip() for command, does in examples]
    return "\n".join(["examples:", *lines]) + "\n"


@contextmanager
def _readable() -> Iterator[None]:
    """tyro asks the terminal for its width; a wide one would get lines nobody follows."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(min(shutil.get_terminal_size().columns, WIDEST))
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
