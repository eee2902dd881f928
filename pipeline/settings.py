"""Every knob, once: its default, range, unit and help.

Flags, config keys, DREAM_* variables, --explain and the reference all come from these models:
Settings has six groups (input, dream, time, output, speed, run), each a table in a config file.
`overrides` merges what changes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, Field, StringConstraints, ValidationInfo, field_validator

from pipeline.knobs import Group, Number, knob, shares


class Input(Group):
    start: str | None = knob(
        None, "first frame: a number from 0, or a time (1.5s, 00:00:01.5)", metavar="FRAME|TIME"
    )
    end: str | None = knob(None, "frame or time to stop before", metavar="FRAME|TIME")
    frames: str | None = knob(
        None,
        "first and last frame: of pictures by their own numbers, 1001-1100, of a clip counted from 0",
        metavar="A-B",
    )
    every: int = knob(1, "dream each Nth frame only, at the same duration", low=1, high=100_000)
    fps: str | None = knob(
        None,
        "frame rate: of pictures (24 when not given), or of a clip, which else keeps its own timing",
        metavar="RATE",
    )
    input_space: str = knob(
        "auto",
        "what the values of pictures stand for: srgb, linear, acescg, acescct, or another of $OCIO; "
        "auto: linear light in EXR and float TIFF, else sRGB",
        metavar="SPACE",
    )
    size: str | None = knob(None, "resize first: 640x360, 0.5x or max:1280", metavar="SIZE")


class Dream(Group):
    model: str = knob(
        "builtin",
        "network: builtin, googlenet, vgg16 ... (any convolutional one of torchvision), bvlc_googlenet, "
        "timm:NAME, or package.module:function, which runs code of yours",
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
    objective: Literal["energy", "sparse", "mean", "guide"] = knob(
        "energy",
        "what to amplify: all that is there, the strongest of it (more figurative), plain mean, or a guide",
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


class Time(Group):
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


class Output(Group):
    out: str | None = knob(
        None,
        "where to: .mp4 .mov .mkv .webm .gif, .png, frame.%04d.png, DIR/, or - (mkv to stdout)",
        short="o",
        metavar="PATH",
    )
    codec: Literal[
        "auto", "h264", "h265", "av1", "vp9", "prores", "prores4444", "dnxhr", "ffv1", "gif",
        "h264_nvenc", "h265_nvenc", "av1_nvenc", "h264_qsv", "h265_qsv", "h264_videotoolbox", "h265_videotoolbox",
    ] = knob(
        "auto", "video codec; auto: what the output's ending usually holds, and h265 for HDR", metavar="CODEC"
    )  # fmt: skip
    crf: int = knob(16, "quality, lower is better and larger", low=0, high=51)
    encoder_preset: Literal[
        "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"
    ] = knob("medium", "the encoder's own word for speed against size")
    pixel_format: str = knob(
        "auto",
        "yuv420p, yuv444p, yuv420p10le ...; auto: the codec's own, with the bits and transparency it can keep",
    )
    hdr: Literal["keep", "sdr"] = knob("keep", "HDR as HDR where the output can hold it, or mapped to SDR")
    audio: Literal["keep", "none"] = knob("keep", "the source's sound")
    preview: int = knob(
        0,
        "only this many frames across the film, as one picture; 3s: a piece that plays",
        low=0,
        high=64,
        metavar="[N|3s]",
    )
    preview_seconds: float = knob(
        0,
        "only a piece of the middle of the film, as it will be, of this length",
        unit="seconds",
        low=0,
        high=600,
    )
    compare: Literal["none", "side", "wipe", "diff"] = knob(
        "none", "show the source too: beside the dream, under a line that wipes across, or as what was added"
    )
    contact_sheet: str | None = knob(
        None, "a picture of moments across the finished film, source above dream", metavar="FILE.png"
    )
    stems: str | None = knob(
        None,
        "also each frame's dream layer, trust and motion, for compositing: float EXR, or 16-bit PNG and .flo",
        metavar="DIR",
    )
    report: str | None = knob(
        None,
        "a page of pictures and measures of the render, with .csv and .json beside it",
        metavar="FILE.html",
    )
    yes: bool = knob(False, "overwrite an existing output", short="y")


class Speed(Group):
    device: Annotated[str, StringConstraints(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] = knob(
        "auto", "cuda, cuda:1, mps or cpu; auto takes the first there is"
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = knob(
        "auto", "of the network; auto: bf16 where the machine computes in it, else fp32. The picture is fp32"
    )
    lanes: Annotated[str, StringConstraints(pattern=r"^(auto|[1-9]\d?)$")] = knob(
        "auto", "shots dreamed side by side, auto or a number; more than 1 looks for the cuts first"
    )
    tile: Annotated[str, StringConstraints(pattern=r"^(auto|off|[1-9]\d{2,4})$")] = knob(
        "auto",
        "side of the pieces that large pictures are dreamed in: auto (1024), off, or pixels; bounds the memory",
    )
    threads: int = knob(0, "CPU threads of each lane; 0: all cores between them", low=0, high=1024)


class Run(Group):
    preset: tuple[str, ...] = knob((), "a look from the box (--presets lists them)", short="p")
    config: tuple[str, ...] = knob((), "settings from a TOML or YAML file", short="c", metavar="FILE")
    like: str | None = knob(None, "settings of a film this program made", metavar="FILE")
    set: tuple[str, ...] = knob((), "one setting by its full name, above all else", metavar="a.b=v")
    presets: bool = knob(False, "list the presets and stop")
    explain: bool = knob(False, "print the settings and where each came from, and stop; -c reads it back")
    demo: bool = knob(False, "dream a scene this program draws, instead of an INPUT")
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


class Settings(Group):
    PRESETS: ClassVar[str] = ""  # what the names of its presets begin with
    NOT_TAKEN: ClassVar[tuple[str, ...]] = ()  # which of a network's own defaults do not suit this door
    OFFERED: ClassVar[
        Mapping[str, tuple[str, ...]]
    ] = {}  # a group -> those of its knobs that are flags; else all

    input: Input = Field(default_factory=Input)
    dream: Dream = Field(default_factory=Dream)
    time: Time = Field(default_factory=Time)
    output: Output = Field(default_factory=Output)
    speed: Speed = Field(default_factory=Speed)
    run: Run = Field(default_factory=Run)

    @field_validator("*", mode="after")
    @classmethod
    def _in_range(cls, value: Any, info: ValidationInfo) -> Any:
        return value  # groups check their own

    @property
    def silent(self) -> bool:
        """Nothing is drawn on the screen."""
        return self.run.quiet or self.run.progress in ("json", "none")

    def recipe(self) -> dict[str, dict[str, Any]]:
        """What makes the look, as overrides: everything but files, the range dreamed, machine and run."""
        tables = self.model_dump(mode="json", include={"dream", "time", "output"})
        for group, names in NOT_IN_A_RECIPE.items():
            for name in names:
                del tables[group][name]
        if self.dream.guide:  # a file is one user's, but that there was one is the look
            tables["dream"]["objective"] = "guide"
        if self.time.cuts not in ("auto", "off"):  # a file's are one film's, and no look
            del tables["time"]["cuts"]
        return {
            group: {name: value for name, value in table.items() if value is not None}
            for group, table in tables.items()
            if table
        }


NOT_IN_A_RECIPE = {
    "dream": ("weights", "guide", "mask"),
    "time": ("flow_weights",),
    "output": (
        "out",
        "preview",
        "preview_seconds",
        "compare",
        "contact_sheet",
        "stems",
        "report",
        "yes",
        "audio",
    ),
}


def knobs(model: type[Settings] = Settings) -> dict[str, tuple[str, type[BaseModel]]]:
    """Every knob's name -> (its group, the group's model). Names are unique across groups."""
    found: dict[str, tuple[str, type[BaseModel]]] = {}
    for group, field in model.model_fields.items():
        table = field.annotation
        assert isinstance(table, type)
        found.update(dict.fromkeys(table.model_fields, (group, table)))
    return found
