"""Options: from a command line to settings, and where each came from. Torch is not loaded here.

defaults < the network's own < preset < config file < environment < flags < --set
"""

from __future__ import annotations

import inspect
import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import Annotated, Any, Optional, get_args, get_origin

import tyro
from tyro.conf import FlagCreatePairsOff, OmitArgPrefixes, Positional, UseAppendAction, UseCounterAction

from pipeline import looks, overrides, settings
from pipeline.cli.reading import TIED, Examples, parsed
from pipeline.errors import TYPED, UsageError
from pipeline.net.cards import is_code
from pipeline.overrides import Layer
from pipeline.settings import Dream, Settings
from pipeline.settings.knob import Group
from pipeline.settings.knob import facts as facts_of

ENVIRONMENT = "DREAM_"
METAVARS = {int: "N", float: "X", str: "WORD"}
BUILTIN = "builtin"
STRONGEST = facts_of(Dream, "strength")["high"]
UNSET_AT_0 = ("preview", "preview_seconds", "bpm")
# With these tyro need not load its checker of types, which takes longer than all else it does.
Text = Optional[str]  # noqa: UP045
Texts = UseAppendAction[tuple]  # type: ignore[type-arg]
Words = Positional[tuple]  # type: ignore[type-arg]


@dataclass(frozen=True)
class Asked:
    """What a command line comes to. origins: "group.name" -> where its value came from. command: to do it again.

    made: what made the film of --like: versions and the weights' hash. more: sources after the first.
    """

    source: str | None
    settings: Settings
    origins: dict[str, str]
    command: str = ""
    made: Mapping[str, str] = field(default_factory=dict)
    more: tuple[str, ...] = ()

    def offers(self) -> list[str]:
        """Commands for the same with more of the dream, and with less; none where the strength is a schedule."""
        now, out = self.settings.dream.strength.constant, self.settings.output.out
        above = self.origins.get("dream.strength", "").startswith("--set")  # a flag would not count
        if not now or above or not self.settings.dream.iterations.constant or out == "-":
            return []
        prog, _, words = self.command.partition(" ")
        prog, words = os.environ.get(TYPED, prog), re.sub(r" --strength[= ]\S+", "", words)
        over = "" if self.settings.output.yes else " -y"
        ways = (("stronger", min(STRONGEST, now * 1.5)), ("calmer", now / 2))
        return [f"{name}: {prog} {words} --strength {to:.3g}{over}" for name, to in ways if to != now]


INPUTS = "a clip, a still, a folder of pictures, frame.%04d.png, or a glob in quotes; several: each a film"


def read(
    prog: str,
    about: str,
    args: Sequence[str],
    *,
    model: type[Settings] = Settings,
    inputs: str = INPUTS,
    several: bool = False,
    preview: int = 1,
    examples: Examples = (),
) -> Asked:
    """Parse a command line. Raises UsageError; prints and exits for --help and for flags that are not there.

    model: the settings of this door. inputs: what its INPUT may be. several: there may be more than one.
    preview: frames of --preview without a number.
    examples: commands that --help ends with, and what they do.
    """
    counted = _with_preview_count(args, preview)
    door = parsed(
        _flags(model, inputs), prog, about, counted, (OmitArgPrefixes, FlagCreatePairsOff), examples
    )
    given = {group: _given(vars(table)) for group, table in vars(door).items() if group != "source"}
    run = given["run"]
    layers = [looks.preset(name, model) for name in run.get("preset", ())]
    layers += [overrides.read_tables(Path(name)) for name in run.get("config", ())]
    made: dict[str, str] = {}
    if "like" in run:
        from pipeline import recipes  # media libraries, which most command lines do without

        layers.insert(0, recipes.like(Path(run["like"]), model))
        made = recipes.made(Path(run["like"]))
    layers += environment(model)
    layers += [
        Layer(_flag(name), {group: {name: value}}) for group, t in given.items() for name, value in t.items()
    ]
    layers += [_assignment(text, model) for text in run.get("set", ())]
    merged, origins = looks.settle(layers, model)
    if is_code(merged.dream.model) and not merged.run.quiet and not merged.run.explain:
        print(
            f"{prog}: --model {merged.dream.model} runs code of yours, from a file of that name",
            file=sys.stderr,
        )
    source, *more = door.source or (None,)
    if more and not several:
        raise UsageError(f"expected one INPUT, got {len(more) + 1}: {', '.join(door.source)}.")
    return Asked(source, merged, origins, _again([prog, *args]), made, tuple(more))


def _again(words: Sequence[str]) -> str:
    """A command as the user's shell would take it."""
    if os.name == "nt":
        from subprocess import list2cmdline

        return list2cmdline(words)
    return shlex.join(words)


def answered(asked: Asked) -> bool:
    """Print the presets or the settings, where that was all that was asked for; whether it was."""
    run = asked.settings.run
    if run.presets:
        for name, path in looks.presets(type(asked.settings)).items():
            print(f"{name:16} {looks.headline(path)}")
    elif run.explain:
        print(explain(asked), end="")
    return run.presets or run.explain


def check_input(asked: Asked, kinds: str) -> None:
    """UsageError for no INPUT, and for one beside --demo, which draws its own. kinds: what it may be."""
    if asked.source is not None and asked.settings.run.demo:
        raise UsageError(f"--demo draws its own scene; leave out {asked.source}, or leave out --demo.")
    if asked.source is None and not asked.settings.run.demo:
        raise UsageError(f"expected an INPUT: {kinds}. --demo needs none; --help says more.")


