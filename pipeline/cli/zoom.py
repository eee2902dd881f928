"""dream-zoom: a picture in, an endless dive into it out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from pipeline import looks
from pipeline.cli import options, signals
from pipeline.cli.video import guarded
from pipeline.clip import Size, fit
from pipeline.errors import OutputError, UsageError
from pipeline.zoom_settings import ZoomSettings

if TYPE_CHECKING:
    from pipeline.cli.progress import Progress
    from pipeline.destination import Destination
    from pipeline.dive.base import Dive
    from pipeline.render import Dreamt
    from pipeline.sources.zoom import ZoomSource

ABOUT = "Dive into a picture: an endless DeepDream zoom, sharp at every depth."
INPUTS = "a picture, noise, colour:#203040, gradient:#000,#f80, or a clip"
SHEET = 12  # frames of a preview
SMALL = "max:320"  # size of a preview's frames


def main(argv: Sequence[str] | None = None) -> int:
    return guarded("dream-zoom", _run, argv)


def _run(args: Sequence[str]) -> None:
    asked = options.read("dream-zoom", ABOUT, args, model=ZoomSettings, inputs=INPUTS, preview=SHEET)
    if asked.settings.run.presets:
        for name, path in looks.presets(ZoomSettings).items():
            print(f"{name:16} {looks.headline(path)}")
    elif asked.settings.run.explain:
        print(options.explain(asked), end="")
    else:
        _make(asked)


def _make(asked: options.Asked) -> None:
    """Check all that can be checked before torch is loaded, which takes seconds; then dive."""
    settings = asked.settings
    assert isinstance(settings, ZoomSettings)
    for size in (settings.dream.dream_size, settings.input.size or "full"):
        fit(Size(360, 640), size)
    if settings.output.report:
        raise UsageError("--report is of dreamed films; a dive has none. Leave it out.")
    if settings.run.demo:
        raise UsageError("--demo is a film of dream-video. For a dive without a picture: dream-zoom noise.")
    if asked.source is None:
        raise UsageError(f"expected an INPUT: {INPUTS}. --help says more.")
    from pipeline.destination import Destination, check_folder
    from pipeline.sources.zoom import ZoomSource

    name = asked.source
    if settings.output.preview:
        settings = _small(settings)
    source = ZoomSource.of(name, settings)
    _check(settings, source)
    out = settings.output.out
    if settings.output.preview:
        path = Path(out or f"{_stem(name)}_preview.png")
        check_folder(path.parent, str(path))
        if path.exists() and not settings.output.yes:
            raise OutputError(f"{path}: is there already. Give -y to overwrite it, or another name with -o.")
        _preview(source, settings, name, path)
        return
    destination = Destination.of(out or f"{_stem(name)}_dive.mp4", name, source)
    going_on = destination.work_folder(settings.run.workdir).exists() and not settings.run.fresh
    destination.check(source, overwrite=settings.output.yes, going_on=going_on)
    _film(source, settings, name, destination, asked.command)


def _small(settings: ZoomSettings) -> ZoomSettings:
    """The same dive, small enough to be seen in seconds."""
    own = settings.input.size
    size = SMALL
    if own is not None and (asked := fit(Size(720, 1280), own)):
        small = fit(asked, SMALL)
        size = f"{small.width}x{small.height}"
    return settings.model_copy(update={"input": settings.input.model_copy(update={"size": size})})


def _check(settings: ZoomSettings, source: ZoomSource) -> None:
    """UsageError for a dive that cannot be, or in which nothing happens."""
    from pipeline.dive.layers import Layers
    from pipeline.net.cards import card

    how = settings.zoom
    layers = Layers.of(settings.dream.layers, card(settings.dream.model), float(source.clip.rate))
    stays = how.zoom.constant == 0
    if how.loop and (source.film or how.way == "feedback" or stays):
        raise UsageError("--loop is of the exact dive into a picture, with a --zoom other than 0.")
    if source.film is not None and how.way == "exact" and settings.zoom.shutter:
        raise UsageError("--shutter is of the exact dive into a picture; a clip is dived into by feedback.")
    dream = settings.dream
    schedules = (*source.path.moves.schedules[1:2], *source.path.moves.pan, dream.strength, dream.step)
    still = [schedule.constant for schedule in schedules]
    if stays and not layers.moves and None not in still and not any(still[:3]) and source.film is None:
        raise UsageError("Nothing moves: give --zoom, --turn or --pan, or let --layers or --strength change.")


def _dive(source: ZoomSource, settings: ZoomSettings, folder: Path, progress: Progress) -> Dive:
    """The network, loaded, and the way to dive. Here torch is imported, which takes seconds."""
    from pipeline.dive.exact import ExactDive
    from pipeline.dive.feedback import FeedbackDive, LivingStill

    if source.film is not None or settings.zoom.way == "feedback":
        return FeedbackDive(settings, source)
    if settings.zoom.zoom.constant == 0:
        return LivingStill(settings, source)
    return ExactDive(settings, source, folder, _Told(progress))


class _Told:
    """Tells of masters as they are dreamed, with the time left."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.first: int | None = None
        self.since = monotonic()

    def __call__(self, done: int, of: int) -> None:
        from pipeline.cli.progress import duration

        if self.first is None:
            self.first, self.since = done, monotonic()
        text = f"picture {done + 1} of {of}"
        if done == of:
            text = f"{of} pictures are dreamed"
        elif done > self.first:
            left = (monotonic() - self.since) / (done - self.first) * (of - done)
            text += f", about {duration(left)} left"
        self.progress.note(text)


