"""Making: what the video door sets going. A film, a preview, or a still for each of many photographs."""

from __future__ import annotations

import gc
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING, cast

from pipeline import hearing, looks, sources
from pipeline.cli import options, signals
from pipeline.cli.progress import Progress, beginning, counted, duration
from pipeline.clip import Size, fit
from pipeline.destination import Destination, check_folder, stem
from pipeline.errors import OutputError, UsageError
from pipeline.net.cards import card
from pipeline.net.programme import Programme
from pipeline.sources import SceneSource, Source, open_source
from pipeline.stages import shots, stills

if TYPE_CHECKING:
    from pipeline.dreamer import Dreamer
    from pipeline.dreamt import Dreamt
    from pipeline.film import Made, Watch
    from pipeline.piece import Piece
    from pipeline.settings import Settings


def make(asked: options.Asked) -> None:
    """Check all that can be checked before torch is loaded, which takes seconds; then dream."""
    settings = asked.settings
    Programme.of(settings.dream.layers, card(settings.dream.model))
    if told := shots.file_of(settings.time.cuts):
        shots.listed(told)
    for size in (settings.dream.dream_size, settings.input.size or "full"):
        fit(Size(360, 640), size)
    hearing.song(settings)
    if settings.run.watch:
        from pipeline.cli import watching

        watching.watch(asked)
        return
    from pipeline.cli import many

    if (names := many.inputs(asked)) and not settings.run.demo:
        many.make(asked, names)
        return
    name = asked.source or "demo"
    source: Source
    if settings.run.demo:
        source = SceneSource.of(settings.input)
    else:
        source = open_source(name, settings.input, strict=settings.run.strict)
    out = settings.output.out
    if settings.output.preview_seconds and out is None:
        out = f"{stem(name)}_preview.mp4"
    if settings.output.preview_seconds:
        source = open_source(name, sources.middle(source, settings), strict=settings.run.strict)
    if not settings.output.preview:
        looks.check_still(settings, source.clip)
    if settings.output.preview:
        _preview(source, name, asked)
    elif out == "-":
        _to_stdout(source, name, asked)
    else:
        _film(source, Destination.of(out, name, source), asked)


def _to_stdout(source: Source, name: str, asked: options.Asked) -> None:
    """The film as Matroska on stdout, once it is whole."""
    if asked.settings.run.progress == "json":
        raise UsageError(
            "-o -: --progress json writes to stdout too. Give --progress none, or a file with -o."
        )
    if sys.stdout.isatty():
        raise UsageError("-o -: a film is nothing for a terminal. Give a file with -o, or pipe it on.")
    with TemporaryDirectory(prefix="dream-video-") as folder:
        path = Path(folder) / f"{stem(name)}.mkv"
        _film(source, Destination.of(str(path), name, source), asked)
        with path.open("rb") as film:
            shutil.copyfileobj(film, sys.stdout.buffer)
        sys.stdout.buffer.flush()


def _film(source: Source, destination: Destination, asked: options.Asked) -> None:
    settings = asked.settings
    work = destination.work_folder(settings.run.workdir)
    going_on = work.exists() and not settings.run.fresh
    destination.check(source, overwrite=settings.output.yes, going_on=going_on)
    spare(read_beside(settings), destination.files(source))
    if settings.output.report:
        destination.check_report(settings.output.report, source, overwrite=settings.output.yes)
    if settings.output.contact_sheet:
        _check_still(Path(settings.output.contact_sheet), overwrite=settings.output.yes)
    if settings.output.stems:
        destination.check_stems(
            settings.output.stems, source, overwrite=settings.output.yes, going_on=going_on
        )
    if going_on:
        from pipeline import piece

        if (kept := piece.asked(work, source, settings)) is not None:
            _piece(*kept, destination, asked)
            return
    started = monotonic()
    dreamer, progress = film_ready(source, asked)
    from pipeline.film import make

    progress.note(beginning(source.clip, dreamer.settings.dream, destination.path))
    with watched(progress, silent=settings.run.quiet) as watch:
        made = make(source, dreamer, destination, progress.start, watch, asked.command, progress.look)
    _tell(made, dreamer, progress, monotonic() - started, asked)


