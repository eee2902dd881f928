"""Looks: where settings come from. Presets from the box, the network's own defaults, Python keywords."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import overrides
from pipeline.errors import UsageError, did_you_mean
from pipeline.net.cards import card, is_code
from pipeline.overrides import Layer
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.clip import Clip

OWN = ("layers", "objective", "smooth", "dream_size", "octaves", "octave_scale", "step", "jitter")
INVERT = {"iterations": "200", "octaves": 1, "dream_size": "max:480"}  # what suits rebuilding a picture
ASKED = ("--", "keyword")  # what the origin of a layer begins with that the user wrote just now
DOORS = ("zoom_",)  # what the names of presets begin with that are for one door only
# In a wheel the presets lie inside the package, in a checkout beside it.
FOLDERS = (Path(__file__).parent / "configs", Path(__file__).parent.parent / "configs")


def presets(model: type[Settings] = Settings) -> dict[str, Path]:
    """Name -> file of every preset in the box for these settings: configs/zoom_spiral.toml is a zoom's `spiral`."""
    files = {path.stem: path for folder in FOLDERS for path in sorted(folder.glob("*.toml"))}
    own = model.PRESETS
    others = tuple(other for other in DOORS if other != own)
    return {
        n.removeprefix(own): f for n, f in files.items() if n.startswith(own) and not n.startswith(others)
    }


def preset(name: str, model: type[Settings] = Settings) -> Layer:
    """A preset's overrides. UsageError with close names."""
    known = presets(model)
    if name not in known:
        raise UsageError(f"No preset is called {name!r}; --presets lists them.{did_you_mean(name, known)}")
    return Layer(f"preset {name}", overrides.read_tables(known[name]).values)


def headline(path: Path) -> str:
    """What a preset says of itself: the comment on its first line."""
    return path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")


def own_defaults(network: str, model: type[Settings] = Settings) -> Layer:
    """What suits a network, by its Card, as far as the door does not know better."""
    facts = card(network)
    values = {name: getattr(facts, name) for name in OWN if name not in model.NOT_TAKEN}
    return Layer(f"network {facts.name}", {"dream": {k: v for k, v in values.items() if v is not None}})


def settle(layers: Sequence[Layer], model: type[Settings] = Settings) -> tuple[Settings, dict[str, str]]:
    """Merge layers, later over earlier, above the defaults of the network they name.

    UsageError also where a network that is the user's own code was named by anything but the user.
    """
    network, origin = _network_of(model), ""
    for layer in layers:
        if named := layer.values.get("dream", {}).get("model"):
            network, origin = str(named), layer.origin
    if is_code(network) and not origin.startswith(ASKED):
        raise UsageError(
            f"{origin}: asks for the network {network}, which would run code from a file of that name. "
            f"Only you can: --model {network}"
        )
    return overrides.resolve([own_defaults(network, model), *_for_inversion(layers, model)], model)


def _for_inversion(layers: Sequence[Layer], model: type[Settings]) -> list[Layer]:
    """With what suits it below all that was asked for, where the objective is to rebuild a picture."""
    named = [
        (at, o) for at, layer in enumerate(layers) if (o := layer.values.get("dream", {}).get("objective"))
    ]
    if not named or named[-1][1] != "invert" or "objective" in model.NOT_TAKEN:
        return list(layers)
    asked = (at for at, layer in enumerate(layers) if layer.origin.startswith(ASKED))
    at = min(named[-1][0], next(asked, len(layers)))
    return [*layers[:at], Layer("objective invert", {"dream": INVERT}), *layers[at:]]


def check_still(settings: Settings, clip: Clip) -> None:
    """UsageError where a clip is to be rebuilt: each frame would be so for itself, and flicker."""
    if settings.dream.objective == "invert" and clip.frames != 1:
        raise UsageError(
            "--objective invert: is of one picture; the frames of a film would each be rebuilt alone, and flicker. "
            "--preview rebuilds one of them, a folder with -o DIR/ a still each."
        )


@lru_cache(maxsize=8)
def _network_of(model: type[Settings]) -> str:
    """That of a door's defaults."""
    return str(overrides.resolve([], model)[0].dream.model)


def of(model: type[Settings] = Settings, /, **knobs: object) -> Settings:
    """Settings from Python keywords, each a knob's name: `of(layers="mixed4c", octaves=5)`.

    Takes `preset=` too. Raises UsageError with close names for a knob that is not there.
    """
    asked = knobs.pop("preset", ())
    names = [asked] if isinstance(asked, str) else list(asked) if isinstance(asked, Sequence) else []
    layers = [preset(name, model) for name in names]
    layers += [overrides.place(name, value, "keyword", model) for name, value in knobs.items()]
    return settle(layers, model)[0]
