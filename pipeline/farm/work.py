"""Work: what one worker does with a task. Here torch is imported; whoever hands tasks out does without."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any

from pipeline import film
from pipeline.clip import Shot
from pipeline.destination import Destination
from pipeline.dive.exact import ExactDive
from pipeline.dive.opening import aimed, way
from pipeline.dreamer import Dreamer
from pipeline.dreamt import Dreamt
from pipeline.errors import InputError, OutputError, UsageError
from pipeline.extras import Extras
from pipeline.farm import loaded
from pipeline.farm.jobs import KINDS
from pipeline.farm.openjd import Exported
from pipeline.farm.tasks import PARTS, Group, Outcome, Task, Tell, groups_of
from pipeline.files import whole
from pipeline.keyframes import Keyframes
from pipeline.motion import shots_of
from pipeline.net.cards import is_code
from pipeline.render import SEGMENT, Film, dream_ahead, dream_windows, render
from pipeline.settings import Settings
from pipeline.settings.zoom import ZoomSettings
from pipeline.sources import Source, open_source
from pipeline.sources.zoom import ZoomSource
from pipeline.workdir import Workdir, planned_threads
from pipeline.writing import Writing


def run(task: Task, tell: Tell) -> Outcome:
    """Do it. Raises what dreaming raises."""
    began = monotonic()
    opened = Opened.of(task)
    steps: dict[str, Callable[[Tell], Outcome]] = {
        "begin": opened.begin, "chain": opened.chain, "dream": opened.dream, "join": opened.join,
    }  # fmt: skip
    outcome = steps[task.step](tell)
    if outcome.whole:
        opened.mark()
    return replace(outcome, seconds=monotonic() - began)


def scanned(task: Task) -> Exported:
    """A task with its shots found, for a farm that has to know them beforehand."""
    opened = Opened.of(task)
    if opened.is_one_task:
        return Exported(task)
    shots = opened.shots()
    task = replace(task, shots=tuple((shot.first, shot.end or 0) for shot in shots))
    groups, long = opened.cut(shots)
    chains = tuple(tuple((window.first, window.end or 0) for window in windows) for windows in long)
    parts = [part for windows in long for part in groups_of(windows, task.frames)]
    return Exported(task, (*groups, *parts), chains, first=isinstance(opened.dreamer, ExactDive))


@dataclass
class Opened:
    """A task with all it needs at hand. folder: of its work."""

    task: Task
    source: Source
    dreamer: Dreamer
    destination: Destination
    folder: Path

    @staticmethod
    def of(task: Task) -> Opened:
        """What a task works on, opened. Raises what opening it raises, and UsageError for a network that is code."""
        settings = KINDS[task.kind].model_validate(task.settings)
        if is_code(settings.dream.model):  # only who types it may have code run
            raise UsageError(
                f"{task.name}: a farm dreams with known networks, not with code: {settings.dream.model}."
            )
        out = Path(task.output)
        (out if task.output.endswith("/") else out.parent).mkdir(parents=True, exist_ok=True)
        source: Source
        dreamer: Dreamer
        if isinstance(settings, ZoomSettings):
            source = ZoomSource.of(task.input, settings)
            destination = Destination.of(task.output, task.input, source)
            folder = destination.work_folder(settings.run.workdir)
            settings = _with_threads(settings, folder, task.threads)
            network = loaded.network(settings.dream.model, settings.dream.weights)
            source = aimed(source, settings, task.input, network)
            dreamer = way(source, settings, folder.with_suffix(".masters"), lambda done, of: None, network)
        else:
            source = open_source(task.input, settings.input, strict=settings.run.strict)
            destination = Destination.of(task.output, task.input, source)
            folder = destination.work_folder(settings.run.workdir)
            dreamer = loaded.dreamer(_with_threads(settings, folder, task.threads), source)
        return Opened(task, source, dreamer, destination, folder)

    @property
    def settings(self) -> Settings:
        return self.dreamer.settings

    def writing(self) -> Writing:
        """How its film is written."""
        self.dreamer.rehearse(self.source.clip)
        return Writing.of(self.source, self.dreamer, self.destination)

    def begin(self, tell: Tell) -> Outcome:
        """Find the shots, or make the film in one go where that is little, or cannot be shared."""
        if isinstance(self.dreamer, ExactDive):
            self.dreamer.dreamt()
        if self.is_one_task:
            return self._whole(tell)
        shots = Workdir.begin(self.folder, self.writing().plan, self.shots)
        groups, long = self.cut(shots)
        chains = tuple(groups_of(windows, self.task.frames)[0] for windows in long)
        return Outcome(0, self.source.clip.frames or 0, 0, groups=groups, chains=chains, shots=len(shots))

    @property
    def is_one_task(self) -> bool:
        """It is little, or every frame needs the one before, or is told of in order."""
        frames = self.source.clip.frames
        chain = isinstance(self.settings, ZoomSettings) and not isinstance(self.dreamer, ExactDive)
        return chain or bool(self.settings.output.report) or frames is None or frames <= self.task.frames

    def cut(self, shots: Sequence[Shot]) -> tuple[tuple[Group, ...], list[list[Shot]]]:
        """Groups of shots, as many as are worth a task; and of each that is worth several, its windows."""
        self.dreamer.suit(shots)
        keyed, frames = self.dreamer.keyframes, self.task.frames
        long = [shot for shot in shots if keyed and (shot.end or 0) - shot.first > frames]
        short = [shot for shot in shots if shot not in long]
        return groups_of(short, frames * self.dreamer.lanes), [keyed.windows(shot) for shot in long if keyed]

    def shots(self) -> Sequence[Shot]:
        """Where the film cuts; a dive can be cut anywhere, and is where its segments end."""
        if self.task.shots:
            return [Shot(first, end) for first, end in self.task.shots]
        if not isinstance(self.dreamer, ExactDive):
            return shots_of(self.source, self.dreamer.size, self.dreamer.motion, lambda frame: None)
        frames = self.source.clip.frames or 1
        every = max(1, round(SEGMENT * self.source.clip.rate))
        return [Shot(first, min(first + every, frames)) for first in range(0, frames, every)]

    def mark(self) -> None:
        """Write down that the job is done, for the next run of its list."""
        made = next(self.destination.files(self.source), self.destination.path)
        if self.task.mark:
            with whole(Path(self.task.mark)) as part:
                told = {"digest": self.task.digest, "size": made.stat().st_size, "made": made.name}
                part.write_text(json.dumps(told), encoding="utf-8")

    def _whole(self, tell: Tell) -> Outcome:
        count = _Count(tell)
        made = film.make(self.source, self.dreamer, self.destination, lambda done: None, count)
        self._forget_masters()
        total = self.source.clip.frames or made.frames
        return Outcome(made.frames, total, 0, whole=True, shots=max(1, count.cuts), notes=tuple(made.notes))

    def dream(self, tell: Tell) -> Outcome:
        """What is left of some shots, or of windows of one."""
        writing, shots = self.writing(), [Shot(first, end) for first, end in self.task.group]
        keep = self.settings.run.keep
        self._begun(writing)
        with Workdir.shared(self.folder, writing.plan, shots, keep=keep) as work:
            before = work.frames
            extras = Extras(writing, self.dreamer)
            count = _Count(tell, before)

            def watch(dreamt: Dreamt) -> None:
                extras(dreamt)
                count(dreamt)

            film = Film(self.source, self.dreamer, work, writing.reel(work), watch, shots)
            keyed, shot = self._around(work, shots[0])
            with work.noting():
                if keyed and shot != shots[0]:
                    dream_windows(film, keyed, shot, shots)
                else:
                    render(film)
            frames = sum(end - first for first, end in self.task.group)
            if work.frames != frames:
                raise InputError(
                    f"{self.source.clip.name}: gave {work.frames} frames of {frames}. Was it changed?"
                )
            return Outcome(work.frames - before, frames, 0, shots=len(shots), notes=tuple(self.dreamer.notes))

    def chain(self, tell: Tell) -> Outcome:
        """The keyframes of windows. Then what lies between them can be dreamed, and the keyframes of the next."""
        writing, frames = self.writing(), self.task.frames
        self._begun(writing)
        end, rest = self.task.group[-1][1], list[Shot]()
        for group in groups_of([Shot(first, last) for first, last in self.task.group], frames):
            windows = [Shot(first, last) for first, last in group]
            with Workdir.shared(self.folder, writing.plan, windows) as work, work.noting():
                keyed, shot = self._around(work, windows[0])
                if keyed:
                    film = Film(self.source, self.dreamer, work, writing.reel(work), lambda dreamt: None)
                    dream_ahead(film, keyed, shot, windows)
                    rest = [window for window in keyed.windows(shot) if window.first >= end]
        groups = groups_of([Shot(first, last) for first, last in self.task.group], frames // PARTS)
        return Outcome(0, 0, 0, groups=groups, chains=groups_of(rest, frames)[:1])

    def _around(self, work: Workdir, part: Shot) -> tuple[Keyframes | None, Shot]:
        """How the film is keyed, if it is, and which of its shots this one is or lies in."""
        shots = work.shots(self.shots) if work.knows_shots else self.shots()
        self.dreamer.suit(shots)
        return self.dreamer.keyframes, next(shot for shot in shots if shot.holds(part.first))

    def _begun(self, writing: Writing) -> None:
        """Have the work folder begun: by this task, where shots were found elsewhere and it is the first."""
        for patience in (True, True, False):
            if Workdir.has_begun(self.folder, writing.plan) or not self.task.shots:
                return
            try:
                Workdir.begin(self.folder, writing.plan, self.shots)
            except OutputError:  # another task was quicker
                if not patience:
                    raise

    def join(self, tell: Tell) -> Outcome:
        """The film of what was dreamed."""
        writing = self.writing()
        extras, run = Extras(writing, self.dreamer), self.settings.run
        with Workdir.open(self.folder, writing.plan, keep=run.keep, resume=True) as work:
            total = self.source.clip.frames or work.frames
            if work.frames != total:
                raise OutputError(
                    f"{self.folder}: holds {work.frames} frames of {total}. Run the list again."
                )
            notes = extras.finish(writing.notes + writing.finish(work))
            work.spent = True
        self._forget_masters()
        return Outcome(0, total, 0, whole=True, notes=tuple(notes))

    def _forget_masters(self) -> None:
        if isinstance(self.dreamer, ExactDive) and not self.settings.run.keep:
            self.dreamer.dreamt().remove()


@dataclass
class _Count:
    """Counts frames, and cuts among them."""

    tell: Tell
    frames: int = 0
    cuts: int = 0

    def __call__(self, dreamt: Dreamt) -> None:
        self.frames += 1
        self.cuts += dreamt.cut
        self.tell(self.frames)


def _with_threads(settings: Any, folder: Path, threads: int) -> Any:
    """The same, with the threads that the work in `folder` was begun with, or else so many."""
    if settings.speed.threads:
        return settings
    speed = settings.speed.model_copy(update={"threads": planned_threads(folder) or threads})
    return settings.model_copy(update={"speed": speed})
