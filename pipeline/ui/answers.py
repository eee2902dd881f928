"""Answers: what the page does when something is chosen on it. Values of its parts in, new ones out, bit by bit."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.clip import Picture
from pipeline.errors import DreamError, printable
from pipeline.net.cards import CARDS
from pipeline.ui.choice import Choice
from pipeline.ui.studio import SECONDS, Studio, SupersededError, Turn, shown
from pipeline.ui.thumbs import thumbs

LOOK_EVERY = 0.15  # seconds between two looks at a dream under way
TOGETHER = 1.0  # seconds of layers that are shown at once

Shown = list[tuple[Picture, str]]


@dataclass
class Answers:
    """gr: the library of the page. folder: where pieces are written. done: the latest dream each open page shows."""

    gr: Any
    studio: Studio
    folder: Path
    done: dict[str, object] = field(default_factory=dict)

    def opened(self, file: str | None) -> tuple[Any, Any, Any]:
        """Another input: what there is only for a clip is shown or hidden."""
        try:
            moves = self.studio.subject(file).moves
        except DreamError:  # which the dream will tell of
            moves = False
        return self.gr.update(visible=moves), self.gr.update(visible=moves), self.gr.update(visible=False)

    def network(self, model: str) -> list[Any]:
        """Another network, with what suits it: layers, objective, strength, steadiness, octaves, step, size."""
        own = self.studio.base.first(model)
        return [
            own.layers, own.objective, self.gr.skip(), self.gr.skip(), own.octaves, own.step, self.gr.skip(),
        ]  # fmt: skip

    def dream(
        self, file: str | None, name: str, moment: int, *knobs: Any, session: str
    ) -> Iterator[tuple[Any, Any, Any]]:
        """The picture, a line on it, and the command; or, of what cannot be dreamed, that line alone."""
        key, skip = (file, moment, knobs), self.gr.skip()
        if self.done.get(session) == key:
            yield skip, skip, skip
            return
        self.done.pop(session, None)
        turn, began = self.studio.turn(session), time.monotonic()
        try:
            choice = Choice(*knobs)
            line = self.studio.base.command(self._name(file, name), choice)
            going = self.studio.dream(file, int(moment), choice, turn)
            for _ in _until(going):
                yield skip, _under_way(turn, choice), skip
            picture = going.result()
        except SupersededError:  # this page shows what came after
            yield skip, skip, skip
            return
        except DreamError as error:
            yield skip, _said(error), skip
            return
        self.done[session] = key
        size = f"{picture.shape[1]}x{picture.shape[0]}"
        fitted = shown(picture)
        smaller = f", shown at {fitted.shape[1]}x{fitted.shape[0]}" if fitted.shape != picture.shape else ""
        yield fitted, f"{size}{smaller}, in {time.monotonic() - began:.1f} s. {self._terms(choice)}", line

    def layers(self, model: str, *, session: str) -> Iterator[tuple[Any, Any]]:
        """Pictures of a network's layers and motifs, and what --layers takes for each; as they are made."""
        turn = self.studio.turn(f"{session}/layers")
        found: Shown = []
        spoke = time.monotonic()
        yield self.gr.update(value=[], label="Layers: being dreamed, once for this network"), []
        try:
            choice = self.studio.base.first(model)
            settings = self.studio.base.own(model)
            network = self.studio.make(lambda: self.studio.network(choice)).result()
            making = thumbs(network, settings, turn.heed)
            while (one := self.studio.make(lambda: next(making, None)).result()) is not None:
                found.append((one.picture, one.layers))
                if time.monotonic() - spoke > TOGETHER:
                    spoke = time.monotonic()
                    yield self.gr.update(value=list(found)), [name for _, name in found]
        except SupersededError:
            yield self.gr.skip(), self.gr.skip()
            return
        except DreamError as error:
            yield self.gr.update(label=_said(error)), []
            return
        yield (
            self.gr.update(value=found, label="Layers, near the picture first: click one"),
            [name for _, name in found],
        )

    def chosen(self, names: list[str], place: int) -> Any:
        """A picture of a layer was clicked."""
        return names[place] if 0 <= place < len(names) else self.gr.skip()

    def piece(self, file: str | None, *knobs: Any, session: str) -> Iterator[tuple[Any, Any, Any]]:
        """A piece of the clip that plays, a line on it, and whether there is anything to stop."""
        turn, gr, began = self.studio.turn(session), self.gr, time.monotonic()
        self.done.pop(session, None)
        yield gr.skip(), "...", gr.update(visible=True)
        folder = self.folder / f"{time.monotonic_ns()}"
        folder.mkdir()
        try:
            going = self.studio.piece(file, Choice(*knobs), folder, turn)
            for _ in _until(going):
                yield gr.skip(), f"frame {turn.frames} of {turn.of_frames or '...'}", gr.skip()
            film = going.result()
        except SupersededError:
            stopped = gr.skip() if self.studio.wanted(session) else "stopped"
            yield gr.skip(), stopped, gr.update(visible=False)
            return
        except DreamError as error:
            yield gr.skip(), _said(error), gr.update(visible=False)
            return
        line = f"{SECONDS:g} seconds, in {time.monotonic() - began:.0f} s; the command makes the whole film"
        yield gr.update(value=str(film), visible=True), line, gr.update(visible=False)

    def stopped(self, *, session: str) -> None:
        self.studio.leave(session)

    def left(self, *, session: str) -> None:
        """The page was closed."""
        self.studio.leave(session)
        self.studio.leave(f"{session}/layers")
        self.done.pop(session, None)

    def _name(self, file: str | None, name: str) -> str:
        """INPUT as the command has it: a file's own name, or what the page was opened with."""
        return (name or Path(file).name) if file else self.studio.source or ""

    @staticmethod
    def _terms(choice: Choice) -> str:
        card = CARDS.get(choice.model)
        return f"{choice.model}: {card.licence}" if card else ""


def _until(going: Future[Any]) -> Iterator[None]:
    """Ticks until it is done, well or ill."""
    while not going.done():
        yield
        time.sleep(LOOK_EVERY)


def _under_way(turn: Turn, choice: Choice) -> str:
    return (
        f"dreaming {choice.layers}: step {turn.steps} of {turn.of}" if turn.of else f"opening {choice.model}"
    )


def _said(error: DreamError) -> str:
    """A line for the page: nothing in it is taken for more than text."""
    return printable(str(error)).replace("\n", " ")
