"""Files: nothing half-written ever stands under a final name; and where what can be made again is kept."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import OutputError


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary name beside `path`, renamed to it when the block ends well, removed when it does not."""
    bare = os.fsencode(path.stem)[:200].decode(errors="ignore")  # most disks take names of 255 bytes
    part = path.with_name(f".{bare}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
        _settle(path.parent)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error}).") from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _settle(folder: Path) -> None:
    """Have the new name survive a power cut too, where folders can be told to."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def cache() -> Path:
    """The user's folder for what can be made again, as this system has it."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "dream-video"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/dream-video"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dream-video"
