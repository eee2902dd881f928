"""Shots: does the film cut between two frames? Two pictures in, one word out; or a list of cuts read from a file."""

from __future__ import annotations

import csv
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.clip import Picture, Plane, Size
from pipeline.errors import InputError, did_you_mean
from pipeline.ops import motion

Thumb = NDArray[np.uint8]
"""uint8 [90, 160]."""

THUMB = Size(90, 160)
BLANK = 2.0  # grey levels of spread: below this a picture shows nothing
BLACK = 24  # grey level: below this all along an edge of both pictures it is a bar
GRAIN = 3.0  # grey levels: relief of this height counts half, what is lower counts as noise
AROUND = 8.0  # px: relief is measured against what is so far around
FOLLOWED = 0.45
TOGETHER = 0.55
ALIKE = 0.75
KEPT = 0.15
LEAST = 24  # px a side that can be compared
MOST = 10_000_000
"""Bytes a list of cuts may have: that is some hundred thousand."""


def thumb(picture: NDArray[np.uint8]) -> Thumb:
    """The small grey picture that cuts are looked for in, of one in colours or grey."""
    small = cv2.resize(picture, (THUMB.width, THUMB.height), interpolation=cv2.INTER_AREA)
    return np.asarray(small if small.ndim == 2 else cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)


def is_blank(small: Thumb) -> bool:
    """Whether a thumb shows nothing: black leader, or white within a flash. No cut is seen there, only after it."""
    return bool(small.std() < BLANK)


def is_cut(now: Thumb, before: Thumb) -> bool:
    """True when no motion explains `now`: neither what flow finds, nor what it finds after the best single shift.

    before: the last one that was not blank. What is compared is relief: how much lighter than its surroundings a
    pixel is, over how much things differ there; so light, fog and flashes do not count, and dark scenes do. Only
    where a quick search explains nothing is a thorough one asked. Thresholds were chosen on the film of
    scripts/bench_cuts.py. Nothing is remembered but `before`, so of a dissolve, which takes its time, no frame is
    a cut.
    """
    if is_blank(now):
        return False
    if is_blank(before):
        return True
    now, before = _within_bars(now, before)
    here, there = relief(now), relief(before)
    flown = explained(there, here)
    if flown > FOLLOWED:
        return False
    shifted = explained(*_shifted(there, here))
    if shifted > FOLLOWED or flown + shifted > TOGETHER:
        return False
    return _kept(now, before, here, there) <= KEPT


def _kept(now: Thumb, before: Thumb, here: Plane, there: Plane) -> float:
    """How much of `before` a thorough search finds again, 0..1: the share it is sure of, and how alike that is."""
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    backward, forward = search.calc(now, before, None), search.calc(before, now, None)
    sure = ~motion.unreliable(backward, forward)
    a, b = here[sure], motion.sample(there, motion.follow(backward))[sure]
    scale = float(np.sqrt(np.square(a).sum() * np.square(b).sum())) + 1e-6
    return max(0.0, float(sure.mean()) * float((a * b).sum()) / scale)


def found(pictures: Iterable[Picture]) -> Iterator[int]:
    """The first frame of every shot but the first, as pictures go by."""
    shown: Thumb | None = None
    for index, picture in enumerate(pictures):
        now = thumb(picture)
        if shown is not None and is_cut(now, shown):
            yield index
        shown = now if shown is None or not is_blank(now) else shown


def relief(small: Thumb) -> Plane:
    """How much lighter than its surroundings each pixel is, about -3..3; [h, w]."""
    grey = small.astype(np.float32)
    above = grey - cv2.GaussianBlur(grey, (0, 0), AROUND)
    return np.asarray(above / (np.sqrt(cv2.GaussianBlur(above * above, (0, 0), AROUND)) + GRAIN), np.float32)


def explained(before: Plane, now: Plane) -> float:
    """How much of one relief motion makes of the other, up to 1: what follows flow that is undone on the way back.

    1 where all are alike once moved, though fast motion may not be undone: then it is the same thing that moved.
    """
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    one, other = (np.clip(128 + 48 * x, 0, 255).astype(np.uint8) for x in (now, before))
    backward, forward = search.calc(one, other, None), search.calc(other, one, None)
    positions = motion.follow(backward)
    moved = motion.sample(before, positions)
    scale = float(np.sqrt(np.square(now).sum() * np.square(moved).sum())) + 1e-6
    followed = float((now * moved)[~motion.unreliable(backward, forward)].sum()) / scale
    return 1.0 if alike(now, moved, _inside(positions)) > ALIKE else max(0.0, followed)


def alike(now: Plane, moved: Plane, where: NDArray[np.bool_]) -> float:
    """Correlation of two reliefs, -1..1, on those pixels; 0 where they are few."""
    if where.mean() < 0.5:
        return 0.0
    now, moved = now[where], moved[where]
    return float((now * moved).sum()) / (float(np.sqrt((now * now).sum() * (moved * moved).sum())) + 1e-6)