def _piece(
    piece: Piece, source: Source, settings: Settings, destination: Destination, asked: options.Asked
) -> None:
    """Frames of a film that was kept, dreamed again. source, settings: of the whole film."""
    started = monotonic()
    dreamer, progress = _ready(source, replace(asked, settings=settings))
    from pipeline.fixing import redo

    def begin(frames: int) -> None:
        progress.total = frames
        progress.start(0)

    with watched(progress, silent=settings.run.quiet) as watch:
        made = redo(piece, source, dreamer, destination, begin, watch)
    _tell(made, dreamer, progress, monotonic() - started, asked)


@contextmanager
def watched(progress: Progress, *, silent: bool) -> Iterator[Watch]:
    """Gives what is to be called after every frame: it tells of it, and stops where that was asked for."""
    try:
        with signals.patient(silent=silent) as stop_if_asked:

            def watch(dreamt: Dreamt) -> None:
                progress(dreamt)
                stop_if_asked()

            yield watch
    finally:
        progress.close()


def _tell(made: Made, dreamer: Dreamer, progress: Progress, seconds: float, asked: options.Asked) -> None:
    for note in made.notes:
        progress.note(note)
    progress.note(f"{made.path}: {counted(made.frames, 'frame')} in {duration(seconds)}")
    for offer in asked.offers():
        progress.note(offer)
    progress.note(f"network {dreamer.settings.dream.model}: {dreamer.network.licence}")


def _preview(source: Source, name: str, asked: options.Asked) -> None:
    output = asked.settings.output
    if output.report:
        raise UsageError("--report is of a whole render, --preview of a few frames. Leave one of them out.")
    path = Path(output.out or f"{stem(name)}_preview.png")
    check_folder(path.parent, str(path))
    _check_still(path, overwrite=output.yes)
    dreamer, progress = _ready(source, asked)
    from pipeline.film import preview, recipe

    progress.total = min(output.preview, source.clip.frames or output.preview)
    progress.start(0)
    try:
        picture = preview(source, dreamer, output.preview, progress)
    finally:
        progress.close()
    stills.write(path, picture, recipe(dreamer))
    for note in dreamer.controls.notes:
        progress.note(note)
    shown = (
        "a frame of the film, as it"
        if progress.done == 1
        else f"{progress.done} of the film's frames, as they"
    )
    progress.note(f"{path}: {shown} will be dreamed. Without --preview: the film")
    for offer in asked.offers():
        progress.note(offer)


def read_beside(settings: Settings) -> list[Path]:
    """Guides, masks and songs."""
    return [*map(Path, (*settings.dream.guide, *settings.dream.mask)), *hearing.files(settings)]


def spare(read: Iterable[Path], written: Iterable[Path]) -> None:
    """OutputError where a guide, a mask or a song would be overwritten."""
    own = {path.resolve() for path in read}
    for path in written if own else ():
        if path.resolve() in own:
            raise OutputError(f"{path}: is a guide, mask or song of this dream. Give another name with -o.")


def _check_still(path: Path, *, overwrite: bool) -> None:
    if path.suffix.lower() not in stills.SUFFIXES:
        raise UsageError(f"{path}: expected a picture's ending, such as .png.")
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: is there already. Give -y to overwrite it, or another name with -o.")


def film_ready(source: Source, asked: options.Asked) -> tuple[Dreamer, Progress]:
    """As _ready, for a film: one in which nothing is dreamed does without the network and torch."""
    settings = asked.settings
    from pipeline.untouched import Untouched

    if not Untouched.will_do(settings):
        return _ready(source, asked)
    untouched = Untouched(settings)
    style = "none" if settings.run.quiet else settings.run.progress
    progress = Progress(style, source.clip.frames, untouched.size(source.clip.size), octaves=0)
    return cast("Dreamer", untouched), progress


def _ready(source: Source, asked: options.Asked) -> tuple[Dreamer, Progress]:
    """The network, loaded, and the progress that will be told. Here torch is imported, which takes seconds."""
    settings = hearing.heard(asked.settings, source)
    style = "none" if settings.run.quiet else settings.run.progress
    gc.disable()  # an import makes no garbage to look for: half a second sooner
    try:
        from pipeline.dreamer import Dreamer
    finally:
        gc.enable()
        gc.freeze()

    dreamer = Dreamer(settings)
    size = dreamer.size(source.clip.size)
    octaves = len(dreamer.look.sizes(size))
    progress = Progress(style, source.clip.frames, size, octaves)
    for told in settings.pulse.told if settings.pulse else ():
        progress.note(told)
    if octaves < settings.dream.octaves:
        progress.note(f"{octaves} of {settings.dream.octaves} octaves fit a dream of {size}.")
    return dreamer, progress
