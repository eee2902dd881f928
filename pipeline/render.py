"""Render: the walk. Frames go by; each is read, moved, carried, dreamed and written.

Read first. The walk of one frame is `Dreamer._batch`; that of a shot is `_dream`; that of a film is `render`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from pipeline.clip import WHOLE, Deep, Frame, Picture, Segment, Shot
from pipeline.dreamt import Dreamt, Due
from pipeline.lanes import Lockstep, begins, done_in_step
from pipeline.sources import Source
from pipeline.workdir import Workdir

if TYPE_CHECKING:
    from pipeline.dreamer import Dreamer
    from pipeline.keyframes import Keyframes

SEGMENT = 2  # seconds of film at most between two checkpoints

Write = Callable[[Picture | Deep, Frame], None]

Reel = AbstractContextManager[Write]
"""Where pictures go: inside it, a function that writes one."""

First = Callable[[Dreamt], Frame]
"""The first frame of the segment a frame is in."""


@dataclass(frozen=True)
class _Film:
    """What is dreamed, by whom, into which folder, and who watches."""

    source: Source
    dreamer: Dreamer
    work: Workdir
    reel: Callable[[int], Reel]
    watch: Callable[[Dreamt], None]


def render(
    source: Source,
    dreamer: Dreamer,
    work: Workdir,
    reel: Callable[[int], Reel],
    watch: Callable[[Dreamt], None],
    shots: Sequence[Shot] = (WHOLE,),
) -> None:
    """Dream what is left of a film, or of some of its shots, segment by segment; each is done once it is in `work`.

    reel: given a segment's first frame, where its pictures are written. watch: called after every frame, by one
    lane at a time. Shots that are known beforehand are dreamed side by side, in as many lanes as the dreamer has:
    on a CPU each in a thread of its own, on a GPU in lockstep, as one batch. With keyframes it is the stretches of
    one shot that go side by side, and the shots follow one another.
    """
    film = _Film(source, dreamer, work, reel, watch)
    if dreamer.keyframes:
        for shot in shots:
            _dream(film, shot, _windows(dreamer.keyframes, shot))
    elif dreamer.lanes == 1 or len(shots) == 1:
        for shot in shots:
            _dream(film, shot, _first_of(_timed))
    elif dreamer.device.type == "cpu":
        _abreast(film, shots)
    else:
        _in_step(film, shots)


def _dream(film: _Film, shot: Shot, first_of: First, dream: Callable[[Due], Dreamt] | None = None) -> None:
    """What is left of a shot. first_of: told of each frame in turn. dream: what dreams each, if not the dreamer."""
    last = film.work.last_of(shot)
    if last is not None and last.end == shot.end:
        return
    carried = None if last is None else film.work.left_by(last, film.dreamer.device)
    dreams = film.dreamer.walk(film.source, last, carried, shot, dream)
    with closing(dreams):
        for first, segment in groupby(dreams, key=first_of):
            with film.reel(first.index) as write:
                for dreamt in segment:
                    write(dreamt.deep or dreamt.picture, dreamt.frame)
                    film.watch(dreamt)
            done = Segment(first.index, dreamt.frame.index + 1, first.pts, dreamt.pts)
            film.work.finish(done, dreamt.carried, shot)


def _timed(dreamt: Dreamt, first: Frame) -> bool:
    """A new segment begins at a cut and after two seconds."""
    return dreamt.cut or dreamt.frame.time - first.time >= SEGMENT


def _windows(keyframes: Keyframes, shot: Shot) -> First:
    """A new segment begins with each window: what its last keyframe leaves is all that the next one needs."""
    return _first_of(lambda dreamt, first: keyframes.begins(dreamt.frame.index, shot))


def _first_of(begins: Callable[[Dreamt, Frame], bool]) -> First:
    """begins: whether a new segment does with this frame, given the first of the one before."""
    first: Frame | None = None

    def first_of(dreamt: Dreamt) -> Frame:
        nonlocal first
        if first is None or begins(dreamt, first):
            first = dreamt.frame
        return first

    return first_of


def _abreast(film: _Film, shots: Sequence[Shot]) -> None:
    """Lanes that do not wait for one another: what one dreams does not depend on the others in a single bit."""
    _lanes(film, lambda film, order, shot: _dream(film, shot, _first_of(_timed)), shots, lambda error: None)


def _in_step(film: _Film, shots: Sequence[Shot]) -> None:
    """Lanes in lockstep, a frame of each a tick. They checkpoint at common ticks, and restart there together.

    A batch of four is not a batch of one, to the bit: so it is the same film after an interruption.
    """
    every = max(1, round(SEGMENT * film.source.clip.rate))
    begun = begins(shots, film.dreamer.lanes)
    film.work.keep_only(done_in_step(shots, begun, film.work.segments, every))
    film.work.generations = 2  # a lane may be one checkpoint ahead of the others
    left = [
        (shot, tick)
        for shot, tick in zip(shots, begun, strict=True)
        if (last := film.work.last_of(shot)) is None or last.end != shot.end
    ]
    step = Lockstep(film.dreamer.together, film.dreamer.lanes, len(left))

    def chain(film: _Film, order: int, shot: Shot) -> None:
        ahead = left[order][1] - shot.first  # the tick of frame 0

        def begins(dreamt: Dreamt, first: Frame) -> bool:
            """At every common tick."""
            return (dreamt.frame.index + ahead) % every == 0

        _dream(film, shot, _first_of(begins), partial(step.ask, order))
        step.end()

    _lanes(film, chain, [shot for shot, _ in left], step.fail)


def _lanes(
    film: _Film,
    chain: Callable[[_Film, int, Shot], None],
    shots: Sequence[Shot],
    fail: Callable[[BaseException], None],
) -> None:
    """Every shot by the next lane that is free. The first error ends all lanes after their frame, and is raised.

    fail: told of it, for lanes that wait.
    """
    turn, failed = threading.Lock(), threading.Event()

    def watch(dreamt: Dreamt) -> None:
        if failed.is_set():
            raise _OthersFailed
        with turn:
            film.watch(dreamt)

    def run(order: int, shot: Shot) -> None:
        if failed.is_set():
            return
        try:
            chain(_Film(film.source, film.dreamer, film.work, film.reel, watch), order, shot)
        except BaseException as error:
            failed.set()
            fail(error)
            raise

    with ThreadPoolExecutor(film.dreamer.lanes, thread_name_prefix="lane") as pool:
        running = [pool.submit(run, order, shot) for order, shot in enumerate(shots)]
        try:
            wait(running, return_when=FIRST_EXCEPTION)
        finally:
            failed.set()
    errors = [error for lane in running if (error := lane.exception()) is not None]
    for error in sorted(errors, key=lambda error: isinstance(error, _OthersFailed)):
        raise error


class _OthersFailed(Exception):  # noqa: N818  no error of its own
    """Said to a lane whose film another lane has ended."""
