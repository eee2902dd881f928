"""Fixing: a piece of a kept film dreamed again from the state before it, and joined back.

With the film's own settings it comes out bit for bit as it was. With others it fades into the film over its handles,
frames on either side that were not asked for; where the film cuts nothing has to fade, and they end there.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from itertools import repeat
from pathlib import Path

from pipeline import light
from pipeline.clip import Deep, Flow, Frame, Picture, Segment, Tick
from pipeline.destination import Destination
from pipeline.dreamer import Dreamer
from pipeline.dreamt import Dreamt
from pipeline.errors import DeviceError, OutputError, UsageError
from pipeline.extras import Extras
from pipeline.film import Made, Watch
from pipeline.lanes import read_ahead
from pipeline.motion import ticks
from pipeline.piece import Piece
from pipeline.plan import Plan, differences
from pipeline.sources import Source
from pipeline.stages import encode, stills
from pipeline.stages.decode import Decoder
from pipeline.workdir import Workdir, planned_threads
from pipeline.writing import Writing

AGAIN = "again"  # in the work folder: the segments of a piece, until all of them are there
KIND = ("source", "encoding", "compare", "frames")
"""Of a plan: what a piece has to share with its film."""

ANEW = ("model", "weights", "layers", "objective", "octaves", "octave_scale", "dream_size", "beside")
"""What a dream is of: one of something else is not carried on."""


def redo(
    piece: Piece,
    source: Source,
    dreamer: Dreamer,
    destination: Destination,
    begin: Callable[[int], None],
    watch: Watch,
) -> Made:
    """Dream a piece of a kept film again, and join it back. source, dreamer: of the whole film.

    begin: told once how many frames will be dreamed. watch: called after every frame. Raises UsageError where the
    piece would not be of the film's kind.
    """
    settings = dreamer.settings
    if settings.output.report:
        raise UsageError("--report is of a whole render, and this is a piece of one. Leave it out.")
    folder = destination.work_folder(settings.run.workdir)
    dreamer.rehearse(source.clip)
    if not settings.speed.threads:
        dreamer.use_threads(planned_threads(folder))
    writing = Writing.of(source, dreamer, destination)
    extras = Extras(writing, dreamer)
    with Workdir.again(folder) as (work, plan):
        other = _other(folder, plan, writing.plan)
        if other:
            piece = _handled(piece, work, source, dreamer)
        elif destination.kind == "film":  # its encoder began with the segment
            touched = _touched(work, piece)
            piece = Piece.of(touched[0].first, touched[-1].end)
        began, walk = _walk(source, dreamer, work, piece, anew=any(name in ANEW for name in other))
        begin(piece.faded - began)
        with _told_of_the_film(destination), closing(walk):
            dreams = _within(walk, piece, extras, watch)
            if destination.kind == "film":
                _segments(work, writing, piece, dreams)
            else:
                _files(writing, piece, dreams)
        notes = extras.finish([*writing.notes, *writing.finish(work), _said(piece, other)])
        return Made(destination.path, notes, piece.faded - began)


def _other(folder: Path, before: Plan, now: Plan) -> dict[str, str]:
    """Name -> 'step 1.5, now 3' of what is not as the film was. UsageError where its frames would not fit in."""
    now = json.loads(json.dumps(now))
    was, is_now = ({name: plan[name] for name in KIND} for plan in (before, now))
    if different := differences(was, is_now):
        raise UsageError(
            f"{folder}: a piece is written as its film was, but {', '.join(different)}.\n"
            "Give the same again, or --fresh to start over."
        )
    other = {said.split()[0]: said for said in differences(before, now)}
    if now["keyframes"]:  # a window is dreamed whole or not at all
        other["keyframes"] = "each frame after the one before"
    return other


def _said(piece: Piece, other: dict[str, str]) -> str:
    """What became of the piece, for people."""
    if not other:
        return f"Frames {piece.first} to {piece.end - 1} were dreamed again, with the settings of the film."
    return (
        f"Frames {piece.first} to {piece.end - 1} were dreamed with {', '.join(other.values())}; "
        f"{piece.first - piece.fades} frames before and {piece.faded - piece.end} after lead over."
    )


def _handled(piece: Piece, work: Workdir, source: Source, dreamer: Dreamer) -> Piece:
    """With handles, as far as the shots around it go."""
    handles, frames = dreamer.settings.run.handles, work.segments[-1].end
    cuts = {0, frames}
    for first, end in ((piece.first - handles, piece.first), (piece.end, piece.end + handles)):
        with closing(ticks(source, _before(first), dreamer.size, dreamer.motion)) as moving:
            for tick in moving:
                if tick.frame.index > end:
                    break
                if tick.flow.cut:
                    cuts.add(tick.frame.index)
    return piece.handled(handles, frames, cuts)


def _before(first: int) -> Segment | None:
    """Something that ends before this frame."""
    return Segment(0, first, 0, 0) if first > 0 else None


def _touched(work: Workdir, piece: Piece) -> list[Segment]:
    return [s for s in work.segments if s.end > piece.fades and s.first < piece.faded]


def _walk(
    source: Source, dreamer: Dreamer, work: Workdir, piece: Piece, *, anew: bool
) -> tuple[int, Generator[Dreamt, None, None]]:
    """The first frame that has to be dreamed, and the walk from it on: after the nearest state, or anew."""
    if anew:
        return piece.fades, _anew(source, dreamer, piece.fades)
    last = next((s for s in reversed(work.segments) if s.end <= piece.fades), None)
    if last is None:
        return 0, dreamer.walk(source)
    return last.end, dreamer.walk(source, last, work.left_by(last, dreamer.device))


def _anew(source: Source, dreamer: Dreamer, first: int) -> Generator[Dreamt, None, None]:
    """The walk from a frame on, to which nothing is carried."""
    carried = None
    with closing(read_ahead(ticks(source, _before(first), dreamer.size, dreamer.motion))) as ahead:
        for tick in ahead:
            moved = tick if carried else Tick(tick.frame, Flow.none(dreamer.size(tick.frame.size)))
            dreamt = dreamer.dream(moved, carried, source.clip)
            carried = dreamt.carried
            yield dreamt


def _within(
    walk: Generator[Dreamt, None, None], piece: Piece, extras: Extras, watch: Watch
) -> Iterator[Dreamt]:
    """The piece and its handles; the frames before them are dreamed for what they leave to it."""
    for dreamt in walk:
        index = dreamt.frame.index
        if index >= piece.faded:
            return
        if piece.first <= index < piece.end:
            extras(dreamt)
        watch(dreamt)
        if index >= piece.fades:
            yield dreamt


@contextmanager
def _told_of_the_film(destination: Destination) -> Iterator[None]:
    """Inside, what interrupts carries a note of what that means for the film."""
    try:
        yield
    except (KeyboardInterrupt, DeviceError, OutputError, OSError) as stop:
        film = "The film is as it was" if destination.kind == "film" else "Some frames may be new"
        stop.add_note(f"{film}; the same command begins the piece again.")
        raise


def _segments(work: Workdir, writing: Writing, piece: Piece, dreams: Iterator[Dreamt]) -> None:
    """Write every segment that it touches anew; they take their places when all are there."""
    again = work.folder / AGAIN
    shutil.rmtree(again, ignore_errors=True)
    touched = _touched(work, piece)
    for segment in touched:
        shares = [piece.share(index) for index in range(segment.first, segment.end)]
        before = _shown(work, segment, writing) if min(shares) < 1 else repeat(None)
        with encode.film(again / work.film(segment.first).name, writing.clip, writing.encoding) as write:
            for share, frame in zip(shares, before, strict=False):
                if share:
                    dreamt = next(dreams)
                    write(_mixed(writing, frame, dreamt, share), dreamt.frame)
                elif frame is not None:
                    write(frame.deep or frame.picture, frame)
    writing.check_source()
    for segment in touched:
        (again / work.film(segment.first).name).replace(work.film(segment.first))
    shutil.rmtree(again)


def _shown(work: Workdir, segment: Segment, writing: Writing) -> Iterator[Frame | None]:
    """The frames of a segment as it stands."""
    decoder = Decoder.open(work.film(segment.first))
    shown: Iterator[tuple[int, Picture | Deep]] = decoder.deeps() if writing.deep else decoder.pictures()
    for index, (pts, picture) in enumerate(shown, segment.first):
        time = (segment.pts + pts) * writing.clip.time_base
        if isinstance(picture, Deep):
            yield Frame(index, segment.pts + pts, time, light.proxy(picture), deep=picture)
        else:
            yield Frame(index, segment.pts + pts, time, picture)


def _files(writing: Writing, piece: Piece, dreams: Iterator[Dreamt]) -> None:
    """Write the frames that are files of their own."""
    pattern = str(writing.destination.path)
    with stills.roll(writing.destination.path, writing.recipe) as write:
        for dreamt in dreams:
            frame, share = dreamt.frame, piece.share(dreamt.frame.index)
            file = stills.numbered(pattern, stills.number_of(frame))
            before = None
            if share < 1 and file.is_file():
                deep = stills.read_deep(file) if writing.deep else None
                before = Frame(frame.index, frame.pts, frame.time, stills.read(file), deep=deep)
            write(_mixed(writing, before, dreamt, share), frame)
    writing.check_source()


def _mixed(writing: Writing, before: Frame | None, dreamt: Dreamt, share: float) -> Picture | Deep:
    """The frame as the piece has it, laid by this share over what the film has there."""
    now = writing.shown(dreamt.deep or dreamt.picture, dreamt.frame)
    return now if before is None else light.mixed(before.deep or before.picture, now, share)
