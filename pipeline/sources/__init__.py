"""Sources: a clip, numbered pictures, a still, the drawn scene. One protocol: frames, from any segment on."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

from pipeline.errors import InputError, OutputError, UsageError
from pipeline.settings import Input, Settings
from pipeline.sources.base import Facts, Source
from pipeline.sources.drawn import SceneSource
from pipeline.sources.film import ClipSource
from pipeline.sources.pictures import PictureSource
from pipeline.stages import stills

__all__ = ["ClipSource", "Facts", "PictureSource", "SceneSource", "Source", "again", "open_source"]

PART = 1 << 20  # bytes of stdin at once
RESERVE = 1 << 28  # bytes of a disk that are left free for the others


def open_source(name: str, how: Input, *, strict: bool = False) -> Source:
    """The source a name means. Raises InputError, or UsageError where `how` does not fit it.

    A file is taken by its name before the name is taken for a pattern: downloads have brackets in theirs.
    """
    path = _from_stdin() if name == "-" else Path(name)
    if not path.is_file() and stills.is_pattern(name):
        return PictureSource.of(name, stills.matching(name), how, strict=strict)
    if path.is_dir():
        return PictureSource.of(name, stills.in_folder(path), how, strict=strict)
    if path.suffix.lower() in stills.SUFFIXES:
        return PictureSource.of(name, {0: path}, how)
    return ClipSource.of(path, how, strict=strict)


def again(source: Source, how: Input, *, strict: bool = False) -> Source:
    """The same source, of which other frames are wanted."""
    if isinstance(source, SceneSource):
        return SceneSource.of(how)
    return open_source(source.clip.name, how, strict=strict)


def _from_stdin() -> Path:
    """What comes on stdin, as a file that goes when the program does: films are read more than once."""
    folder = tempfile.mkdtemp(prefix="dream-video-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder) / "stdin"
    try:
        with path.open("wb") as file:
            while part := sys.stdin.buffer.read(PART):
                if shutil.disk_usage(folder).free < RESERVE + len(part):
                    raise OSError
                file.write(part)
    except OSError:
        path.unlink(missing_ok=True)
        raise OutputError(
            f"-: what comes on stdin is stored in {tempfile.gettempdir()} first, and that is full. "
            "Give a file, or another folder in TMPDIR."
        ) from None
    if not path.stat().st_size:
        raise InputError("-: nothing came on stdin. Pipe a film into it.")
    os.utime(path, (0, 0))  # so that the same film is the same source, whenever it comes
    return path


def middle(source: Source, settings: Settings) -> Input:
    """What to read for a piece of --preview-seconds out of the middle of a source. UsageError for what is no clip."""
    how, clip = settings.input, source.clip
    if not isinstance(source, ClipSource):
        raise UsageError(
            f"--preview {settings.output.preview_seconds:g}s is for clips; --preview 6 is for any."
        )
    count = max(1, round(settings.output.preview_seconds * clip.rate))
    first = max(0, ((clip.frames or count) - count) // 2)
    counted = source.counted()
    chosen = counted[first : first + count]
    return how.model_copy(update={"start": str(chosen[0]), "end": str(chosen[-1] + 1)})
