"""Reading: a door's command line, by tyro: --help as wide as is easily read, examples below it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Annotated, Any, TextIO

import tyro
from tyro.constructors import PrimitiveConstructorSpec

WIDEST = 100  # columns
TIED = "\N{NO-BREAK SPACE}"  # between words of help that stay on one line
Examples = Sequence[tuple[str, str]]
"""Commands, and what each does."""


def _whole(words: list[str]) -> int:
    try:
        return int(words[0])
    except ValueError:
        raise ValueError(f"expected a whole number, found {words[0]!r}") from None


Whole = Annotated[
    int,
    PrimitiveConstructorSpec(
        nargs=1,
        metavar="N",
        instance_from_str=_whole,
        is_instance=lambda value: isinstance(value, int),
        str_from_instance=lambda value: [str(value)],
    ),
]
"""An int, and in words what was expected where it is none."""


def default(value: object) -> str:
    """What help says of it."""
    return f"(default:{TIED}{value})"


def parsed(
    what: Any, prog: str, about: str, args: Sequence[str], markers: Sequence[Any], examples: Examples
) -> Any:
    """An instance of `what`, read from `args`. SystemExit after --help and for flags that are not there.

    markers: tyro's, for all of it. examples: what --help ends with.
    """
    try:
        with _readable(), redirect_stdout(_Loose(sys.stdout)), redirect_stderr(_Loose(sys.stderr)):
            return tyro.cli(
                what, prog=prog, description=about, args=list(args), config=list(markers), compact_help=False
            )
    except SystemExit:
        if examples and {"-h", "--help"} & set(args):
            sys.stdout.write(_shown(examples))
        raise


class _Loose:
    """A stream whose words are no longer tied once lines are broken, so that help can be searched."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(text.replace(TIED, " "))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


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
