"""How still a dream holds: clips of known motion in; ways of dreaming them, side by side, as table, JSON, PNG out.

    scripts/bench_steady.py [--clips demo,PHOTOS/] [--size 320x180] [--frames 48] [--json FILE] [--sheet FILE.png]
                            [--model NAME --weights FILE --layers LAYERS] [--ways NAME;NAME] [--in-sight]

A clip is slow, fast or noisy (the drawn scene; all three: demo), or photographs, BACK+FRONT or a folder's first two:
the first under a slow pan, zoom and turn while a piece of the second moves over it. `!` marks what misses its gate.
The ways at the default steadiness have to meet every gate; exit 1 says that one does not. Both files are written
anew after every way.
"""

from __future__ import annotations

import pipeline  # noqa: F401  # isort: skip  (before torch: it has threads sleep while they wait)

import argparse
import json
import math
import os
import sys
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image, ImageDraw
from steady_ways import EVERY, ITERATIONS, KEYED, KNOBS, STEADINESS, WAYS, Film, Make, Way, films
from torch import Tensor

from pipeline.clip import Picture, Size, fit
from pipeline.dreamer import Dreamer
from pipeline.errors import DreamError
from pipeline.metrics import Meter, Score, Table, mean, seam
from pipeline.net import zoo
from pipeline.ops.gradient import select
from pipeline.ops.look import Look
from pipeline.stages import flow, stills

