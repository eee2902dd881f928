"""Render: the walk. Frames go by; each is read, moved, carried, dreamed and written.

Read first. The walk of one frame is `Dreamer._batch`; that of a shot is `dream_shot`; that of a film is `render`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import dropwhile, groupby, pairwise
from typing import TYPE_CHECKING

from pipeline.clip import WHOLE, Clip, Deep, Frame, Picture, Segment, Shot, Tick
from pipeline.dreamt import Dreamt, Due
from pipeline.lanes import Lockstep, begins, done_in_step
from pipeline.sources import Source
from pipeline.workdir import Workdir

if TYPE_CHECKING:
    from pipeline.dreamer import Dreamer
    from pipeline.keyframes import Keyframes, Together, Window
    from pipeline.stages.carry import Carried

SEGMENT = 2  # seconds of film at most between two checkpoints

Write = Callable[[Picture | Deep, Frame], None]

Reel = AbstractContextManager[Write]
"""Where pictures go: inside it, a function that writes one."""

First = Callable[[Dreamt], Frame]
"""The first frame of the segment a frame is in."""


@dataclass(frozen=True)
class Film:
    """What is dreamed, by whom, into which folder. shots: of it, in order; several where they are known beforehand.

    reel: given a segment's first frame, where its pictures are written. watch: called after every frame, by one
    lane at a time.
    """

    source: Source
    dreamer: Dreamer
    work: Workdir
    reel: Callable[[int], Reel]
    watch: Callable[[Dreamt], None]
    shots: Sequence[Shot] = (WHOLE,)


def render(film: Film) -> None:
    """Dream what is left of a film's shots, segment by segment; each is done once it is in its work folder.

    Several shots are dreamed side by side, in as many lanes as the dreamer has: on a CPU each in a thread of its
    own, on a GPU in lockstep, as one batch. With keyframes it is the stretches of one shot that go side by side,
    and the shots follow one another.
    """
    dreamer, shots = film.dreamer, film.shots
    if dreamer.keyframes:
        for shot in shots:
            dream_windows(film, dreamer.keyframes, shot, dreamer.keyframes.windows(shot))
    elif dreamer.lanes == 1 or len(shots) == 1:
        for shot in shots:
            dream_shot(film, shot, by_time())
    elif in_step(dreamer):
        _in_step(film)
    else:
        _abreast(film)


def dream_shot(film: Film, shot: Shot, first_of: First, dream: Callable[[Due], Dreamt] | None = None) -> None:
    """Dream what is left of a shot. dream: what dreams each frame, if not the film's dreamer alone."""
    last = film.work.last_of(shot)
    if last is not None and last.end == shot.end:
        return
    carried = None if last is None else film.work.left_by(last, film.dreamer.device)
    _write(film, film.dreamer.walk(film.source, last, carried, shot, dream), first_of, shot)


def _write(film: Film, dreams: Generator[Dreamt, None, None], first_of: First, shot: Shot) -> None:
    """Segment by segment. first_of: told of each frame in turn."""
    with closing(dreams):
        for first, segment in groupby(dreams, key=first_of):
            with film.reel(first.index) as write:
                for dreamt in segment:
                    write(dreamt.deep or dreamt.picture, dreamt.frame)
                    film.watch(dreamt)
            done = Segment(first.index, dreamt.frame.index + 1, first.pts, dreamt.pts)
            film.work.finish(done, dreamt.carried, shot)


def in_step(dreamer: Dreamer) -> bool:
    """Whether lanes are dreamed as one batch. On a CPU, where that gains nothing, each has a thread of its own."""
    return dreamer.device.type != "cpu"


def by_time() -> First:
    """A new segment begins at a cut and after two seconds."""
    return _first_of(lambda dreamt, first: dreamt.cut or dreamt.frame.time - first.time >= SEGMENT)


def dream_windows(film: Film, keyed: Keyframes, shot: Shot, windows: Sequence[Shot]) -> None:
    """Dream what is left of windows of a shot, each a segment. Keyframes that went ahead are not dreamed again."""
    dreamer, work = film.dreamer, film.work

    def ahead(window: Window) -> list[Dreamt]:
        left = work.keys_of(Shot(window.first), dreamer.device)
        keys = window.keyframes if len(left) == len(window.keyframes) else ()
        return [dreamer.shown(*key, film.source.clip) for key in zip(keys, left, strict=False)]

    for done, some in groupby(windows, key=work.has_done):
        if not done:
            first_of = _first_of(lambda dreamt, first: keyed.begins(dreamt.frame.index, shot))
            _write(film, keyed.walk(*_after(film, keyed, shot, list(some)), ahead), first_of, shot)
    for window, following in pairwise(keyed.windows(shot)):
        if window in windows or following in windows:
            work.let_go(window, following)