def explain(asked: Asked) -> str:
    """The merged settings as a file -c reads back, each with its origin, unit and range."""
    model = type(asked.settings)
    tables = asked.settings.model_dump(mode="json", exclude_none=True, exclude={"run"})
    tables = {
        group: {name: value for name, value in table.items() if name in model.OFFERED.get(group, table)}
        for group, table in tables.items()
    }
    notes = {}
    known = settings.knobs(model)
    for group, table in tables.items():
        for name in table:
            about = facts_of(known[name][1], name)
            origin = asked.origins.get(f"{group}.{name}", "default")
            notes[f"{group}.{name}"] = "; ".join(filter(None, (origin, about["unit"], _range(about))))
    tables["made"] = dict(asked.made)
    return overrides.to_toml({group: table for group, table in tables.items() if table}, notes)


def _flags(model: type[Settings], inputs: str) -> type[Any]:
    """The dataclass tyro reads flags from: one for each group, every field of it optional."""
    groups: list[tuple[str, Any, Any]] = [
        # Told here, not left to be found in a source, for which tyro would parse one.
        (name, Annotated[group, tyro.conf.arg(help=group.__doc__)], field(default_factory=group))
        for name, group in _groups(model)
    ]
    source = Annotated[Words, tyro.conf.arg(metavar="INPUT", help=inputs, help_behavior_hint="")]
    return make_dataclass("Door", [("source", source, ()), *groups])


def _groups(model: type[Settings]) -> Iterator[tuple[str, type[Any]]]:
    for group, about in model.model_fields.items():
        table = about.annotation
        assert isinstance(table, type)
        if offered := model.OFFERED.get(group, tuple(table.model_fields)):
            own = looks.own_defaults(BUILTIN, model).values.get(group, {})
            fields = [_flag_field(table, name, own.get(name)) for name in offered]
            about_it = {"__doc__": inspect.getdoc(table)}
            yield group, make_dataclass(group.title(), fields, namespace=about_it, eq=False, repr=False)


def _flag_field(model: type[Group], name: str, own: Any) -> tuple[str, Any, Any]:
    """One flag: (name, type, default). Values are text; settings.resolve reads and checks them.

    own: the default that the network in the box has for it; None: the setting's.
    """
    about, facts = model.model_fields[name], facts_of(model, name)
    kind, default = about.annotation, getattr(about.default, "text", about.default)
    switch = kind is bool or name == "verbose"
    unset = switch or default in (None, "", ()) or name in UNSET_AT_0
    said = f"default:{TIED}{_plain(default) if own is None else own}" + ", the network's own" * (
        own is not None
    )
    hints = (facts["unit"], "" if unset and own is None else said)
    hint = ", ".join(filter(None, hints))
    argument = tyro.conf.arg(
        help=about.description,
        help_behavior_hint=f"({hint})" if hint else "",
        aliases=[f"-{facts['short']}"] if facts["short"] else None,
        metavar=None if switch else facts["metavar"] or _metavar(kind),
    )
    if name == "verbose":
        return name, Annotated[UseCounterAction[int], argument], 0
    if kind is bool:
        return name, Annotated[bool, argument], False
    if get_origin(kind) is tuple:
        return name, Annotated[Texts, argument], ()
    return name, Annotated[Text, argument], None


def _plain(default: object) -> object:
    return f"{default:g}" if isinstance(default, float) else default


def _metavar(kind: Any) -> str:
    words = [str(word) for word in get_args(kind) if isinstance(word, str)]
    if words:
        return "|".join(words)
    return METAVARS.get(kind, "NUMBER" if kind is not None and "Schedule" in str(kind) else "WORD")


def _given(table: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if value or value == ""}


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _range(about: dict[str, Any]) -> str:
    return "" if about["low"] is None else f"{about['low']} to {about['high']}"


def environment(model: type[Settings]) -> list[Layer]:
    """DREAM_OCTAVES=5 and the like. Names of no setting are somebody else's and left alone."""
    known = settings.knobs(model)
    found = []
    for name, value in os.environ.items():
        knob = name.removeprefix(ENVIRONMENT).lower()
        if name.startswith(ENVIRONMENT) and knob in known and known[knob][0] != "run":
            found.append(overrides.place(knob, value, name, model))
    return found


def _assignment(text: str, model: type[Settings]) -> Layer:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--set {text}: expected name=value, such as dream.octaves=5.")
    return overrides.place(name.strip(), value.strip(), f"--set {name.strip()}", model)


def _with_preview_count(args: Sequence[str], frames: int) -> list[str]:
    """`--preview` alone means so many frames; `--preview 3s` is --preview-seconds 3."""
    counted: list[str] = []
    for index, word in enumerate(args):
        after = args[index + 1] if index + 1 < len(args) else ""
        if word == "--preview" and re.fullmatch(r"\d+(\.\d+)?s", after):
            counted.append("--preview-seconds")
            continue
        seconds = bool(counted) and counted[-1] == "--preview-seconds" and args[index - 1] == "--preview"
        counted.append(word.removesuffix("s") if seconds else word)
        if word == "--preview" and not re.fullmatch(r"\d+", after):
            counted.append(str(frames))
    return counted
