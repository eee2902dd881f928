"""Locks: one process alone in a work folder, or several that share it shot by shot. The system frees a dead one's."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.errors import OutputError

LOCKS = ("lock", "owner")
"""The lock itself, and who holds it, for people."""

SHARED = ".shot"  # what the names of locks end with that are of a shot
A_MOMENT = 5  # seconds that a lock is waited for which nobody holds for longer


@contextmanager
def alone_in(folder: Path, mark: str, seconds: float = 0) -> Iterator[None]:
    """Hold the folder, which is ours where a file `mark` is in it; made when it is not there, removed when empty.

    OutputError when it is somebody else's, in use for longer than so many seconds, or cannot be written.
    """
    if (
        folder.is_dir()
        and not (folder / mark).is_file()
        and any(p.name not in LOCKS for p in folder.iterdir())
    ):
        raise OutputError(f"{folder}: is not a work folder of this program. Give another with --workdir.")
    folder.mkdir(parents=True, exist_ok=True)
    entered = False
    try:
        with held(folder, LOCKS[0], seconds):
            for shot in folder.glob(f"*{SHARED}"):
                with held(folder, shot.name):
                    pass
            entered = True
            (folder / LOCKS[1]).write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")
            yield
    finally:  # a lock that is held cannot be removed everywhere
        if entered and all(path.name in LOCKS for path in folder.iterdir()):
            shutil.rmtree(folder)


@contextmanager
def shared(folder: Path, name: str) -> Iterator[None]:
    """Hold one part of the folder, while others hold others and nobody is alone in it. OutputError."""
    with held(folder, f"{name}{SHARED}"):
        # Who works here alone holds this for longer than a moment; who comes to do so later sees the lock above.
        with held(folder, LOCKS[0], A_MOMENT):
            pass
        yield


@contextmanager
def held(folder: Path, name: str, seconds: float = 0) -> Iterator[None]:
    """Hold a lock in the folder. OutputError when somebody else does, for longer than so many seconds."""
    lock = FileLock(folder / name, timeout=seconds)
    try:
        lock.acquire()
    except Timeout:
        raise OutputError(
            f"{folder}: is in use by {_owner(folder)}. Wait until that has ended, or give another name with -o."
        ) from None
    try:
        yield
    finally:
        lock.release()


def _owner(folder: Path) -> str:
    try:
        return (folder / LOCKS[1]).read_text(encoding="utf-8")[:200] or "another process"
    except (OSError, UnicodeDecodeError):
        return "another process"
