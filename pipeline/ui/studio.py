"""Studio: dreams for the page, one at a time, each ended when another is wanted. Files, choices in, pictures out."""

from __future__ import annotations

import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from PIL import Image

from pipeline import film
from pipeline.clip import Clip, Flow, Frame, Picture, Size, Tick, fit
from pipeline.destination import Destination
from pipeline.dreamer import Dreamer
from pipeline.dreamt import Dreamt
from pipeline.errors import InputError
from pipeline.net import zoo
from pipeline.net.tap import Network
from pipeline.settings import Input, Output, Run
from pipeline.sources import ClipSource, SceneSource, Source, again, middle, open_source
from pipeline.stages import stills
from pipeline.ui.choice import Base, Choice

LARGEST = 40e6  # pixels of a picture or a frame; a dream's arrays are some fifty bytes for each
MOMENTS = 5  # of a clip, to choose the one shown from: those of --preview 5
KEPT = 2  # inputs, and networks, that are held at once
SECONDS = 3.0  # of a piece
SHOWN = "max:1600"  # a browser needs no more

T = TypeVar("T")


class SupersededError(Exception):
    """Not of the user's making: another choice was made, or the page was closed."""


@dataclass
class Turn:
    """One dream that was asked for. steps: it has taken, of about `of`; frames: of a piece, of `of_frames`."""

    over: threading.Event = field(default_factory=threading.Event)
    steps: int = 0
    of: int = 0
    frames: int = 0
    of_frames: int = 0

    def heed(self) -> None:
        """Before every step. Raises SupersededError once another is wanted."""
        if self.over.is_set():
            raise SupersededError
        self.steps += 1


@dataclass(frozen=True)
class Subject:
    """What is dreamed on. frames: the picture, or moments across a clip."""

    clip: Clip
    frames: tuple[Frame, ...]

    @property
    def moves(self) -> bool:
        """Whether it is a film."""
        return self.clip.frames != 1


@dataclass
class Studio:
    """base: what the page was opened with. source: INPUT as it was given; None for the drawn scene.

    All dreams are made by one thread, so that each has all cores, and gives the very pixels its command gives.
    """

    base: Base
    source: str | None = None
    _turns: dict[str, Turn] = field(default_factory=dict)
    _subjects: OrderedDict[str, Subject] = field(default_factory=OrderedDict)
    _networks: OrderedDict[tuple[str, str | None], Network] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _hands: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "studio"))

    def turn(self, session: str) -> Turn:
        """A new one of a page that is open; the one before is over."""
        with self._lock:
            if before := self._turns.get(session):
                before.over.set()
            self._turns[session] = Turn()
            return self._turns[session]

    def leave(self, session: str) -> None:
        """The page was closed, or all is to stop: what it had asked for is over."""
        with self._lock:
            if turn := self._turns.pop(session, None):
                turn.over.set()

    def wanted(self, session: str) -> bool:
        """Whether a page has anything under way, or done last."""
        return session in self._turns

    def close(self) -> None:
        """End all that is under way."""
        for session in list(self._turns):
            self.leave(session)
        self._hands.shutdown(cancel_futures=True)

    def dream(self, upload: str | None, moment: int, choice: Choice, turn: Turn) -> Future[Picture]:
        """Begin one frame. upload: a file; None: what the page was opened with. moment: 1..MOMENTS, of a clip.

        Its result raises SupersededError, and the errors of pictures, networks and layers.
        """
        return self._hands.submit(self._dream, upload, moment, choice, turn)

    def piece(self, upload: str | None, choice: Choice, folder: Path, turn: Turn) -> Future[Path]:
        """Begin SECONDS of the middle of a clip, as a film in `folder`. Errors as of `dream`."""
        return self._hands.submit(self._piece, upload, choice, folder, turn)

    def make(self, work: Callable[[], T]) -> Future[T]:
        """Anything else that takes the cores, when its time comes."""
        return self._hands.submit(work)

    def subject(self, upload: str | None) -> Subject:
        """InputError for what cannot be read, or is too large for a page."""
        name = upload or self.source or ""
        with self._lock:
            if name not in self._subjects:
                while len(self._subjects) >= KEPT:
                    self._subjects.popitem(last=False)
                self._subjects[name] = _opened(name, self.base)
            return self._subjects[name]

    def network(self, choice: Choice) -> Network:
        """That of a choice, loaded when it is first asked for. Raises what loading raises."""
        dream = self.base.settings_of(choice).dream
        key = dream.model, dream.weights
        if key not in self._networks:
            while len(self._networks) >= KEPT:
                self._networks.popitem(last=False)
            self._networks[key] = zoo.load(*key, progress=False)
        return self._networks[key]

    def _dream(self, upload: str | None, moment: int, choice: Choice, turn: Turn) -> Picture:
        if turn.over.is_set():
            raise SupersededError
        subject = self.subject(upload)
        frame = subject.frames[min(moment, len(subject.frames)) - 1]
        dreamer = self._dreamer(choice, turn)
        size = dreamer.size(frame.size)
        steps = dreamer.settings.dream.iterations.constant or 0
        turn.of = round(steps * len(dreamer.look.sizes(size)))
        return dreamer.dream(Tick(frame, Flow.none(size)), clip=subject.clip).picture

    def _dreamer(self, choice: Choice, turn: Turn) -> Dreamer:
        dreamer = Dreamer(self.base.settings_of(choice), network=self.network(choice))
        dreamer.look = replace(dreamer.look, heed=turn.heed)
        return dreamer

    def _piece(self, upload: str | None, choice: Choice, folder: Path, turn: Turn) -> Path:
        turn.heed()
        dreamer = self._dreamer(choice, turn)
        own = Output(preview_seconds=SECONDS, encoder_preset="veryfast", codec="h264", hdr="sdr")
        dreamer.settings = dreamer.settings.model_copy(update={"run": Run(fresh=True), "output": own})
        name = upload or self.source
        whole = open_source(name, dreamer.settings.input) if name else SceneSource.of(dreamer.settings.input)
        clip = isinstance(whole, ClipSource)
        piece = again(whole, middle(whole, dreamer.settings) if clip else Input(end=f"{SECONDS:g}s"))
        turn.of_frames = piece.clip.frames or 0
        destination = Destination.of(str(folder / "piece.mp4"), name or "demo", piece)

        def watch(dreamt: Dreamt) -> None:
            turn.frames += 1

        return film.make(piece, dreamer, destination, lambda done: None, watch).path