def _inside(positions: Plane) -> NDArray[np.bool_]:
    height, width = positions.shape[:2]
    x, y = positions[..., 0], positions[..., 1]
    return np.asarray((x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1))


def _within_bars(now: Thumb, before: Thumb) -> tuple[Thumb, Thumb]:
    """Without the black bars around both, whose edges stand still through every cut."""
    lit = np.maximum(now, before) >= BLACK
    rows, columns = np.flatnonzero(lit.any(1)), np.flatnonzero(lit.any(0))
    if min(len(rows), len(columns)) < LEAST:
        return now, before
    within = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return np.ascontiguousarray(now[within]), np.ascontiguousarray(before[within])


def _shifted(before: Plane, now: Plane) -> tuple[Plane, Plane]:
    """Both cut down to what they share after the one shift that suits best, which whip pans take to be seen through.

    By phase correlation; unchanged where they would share too little.
    """
    height, width = now.shape
    (x, y), _ = cv2.phaseCorrelate(now, before, cv2.createHanningWindow((width, height), cv2.CV_32F))
    dx, dy = round(x), round(y)
    one = now[max(0, -dy) : height - max(0, dy), max(0, -dx) : width - max(0, dx)]
    other = before[max(0, dy) : height - max(0, -dy), max(0, dx) : width - max(0, -dx)]
    if min(*one.shape, *other.shape) < LEAST or one.size < 0.4 * now.size:
        return before, now
    return np.ascontiguousarray(other), np.ascontiguousarray(one)


def file_of(cuts: str) -> Path | None:
    """The file that --cuts names; None for auto and off."""
    return None if cuts in ("auto", "off") else Path(cuts)


def listed(path: Path) -> tuple[int, ...]:
    """The first frames of shots that a file lists, counted from 0 in the source's own frames; sorted, without 0.

    Frame numbers (a line, comma or space between; # begins a comment), or PySceneDetect's scene list, whose Start
    Frame counts from 1. Raises InputError naming the file, and the line where there is one.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MOST + 1)
    except OSError as error:
        raise InputError(f"--cuts {path}: {_why(path, error)}") from None
    if len(raw) > MOST:
        raise InputError(f"--cuts {path}: is too large for a list of cuts.")
    try:
        lines = raw.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InputError(f"--cuts {path}: is no text; {EXPECTED}.") from None
    heading = next((n for n, line in enumerate(lines) if "Start Frame" in line), None)
    found = set(_numbers(path, lines) if heading is None else _scenes(path, lines, heading))
    if not found:
        raise InputError(f"--cuts {path}: lists no cut; {EXPECTED}.")
    return tuple(sorted(found - {0}))


EXPECTED = "expected frame numbers counted from 0, or PySceneDetect's scene list (CSV)"


def _why(path: Path, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"no such file; it is auto, off or a file of frame numbers.{did_you_mean(str(path), ['auto', 'off'])}"
    return f"cannot be read ({error.strerror})."


def _numbers(path: Path, lines: Sequence[str]) -> Iterator[int]:
    for count, line in enumerate(lines, 1):
        for word in re.split(r"[,;\s]+", line.partition("#")[0].strip()):
            if word and not re.fullmatch(r"[0-9]{1,9}", word):
                raise InputError(
                    f"--cuts {path}, line {count}: {word[:40]!r} is no frame number; {EXPECTED}."
                )
            if word:
                yield int(word)


def _scenes(path: Path, lines: Sequence[str], heading: int) -> Iterator[int]:
    rows = list(csv.reader(lines[heading:]))
    if "Start Frame" not in rows[0]:
        raise InputError(f"--cuts {path}, line {heading + 1}: no column is called Start Frame; {EXPECTED}.")
    column = rows[0].index("Start Frame")
    for count, row in enumerate(rows[1:], heading + 2):
        word = row[column].strip() if column < len(row) else ""
        if not row:
            continue
        if not re.fullmatch(r"[0-9]{1,9}", word) or int(word) == 0:
            raise InputError(
                f"--cuts {path}, line {count}: {word[:40]!r} is no Start Frame, which counts from 1."
            )
        yield int(word) - 1


def starts(cuts: Sequence[int], counted: Sequence[int]) -> tuple[frozenset[int], list[int]]:
    """Which of the frames that are dreamed begin a shot, and which cuts lie before or after all of them.

    counted: each dreamed frame's place in the source's own count, rising. A cut at a frame that --every or --fps
    leaves out falls to the next one that is dreamed.
    """
    inside = [cut for cut in cuts if counted and counted[0] <= cut <= counted[-1]]
    return frozenset(bisect_left(counted, cut) for cut in inside), [
        cut for cut in cuts if cut not in set(inside)
    ]
