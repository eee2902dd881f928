"""Workdir: the plan of a render, what is done, what is left. One folder beside the output until it is whole.

clip_dream.mp4.dreamwork/
  lock, owner              held by the process that works here alone
  00000048.shot            the lock of a shot, where several processes share the film
  plan.json                what the bytes depend on, fixed before the first dream
  shots.json               where each shot begins and ends, where that is known beforehand
  00000048.json            a finished segment: its frames and times; written last, so what has it is done (but lanes
                           in lockstep go back to where all had been: `render._in_step`)
  00000048.mp4             its film, in whatever container (none where frames are files of their own)
  00000048.safetensors     what its last frame leaves to the next, if anything; only the newest of an open shot;
                           of a window that is not done: what each of its keyframes leaves, where those went ahead
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from bisect import insort
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import locks, states
from pipeline.clip import WHOLE, Segment, Shot
from pipeline.errors import DeviceError, OutputError, UsageError
from pipeline.files import whole
from pipeline.locks import LOCKS, alone_in
from pipeline.plan import Plan, differences

if TYPE_CHECKING:
    import torch

    from pipeline.stages.carry import Carried

PLAN = "plan.json"
SHOTS = "shots.json"


@dataclass
class Workdir:
    """segments: those that are done, in order. keep: leave the folder, and every state, when all is done.

    spent: what is here is not needed any more. generations: 1 or 2 of an open shot's newest states are kept.
    """

    folder: Path
    keep: bool = False
    segments: list[Segment] = field(default_factory=list)
    spent: bool = False
    generations: int = 1
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @staticmethod
    @contextmanager
    def open(
        folder: Path, plan: Plan, *, fresh: bool = False, keep: bool = False, resume: bool = False
    ) -> Iterator[Workdir]:
        """Go on with `folder` when it was started with this very plan, or begin it; nobody else may meanwhile.

        fresh: begin it in any case. resume: in no case. When the block ends, what is not needed is removed.
        Raises UsageError when it was started with another plan, naming what differs, and OutputError when the
        folder is somebody else's, in use, or cannot be written.
        """
        with alone_in(folder, PLAN):
            work = Workdir(folder, keep, [] if fresh else _done(folder, plan))
            if resume and not work.segments:
                raise UsageError(
                    f"--resume: there is nothing to go on with in {folder}. Leave it out to begin."
                )
            if not work.segments:
                _clear(folder)
                with whole(folder / PLAN) as part:
                    part.write_text(json.dumps(plan, indent=1), encoding="utf-8")
            try:
                yield work
            finally:
                if not work.segments or (work.spent and not keep):
                    _clear(folder)

    @staticmethod
    def begin(folder: Path, plan: Plan, find: Callable[[], Sequence[Shot]]) -> tuple[Shot, ...]:
        """Write down what is to be dreamed, for processes that will share it. Gives the shots; `find` looks for them.

        Goes on with what is done. Raises as `open` does, once nobody lets go of the folder in a moment.
        """
        with alone_in(folder, PLAN, locks.A_MOMENT):
            work = Workdir(folder, True, _done(folder, plan))
            if not work.segments and not _is_of(folder, plan):
                _clear(folder)
                with whole(folder / PLAN) as part:
                    part.write_text(json.dumps(plan, indent=1), encoding="utf-8")
            return work.shots(find)

    @staticmethod
    def has_begun(folder: Path, plan: Plan) -> bool:
        """Whether the folder was begun with this very plan."""
        return _is_of(folder, plan)

    @staticmethod
    @contextmanager
    def shared(folder: Path, plan: Plan, shots: Sequence[Shot], *, keep: bool = False) -> Iterator[Workdir]:
        """Some shots of what was begun, with their segments alone, while other processes dream others.

        Raises as `open` does, and OutputError where one of the shots is being dreamed already.
        """
        with ExitStack() as held:
            for shot in shots:
                held.enter_context(locks.shared(folder, f"{shot.first:08d}"))
            if not _is_of(folder, plan):
                _done(folder, plan)
                raise OutputError(f"{folder}: was begun with other settings. --fresh starts over.")
            yield Workdir(folder, keep, _segments(folder, shots))

    @staticmethod
    @contextmanager
    def again(folder: Path) -> Iterator[tuple[Workdir, Plan]]:
        """A film that was kept, and the plan it was made by, for this process alone; it stays as it is."""
        with alone_in(folder, PLAN):
            yield Workdir(folder, True, _segments(folder)), _read(folder / PLAN)

    @property
    def frames(self) -> int:
        """How many are done."""
        return sum(segment.end - segment.first for segment in self.segments)

    def last_of(self, shot: Shot) -> Segment | None:
        """The newest segment of a shot, which go one after the other; None where none is done."""
        last = None
        for segment in self.segments:
            if shot.holds(segment.first) and segment.first == (shot.first if last is None else last.end):
                last = segment
        return last

    def has_done(self, shot: Shot) -> bool:
        """Whether every piece of a shot stands."""
        last = self.last_of(shot)
        return last is not None and last.end == shot.end

    def keep_only(self, segments: Sequence[Segment]) -> None:
        """Forget the others, which are dreamed again."""
        for segment in [own for own in self.segments if own not in segments]:
            self._record(segment).unlink(missing_ok=True)
            self.segments.remove(segment)

    def shots(self, find: Callable[[], Sequence[Shot]]) -> tuple[Shot, ...]:
        """Those of the film, as they were found once and written down here, or else as `find` tells them now."""
        told = self.folder / SHOTS
        if not told.is_file():
            with whole(told) as part:
                part.write_text(json.dumps({"shots": [asdict(shot) for shot in find()]}), encoding="utf-8")
        return tuple(Shot(**shot) for shot in _read(told)["shots"])

    @property
    def knows_shots(self) -> bool:
        """Whether the film was looked through for cuts."""
        return (self.folder / SHOTS).is_file()

    def film(self, first: int) -> Path:
        """The film of the segment that begins with frame `first`."""
        return self.folder / f"{first:08d}.mp4"

    def _state(self, segment: Segment | Shot) -> Path:
        return self.folder / f"{segment.first:08d}.safetensors"

    def finish(self, segment: Segment, carried: Carried | None, shot: Shot = WHOLE) -> None:
        """Record a segment of a shot as done, its film standing already, and what it leaves (None: nothing)."""
        # All lanes have the one before it, which nobody goes further back than; so at most two ever stand.
        if not self.keep:
            self._forget(segment, shot, 2)
        if self.keep or segment.end != shot.end:
            states.write(self._state(segment), carried)
        else:
            self._state(segment).unlink(missing_ok=True)
        with whole(self._record(segment)) as part:
            part.write_text(json.dumps(asdict(segment)), encoding="utf-8")
        with self._turn:
            insort(self.segments, segment, key=lambda own: own.first)
        if not self.keep and self.generations == 1:
            self._forget(segment, shot, 1)

    def _record(self, segment: Segment | Shot) -> Path:
        return self.folder / f"{segment.first:08d}.json"

    def _forget(self, segment: Segment, shot: Shot, back: int) -> None:
        """The state so many segments before this one in its shot."""
        for _ in range(back):
            before = [own for own in tuple(self.segments) if own.end == segment.first]
            if segment.first == shot.first or not before:
                return
            segment = before[0]
        self._state(segment).unlink(missing_ok=True)

    def left_by(self, segment: Segment | Shot, device: torch.device) -> Carried | None:
        """What this one leaves to the frame after it, None for nothing. OutputError: was not kept, or is damaged."""
        left = states.read(self._state(segment), device)
        return left[-1] if left else None

    def go_ahead(self, window: Shot, keys: Sequence[Carried | None]) -> None:
        """Keep what the keyframes of a window leave, for whoever dreams what lies between them."""
        states.write(self._state(window), *keys)

    def went_ahead(self, window: Shot) -> bool:
        """Whether the keyframes of a window that is not done need not be dreamed."""
        return self._state(window).is_file()

    def keys_of(self, window: Shot, device: torch.device) -> list[Carried]:
        """What they leave, each; nothing where they did not go ahead. OutputError where it is damaged."""
        return states.read(self._state(window), device) if self.went_ahead(window) else []

    def let_go(self, window: Shot, following: Shot) -> None:
        """Forget what a window leaves once it and the one that follows are done, by whichever process."""
        if not self.keep and self._record(window).is_file() and self._record(following).is_file():
            self._state(window).unlink(missing_ok=True)

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Inside, what interrupts the work is given a note of what is kept."""
        try:
            yield
        except (KeyboardInterrupt, DeviceError, OutputError, OSError) as stop:
            stop.add_note(self.kept())
            raise

    def kept(self) -> str:
        """What an interruption leaves, for people."""
        if not self.segments:
            return "Nothing is kept yet: not two seconds of a shot were done. The same command begins again."
        return f"{self.frames} frames are kept in {self.folder}; the same command goes on."


