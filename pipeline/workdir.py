"""Workdir: the plan of a render, what is done, what is left. One folder beside the output until it is whole.

clip_dream.mp4.dreamwork/
  plan.json                what the bytes depend on, fixed before the first dream
  00000048.json            a finished segment: its frames and times; written last, so what has it is done
  00000048.mp4             its film (none where frames are files of their own)
  00000048.safetensors     what its last frame leaves to the next; only the newest is kept
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from pipeline.clip import Segment
from pipeline.errors import OutputError, UsageError
from pipeline.files import whole
from pipeline.stages.carry import Carried

Plan = dict[str, Any]


@dataclass
class Workdir:
    """segments: those that are done, in order. keep: leave the folder, and every state, when all is done."""

    folder: Path
    keep: bool = False
    segments: list[Segment] = field(default_factory=list)

    @staticmethod
    def open(folder: Path, plan: Plan, *, fresh: bool = False, keep: bool = False) -> Workdir:
        """Go on with `folder` when it was started with this very plan, or begin it.

        Raises UsageError when it was started with another plan, naming what differs, and OutputError when
        the folder is somebody else's or cannot be written.
        """
        written = folder / "plan.json"
        if folder.exists() and not written.is_file() and any(folder.iterdir()):
            raise OutputError(f"{folder}: is not a work folder of this program. Give another with --workdir.")
        if fresh and folder.exists():
            shutil.rmtree(folder)
        if not written.is_file():
            with whole(written) as part:
                part.write_text(json.dumps(plan, indent=1), encoding="utf-8")
            return Workdir(folder, keep)
        before = _read(written)
        done = sorted(folder.glob("[0-9]*.json"))
        if not done:  # nothing hangs on the old plan yet
            with whole(written) as part:
                part.write_text(json.dumps(plan, indent=1), encoding="utf-8")
            return Workdir(folder, keep)
        if different := _differences(before, json.loads(json.dumps(plan))):
            raise UsageError(
                f"{folder}: was started with other settings: {', '.join(different)}.\n"
                "Give the same again to go on, or --fresh to start over."
            )
        segments = [Segment(**_read(record)) for record in done]
        return Workdir(folder, keep, segments)

    @property
    def last(self) -> Segment | None:
        return self.segments[-1] if self.segments else None

    def film(self, first: int) -> Path:
        """The film of the segment that begins with frame `first`."""
        return self.folder / f"{first:08d}.mp4"

    def _state(self, segment: Segment) -> Path:
        return self.folder / f"{segment.first:08d}.safetensors"

    def finish(self, segment: Segment, carried: Carried) -> None:
        """Record a segment as done. Its film stands under its final name already."""
        with whole(self._state(segment)) as part:
            save_file({name: value.cpu().contiguous() for name, value in vars(carried).items()}, part)
        with whole(self.folder / f"{segment.first:08d}.json") as part:
            part.write_text(json.dumps(asdict(segment)), encoding="utf-8")
        if self.last and not self.keep:
            self._state(self.last).unlink(missing_ok=True)
        self.segments.append(segment)

    def carried(self, device: torch.device) -> Carried | None:
        """What the last finished segment leaves to the frame after it; None at the start."""
        if self.last is None:
            return None
        try:
            state = load_file(self._state(self.last))
        except (OSError, SafetensorError) as error:
            raise OutputError(
                f"{self._state(self.last)}: is damaged ({error}). --fresh starts over."
            ) from None
        return Carried(**{name: value.to(device) for name, value in state.items()})

    def remove_if_nothing_is_done(self) -> None:
        if not self.segments:
            shutil.rmtree(self.folder, ignore_errors=True)

    def remove(self) -> None:
        if not self.keep:
            shutil.rmtree(self.folder)


def planned_threads(folder: Path) -> int:
    """The threads of the plan in `folder`; 0 when there is none to go by."""
    plan = folder / "plan.json"
    return int(_read(plan)["encoding"]["threads"]) if plan.is_file() else 0


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise OutputError(f"{path}: is damaged ({error}). --fresh starts over.") from None


def _differences(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """'octaves 4, now 5' for each value that is not the same."""
    found: list[str] = []
    for name in sorted({*before, *now}):
        was, is_now = before.get(name), now.get(name)
        if isinstance(was, dict) and isinstance(is_now, dict):
            found += _differences(was, is_now, f"{name} ")
        elif was != is_now:
            found.append(f"{prefix if prefix == 'source ' else ''}{name} {_short(was)}, now {_short(is_now)}")
    return found


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 24 else text[:12] + "…"
