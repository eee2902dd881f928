"""Many: several inputs, each clip a film and each picture a still of its own; what stands already is left alone."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from pipeline import hearing, looks
from pipeline.arrivals import CLIPS
from pipeline.cli import making, options
from pipeline.cli.progress import Progress, counted, duration
from pipeline.clip import Size
from pipeline.destination import Destination, check_folder
from pipeline.errors import DreamError, InputError, OutputError, UsageError
from pipeline.settings import Settings
from pipeline.sources import Source, open_source
from pipeline.stages import shots, stills

if TYPE_CHECKING:
    from pipeline.film import Made
    from pipeline.several import Wanted

OF_ONE = ("preview", "preview_seconds", "contact_sheet", "stems", "report")
"""Flags of the output that many films cannot share."""


def check_flags(settings: Settings, why: str) -> None:
    """UsageError for a flag that is of one film. why: there are many."""
    output, run, time = settings.output, settings.run, settings.time
    asked = [name for name in OF_ONE if getattr(output, name)]
    asked += ["cuts"] * (shots.file_of(time.cuts) is not None) + ["resume"] * run.resume
    if asked:
        raise UsageError(f"--{asked[0].replace('_', '-')}: is of one film; {why}. Leave it out.")


def inputs(asked: options.Asked) -> list[str]:
    """The names, where each is to become a film or still of its own; none where the input is one film, or none.

    That is several names; a glob of clips, or a folder of nothing but clips; or pictures that are no film, because
    they differ in size or are not numbered, with a folder to go to.
    """
    name, out = asked.source, asked.settings.output.out
    if asked.more:
        return list(dict.fromkeys([str(name), *asked.more]))
    if name is None or Path(name).is_file():
        return []
    if Path(name).is_dir():
        found = sorted(Path(name).iterdir())
        clips = any(map(_is_clip, found)) and not any(map(_is_picture, found))
    elif stills.is_pattern(name) and not stills.COUNTER.search(name):
        found = sorted(Path(name).parent.glob(Path(name).name))
        clips = any(map(_is_clip, found))
    else:
        return []
    if clips:
        return [str(path) for path in found if _is_clip(path) or _is_picture(path)]
    if out is None or not (out.endswith(("/", os.sep)) or Path(out).is_dir()):
        return []
    pictures = stills.in_folder(Path(name)) if Path(name).is_dir() else stills.matching(name)
    film = stills.is_numbered(pictures) and len({stills.size_of(path) for path in pictures.values()}) == 1
    return [] if film else list(map(str, pictures.values()))


def _is_clip(path: Path) -> bool:
    return path.suffix.lower() in CLIPS and path.is_file()


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in stills.SUFFIXES and path.is_file()


def make(asked: options.Asked, names: list[str]) -> None:
    """Dream them all. What is wrong with one keeps no other from being made; it is raised at the end."""
    settings, began = asked.settings, monotonic()
    check_flags(settings, f"there are {len(names)} inputs")
    teller = Progress("none" if settings.run.quiet else settings.run.progress, None, Size(0, 0), 0)
    several = _Several(asked, _folder(settings.output.out, len(names)), teller)
    wanted = several.wanted(names)
    if wanted:
        several.dream(wanted)
    several.tell_all(monotonic() - began)


def _folder(out: str | None, count: int) -> Path:
    """Where dreams go; made where it is not there yet. UsageError, OutputError."""
    folder = Path(out or ".")
    if out == "-" or (folder.suffix and not folder.is_dir() and not str(out).endswith(("/", os.sep))):
        raise UsageError(
            f"-o {out}: is one film, and there are {count} inputs. Give a folder, such as -o dreams/; "
            "pictures that are one film come as their folder, or as a glob in quotes."
        )
    check_folder(folder if folder.is_dir() else folder.parent, str(folder))
    folder.mkdir(exist_ok=True)
    return folder


@dataclass
class _Several:
    """folder: where dreams go. made, stood: how many were dreamed, and were there already. failed: why, of others."""

    asked: options.Asked
    folder: Path
    teller: Progress
    made: int = 0
    stood: int = 0
    failed: list[DreamError] = field(default_factory=list)

    def wanted(self, names: list[str]) -> list[Wanted]:
        """Those that can be dreamed and are not. UsageError where two would become one file."""
        from pipeline.several import Wanted

        settings = self.asked.settings
        wanted, makers = [], dict[Path, str]()
        for name in names:
            if not Path(name).exists() and not stills.is_pattern(name):
                raise InputError(f"{name}: no such file. A name with spaces in it needs quotes.")
            try:
                source = open_source(name, settings.input, strict=settings.run.strict)
                looks.check_still(settings, source.clip)
                hearing.check(settings, source)
            except (InputError, UsageError) as error:
                self.fail(name, error)
                continue
            destination = Destination.among_others(self.folder, name, source)
            if (other := makers.setdefault(destination.path, name)) != name:
                raise UsageError(f"{name} and {other} would both become {destination.path.name}. Rename one.")
            if destination.path.exists() and not settings.output.yes:
                destination.check(source, overwrite=True, going_on=True)
                self.stood += 1
                self.teller.note(f"{destination.path}: is there already, and left alone; -y dreams it again")
                continue
            self._check(source, destination)
            wanted.append(Wanted(source, destination))
        return wanted

    def _check(self, source: Source, destination: Destination) -> None:
        """OutputError where what is read would be written over."""
        settings = self.asked.settings
        destination.check(source, overwrite=settings.output.yes, going_on=True)
        making.spare(making.read_beside(settings), destination.files(source))

    def dream(self, wanted: list[Wanted]) -> None:
        from pipeline.several import Audience, make_all

        settings = self.asked.settings
        dreamer, progress = making.film_ready(wanted[0].source, self.asked)
        self.teller = progress
        lengths = [one.source.clip.frames for one in wanted]
        progress.total = None if None in lengths else sum(frames or 0 for frames in lengths)
        progress.note(f"{len(wanted)} films, dreamed by {dreamer.settings.dream.model}, to {self.folder}")
        progress.start(0)
        with making.watched(progress, silent=settings.run.quiet) as watch:
            audience = Audience(progress.skip, watch, progress.look, self.heard)
            make_all(wanted, dreamer, audience, self.asked.command)

    def heard(self, one: Wanted, told: Made | DreamError) -> None:
        """What became of a film."""
        if isinstance(told, DreamError):
            self.fail(one.source.clip.name, told)
            return
        self.made += 1
        self.teller.note("; ".join([f"{told.path}: {counted(told.frames, 'frame')}", *told.notes]))

    def fail(self, name: str, error: DreamError) -> None:
        self.failed.append(error)
        said = " ".join(str(error).split())
        self.teller.note(said if said.startswith(name) else f"{name}: {said}")

    def tell_all(self, seconds: float) -> None:
        """How it ended. Raises InputError or OutputError where something could not be made."""
        told = f"{self.made} made in {duration(seconds)}" + f", {self.stood} were there already" * bool(
            self.stood
        )
        if self.failed:
            kind = OutputError if isinstance(self.failed[0], OutputError) else InputError
            raise kind(f"{len(self.failed)} could not be made; {told}.")
        self.teller.note(told if self.folder == Path() else f"{self.folder}: {told}")
        for offer in self.asked.offers() if self.made else ():
            self.teller.note(offer)