def _aimed(source: ZoomSource, settings: ZoomSettings, name: str) -> ZoomSource:
    """The same, with the point it dives into found where that was left open."""
    if settings.zoom.centre != "auto":
        return source
    from pipeline.dive.aim import strongest
    from pipeline.dive.base import Dive
    from pipeline.sources.grounds import unit
    from pipeline.sources.zoom import ZoomSource

    ground = unit(next(source.frames()).picture) if source.ground is None else source.ground
    point = strongest(ground, source.clip.size, Dive(settings, source).climb_at(0.0))
    return ZoomSource.of(name, settings, point)


def _progress(settings: ZoomSettings, source: ZoomSource) -> Progress:
    from pipeline.cli.progress import Progress

    style = "none" if settings.run.quiet else settings.run.progress
    return Progress(style, source.clip.frames, Size(0, 0), settings.dream.octaves)


def _film(
    source: ZoomSource, settings: ZoomSettings, name: str, destination: Destination, command: str
) -> None:
    from pipeline.cli.progress import duration

    started, progress = monotonic(), _progress(settings, source)
    if source.doublings:
        progress.note(f"a loop of {abs(source.doublings)} doublings, as near to --zoom as that can be")
    work = destination.work_folder(settings.run.workdir)
    folder = work.with_suffix(".masters")
    source = _aimed(source, settings, name)
    dive = _dive(source, settings, folder, progress)
    from pipeline.dive.exact import ExactDive
    from pipeline.film import make

    try:
        with signals.patient(silent=settings.run.quiet) as stop_if_asked:
            if isinstance(dive, ExactDive):
                told = dive.told

                def between(done: int, of: int) -> None:
                    stop_if_asked()
                    told(done, of)

                dive.told = between
                dive.dreamt()

            def watch(dreamt: Dreamt) -> None:
                progress(dreamt)
                stop_if_asked()

            made = make(source, dive, destination, progress.start, watch, command)
    finally:
        progress.close()
    if isinstance(dive, ExactDive) and not settings.run.keep:
        dive.dreamt().remove()
    for note in made.notes:
        progress.note(note)
    progress.note(f"{made.path}: {made.frames} frames in {duration(monotonic() - started)}")
    progress.note(f"network {settings.dream.model}: {dive.network.licence}")


def _preview(source: ZoomSource, settings: ZoomSettings, name: str, path: Path) -> None:
    """Frames along the dive as one picture."""
    from tempfile import TemporaryDirectory

    progress = _progress(settings, source)
    source = _aimed(source, settings, name)
    frames = list(source.across(settings.output.preview))
    with TemporaryDirectory() as folder:
        dive = _dive(source, settings, Path(folder) / "masters", progress)
        from pipeline.dive.exact import ExactDive
        from pipeline.film import recipe, sheet
        from pipeline.stages import stills

        if isinstance(dive, ExactDive):
            pictures = [dreamt.picture for dreamt in dive.frames(iter(frames))]
        else:
            wanted = {frame.index for frame in frames}
            pictures = [d.picture for d in dive.walk(source) if d.frame.index in wanted]
        stills.write(path, sheet(pictures), recipe(dive))
    progress.note(f"{path}: {len(pictures)} frames along the dive, small")


def _stem(name: str) -> str:
    from pipeline.destination import stem

    return name.partition(":")[0] if not Path(name).exists() and ":" in name else stem(name)


if __name__ == "__main__":
    sys.exit(main())
