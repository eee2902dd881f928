"""Destination: where a dream goes, by the name it was given: a film, frames of their own, or a still."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.errors import OutputError, UsageError
from pipeline.sources import PictureSource, Source
from pipeline.stages import encode, stills


@dataclass(frozen=True)
class Destination:
    """Where a dream goes. path: the file, or for frames a pattern with one counter."""

    kind: Literal["film", "frames", "still"]
    path: Path

    @staticmethod
    def of(out: str | None, name: str, source: Source) -> Destination:
        """What `out` means for this source; None: beside nothing, in the current folder, NAME_dream.mp4 or .png.

        Raises UsageError for an ending that is not written, OutputError for a folder that is not there.
        """
        one = source.clip.frames == 1
        still = isinstance(source, PictureSource) and one
        if out is None:
            return Destination(
                "still" if still else "film", Path(f"{stem(name)}_dream.{'png' if still else 'mp4'}")
            )
        path = Path(out)
        if out.endswith(("/", os.sep)) or path.is_dir():
            if not isinstance(source, PictureSource):
                raise UsageError(
                    f"-o {out}: is a folder. Give a file, or a pattern such as {path / 'frame.%04d.png'}."
                )
            path.mkdir(exist_ok=True)
            return Destination("frames", path / stills.pattern_of(source.paths))
        if not path.parent.is_dir():
            raise OutputError(
                f"{out}: the folder {path.parent} does not exist. Make it first, or give another."
            )
        suffix = path.suffix.lower()
        if stills.is_pattern(out):
            stills.numbered(out, 0)
            return Destination("frames", path)
        if suffix in encode.FILMS:
            return Destination("film", path)
        if suffix in stills.SUFFIXES and one:
            return Destination("still", path)
        if suffix in stills.SUFFIXES:
            raise UsageError(
                f"-o {out}: is one picture, the source has {source.clip.frames or 'many'}. "
                f"Give {path.stem}.%04d{suffix} for a file each, or --preview for one of them."
            )
        raise UsageError(
            f"-o {out}: cannot write {suffix or 'that'}. Expected {', '.join(encode.FILMS)} or a picture."
        )

    def files(self, source: Source) -> Iterator[Path]:
        """Every file this will write."""
        if self.kind == "frames" and isinstance(source, PictureSource):
            yield from (stills.numbered(str(self.path), number) for number in source.paths)
        elif self.kind == "frames":
            yield from (stills.numbered(str(self.path), index) for index in range(source.clip.frames or 0))
        else:
            yield self.path

    @property
    def recipe_file(self) -> Path:
        """Beside frames, which cannot hold one each: the file that --like reads."""
        return self.path.with_name(f"{stem(str(self.path))}.toml")

    def work_folder(self, parent: str | None) -> Path:
        """Where unfinished work on this is kept: in `parent`, or beside it."""
        name = f"{self.path.name.replace('%', '')}.dreamwork"
        return (Path(parent) if parent else self.path.parent) / name

    def refuse_overwriting(self, source: Source, parent: str | None) -> None:
        """OutputError when a file would be overwritten that is not from unfinished work of our own."""
        if self.kind == "frames" and self.work_folder(parent).exists():
            return
        for path in self.files(source):
            if path.exists():
                raise OutputError(
                    f"{path}: is there already. Give -y to overwrite it, or another name with -o."
                )


def stem(name: str) -> str:
    """A name to build others from: clip of clips/clip.mp4, frame of frame.%04d.png."""
    bare = (
        Path(name.rstrip("/") or "dream").stem
        if not stills.is_pattern(name)
        else Path(name).stem.split("%")[0]
    )
    return bare.strip("._*?#[]- ") or "dream"
