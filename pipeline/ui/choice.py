"""Choice: what is chosen on the page, as settings and as the command that dreams the same. Values in, both out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from pipeline import looks
from pipeline.atlas.command import line
from pipeline.net.cards import CARDS
from pipeline.overrides import Layer
from pipeline.settings import Settings

OBJECTIVES = ("energy", "sparse", "mean", "invert")
SIZES = ("max:320", "max:480", "max:640", "full")
QUICK = SIZES[0]
UNASKED = ("default", "network ", "objective ")  # where a value comes from that nobody gave


@dataclass(frozen=True)
class Choice:
    """The knobs on the page, by the names of the settings."""

    model: str
    layers: str
    objective: str
    strength: float
    steadiness: float
    octaves: int
    step: float
    dream_size: str = QUICK


@dataclass(frozen=True)
class Base:
    """What the page was opened with. origins: "group.name" -> where a setting came from."""

    settings: Settings
    origins: Mapping[str, str]

    def models(self) -> list[tuple[str, str]]:
        """(what to show, name) of the networks to choose from: those that need nothing from the user."""
        own = self.settings.dream.model
        names = [name for name, card in CARDS.items() if card.builder == "builtin" or card.weights]
        shown = [(f"{n} ({CARDS[n].megabytes:.0f} MB once)" if CARDS[n].weights else n, n) for n in names]
        return [(own, own), *(pair for pair in shown if pair[1] != own)]

    def first(self, model: str = "") -> Choice:
        """What the page shows when it opens, or when another network is chosen."""
        dream, time = self.settings.dream, self.settings.time
        if model not in ("", dream.model):
            dream = looks.settle([*self._given(model), Layer("--model", {"dream": {"model": model}})])[
                0
            ].dream
        named = dream.layers or CARDS["builtin"].layers
        size = dream.dream_size if self._asked("dream", "dream_size") else QUICK
        return Choice(
            dream.model, named, dream.objective, dream.strength.constant or 1.0,
            time.steadiness.constant or 0.0, dream.octaves, dream.step.constant or 1.0, size,
        )  # fmt: skip

    def own(self, model: str) -> Settings:
        """What suits a network, whatever was asked for; on the machine as it was asked for."""
        return _own(model).model_copy(update={"speed": self.settings.speed})

    def settings_of(self, choice: Choice) -> Settings:
        """Raises UsageError, TargetError."""
        return looks.settle([*self._given(choice.model), self._layer(choice)])[0]

    def command(self, source: str, choice: Choice) -> str:
        """The line that dreams the same. source: INPUT as it is to be written, "" for the drawn scene."""
        values = {name: v for table in self._layer(choice).values.values() for name, v in table.items()}
        plain, own = _own(choice.model, objective=choice.objective), _own(choice.model)
        known = plain.dream.model_dump(mode="json") | {"steadiness": plain.time.steadiness.constant}
        known |= {"model": Settings().dream.model, "objective": own.dream.objective}
        said = {
            name: value
            for name, value in values.items()
            if value != known[name] or self._asked("time" if name == "steadiness" else "dream", name)
        }
        return line(source, self.settings, self.origins, said, without=self._left_out(choice.model))

    def _layer(self, choice: Choice) -> Layer:
        values = asdict(choice)
        time = {"steadiness": values.pop("steadiness")}
        if choice.objective == "invert":  # which has its own, and takes no steps of a length
            del values["octaves"], values["step"]
        return Layer("--", {"dream": values, "time": time})

    def _given(self, model: str) -> list[Layer]:
        """All that was asked for when the page was opened, without what belongs to another network."""
        left_out = self._left_out(model)
        return [
            Layer(self.origins[f"{group}.{name}"], {group: {name: value}})
            for group, table in self.settings.model_dump(mode="json").items()
            for name, value in table.items()
            if self._asked(group, name) and name not in left_out
        ]

    def _left_out(self, model: str) -> tuple[str, ...]:
        return () if model == self.settings.dream.model else ("model", "weights", "layers")

    def _asked(self, group: str, name: str) -> bool:
        return not self.origins.get(f"{group}.{name}", "default").startswith(UNASKED)


def _own(model: str, **knobs: object) -> Settings:
    """Of a network, chosen by the user, by itself."""
    return looks.settle([Layer("--", {"dream": {"model": model, **knobs}})])[0]
