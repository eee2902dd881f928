"""dream-atlas: a picture or clip in, what every layer of a network dreams on it out: a page and a sheet."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from pipeline.cli import options
from pipeline.cli.guard import guarded
from pipeline.errors import InputError, OutputError, UsageError
from pipeline.settings.atlas import AtlasSettings, channels_of

if TYPE_CHECKING:
    from pipeline.clip import Clip, Frame

ABOUT = "What every layer of a network dreams on your own picture: a page to choose from."
INPUTS = "a picture, or a clip, of which the middle frame is taken"
EXAMPLES = (
    ("dream-atlas photo.jpg", "writes photo_atlas/, a page"),
    ("dream-atlas photo.jpg --channels mixed4a#0-23", "these channels too"),
    ("dream-atlas clip.mp4 --start 3s -o atlas", "a frame from there on"),
    ("dream-atlas photo.jpg --model googlenet", "another network's layers"),
)


def main(argv: Sequence[str] | None = None) -> int:
    return guarded("dream-atlas", _run, argv)


def _run(args: Sequence[str]) -> None:
    asked = options.read("dream-atlas", ABOUT, args, model=AtlasSettings, inputs=INPUTS, examples=EXAMPLES)
    if not options.answered(asked):
        _make(asked)


def _make(asked: options.Asked) -> None:
    """Check all that can be checked before torch is loaded, which takes seconds; then dream."""
    settings = asked.settings
    assert isinstance(settings, AtlasSettings)
    options.check_input(asked, "a picture or a clip")
    _check(settings)
    clip, frame = _frame(asked, settings)
    files = _files(asked, settings)
    from pipeline.atlas.making import Subject, make
    from pipeline.cli.progress import Told, duration

    told = Told("none" if settings.run.quiet else settings.run.progress)
    began = monotonic()
    try:
        notes = make(
            Subject(asked.source or "", clip, frame), settings, asked.origins, files, told.begin, told.step
        )
    finally:
        told.close()
    for note in notes:
        told.note(note)
    told.note(f"done in {duration(monotonic() - began)}")


def _check(settings: AtlasSettings) -> None:
    """UsageError or TargetError for what a network with a card cannot have."""
    from pipeline.net.cards import card
    from pipeline.net.programme import Programme
    from pipeline.net.targets import parse_targets, resolve

    facts = card(settings.dream.model)
    if Programme.of(settings.dream.layers, facts).moves:
        raise UsageError("--layers: an atlas is of one moment. Give layers without times.")
    if settings.dream.step.constant is None:
        raise UsageError("--step: an atlas is of one moment. Give a number.")
    if settings.atlas.channels is not None:
        target = parse_targets(channels_of(settings.atlas.channels)[0])[0]
        if target.classes or target.layer.lower().startswith("motif/"):
            raise UsageError(f"--channels {target.text}: expected a layer, such as {facts.layers}.")
        resolve(target, facts)


def _frame(asked: options.Asked, settings: AtlasSettings) -> tuple[Clip, Frame]:
    """The picture, or the middle frame of a clip."""
    from pipeline.sources import SceneSource, Source, open_source

    source: Source = (
        SceneSource.of(settings.input) if asked.source is None else open_source(asked.source, settings.input)
    )
    for frame in source.across(1):
        return source.clip, frame
    raise InputError(f"{source.clip.name}: gave no frames.")


def _files(asked: options.Asked, settings: AtlasSettings) -> tuple[Path, Path]:
    """The page and the sheet. OutputError where they cannot be written."""
    from pipeline.destination import check_folder, stem

    folder = Path(settings.output.out or f"{stem(asked.source) if asked.source else 'demo'}_atlas")
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"-o {folder}: is a file. Give a folder.")
    check_folder(folder if folder.is_dir() else folder.parent, str(folder))
    name = re.sub(r"[^\w.-]", "_", settings.dream.model)
    page, sheet = folder / f"{name}.html", folder / f"{name}.jpg"
    for path in (page, sheet):
        if asked.source is not None and path.resolve() == Path(asked.source).resolve():
            raise OutputError(f"{path}: is what is to be dreamed. Give another folder with -o.")
        if path.exists() and not settings.output.yes:
            raise OutputError(
                f"{path}: is there already. Give -y to overwrite it, or another folder with -o."
            )
    return page, sheet


if __name__ == "__main__":
    sys.exit(main())
