"""Making: a picture and settings in, the page and the sheet of an atlas out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline import inversion, looks, overrides
from pipeline.atlas.command import ASKED, command, quoted
from pipeline.atlas.dreams import Dreams, tile_size
from pipeline.atlas.page import About, page
from pipeline.atlas.plan import Tile, chapters
from pipeline.atlas.sheet import jpeg, sheet
from pipeline.clip import Clip, Frame, Picture, Size
from pipeline.errors import InputError
from pipeline.files import whole
from pipeline.net import zoo
from pipeline.net.tap import Network
from pipeline.overrides import Layer
from pipeline.settings.atlas import AtlasSettings, channels_of

Begin = Callable[[int, Size, float], None]
"""Told once how many dreams there will be, of what size, and in about how many seconds."""


@dataclass(frozen=True)
class Subject:
    """What an atlas is of. name: INPUT as it was given, "" for the drawn scene. frame: of the clip, whole."""

    name: str
    clip: Clip
    frame: Frame


def make(
    subject: Subject,
    settings: AtlasSettings,
    origins: Mapping[str, str],
    files: tuple[Path, Path],
    begin: Begin,
    watch: Callable[[], None],
) -> list[str]:
    """Dream every tile, then write `files`, the page and the sheet. Gives what is to be told, a line each.

    origins: "group.name" -> where a setting came from. watch: called after every dream. Raises the errors of
    networks, layers and pictures.
    """
    knobs = settings.dream
    asked = {name for name, origin in origins.items() if origin.startswith(ASKED)}
    size = knobs.dream_size if "dream.dream_size" in asked else tile_size(subject.frame.size)
    settings = settings.model_copy(update={"dream": knobs.model_copy(update={"dream_size": size})})
    silent = settings.run.quiet or settings.run.progress in ("json", "none")
    network = zoo.load(knobs.model, knobs.weights, progress=not silent)
    channels = channels_of(settings.atlas.channels) if settings.atlas.channels else None
    layers = knobs.layers if "dream.layers" in asked else ""
    invert, own = settings.atlas.invert, overrides.resolve([Layer("", {"dream": looks.INVERT})])[0].dream
    inversion_own = {name: getattr(own, name) for name in looks.INVERT if f"dream.{name}" not in asked}
    if invert:
        inversion.check(knobs.model_copy(update={"objective": inversion.OBJECTIVE}))
    step, guided = knobs.step.constant or 0.0, bool(knobs.guide)
    plan = chapters(network, layers, channels, step, guided=guided, inverted=invert)

    dreams = Dreams.of(settings, network, subject.clip, subject.frame, inversion_own)
    begin(sum(len(row.tiles) for chapter in plan for row in chapter.rows), dreams.size, dreams.seconds(plan))
    pictures: dict[Tile, Picture] = {}
    for tile, picture in dreams.pictures(plan):
        pictures[tile] = picture
        watch()
    if not pictures:
        raise InputError(next(iter(dreams.left_out.values())))

    notes = [f"{name} is left out. {why}" for name, why in dreams.left_out.items()]
    line = command(subject.name, settings, origins)
    commands = {tile: (line(tile, size), line(tile, "full")) for tile in pictures}
    about = About(
        Path(subject.clip.name).name, _place(subject), dreams.size, knobs.model, network.licence, commands,
        _further(subject, network, settings), notes,
    )  # fmt: skip
    page_file, sheet_file = files
    page_file.parent.mkdir(exist_ok=True)
    source, title = dreams.frame.picture, f"{about.network}: {about.source}{about.what}"
    with whole(sheet_file) as part:
        part.write_bytes(jpeg(sheet(title, source, plan, pictures)))
    with whole(page_file) as part:
        part.write_text(page(about, source, plan, pictures), "utf-8", "backslashreplace", "\n")
    return [*notes, f"{page_file}: {len(pictures)} dreams to choose from, {sheet_file.name} beside it"]


def _place(subject: Subject) -> str:
    return "" if subject.clip.frames == 1 else f", frame {subject.frame.index}"


def _further(subject: Subject, network: Network, settings: AtlasSettings) -> Sequence[tuple[str, str]]:
    """Commands to go on with, and what for."""
    words = ["dream-atlas", subject.name or "--demo"]
    words += ["--model", settings.dream.model] if settings.dream.model != "builtin" else []
    words += ["--weights", settings.dream.weights] if settings.dream.weights else []
    taps = network.card.taps
    return [
        (quoted([*words, "--channels", taps[len(taps) // 2], "-y"]), "shows single channels of a layer too."),
        (quoted([*words, "--dream-size", "max:640", "-y"]), "makes the pictures larger and takes longer."),
    ]
