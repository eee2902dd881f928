"""Cuts found and cuts imagined: a film spliced to be hard in, a table of detectors out.

    scripts/bench_cuts.py [--size 320x180] [--data DIR|none] [--other N] [--ours] [--json FILE] [--sheet FILE.png]

Ours beside PySceneDetect's Content, Adaptive and Hash detectors at their defaults, on frames reduced as its own
SceneManager reduces them. A cut is found by naming the first frame of the new shot, exactly. Conventions:
- Where a flash, white or black frames hide a cut, any frame from the first hidden to the first shown names it.
- A dissolve, or a fade through black to another scene, has no first frame: a cut found in it counts neither way.
- A flash, or a fade to black and back, on one and the same scene is no cut.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any

import cv2
import numpy as np
import scenedetect
from scenedetect import FrameTimecode, SceneDetector
from scenedetect.detectors import AdaptiveDetector, ContentDetector, HashDetector
from scenedetect.scene_manager import compute_downscale_factor
from spliced import (
    SHOT,
    Film,
    Piece,
    Stock,
    Take,
    crossed,
    dissolved,
    faded,
    flashed,
    flat,
    framed,
    graded,
    joined,
    shaken,
    spliced,
    stepped,
    swish,
    whip,
    zoomed,
)  # fmt: skip

from pipeline.clip import Picture, Size, fit
from pipeline.film import sheet
from pipeline.stages import shots, stills

DATA = Path(os.environ.get("DREAM_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
RATE = 24.0
LONG = 2 * SHOT + 8

Detector = Callable[[Sequence[Picture]], Iterator[int]]
"""Pictures in, the first frames of new shots out."""


def with_cuts(stock: Stock) -> Iterator[Piece]:
    """Cuts between takes of every sort."""
    w, size = stock.size.width, stock.size
    for _ in range(6):
        yield joined("cut", stock.next(), stock.next())
    for i in range(3):
        yield joined("cut, alike scenes", stock.demo(i), stock.demo(i + 1))
        yield joined("cut, dark", graded(stock.next(), 0.12, 3, 1.5), graded(stock.next(), 0.12, 3, 1.5))
        yield joined("cut, bright", graded(stock.next(), 0.3, 185), graded(stock.next(), 0.3, 185))
        yield joined("cut, fog", flat(stock.next(), 0.08), flat(stock.next(), 0.08))
        yield joined("cut, noisy", graded(stock.next(), noise=20), graded(stock.next(), noise=20, seed=1))
        yield joined("cut, dark to bright", graded(stock.next(), 0.2), graded(stock.next(), 0.6, 90))
        yield joined("cut, shaken", shaken(stock.next(), 0.02), shaken(stock.next(), 0.02, 1))
        fast = whip(stock.panorama(i), [w / 4] * SHOT, size)
        yield joined("cut, whip to whip", fast, whip(stock.panorama(i + 1), [w / 5] * SHOT, size))
        yield joined("cut, out of fast motion", fast, stock.next())
        yield joined("cut, into fast motion", stock.next(), fast)
        yield joined("cut, wide bars", framed(stock.next(), 1, 0.745), framed(stock.next(), 1, 0.745))
        yield joined("cut, phone", framed(stock.next(), 0.316, 1), framed(stock.next(), 0.316, 1))
        here = stock.demo(i, 0, "fast")
        yield joined(
            "cut, same place, closer", here, [zoomed(p, 2.4, 60, 20) for p in stock.demo(i, 60, "fast")]
        )
        hidden = flashed(stock.next(), i + 1, "white")[: SHOT // 2 + i + 1]
        yield Piece("cut, white flash on it", hidden + stock.next(), ((SHOT // 2, len(hidden)),))
        black = [np.zeros_like(hidden[0])] * (2 + 8 * i)
        yield Piece("cut, black between", stock.next() + black + stock.next(), ((SHOT, SHOT + len(black)),))
    yield joined("cut, shots of 6 frames", *(stock.next(6) for i in range(7)))


def without_cuts(stock: Stock) -> Iterator[Piece]:
    """What is no cut, though much changes."""
    w, size = stock.size.width, stock.size
    for i in (0, 5):
        for how in ("lamp", "spot", "white"):
            for frames in (1, 2, 3):
                yield Piece(f"flash, {how}", flashed(stock.next(LONG), frames, how))
        for frames in (6, 12, 18, 24):
            mixed = dissolved(stock.next(SHOT + frames), stock.next(SHOT + frames), frames)
            yield Piece("dissolve", mixed, either=range(SHOT, SHOT + frames + 1))
        take = stock.next(2 * LONG)
        yield Piece("fade, same scene", faded(take, 10, 1 + 5 * i))
        out = faded(take, 10, 6)[: LONG + 3]
        yield Piece("fade to another", out + faded(stock.next(2 * LONG), 10, 6)[LONG + 3 :],
                    either=range(LONG - 13, LONG + 14))  # fmt: skip
        yield Piece("fade to white", faded(take, 10, 2, gone=255))
        for share in (0.12, 0.2, 0.33):
            yield Piece("whip pan", swish(stock.panorama(i), share * w, size))
            yield Piece("whip pan, sharp", swish(stock.panorama(i + 1), share * w, size, shutter=0))
            yield Piece("whip pan, smooth", swish(stock.noise(20 + i), share * w, size, shutter=1))
        yield Piece("zoom step", stepped(stock.next(LONG), lambda p: zoomed(p, 1.1)))
        yield Piece("zoom", zoom(stock.next(LONG)))
        yield Piece("noise", graded(stock.next(LONG), noise=30))
        yield Piece("noise in the dark", graded(stock.next(LONG), 0.1, 4, 3))
        yield Piece("static", [stock.next()[0]] * LONG)
        yield Piece("static, noisy", graded([stock.next()[0]] * LONG, noise=8))
        yield Piece("shake", shaken(stock.next(LONG), 0.05))
        yield Piece("brightness step", stepped(stock.next(LONG), lambda p: graded([p], 0.45)[0]))
        yield Piece("brightness step", stepped(stock.next(LONG), lambda p: graded([p], 1.5, 30)[0]))
        yield Piece("light flickers", [graded([p], 1 - 0.35 * (k % 2))[0] for k, p in enumerate(take)])
        for radius, speed in ((0.5, 0.1), (0.6, 0.25)):
            thing = stock.noise(30 + i)
            yield Piece("crossing", crossed(stock.next(LONG), thing, radius, speed))
        yield Piece(
            "every second frame", [stock.demo(i, 0, "fast", 2 * LONG)[k] for k in range(0, 2 * LONG, 2)]
        )


def zoom(take: Take) -> Take:
    """In by a tenth a frame over six frames."""
    middle = len(take) // 2
    return [zoomed(p, 1.1 ** min(max(k - middle, 0), 6)) for k, p in enumerate(take)]


def theirs(make: Callable[[], SceneDetector]) -> Detector:
    """A detector of PySceneDetect as its SceneManager feeds it: BGR, reduced to about 256 pixels of width."""

    def find(pictures: Sequence[Picture]) -> Iterator[int]:
        detector, time = make(), FrameTimecode(0, RATE)
        height, width = pictures[0].shape[:2]
        factor = max(1.0, compute_downscale_factor(width))
        small = (max(1, round(width / factor)), max(1, round(height / factor)))
        for index, picture in enumerate(pictures):
            frame = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
            if factor > 1:
                frame = cv2.resize(frame, small, interpolation=cv2.INTER_LINEAR)
            time = FrameTimecode(index, RATE)
            yield from (cut.frame_num for cut in detector.process_frame(time, frame))
        yield from (cut.frame_num for cut in detector.post_process(time))

    return find


DETECTORS: dict[str, Detector] = {
    "ours": shots.found,
    "Content": theirs(ContentDetector),
    "Adaptive": theirs(AdaptiveDetector),
    "Hash": theirs(HashDetector),
}


@dataclass(frozen=True)
class Verdict:
    """hits: cuts found. missed, false: (kind, frame)."""

    hits: int
    missed: list[tuple[str, int]]
    false: list[tuple[str, int]]

    @property
    def recall(self) -> float:
        return self.hits / max(1, self.hits + len(self.missed))

    @property
    def precision(self) -> float:
        return self.hits / max(1, self.hits + len(self.false))


def judge(film: Film, found: Sequence[int]) -> Verdict:
    """Each cut may be found once; what is left over is false, where it is not pardoned."""
    left = sorted(set(found))
    missed = []
    for cut in film.cuts:
        hit = next((frame for frame in left if cut.first <= frame <= cut.last), None)
        if hit is None:
            missed.append((cut.kind, cut.first))
        else:
            left.remove(hit)
    false = [(film.kinds[frame], frame) for frame in left if frame not in film.either]
    return Verdict(len(film.cuts) - len(missed), missed, false)


def milliseconds(detector: Detector, pictures: Sequence[Picture]) -> float:
    """CPU time for each 720p frame."""
    large = [cv2.resize(p, (1280, 720), interpolation=cv2.INTER_CUBIC) for p in pictures]
    best = []
    for _ in range(3):
        begin = process_time()
        list(detector(large))
        best.append(process_time() - begin)
    return 1000 * min(best) / len(large)


def kinds(faults: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(Counter(kind for kind, _ in faults).items()))


def arguments() -> argparse.Namespace:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--size", default="320x180")
    parse.add_argument("--data", type=Path, default=DATA if DATA.is_dir() else None)
    parse.add_argument(
        "--other", type=int, default=0, help="1, 2 ...: scenes and moments that ours was not tuned on"
    )
    parse.add_argument("--ours", action="store_true", help="ours alone")
    parse.add_argument("--json", type=Path)
    parse.add_argument("--sheet", type=Path, help="a picture of each fault of ours: before and after")
    return parse.parse_args()


def bench(options: argparse.Namespace) -> bool:
    """Every detector on the film; whether ours is without fault."""
    cv2.setNumThreads(1)
    stock = Stock(fit(Size(360, 640), options.size), options.data, other=options.other)
    film = spliced([*with_cuts(stock), *without_cuts(stock)])
    effects = Counter(piece for piece in film.kinds)
    print(f"{len(film.pictures)} frames, {len(film.cuts)} cuts, {len(effects)} kinds of pieces")
    print(f"{'':10}{'found':>7}{'missed':>7}{'false':>7}{'precision':>11}{'recall':>8}{'ms/720p':>9}")
    numbers: dict[str, Any] = {"scenedetect": scenedetect.__version__, "cuts": len(film.cuts)}
    clean = True
    for name, detector in DETECTORS.items():
        if options.ours and name != "ours":
            continue
        verdict = judge(film, list(detector(film.pictures)))
        took = milliseconds(detector, film.pictures[:32])
        print(
            f"{name:10}{verdict.hits:7}{len(verdict.missed):7}{len(verdict.false):7}"
            f"{verdict.precision:11.3f}{verdict.recall:8.3f}{took:9.1f}"
        )
        print(
            f"    missed: {kinds(verdict.missed) or 'none'}\n    false: {kinds(verdict.false) or 'none'}",
            flush=True,
        )
        numbers[name] = vars(verdict) | {"recall": verdict.recall, "precision": verdict.precision, "ms": took}
        if name == "ours":
            clean = not verdict.missed and not verdict.false
            if options.sheet:
                faults = [frame for _, frame in [*verdict.missed, *verdict.false]]
                stills.write(
                    options.sheet, sheet(np.hstack(film.pictures[max(0, f - 1) : f + 1]) for f in faults)
                )
    if options.json:
        options.json.write_text(json.dumps(numbers, indent=1), encoding="utf-8")
    return clean


if __name__ == "__main__":
    sys.exit(0 if bench(arguments()) else 1)
