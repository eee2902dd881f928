"""Destination: where a dream goes, by the name it was given: a film, frames of their own, or a still."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline import recipes
from pipeline.errors import OutputError, UsageError
from pipeline.sources import PictureSource, Source
from pipeline.stages import encode, stems, stills

LONGEST = 200  # bytes of a name, so that what is added to it fits into the 255 most disks take


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
            return Destination._in_folder(path, name, source)
        check_folder(path.parent, out)
        suffix = path.suffix.lower()
        if suffix in stills.SUFFIXES and stills.is_pattern(out):
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

    @staticmethod
    def _in_folder(folder: Path, name: str, source: Source) -> Destination:
        if not isinstance(source, PictureSource):
            raise UsageError(
                f"-o {folder}: is a folder. Give a file, or a pattern such as {folder}/frame.%04d.png."
            )
        check_folder(folder if folder.is_dir() else folder.parent, str(folder))
        if source.clip.frames == 1 and Path(name).is_file():
            return Destination("still", folder / f"{stem(name)}_dream.png")
        return Destination("frames", folder / source.pattern)

    @staticmethod
    def among_others(folder: Path, name: str, source: Source) -> Destination:
        """That of one of several sources, in a folder: NAME_dream.mp4, or .png for a picture."""
        if isinstance(source, PictureSource) and source.clip.frames == 1:
            return Destination("still", folder / f"{stem(name)}_dream.png")
        return Destination("film", folder / f"{stem(name)}_dream.mp4")

    def files(self, source: Source) -> Iterator[Path]:
        """Every file this will write."""
        if self.kind == "frames":
            yield from (stills.numbered(str(self.path), number) for number in self.numbers(source))
        else:
            yield self.path
        if self.recipe_file:
            yield self.recipe_file

    @staticmethod
    def numbers(source: Source) -> Iterable[int]:
        """The number of each frame, in names."""
        return source.paths if isinstance(source, PictureSource) else range(source.clip.frames or 0)

    @property
    def recipe_file(self) -> Path | None:
        """The file beside pictures that cannot hold their recipe themselves."""
        if self.kind == "film" or self.path.suffix.lower() == ".png":
            return None
        return recipes.recipe_file(self.path, numbered=self.kind == "frames")

    def work_folder(self, parent: str | None) -> Path:
        """Where unfinished work on this is kept: in `parent`, or beside it."""
        name = f"{self.path.name.replace('%', '')}.dreamwork"
        if len(os.fsencode(name)) > LONGEST:
            name = f"{hashlib.sha256(os.fsencode(name)).hexdigest()[:32]}.dreamwork"
        return (Path(parent) if parent else self.path.parent) / name

    def check_report(self, name: str, source: Source, *, overwrite: bool) -> None:
        """UsageError or OutputError when a report of that name cannot be written beside this."""
        path = Path(name)
        if path.suffix.lower() not in (".html", ".htm"):
            raise UsageError(f"--report {name}: expected a name ending in .html.")
        if path.parent != self.path.parent:  # that one is there, or will be made
            check_folder(path.parent, f"--report {name}")
        taken = {file.resolve() for file in (*source.files(), *self.files(source))}
        for file in report_files(path):
            if file.resolve() in taken:
                raise OutputError(f"--report {name}: {file} is part of this render. Give another name.")
            if file.is_dir() or (file.exists() and not overwrite):
                raise OutputError(
                    f"{file}: is there already. Give -y to overwrite it, or --report another name."
                )

    def check_stems(self, name: str, source: Source, *, overwrite: bool, going_on: bool) -> None:
        """OutputError when stems in a folder of that name would overwrite a file. going_on: some may be our own."""
        folder = Path(name)
        check_folder(folder if folder.is_dir() else folder.parent, f"--stems {name}")
        there = {path.name for path in folder.iterdir()} if folder.is_dir() else set[str]()
        written = {file for number in self.numbers(source) for file in stems.names(number)}
        for file in (*source.files(), *self.files(source)):
            if file.name in written and file.resolve().parent == folder.resolve():
                raise OutputError(f"--stems {name}: {file} is part of this render. Give another folder.")
        if not overwrite and not going_on and (taken := sorted(there & written)):
            raise OutputError(
                f"{folder / taken[0]}: is there already. Give -y to overwrite it, or --stems another folder."
            )

    def check(self, source: Source, *, overwrite: bool, going_on: bool) -> None:
        """OutputError when a file would be overwritten that may not be: never the source itself.

        going_on: frames that are there already are from unfinished work of our own.
        """
        read = {_identity(path) for path in source.files()}
        for path in self.files(source):
            if path.exists() and _identity(path) in read:
                raise OutputError(f"{path}: is what is to be dreamed. Give another name with -o.")
            if path.exists() and not overwrite and not (going_on and self.kind == "frames"):
                raise OutputError(
                    f"{path}: is there already. Give -y to overwrite it, or another name with -o."
                )


def report_files(path: Path) -> tuple[Path, Path, Path]:
    """What a report is written to: its page, and its numbers as CSV and JSON."""
    return path, path.with_suffix(".csv"), path.with_suffix(".json")


def _identity(path: Path) -> tuple[int, int]:
    """The same for every name of one file, links of both kinds included."""
    facts = path.stat()
    return facts.st_dev, facts.st_ino


def check_folder(folder: Path, out: str) -> None:
    """OutputError when files cannot be made in `folder`."""
    if not folder.is_dir():
        raise OutputError(f"{out}: the folder {folder} does not exist. Make it first, or give another.")
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{out}: the folder {folder} cannot be written to. Give another with -o.")


def stem(name: str) -> str:
    """A name to build others from: clip of clips/clip.mp4, frame of frame.%04d.png."""
    path = Path("stdin" if name == "-" else name.rstrip("/"))
    pattern = not path.is_file() and stills.is_pattern(name)
    bare = path.stem.split("%")[0].strip("._*?#[]- ") if pattern else path.stem.rstrip(". ")
    return os.fsencode(bare)[:LONGEST].decode(errors="ignore") or "dream"
