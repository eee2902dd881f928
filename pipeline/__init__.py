"""dream-video: DeepDream for film, steady while the picture moves. The Python door.

    import pipeline

    for frame in pipeline.dream("clip.mp4", layers="mixed4a#12"):
        frame.picture, frame.dream, frame.pts

    picture = pipeline.dream_still(array, objective=my_objective)
    dreamer = pipeline.Dreamer(layers="mixed4a")
    shown = dreamer.step(array)                               # live pictures, steady from one to the next

Importing this loads no torch; the first call does.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Read once, when torch is imported. Threads that spin while they wait take the cores that flow and encoder
# need: beside one other busy process a dream of two threads was eight times slower than it had to be.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# What Metal lacks falls back to the CPU op by op.
os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")

from pipeline.errors import (
    DeviceError,
    DreamError,
    InputError,
    ModelError,
    OutputError,
    ScheduleError,
    TargetError,
    UsageError,
)

if TYPE_CHECKING:
    from pipeline.clip import Picture
    from pipeline.dreamer import Dreamer
    from pipeline.dreamt import Dreamt
    from pipeline.ops.objectives import Callback
    from pipeline.settings import Settings

__all__ = [
    "DeviceError", "DreamError", "Dreamer", "Dreamt", "InputError", "ModelError", "OutputError", "ScheduleError",
    "Settings", "TargetError", "UsageError", "dream", "dream_still",
]  # fmt: skip


def dream(
    source: str | Path,
    settings: Settings | None = None,
    *,
    objective: Callback | str | None = None,
    **knobs: object,
) -> Generator[Dreamt, None, None]:
    """Each frame of a source, dreamed: .picture uint8 [H, W, 3], .dream float32 [h, w, 3], .pts, .frame.

    source: a clip, a folder of pictures, frame.%04d.png, a glob. settings: whole, or single knobs by the names
    of the flags (`layers="mixed4a"`, `steadiness=0.8`, `end="48"`, `preset="draft"`).
    objective: a word (energy, sparse, mean), or a function from the targets' activations (a list of
    [1, C, h, w]) to a tensor [1] that is to grow.
    Nothing is read before the first frame is asked for; closing the iterator ends its threads.
    Raises the errors of pipeline.errors.
    """
    from pipeline import hearing, looks
    from pipeline.dreamer import Dreamer
    from pipeline.sources import open_source

    if settings is None:
        if isinstance(objective, str):
            knobs, objective = knobs | {"objective": objective}, None
        settings, knobs = looks.of(**knobs), {}
    opened = open_source(str(source), settings.input, strict=settings.run.strict)
    dreamer = Dreamer(hearing.heard(settings, opened), objective=objective, network=None, **knobs)
    with closing(dreamer.walk(opened)) as frames:
        yield from frames


def dream_still(
    picture: Picture,
    settings: Settings | None = None,
    *,
    objective: Callback | str | None = None,
    **knobs: object,
) -> Picture:
    """A picture, uint8 RGB [H, W, 3], dreamed. Arguments and errors as of `dream`."""
    from pipeline.dreamer import Dreamer

    return Dreamer(settings, objective=objective, network=None, **knobs).step(picture)


def __getattr__(name: str) -> Any:
    if name in ("Dreamer", "Dreamt"):
        from pipeline import dreamer

        return getattr(dreamer, name)
    if name == "Settings":
        from pipeline.settings import Settings

        return Settings
    raise AttributeError(f"module 'pipeline' has no attribute {name!r}")
