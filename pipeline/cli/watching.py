"""Watching: a folder whose pictures and clips are dreamed as they arrive, one after the other, until it is stopped.

Nothing is taken that is still being copied, nothing that stands is written over, and what cannot be read is told once
and waited for: it is tried again when it changes. What is known of a file is its name, size and time, no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

from pipeline import hearing, looks
from pipeline.arrivals import Arrivals
from pipeline.cli import many, options
from pipeline.cli.making import watched
from pipeline.cli.progress import Progress, counted, duration
from pipeline.clip import Size
from pipeline.destination import Destination, check_folder
from pipeline.errors import DreamError, InputError, OutputError, UsageError
from pipeline.sources import Source, open_source

if TYPE_CHECKING:
    from pipeline.dreamer import Dreamer
    from pipeline.film import Made
    from pipeline.settings import Settings

EVERY = 1.0  # s between two looks


def watch(asked: options.Asked, pause: Callable[[], None] | None = None) -> None:
    """Dream what arrives, until KeyboardInterrupt; between two files that is the end it is meant to have.

    pause: what is done between two looks. Raises UsageError, OutputError, and what loading the network raises.
    """
    settings = asked.settings
    folder, out = _folders(asked)
    from pipeline.dreamer import Dreamer

    teller = Progress("none" if settings.run.quiet else settings.run.progress, None, Size(0, 0), 0)
    watching = _Watching(asked, folder, out, teller, Dreamer(settings))
    teller.note(f"watching {folder}; what is dreamed goes to {out}. Ctrl-C ends it.")
    arriving = watching.arriving(pause or (lambda: sleep(EVERY)))
    while True:
        try:
            path = next(arriving)
        except KeyboardInterrupt:
            break
        watching.deal_with(path)
    teller.note(
        f"{watching.made} dreamed, {watching.failed} could not be, {watching.stood} were there already"
    )


def _folders(asked: options.Asked) -> tuple[Path, Path]:
    """What is watched, and where dreams go. UsageError, InputError, OutputError."""
    settings = asked.settings
    if settings.output.out is None or asked.source is None or asked.more:
        raise UsageError("--watch: takes two folders: dream-video IN/ -o OUT/ --watch")
    many.check_flags(settings, "--watch dreams many")
    folder, out = Path(asked.source), Path(settings.output.out)
    if not folder.is_dir():
        raise InputError(f"{folder}: is no folder. --watch waits for files in one.")
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out}: is no folder. --watch needs one for its dreams.")
    check_folder(out if out.is_dir() else out.parent, str(out))
    inside, beside = folder.resolve(), out.resolve()
    if inside == beside or inside in beside.parents or beside in inside.parents:
        raise UsageError(f"--watch: {out} and {folder} lie in one another; dreams would be dreamed again.")
    out.mkdir(exist_ok=True)
    return folder, out


@dataclass
class _Watching:
    """dreamer: whose network is loaded and cut once. made, failed, stood: files dreamed, not to be, dreamed before.

    makers: the file that each output is made of.
    """

    asked: options.Asked
    folder: Path
    out: Path
    teller: Progress
    dreamer: Dreamer
    made: int = 0
    failed: int = 0
    stood: int = 0
    makers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.arrivals = Arrivals(self.folder, self.teller.note)

    def arriving(self, pause: Callable[[], None]) -> Iterator[Path]:
        """Files that have settled, one after the other, without end. OutputError."""
        while True:
            ready = self.arrivals.look()
            if not self.out.is_dir():
                raise OutputError(
                    f"{self.out}: the folder is gone. Make it again, and give the same command."
                )
            yield from ready
            pause()

    def deal_with(self, path: Path) -> None:
        """Dream a file, or say why not; either is done until it changes."""
        try:
            told = self._dreamed(path)
        except (DreamError, OSError) as error:
            if isinstance(error, InputError) and self.arrivals.is_young(path):  # half of it may be here
                return
            told = self._failure(path, str(error))
        except Exception as error:  # what one file does must not keep the others from being dreamed
            told = self._failure(path, f"this should not have happened: {type(error).__name__}: {error}.")
        self.arrivals.deal(path)
        if told:
            self.teller.note(told)

    def _failure(self, path: Path, why: str) -> str:
        self.failed += 1
        return f"{path.name}: {' '.join(why.split()).removeprefix(f'{path}: ')} When it changes it is tried again."

    def _dreamed(self, path: Path) -> str:
        """What to say of it; nothing where it was dreamed before."""
        settings, began = self.asked.settings, monotonic()
        source = open_source(str(path), settings.input, strict=settings.run.strict)
        looks.check_still(settings, source.clip)
        destination = Destination.among_others(self.out, str(path), source)
        name = destination.path.name
        maker = self.makers.get(name, path.name)
        if maker != path.name and (self.folder / maker).exists():
            return f"{path.name}: is left alone, for {maker} becomes {name} too. Rename it."
        self.makers[name] = path.name
        if destination.path.exists():
            if destination.path.stat().st_mtime_ns >= path.stat().st_mtime_ns:
                self.stood += 1
                return ""
            if not settings.output.yes:
                return f"{path.name}: is newer than {name}, which stays. -y has it dreamed again."
        made = self._made(source, destination)
        self.made += 1
        frames = f"{counted(made.frames, 'frame')} in " if destination.kind == "film" else ""
        return "; ".join([f"{path.name}: {name}, {frames}{duration(monotonic() - began)}", *made.notes])

    def _made(self, source: Source, destination: Destination) -> Made:
        """As a dream-video of that file alone, going on with what was begun, if that was of this very file."""
        destination.check(source, overwrite=True, going_on=True)
        settings = hearing.heard(self.asked.settings, source)
        try:
            return self._film(source, destination, settings)
        except UsageError:
            if not destination.work_folder(settings.run.workdir).exists():
                raise
        run = settings.run.model_copy(update={"fresh": True})
        return self._film(source, destination, settings.model_copy(update={"run": run}))

    def _film(self, source: Source, destination: Destination, settings: Settings) -> Made:
        from pipeline.film import make

        dreamer = self.dreamer.again(settings)
        size = dreamer.size(source.clip.size)
        style = self.teller.style if self.teller.style in ("bar", "json") else "none"  # a line for each file
        progress = Progress(style, source.clip.frames, size, len(dreamer.look.sizes(size)))
        with watched(progress, silent=settings.run.quiet) as seen:
            return make(source, dreamer, destination, progress.start, seen, self.asked.command, progress.look)
