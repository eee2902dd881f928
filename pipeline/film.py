"""Film: a source made into a finished film, or files. What goes around the walk: plan, resume, join, previews."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.clip import WHOLE, Flow, Frame, Picture, Shot, Tick
from pipeline.destination import Destination
from pipeline.dreamt import Dreamt
from pipeline.errors import InputError
from pipeline.extras import Extras, sheet
from pipeline.render import render
from pipeline.sources import Source
from pipeline.workdir import Workdir, planned_threads
from pipeline.writing import Writing, recipe

if TYPE_CHECKING:
    from pipeline.dreamer import Dreamer

__all__ = ["Made", "make", "preview", "recipe", "sheet"]

Watch = Callable[[Dreamt], None]


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
    look: Callable[[Frame], None] = lambda frame: None,
) -> Made:
    """Dream a source into its destination, going on where an interrupted render stopped.

    begin: told once how many frames are done already. watch: called after every frame. command: for the report.
    look: called for every frame that is looked through for cuts, where there are lanes.
    What interrupts it carries a note of what is kept.
    """
    run = dreamer.settings.run
    dreamer.rehearse(source.clip)
    folder = destination.work_folder(run.workdir)
    if not dreamer.settings.speed.threads:  # how many is chosen once, for the whole film
        dreamer.use_threads(planned_threads(folder))
    writing = Writing.of(source, dreamer, destination)
    extras = Extras(writing, dreamer, command)
    destination.path.parent.mkdir(exist_ok=True)
    with Workdir.open(folder, writing.plan, fresh=run.fresh, keep=run.keep, resume=run.resume) as work:
        already = work.frames
        extras.begin(work)

        def seen(dreamt: Dreamt) -> None:
            extras(dreamt)
            watch(dreamt)

        begin(already)
        with work.noting():
            render(source, dreamer, work, writing.reel(work), seen, _shots(source, dreamer, work, look))
        if not work.segments:
            raise InputError(f"{source.clip.name}: gave no frames.")
        notes = extras.finish(writing.notes + writing.finish(work))
        work.spent = True
        return Made(destination.path, notes, work.frames - already)


def _shots(source: Source, dreamer: Dreamer, work: Workdir, look: Callable[[Frame], None]) -> Sequence[Shot]:
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
