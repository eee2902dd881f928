"""Every knob, once: its default, range, unit and help.

Flags, config keys, DREAM_* variables, --explain and the reference all come from these models:
Settings has six groups (input, dream, time, output, speed, run), each a table in a config file.
`overrides` merges what changes them.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from pipeline.errors import ScheduleError
from pipeline.schedule import Schedule


def _as_schedule(value: object) -> Schedule:
    if isinstance(value, Schedule):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("expected a number or a schedule")
    try:
        return Schedule.parse(value)
    except ScheduleError as error:
        raise ValueError(str(error)) from None  # pydantic adds which setting it was


def _plain(number: float) -> int | float:
    return int(number) if number.is_integer() else number


Number = Annotated[
    Schedule,
    PlainValidator(_as_schedule),
    PlainSerializer(lambda s: s.text if s.constant is None else _plain(s.constant)),
]
"""A number that may change through the film."""


def knob(
    default: Any,
    help: str,
    *,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    short: str = "",
    metavar: str = "",
) -> Any:
    """One setting: its default, what it does, its unit and inclusive range, and its one-letter flag."""
    extra: dict[str, Any] = {"unit": unit, "low": low, "high": high, "short": short, "metavar": metavar}
    return Field(default=default, validate_default=True, description=help, json_schema_extra=extra)


class Group(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, coerce_numbers_to_str=True
    )

    @field_validator("*", mode="after")
    @classmethod
    def _in_range(cls, value: Any, info: ValidationInfo) -> Any:
        low, high = facts(cls, info.field_name or "")["low"], facts(cls, info.field_name or "")["high"]
        if low is None or high is None or value is None:
            return value
        if isinstance(value, Schedule):
            return value.within(low, high, f"--{info.field_name}".replace("_", "-"))
        if not low <= value <= high:
            raise ValueError(f"{value} is outside {low:g} to {high:g}")
        return value


def facts(group: type[BaseModel], name: str) -> dict[str, Any]:
    """unit, low, high, short and metavar of a knob, as `knob` was told."""
    extra = group.model_fields[name].json_schema_extra
    assert isinstance(extra, dict)
    return dict(extra)


class Input(Group):
    start: str | None = knob(
        None, "first frame: a number from 0, or a time (1.5s, 00:00:01.5)", metavar="FRAME|TIME"
    )
    end: str | None = knob(None, "frame or time to stop before", metavar="FRAME|TIME")
    frames: str | None = knob(
        None, "of a numbered sequence, by its own numbers, both included: 1001-1100", metavar="A-B"
    )
    every: int = knob(1, "dream each Nth frame only, at the same duration", low=1, high=100_000)
    fps: str | None = knob(
        None,
        "frame rate: of pictures (24 when not given), or of a clip, which else keeps its own timing",
        metavar="RATE",
    )
    input_space: Literal["auto", "srgb", "linear"] = knob(
        "auto", "what the values of pictures stand for; auto: linear light in EXR and float TIFF, else sRGB"
    )
    size: str | None = knob(None, "resize first: 640x360, 0.5x or max:1280", metavar="SIZE")


class Dream(Group):
    model: str = knob(
        "builtin", "network: builtin, googlenet, vgg16, resnet50 ... (any convolutional one of torchvision)"
    )
    weights: str | None = knob(
        None, "weights of that network, .safetensors or .pth, instead of a download", metavar="FILE"
    )
    layers: str = knob(
        "",
        "what to dream of: layer[#channel+channel][@XxY][:weight], ..., a depth: 60%, or motif/owl+spiral",
        metavar="LAYERS",
    )
    objective: Literal["energy", "sparse", "mean"] = knob(
        "energy", "what to amplify: all that is there, the strongest of it (more figurative), or plain mean"
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
    seed: int = knob(0, "of the jitter; the same seed gives the same film", low=0, high=2**31 - 1)
    dream_size: str = knob("full", "size the network dreams at: max:960, WxH, 0.5x or full", metavar="SIZE")
    strength: Number = knob("1", "how much of the dream is laid on the picture", low=0, high=2)


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
    threads: int = knob(0, "CPU threads; 0: as many as cores", low=0, high=1024)


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
    keep: bool = knob(False, "keep the unfinished work's folder when done")
    strict: bool = knob(False, "a damaged frame is an error, not held over")
    progress: Literal["auto", "bar", "plain", "json", "none"] = knob("auto", "how progress is shown")
    quiet: bool = knob(False, "say nothing but errors", short="q")
    verbose: int = knob(0, "say more; twice: tracebacks", short="v", low=0, high=3)


class Settings(Group):
    PRESETS: ClassVar[str] = ""  # what the names of its presets begin with
    NOT_TAKEN: ClassVar[tuple[str, ...]] = ()  # which of a network's own defaults do not suit this door

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

    def recipe(self) -> dict[str, dict[str, Any]]:
        """What makes the look, as overrides: everything but files, the range dreamed, machine and run."""
        tables = self.model_dump(mode="json", include={"dream", "time", "output"})
        for group, names in NOT_IN_A_RECIPE.items():
            for name in names:
                del tables[group][name]
        if self.time.cuts not in ("auto", "off"):  # a file's are one film's, and no look
            del tables["time"]["cuts"]
        return {
            group: {name: value for name, value in table.items() if value is not None}
            for group, table in tables.items()
            if table
        }


NOT_IN_A_RECIPE = {
    "dream": ("weights",),
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
