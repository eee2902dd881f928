"""dream-atlas: a picture or clip in, what every layer of a network dreams on it out: a page and a sheet."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, NoReturn

from tqdm import tqdm

from pipeline import looks
from pipeline.atlas_settings import AtlasSettings, channels_of
from pipeline.cli import options
from pipeline.cli.video import guarded
from pipeline.clip import Size, fit
from pipeline.errors import InputError, OutputError, UsageError, printable

if TYPE_CHECKING:
    from pipeline.atlas.dreams import Dreams
    from pipeline.atlas.plan import Chapter
    from pipeline.clip import Clip, Frame

ABOUT = "What every layer of a network dreams, on your own picture: a page to choose from."
INPUTS = "a picture, or a clip, of which the middle frame is taken"
LONG = 120  # seconds from which a smaller atlas is offered
PLAIN_EVERY = 10.0  # seconds between two plain lines


def main(argv: Sequence[str] | None = None) -> int:
    return guarded("dream-atlas", _run, argv)


def _run(args: Sequence[str]) -> None:
    asked = options.read("dream-atlas", ABOUT, args, model=AtlasSettings, inputs=INPUTS)
    if asked.settings.run.presets:
        for name, path in looks.presets(AtlasSettings).items():
            print(f"{name:16} {looks.headline(path)}")
    elif asked.settings.run.explain:
        print(options.explain(asked), end="")
    else:
        _make(asked)


def _make(asked: options.Asked) -> None:
    """Check all that can be checked before torch is loaded, which takes seconds; then dream."""
    settings = asked.settings
    assert isinstance(settings, AtlasSettings)
    _check_layers(settings)
    fit(Size(360, 640), settings.dream.dream_size)
    if settings.dream.step.constant is None:
        raise UsageError("--step: an atlas is of one moment. Give a number.")
    clip, frame = _frame(asked, settings)
    folder, page, sheet = _files(asked, settings)
    told = _Told("none" if settings.run.quiet else settings.run.progress)
    _write(asked, settings, clip, frame, (folder, page, sheet), told)


def _check_layers(settings: AtlasSettings) -> None:
    """TargetError for what a network with a card cannot have."""
    from pipeline.net.cards import card
    from pipeline.net.programme import Programme
    from pipeline.net.targets import parse_targets, resolve

    facts = card(settings.dream.model)
    Programme.of(settings.dream.layers, facts)
    if settings.atlas.channels is not None:
        target = parse_targets(channels_of(settings.atlas.channels)[0])[0]
        if target.classes or target.layer.lower().startswith("motif/"):
            raise UsageError(f"--channels {target.text}: expected a layer, such as {facts.layers}.")
        resolve(target, facts)


def _frame(asked: options.Asked, settings: AtlasSettings) -> tuple[Clip, Frame]:
    """The picture, or the middle frame of a clip."""
    from pipeline.sources import SceneSource, Source, open_source

    if settings.run.demo and asked.source is not None:
        raise UsageError(f"--demo draws its own scene; leave out {asked.source}, or leave out --demo.")
    if asked.source is None and not settings.run.demo:
        raise UsageError("expected an INPUT: a picture or a clip. --demo needs none; --help says more.")
    source: Source = (
        SceneSource.of(settings.input) if asked.source is None else open_source(asked.source, settings.input)
    )
    for frame in source.across(1):
        return source.clip, frame
    raise InputError(f"{source.clip.name}: gave no frames.")


def _files(asked: options.Asked, settings: AtlasSettings) -> tuple[Path, Path, Path]:
    """The folder, the page and the sheet. OutputError where they cannot be written."""
    from pipeline.destination import check_folder, stem

    folder = Path(settings.output.out or f"{stem(asked.source) if asked.source else 'demo'}_atlas")
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"-o {folder}: is a file. Give a folder.")
    check_folder(folder if folder.is_dir() else folder.parent, str(folder))
    name = re.sub(r"[^\w.-]", "_", settings.dream.model)
    page, sheet = folder / f"{name}.html", folder / f"{name}.jpg"
    for path in (page, sheet):
        if path.exists() and not settings.output.yes:
            raise OutputError(
                f"{path}: is there already. Give -y to overwrite it, or another folder with -o."
            )
        if asked.source is not None and path.resolve() == Path(asked.source).resolve():
            raise OutputError(f"{path}: is what is to be dreamed. Give another folder with -o.")
    return folder, page, sheet


def _write(
    asked: options.Asked,
    settings: AtlasSettings,
    clip: Clip,
    frame: Frame,
    files: tuple[Path, Path, Path],
    told: _Told,
) -> None:
    """Load the network, dream every tile, write the sheet and the page. Here torch is imported."""
    from pipeline.atlas.command import ASKED, command
    from pipeline.atlas.dreams import Dreams, tile_size
    from pipeline.atlas.page import About, page
    from pipeline.atlas.plan import chapters
    from pipeline.atlas.sheet import sheet
    from pipeline.files import whole
    from pipeline.render import loaded
    from pipeline.stages import stills

    knobs = settings.dream
    full = knobs.dream_size == "full" and not asked.origins.get("dream.dream_size", "").startswith(ASKED)
    size = tile_size(frame.size) if full else knobs.dream_size
    settings = settings.model_copy(update={"dream": knobs.model_copy(update={"dream_size": size})})
    layers = knobs.layers if asked.origins.get("dream.layers", "").startswith(ASKED) else ""
    network = loaded(settings)
    channels = channels_of(settings.atlas.channels) if settings.atlas.channels else None
    plan = chapters(network, layers, channels, knobs.step.constant or 0.0, guided=bool(knobs.guide))
    dreams = Dreams.of(settings, network, clip, frame)
    began = monotonic()
    pictures = {}
    for tile, picture in told.through(dreams, plan):
        pictures[tile] = picture
    if not pictures:
        raise InputError(next(iter(dreams.left_out.values())))
    line = command(asked.source or "", settings, asked.origins)
    commands = {tile: (line(tile, size), line(tile, "")) for tile in pictures}
    notes = [f"{name} is left out: {why}" for name, why in dreams.left_out.items()]
    about = About(
        Path(clip.name).name, f", frame {frame.index}" if clip.frames != 1 else "", dreams.size, knobs.model,
        network.licence, commands, _further(asked, settings, network.card.taps), notes,
    )  # fmt: skip
    title = f"{knobs.model} on {about.source}{about.what}"
    folder, html, jpeg = files
    folder.mkdir(exist_ok=True)
    stills.write(jpeg, sheet(title, dreams.frame.picture, plan, pictures))
    with whole(html) as part:
        part.write_text(page(about, dreams.frame.picture, plan, pictures), encoding="utf-8", newline="\n")
    for note in notes:
        told.note(note)
    told.note(f"{html}: {len(pictures)} dreams, {jpeg.name} beside it, in {monotonic() - began:.0f} s")
    told.note(f"network {knobs.model}: {network.licence}")


def _further(
    asked: options.Asked, settings: AtlasSettings, taps: Sequence[str]
) -> list[tuple[str, str]]:
    """Commands to go on with, and what for."""
    from pipeline.atlas.command import quoted

    words = ["dream-atlas", asked.source or "--demo"]
    words += ["--model", settings.dream.model] if settings.dream.model != "builtin" else []
    words += ["--weights", settings.dream.weights] if settings.dream.weights else []
    middle = taps[len(taps) // 2]
    return [
        (quoted([*words, "--channels", middle, "-y"]), "single channels of a layer"),
        (quoted([*words, "--dream-size", "max:640", "-y"]), "larger pictures, in about four times the time"),
    ]


class _Told:
    """Tells of an atlas in one style: bar, plain, json or none. The time it will take first."""

    def __init__(self, style: str) -> None:
        self.style = style if style != "auto" else "bar" if sys.stderr.isatty() else "plain"

    def through(self, dreams: Dreams, plan: Sequence[Chapter]):  # type: ignore[no-untyped-def]
        total = sum(len(row.tiles) for chapter in plan for row in chapter.rows)
        seconds = dreams.seconds(plan)
        self.note(f"{total} dreams of {dreams.size}: about {_duration(seconds)}")
        if seconds > LONG:
            self.note("--dream-size max:240 makes it shorter, and so does naming some layers with --layers")
        yield from self._counted(dreams.pictures(plan), total)


if __name__ == "__main__":
    sys.exit(main())
