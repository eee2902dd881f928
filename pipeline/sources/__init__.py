"""Sources: a clip, numbered pictures, a still, the drawn scene. One protocol: frames, from any segment on."""

from __future__ import annotations

from pathlib import Path

from pipeline.settings import Input
from pipeline.sources.base import Facts, Source
from pipeline.sources.drawn import SceneSource
from pipeline.sources.film import ClipSource
from pipeline.sources.pictures import PictureSource
from pipeline.stages import stills

__all__ = ["ClipSource", "Facts", "PictureSource", "SceneSource", "Source", "open_source"]


def open_source(name: str, how: Input, *, strict: bool = False) -> Source:
    """The source a name means. Raises InputError, or UsageError where `how` does not fit it.

    A file is taken by its name before the name is taken for a pattern: downloads have brackets in theirs.
    """
    path = Path(name)
    if not path.is_file() and stills.is_pattern(name):
        return PictureSource.of(name, stills.matching(name), how)
    if path.is_dir():
        return PictureSource.of(name, stills.in_folder(path), how)
    if path.suffix.lower() in stills.SUFFIXES:
        return PictureSource.of(name, {0: path}, how)
    return ClipSource.of(path, how, strict=strict)
