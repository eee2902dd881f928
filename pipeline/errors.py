"""The error tree: what can go wrong, and the exit code it ends with.

    DreamError            1   the render failed
      UsageError          2   a flag, a setting or a config file
        ScheduleError     2   a number or schedule, with the character it stumbles at
        TargetError       2   a layer, channel or objective that is not there
      InputError          3   what was to be read
      OutputError         4   what was to be written
      DeviceError         5   the device or its memory
        ModelError        5   a network or its weights

A message names the thing, what was expected, and what to do, in a line or two.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterable
from pathlib import Path

INTERRUPTED = 130
TYPED = "DREAM_TYPED"  # the variable with what was typed, where a door was opened by a script of the checkout


class DreamError(Exception):
    """Anything this program knows how to say. `exit_code` is what the doors end with."""

    exit_code = 1


class UsageError(DreamError):
    exit_code = 2


class ScheduleError(UsageError):
    """`at` is the offset in `text` of the character the parser stumbled at; the message points at it."""

    def __init__(self, problem: str, text: str, at: int) -> None:
        start = max(0, at - 60)
        shown = "".join(c if c.isprintable() else " " for c in text[start : at + 60])
        super().__init__(f"{problem}\n  {shown}\n  {' ' * (at - start)}^")
        self.text = text
        self.at = at


class TargetError(UsageError):
    pass


class InputError(DreamError):
    exit_code = 3


class OutputError(DreamError):
    exit_code = 4


class DeviceError(DreamError):
    exit_code = 5


class ModelError(DeviceError):
    pass


def printable(text: str) -> str:
    """`text` without what a terminal would obey: names and configs come from strangers."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)


def bring(extra: str) -> str:
    """How an extra is installed: by the scripts of a checkout, which keep an environment of their own, or by pip.

    By the names of its packages, since what this was installed from is not known, and need not be an index.
    """
    if TYPED in os.environ:
        return f"put DREAM_EXTRAS={extra} before the same command, which installs it"
    from importlib import metadata  # noqa: PLC0415  takes longer than the rest, and is for errors

    try:
        wanted = metadata.requires("dream-video") or []
    except metadata.PackageNotFoundError:  # run as it lies in a checkout
        wanted = []
    named = [f"'{name}'" for name, _, mark in (w.partition(";") for w in wanted) if f"'{extra}'" in mark]
    tool = "pipx inject dream-video" if "pipx" in Path(sys.prefix).parts else "pip install"
    return " ".join([tool, *(named or [f"'.[{extra}]'"])])


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """' Did you mean a or b?' for the names closest to `word`, or '' when none is close."""
    close = difflib.get_close_matches(word, list(known), n=3, cutoff=0.5)
    return f" Did you mean {' or '.join(close)}?" if close else ""