def _opened(name: str, base: Base) -> Subject:
    how = base.settings.input
    if not name:
        source: Source = SceneSource.of(how)
    else:
        check(Path(name))
        source = open_source(name, how)
    _small_enough(name, source.clip.size)
    frames = tuple(source.across(1 if source.clip.frames == 1 else MOMENTS))
    if not frames:
        raise InputError(f"{Path(name).name}: gave no frames.")
    return Subject(source.clip, tuple(replace(frame, deep=None) for frame in frames))


def check(path: Path) -> None:
    """InputError for a picture whose header says that it is too large: before any of it is read."""
    if path.suffix.lower() not in stills.SUFFIXES or path.suffix.lower() == ".exr":
        return
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as picture:
            size = Size(picture.height, picture.width)
    except Image.DecompressionBombError:
        raise InputError(f"{path.name}: is far too large for this page. {_ELSEWHERE}") from None
    except (OSError, ValueError, SyntaxError) as error:
        raise InputError(f"{path.name}: cannot be read as a picture ({error}).") from None
    _small_enough(path.name, size)


def _small_enough(name: str, size: Size) -> None:
    if size.height * size.width > LARGEST:
        megapixels = size.height * size.width / 1e6
        raise InputError(
            f"{Path(name).name}: {size} is {megapixels:.0f} megapixels; this page takes up to {LARGEST / 1e6:.0f}. "
            f"{_ELSEWHERE}"
        )


_ELSEWHERE = "dream-video takes larger ones, and --size max:4000 makes them smaller."


def shown(picture: Picture) -> Picture:
    """As large as a page needs it."""
    size = Size(*picture.shape[:2])
    return stills.resized(picture, fit(size, SHOWN)) if max(size) > 1600 else picture


def moments(subject: Subject) -> Iterator[Picture]:
    """Small pictures of what may be dreamed on."""
    for frame in subject.frames:
        yield stills.resized(frame.picture, fit(frame.size, "max:320"))
