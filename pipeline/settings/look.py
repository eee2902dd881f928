"""What is dreamed and how it holds still: the knobs of the groups dream and time."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import field_validator

from pipeline.settings.knob import Group, Number, knob, seconds_of, shares, sized


class Dream(Group):
    """What it looks like. Each NUMBER may change through the film: "0s:(0), 3s:(1)"."""

    model: str = knob(
        "builtin",
        "network: builtin, googlenet, vgg16 ... (any convolutional one of torchvision), bvlc_googlenet, "
        "timm:NAME, or package.module:function, which runs code of yours",
        metavar="NAME",
    )
    weights: str | None = knob(
        None, "weights of that network, .safetensors or .pth, instead of a download", metavar="FILE"
    )
    layers: str = knob(
        "",
        "what to dream of: layer[#12+40][@XxY][[mask]][:weight], ..., 60% deep, motif/owl+spiral, class/lion; "
        "layer#strongest3; over time: 0s:(a), 4s:(b), or cycle(a; b)",
        metavar="LAYERS",
    )
    objective: Literal["energy", "sparse", "mean", "guide", "invert"] = knob(
        "energy",
        "what to amplify: all that is there, the strongest of it (more figurative), plain mean, or a guide; "
        "invert: a still rebuilt from what its layers know of it, from noise",
    )
    guide: tuple[str, ...] = knob(
        (), "dream toward what this picture or film shows; several: the best match of any", metavar="FILE"
    )
    mask: tuple[str, ...] = knob(
        (),
        "dream where this picture or film is white; one that layers name, as mixed4c[sky], is for those",
        metavar="FILE",
    )
    octaves: int = knob(4, "sizes to dream at, smallest first", low=1, high=32)
    octave_scale: float = knob(1.4, "ratio between sizes", low=1.05, high=4)
    iterations: Number = knob("10", "steps in each octave of a full dream", low=0, high=1000)
    step: Number = knob("1.5", "how far a step moves the average pixel", unit="grey levels", low=0, high=100)
    jitter: int = knob(32, "largest shift of the picture before a step", unit="pixels", low=0, high=512)
    smooth: float = knob(
        0.0, "smooth the gradient: sigma at a dream's last step, thrice that at its first",
        unit="pixels", low=0, high=16,
    )  # fmt: skip
    laplacian: int = knob(
        0, "bring so many bands of the gradient's detail to one strength; 0: leave them", low=0, high=8
    )
    octave_iterations: str = knob(
        "1", "each octave's share of the iterations, smallest octave first: 0.5, 1, 2", metavar="X,X..."
    )
    octave_step: str = knob("1", "each octave's share of the step: 1, 1, 0.5", metavar="X,X...")
    enlarge: Literal["bicubic", "linear"] = knob(
        "bicubic", "how a dream grows from octave to octave; linear: softer, as in 2015"
    )
    seed: int = knob(0, "of the jitter; the same seed gives the same film", low=0, high=2**31 - 1)
    dream_size: str = knob("full", "size the network dreams at: max:960, WxH, 0.5x or full", metavar="SIZE")
    strength: Number = knob("1", "how much of the dream is laid on the picture", low=0, high=2)
    colour: Literal["dream", "keep", "tone"] = knob(
        "dream",
        "dream: its own; keep: the source's, only light and dark are dreamed; tone: the source's at large",
    )
    saturation: Number = knob("1", "of the dream's colours", low=0, high=2)

    @field_validator("guide", "mask", mode="before")
    @classmethod
    def _is_a_list(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("octave_iterations", "octave_step")
    @classmethod
    def _is_shares(cls, value: str) -> str:
        shares(value)
        return value

    @field_validator("dream_size")
    @classmethod
    def _is_a_size(cls, value: str) -> str:
        sized(value)
        return value


class Time(Group):
    """How it holds still as the picture moves, and what it hears."""

    steadiness: Number = knob(
        "0.9", "how much of the dream is carried along the motion to the next frame", low=0, high=0.99
    )
    carry: Literal["flow", "blend"] = knob(
        "flow", "flow: the dream, along the motion; blend: the whole picture before, where it lay, as in 2015"
    )
    flow: Literal["dis", "raft", "raft-large", "none"] = knob(
        "dis", "how motion is found; raft is for GPUs; none: each frame dreams alone"
    )
    flow_weights: str | None = knob(
        None, "weights of RAFT, .safetensors or .pth, instead of a download", metavar="FILE"
    )
    cuts: str = knob(
        "auto",
        "start a fresh dream where the film cuts: found, or the frames a file lists, counted from 0 in the source",
        metavar="auto|off|FILE",
    )
    beats: str = knob(
        "none",
        "what beat(t) and level(t) of schedules hear: audio, which is the film's own sound, or a song",
        metavar="audio|FILE",
    )
    bpm: float = knob(
        0.0, "beat(t) of a steady tempo, without listening; 0: none", unit="beats a minute", low=0, high=1000
    )
    offset: str = knob(
        "0s", "when the first beat of --bpm is; or how much later than they were heard the others are",
        metavar="TIME",
    )  # fmt: skip

    @field_validator("offset")
    @classmethod
    def _is_a_time(cls, value: str) -> str:
        seconds_of(value)
        return value
