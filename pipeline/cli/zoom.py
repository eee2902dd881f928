"""dream-zoom: a picture in, an endless dive into it out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cli import options
from pipeline.cli.guard import guarded
from pipeline.errors import OutputError, UsageError
from pipeline.settings.zoom import ZoomSettings
from pipeline.size import Size, fit

if TYPE_CHECKING:
    from pipeline.sources.zoom import ZoomSource

ABOUT = "Dive into a picture: an endless DeepDream zoom, sharp at every depth."
INPUTS = "a picture, noise, colour:#203040, gradient:#000,#f80, or a clip"
EXAMPLES = (
    ("dream-zoom photo.jpg", "writes photo_dive.mp4, 20 seconds"),
    ("dream-zoom photo.jpg --preview", "twelve small frames of it first"),
    ("dream-zoom photo.jpg --loop -p droste", "one that ends where it began"),
    ("dream-zoom photo.jpg --zoom 0.3 --turn 12", "slower, and turning"),
    ("dream-zoom noise --size 1280x720 -o out.mp4", "out of nothing"),
)
SHEET = 12  # frames of a preview
SMALL = "max:288"  # size of a preview's frames, of which an exact dive dreams little more than what is shown,
SMALLER = "max:208"  # and where each is dreamed on the one before, or alone


def main(argv: Sequence[str] | None = None) -> int:
    return guarded("dream-zoom", _run, argv)


def _run(args: Sequence[str]) -> None:
    asked = options.read(
        "dream-zoom", ABOUT, args, model=ZoomSettings, inputs=INPUTS, preview=SHEET, examples=EXAMPLES
    )
    if not options.answered(asked):
        _make(asked)


def _make(asked: options.Asked) -> None:
    """Check all that can be checked before torch is loaded, which takes seconds; then dive."""
    settings = asked.settings
    assert isinstance(settings, ZoomSettings)
    if settings.output.report:
        raise UsageError("--report is of dreamed films; a dive has none. Leave it out.")
    if settings.run.watch:
        raise UsageError("--watch is of dream-video: a folder of pictures and clips. Leave it out.")
    if settings.run.demo:
        raise UsageError("--demo is a film of dream-video. For a dive without a picture: dream-zoom noise.")
    if asked.source is None:
        raise UsageError(f"expected an INPUT: {INPUTS}. --help says more.")
    from pipeline.cli import diving
    from pipeline.destination import Destination, check_folder
    from pipeline.sources.zoom import ZoomSource

    name = asked.source
    source = ZoomSource.of(name, settings)
    _check(settings, source)
    out = settings.output.out
    if settings.output.preview:
        path = Path(out or f"{_stem(name)}_preview.png")
        check_folder(path.parent, str(path))
        if path.exists() and not settings.output.yes:
            raise OutputError(f"{path}: is there already. Give -y to overwrite it, or another name with -o.")
        full, settings = source.clip.size, _small(settings, source.clip.size, plays=source.film is not None)
        diving.preview(ZoomSource.of(name, settings), settings, name, path, full)
        return
    destination = Destination.of(out or f"{_stem(name)}_dive.mp4", name, source)
    going_on = destination.work_folder(settings.run.workdir).exists() and not settings.run.fresh
    destination.check(source, overwrite=settings.output.yes, going_on=going_on)
    diving.film(source, settings, name, destination, asked)


def _small(settings: ZoomSettings, full: Size, *, plays: bool) -> ZoomSettings:
    """The same dive, small enough to be seen in seconds; on so small a picture several threads only wait."""
    exact = settings.zoom.way == "exact" and settings.zoom.zoom.constant != 0 and not plays
    size = {"size": str(fit(full, SMALL if exact else SMALLER))}
    threads = {"threads": settings.speed.threads or 1}
    return settings.model_copy(
        update={
            "input": settings.input.model_copy(update=size),
            "speed": settings.speed.model_copy(update=threads),
        }
    )


def _check(settings: ZoomSettings, source: ZoomSource) -> None:
    """UsageError for a dive that cannot be, or in which nothing happens."""
    from pipeline.net.cards import card
    from pipeline.net.programme import Programme

    how = settings.zoom
    layers = Programme.of(settings.dream.layers, card(settings.dream.model))
    if settings.dream.mask:
        raise UsageError("--mask: is for films. A dive leaves every place of its picture behind.")
    if settings.dream.guide and any(target.rank for target in layers.targets):
        raise UsageError(
            "--guide: follows whole layers or channels by number; leave out strongest and weakest."
        )
    stays = how.zoom.constant == 0
    deaf = [
        name
        for name in ("strength", "saturation", "step", "iterations")
        if getattr(settings.dream, name).hears
    ]
    deaf += ["layers"] if layers.by_beat else []
    if deaf and source.film is None and how.way == "exact" and not stays:
        raise UsageError(
            f"--{deaf[0]}: an exact dive is dreamed before it moves, and hears no beat. "
            "Let --zoom, --turn or --pan hear it, or give --way feedback."
        )
    if how.loop and (source.film or how.way == "feedback" or stays):
        raise UsageError("--loop is of the exact dive into a picture, with a --zoom other than 0.")
    if source.film is not None and how.way == "exact" and settings.zoom.shutter:
        raise UsageError("--shutter is of the exact dive into a picture; a clip is dived into by feedback.")
    dream = settings.dream
    schedules = (*source.path.moves.schedules[1:2], *source.path.moves.pan, dream.strength, dream.step)
    still = [schedule.constant for schedule in schedules]
    if stays and not layers.moves and None not in still and not any(still[:3]) and source.film is None:
        raise UsageError("Nothing moves: give --zoom, --turn or --pan, or let --layers or --strength change.")


def _stem(name: str) -> str:
    from pipeline.destination import stem

    return name.partition(":")[0] if not Path(name).exists() and ":" in name else stem(name)


if __name__ == "__main__":
    sys.exit(main())
