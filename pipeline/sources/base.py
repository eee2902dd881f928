"""What every source is, and what sources share: counting frames and times, and telling one from another."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Generator, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from pipeline.clip import Clip, Frame, Segment
from pipeline.errors import UsageError
from pipeline.stages.join import Beside

Facts = dict[str, str | int]


class Source(Protocol):
    """Where frames come from. clip: the facts. damaged: frames held because they could not be decoded."""

    clip: Clip

    @property
    def damaged(self) -> int: ...

    def frames(self, last: Segment | None = None) -> Generator[Frame, None, None]:
        """All frames, or those from the last frame of a finished segment on (itself included, for its motion)."""
        ...

    def counted(self) -> Sequence[int]:
        """Each frame's place in the source's own count, from 0 whatever --start and --every leave out; rising."""
        ...

    def across(self, count: int) -> Iterator[Frame]:
        """`count` frames spread evenly over the film."""
        ...

    def beside(self, folder: Path) -> Beside | None:
        """What has to go into the film beside the picture; a source that makes sound writes it to `folder`."""
        ...

    def files(self) -> list[Path]:
        """What is read, and so must never be written."""
        ...

    def fingerprint(self) -> Facts:
        """What tells this very source from another one."""
        ...


def index_of(position: str, times: Sequence[int], time_base: Fraction, flag: str) -> int:
    """The first frame at or after a frame number (from 0) or a time (1.5s, 00:00:01.5)."""
    if re.fullmatch(r"\d{1,9}", position):
        return int(position)
    seconds = _seconds(position)
    if seconds is None:
        raise UsageError(f"{flag} {position}: expected a frame number (36) or a time (1.5s, 00:00:01.5).")
    return next((i for i, pts in enumerate(times) if (pts - times[0]) * time_base >= seconds), len(times))


def _seconds(text: str) -> Fraction | None:
    if match := re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)s", text):
        return Fraction(match[1])
    if match := re.fullmatch(r"(?:(\d{1,4}):)?(\d{1,4}):(\d{1,2}(?:\.\d{1,9})?)", text):
        return int(match[1] or 0) * 3600 + int(match[2]) * 60 + Fraction(match[3])
    return None


def rate_of(text: str) -> Fraction:
    """Frames a second: 24, 23.976 (which is 24000/1001) or 24000/1001. UsageError for anything else."""
    match = re.fullmatch(r"(\d{1,7}(?:\.\d{1,6})?)(?:/(\d{1,7}))?", text)
    below = int(match[2] or 1) if match else 0
    rate = Fraction(match[1]) / below if match and below else Fraction(0)
    if not Fraction(1, 1000) <= rate <= 1000:
        raise UsageError(f"--fps {text}: expected frames a second, such as 24, 23.976 or 24000/1001.")
    broadcast = Fraction(round(rate * 1001 / 1000) * 1000, 1001)
    # 23.976 and 29.97 are how people write 24000/1001 and 30000/1001.
    return broadcast if rate != broadcast and abs(rate - broadcast) < Fraction(1, 1000) else rate


def spread(length: int, count: int) -> list[int]:
    """`count` places in a film of `length` frames, in the middle of as many equal parts."""
    count = min(count, length)
    return [(2 * k + 1) * length // (2 * count) for k in range(count)]


def fingerprint(paths: Sequence[Path]) -> Facts:
    """Size, time and a hash of head and tail of one file; names, sizes and times of many."""
    digest = hashlib.sha256()
    for path in paths:
        facts = path.stat()
        digest.update(os.fsencode(path.name) + f"/{facts.st_size}/{facts.st_mtime_ns}\n".encode())
    with paths[0].open("rb") as file:
        digest.update(file.read(1 << 16))
        file.seek(max(0, paths[0].stat().st_size - (1 << 16)))
        digest.update(file.read())
    return {"files": len(paths), "sha256": digest.hexdigest()}
