"""Film: a source made into a finished file, or files. What goes around the walk: plan, names, join, previews."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from pipeline import overrides
from pipeline.clip import Flow, Picture, Tick
from pipeline.destination import Destination
from pipeline.errors import InputError
from pipeline.files import whole
from pipeline.render import Dreamer, Dreamt, Reel, render
from pipeline.sources import Source
from pipeline.stages import encode, join, stills
from pipeline.workdir import Plan, Workdir, planned_threads

Watch = Callable[[Dreamt], None]


@dataclass(frozen=True)
class Made:
    """path: what was made. notes: what the user should know of it, a line each. frames: dreamed this time."""

    path: Path
    notes: list[str]
    frames: int


def make(
    source: Source, dreamer: Dreamer, destination: Destination, begin: Callable[[int], None], watch: Watch
) -> Made:
    """Dream a source into its destination, going on where an interrupted render stopped.

    begin: told once how many frames are done already. watch: called after every frame.
    """
    run, output = dreamer.settings.run, dreamer.settings.output
    dreamer.rehearse(source.clip)
    folder = destination.work_folder(run.workdir)
    if not dreamer.settings.speed.threads:  # how many is chosen once, for the whole film
        dreamer.use_threads(planned_threads(folder))
    encoding = _encoding(source, dreamer)
    about = recipe(dreamer)
    destination.path.parent.mkdir(exist_ok=True)
    work = Workdir.open(folder, _plan(source, dreamer, encoding), fresh=run.fresh, keep=run.keep)

    def reel(first: int) -> Reel:
        if destination.kind == "film":
            return encode.film(work.film(first), source.clip, encoding)
        return stills.roll(destination.path, about)

    already = work.last.end if work.last else 0
    begin(already)
    try:
        render(source, dreamer, work, reel, watch)
    finally:
        work.remove_if_nothing_is_done()
    if work.last is None:
        raise InputError(f"{source.clip.name}: gave no frames.")
    notes = _finish(source, work, destination, about, keep_sound=output.audio == "keep")
    if source.damaged:
        notes.append(f"{source.damaged} damaged frames were held over.")
    if encoding.pixel_format == "yuv444p" and output.pixel_format == "auto" and destination.kind == "film":
        notes.append(f"{source.clip.size} is odd, so the film is yuv444p, which some players do not show.")
    frames = work.last.end - already
    work.remove()
    return Made(destination.path, notes, frames)


def _encoding(source: Source, dreamer: Dreamer) -> encode.Encoding:
    output = dreamer.settings.output
    pixels = encode.pixel_format(output.pixel_format, source.clip.size, output.codec)
    return encode.Encoding(output.codec, output.crf, output.encoder_preset, pixels, dreamer.threads)


def _finish(
    source: Source, work: Workdir, destination: Destination, about: str, *, keep_sound: bool
) -> list[str]:
    if destination.kind != "film":
        if destination.recipe_file:
            with whole(destination.recipe_file) as part:
                part.write_text(about, encoding="utf-8")
        return []
    pieces = [(segment, work.film(segment.first)) for segment in work.segments]
    beside = source.beside(work.folder) if keep_sound else None
    with whole(destination.path) as part:
        return join.join(pieces, part, source.clip, beside, about)


def recipe(dreamer: Dreamer) -> str:
    """The look as TOML, with what made it: versions and the weights' hash."""
    made = {
        "dream_video": version("dream-video"), "torch": version("torch"), "python": platform.python_version(),
        "weights_sha256": dreamer.network.sha256,
    }  # fmt: skip
    return overrides.to_toml({**dreamer.settings.recipe(), "made": made})


def _plan(source: Source, dreamer: Dreamer, encoding: encode.Encoding) -> Plan:
    """All that the bytes of the film depend on."""
    settings = dreamer.settings
    return {
        "source": source.fingerprint(),
        "settings": settings.recipe() | {"input": settings.input.model_dump(mode="json")},
        "weights": dreamer.network.sha256,
        "encoding": encoding.__dict__,
        "device": str(dreamer.device),
        "versions": {
            name: version(name) for name in ("dream-video", "torch", "av", "opencv-python-headless")
        },
    }


def preview(source: Source, dreamer: Dreamer, count: int, watch: Watch) -> Picture:
    """`count` frames across the film, each a full dream at the film's own dream size, as one picture."""
    dreams = []
    for frame in source.across(count):
        dreamt = dreamer.dream(Tick(frame, Flow.none(dreamer.size(frame.size))), clip=source.clip)
        watch(dreamt)
        dreams.append(dreamt.picture)
    return sheet(dreams)


def sheet(pictures: Iterable[Picture]) -> Picture:
    """Pictures of one size in a grid that is about as wide as they are."""
    tiles = list(pictures)
    columns = int(np.ceil(np.sqrt(len(tiles))))
    rows = -(-len(tiles) // columns)
    height, width = tiles[0].shape[:2]
    grid = np.zeros((rows * height, columns * width, 3), np.uint8)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        grid[row * height : (row + 1) * height, column * width : (column + 1) * width] = tile
    return grid
