"""On what it is dreamed, and this one time: the knobs of the groups speed and run."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from pipeline.settings.knob import Group, knob


class Speed(Group):
    """Leave these alone: what suits the machine is found."""

    device: Annotated[str, StringConstraints(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] = knob(
        "auto", "what computes; auto: the first there is", metavar="auto|cuda|cuda:1|mps|cpu"
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = knob(
        "auto", "of the network; auto: bf16 where the machine computes in it, else fp32. The picture is fp32"
    )
    lanes: Annotated[str, StringConstraints(pattern=r"^(auto|[1-9]\d?)$")] = knob(
        "auto",
        "shots dreamed side by side, of one clip or of several; more than 1 looks for the cuts first",
        metavar="auto|N",
    )
    keyframes: Annotated[str, StringConstraints(pattern=r"^(auto|off|[2-9]|[1-9]\d)$")] = knob(
        "auto",
        "dream every so many frames of a long shot first, then those between side by side, in as many lanes; "
        "auto: every 8th on a GPU, else off",
        metavar="auto|off|N",
    )
    tile: Annotated[str, StringConstraints(pattern=r"^(auto|off|[1-9]\d{2,4})$")] = knob(
        "auto",
        "side of the pieces that large pictures are dreamed in, in pixels; auto: 1024; bounds the memory",
        metavar="auto|off|N",
    )
    graphs: Literal["auto", "on", "off"] = knob(
        "auto", "play what a GPU computes again and again from a record, a CUDA graph; auto: off"
    )
    threads: int = knob(0, "CPU threads of each lane; 0: all cores between them", low=0, high=1024)


class Run(Group):
    """Where settings come from, and how this run goes."""

    preset: tuple[str, ...] = knob(
        (), "a look from the box (--presets lists them)", short="p", metavar="NAME"
    )
    config: tuple[str, ...] = knob((), "settings from a TOML or YAML file", short="c", metavar="FILE")
    like: str | None = knob(None, "settings of a film this program made", metavar="FILE")
    set: tuple[str, ...] = knob((), "one setting by its full name, above all else", metavar="a.b=v")
    presets: bool = knob(False, "list the presets and stop")
    explain: bool = knob(False, "print the settings and where each came from, and stop; -c reads it back")
    demo: bool = knob(False, "dream a scene this program draws, instead of an INPUT")
    watch: bool = knob(
        False, "INPUT and -o are folders: dream what arrives in the one to the other, until Ctrl-C"
    )
    ui: bool = knob(
        False,
        "choose the look on a page in your browser, on this machine alone (needs the extra [ui])",
    )
    port: int = knob(0, "of that page; 0: the first that is free from 7860", low=0, high=65535)
    workdir: str | None = knob(None, "where unfinished work is kept (beside the output)", metavar="DIR")
    resume: bool = knob(False, "go on with unfinished work, or stop where there is none")
    fresh: bool = knob(False, "start over, discarding unfinished work on the same output")
    keep: bool = knob(False, "keep the work folder, so that --frames can dream a piece of the film again")
    handles: int = knob(
        8, "frames before and after such a piece that lead over to it, where its settings are others",
        low=0, high=1000,
    )  # fmt: skip
    strict: bool = knob(False, "a damaged frame is an error, not held over")
    progress: Literal["auto", "bar", "plain", "json", "none"] = knob("auto", "how progress is shown")
    quiet: bool = knob(False, "say nothing but errors", short="q")
    verbose: int = knob(0, "say more; twice: tracebacks", short="v", low=0, high=3)