def dream_ahead(film: Film, keyed: Keyframes, shot: Shot, windows: Sequence[Shot]) -> None:
    """Dream only the keyframes of windows of a shot that follow one another, and keep what they leave."""
    work = film.work
    left = list(dropwhile(lambda window: work.has_done(window) or work.went_ahead(window), windows))
    if left:
        with closing(keyed.chain(*_after(film, keyed, shot, left))) as chain:
            for window, keys in zip(left, chain, strict=True):
                work.go_ahead(window, [key.carried for key in keys])


def _after(
    film: Film, keyed: Keyframes, shot: Shot, windows: Sequence[Shot]
) -> tuple[Generator[Tick, None, None], Carried | None, Clip, Shot, Together]:
    """What there is to dream windows from, as a walk takes it."""
    before = next((window for window in keyed.windows(shot) if window.end == windows[0].first), None)
    carried = None if before is None else film.work.left_by(before, film.dreamer.device)
    part = replace(shot, end=windows[-1].end)
    moving = film.dreamer.moving(film.source, windows[0].before, carried, part)
    return moving, carried, film.source.clip, part, film.dreamer.together


def _first_of(begins: Callable[[Dreamt, Frame], bool]) -> First:
    """begins: whether a new segment does with this frame, given the first of the one before."""
    first: Frame | None = None

    def first_of(dreamt: Dreamt) -> Frame:
        nonlocal first
        if first is None or begins(dreamt, first):
            first = dreamt.frame
        return first

    return first_of


def _abreast(film: Film) -> None:
    """Lanes that do not wait for one another: what one dreams does not depend on the others in a single bit."""
    chains = [(film, shot) for shot in film.shots]
    in_lanes(chains, film.dreamer.lanes, lambda film, order, shot: dream_shot(film, shot, by_time()))


def _in_step(film: Film) -> None:
    """Lanes in lockstep, a frame of each a tick. They checkpoint at common ticks, and restart there together.

    A batch of four is not a batch of one, to the bit: so it is the same film after an interruption.
    """
    every = max(1, round(SEGMENT * film.source.clip.rate))
    begun = begins(film.shots, film.dreamer.lanes)
    film.work.keep_only(done_in_step(film.shots, begun, film.work.segments, every))
    film.work.generations = 2  # a lane may be one checkpoint ahead of the others
    left = [
        (shot, tick) for shot, tick in zip(film.shots, begun, strict=True) if not film.work.has_done(shot)
    ]
    step = Lockstep(film.dreamer.together, film.dreamer.lanes, len(left))

    def chain(film: Film, order: int, shot: Shot) -> None:
        ahead = left[order][1] - shot.first  # the tick of frame 0

        def begins(dreamt: Dreamt, first: Frame) -> bool:
            """At every common tick."""
            return (dreamt.frame.index + ahead) % every == 0

        dream_shot(film, shot, _first_of(begins), partial(step.ask, order))
        step.end()

    in_lanes([(film, shot) for shot, _ in left], film.dreamer.lanes, chain, step.fail)


def in_lanes(
    chains: Sequence[tuple[Film, Shot]],
    lanes: int,
    dream: Callable[[Film, int, Shot], None],
    fail: Callable[[BaseException], None] | None = None,
) -> None:
    """Every shot by the next lane that is free. The first error ends all lanes after their frame, and is raised.

    dream: given a film, the order of the shot among all, and the shot. fail: told of that error, for lanes that wait.
    """
    turn, failed = threading.Lock(), threading.Event()

    def watched(film: Film) -> Film:
        def watch(dreamt: Dreamt) -> None:
            if failed.is_set():
                raise _OthersFailed
            with turn:
                film.watch(dreamt)

        return replace(film, watch=watch)

    def run(order: int, film: Film, shot: Shot) -> None:
        if failed.is_set():
            return
        try:
            dream(watched(film), order, shot)
        except BaseException as error:
            failed.set()
            if fail is not None:
                fail(error)
            raise

    with ThreadPoolExecutor(lanes, thread_name_prefix="lane") as pool:
        running = [pool.submit(run, order, film, shot) for order, (film, shot) in enumerate(chains)]
        try:
            wait(running, return_when=FIRST_EXCEPTION)
        finally:
            failed.set()
    errors = [error for lane in running if (error := lane.exception()) is not None]
    for error in sorted(errors, key=lambda error: isinstance(error, _OthersFailed)):
        raise error


class _OthersFailed(Exception):  # noqa: N818  no error of its own
    """Said to a lane whose film another lane has ended."""