DATA = Path(os.environ.get("DREAM_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
MODEL, LAYERS = "squeezenet1_0", "features.9"
GATED = ("ours", "ours, exact", KEYED)
COLUMNS = 6


@dataclass(frozen=True)
class Result:
    """What a way made of a film. trust: mean of M after the first frame. pictures: O of the frames to be kept.

    seam: flicker at keyframes and after them, over that of all other frames.
    """

    table: Table
    trust: float
    pictures: list[Picture]
    seam: float = math.nan


def measure(film: Film, way: Way, make: Make, keep: Iterable[int] = ()) -> Result:
    """Dream a film in one way, and measure it by its exact motion."""
    look, trust, chosen = make().look, [], set(keep)
    pictures: list[Picture] = []
    meter = Meter(
        score(look), look.sizes(film.scene.size), lambda now, then: flow.measure(now, then).backward
    )
    for index, shown in enumerate(way(film, make)):
        meter.feed(film[index], shown.dream, film.flows[index], shown.steps, ITERATIONS)
        trust.append(shown.trust)
        if index in chosen:
            pictures.append(np.rint(255 * (film[index] + shown.dream)).clip(0, 255).astype(np.uint8))
    seams = [
        frame - 1 for key in range(EVERY, len(film), EVERY) for frame in (key, key + 1) if frame < len(film)
    ]
    return Result(meter.table(), mean(trust[1:]), pictures, seam([row.f1 for row in meter.rows[1:]], seams))


def score(look: Look) -> Score:
    """What the dream amplifies; of several targets the geometric mean, which has no favourite."""

    @torch.no_grad()
    def of(picture: Tensor) -> float:
        size = Size(*picture.shape[-2:])
        maps = zip(look.cut(picture.to(look.cut.mean.device)), look.cut.targets, strict=True)
        grown = [float(look.objective(select(activation, target, size))) for activation, target in maps]
        return math.exp(mean(math.log(max(value, 1e-12)) for value in grown))

    return of


class Figure(NamedTuple):
    """A measure as it is judged, and its gate, both ends included."""

    value: float
    low: float
    high: float

    @property
    def passes(self) -> bool:
        return self.low <= self.value <= self.high


def judged(result: Result, base: Table, film: Film, *, exact: bool, keyed: bool = False) -> dict[str, Figure]:
    """Every measure beside its gate. base: of independent frames. G, A and S are ratios to it, clip is in points.

    keyed: with keyframes, whose seams must not show, and which may be a little less still and sharp. Cost: a fifth
    where motion is trusted nearly everywhere, else what pixels owe on average, and the first frame.
    """
    table, most = result.table, math.inf
    owed = 1 - STEADINESS * result.trust + 1 / len(film)
    return {
        "F1": Figure(table.f1, 0, 0.03 if exact else 0.05),
        "less": Figure(base.f1 / table.f1, 0 if keyed else 15 if film.calm else 10, most),
        "F8": Figure(table.f8, 0, 0.17 if exact else 0.27),
        "G": Figure(table.strength / base.strength, 0.95, 1.2),
        "A": Figure(table.amplitude / base.amplitude, 0.85, 1.2),
        "S": Figure(table.sharpness / base.sharpness, 0.7 if keyed else 0.75, most),
        "drift": Figure(table.drift, 0.9, 1.15),
        "clip": Figure(100 * (table.clipped - base.clipped), -most, 1),
        "tOF": Figure(table.tof, 0, base.tof),
        "cost": Figure(table.cost, 0, 0.2 if result.trust >= 0.95 else 1.2 * owed),
    } | ({"seam": Figure(result.seam, 0, 1.7)} if keyed else {})


def line(name: str, figures: Mapping[str, Figure], verdict: str) -> str:
    cells = (f"{figure.value:8.3f}{' ' if figure.passes else '!'}" for figure in figures.values())
    return f"{name:14}{''.join(cells)}  {verdict}".rstrip()


def sheet(rows: Iterable[tuple[str, list[Picture]]], width: int = 240) -> Picture:
    """Rows of small pictures, each with its label, [H, W, 3]."""
    strips = []
    for label, pictures in rows:
        height = round(width * pictures[0].shape[0] / pictures[0].shape[1])
        margin = Image.new("RGB", (130, height), "white")
        ImageDraw.Draw(margin).text((8, 8), label, "black", font_size=15)
        strips.append([np.asarray(margin), *(stills.resized(p, Size(height, width)) for p in pictures)])
    return np.vstack([np.hstack(strip) for strip in strips])


def plain(numbers: Mapping[str, float]) -> dict[str, float | None]:
    """As JSON can say it, which knows no nan and no infinity."""
    return {name: value if math.isfinite(value) else None for name, value in numbers.items()}


def arguments() -> argparse.Namespace:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    photographs = [DATA / "stills" / name for name in ("tubingen.png", "lion.jpg")]
    there = all(path.is_file() for path in photographs)
    parse.add_argument("--clips", default="demo" + there * f",{'+'.join(map(str, photographs))}")
    parse.add_argument("--size", default="320x180")
    parse.add_argument(
        "--frames", type=int, default=48, help="more than 8, or F8 has nothing to look back on"
    )
    parse.add_argument("--model", default=MODEL, help=f"{MODEL}, whose layers are {LAYERS} unless given")
    parse.add_argument("--weights", type=Path)
    parse.add_argument("--layers")
    parse.add_argument(
        "--ways", default=";".join(WAYS), help="some of these; independent frames always come first"
    )
    parse.add_argument(
        "--in-sight", action="store_true", help="F8 only of what nothing passed over in the eight frames"
    )
    parse.add_argument("--threads", type=int, default=0)
    parse.add_argument("--json", type=Path)
    parse.add_argument("--sheet", type=Path)
    options = parse.parse_args()
    if unknown := set(options.ways.split(";")) - set(WAYS):
        parse.error(f"no way is called {' or '.join(sorted(unknown))}; there are {'; '.join(WAYS)}")
    if options.model == MODEL:
        shared = DATA / "weights" / f"{MODEL}_imagenet.safetensors"
        options.weights = options.weights or (shared if shared.is_file() else None)
        options.layers = options.layers or LAYERS
    return options


def bench(options: argparse.Namespace) -> bool:
    """Every clip in every way; whether the gates are met."""
    network = zoo.load(options.model, options.weights)
    make = partial(Dreamer, network=network, layers=options.layers or "", threads=options.threads, **KNOBS)
    rows: list[tuple[str, list[Picture]]] = []
    numbers: dict[str, Any] = {}
    met = True
    size = fit(Size(360, 640), options.size)
    for film in films(options.clips.split(","), size, options.frames, in_sight=options.in_sight):
        columns = sorted({round(frame) for frame in np.linspace(0, len(film) - 1, COLUMNS)})
        label = f"{film.name}\n\nframes\n" + textwrap.fill(", ".join(map(str, columns)), 13)
        rows.append((label, [film.pictures[index] for index in columns]))
        base: Table | None = None
        for name in dict.fromkeys(["independent", *options.ways.split(";")]):
            result = measure(film, WAYS[name], make, columns)
            base = base or result.table
            figures = judged(result, base, film, exact=name.endswith("exact"), keyed=name == KEYED)
            passes = all(figure.passes for figure in figures.values())
            if name == "independent":
                print(f"\n{film.name:14}{''.join(f'{word:>8} ' for word in figures)}".rstrip())
            print(line(name, figures, ("pass" if passes else "FAIL") if name in GATED else ""), flush=True)
            met &= passes or name not in GATED
            rows.append((name, result.pictures))
            numbers.setdefault(film.name, {})[name] = {
                "measured": plain(result.table._asdict() | {"trust": result.trust}),
                "judged": {word: plain(f._asdict() | {"passes": f.passes}) for word, f in figures.items()},
            }
            if options.sheet:
                stills.write(options.sheet, sheet(rows))
            if options.json:
                options.json.write_text(json.dumps(numbers, indent=1), encoding="utf-8")
    return met


if __name__ == "__main__":
    try:
        sys.exit(0 if bench(arguments()) else 1)
    except DreamError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
