"""Film: a source made into a finished film, or files. What goes around the walk: plan, resume, join, previews."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.clip import WHOLE, Flow, Frame, Picture, Shot, Tick
from pipeline.destination import Destination
from pipeline.dreamt import Dreamt
from pipeline.errors import InputError
from pipeline.extras import Extras, sheet
from pipeline.render import Film, render
from pipeline.sources import Source
from pipeline.workdir import Workdir, planned_threads
from pipeline.writing import Writing, recipe

if TYPE_CHECKING:
    from pipeline.dreamer import Dreamer

__all__ = ["Made", "make", "preview", "recipe", "sheet"]

Watch = Callable[[Dreamt], None]
Look = Callable[[Frame], None]


@dataclass(frozen=True)
class Made:
    """path: what was made. notes: what the user should know of it, a line each. frames: dreamed this time."""

    path: Path
    notes: list[str]
    frames: int


def make(
    source: Source,
    dreamer: Dreamer,
    destination: Destination,
    begin: Callable[[int], None],
    watch: Watch,
    command: str = "",
    look: Look = lambda frame: None,
) -> Made:
    """Dream a source into its destination, going on where an interrupted render stopped.

    begin: told once how many frames are done already. watch: called after every frame. command: for the report.
    look: called for every frame that is looked through for cuts, where there are lanes.
    What interrupts it carries a note of what is kept.
    """
    with begun(source, dreamer, destination, command) as making:
        begin(making.already)
        with making.work.noting():
            render(making.film(watch, look))
        return making.finish()


@dataclass(frozen=True)
class Making:
    """A film that is begun, its work folder open. already: frames that were done before."""

    writing: Writing
    extras: Extras
    dreamer: Dreamer
    work: Workdir
    already: int

    def film(self, watch: Watch, look: Look) -> Film:
        """To be rendered. look: called for every frame that is looked through for cuts."""
        source, work = self.writing.source, self.work

        def seen(dreamt: Dreamt) -> None:
            self.extras(dreamt)
            watch(dreamt)

        shots = _shots(source, self.dreamer, work, look)
        return Film(source, self.dreamer, work, self.writing.reel(work), seen, shots)

    def finish(self) -> Made:
        """The film of what is dreamed. InputError where that is nothing."""
        if not self.work.segments:
            raise InputError(f"{self.writing.source.clip.name}: gave no frames.")
        notes = self.extras.finish(self.writing.notes + self.writing.finish(self.work))
        self.work.spent = True
        return Made(self.writing.destination.path, notes, self.work.frames - self.already)


@contextmanager
def begun(source: Source, dreamer: Dreamer, destination: Destination, command: str = "") -> Iterator[Making]:
    """Open the work folder of a film, or begin it, for as long as the block lasts."""
    run = dreamer.settings.run
    dreamer.rehearse(source.clip)
    folder = destination.work_folder(run.workdir)
    if not dreamer.settings.speed.threads:  # how many is chosen once, for the whole film
        dreamer.use_threads(planned_threads(folder))
    writing = Writing.of(source, dreamer, destination)
    extras = Extras(writing, dreamer, command)
    destination.path.parent.mkdir(exist_ok=True)
    with Workdir.open(folder, writing.plan, fresh=run.fresh, keep=run.keep, resume=run.resume) as work:
        extras.begin(work)
        yield Making(writing, extras, dreamer, work, work.frames)


def _shots(source: Source, dreamer: Dreamer, work: Workdir, look: Look) -> Sequence[Shot]:
    """Those of the film, looked for where there are lanes to dream them side by side, or where they are known."""
    if dreamer.lanes == 1 and not dreamer.keyframes and not work.knows_shots:
        return (WHOLE,)
    from pipeline.motion import shots_of  # noqa: PLC0415  needs torch, which a film that is not dreamed does without

    shots = work.shots(lambda: shots_of(source, dreamer.size, dreamer.motion, look))
    dreamer.suit(shots)
    return shots


def preview(source: Source, dreamer: Dreamer, count: int, watch: Watch) -> Picture:
    """`count` frames across the film, each a full dream at the film's own dream size, as one picture."""
    dreams = []
    for frame in source.across(count):
        dreamt = dreamer.dream(Tick(frame, Flow.none(dreamer.size(frame.size))), clip=source.clip)
        watch(dreamt)
        dreams.append(dreamt.picture)
    return sheet(dreams)
