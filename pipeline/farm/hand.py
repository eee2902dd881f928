"""Hand: what runs on a machine of a cluster: a worker, and the board where workers write how far they are."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import Any

from pipeline.farm.engine import Done, Failed
from pipeline.farm.tasks import Task

OFTEN = 0.5  # seconds between two words on frames
SAME = ("dream-video", "torch", "av")  # what workers must have as the list's process has it


def versions() -> dict[str, str]:
    """Of what must be the same on all machines."""
    return {name: version(name) for name in SAME}


class Board:
    """Where workers write how far they are."""

    def __init__(self) -> None:
        self._said: dict[int, int] = {}

    def tell(self, key: int, frames: int) -> None:
        self._said[key] = frames

    def read(self) -> dict[int, int]:
        said, self._said = self._said, {}
        return said


@dataclass(frozen=True)
class Met:
    """A worker that is there. name: for people. node: its machine's, of Ray. sees: the file that was written here."""

    name: str
    node: str
    versions: dict[str, str]
    sees: bool


class Hand:
    """A worker on some machine."""

    def hello(self, probe: str, word: str) -> Met:
        """probe: a file that the list's process wrote `word` to."""
        import ray  # noqa: PLC0415  an extra

        try:
            sees = Path(probe).read_text(encoding="utf-8") == word
        except OSError:
            sees = False
        node = ray.get_runtime_context().get_node_id()
        return Met(f"{platform.node()} {os.getpid()}", node, versions(), sees)

    def work(self, key: int, task: str, board: Any, name: str) -> Done | Failed:
        from pipeline.farm.local import attempt  # noqa: PLC0415  torch, on the worker alone

        spoke = 0.0

        def tell(frames: int) -> None:
            nonlocal spoke
            if monotonic() - spoke > OFTEN:
                spoke = monotonic()
                board.tell.remote(key, frames)

        return attempt(key, Task.parse(task), tell, name)