def _clear(folder: Path) -> None:
    """An empty plan says, before the first file goes, that what is left after a kill is of no use; it goes last."""
    plan = folder / PLAN
    if plan.is_file():
        os.truncate(plan, 0)
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in (*LOCKS, PLAN):
            path.unlink()
    plan.unlink(missing_ok=True)


def _has_plan(folder: Path) -> bool:
    return (folder / PLAN).is_file() and (folder / PLAN).stat().st_size > 0


def _done(folder: Path, plan: Plan) -> list[Segment]:
    """The segments that were finished under this very plan. UsageError: they were under another."""
    if not any(folder.glob("[0-9]*.json")) or ((folder / PLAN).is_file() and not _has_plan(folder)):
        return []
    if different := differences(_read(folder / PLAN), json.loads(json.dumps(plan))):
        raise UsageError(
            f"{folder}: was started with other settings: {', '.join(different)}.\n"
            "Give the same again to go on, or --fresh to start over."
        )
    return _segments(folder)


def _is_of(folder: Path, plan: Plan) -> bool:
    """It was begun with this very plan."""
    return _has_plan(folder) and not differences(_read(folder / PLAN), json.loads(json.dumps(plan)))


def _segments(folder: Path, shots: Sequence[Shot] = (WHOLE,)) -> list[Segment]:
    """Those that are done, of some shots."""
    records = sorted(folder.glob("[0-9]*.json"))
    return [Segment(**_read(r)) for r in records if any(shot.holds(int(r.stem)) for shot in shots)]


def whole_film(folder: Path) -> Plan | None:
    """The plan of a film that stands in `folder` from its first frame to its last; None where none does."""
    if not _has_plan(folder):
        return None
    plan, segments = _read(folder / PLAN), _segments(folder)
    done = sum(segment.end - segment.first for segment in segments)
    return plan if segments and done == plan.get("frames", {}).get("count") else None


def planned_threads(folder: Path) -> int:
    """The threads of the plan in `folder`; 0 when there is none to go by."""
    return int(_read(folder / PLAN)["encoding"]["threads"]) if _has_plan(folder) else 0


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise OutputError(f"{path}: is damaged ({error}). --fresh starts over.") from None
