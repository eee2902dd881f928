"""Diving: what the zoom door sets going. A film, or a preview."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING

from pipeline.cli import signals
from pipeline.cli.progress import Progress, beginning, counted, duration
from pipeline.clip import Size
from pipeline.destination import Destination
from pipeline.dive.windows import FINER
from pipeline.settings.zoom import ZoomSettings
from pipeline.sources.zoom import ZoomSource

if TYPE_CHECKING:
    from pipeline.cli.options import Asked
    from pipeline.clip import Picture
    from pipeline.dive.exact import ExactDive
    from pipeline.dive.feedback import FeedbackDive, LivingStill
    from pipeline.dreamt import Dreamt

BEGUN = 72  # frames that a preview of a feedback dive walks
TELLING = 1.1  # times smaller: less is no difference
HURRY = 2  # steps of a dream that are taken as one in a preview: twice as fast, and looks the same


def _dive(
    source: ZoomSource,
    settings: ZoomSettings,
    folder: Path,
    progress: Progress,
    hurry: int = 1,
    only: tuple[float, ...] = (),
) -> ExactDive | FeedbackDive | LivingStill:
    """The network, loaded, and the way to dive. Here torch is imported, which takes seconds."""
    from pipeline.dive.opening import way

    return way(source, settings, folder, _Told(progress), hurry=hurry, only=only)


class _Told:
    """Tells of masters as they are dreamed, with the time left."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.first: int | None = None
        self.since = monotonic()

    def __call__(self, done: int, of: int) -> None:
        if self.first is None:
            self.first, self.since = done, monotonic()
        text = f"picture {done + 1} of {of}"
        if done == of:
            text = "the picture is dreamed" if of == 1 else f"{of} pictures are dreamed"
        elif done > self.first:
            left = (monotonic() - self.since) / (done - self.first) * (of - done)
            text += f", about {duration(left)} left"
        self.progress.note(text)


def _aimed(source: ZoomSource, settings: ZoomSettings, name: str) -> ZoomSource:
    """The same, with the point it dives into found where that was left open."""
    if settings.zoom.centre != "auto":
        return source
    from pipeline.dive.opening import aimed

    return aimed(source, settings, name)


def _progress(settings: ZoomSettings, source: ZoomSource) -> Progress:
    style = "none" if settings.run.quiet else settings.run.progress
    progress = Progress(style, source.clip.frames, Size(0, 0), settings.dream.octaves)
    if source.told:
        progress.note(source.told)
    for told in source.pulse.told if source.pulse else ():
        progress.note(told)
    return progress


def film(
    source: ZoomSource, settings: ZoomSettings, name: str, destination: Destination, asked: Asked
) -> None:
    """A dive as a film, going on with what an earlier run left; what became of it is told."""
    started, progress = monotonic(), _progress(settings, source)
    progress.note(beginning(source.clip, settings.dream, destination.path))
    work = destination.work_folder(settings.run.workdir)
    folder = work.with_suffix(".masters")
    source = _aimed(source, settings, name)
    dive = _dive(source, settings, folder, progress)
    from pipeline.dive.exact import ExactDive
    from pipeline.film import make

    try:
        if isinstance(dive, ExactDive):
            dive.dreamt()  # a stop comes at once: a picture takes minutes, and those before it are kept
        with signals.patient(silent=settings.run.quiet) as stop_if_asked:

            def watch(dreamt: Dreamt) -> None:
                progress(dreamt)
                stop_if_asked()

            made = make(source, dive, destination, progress.start, watch, asked.command)
    except KeyboardInterrupt as stop:
        if isinstance(dive, ExactDive) and dive.whole:
            stop.add_note(f"All pictures that its frames are seen in are kept in {folder}.")
        raise
    finally:
        progress.close()
    if isinstance(dive, ExactDive) and not settings.run.keep:
        dive.dreamt().remove()
    for note in made.notes:
        progress.note(note)
    progress.note(f"{made.path}: {counted(made.frames, 'frame')} in {duration(monotonic() - started)}")
    for offer in asked.offers():
        progress.note(offer)
    progress.note(f"network {settings.dream.model}: {dive.network.licence}")


def preview(source: ZoomSource, settings: ZoomSettings, name: str, path: Path, full: Size) -> None:
    """Frames along the dive as one picture. full: the size of the film's own."""
    progress = _progress(settings, source)
    source = _aimed(source, settings, name)
    count = settings.output.preview
    only = _moments(source, settings.zoom.shutter, count)
    with TemporaryDirectory() as folder:
        dive = _dive(source, settings, Path(folder) / "masters", progress, HURRY, only)
        from pipeline.dive.exact import ExactDive
        from pipeline.dive.feedback import FeedbackDive
        from pipeline.film import recipe, sheet
        from pipeline.stages import stills

        try:
            if isinstance(dive, FeedbackDive):
                pictures = _begun(dive, source, count, progress)
            else:
                pictures = [dreamt.picture for dreamt in dive.frames(source.across(count))]
        except KeyboardInterrupt:
            raise KeyboardInterrupt from None  # without its note: of a preview nothing is kept
        stills.write(path, sheet(pictures), recipe(dive))
    finer = FINER if isinstance(dive, ExactDive) else 1.0  # than a preview's, a film's pictures are
    small = _how_small(source.clip.size, full, finer)
    progress.note(f"{path}: {len(pictures)} frames along the dive, {small}")


def _moments(source: ZoomSource, shutter: float, count: int) -> tuple[float, ...]:
    """The times that a preview of so many frames looks at: theirs, and when the shutter opens and closes."""
    half = shutter / 2 / float(source.clip.rate)
    times = [float(frame.time) for frame in source.across(count)]
    around = (time + sign * half for time in times for sign in (-1, 0, 1))
    return tuple(sorted({min(max(time, 0.0), source.path.seconds) for time in around}))


def _how_small(size: Size, full: Size, finer: float) -> str:
    """What is dreamed is so many pixels wide, whatever the size: in a film it is smaller against the frame."""
    ratio = finer * full.width / size.width
    if ratio < TELLING:
        return f"at {size}"
    return (
        f"a preview at {size}: in the film, {full}, what is dreamed is {ratio:.1f} times smaller in the frame"
    )


def _begun(dive: FeedbackDive, source: ZoomSource, count: int, progress: Progress) -> list[Picture]:
    """Frames of the dive's beginning, since each needs all before it."""
    length = min(source.clip.frames or BEGUN, BEGUN)
    seconds = length / float(source.clip.rate)
    progress.note(f"each frame is dreamed on the one before: the first {seconds:.1f} s alone are shown")
    progress.total = length
    progress.start(0)
    wanted = {round(k * (length - 1) / max(count - 1, 1)) for k in range(count)}
    pictures = []
    try:
        for dreamt in islice(dive.walk(source), length):
            progress(dreamt)
            pictures += [dreamt.picture] * (dreamt.frame.index in wanted)
    finally:
        progress.close()
    return pictures
