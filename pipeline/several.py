"""Several: films of several sources, one after the other, or side by side where lanes would else stand empty."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pipeline import hearing
from pipeline.clip import Frame, Shot
from pipeline.destination import Destination
from pipeline.dreamt import Dreamt, Due
from pipeline.errors import DreamError, InputError, OutputError, UsageError
from pipeline.film import Look, Made, Making, Watch, begun, make
from pipeline.lanes import Lockstep
from pipeline.render import Film, by_time, dream_shot, in_lanes, in_step
from pipeline.sources import Source

if TYPE_CHECKING:
    from pipeline.dreamer import Dreamer

OPEN = 64  # films at most that are open at once
OWN = (InputError, OutputError, UsageError)
"""What is wrong with one film, and keeps no other from being made."""


class Wanted(NamedTuple):
    source: Source
    destination: Destination


@dataclass(frozen=True)
class Audience:
    """begin: told of each film how many of its frames are done already. watch: called after every frame.

    look: for every frame that is looked through for cuts. tell: what became of a film, or what is wrong with it.
    """

    begin: Callable[[int], None]
    watch: Watch
    look: Look
    tell: Callable[[Wanted, Made | DreamError], None]


def make_all(wanted: Sequence[Wanted], dreamer: Dreamer, audience: Audience, command: str = "") -> None:
    """Dream every source into its destination, going on where that was interrupted. Raises what ends them all.

    As many films as the dreamer has lanes, or more, go side by side, in lanes that they share; fewer go one after
    the other, each in lanes of its own, and so do all of them where keyframes are asked for by number.
    """
    if 1 < dreamer.lanes <= len(wanted) and dreamer.settings.speed.keyframes in ("auto", "off"):
        shared = dreamer.again(dreamer.settings)
        shared.keyframes = None
        for first in range(0, len(wanted), OPEN):
            _abreast(wanted[first : first + OPEN], shared, audience, command)
        return
    for one in wanted:
        told: Made | DreamError
        try:
            own = dreamer.again(hearing.heard(dreamer.settings, one.source))
            told = make(
                one.source, own, one.destination, audience.begin, audience.watch, command, audience.look
            )
        except OWN as error:
            told = error
        audience.tell(one, told)


@dataclass
class _Begun:
    """A film whose work folder `held` keeps open. left: shots to be dreamed. wrong: with its source."""

    one: Wanted
    making: Making
    film: Film
    held: ExitStack
    left: int = 0
    wrong: InputError | None = None


def _abreast(wanted: Sequence[Wanted], dreamer: Dreamer, audience: Audience, command: str) -> None:
    """The shots of all films, in order, each by the next lane that is free; a film is joined beside that.

    Lanes are threads on a CPU, where what one dreams does not depend on the others. On a GPU they go in lockstep;
    there the last bits of a film depend on those beside it.
    """
    with ExitStack() as held:
        films = list(_all_begun(wanted, dreamer, audience, command, held))
        chains = [(own, shot) for own in films for shot in own.film.shots if not own.film.work.has_done(shot)]
        for own, _ in chains:
            own.left += 1
        lockstep = Lockstep(_together, dreamer.lanes, len(chains)) if in_step(dreamer) else None
        turn = threading.Lock()
        with _noting(films), ThreadPoolExecutor(1, thread_name_prefix="finish") as finisher:
            finishing = [finisher.submit(_finish, own, audience) for own in films if not own.left]

            def dream(film: Film, order: int, shot: Shot) -> None:
                own = chains[order][0]
                try:
                    if own.wrong is None:
                        dream_shot(film, shot, by_time(), _asking(lockstep, order, film.dreamer))
                except InputError as error:
                    own.wrong = error
                if lockstep is not None:
                    lockstep.end()
                with turn:
                    own.left -= 1
                    if not own.left:
                        finishing.append(finisher.submit(_finish, own, audience))

            fail = lockstep.fail if lockstep else None
            in_lanes([(own.film, shot) for own, shot in chains], dreamer.lanes, dream, fail)
            for finished in finishing:
                finished.result()


def _all_begun(
    wanted: Sequence[Wanted], dreamer: Dreamer, audience: Audience, command: str, held: ExitStack
) -> Iterator[_Begun]:
    """Those films that can be, their cuts looked for side by side; of the others it is told why not."""
    turn = threading.Lock()

    def look(frame: Frame) -> None:
        with turn:
            audience.look(frame)

    def begin(one: Wanted, own: ExitStack) -> _Begun | DreamError:
        try:
            settings = hearing.heard(dreamer.settings, one.source)
            by = dreamer if settings.pulse == dreamer.settings.pulse else dreamer.again(settings)
            making = own.enter_context(begun(one.source, by, one.destination, command))
            return _Begun(one, making, making.film(audience.watch, look), own)
        except OWN as error:
            own.close()
            return error

    with ThreadPoolExecutor(dreamer.lanes, thread_name_prefix="cuts") as pool:
        for one, found in zip(
            wanted, pool.map(begin, wanted, [held.enter_context(ExitStack()) for _ in wanted]), strict=True
        ):
            if isinstance(found, DreamError):
                audience.tell(one, found)
            else:
                audience.begin(found.making.already)
                yield found


def _asking(
    lockstep: Lockstep[tuple[Dreamer, Due], Dreamt] | None, order: int, dreamer: Dreamer
) -> Callable[[Due], Dreamt] | None:
    """What dreams the frames of a shot, together with those of other lanes; None where they are dreamed alone."""
    return None if lockstep is None else lambda due: lockstep.ask(order, (dreamer, due))


def _together(asked: Sequence[tuple[Dreamer, Due]]) -> list[Dreamt]:
    """A frame of each lane, by the dreamer of its film: as one batch where that is the same."""
    places: dict[int, list[int]] = {}
    for place, (dreamer, _) in enumerate(asked):
        places.setdefault(id(dreamer), []).append(place)
    dreamt: dict[int, Dreamt] = {}
    for own in places.values():
        dreamt |= zip(own, asked[own[0]][0].together([asked[place][1] for place in own]), strict=True)
    return [dreamt[place] for place in range(len(asked))]


def _finish(own: _Begun, audience: Audience) -> None:
    """Join a film whose shots are dreamed, and tell of it."""
    told: Made | DreamError
    with own.held:
        try:
            told = own.wrong or own.making.finish()
        except OWN as error:
            told = error
    audience.tell(own.one, told)


@contextmanager
def _noting(films: Sequence[_Begun]) -> Iterator[None]:
    """Inside, what interrupts the work is given a note of what is kept."""
    try:
        yield
    except (KeyboardInterrupt, DreamError, OSError) as stop:
        open_ = [own.film.work for own in films if not own.film.work.spent]
        frames = sum(work.frames for work in open_)
        stop.add_note(f"{frames} frames of {len(open_)} unfinished films are kept; the same command goes on.")
        raise
