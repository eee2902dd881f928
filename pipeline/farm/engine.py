"""Engine: what runs tasks. A protocol of five words, and what an engine tells while it works."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import Protocol

from pipeline.errors import DreamError
from pipeline.farm.tasks import Outcome, Task

FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EROFS)


@dataclass(frozen=True)
class Told:
    """So many frames of a task are done."""

    key: int
    frames: int


@dataclass(frozen=True)
class Done:
    """A task ended well."""

    key: int
    outcome: Outcome
    worker: str


@dataclass(frozen=True)
class Failed:
    """text: why, for people. code: as of a door. lost: its worker is gone, and the task may be sound.

    full: no more can be written to the disk, as its worker sees it.
    """

    key: int
    text: str
    code: int
    worker: str
    lost: bool = False
    full: bool = False


@dataclass(frozen=True)
class Said:
    """What people should know of the engine itself."""

    text: str


Event = Told | Done | Failed | Said


class Engine(Protocol):
    """Runs tasks on workers, several at once. A worker that is lost is replaced; what it did is told as Failed."""

    @property
    def about(self) -> str:
        """What runs them, for people."""
        ...

    def free(self, wanted: int) -> int:
        """How many more tasks, of so many that wait, would begin at once."""
        ...

    def submit(self, key: int, task: Task) -> None: ...

    def events(self, seconds: float) -> list[Event]:
        """What has happened; waits so long for something to."""
        ...

    def close(self) -> None:
        """End all workers, whatever they do."""
        ...


def failed(key: int, error: BaseException, worker: str) -> Failed:
    """An error as it is told."""
    notes, full = getattr(error, "__notes__", []), _is_full(error)
    if isinstance(error, DreamError):
        return Failed(key, "\n".join([str(error), *notes]), error.exit_code, worker, full=full)
    if isinstance(error, OSError):
        said = f"{error.filename or 'a file'}: {error.strerror or error}"
        return Failed(key, "\n".join([said, *notes]), 4, worker, full=full)
    if isinstance(error, KeyboardInterrupt):
        return Failed(key, "was stopped.", 130, worker, lost=True)
    return Failed(key, f"this should not have happened: {type(error).__name__}: {error}", 1, worker)


def _is_full(error: BaseException | None) -> bool:
    """Whether a disk that takes no more is at the bottom of it."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        error = error.__cause__ or error.__context__
    return False
