"""Film: a source made into a finished file, or files. What goes around the walk: plan, names, join, previews."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from pipeline import codecs, overrides, report
from pipeline.clip import Deep, Flow, Frame, Picture, Pixels, Tick, fit
from pipeline.destination import Destination
from pipeline.errors import DeviceError, InputError, OutputError, UsageError
from pipeline.files import whole
from pipeline.render import Dreamer, Dreamt, Reel, Write, render
from pipeline.report import About, Record
from pipeline.settings import Input
from pipeline.sources import ClipSource, PictureSource, Source
from pipeline.stages import compare, encode, gif, join, shots, stems, stills
from pipeline.workdir import Plan, Workdir, planned_threads

Watch = Callable[[Dreamt], None]
SHEET, SHEET_SIZE = 9, "max:480"  # moments of a contact sheet, and their size


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
) -> Made:
    """Dream a source into its destination, going on where an interrupted render stopped.

    begin: told once how many frames are done already. watch: called after every frame. command: for the report.
    What interrupts it carries a note of what is kept.
    """
    run, output = dreamer.settings.run, dreamer.settings.output
    dreamer.rehearse(source.clip)
    if output.contact_sheet and (destination.kind != "film" or output.compare != "none"):
        raise UsageError("--contact-sheet is of a film without --compare, which shows the source already.")
    folder = destination.work_folder(run.workdir)
    if not dreamer.settings.speed.threads:  # how many is chosen once, for the whole film
        dreamer.use_threads(planned_threads(folder))
    encoding, notes = _encoding(source, dreamer, destination)
    if isinstance(source, ClipSource | PictureSource):
        source.deep = output.compare == "none" and _is_deep(source, destination, encoding)
    notes += _cuts_outside(source, dreamer)
    about, plan = recipe(dreamer), _plan(source, dreamer, encoding)
    destination.path.parent.mkdir(exist_ok=True)
    with Workdir.open(folder, plan, fresh=run.fresh, keep=run.keep, resume=run.resume) as work:
        already = work.last.end if work.last else 0
        record = _record(source, dreamer, work) if output.report else None
        lost = 0

        def seen(dreamt: Dreamt) -> None:
            nonlocal lost
            lost += dreamt.lost
            if record is not None:
                record(dreamt)
            if output.stems:
                stems.write(Path(output.stems), stills.number_of(dreamt.frame), dreamt.dream, dreamt.flow)
            watch(dreamt)

        begin(already)
        try:
            render(
                source,
                dreamer,
                work,
                _reels(source, destination, work, encoding, about, output.compare),
                seen,
            )
        except (KeyboardInterrupt, DeviceError, OutputError, OSError) as stop:
            stop.add_note(work.kept())
            raise
        if work.last is None:
            raise InputError(f"{source.clip.name}: gave no frames.")
        notes += _finish(source, work, destination, about, output.compare, keep_sound=output.audio != "none")
        if source.damaged:
            notes.append(f"{source.damaged} damaged frames were held over.")
        if lost:
            notes.append(f"{lost} steps were left out: the network gave no number for them.")
        if record is not None and output.report:
            told = About.of(source.clip, destination.path.name, dreamer, about, command, notes)
            notes += report.write(Path(output.report), record, told)
        if output.contact_sheet:
            _contact_sheet(Path(output.contact_sheet), source, destination)
        work.spent = True
        return Made(destination.path, notes, work.last.end - already)


def _contact_sheet(path: Path, source: Source, destination: Destination) -> None:
    """Moments across a finished film: the source above, what became of it below."""
    film = ClipSource.of(destination.path, Input())
    small = fit(source.clip.size, SHEET_SIZE)
    pairs = [
        np.concatenate([stills.resized(a.picture, small), stills.resized(b.picture, small)])
        for a, b in zip(source.across(SHEET), film.across(SHEET), strict=False)
    ]
    stills.write(path, sheet(pairs))


def _comparing(write: Write, how: compare.How) -> Write:
    def both(picture: Picture | Deep, frame: Frame) -> None:
        assert not isinstance(picture, Deep)
        write(compare.compared(frame.picture, picture, how, float(frame.time)), frame)

    return both


def _reels(
    source: Source,
    destination: Destination,
    work: Workdir,
    encoding: encode.Encoding,
    about: str,
    how: compare.How,
) -> Callable[[int], Reel]:
    """Where the pictures of a segment go, given its first frame. InputError when the source is not what it was."""
    before = source.fingerprint()

    @contextmanager
    def reel(first: int) -> Iterator[Write]:
        film = destination.kind == "film"
        clip = compare.shape(source.clip, how)
        out = encode.film(work.film(first), clip, encoding) if film else stills.roll(destination.path, about)
        with out as write:
            yield write if how == "none" else _comparing(write, how)
        if source.fingerprint() != before:
            raise InputError(f"{source.clip.name}: was changed while it was dreamed. --fresh starts over.")

    return reel


def _record(source: Source, dreamer: Dreamer, work: Workdir) -> Record:
    before = work.carried(dreamer.device)
    layer = None if before is None else before.dream[0].permute(1, 2, 0).cpu().contiguous().numpy()
    return Record.of(work, source.clip, layer)


def _encoding(
    source: Source, dreamer: Dreamer, destination: Destination
) -> tuple[encode.Encoding, list[str]]:
    """How it is written, and what to tell of that."""
    notes = list(source.clip.notes)
    if destination.kind != "film":
        return encode.Encoding("pictures", 0, "", "rgb24", dreamer.threads), notes
    ending = destination.path.suffix.lower()
    output = dreamer.settings.output
    encoding, said = encode.choose(
        compare.shape(source.clip, output.compare), ending, output, dreamer.threads
    )
    return encoding, notes + said


def _is_deep(source: Source, destination: Destination, encoding: encode.Encoding) -> bool:
    """Whether frames are to bring the full depth of their source: what is written can hold it."""
    pixels = source.clip.pixels
    if destination.kind != "film":
        return pixels != Pixels() and stills.holds_depth(destination.path)
    return codecs.is_deep(encoding.pixel_format) or (pixels.alpha and codecs.has_alpha(encoding.pixel_format))


def _finish(
    source: Source, work: Workdir, destination: Destination, about: str, how: compare.How, *, keep_sound: bool
) -> list[str]:
    if destination.kind != "film":
        if destination.recipe_file:
            with whole(destination.recipe_file) as part:
                part.write_text(about, encoding="utf-8")
        return []
    pieces = [(segment, work.film(segment.first)) for segment in work.segments]
    if destination.path.suffix.lower() == ".gif":
        with whole(destination.path) as part:
            gif.write(pieces, part, compare.shape(source.clip, how), about)
        return ["A gif holds no sound."] if source.beside(work.folder) and keep_sound else []
    beside = source.beside(work.folder) if keep_sound else None
    clip = compare.shape(source.clip, how)
    with whole(destination.path) as part:
        return join.join(pieces, part, clip, beside, about)


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
        "cuts": list(_listed(dreamer)),
        "encoding": encoding.__dict__,
        "compare": settings.output.compare,
        "device": str(dreamer.device),
        "versions": {
            name: version(name) for name in ("dream-video", "torch", "av", "opencv-python-headless")
        },
    }


def _listed(dreamer: Dreamer) -> tuple[int, ...]:
    told = shots.file_of(dreamer.settings.time.cuts)
    return shots.listed(told) if told else ()


def _cuts_outside(source: Source, dreamer: Dreamer) -> list[str]:
    cuts = _listed(dreamer)
    counted = source.counted() if cuts else []
    _, outside = shots.starts(cuts, counted)
    if not outside:
        return []
    some = ", ".join(map(str, outside[:5])) + ", ..." * (len(outside) > 5)
    return [f"--cuts: {some} of {len(cuts)} cuts lie outside frames {counted[0]} to {counted[-1]}."]


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
